"""The rolled net: classes of nodes that are one step repeated, and with which delays they read each other.

>>> rolled = tg.roll([loss, grads])
>>> print(rolled)
>>> rolled.unroll()    # the same roots on a new tape
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import UsageError, expect
from ..graph.node import Node
from ..graph.op import Op
from ..graph.tape import Graph
from ..nest import map_nest
from ..passes.rebuilding import move_leaf
from .reads import Read
from .text import class_names, write_rolled

REGULAR = 4  # patterns of one slot that may have delays


@dataclass(frozen=True, slots=True, eq=False)
class NodeClass:
    """Nodes of one operation, with equal attributes, shape, batching and kind, that play one part.

    number     its place among the classes, by their first made members
    members    its nodes in the order of time
    first      the time of the first member, counted from 1 for the earliest that it is aligned with;
               None where there is no time: one member that is on no cycle
    reads      what the members read, pattern by pattern; every (member, slot) is in exactly one
    component  its strongly connected component, counted so that each comes after those that it reads
    cyclic     whether that component is a cycle. If not, no path leads from a member to another
    level      the longest path of components that ends here
    """

    number: int
    members: tuple[Node, ...]
    first: int | None
    reads: tuple[Read, ...]
    component: int
    cyclic: bool
    level: int

    @property
    def op(self) -> Op:
        return self.members[0].op

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        return f"<class {self.number}: {len(self)} of {self.members[0].describe()}>"


@dataclass(frozen=True, eq=False)
class Rolled:
    """What `roll` returns: `classes`, `components` (class numbers, each after what it reads), and the `roots` given."""

    roots: Any
    classes: tuple[NodeClass, ...]
    components: tuple[tuple[int, ...], ...]

    def of(self, node: Node) -> tuple[NodeClass, int]:
        """The class of a node, and its place among the members. Raises `UsageError` if the roots do not need it."""
        expect(node, Node, "a rolled net knows nodes")
        if node not in self._places:
            raise UsageError("the rolled net has nothing for this node", [node.describe()])
        number, place = self._places[node]
        return self.classes[number], place

    @cached_property
    def _places(self) -> dict[Node, tuple[int, int]]:
        return {node: (c.number, place) for c in self.classes for place, node in enumerate(c.members)}

    # Cycles
    @property
    def cycles(self) -> list[tuple[int, ...]]:
        """The components that are cycles: a forward sweep, a backward sweep, ..."""
        return [part for part in self.components if self.classes[part[0]].cyclic]

    def late(self, reader: NodeClass) -> list[Read]:
        """The reads of a class from its own cycle; all others are early: known before the cycle begins."""
        if not reader.cyclic:
            return []
        return [read for read in reader.reads if self.classes[read.source].component == reader.component]

    def delay(self, reader: NodeClass, read: Read) -> int | None:
        """By how many steps of time the read value is older (negative: it is of a later step).

        None where that is not one number: a weight, a sum over time, or a read out of step.
        """
        source = self.classes[read.source]
        if reader.first is None or source.first is None or len(read.slots) > 1:
            return None
        if len(read.members) > 1 and read.by_member != read.members.step:
            return None
        return reader.first + read.members[0] - source.first - read.start

    def delays(self, cycle: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """By class of a cycle that is read across steps: the delays, ascending. An LSTM's h and c have (1,) each.

        Where a slot is read in many patterns, as in a tree, there is no delay. Where one net reads two sequences,
        a class holds the steps of both, one after the other, and each first step moves the places of the rest:
        delays are those of places, and differ between the two.
        """
        found: dict[int, set[int]] = {}
        for number in cycle:
            late = self.late(self.classes[number])
            patterns = Counter(read.slots for read in late)
            for read in late:
                delay = self.delay(self.classes[number], read)
                if delay and patterns[read.slots] <= REGULAR:
                    found.setdefault(read.source, set()).add(delay)
        return {number: tuple(sorted(found[number])) for number in sorted(found)}

    @property
    def recurrences(self) -> list[dict[str, tuple[int, ...]]]:
        """In which delays the net repeats, cycle by cycle: `[{"h": (1,)}]` for an Elman net, (1, 2) with a skip."""
        return [{self.names[n]: found for n, found in self.delays(cycle).items()} for cycle in self.cycles]

    @cached_property
    def names(self) -> list[str]:
        """What people may call each class."""
        return class_names(self)

    def depths(self, cycle: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """For the members of each class of a cycle: the longest path of nodes of the cycle that ends there."""
        inside = set(cycle)
        depth: dict[Node, int] = {}
        for node in sorted((n for number in cycle for n in self.classes[number].members), key=lambda n: n.id):
            depth[node] = 1 + max((depth[arg] for arg in node.args if self._places[arg][0] in inside), default=-1)
        return {number: tuple(depth[node] for node in self.classes[number].members) for number in cycle}

    # Back to a tape
    def unroll(self) -> Any:
        """The roots on a new tape, in the structure given, made from the classes and what they read."""
        operands = [_operands(c) for c in self.classes]
        new = Graph()
        made: list[list[Node]] = [list(c.members) for c in self.classes]  # each replaced by its copy
        moved: dict[Node, Node] = {}
        for node in sorted(self._places, key=lambda n: n.id):
            number, place = self._places[node]
            if node.op.leaf:
                if node not in moved:
                    move_leaf(new, node, moved)
                made[number][place] = moved[node]
            else:
                args = tuple([made[source][at] for source, at in operands[number][place]])
                with new.stamped(node.where):
                    made[number][place] = node.op.apply(new, args, self.classes[number].members[0].attrs)
        return map_nest(lambda root: made[self._places[root][0]][self._places[root][1]], self.roots)

    def __str__(self) -> str:
        """One equation for each class, and one more for each boundary case."""
        return write_rolled(self)

    def __repr__(self) -> str:
        nodes = sum(map(len, self.classes))
        return f"<Rolled: {nodes} nodes in {len(self.classes)} classes, {len(self.cycles)} cycles>"


def _operands(reader: NodeClass) -> list[list[tuple[int, int]]]:
    """The operands of each member, as (class, place), from the patterns alone."""
    slots = 1 + max((read.slots[-1] for read in reader.reads), default=-1)
    found = [[(-1, -1)] * slots for _ in reader.members]
    for read in reader.reads:
        for member, slot, place in read:
            found[member][slot] = read.source, place
    return found
