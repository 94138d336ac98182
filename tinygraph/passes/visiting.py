"""Visits: in which order a tape is computed if one stays in a stretch of time for as long as one can.

Steps are grouped into segments. A visit computes all of its segment that can be computed by then; the next one
goes where the first node on the tape waits. A loss at each step and its gradient go once forwards through time
and once back; nets with two directions go more often.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..graph.node import Node

OUTSIDE = ("parameter", "constant")  # of time


def steps_of(nodes: Sequence[Node]) -> dict[Node, int]:
    """The step of each node that has time. `nodes` ascend.

    That is its stamp; without one the latest step that it reads, and for a node of a gradient, which goes back
    through time, the earliest. Parameters and constants stand outside of time. On a tape without any stamps the
    place among the forward nodes is taken for the time.
    """
    found = {node: node.step for node in nodes if node.step is not None and node.op.name not in OUTSIDE}
    if not found:
        found = {node: place for place, node in enumerate(n for n in nodes if not (n.op.leaf or n.backward))}
    for node in nodes:
        steps = [found[arg] for arg in node.args if arg in found]
        if steps and node not in found:
            found[node] = min(steps) if node.backward else max(steps)
    return found


def in_segments(steps: Mapping[Node, int], count: int) -> dict[Node, int]:
    """The segment 0..count-1 of each node: as many steps in each, or one more."""
    known = sorted(set(steps.values()))
    segment = {step: rank * count // len(known) for rank, step in enumerate(known)}
    return {node: segment[step] for node, step in steps.items()}


@dataclass(frozen=True)
class Visits:
    """The visit 1, 2, ... and the segment of each computed node; of each visit, how often it was there before."""

    of: Mapping[Node, int]
    segment: Mapping[Node, int]
    turn: Sequence[int]


def visits(reads: Mapping[Node, Sequence[Node]], segment: Mapping[Node, int], anywhere: Collection[Node]) -> Visits:
    """An order in visits for computed nodes, ascending, by what they read; others that are read are there before.

    The nodes `anywhere` belong to whichever visit completes what they read.
    """
    readers, missing = _waiting(reads)
    ready: dict[int, list[Node]] = {}
    for node in reads:
        if not missing[node]:
            ready.setdefault(segment[node], []).append(node)
    found: dict[Node, int] = {}
    where = dict(segment)
    turn, turns = [0], dict.fromkeys(segment.values(), 0)
    for first in reads:
        if first in found:
            continue
        here = segment[first]
        turn.append(turns[here])
        turns[here] += 1
        stack = ready.pop(here)
        while stack:
            node = stack.pop()
            found[node], where[node] = len(turn) - 1, here
            for reader in readers[node]:
                missing[reader] -= 1
                if not missing[reader]:
                    stays = reader in anywhere or segment[reader] == here
                    (stack if stays else ready.setdefault(segment[reader], [])).append(reader)
    return Visits(found, where, turn)


def _waiting(reads: Mapping[Node, Sequence[Node]]) -> tuple[dict[Node, list[Node]], dict[Node, int]]:
    """What reads each node, and for how many nodes each waits."""
    readers: dict[Node, list[Node]] = {node: [] for node in reads}
    missing = {}
    for node, args in reads.items():
        waited_for = {arg for arg in args if arg in reads}
        missing[node] = len(waited_for)
        for arg in waited_for:
            readers[arg].append(node)
    return readers, missing
