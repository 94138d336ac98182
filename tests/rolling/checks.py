"""What holds of every rolled net, checked from the nodes alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.isomorphism import assert_isomorphic, looks

import tinygraph as tg
from tinygraph.graph import cone
from tinygraph.nest import leaves
from tinygraph.rolling import Rolled


def check(roots: Any) -> Rolled:
    """Roll, and check everything; the rolled net."""
    rolled = tg.roll(roots)
    unrolled = rolled.unroll()
    size = assert_isomorphic(leaves(roots), leaves(unrolled))
    tg.validate(leaves(unrolled)[0].graph)
    assert size == len(cone(leaves(roots)))
    assert_partition(rolled)
    assert_reads(rolled)
    assert_components(rolled)
    assert_antichains(rolled)
    return rolled


def assert_partition(rolled: Rolled) -> None:
    """Each node is in one class, and the members of a class differ at most in what they read, or in their names."""
    nodes = [node for c in rolled.classes for node in c.members]
    assert sorted(node.id for node in nodes) == [node.id for node in cone(leaves(rolled.roots))]
    for c in rolled.classes:
        first = c.members[0]
        for place, node in enumerate(c.members):
            assert (node.op, node.shape, node.batched, node.kind) == (first.op, first.shape, first.batched, first.kind)
            assert first.op.leaf or looks(node) == looks(first)
            assert rolled.of(node) == (c, place)


def assert_reads(rolled: Rolled) -> None:
    """Each operand of each member is in exactly one pattern, which leads to it."""
    for c in rolled.classes:
        found = {}
        for read in c.reads:
            for member, slot, place in read:
                assert (member, slot) not in found
                found[member, slot] = rolled.classes[read.source].members[place]
        assert found == {(i, j): arg for i, node in enumerate(c.members) for j, arg in enumerate(node.args)}


def assert_components(rolled: Rolled) -> None:
    """Components come after what they read, on higher levels; a class alone that reads itself is a cycle."""
    for number, part in enumerate(rolled.components):
        for c in (rolled.classes[n] for n in part):
            assert c.component == number
            assert c.cyclic == (len(part) > 1 or any(read.source == c.number for read in c.reads))
            for source in (rolled.classes[read.source] for read in c.reads):
                assert source.component < number or source.component == number
                assert source.component == number or source.level < c.level
    assert sorted(n for part in rolled.components for n in part) == list(range(len(rolled.classes)))


def above(rolled: Rolled) -> dict[int, int]:
    """For each node the classes that it depends on, itself left out: a bit each, from the edges of the tape."""
    bits: dict[int, int] = {}
    for node in cone(leaves(rolled.roots)):
        bits[node.id] = 0
        for arg in node.args:
            bits[node.id] |= bits[arg.id] | 1 << rolled.of(arg)[0].number
    return bits


def assert_antichains(rolled: Rolled) -> None:
    """No path leads from one member of a class to another, if the class is on no cycle."""
    bits = above(rolled)
    for c in rolled.classes:
        if not c.cyclic:
            assert not any(bits[node.id] >> c.number & 1 for node in c.members), f"{c!r} reads itself"


def sequential(rolled: Rolled) -> set[int]:
    """The classes of which one member depends on another."""
    bits = above(rolled)
    return {c.number for c in rolled.classes if any(bits[node.id] >> c.number & 1 for node in c.members)}


def assert_same_values(roots: Any, others: Any, feeds: dict[str, Any]) -> None:
    """Bit for bit, since the same operations run in the same order."""
    before, after = (leaves(tg.evaluate(r, feeds)) for r in (roots, others))
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
