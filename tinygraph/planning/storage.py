"""Storage: where the value of each item stands.

Classes that are computed, or read, in one call stand in one buffer, (class, member, batch, *shape), so that
one call sees them as one array. All else about speed follows from these places; none of it is needed
for the values to be right.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from math import prod

import numpy as np

from ..graph.node import Kind
from .arena import Arena, Lifetime, arrange
from .batches import Batch
from .classes import Classes
from .cuts import SMALL
from .items import APPLY, HALF_SIGMOID, JOINED, OUTERS, PLUS, PRODUCT, PRODUCTS, SUM, TOTALS, Item, as_it_is
from .sides import Side, copied
from .uses import Uses, uses_of


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
    home = _homes(classes, uses)
    for i in range(len(classes.items)):  # a place is occupied from the first value there to the last
        at = home.of(i)
        if uses.made[i] >= 0:
            uses.made[at] = min(uses.made[at], uses.made[i])
        uses.last[at] = max(uses.last[at], uses.last[i])
    guests = _guests(classes, uses, home)
    by_step = _ByStep(classes, batches, home, batch)
    storage = Storage([Place(0, 0)] * len(classes.items), [], [], [], {}, _fed(classes, kept))
    taken = {classes.of[i] for i in (*chain(*guests.values()), *storage.fed) if i >= 0}
    for group in groups(classes, batches, home, taken):
        item = classes.items[classes.members[group[0]][0]]
        size = block(item, batch)
        lines = [_line(classes.members[number], guests.get(number)) for number in group]
        slots = _slots(group, classes, lines, uses)
        starts = [0, *accumulate(slots)]
        stride = 1
        if by_step.better(group) and len(set(map(len, lines))) == len(set(slots)) == 1:
            starts[:-1], stride = range(len(group)), len(group)
        for line, count, start in zip(lines, slots, starts, strict=False):
            for slot, i in enumerate(line):
                if i >= 0:
                    storage.places[i] = Place(len(storage.sizes), (start + slot % count * stride) * size)
        storage.sizes.append(starts[-1] * size)
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
    count = len(storage.sizes)
    born, dies = [sys.maxsize] * count, [-1] * count
    for i, item in enumerate(classes.items):
        if i in storage.fed:
            continue
        at = storage.places[i].buffer
        since = uses.made[i]
        if item.leaf:
            since = uses.first[i] if item.op == "constant" and i not in kept else FED
        born[at] = min(born[at], since)
        dies[at] = max(dies[at], uses.last[i], since)
    return [Lifetime(*both) for both in zip(born, dies, strict=True)]


def _fed(classes: Classes, kept: Collection[int]) -> frozenset[int]:
    """Parameters that products read, as matrices, and nothing else."""
    matrices: set[int] = set()
    others = set(kept)
    for item in classes.items:
        if item.op in PRODUCTS:
            matrices.update([number for number, *_ in item.matrices])
            others.update([item.args[slot] for slot in item.read_slots])
        else:
            others.update(item.args)
    return frozenset(i for i in matrices - others if classes.items[i].leaf and classes.items[i].op != "constant")


class _Home:
    """Where a value is overwritten by what is computed from it, member by member: both have one place."""

    def __init__(self, count: int) -> None:
        self.next = list(range(count))

    def of(self, i: int) -> int:
        while self.next[i] != i:
            i = self.next[i]
        return i


FED = -1  # the number of the batch, so to say, in which feeds are loaded
STACK = 2  # more terms than this are added up in one call
IN_PLACE = (SUM, PLUS, PRODUCT, HALF_SIGMOID, "tanh", "sigmoid")


def _homes(classes: Classes, uses: Uses) -> _Home:
    """For each class one operand at most, best one from outside of the recurrence, which needs room for all members.

    Operands that are a whole class take the places of what is computed from them; if there are more of that class,
    such as the gradient by a last state, to which no later step adds, they keep theirs.
    """
    items, of, part_of = classes.items, classes.of, classes.part_of
    home = _Home(len(items))
    for number, members in enumerate(classes.members):
        first = items[members[0]]
        if first.op not in IN_PLACE:
            continue
        terms = range(1 if first.op == PLUS else len(first.args))  # of a product, no factor may be overwritten
        sources = {slot: of[first.args[slot]] for slot in terms if _overwritten(classes, uses, home, members, slot)}
        outside = [s for s in sources if part_of[sources[s]] != part_of[number]]
        slots = outside or list(sources)
        if first.op == SUM and len(first.args) > STACK:
            slots = outside  # the terms from inside are added up in one call, from side by side
        whole = [s for s in slots if len(classes.members[sources[s]]) == len(members)]
        for slot in (whole or slots)[:1]:
            for i in members:
                arg = items[i].args[slot]
                kept, moved = (i, arg) if whole else (arg, i)
                home.next[moved] = kept
    return home


def _overwritten(classes: Classes, uses: Uses, home: _Home, members: Sequence[int], slot: int) -> bool:
    """Whether the operands in a slot are of one class, each for this use alone, of the result's own size."""
    items, of = classes.items, classes.of
    if len({of[items[i].args[slot]] for i in members}) > 1:
        return False
    first = items[members[0]]
    if first.op == SUM and first.attrs[slot] != 1 and first.attrs != (1, -1):
        return False
    for i in members:
        arg = items[i].args[slot]
        one, whole = items[arg], items[i]
        if one.leaf or home.next[arg] != arg or not _like(one, whole):
            return False
        if uses.count[arg] != 1 or uses.last[arg] != uses.made[i]:
            return False
    return True


