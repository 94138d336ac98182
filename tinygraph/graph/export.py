"""Export to networkx, for its algorithms (paths, dominators, isomorphism)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .node import Node


def to_networkx(nodes: Iterable[Node]) -> Any:
    """A `networkx.MultiDiGraph` of `nodes`: node ids, edges from operand to user with the operand's place.

    Node attributes: name, op, shape, batched, kind, step, scope, label, backward.
    """
    import networkx  # takes 0.1 s to import

    graph = networkx.MultiDiGraph()
    for node in nodes:
        where = node.where
        graph.add_node(
            node.id, name=node.name, op=node.op.name, shape=node.shape, batched=node.batched, kind=node.kind,
            step=where.step, scope=where.scope, label=where.label, backward=where.backward,
        )  # fmt: skip
        for place, arg in enumerate(node.args):
            graph.add_edge(arg.id, node.id, place=place)
    return graph
