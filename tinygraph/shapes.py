"""Per-example shapes: checking, broadcasting, axes.

A shape is a tuple of sizes for one example; the batch axis is never part of it.
Axes are kept negative (counted from the end), so that a leading batch axis never moves them.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from math import prod

from .errors import ShapeError

Shape = tuple[int, ...]


def as_size(value: object, what: str = "size") -> int:
    """`value` as a non-negative int. Raises `ShapeError` for anything else."""
    try:
        size = operator.index(value)  # type: ignore[arg-type]  # the check is the call itself
    except TypeError:
        raise ShapeError(f"a {what} must be a whole number, not {value!r}") from None
    if size < 0 or isinstance(value, bool):
        raise ShapeError(f"a {what} must be 0 or more, not {value!r}")
    return size


def as_shape(value: object) -> Shape:
    """A shape from a tuple or list of sizes, or from one size. Raises `ShapeError`."""
    if isinstance(value, (tuple, list)):
        return tuple(as_size(size) for size in value)
    if isinstance(value, str) or value is None:
        raise ShapeError(f"a shape is a tuple of sizes such as (4, 3), not {value!r}")
    return (as_size(value),)


def size(shape: Shape) -> int:
    """Number of entries."""
    return prod(shape)


def broadcast(*shapes: Shape) -> Shape:
    """The common shape of per-example shapes, aligned at the end. Raises `ShapeError`."""
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        wide = {s for s in sizes if s != 1}
        if len(wide) > 1:
            raise ShapeError(
                f"shapes {' and '.join(map(str, shapes))} do not broadcast",
                fix="sizes must be equal or 1, compared from the last axis; the batch axis is not counted",
            )
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def axis_of(axis: object, rank: int) -> int:
    """One axis, counted from the end: `axis_of(0, 2) == -2`. Raises `ShapeError`."""
    try:
        index = operator.index(axis)  # type: ignore[arg-type]  # the check is the call itself
    except TypeError:
        raise ShapeError(f"an axis must be a whole number, not {axis!r}") from None
    if not -rank <= index < rank:
        raise ShapeError(
            f"axis {index} is out of range for a value of rank {rank}",
            fix="axes are those of one example; the batch axis is not counted",
        )
    return index - rank if index >= 0 else index


def axes_of(axis: object, rank: int) -> tuple[int, ...]:
    """Axes counted from the end, ascending; `None` means all of them. Raises `ShapeError`."""
    if axis is None:
        return tuple(range(-rank, 0))
    if hasattr(axis, "tolist"):  # a NumPy array or number
        axis = axis.tolist()
    given: Sequence[object] = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = sorted(axis_of(a, rank) for a in given)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axis {axis!r} names an axis twice")
    return tuple(axes)


def reduced(shape: Shape, axes: Iterable[int], keepdims: bool) -> Shape:
    """The shape after a reduction over `axes` (negative)."""
    gone = {len(shape) + axis for axis in axes}
    if keepdims:
        return tuple(1 if i in gone else s for i, s in enumerate(shape))
    return tuple(s for i, s in enumerate(shape) if i not in gone)