def _slots(group: Sequence[int], classes: Classes, lines: Sequence[Sequence[int]], uses: Uses) -> list[int]:
    """The room of each line, in values; three or more have the same, so that they grow steadily."""
    members = [classes.members[number] for number in group]
    own = [uses.ring(row) if len(row) == len(line) else len(line) for row, line in zip(members, lines, strict=True)]
    if len(own) < 3:
        return own
    longest = max(own)
    common = all(most == longest or uses.fits_ring(row, longest) for most, row in zip(own, members, strict=True))
    return [longest if common else max(map(len, lines))] * len(own)


class _ByStep:
    """Which classes of one buffer better stand step by step: the values of a step side by side, not those of a class.

    What computes or reads several of them in a step then sees one array without gaps. Products over all steps, and
    sums over them, however need each class in a row; but not so the results of products that are short at each step.
    """

    def __init__(self, classes: Classes, batches: Sequence[Batch], home: _Home, batch: int) -> None:
        items, of = classes.items, classes.of
        self.together: set[tuple[int, ...]] = set()
        self.in_a_row: set[int] = set()

        def at(args: Iterable[int]) -> list[int]:
            return [of[home.of(arg)] for arg in args]

        for one in batches:
            first = items[one.first]
            product = first.op in PRODUCTS
            if first.op in (OUTERS, TOTALS):
                self.in_a_row.update(at(arg for row in one.rows for i in row for arg in items[i].args))
            elif one.recurrence >= 0 and len(one.rows) > 1 and not product:
                self.together.add(tuple(sorted(at(row[0] for row in one.rows))))
            elif product and len(one.rows[0]) > 1:
                read = [row[0] for row in one.rows] if _multiplications(items, first, batch) > SMALL else []
                read += [items[row[0]].args[slot] for row in one.rows for slot in first.read_slots]
                self.in_a_row.update(at(read))

    def better(self, group: Sequence[int]) -> bool:
        """Whether it is better for these classes."""
        inside = set(group)
        return self.in_a_row.isdisjoint(inside) and any(inside.issuperset(classes) for classes in self.together)


def _multiplications(items: Sequence[Item], product: Item, batch: int) -> int:
    """Of one matrix with the vectors of one member."""
    return prod(items[product.matrices[0][0]].shape) * (batch if product.batched else 1)


def _line(members: Sequence[int], guests: tuple[int, int] | None) -> list[int]:
    """What stands in a row: a class, between its guests."""
    return list(members) if guests is None else [guests[0], *members, guests[1]]


def _guests(classes: Classes, uses: Uses, home: _Home) -> dict[int, tuple[int, int]]:
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
            if not alone or len(members) == 1 or not _like(items[lone], items[at]) or uses.ring(members) < len(members):
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


def _like(one: Item, other: Item) -> bool:
    """Whether their values have one size and kind."""
    return (one.shape, one.batched, one.kind) == (other.shape, other.batched, other.kind)


