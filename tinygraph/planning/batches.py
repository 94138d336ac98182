"""The schedule: which items are computed in one call, and in what order.

Classes outside the recurrences are one batch each, over all their members; inside, what has the same level
(the longest path from the recurrence's start) goes together. Classes of one family, of equal level, are
merged: several gates of one state, several layers' losses, the gradients of several weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from ..rolling.condensation import levels
from .classes import Classes
from .items import APPLY, HALF_SIGMOID, JOINED, OUTERS, PLUS, Item


@dataclass(slots=True, eq=False)
class Batch:
    """Items of one family, computed together: a row for each class, all rows of one length.

    `recurrence` is the number of the cycle that it belongs to, -1 outside of all.
    """

    rows: list[list[int]]
    recurrence: int

    @property
    def first(self) -> int:
        return self.rows[0][0]


def schedule(classes: Classes) -> list[Batch]:
    """All batches, each after those whose values it reads."""
    level = _delayed(classes)
    found: list[Batch] = []
    for _, parts in sorted(_grouped((level[n], n) for n in range(len(classes.parts))).items()):
        plain = [number for n in parts if not classes.cyclic[n] for number in classes.parts[n]]
        found += _merged(classes, [classes.members[number] for number in plain], -1)
        for n in parts:
            if classes.cyclic[n]:
                found += _recurrence(classes, n)
    return found


def _delayed(classes: Classes) -> list[int]:
    """The level of each part: the earliest; or the latest, of parts that hang together, if that takes less room.

    Local derivatives are made of values that are kept for the backward pass anyway. They then take up no room
    while other recurrences run in between: those of the layers above. Levels are far apart, so that whatever is made
    late finds its place between its user's and the one before.
    """
    level = [len(classes.parts) * one for one in levels(classes.parts, classes.sources)]
    reads = [
        {classes.part_of[source] for number in part for source in classes.sources[number]} - {n}
        for n, part in enumerate(classes.parts)
    ]
    users: list[list[int]] = [[] for _ in reads]
    for n, read in enumerate(reads):
        for source in read:
            users[source].append(n)
    recurrences = [level[n] for n in range(len(reads)) if classes.cyclic[n]]
    sizes = [sum(_size(classes, number) for number in part) for part in classes.parts]
    latest = list(level)
    for n in range(len(reads) - 1, -1, -1):
        if users[n] and sizes[n] and not classes.cyclic[n]:  # else it stays, and so must what it reads
            latest[n] = min([latest[user] for user in users[n]]) - 1
    for together in _neighbours(reads, [n for n in range(len(reads)) if latest[n] > level[n]]):
        inside = set(together)
        made = sum(sizes[n] for n in together if any(user not in inside for user in users[n]))
        end = max(latest[n] for n in together)
        outside = {source for n in together for source in reads[n]} - inside
        held = sum(sizes[n] for n in outside if all(level[user] < end for user in users[n] if user not in inside))
        if held < made and any(level[together[0]] < between < end for between in recurrences):
            for n in together:
                level[n] = latest[n]
    return level


def _size(classes: Classes, number: int) -> int:
    """The elements of a class for one example; what is fed, lone or not batched counts for nothing."""
    item, count = classes.items[classes.members[number][0]], len(classes.members[number])
    return count * prod(item.shape) if item.batched and count > 1 and not item.leaf else 0


def _neighbours(reads: Sequence[Collection[int]], parts: Sequence[int]) -> Iterator[list[int]]:
    """The parts among these that hang together by reading one another."""
    beside: dict[int, list[int]] = {n: [] for n in parts}
    for n in parts:
        for source in reads[n]:
            if source in beside:
                beside[n].append(source)
                beside[source].append(n)
    met: set[int] = set()
    for start in parts:
        found = [] if start in met else [start]
        met.add(start)
        for n in found:
            found += [other for other in beside[n] if other not in met]
            met.update(beside[n])
        if found:
            yield found


def _recurrence(classes: Classes, n: int) -> Iterator[Batch]:
    """Batches by level: each item as early as it can be, or as late, where its family then needs fewer batches."""
    items, of = classes.items, classes.of
    inside = sorted(i for number in classes.parts[n] for i in classes.members[number])
    within = set(inside)
    reads = {i: [arg for arg in items[i].args if arg in within] for i in inside}
    level = _earliest(reads, {})
    latest = _latest(reads, max(level.values()))
    families = _grouped_by(inside, lambda i: family(items, items[i]))
    pinned: dict[int, int] = {}
    for together in sorted(families.values(), key=len, reverse=True):
        if len({latest[i] for i in together}) < len({level[i] for i in together}):
            pinned.update((i, latest[i]) for i in together)
            level = _earliest(reads, pinned)
    for _, together in sorted(_grouped((level[i], i) for i in inside).items()):
        rows = list(_grouped((of[i], i) for i in together).values())
        yield from _merged(classes, rows, n)


def _earliest(reads: Mapping[int, Sequence[int]], pinned: Mapping[int, int]) -> dict[int, int]:
    """The longest path that ends at each item, and not before the level it is pinned to."""
    level: dict[int, int] = {}
    for i, args in reads.items():
        level[i] = max(pinned.get(i, 0), 1 + max([level[arg] for arg in args], default=-1))
    return level


def _latest(reads: dict[int, list[int]], last: int) -> dict[int, int]:
    """The last level at which each item can be computed, if all is to be done by the level `last`."""
    level = dict.fromkeys(reads, last)
    for i, args in reversed(reads.items()):
        for arg in args:
            level[arg] = min(level[arg], level[i] - 1)
    return level


def _merged(classes: Classes, rows: Sequence[list[int]], recurrence: int) -> list[Batch]:
    """Rows of one family and one length as one batch; leaves are not computed."""
    items = classes.items
    groups: dict[Hashable, list[list[int]]] = {}
    for row in rows:
        item = items[row[0]]
        if not item.leaf:
            groups.setdefault((len(row), *family(items, item)), []).append(row)
    return [Batch(group, recurrence) for group in groups.values()]


def family(items: Sequence[Item], item: Item) -> tuple[Hashable, ...]:
    """What must be equal for two items to be computed in one call."""
    shapes = [(items[i].shape, items[i].batched) for i in item.args]
    if item.op in (HALF_SIGMOID, "tanh"):
        return "tanh", item.shape, item.batched
    if item.op in (APPLY, PLUS):
        return item.op, tuple([transposed for _, transposed, _ in item.matrices]), tuple(shapes)
    if item.op == JOINED:
        return JOINED, item.attrs, item.args[::2]
    if item.op == OUTERS:
        return OUTERS, item.shape, item.args[1::2]
    return item.op, item.attrs, item.shape, item.batched, item.kind, tuple(shapes)


def _grouped_by(numbers: Sequence[int], key: Callable[[int], Hashable]) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for i in numbers:
        groups.setdefault(key(i), []).append(i)
    return groups


def _grouped(pairs: Iterator[tuple[int, int]] | Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
