"""Storage: where the value of each item stands.

Classes that are computed, or read, in one call stand in one buffer, (class, member, batch, *shape), so that
one call sees them as one array. All else about speed follows from these places; none of it is needed
for the values to be right.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from math import prod

import numpy as np

from ..graph.node import Kind
from .arena import Arena, Lifetime, arrange
from .batches import Batch
from .classes import Classes
from .grouping import ByStep, groups
from .items import OUTERS, PRODUCTS, Item, like
from .overwriting import Home, homes
from .sides import Side, copied
from .uses import Uses, uses_of

FED = -1  # the number of the batch, so to say, in which feeds are loaded


@dataclass(slots=True, frozen=True, order=True)
class Place:
    """A buffer, and where in it the elements of a value begin, which stand in a row."""

    buffer: int
    offset: int


@dataclass(slots=True)
class Storage:
    """The place of each item; the number of elements, the kind and the lifetime of each buffer.

    `copies` are the buffers of matrices that products need in another form; `fed` are matrices of which there are
    only such copies, straight from what is fed: they have no place.
    """

    places: list[Place]
    sizes: list[int]
    kinds: list[Kind]
    lifetimes: list[Lifetime]
    copies: dict[Side, int]
    fed: frozenset[int]

    def arrange(self, dtype: str) -> Arena:
        """The bytes that the buffers share."""
        sizes = [n * d.itemsize for n, d in zip(self.sizes, self.dtypes(dtype), strict=True)]
        return arrange(sizes, self.lifetimes)

    def dtypes(self, dtype: str) -> list[np.dtype]:
        """Of each buffer, where reals are of this one."""
        found = {"real": np.dtype(dtype), "integer": np.dtype(np.int64), "boolean": np.dtype(bool)}
        return [found[kind] for kind in self.kinds]


def block(item: Item, batch: int) -> int:
    """The number of elements of an item's value."""
    return prod(item.shape) * (batch if item.batched else 1)


def store(classes: Classes, batches: Sequence[Batch], batch: int, kept: Collection[int]) -> Storage:
    """Give each item a place; the values of the items `kept` are not overwritten."""
    uses = uses_of(classes, batches, kept)
    home = homes(classes, uses)
    for i in range(len(classes.items)):  # a place is occupied from the first value there to the last
        at = home.of(i)
        if uses.made[i] >= 0:
            uses.made[at] = min(uses.made[at], uses.made[i])
        uses.last[at] = max(uses.last[at], uses.last[i])
    guests = _guests(classes, uses, home)
    by_step = ByStep(classes, batches, home, batch)
    storage = Storage([Place(0, 0)] * len(classes.items), [], [], [], {}, _fed(classes, kept))
    taken = {classes.of[i] for i in (*chain(*guests.values()), *storage.fed) if i >= 0}
    for group in groups(classes, batches, home, taken):
        item = classes.items[classes.members[group[0]][0]]
        size = block(item, batch)
        lines = [_line(classes.members[number], guests.get(number)) for number in group]
        slots = _slots(group, classes, lines, uses)
        for i, position in _positions(lines, slots, by_step.better(group)):
            storage.places[i] = Place(len(storage.sizes), position * size)
        storage.sizes.append(sum(slots) * size)
        storage.kinds.append(item.kind)
    for i in range(len(storage.places)):
        storage.places[i] = storage.places[home.of(i)]
    storage.lifetimes = _lifetimes(classes, uses, storage, kept)
    for side, lifetime in copied(classes, batches, storage.places, storage.fed, batch).items():
        storage.copies[side] = len(storage.sizes)
        storage.sizes.append(sum(prod(classes.items[number].shape) for number, *_ in side.matrices))
        storage.kinds.append("real")
        storage.lifetimes.append(lifetime)
    return storage


def _lifetimes(classes: Classes, uses: Uses, storage: Storage, kept: Collection[int]) -> list[Lifetime]:
    """Of each buffer. What is fed is there before the first batch; a constant from when it is first read."""
    since = list(uses.made)
    for i, item in enumerate(classes.items):
        if item.leaf:
            since[i] = uses.first[i] if item.op == "constant" and i not in kept else FED
    placed = np.array([i for i in range(len(classes.items)) if i not in storage.fed])
    buffers = np.array([place.buffer for place in storage.places])[placed]
    born, dies = np.full(len(storage.sizes), sys.maxsize), np.full(len(storage.sizes), -1)
    np.minimum.at(born, buffers, np.array(since)[placed])
    np.maximum.at(dies, buffers, np.maximum(since, uses.last)[placed])
    return [Lifetime(int(a), int(b)) for a, b in zip(born, dies, strict=True)]


