"""Recomputation: a gradient in less memory, for which parts of the forward pass are computed a second time.

before -> after: h_1, ..., h_T, then dh_T, ..., dh_1 that read them all -> a tape in segments of time. Of each
segment only what others read is kept, such as its last states; the rest is computed again right before the backward
nodes that read it. With n segments of T / n steps about n states and T / n steps are held at a time, at the price
of one more forward pass: for n = sqrt(T) in O(sqrt(T)) memory.

It knows of no forward and backward: a visit (see `visiting`) to a segment computes again what it needs of earlier
visits to the same segment. Sums over time, such as the gradient of a shared weight, are added up visit by visit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isqrt
from typing import Any

from ..errors import UsageError
from ..graph.node import Node
from ..graph.op import tape_of
from ..graph.tape import Graph, cone
from ..nest import leaves, map_nest
from ..ops.arithmetic import add
from ..ops.batch import sum_batch
from ..ops.order import after, after_all
from ..shapes import as_size
from .rebuilding import Rewritten, fitted, move_leaf, move_node
from .visiting import Visits, in_segments, steps_of, visits

RECOMPUTED = "recomputed"  # the scope of what is computed again
TURNS = 8  # a segment visited more often keeps its values, so that the cost stays linear


@dataclass(frozen=True)
class Recomputed(Rewritten):
    """What `recompute` returns: a rewritten graph, and the number of its segments."""

    segments: int


def recompute(roots: Any, segments: int | None = None) -> Recomputed:
    """`roots`, such as [loss, gradients], on a new tape that is computed in less memory.

    segments    how many stretches of time are computed again, each by itself; None: about sqrt(T) of T steps

    Time is what the tape says (`graph.at(step=...)`); a node without a stamp goes with what it reads. On a tape without
    any, the place on the tape is taken for the time.
    Second copies have the scope "recomputed". What a segment reads from long before, its inputs too, stands behind
    an `after`: it waits for what has just been computed. So no scheduler computes it early, or once for both copies,
    and any order in which the new tape can be computed takes little memory. All values are the same bit for bit,
    but for sums over time and the batch, which are taken segment by segment.

    A value that another segment reads is kept, so attention keeps all that it looks at.

    >>> lean = tg.recompute([loss, grads])
    >>> loss_value, grad_values = tg.evaluate(lean.roots, feeds)

    Raises `UsageError` (more segments than steps), `ShapeError` (no number of segments).

    References: Chen et al. 2016, arXiv:1604.06174; Gruslys et al. 2016, arXiv:1606.03401.
    """
    given = leaves(roots)
    tape_of(given, "a recomputation")
    nodes = cone(given)
    steps = steps_of(nodes)
    times = {node: step for node, step in steps.items() if not node.op.leaf}
    count = _checked(segments, len(set(times.values())))
    tape = _Tape(nodes, given, in_segments(times, count))
    made = _Rebuilding(tape, steps.keys()).copies()
    return Recomputed(map_nest(made.__getitem__, roots), made[given[0]].graph, made, count)


def is_recomputed(node: Node) -> bool:
    """Whether `recompute` made the node as a second copy of another."""
    return node.scope.split("/")[0] == RECOMPUTED


def _checked(segments: int | None, steps: int) -> int:
    if segments is None:
        return isqrt(max(steps - 1, 0)) + 1
    count = as_size(segments, "number of segments")
    if not 1 <= count <= steps:
        raise UsageError(f"{count} segments of {steps} steps", fix="segments=1 keeps all, segments=T all states")
    return count


class _Tape:
    """What is computed in which visit, what is kept from then on, and what is added up visit by visit."""

    def __init__(self, nodes: Sequence[Node], roots: Sequence[Node], segment: Mapping[Node, int]) -> None:
        self.leaves = [node for node in nodes if node.op.leaf]
        timeless = [node for node in nodes if not node.op.leaf and node not in segment]
        self.terms = _sums_over_time(nodes, set(roots), segment)
        inner = {total.args[0] for total, terms in self.terms.items() if total.args != terms}
        reads = {node: self.terms.get(node, node.args) for node in nodes if node in segment and node not in inner}
        order = visits(reads, segment, _after_sums(reads, self.terms))
        self.visit = {**dict.fromkeys(timeless, 0), **order.of}
        self.kept = {*roots, *self.terms, *timeless, *self.leaves}
        for node, args in reads.items():
            if node not in self.terms:
                self.kept.update(arg for arg in args if arg in order.of and _crosses(order, arg, node))
        self.count = len(order.turn)


def _crosses(order: Visits, arg: Node, reader: Node) -> bool:
    """Whether a value has to be there when a later visit reads it."""
    again = order.segment[arg] == order.segment[reader] and order.turn[order.of[reader]] < TURNS
    return not again and order.of[arg] != order.of[reader]


def _sums_over_time(
    nodes: Sequence[Node], roots: Collection[Node], segment: Mapping[Node, int]
) -> dict[Node, tuple[Node, ...]]:
    """Sums whose terms are of several segments, with their terms; the sum over the batch of one stands for both.

    A stamped sum of two segments is one of a step, such as the cotangent of the state between them.
    """
    readers: dict[Node, list[Node]] = {}
    for node in nodes:
        for arg in node.args:
            if arg in readers:
                readers[arg].append(node)
        if node.op.name == "add":
            several = len({segment[arg] for arg in node.args if arg in segment})
            if several > 2 or (several == 2 and node.step is None):
                readers[node] = []
    found = {}
    for node, using in readers.items():
        alone = len(using) == 1 and not node.label and node not in roots
        total = using[0] if alone and using[0].op.name == "sum_batch" else node
        found[total] = node.args
    return found


def _after_sums(reads: Mapping[Node, Sequence[Node]], sums: Collection[Node]) -> set[Node]:
    """The sums, and what is computed from them outside of time, such as their mean."""
    found = set(sums)
    for node, args in reads.items():
        if node.step is None and not node.backward and any(arg in found for arg in args):
            found.add(node)
    return found


class _Rebuilding:
    """The new tape, visit by visit."""

    def __init__(self, tape: _Tape, timed: Collection[Node]) -> None:
        self.tape, self.timed = tape, timed
        self.new = Graph()
        self.made: dict[Node, Node] = {}  # the first copy of each node
        self.sums: dict[Node, Node] = {}  # what is added up so far
        self.outputs: list[list[Node]] = [[] for _ in range(tape.count)]
        self.terms: list[dict[Node, list[Node]]] = [{} for _ in range(tape.count)]
        for node, number in tape.visit.items():
            if node in tape.kept:
                self.outputs[number].append(node)
        for total, terms in tape.terms.items():
            for term in terms:
                self.terms[tape.visit.get(term, 0)].setdefault(total, []).append(term)

    def copies(self) -> dict[Node, Node]:
        """The first copy of each node, on the new tape."""
        for leaf in self.tape.leaves:
            if leaf not in self.made:
                move_leaf(self.new, leaf, self.made)
        ends: list[Node] = []  # what the visit before has computed
        for number in range(self.tape.count):
            ends = _Visit(self, number, ends).run() or ends
        return self.made


class _Visit:
    """One visit: what it computes, again or for the first time, in the order of the old tape."""

    def __init__(self, whole: _Rebuilding, number: int, before: Sequence[Node]) -> None:
        self.whole, self.tape, self.number = whole, whole.tape, number
        self.outputs, self.terms = whole.outputs[number], whole.terms[number]
        self.backward = all(node.backward for node in chain(self.outputs, *self.terms.values()))  # all for a gradient
        self.before = [end for end in before if self.backward or not end.backward]
        self.here: dict[Node, Node] = {}
        self.entries: dict[Node, Node] = {}  # what is read of other visits, behind an `after`
        self.gate: Node | None = None

    def run(self) -> list[Node]:
        """Append it all; the real values that other visits read."""
        made, sums = self.whole.made, self.whole.sums
        for node in self._wanted():
            self.here[node] = self._whole_sum(node) if node in self.tape.terms else self._copy(node)
            made.setdefault(node, self.here[node])
        for total in self.terms:
            if total not in self.here:
                sums[total] = self._sum(total)
        ends = [made[node] for node in self.outputs] + [sums[total] for total in self.terms if total in sums]
        return [node for node in dict.fromkeys(ends) if node.kind == "real"]

    def _wanted(self) -> list[Node]:
        """What has to be computed now, ascending. Iterative."""
        wanted: set[Node] = set()
        stack = [*chain(*self.terms.values()), *self.outputs]
        while stack:
            node = stack.pop()
            there = node in self.tape.kept and self.tape.visit.get(node) != self.number
            if not there and node not in wanted:
                wanted.add(node)
                stack += () if node in self.tape.terms else node.args
        return sorted(wanted, key=lambda node: node.id)

    def _copy(self, node: Node) -> Node:
        args = tuple([self._operand(arg) for arg in node.args])
        where = node.where
        if node in self.whole.made:
            where = where._replace(scope=f"{RECOMPUTED}/{where.scope}".rstrip("/"))
        if self.backward:
            where = where._replace(backward=True)
        return move_node(self.whole.new, node, args, where=where)

    def _operand(self, arg: Node) -> Node:
        """What a copy reads: of this visit, or of the one before; or what was there already, once that is done."""
        if arg in self.here:
            return self.here[arg]
        value = self.whole.made[arg]
        if arg not in self.whole.timed or not self.before or self.tape.visit.get(arg) == self.number - 1:
            return value
        if arg not in self.entries:
            new, backward = self.whole.new, self.backward or value.backward
            with new.stamped(arg.where._replace(label="", latex="", backward=backward)):
                if self.gate is None:
                    self.gate = after_all(self.before[0], self.before[1:])
                self.entries[arg] = after.apply(new, (value, self.gate))
        return self.entries[arg]

    def _whole_sum(self, total: Node) -> Node:
        """A sum over time with its last terms, where it stood."""
        found = self._sum(total)
        self.whole.new.provenance[found.id] = total.where
        return found

    def _sum(self, total: Node) -> Node:
        """What was added up before, and the terms of this visit."""
        done = self.whole.sums.pop(total, None)
        parts = [self._operand(term) for term in self.terms[total]]
        with self.whole.new.stamped(total.where._replace(label="", latex="")):
            if total.op.name == "sum_batch":
                parts = [sum_batch(fitted(_added(parts), total.args[0]))]
            return _added(parts if done is None else [done, *parts])


def _added(parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else add(parts)
