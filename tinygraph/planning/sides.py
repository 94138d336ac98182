"""The right sides of products: matrices as they stand there, (k, in, out), stacked for those that are done at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .arena import Lifetime
from .batches import Batch
from .items import APPLY, JOINED, PLUS, Item, as_it_is

Side = tuple[tuple[int, bool, Any], ...]  # of each matrix: its item, whether it is transposed, its scale
Rows = Sequence[Sequence[int]]


def side_of(items: Sequence[Item], rows: Rows) -> Side:
    """Of products that are done at once, a matrix for each row."""
    return tuple([(items[row[0]].args[-2], *items[row[0]].attrs) for row in rows])


def joined_side(item: Item, order: Sequence[int]) -> Side:
    """Of a sum of products, in this order."""
    return tuple([(item.args[2 * k], *item.attrs[k]) for k in order])


def joined_order(item: Item, places: Sequence[Any]) -> list[int]:
    """The products of a sum in the order in which their matrices stand."""
    return sorted(range(len(item.attrs)), key=lambda k: places[item.args[2 * k]])


def stands_already(side: Side) -> bool:
    """Whether no matrix of it has to be turned or scaled."""
    return all(as_it_is(*way) for _, *way in side)


def copied(items: Sequence[Item], of: Sequence[int], batches: Sequence[Batch], places: Any) -> dict[Side, Lifetime]:
    """What has to be copied, each from the first batch to the last that needs it; `of` is the class of each item."""
    known: dict[tuple[int, ...], list[Side]] = {}  # by the classes of the rows, whose matrices are the same
    found: dict[Side, Lifetime] = {}
    for number, batch in enumerate(batches):
        if items[batch.first].op in (APPLY, PLUS, JOINED):
            rows = tuple([of[row[0]] for row in batch.rows])
            if rows not in known:
                known[rows] = [side for side in _sides(items, batch.rows, places) if not stands_already(side)]
            for side in known[rows]:
                found[side] = Lifetime(found[side].born if side in found else number, number)
    return found


def _sides(items: Sequence[Item], rows: Rows, places: Any) -> Iterator[Side]:
    first = items[rows[0][0]]
    if first.op == JOINED:
        yield from (joined_side(items[row[0]], joined_order(items[row[0]], places)) for row in rows)
    else:
        yield side_of(items, sorted(rows, key=lambda row: places[row[0]]))