def _fed(classes: Classes, kept: Collection[int]) -> frozenset[int]:
    """Parameters that products read, as matrices, and nothing else."""
    items = classes.items
    leaves = {i for i, item in enumerate(items) if item.leaf and item.op != "constant" and len(item.shape) == 2}
    matrices: set[int] = set()
    others = set(kept)
    for item in items:
        if not leaves.isdisjoint(item.args):
            if item.op in PRODUCTS:
                matrices.update([number for number, *_ in item.matrices])
                others.update([item.args[slot] for slot in item.read_slots])
            else:
                others.update(item.args)
    return frozenset((leaves & matrices) - others)


def _slots(group: Sequence[int], classes: Classes, lines: Sequence[Sequence[int]], uses: Uses) -> list[int]:
    """The room of each line, in values; three or more have the same, so that they grow steadily."""
    members = [classes.members[number] for number in group]
    own = [uses.ring(row) if len(row) == len(line) else len(line) for row, line in zip(members, lines, strict=True)]
    if len(own) < 3:
        return own
    longest = max(own)
    common = all(most == longest or uses.fits_ring(row, longest) for most, row in zip(own, members, strict=True))
    return [longest if common else max(map(len, lines))] * len(own)


def _positions(lines: Sequence[Sequence[int]], slots: Sequence[int], by_step: bool) -> Iterator[tuple[int, int]]:
    """Items and their positions, in values: line after line; or step by step, where all lines are of one length."""
    even = by_step and len(set(map(len, lines))) == len(set(slots)) == 1
    starts, stride = (range(len(lines)), len(lines)) if even else ([0, *accumulate(slots)], 1)
    for line, count, start in zip(lines, slots, starts, strict=False):
        for slot, i in enumerate(line):
            if i >= 0:
                yield i, start + slot % count * stride


def _line(members: Sequence[int], guests: tuple[int, int] | None) -> list[int]:
    """What stands in a row: a class, between its guests."""
    return list(members) if guests is None else [guests[0], *members, guests[1]]


def _guests(classes: Classes, uses: Uses, home: Home) -> dict[int, tuple[int, int]]:
    """Classes by number with the lone items that stand before and behind them, -1 for none.

    What reads h_0, h_1, ... then sees one array, though h_0 is no member of the class of h_1, h_2, ...
    """
    items, of = classes.items, classes.of
    found: dict[int, tuple[int, int]] = {}
    hosted: set[int] = set()
    for operands in _read_in_order(classes):
        for lone, neighbour in ((operands[0], operands[1]), (operands[-1], operands[-2])):
            at = home.of(neighbour)
            members = classes.members[of[at]]
            alone = len(classes.members[of[lone]]) == 1 and home.of(lone) == lone and lone not in hosted
            if not alone or len(members) == 1 or not like(items[lone], items[at]) or uses.ring(members) < len(members):
                continue
            before, behind = found.get(of[at], (-1, -1))
            if at == members[0] and before < 0:
                found[of[at]] = lone, behind
                hosted.add(lone)
            elif at == members[-1] and behind < 0:
                found[of[at]] = before, lone
                hosted.add(lone)
    return found


def _read_in_order(classes: Classes) -> Iterator[list[int]]:
    """What each class reads in a slot, and each sum of outer products, in the order of members; three at least."""
    order = {i: (number, k) for number, members in enumerate(classes.members) for k, i in enumerate(members)}
    for members in classes.members:
        item = classes.items[members[0]]
        if item.op == OUTERS:
            for args in (classes.items[i].args for i in members if len(classes.items[i].args) > 4):
                yield [x for _, x in sorted(zip(args[::2], args[1::2], strict=True), key=lambda pair: order[pair[0]])]
        elif len(members) > 2:
            for slot in range(len(item.args)):
                yield [classes.items[i].args[slot] for i in members]
