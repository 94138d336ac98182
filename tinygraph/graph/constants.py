"""Values of constants: exact numbers where possible, else an immutable array compared by content."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import KindError, UsageError, ValueRangeError
from ..shapes import Shape
from .node import Kind

Number = int | Fraction | float


class Array:
    """A read-only array that can be hashed and compared, so that equal constants are one."""

    __slots__ = ("_key", "data")

    def __init__(self, data: Any) -> None:
        self.data = np.array(data, order="C")
        self.data.flags.writeable = False
        self._key = (self.data.dtype.str, self.data.shape, self.data.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"array{self.data.shape}"


DTYPES: dict[Kind, type] = {"real": np.float64, "integer": np.int64, "boolean": np.bool_}


def exact(value: Any, kind: Kind) -> Number:
    """A Python number from a number: ints and ratios stay exact. Raises `UsageError`, `KindError`."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return _bounded(int(value), kind)
    if kind != "real":
        raise KindError(f"{value!r} is not {'an integer' if kind == 'integer' else 'a boolean'}")
    if isinstance(value, Fraction):
        _bounded(int(value), kind)
        return int(value) if value.denominator == 1 else value
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < 2**53 and str(number) != "-0.0" else number
    raise UsageError(f"{value!r:.60} is not a number")


def _bounded(value: int, kind: Kind) -> int:
    """The number, if a run can hold it."""
    largest = 2**63 - 1 if kind == "integer" else 10**300
    if abs(value) > largest:
        raise ValueRangeError(f"a constant of {len(str(abs(value)))} digits is too large for a run")
    return value


def as_constant(value: Any, kind: Kind) -> tuple[Number | Array, Shape]:
    """The stored value and the shape. A single number is stored exactly, anything else as an array."""
    if isinstance(value, (int, float, Fraction, np.number, np.bool_)) and not isinstance(value, np.complexfloating):
        return exact(value, kind), ()
    try:
        data = np.asarray(value)
    except ValueError:
        raise UsageError("a constant's rows have different lengths", [f"{value!r:.80}"]) from None
    if data.dtype.kind not in "fiub":
        raise KindError(f"a constant is made of numbers, not of {data.dtype}", [f"{value!r:.80}"])
    if kind == "integer" and data.dtype.kind not in "iu":
        raise KindError(f"an integer constant cannot hold {data.dtype}", fix="round it first, or leave out kind=")
    if kind == "boolean" and data.dtype.kind != "b":
        raise KindError(f"a boolean constant cannot hold {data.dtype}", fix="compare first: array > 0")
    return Array(data.astype(DTYPES[kind])), data.shape