def groups(classes: Classes, batches: Sequence[Batch], home: _Home, taken: Collection[int] = ()) -> list[list[int]]:
    """The classes that share a buffer, in their order there; every class with a place of its own is in one group.

    Those that are `taken` stand with others already.
    """
    claims = [
        *_most_frequent(_matrices(classes, batches)),
        *_most_frequent(_operands(classes, batches, True)),
        *_most_frequent(
            chain(
                _results(classes, batches, True),
                _terms(classes, batches),
                _results(classes, batches, False),
                _operands(classes, batches, False),
            )
        ),
    ]
    at = [classes.of[home.of(members[0])] for members in classes.members]
    order = _flavours(classes)
    taken = set(taken)
    found: list[list[int]] = []
    for claim in [*claims, *([number] for number in range(len(classes.members)))]:
        for group in _alike(classes, [n for n in dict.fromkeys(at[c] for c in claim) if n not in taken]):
            taken.update(group)
            found.append(sorted(group, key=lambda n: (order[n], n)))
    return found


def _matrices(classes: Classes, batches: Sequence[Batch]) -> Iterator[tuple[int, ...]]:
    """The matrices of one product that need no copy if they stand one after the other."""
    for batch in batches:
        found = [classes.items[row[0]].matrices for row in batch.rows if classes.items[row[0]].op in PRODUCTS]
        for side in found if classes.items[batch.first].op == JOINED else zip(*found, strict=True):
            if all(as_it_is(*way) for _, *way in side):
                yield tuple(classes.of[number] for number, *_ in side)


def _terms(classes: Classes, batches: Sequence[Batch]) -> Iterator[tuple[int, ...]]:
    """What is added up in one sum of several terms, of a recurrence or of none."""
    of, part_of = classes.of, classes.part_of
    for batch in batches:
        for row in batch.rows:
            item, part = classes.items[row[0]], part_of[of[row[0]]]
            if item.op == SUM and len(set(item.args)) > STACK:
                numbers = dict.fromkeys(of[arg] for arg in item.args if not classes.items[arg].leaf)
                yield tuple(n for n in numbers if not classes.cyclic[part] or part_of[n] == part)


def _operands(classes: Classes, batches: Sequence[Batch], products: bool) -> Iterator[tuple[int, ...]]:
    """What a batch of several rows reads in one slot: vectors that matrices are applied to, or all else."""
    items, of = classes.items, classes.of
    for batch in batches:
        first = items[batch.first]
        if first.op == JOINED and products:
            yield from (tuple(of[items[row[0]].args[slot]] for slot in first.read_slots) for row in batch.rows)
        elif len(batch.rows) > 1 and (first.op in (APPLY, PLUS)) == products:
            for slot in first.read_slots if products else range(len(first.args)):
                yield tuple(of[items[row[0]].args[slot]] for row in batch.rows)


def _results(classes: Classes, batches: Sequence[Batch], products: bool) -> Iterator[tuple[int, ...]]:
    for batch in batches:
        if (classes.items[batch.first].op in (APPLY, PLUS)) == products:
            yield tuple(classes.of[row[0]] for row in batch.rows)


def _most_frequent(claims: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Claims of several classes, the most frequent and largest first."""
    counted = Counter(claim for claim in claims if len(set(claim)) > 1)
    return sorted(counted, key=lambda claim: (-counted[claim], -len(claim)))


def _alike(classes: Classes, numbers: Iterable[int]) -> list[list[int]]:
    """Classes whose members have values of one size and kind."""
    found: dict[tuple[object, ...], list[int]] = {}
    for number in numbers:
        item = classes.items[classes.members[number][0]]
        found.setdefault((item.shape, item.batched, item.kind), []).append(number)
    return list(found.values())


def _flavours(classes: Classes) -> list[int]:
    """0 for what a sigmoid is computed from, 1 for the rest: sigmoids then stand side by side in their buffer."""
    found = [1] * len(classes.members)
    for number in range(len(classes.members) - 1, -1, -1):
        for i in classes.members[number][-1:]:
            item = classes.items[i]
            if item.op == HALF_SIGMOID:
                found[number] = 0
            if found[number] == 0 and item.op in (HALF_SIGMOID, SUM, PLUS, APPLY, JOINED):
                for arg in item.args:
                    if not classes.items[arg].leaf or not classes.items[arg].batched:
                        found[classes.of[arg]] = 0
    return found
