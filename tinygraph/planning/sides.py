"""The right sides of products: matrices as they stand there, (k, in, out), stacked for those that are done at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .arena import Lifetime
from .batches import Batch
from .classes import Classes
from .cuts import Array, Cut, cut_of
from .items import JOINED, PRODUCTS, Item, as_it_is

Matrices = tuple[tuple[int, bool, Any], ...]  # of each: its item, whether it is transposed, its scale
Rows = Sequence[Sequence[int]]
OFTEN = 8  # products from which on a matrix is worth being cut for them


class Side(NamedTuple):
    """Matrices, and how each of them is cut."""

    matrices: Matrices
    cut: Cut | None = None

    @property
    def whole(self) -> Side:
        """The same matrices, not cut."""
        return Side(self.matrices)

    @property
    def stands_already(self) -> bool:
        """Whether no matrix of it has to be turned, scaled or cut."""
        return self.cut is None and all(as_it_is(*way) for _, *way in self.matrices)


@dataclass(slots=True)
class FedMatrix:
    """An item that is a matrix, and what is fed for it in a run."""

    number: int
    data: Array | None = field(default=None, compare=False)

    def set(self, data: Array) -> None:
        self.data = data


def lay_out_fed(matrix: FedMatrix, transposed: bool, scale: float, cut: Cut | None, target: Array) -> None:
    """Straight from where it was fed from."""
    assert matrix.data is not None
    lay_out(matrix.data, transposed, scale, cut, target)


def lay_out(matrix: Array, transposed: bool, scale: float, cut: Cut | None, target: Array) -> None:
    """A matrix in the form in which products need it."""
    turned = matrix if transposed else matrix.T
    source = cut.blocks(turned) if cut else turned
    if scale == 1:
        np.copyto(target, source)
    else:
        np.multiply(source, scale, target, dtype=target.dtype)


def side_of(items: Sequence[Item], rows: Rows, batch: int, number: int = 0) -> Side:
    """Of products that are done at once, a matrix for each row; of sums, the products of that number."""
    matrices = tuple([items[row[0]].matrices[number] for row in rows])
    return Side(matrices, _cut(items, matrices[0], rows[0], batch))


def joined_side(items: Sequence[Item], row: Sequence[int], places: Sequence[Any], batch: int) -> tuple[Side, list[int]]:
    """Of a sum of products; and these products in the order of the side.

    It is that in which the vectors stand if the matrices are cut, as nothing else then has to be copied in a step;
    else that of the matrices.
    """
    item = items[row[0]]
    matrices = item.matrices
    cut = _cut(items, matrices[0], row, batch)
    order = sorted(range(len(matrices)), key=lambda k: places[item.args[2 * k + (cut is not None)]])
    return Side(tuple([matrices[k] for k in order]), cut), order


def _cut(items: Sequence[Item], way: tuple[int, bool, Any], row: Sequence[int], batch: int) -> Cut | None:
    """The best one of a matrix for as many vectors as there are in a row."""
    matrix, transposed, _ = way
    inner, columns = items[matrix].shape if transposed else items[matrix].shape[::-1]
    return cut_of(len(row) * (batch if items[row[0]].batched else 1), inner, columns)


def copied(
    classes: Classes, batches: Sequence[Batch], places: Any, fed: Collection[int], batch: int
) -> dict[Side, Lifetime]:
    """What has to be copied, each from the first batch to the last that needs it; `fed` matrices stand nowhere."""
    items, of = classes.items, classes.of
    known: dict[tuple[Any, ...], list[Side]] = {}  # by the classes of the rows, whose matrices are the same
    needed: dict[Side, list[int]] = {}
    for number, one in enumerate(batches):
        if items[one.first].op in PRODUCTS:
            kind = (len(one.rows[0]), *[of[row[0]] for row in one.rows])
            if kind not in known:
                known[kind] = list(_sides(items, one.rows, places, batch))
            for side in known[kind]:
                needed.setdefault(side, []).append(number)
    found: dict[Side, Lifetime] = {}
    for wanted, numbers in needed.items():
        side = wanted if len(numbers) >= OFTEN else wanted.whole
        if not side.stands_already or any(number in fed for number, *_ in side.matrices):
            both = [*numbers, found[side].born, found[side].dies] if side in found else numbers
            found[side] = Lifetime(min(both), max(both))
    return found


def _sides(items: Sequence[Item], rows: Rows, places: Any, batch: int) -> Iterator[Side]:
    if items[rows[0][0]].op == JOINED:
        yield from (joined_side(items, row, places, batch)[0] for row in rows)
    else:
        for number in range(len(items[rows[0][0]].matrices)):
            yield side_of(items, sorted(rows, key=lambda row: places[row[0]]), batch, number)
