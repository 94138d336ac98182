"""Layer S: exact arithmetic modulo p = 2^61 - 1, forward derivatives included, for long unrolls.

A nonlinearity gives a random number of the field, the same for the same argument; only the rule of its
derivative is kept, such as y' = 1 - y^2. Two expressions that differ as polynomials then differ in value,
but for a probability of at most degree / p (Schwartz 1980, doi:10.1145/322217.322225).
Each number carries its derivative along one direction, by rules written here and nowhere else, so that
it stands against the matrix words and against the VJPs of the table alike.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import DifferentiationError
from ..execute.arrays import NumpyArrays, Value
from ..graph.node import Kind

P = 2**61 - 1


class Element:
    """A number of the field with its derivative `tangent`.

    `degree` and `rise` bound the degrees of the two as polynomials of what was drawn at random.
    """

    __slots__ = ("degree", "rise", "tangent", "value")

    def __init__(self, value: int, tangent: int = 0, degree: int = 0, rise: int = 0) -> None:
        self.value, self.tangent, self.degree, self.rise = value, tangent, degree, rise

    def __add__(self, other: Any) -> Element:
        o = element(other)
        return Element(
            (self.value + o.value) % P,
            (self.tangent + o.tangent) % P,
            max(self.degree, o.degree),
            max(self.rise, o.rise),
        )

    __radd__ = __add__

    def __neg__(self) -> Element:
        return Element(-self.value % P, -self.tangent % P, self.degree, self.rise)

    def __sub__(self, other: Any) -> Element:
        o = element(other)
        return self + (-o)

    def __rsub__(self, other: Any) -> Element:
        return element(other) - self

    def __mul__(self, other: Any) -> Element:
        o = element(other)
        return Element(
            self.value * o.value % P,
            (self.value * o.tangent + self.tangent * o.value) % P,
            self.degree + o.degree,
            max(self.degree + o.rise, self.rise + o.degree),
        )

    __rmul__ = __mul__

    def inverse(self) -> Element:
        """1 / x. Raises `DifferentiationError` at 0, which random numbers do not meet."""
        if not self.value:
            raise DifferentiationError("a division by 0 in the finite field")
        inverse = pow(self.value, -1, P)
        return Element(inverse, -self.tangent * inverse * inverse % P, self.degree, self.rise + 2 * self.degree)

    def __truediv__(self, other: Any) -> Element:
        return self * element(other).inverse()

    def __rtruediv__(self, other: Any) -> Element:
        return element(other) * self.inverse()

    def __pow__(self, exponent: int) -> Element:
        result, base = Element(1), self if exponent >= 0 else self.inverse()
        for _ in range(abs(exponent)):
            result = result * base
        return result

    def __eq__(self, other: object) -> bool:
        """Equal values; derivatives are compared by name."""
        return isinstance(other, (Element, int, Fraction)) and self.value == element(other).value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"{self.value} mod p"


def element(value: Any) -> Element:
    """A number as an element: whole numbers and ratios, and floats by their exact ratio."""
    if isinstance(value, Element):
        return value
    if isinstance(value, (int, np.integer, np.bool_)):
        return Element(int(value) % P)
    ratio = Fraction(value)
    return Element(ratio.numerator % P * pow(ratio.denominator, -1, P) % P)


def _each(function: Callable[..., Any], operands: int = 1) -> Callable[..., Any]:
    ufunc = np.frompyfunc(function, operands, 1)
    return lambda *values: np.asarray(ufunc(*values), dtype=object)


_LARGER = np.frompyfunc(lambda a, b: a if a.value >= b.value else b, 2, 1)

# The derivative of each nonlinearity at x, where its value is y: rule(field, x, y).
SLOPES: dict[str, Callable[[FieldArrays, Element, Element], Element]] = {
    "tanh": lambda field, x, y: 1 - y * y,
    "sigmoid": lambda field, x, y: y - y * y,
    "softplus": lambda field, x, y: field.value_at("sigmoid", x),
    "exp": lambda field, x, y: y,
    "log": lambda field, x, y: 1 / x,
    "sqrt": lambda field, x, y: 1 / (2 * y),
    "sin": lambda field, x, y: field.value_at("cos", x),
    "cos": lambda field, x, y: -field.value_at("sin", x),
}


class FieldArrays(NumpyArrays):
    """Object arrays of elements. An instance remembers the nonlinearities' values; use one for a whole comparison.

    Comparisons give random truth values, the same for the same numbers, since the field has no order.
    """

    def __init__(self, seed: int | np.random.Generator = 0) -> None:
        super().__init__(object)
        self.rng = np.random.default_rng(seed)
        self.known: dict[tuple[Any, ...], int] = {}
        self.degree = 0  # the largest degree of an argument

    def draw(self, shape: tuple[int, ...]) -> Value:
        """Random elements with random derivatives."""
        count = int(np.prod(shape))
        numbers = self.rng.integers(0, P, (count, 2))
        out = np.empty(count, dtype=object)
        out[:] = [Element(int(a), int(b), 1, 1) for a, b in numbers]
        return out.reshape(shape)

    def error_bound(self, degree: int) -> float:
        """The probability that polynomials of this degree agree by chance, or that two arguments did."""
        calls = len(self.known)
        return (degree + calls * (calls - 1) // 2 * self.degree) / P

    def smooth(self, name: str, x: Any) -> Element:
        """A nonlinearity at one element: random, but with the derivative's rule."""
        at = element(x)
        y = self.value_at(name, at)
        slope = SLOPES[name](self, Element(at.value, 0, at.degree), y)
        return Element(y.value, slope.value * at.tangent % P, 1, slope.degree + at.rise)

    def value_at(self, name: str, x: Element) -> Element:
        """The value alone, as a constant."""
        return Element(self._remembered((name, x.value), x, P), 0, 1)

    def _bit(self, name: str, *operands: Any) -> bool:
        given = [element(o) for o in operands]
        deepest = max(given, key=lambda e: e.degree)
        return bool(self._remembered((name, *(e.value for e in given)), deepest, 2))

    def _remembered(self, key: tuple[Any, ...], deepest: Element, below: int) -> int:
        if key not in self.known:
            self.degree = max(self.degree, deepest.degree)
            self.known[key] = int(self.rng.integers(0, below))
        return self.known[key]

    # The protocol
    def array(self, data: Any, kind: Kind) -> Value:
        return _each(element)(np.asarray(data, dtype=object)) if kind == "real" else super().array(data, kind)

    def full(self, shape: tuple[int, ...], value: int | float | Fraction, kind: Kind) -> Value:
        if kind != "real":
            return super().full(shape, value, kind)
        out = np.empty(shape, dtype=object)
        out.fill(element(value))
        return out

    def real(self, x: Value) -> Value:
        return self.array(x, "real")

    def one_hot(self, index: Value, size: int, axis: int) -> Value:
        return self.real(np.moveaxis(np.eye(size, dtype=int)[index], -1, axis))

    def power(self, x: Value, exponent: int | float | Fraction) -> Value:
        if not isinstance(exponent, int):
            raise DifferentiationError(f"the power {exponent} is no operation of a finite field")
        return _each(lambda e: element(e) ** exponent)(x)

    def relu(self, x: Value) -> Value:
        return x * self.step(x)

    def step(self, x: Value) -> Value:
        return self.real(_each(lambda e: self._bit("greater", e, 0))(x))

    def tanh(self, x: Value) -> Value:
        return _each(lambda e: self.smooth("tanh", e))(x)

    def sigmoid(self, x: Value) -> Value:
        return _each(lambda e: self.smooth("sigmoid", e))(x)

    def softplus(self, x: Value) -> Value:
        return _each(lambda e: self.smooth("softplus", e))(x)

    def exp(self, x: Value) -> Value:
        return _each(lambda e: self.smooth("exp", e))(x)

    def log(self, x: Value) -> Value:
        return _each(lambda e: self.smooth("log", e))(x)

    def sqrt(self, x: Value) -> Value:
        return _each(lambda e: self.smooth("sqrt", e))(x)

    def sin(self, x: Value) -> Value:
        return _each(lambda e: self.smooth("sin", e))(x)

    def cos(self, x: Value) -> Value:
        return _each(lambda e: self.smooth("cos", e))(x)

    def greater(self, a: Value, b: Value) -> Value:
        return np.asarray(_each(lambda x, y: self._bit("greater", x, y), 2)(a, b), dtype=bool)

    def less(self, a: Value, b: Value) -> Value:
        return self.greater(b, a)

    def greater_equal(self, a: Value, b: Value) -> Value:
        return ~self.greater(b, a)

    def less_equal(self, a: Value, b: Value) -> Value:
        return ~self.greater(a, b)

    def max(self, x: Value, axes: Any, keepdims: bool) -> Value:
        """The entry with the largest residue: a choice of one entry is all that a derivative knows of."""
        for axis in sorted((axis % np.ndim(x) for axis in axes), reverse=True):
            x = np.asarray(_LARGER.reduce(x, axis=axis, keepdims=keepdims), dtype=object)
        return x

    def argmax(self, x: Value, axis: int) -> Value:
        return np.argmax(np.asarray(np.frompyfunc(lambda e: element(e).value, 1, 1)(x), dtype=np.int64), axis=axis)

    def shift(self, x: Value, axes: Any) -> Value:
        return 0

    def finite(self, x: Value) -> bool:
        return True


def values(x: Value) -> list[int]:
    """The numbers of an array, in reading order."""
    return [element(e).value for e in np.ravel(x)]


def tangents(x: Value) -> list[int]:
    """The derivatives of an array's numbers, in reading order."""
    return [element(e).tangent for e in np.ravel(x)]


def without_tangents(x: Value) -> Value:
    """The same numbers as constants, for a derivative that is computed otherwise."""
    return _each(lambda e: Element(e.value, 0, e.degree))(x)


def tangent_array(x: Value) -> Value:
    """The derivatives as numbers of their own."""
    return _each(lambda e: Element(e.tangent, 0, e.rise))(x)
