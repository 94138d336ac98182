"""Reductions over axes of one example: sum, mean, max, argmax. (For the batch see `batch`.)"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

from ..errors import ShapeError, expect
from ..graph.letters import IDENTITY, Ones, Words, letter
from ..graph.node import Node
from ..graph.op import Domain, Example, Form, define
from ..shapes import Shape, axes_of, axis_of, reduced
from .choice import equal, real
from .structure import broadcast_to, reshape


def reduction_attributes(x: Node, axis: Any = None, keepdims: bool = False) -> dict[str, Any]:
    expect(keepdims, (bool, int), "keepdims is true or false")
    return {"axis": axes_of(axis, x.ndim), "keepdims": bool(keepdims)}


def _reduced(x: Node, *, axis: tuple[int, ...], keepdims: bool) -> Shape:
    return reduced(x.shape, axis, keepdims)


def reduced_not_empty(x: Node, *, axis: tuple[int, ...], keepdims: bool) -> Shape:
    if prod(x.shape[a] for a in axis) == 0:
        raise ShapeError(f"nothing to reduce: shape {x.shape} has no entries along axes {axis}")
    return reduced(x.shape, axis, keepdims)


def expanded(value: Node, y: Node, x: Node) -> Node:
    """A value of the reduced shape with the reduced axes back as size 1 (a scalar broadcasts as it is)."""
    kept = reduced(x.shape, y.attrs["axis"], True)
    return value if value.shape in ((), kept) else reshape(value, kept)


def _count(y: Node, x: Node) -> int:
    return prod(x.shape[a] for a in y.attrs["axis"])


def _sum_words(x: Node) -> Words:
    """Of a vector: a row of ones. The sum of a scalar is itself."""
    return letter(Ones(1, x.shape[0])) if x.ndim else dict(IDENTITY)


def _max_vjp(g: Node, y: Node, x: Node) -> Node:
    hit = real(equal(x, expanded(y, y, x)))
    return expanded(g, y, x) * hit / sum(hit, y.attrs["axis"], True)


_SHAPES: tuple[tuple[Shape, Any], ...] = (
    ((), None), ((1,), None), ((3,), None), ((3,), 0), ((3, 3), None), ((3, 3), 0), ((3, 3), 1), ((2, 3), (0, 1)),
    ((1, 3), -1), ((2, 3, 2), (0, 2)),
)  # fmt: skip
REDUCTIONS = tuple(
    Example((shape,), {"axis": axis, "keepdims": keep}) for shape, axis in _SHAPES for keep in (False, True)
)

sum = define(
    "sum",
    "Sum over axes of one example (all axes without `axis`).",
    attrs=reduction_attributes,
    shape=_reduced,
    run=lambda xp, y, x: xp.sum(x, y.attrs["axis"], y.attrs["keepdims"]),
    vjp=(lambda g, y, x: broadcast_to(expanded(g, y, x), x.shape),),
    words=(lambda y, x: _sum_words(x),),
    latex=Form(r"\operatorname{{sum}}({0})"),
    examples=(*REDUCTIONS, Example(((0,),)), Example(((0, 3),), {"axis": 0})),
)
mean = define(
    "mean",
    "Mean over axes of one example (all axes without `axis`).",
    attrs=reduction_attributes,
    shape=reduced_not_empty,
    run=lambda xp, y, x: xp.divide(
        xp.sum(x, y.attrs["axis"], y.attrs["keepdims"]), xp.full((), _count(y, y.args[0]), "real")
    ),
    vjp=(lambda g, y, x: broadcast_to(expanded(g / _count(y, x), y, x), x.shape),),
    words=(lambda y, x: {word: Fraction(1, _count(y, x)) for word in _sum_words(x)},),
    latex=Form(r"\operatorname{{mean}}({0})"),
    examples=REDUCTIONS,
)
max = define(
    "max",
    "Maximum over axes of one example; entries that tie share the derivative equally.",
    attrs=reduction_attributes,
    shape=reduced_not_empty,
    run=lambda xp, y, x: xp.max(x, y.attrs["axis"], y.attrs["keepdims"]),
    vjp=(_max_vjp,),
    why_no_words="its derivative depends on which entry is the largest",
    latex=Form(r"\max({0})"),
    domain=Domain(distinct=True),
    examples=REDUCTIONS,
)


def _argmax_shape(x: Node, *, axis: int) -> Shape:
    if x.shape[axis] == 0:
        raise ShapeError(f"no entry along axis {axis} of shape {x.shape}")
    return reduced(x.shape, (axis,), False)


argmax = define(
    "argmax",
    "Index of the first maximum along one axis: an integer.",
    attrs=lambda x, axis=-1: {"axis": axis_of(axis, x.ndim)},
    shape=_argmax_shape,
    run=lambda xp, y, x: xp.argmax(x, y.attrs["axis"]),
    gives="integer",
    latex=Form(r"\operatorname{{argmax}}({0})"),
    examples=(Example(((3,),)), Example(((3, 3),)), Example(((2, 3),), {"axis": 0})),
)
