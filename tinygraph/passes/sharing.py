"""Sharing of common subexpressions."""

from __future__ import annotations

from typing import Any

from ..graph.node import Node
from .rebuilding import Rewritten, rebuild


def share(roots: Any) -> Rewritten:
    """1 - z, ..., 1 - z -> one node, used twice: equal operation, operands and attributes are computed once.

    Labelled nodes stay apart, since a derivative by a label would otherwise hold other things fixed.
    """
    made: dict[Any, Node] = {}

    def first(node: Node, args: tuple[Node, ...]) -> Node | None:
        if node.label or not args:
            return None
        key = (node.op.name, args, tuple(sorted(node.attrs.items())))
        if key not in made:
            made[key] = node.op.apply(args[0].graph, args, node.attrs)
        return made[key]

    return rebuild(roots, first)
