"""Rows that move entries without computing: slices, joins, shapes, and undoing a broadcast."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..errors import ShapeError, UsageError, expect
from ..graph.letters import IDENTITY, Ones, Selection, Words, letter
from ..graph.node import Node
from ..graph.op import ATOM, Example, Form, Op, define
from ..shapes import Shape, as_shape, axis_of, broadcast


def lead(value: Any, node: Node) -> tuple[int, ...]:
    """The batch axis of a value, as a shape: (B,) or ()."""
    shape: tuple[int, ...] = value.shape
    return shape[: len(shape) - node.ndim]


def _same_batch(xp: Any, y: Node, values: Sequence[Any]) -> list[Any]:
    """All values with the same leading batch axis."""
    front = max((lead(v, a) for v, a in zip(values, y.args, strict=True)), key=len)
    return [xp.broadcast_to(v, front + a.shape) for v, a in zip(values, y.args, strict=True)]


# Slices, and their adjoint. An index is one entry an axis: a whole number, or (start, stop, step).
def _index(x: Node, index: Any) -> dict[str, Any]:
    items = builtins.list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [i for i in items if i is Ellipsis]:
        at = next(k for k, i in enumerate(items) if i is Ellipsis)
        items[at : at + 1] = [builtins.slice(None)] * (x.ndim - len(items) + 1)
    if len(items) > x.ndim:
        raise ShapeError(f"{len(items)} indices for a value of shape {x.shape}", fix="the batch axis is not indexed")
    items += [builtins.slice(None)] * (x.ndim - len(items))
    return {"index": tuple(_entry(item, n) for item, n in zip(items, x.shape, strict=True))}


def _entry(item: Any, n: int) -> Any:
    if isinstance(item, tuple) and len(item) == 3:
        item = builtins.slice(*item)
    if isinstance(item, builtins.slice):
        try:
            start, stop, step = item.indices(n)
        except (TypeError, ValueError):
            raise UsageError(f"slice bounds must be whole numbers, and the step not 0: {item}") from None
        if step < 0:
            raise UsageError(f"slices run forward: {item}", fix="tg.stack([x[i] for i in reversed(range(n))])")
        return (start, max(start, stop), step)
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        if not -n <= item < n:
            raise ShapeError(f"index {item} is out of range for an axis of size {n}")
        return int(item) % n
    fix = "tg.reshape adds axes" if item is None else "tg.gather takes integer nodes, tg.where chooses by a condition"
    raise UsageError(f"index {item!r:.60} is neither a whole number nor a slice", fix=fix)


def _rows(index: Sequence[Any]) -> tuple[int, ...]:
    """The places that an index of a vector names."""
    (entry,) = index
    return tuple(range(*entry)) if isinstance(entry, tuple) else (entry,)


def _getter(index: Sequence[Any]) -> tuple[Any, ...]:
    return (Ellipsis, *(builtins.slice(*i) if isinstance(i, tuple) else i for i in index))


def _slice_shape(x: Node, *, index: tuple[Any, ...]) -> Shape:
    return tuple(len(range(*i)) for i in index if isinstance(i, tuple))


def _index_text(index: Sequence[Any]) -> str:
    parts = [
        str(i) if not isinstance(i, tuple) else f"{i[0]}:{i[1]}" + (f":{i[2]}" if i[2] != 1 else "") for i in index
    ]
    return ", ".join(parts)


def _place_attrs(x: Node, *, index: Any, shape: Any) -> dict[str, Any]:
    full = as_shape(shape)
    if not isinstance(index, tuple) or len(index) != len(full):
        raise ShapeError(f"index {index!r} does not fit shape {full}", fix="one entry for each axis")
    entries = tuple(_entry(item, n) for item, n in zip(index, full, strict=True))
    if _slice_shape(x, index=entries) != x.shape:
        raise ShapeError(f"a value of shape {x.shape} does not fill index {index!r} of shape {full}")
    return {"index": entries, "shape": full}


slice = define(
    "slice",
    "Part of a value: x[i], x[1:3], x[:, 0]; per-example axes only.",
    attrs=_index,
    shape=_slice_shape,
    run=lambda xp, y, x: x[_getter(y.attrs["index"])],
    vjp=(lambda g, y, x: place(g, index=y.attrs["index"], shape=x.shape),),
    words=(lambda y, x: letter(Selection(_rows(y.attrs["index"]), x.shape[0])),),
    takes="any",
    gives="same",
    text=Form(lambda node, operands: f"{operands[0]}[{_index_text(node.attrs['index'])}]", ATOM, inner=ATOM),
    latex=Form(lambda node, operands: f"{{{operands[0]}}}_{{[{_index_text(node.attrs['index'])}]}}", ATOM, inner=ATOM),
    examples=tuple(
        Example((shape,), {"index": index})
        for shape, index in (
            ((4,), 0),
            ((4,), -1),
            ((1,), 0),
            ((5,), np.s_[1:3]),
            ((5,), np.s_[::2]),
            ((5,), np.s_[3:3]),
            ((0,), np.s_[:]),
            ((3, 3), 1),
            ((3, 4), np.s_[:, 2]),
            ((3, 4), np.s_[1:, :2]),
            ((2, 3, 4), np.s_[0, ..., 1]),
            ((3, 3), np.s_[2, 0]),
        )
    ),
)
place: Op = define(
    "place",
    "The adjoint of a slice: x put into a value of zeros of the given shape, at index.",
    attrs=_place_attrs,
    shape=lambda x, *, index, shape: shape,
    run=lambda xp, y, x: xp.place(x, _getter(y.attrs["index"]), lead(x, y.args[0]) + y.shape),
    vjp=(lambda g, y, x: slice(g, tuple(builtins.slice(*i) if isinstance(i, tuple) else i for i in y.attrs["index"])),),
    words=(lambda y, x: letter(Selection(_rows(y.attrs["index"]), y.shape[0], True)),),
    examples=tuple(
        Example((shape,), {"index": index, "shape": full})
        for shape, index, full in (
            ((), (0,), (4,)),
            ((2,), ((1, 3, 1),), (5,)),
            ((3,), ((0, 5, 2),), (5,)),
            ((0,), ((3, 3, 1),), (5,)),
            ((3,), (1, (0, 3, 1)), (3, 3)),
            ((2, 2), ((1, 3, 1), (0, 2, 1)), (3, 4)),
        )
    ),
)


# Joins
def _axis_of_first(*nodes: Node, extra: int) -> Any:
    rank = nodes[0].ndim + extra
    if rank == 0:
        raise ShapeError("scalars cannot be concatenated", fix="tg.stack makes a vector of scalars")
    return lambda axis: axis_of(axis, rank)


def _concatenate_shape(*nodes: Node, axis: int) -> Shape:
    first = nodes[0].shape
    for node in nodes[1:]:
        if node.ndim != len(first) or any(node.shape[a] != first[a] for a in range(-len(first), 0) if a != axis):
            raise ShapeError(f"shapes {first} and {node.shape} do not join along axis {axis}")
    joined = builtins.sum(node.shape[axis] for node in nodes)
    return tuple(joined if a == axis else first[a] for a in range(-len(first), 0))


def _concatenate_vjp(i: int, g: Node, y: Node, *nodes: Node) -> Node:
    axis = y.attrs["axis"]
    start = builtins.sum(node.shape[axis] for node in nodes[:i])
    index = [builtins.slice(None)] * y.ndim
    index[axis] = builtins.slice(start, start + nodes[i].shape[axis])
    return slice(g, tuple(index))


def _concatenate_words(i: int, y: Node, *nodes: Node) -> Words:
    start = builtins.sum(node.shape[0] for node in nodes[:i])
    return letter(Selection(tuple(range(start, start + nodes[i].shape[0])), y.shape[0], True))


concatenate = define(
    "concatenate",
    "Values joined along an axis that they have: concatenate([a, b], axis=0).",
    arity=None,
    attrs=lambda *nodes, axis=0: {"axis": _axis_of_first(*nodes, extra=0)(axis)},
    shape=_concatenate_shape,
    run=lambda xp, y, *values: xp.concatenate(_same_batch(xp, y, values), y.attrs["axis"]),
    vjp=_concatenate_vjp,
    words=_concatenate_words,
    takes="any",
    gives="same",
    text=Form(lambda node, operands: f"[{'; '.join(operands)}]"),
    latex=Form(lambda node, operands: f"[{'; '.join(operands)}]"),
    examples=(
        *(Example(shapes) for shapes in (((2,), (3,)), ((3,), (3,)), ((0,), (3,)), ((1,), (1,)), ((2, 3), (1, 3)))),
        Example(((2,), (3,), (1,))),
        Example(((3, 3), (3, 3)), {"axis": 1}),
        Example(((2, 1), (2, 2)), {"axis": -1}),
    ),
)


def _stack_shape(*nodes: Node, axis: int) -> Shape:
    first = nodes[0].shape
    for node in nodes[1:]:
        if node.shape != first:
            raise ShapeError(f"values of different shapes cannot be stacked: {first} and {node.shape}")
    at = len(first) + 1 + axis
    return (*first[:at], len(nodes), *first[at:])


def _stack_vjp(i: int, g: Node, y: Node, *nodes: Node) -> Node:
    index: builtins.list[Any] = [builtins.slice(None)] * y.ndim
    index[y.attrs["axis"]] = i
    return slice(g, tuple(index))


stack = define(
    "stack",
    "Values of one shape joined along a new axis: stack([a, b], axis=0).",
    arity=None,
    attrs=lambda *nodes, axis=0: {"axis": _axis_of_first(*nodes, extra=1)(axis)},
    shape=_stack_shape,
    run=lambda xp, y, *values: xp.stack(_same_batch(xp, y, values), y.attrs["axis"]),
    vjp=_stack_vjp,
    words=lambda i, y, *nodes: letter(Selection((i,), len(nodes), True)),
    takes="any",
    gives="same",
    examples=(
        *(Example((shape, shape)) for shape in ((), (3,), (1,), (0,), (2, 3))),
        Example(((3,), (3,), (3,)), {"axis": 1}),
        Example(((3, 3), (3, 3)), {"axis": 1}),
        Example(((3, 2), (3, 2)), {"axis": -1}),
    ),
)


# Shapes
def _new_shape(x: Node, shape: Any) -> dict[str, Any]:
    sizes = builtins.list(shape) if isinstance(shape, (tuple, builtins.list)) else [shape]
    expect(shape, (int, np.integer, tuple, builtins.list), "a shape is a tuple of sizes")
    if sizes.count(-1) > 1:
        raise ShapeError(f"only one size of {shape} can be -1")
    if sizes.count(-1) == 1:
        rest = prod(as_shape([s for s in sizes if s != -1]))
        sizes[sizes.index(-1)] = prod(x.shape) // rest if rest else 0
    new = as_shape(sizes)
    if prod(new) != prod(x.shape):
        raise ShapeError(f"{x.shape} has {prod(x.shape)} entries and cannot become {shape}")
    return {"shape": new}


reshape: Op = define(
    "reshape",
    "The entries of one example in another shape, in row-major order; one size may be -1.",
    attrs=_new_shape,
    shape=lambda x, *, shape: shape,
    run=lambda xp, y, x: xp.reshape(x, lead(x, y.args[0]) + y.shape),
    vjp=(lambda g, y, x: reshape(g, x.shape),),
    words=(lambda y, x: IDENTITY,),
    takes="any",
    gives="same",
    examples=tuple(
        Example((shape,), {"shape": new})
        for shape, new in (
            ((), (1,)),
            ((1,), ()),
            ((6,), (2, 3)),
            ((2, 3), (6,)),
            ((3, 3), (9,)),
            ((0, 3), (0,)),
            ((2, 3), (3, -1)),
        )
    ),
)


def _wider(x: Node, shape: Any) -> dict[str, Any]:
    wide = as_shape(shape)
    if broadcast(x.shape, wide) != wide:
        raise ShapeError(f"{x.shape} does not broadcast to {wide}")
    return {"shape": wide}


def _narrower(x: Node, shape: Any) -> dict[str, Any]:
    narrow = as_shape(shape)
    if broadcast(x.shape, narrow) != x.shape:
        raise ShapeError(f"{x.shape} does not sum to {narrow}")
    return {"shape": narrow}


def _aligned(xp: Any, x: Any, y: Node) -> Any:
    """x with axes of size 1 behind the batch axis, up to the rank of y."""
    missing = y.ndim - y.args[0].ndim
    return xp.reshape(x, lead(x, y.args[0]) + (1,) * missing + y.args[0].shape) if missing else x


def _sum_to(xp: Any, y: Node, x: Any) -> Any:
    wide, narrow = y.args[0].shape, (1,) * (y.args[0].ndim - y.ndim) + y.shape
    axes = tuple(k - len(wide) for k in range(len(wide)) if narrow[k] == 1 and wide[k] != 1)
    return xp.reshape(xp.sum(x, axes, True), lead(x, y.args[0]) + y.shape)


def _repeat_words(x: Node, y: Node) -> Words:
    """Nothing where the size stays, else one number repeated."""
    return dict(IDENTITY) if prod(x.shape) == prod(y.shape) else letter(Ones(y.shape[0], 1))


broadcast_to = define(
    "broadcast_to",
    "The value repeated to a wider shape, aligned at the last axis.",
    attrs=_wider,
    shape=lambda x, *, shape: shape,
    run=lambda xp, y, x: xp.broadcast_to(_aligned(xp, x, y), lead(x, y.args[0]) + y.shape),
    vjp=(lambda g, y, x: sum_to(g, x.shape),),
    words=(lambda y, x: _repeat_words(x, y),),
    latex=Form(r"\operatorname{{broadcast}}({0})"),
    examples=tuple(
        Example((shape,), {"shape": wide})
        for shape, wide in (((), (3,)), ((1,), (3,)), ((3,), (3, 3)), ((3, 1), (3, 2)), ((), (0,)), ((3,), (3,)))
    ),
)
sum_to: Op = define(
    "sum_to",
    "The adjoint of a broadcast: the sum over the axes that a narrower shape lacks or has as 1.",
    attrs=_narrower,
    shape=lambda x, *, shape: shape,
    run=_sum_to,
    vjp=(lambda g, y, x: broadcast_to(g, x.shape),),
    words=(lambda y, x: IDENTITY if prod(x.shape) == prod(y.shape) else letter(Ones(1, x.shape[0])),),
    latex=Form(r"\operatorname{{sum}}({0})"),
    examples=tuple(
        Example((wide,), {"shape": shape})
        for shape, wide in (((), (3,)), ((1,), (3,)), ((3,), (3, 3)), ((3, 1), (3, 2)), ((), (0,)), ((3,), (3,)))
    ),
)
