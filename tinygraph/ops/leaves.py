"""Rows without operands: inputs, parameters, constants, and the size of the batch.

The first three are made by the methods of `Graph`; executors bind inputs and parameters to feeds.
"""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import UsageError
from ..graph.constants import Array
from ..graph.node import Node
from ..graph.op import Form, define


def _made_by_graph(*_: object, **__: object) -> NoReturn:
    raise UsageError("inputs, parameters and constants are made by the graph", fix="graph.input(name, shape)")


def _constant(xp: Any, node: Node) -> Any:
    value = node.attrs["value"]
    return xp.array(value.data, node.kind) if isinstance(value, Array) else xp.full(node.shape, value, node.kind)


input = define(
    "input",
    "A value fed at each run.",
    arity=0,
    leaf=True,
    shape=_made_by_graph,
    run=_made_by_graph,
    pitfall="clean the data before feeding it",
)
parameter = define(
    "parameter",
    "A trained value, shared by all its uses.",
    arity=0,
    leaf=True,
    shape=_made_by_graph,
    run=_made_by_graph,
    pitfall="training has diverged, or the checkpoint is bad: lower the learning rate or clip gradients",
)
constant = define("constant", "A fixed value.", arity=0, leaf=True, shape=_made_by_graph, run=_constant)
batch_size = define(
    "batch_size",
    "The number of examples in the run, as a real scalar (1 in a run without a batch).",
    arity=0,
    shape=lambda: (),
    run=lambda xp, y: xp.full((), xp.batch or 1, "real"),
    latex=Form("B"),
    intern=True,
)
