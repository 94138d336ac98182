"""Integers as indices: rows of a table (embeddings), their adjoint, and one-hot vectors."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..graph.node import Node
from ..graph.op import ATOM, Example, Form, Op, define
from ..shapes import Shape, as_size, axis_of


def _gather_shape(table: Node, index: Node) -> Shape:
    if table.ndim == 0:
        raise ShapeError("a table needs at least one axis", fix="a table of N rows has shape (N, ...)")
    return index.shape + table.shape[1:]


def _gather(xp: Any, y: Node, table: Any, index: Any) -> Any:
    size = y.args[0].shape[0]
    batched_table = table.ndim > y.args[0].ndim
    return xp.gather(table, xp.checked_index(index, size), y.args[1].ndim, batched_table)


def _scatter_attrs(x: Node, index: Node, size: Any) -> dict[str, Any]:
    return {"size": as_size(size)}


def _scatter_shape(x: Node, index: Node, *, size: int) -> Shape:
    if x.shape[: index.ndim] != index.shape:
        raise ShapeError(f"rows {x.shape} do not begin with the shape of the index, {index.shape}")
    return (size, *x.shape[index.ndim :])


def _scatter(xp: Any, y: Node, x: Any, index: Any) -> Any:
    batch = max(x.shape[: x.ndim - y.args[0].ndim], index.shape[: index.ndim - y.args[1].ndim], key=len)
    x = xp.broadcast_to(x, batch + y.args[0].shape)
    index = xp.broadcast_to(xp.checked_index(index, y.attrs["size"]), batch + y.args[1].shape)
    return xp.scatter_add(x, index, len(batch), batch + y.shape)


gather = define(
    "gather",
    "Rows of a table (N, ...) by integers: gather(table, index) has shape index.shape + table.shape[1:].",
    arity=2,
    shape=_gather_shape,
    run=_gather,
    vjp=(lambda g, y, table, index: scatter_add(g, index, table.shape[0]), None),
    takes=("real", "integer"),
    why_no_words="which entries it takes depends on the data",
    text=Form("{0}[{1}]", ATOM, inner=ATOM),
    latex=Form("{{{0}}}_{{[{1}]}}", ATOM, inner=ATOM),
    examples=tuple(
        Example(shapes, {})
        for shapes in (
            ((3, 2), ()),
            ((3, 3), ()),
            ((3,), ()),
            ((4, 2), (3,)),
            ((3, 3), (3,)),
            ((1, 2), (2,)),
            ((3, 2), (0,)),
        )
    ),
)
scatter_add: Op = define(
    "scatter_add",
    "The adjoint of gather: rows of x added into zeros (size, ...) at the places index.",
    arity=2,
    attrs=_scatter_attrs,
    shape=_scatter_shape,
    run=_scatter,
    vjp=(lambda g, y, x, index: gather(g, index), None),
    takes=("real", "integer"),
    why_no_words="which entries it fills depends on the data",
    examples=tuple(
        Example(shapes, {"size": 3})
        for shapes in (((2,), ()), ((), ()), ((3, 2), (3,)), ((3, 3), (3,)), ((0, 2), (0,)), ((2, 2, 2), (2,)))
    ),
)


def _one_hot_attrs(index: Node, size: Any, axis: Any = -1) -> dict[str, Any]:
    return {"size": as_size(size), "axis": axis_of(axis, index.ndim + 1)}


def _one_hot_shape(index: Node, *, size: int, axis: int) -> Shape:
    at = index.ndim + 1 + axis
    return (*index.shape[:at], size, *index.shape[at:])


one_hot = define(
    "one_hot",
    "Integers as vectors of zeros with a 1 at the integer's place.",
    attrs=_one_hot_attrs,
    shape=_one_hot_shape,
    run=lambda xp, y, index: xp.one_hot(xp.checked_index(index, y.attrs["size"]), y.attrs["size"], y.attrs["axis"]),
    takes="integer",
    latex=Form(r"\mathbf{{e}}_{{{0}}}"),
    examples=(Example(((),), {"size": 3}), Example(((2,),), {"size": 3}), Example(((3,),), {"size": 3, "axis": 0})),
)
