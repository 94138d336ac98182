"""Exact isomorphism of two graphs with given roots: one walk that pairs the nodes, operand by operand."""

from __future__ import annotations

from collections.abc import Iterable

from tinygraph.graph import Node


def assert_isomorphic(roots: Iterable[Node], others: Iterable[Node]) -> int:
    """Each node has exactly one partner of equal operation, attributes, shape, batching and kind, and partners have
    partners as operands, in their order; parameters and inputs keep their names. Returns how many pairs there are.
    """
    partner: dict[Node, Node] = {}
    taken: dict[Node, Node] = {}
    pending = list(zip(roots, others, strict=True))
    while pending:
        a, b = pending.pop()
        if a in partner or b in taken:
            assert partner.get(a) is b, f"{a!r} has two partners, one is {b!r}"
            assert taken.get(b) is a, f"{b!r} has two partners, one is {a!r}"
            continue
        assert looks(a) == looks(b), f"{a!r} is not {b!r}"
        partner[a], taken[b] = b, a
        pending += zip(a.args, b.args, strict=True)
    return len(partner)


def looks(node: Node) -> tuple[object, ...]:
    """What a node is, apart from its operands and its provenance."""
    return node.op.name, dict(node.attrs), node.shape, node.batched, node.kind
