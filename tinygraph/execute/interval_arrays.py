"""Arrays of intervals: the same graph, evaluated to bounds that hold with certainty.

Each entry is an interval of mpmath that contains the true value; every operation rounds its ends outwards.
The nonlinearities are monotone and written so that the argument stands once: tanh a = 1 - 2 / (e^(2a) + 1).
Intervals forget that two values depend on each other, so they widen; more digits make them narrow again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NoReturn

import mpmath
import numpy as np

from ..errors import FeedError, NonFiniteError, UsageError, ValueRangeError
from ..graph.node import Kind
from ..shapes import as_size
from .arrays import NumpyArrays, Value

DIGITS = 40


class IntervalArrays(NumpyArrays):
    """Object arrays whose real entries are intervals of `digits` decimal digits; integers and booleans stay NumPy's.

    A comparison that the intervals do not decide raises `ValueRangeError`.
    """

    def __init__(self, dtype: str = "interval", batch: int | None = None, digits: int = DIGITS) -> None:
        super().__init__(object, batch)
        if as_size(digits, "number of digits") < 16:
            raise ValueRangeError(f"{digits} digits are fewer than a float has", fix="digits=40")
        self.iv = mpmath.ctx_iv.MPIntervalContext()  # of our own: the precision of `mpmath.iv` is everybody's
        self.iv.dps = digits

    def interval(self, value: Any) -> Any:
        """The interval around exactly the number given: an int, a Fraction, a float, or an interval as it is."""
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, Fraction):
            return self.iv.mpf(plain.numerator) / plain.denominator
        if hasattr(plain, "_mpi_"):
            return plain
        if not isinstance(plain, (int, float)):
            raise FeedError(f"{plain!r:.60} is neither a number nor an interval", fix="ints, floats or Fractions")
        if isinstance(plain, float) and not np.isfinite(plain):
            raise NonFiniteError(f"{plain} is not a finite number")
        return self.iv.mpf(plain)

    def array(self, data: Any, kind: Kind) -> Value:
        if kind != "real":
            return super().array(data, kind)
        return self._each(self.interval, np.asarray(data, dtype=object))

    def full(self, shape: tuple[int, ...], value: int | float | Fraction, kind: Kind) -> Value:
        return self.array(np.full(shape, value, object), kind) if kind == "real" else super().full(shape, value, kind)

    def real(self, x: Value) -> Value:
        return self.array(x, "real")

    def one_hot(self, index: Value, size: int, axis: int) -> Value:
        return self.real(np.moveaxis(np.eye(size, dtype=int)[index], -1, axis))

    def place(self, x: Value, getter: tuple[Any, ...], shape: tuple[int, ...]) -> Value:
        return self.real(super().place(x, getter, shape))

    def scatter_add(self, x: Value, index: Value, batch_rank: int, shape: tuple[int, ...]) -> Value:
        return self.real(super().scatter_add(x, index, batch_rank, shape))

    def power(self, x: Value, exponent: int | float | Fraction) -> Value:
        if not isinstance(exponent, int):
            power = self.interval(exponent)
            return self._each(lambda v: self.iv.exp(power * self.iv.log(v)), x)
        return self._each(lambda v: v**exponent if exponent >= 0 else 1 / v**-exponent, x)

    # Elementwise functions
    def tanh(self, x: Value) -> Value:
        return self._each(lambda a: 1 - 2 / (self.iv.exp(2 * a) + 1), x)

    def sigmoid(self, x: Value) -> Value:
        return self._each(lambda a: 1 / (self.iv.exp(-a) + 1), x)

    def softplus(self, x: Value) -> Value:
        return self._each(lambda a: self.iv.log(self.iv.exp(a) + 1), x)

    def relu(self, x: Value) -> Value:
        return self._each(lambda a: self.iv.mpf([max(a.a, 0), max(a.b, 0)]), x)

    def step(self, x: Value) -> Value:
        return self._each(lambda a: self.iv.mpf([int(a.a > 0), int(a.b > 0)]), x)

    def exp(self, x: Value) -> Value:
        return self._each(self.iv.exp, x)

    def log(self, x: Value) -> Value:
        return self._each(self.iv.log, x)

    def sqrt(self, x: Value) -> Value:
        return self._each(self.iv.sqrt, x)

    def sin(self, x: Value) -> Value:
        return self._each(self.iv.sin, x)

    def cos(self, x: Value) -> Value:
        return self._each(self.iv.cos, x)

    # Comparisons: decided, or an error
    def greater(self, a: Value, b: Value) -> Value:
        return self._decided(a, b, lambda p, q: p > q)

    def greater_equal(self, a: Value, b: Value) -> Value:
        return self._decided(a, b, lambda p, q: p >= q)

    def less(self, a: Value, b: Value) -> Value:
        return self.greater(b, a)

    def less_equal(self, a: Value, b: Value) -> Value:
        return self.greater_equal(b, a)

    def equal(self, a: Value, b: Value) -> Value:
        return self._decided(a, b, lambda p, q: p == q)

    def max(self, x: Value, axes: Sequence[int], keepdims: bool) -> NoReturn:
        raise UsageError("a maximum is no operation of the intervals here", fix="run it in float64")

    def argmax(self, x: Value, axis: int) -> NoReturn:
        self.max(x, (axis,), False)

    def shift(self, x: Value, axes: Sequence[int]) -> Value:
        return self.iv.mpf(0)  # numbers of any size have exponentials here

    def finite(self, x: Value) -> bool:
        return all(-self.iv.inf < v.a and v.b < self.iv.inf for v in np.ravel(x))

    def _each(self, function: Callable[..., Any], *values: Value) -> Value:
        return np.asarray(np.frompyfunc(function, len(values), 1)(*values), dtype=object)

    def _decided(self, a: Value, b: Value, compare: Callable[[Any, Any], bool | None]) -> Value:
        def one(p: Any, q: Any) -> bool:
            found = compare(self.interval(p), self.interval(q))
            if found is None:
                raise ValueRangeError(f"whether {p} compares with {q} is not decided", fix="more digits")
            return found

        return np.asarray(self._each(one, a, b), dtype=bool)


def ends(interval: Any) -> tuple[Fraction, Fraction]:
    """The two ends of an interval as fractions, exactly. Raises `NonFiniteError` for an end at infinity."""
    if any(not end[1] and end[2] for end in interval._mpi_):  # mpmath's marks of infinities and NaN
        raise NonFiniteError(f"an interval without bound, {interval}", fix="more digits")
    low, high = (Fraction(*mpmath.libmp.to_rational(end)) for end in interval._mpi_)
    return low, high
