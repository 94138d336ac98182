"""Rows that cross the batch: its sum and mean, and the spread of one value to every example."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.letters import IDENTITY
from ..graph.node import Node
from ..graph.op import PREFIX, Example, Form, Op, define
from .arithmetic import elementwise
from .leaves import batch_size


def _never(_: Sequence[bool]) -> bool:
    return False


def _always(_: Sequence[bool]) -> bool:
    return True


_EXAMPLES = tuple(Example((shape,)) for shape in ((), (1,), (3,), (0,), (3, 3), (2, 1)))

sum_batch = define(
    "sum_batch",
    "Sum over the examples of the batch.",
    shape=elementwise,
    run=lambda xp, y, x: xp.sum_axis(x, 0) if x.ndim > y.ndim else x,
    vjp=(lambda g, y, x: spread(g) if x.batched else g,),
    why_no_words="it crosses the batch, and words are of one example",
    batching=_never,
    latex=Form(r"\sum_{{b}} {0}", PREFIX),
    examples=_EXAMPLES,
)
mean_batch = define(
    "mean_batch",
    "Mean over the examples of the batch.",
    shape=elementwise,
    run=lambda xp, y, x: xp.divide(xp.sum_axis(x, 0), xp.full((), xp.batch or 1, "real")) if x.ndim > y.ndim else x,
    vjp=(lambda g, y, x: spread(g / batch_size.apply(y.graph, ())) if x.batched else g,),
    why_no_words="it crosses the batch, and words are of one example",
    batching=_never,
    latex=Form(r"\frac{{1}}{{B}} \sum_{{b}} {0}", PREFIX),
    examples=_EXAMPLES,
)
spread: Op = define(
    "spread",
    "The same value for every example of the batch: the adjoint of a batch sum.",
    shape=elementwise,
    run=lambda xp, y, x: x if xp.batch is None or x.ndim > y.ndim else xp.broadcast_to(x, (xp.batch, *x.shape)),
    vjp=(lambda g, y, x: g,),
    words=(lambda y, x: IDENTITY,),
    takes="any",
    gives="same",
    batching=_always,
    intern=True,
    text=Form("{0}"),
    latex=Form("{0}"),
    examples=_EXAMPLES,
)


def zeros_like(node: Node) -> Node:
    """Zeros of the node's shape, batched if it is."""
    zeros = node.graph.constant("", zeros=node.shape)
    return spread(zeros) if node.batched else zeros
