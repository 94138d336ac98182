"""Grouping: which classes share a buffer, and whether they stand there one after the other or step by step.

What is computed, or read, in one call stands side by side, so that the call sees one array.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from math import prod

from .batches import Batch
from .classes import Classes
from .cuts import SMALL
from .items import APPLY, HALF_SIGMOID, JOINED, OUTERS, PLUS, PRODUCTS, SUM, TOTALS, Item, as_it_is
from .overwriting import STACK, Home


def groups(classes: Classes, batches: Sequence[Batch], home: Home, taken: Collection[int] = ()) -> list[list[int]]:
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


class ByStep:
    """Which classes of one buffer better stand step by step: the values of a step side by side, not those of a class.

    What computes or reads several of them in a step then sees one array without gaps. Products over all steps, and
    sums over them, however need each class in a row; but not so the results of products that are short at each step.
    """

    def __init__(self, classes: Classes, batches: Sequence[Batch], home: Home, batch: int) -> None:
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
