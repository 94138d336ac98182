"""Arrays of SymPy expressions: the same graph, evaluated to formulas (for small sizes).

Conditions on free symbols cannot be decided, so comparisons become `Piecewise` where SymPy needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import sympy

from ..errors import FeedError
from ..graph.node import Kind
from .arrays import NumpyArrays, Value


def _each(function: Callable[..., Any], operands: int = 1) -> Callable[..., Any]:
    """`function` applied entry by entry; the result is always an object array, also of rank 0."""
    ufunc = np.frompyfunc(function, operands, 1)
    return lambda *values: np.asarray(ufunc(*values), dtype=object)


def _exact(value: Any) -> Any:
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return sympy.Integer(int(value))
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, (int, float, complex, sympy.Basic)):  # sympify would execute a string
        raise FeedError(f"{plain!r:.60} is neither a number nor a SymPy expression")
    return sympy.sympify(plain)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + sympy.exp(-x))


def _where(condition: Any, a: Any, b: Any) -> Any:
    if condition in (True, sympy.true):
        return a
    if condition in (False, sympy.false):
        return b
    return sympy.Piecewise((a, condition), (b, True))


class SymbolicArrays(NumpyArrays):
    """Object arrays whose real entries are SymPy expressions; integers and plain booleans stay NumPy's."""

    def __init__(self, dtype: Any, batch: int | None = None) -> None:
        super().__init__(np.float64, batch)
        self.dtypes["real"] = np.dtype(object)

    def array(self, data: Any, kind: Kind) -> Value:
        if kind != "real":
            return super().array(data, kind)
        return _each(_exact)(np.asarray(data, dtype=object))

    def full(self, shape: tuple[int, ...], value: int | float | Fraction, kind: Kind) -> Value:
        if kind != "real":
            return super().full(shape, value, kind)
        out = np.empty(shape, dtype=object)
        out.fill(_exact(value))
        return out

    def real(self, x: Value) -> Value:
        return _each(lambda v: _where(v, sympy.Integer(1), sympy.Integer(0)) if _logical(v) else _exact(v))(x)

    def one_hot(self, index: Value, size: int, axis: int) -> Value:
        eye = self.array(np.eye(size), "real")
        return np.moveaxis(eye[index], -1, axis)

    def power(self, x: Value, exponent: int | float | Fraction) -> Value:
        return _each(lambda v: v ** _exact(exponent))(x)

    tanh = staticmethod(_each(sympy.tanh))
    exp = staticmethod(_each(sympy.exp))
    log = staticmethod(_each(sympy.log))
    sqrt = staticmethod(_each(sympy.sqrt))
    sin = staticmethod(_each(sympy.sin))
    cos = staticmethod(_each(sympy.cos))
    sigmoid = staticmethod(_each(_sigmoid))
    softplus = staticmethod(_each(lambda x: sympy.log(1 + sympy.exp(x))))
    relu = staticmethod(_each(lambda x: sympy.Max(x, 0)))
    step = staticmethod(_each(lambda x: _where(x > 0, sympy.Integer(1), sympy.Integer(0))))
    where = staticmethod(_each(_where, 3))
    greater = staticmethod(_each(lambda a, b: a > b, 2))
    greater_equal = staticmethod(_each(lambda a, b: a >= b, 2))
    less = staticmethod(_each(lambda a, b: a < b, 2))
    less_equal = staticmethod(_each(lambda a, b: a <= b, 2))
    equal = staticmethod(_each(lambda a, b: sympy.Eq(a, b), 2))

    def max(self, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
        axes = tuple(axes)
        kept = tuple(1 if a in axes else n for a, n in zip(range(-x.ndim, 0), x.shape, strict=True))
        rest = [a for a in range(-x.ndim, 0) if a not in axes]
        rows = np.transpose(x, [x.ndim + a for a in (*rest, *axes)])
        rows = rows.reshape(prod(x.shape[a] for a in rest), prod(x.shape[a] for a in axes))
        out = np.empty(len(rows), dtype=object)
        for i, row in enumerate(rows):
            out[i] = sympy.Max(*row)
        out = out.reshape(kept)
        return out if keepdims else np.squeeze(out, axis=axes)

    def argmax(self, x: Value, axis: int) -> Value:
        return np.argmax(np.asarray(x, dtype=float), axis=axis)

    def shift(self, x: Value, axes: Sequence[int]) -> Value:
        return 0

    def finite(self, x: Value) -> bool:
        bad = (sympy.nan, sympy.oo, -sympy.oo, sympy.zoo)
        return not any(v in bad for v in np.ravel(x))


def _logical(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_, sympy.logic.boolalg.Boolean))
