"""A row that says when a value is computed: whoever runs the graph may take its nodes in any order but this."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.letters import IDENTITY
from ..graph.node import Node
from ..graph.op import Example, define


def _as_first(batched: Sequence[bool]) -> bool:
    return batched[0]


after = define(
    "after",
    "after(x, y): the value of x, to be used once y is computed; the gradient passes to x alone.",
    arity=2,
    shape=lambda x, y: x.shape,
    run=lambda xp, node, x, y: x,
    vjp=(lambda g, node, x, y: g, None),
    words=(lambda node, x, y: IDENTITY, None),
    takes=("any", "real"),
    gives="same",
    batching=_as_first,
    examples=tuple(Example(shapes) for shapes in (((3,), ()), ((), (3,)), ((3,), (3,)), ((0,), (3,)), ((2, 3), (4,)))),
)


def after_all(x: Node, others: Sequence[Node]) -> Node:
    """The value of x, to be used once all others, which are real, are computed."""
    for other in others:
        x = after.apply(x.graph, (x, other))
    return x
