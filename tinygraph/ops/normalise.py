"""Softmax and what follows from it, without overflow for large scores."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError
from ..graph.letters import Ones, Words, compose, diagonal, letter, total
from ..graph.node import Node
from ..graph.op import Example, Form, Limits, define
from ..shapes import Shape, axes_of
from .index import one_hot
from .nonlinear import exp
from .reduce import REDUCTIONS, expanded, reduced_not_empty, reduction_attributes
from .reduce import sum as sum_entries
from .structure import reshape


def _axes(x: Node, axis: Any = -1) -> dict[str, Any]:
    return {"axis": axes_of(axis, x.ndim)}


def _same_not_empty(x: Node, *, axis: tuple[int, ...]) -> Shape:
    if prod(x.shape[a] for a in axis) == 0:
        raise ShapeError(f"no entry along axes {axis} of shape {x.shape}")
    return x.shape


_EXAMPLES = (
    *(Example((shape,)) for shape in ((1,), (3,), (5,), (3, 3), (2, 3), (0, 3), (2, 1))),
    *(Example((shape,), {"axis": 0}) for shape in ((3,), (3, 3), (2, 3), (3, 0))),
    Example(((2, 3, 2),), {"axis": 1}),
    Example(((2, 3),), {"axis": None}),
)


def _softmax_words(y: Node, x: Node) -> Words:
    """diag(y) - y y^T, with y y^T = diag(y) 1 1^T diag(y)."""
    n, p = y.shape[0], diagonal(y)
    return total(p, compose({(): -1}, p, letter(Ones(n, 1)), letter(Ones(1, n)), p))


softmax = define(
    "softmax",
    "exp(x) / sum(exp(x)) along the last axis, or the axes given (None: all).",
    attrs=_axes,
    shape=_same_not_empty,
    run=lambda xp, y, x: xp.softmax(x, y.attrs["axis"]),
    vjp=(lambda g, y, x: y * (g - sum_entries(g * y, y.attrs["axis"], True)),),
    words=(_softmax_words,),
    limits=Limits(0, 1),
    latex=Form(r"\operatorname{{softmax}}({0})"),
    examples=_EXAMPLES,
)
log_softmax = define(
    "log_softmax",
    "log of the softmax along the last axis, or the axes given (None: all).",
    attrs=_axes,
    shape=_same_not_empty,
    run=lambda xp, y, x: xp.log_softmax(x, y.attrs["axis"]),
    vjp=(lambda g, y, x: g - exp(y) * sum_entries(g, y.attrs["axis"], True),),
    why_no_words="its derivative needs exp to undo a log, which the finite field does not know",
    latex=Form(r"\operatorname{{log\,softmax}}({0})"),
    examples=_EXAMPLES,
)
logsumexp = define(
    "logsumexp",
    "log of the sum of exponentials over axes of one example, without overflow.",
    attrs=reduction_attributes,
    shape=reduced_not_empty,
    run=lambda xp, y, x: xp.logsumexp(x, y.attrs["axis"], y.attrs["keepdims"]),
    vjp=(lambda g, y, x: expanded(g, y, x) * softmax(x, y.attrs["axis"]),),
    why_no_words="its derivative needs exp to undo a log, which the finite field does not know",
    latex=Form(r"\operatorname{{logsumexp}}({0})"),
    examples=REDUCTIONS,
)


def _cross_entropy_shape(scores: Node, target: Node) -> Shape:
    if scores.ndim == 0 or scores.shape[:-1] != target.shape:
        raise ShapeError(
            f"scores {scores.shape} and targets {target.shape} do not fit",
            fix="scores (..., V) go with integer targets (...): one class per row, not a one-hot vector",
        )
    if scores.shape[-1] == 0:
        raise ShapeError("there are no classes")
    return target.shape


def _cross_entropy(xp: Any, y: Node, scores: Any, target: Any) -> Any:
    classes = y.args[0].shape[-1]
    return xp.negative(xp.pick(xp.log_softmax(scores, (-1,)), xp.checked_index(target, classes)))


def _cross_entropy_vjp(g: Node, y: Node, scores: Node, target: Node) -> Node:
    return reshape(g, (*g.shape, 1)) * (softmax(scores) - one_hot(target, scores.shape[-1]))


cross_entropy = define(
    "cross_entropy",
    "-log softmax(scores)[target] for scores (..., V) before the softmax and integer targets (...).",
    arity=2,
    shape=_cross_entropy_shape,
    run=_cross_entropy,
    vjp=(_cross_entropy_vjp, None),
    takes=("real", "integer"),
    why_no_words="its derivative is the softmax of its scores, which no node has",
    latex=Form(r"\operatorname{{CE}}({0}, {1})"),
    examples=tuple(
        Example(shapes)
        for shapes in (
            ((3,), ()),
            ((1,), ()),
            ((5,), ()),
            ((3, 3), (3,)),
            ((2, 3), (2,)),
            ((0, 3), (0,)),
            ((2, 2, 3), (2, 2)),
        )
    ),
)
