"""Emission: where the values of a batch stand, as NumPy views, and the list of calls that grows.

It asks of the places only where values stand. A batch is one call if the places of all its operands grow
steadily by row and by member; else it is cut into the largest parts of which that holds, down to single items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from ..execute.arrays import NumpyArrays
from .items import OUTERS, TOTALS, Item
from .sides import FedMatrix, Side, lay_out, lay_out_fed
from .storage import Storage
from .strides import Strided, collapsed, step_between

Array = np.ndarray[Any, Any]
Rows = Sequence[Sequence[int]]


@dataclass(slots=True)
class Call:
    """One call, and the items it computes."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    items: Rows


@dataclass
class Emitter:
    """Calls for a batch size; `batch` is 1 where the feeds have no batch."""

    items: list[Item]
    storage: Storage
    room: Array  # the bytes of all buffers
    buffers: list[Array]
    xp: NumpyArrays
    batch: int
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dtype = self.xp.dtypes["real"]
        self.half = np.array(0.5, self.dtype)
        self._matrices: dict[tuple[Side, bool], Array] = {}
        self._fed: dict[int, FedMatrix] = {}
        self._scratch: dict[tuple[str, tuple[int, ...]], Array] = {}
        self.checked: set[Any] = set()  # integers that were found in their range in this run
        self.current: Rows = ()  # what is being computed,
        self.whole = True  # and whether that is a whole batch

    # Places
    def parts(self, rows: Rows) -> Iterator[Rows]:
        """The largest parts whose operands and results are views."""
        places = self.storage.places
        rows = sorted(rows, key=lambda row: places[row[0]])
        if self.items[rows[0][0]].op in (OUTERS, TOTALS) and len(rows[0]) > 1:
            for member in range(len(rows[0])):
                yield from self.parts([[row[member]] for row in rows])
        elif self._fits(rows):
            yield rows
        elif len(rows) > 1:
            start = 0
            while start < len(rows):
                stop = self._end_of_part(rows, start)
                if stop > start + 1:
                    yield rows[start:stop]
                else:
                    yield from self.parts(rows[start:stop])
                start = stop
        else:
            for start, stop in self._runs(rows[0]):
                yield [rows[0][start:stop]]

    def _end_of_part(self, rows: Rows, start: int) -> int:
        """Where the rows from `start` on cease to fit; found by steps that grow and then shrink, as any fewer fit."""
        stop, step = start + 1, 1
        while stop + step <= len(rows) and self._fits(rows[start : stop + step]):
            stop, step = stop + step, 2 * step
        while step:
            if stop + step <= len(rows) and self._fits(rows[start : stop + step]):
                stop += step
            step //= 2
        return stop

    def _fits(self, rows: Rows) -> bool:
        if not self.steady(rows):
            return False
        first = self.items[rows[0][0]]
        if first.op in (OUTERS, TOTALS):  # terms may stand anywhere, if they do so alike in all rows
            slots = range(0, len(first.args), 1 + (first.op == OUTERS))
            found = {self.steps(self.slot(rows, s)) for s in slots}
            return len(rows) == 1 or (len(found) == 1 and None not in found)
        return all(self.steady(self.slot(rows, s)) for s in first.read_slots)

    def slot(self, rows: Rows, slot: int) -> Rows:
        return [[self.items[i].args[slot] for i in row] for row in rows]

    def steps(self, rows: Rows) -> tuple[int, int] | None:
        """By how much the places grow by row and by member, if they do so steadily."""
        if len(rows) == 1 and len(rows[0]) == 1:
            return 0, 0
        places = self.storage.places
        buffer = places[rows[0][0]].buffer
        if any(places[i].buffer != buffer for row in rows for i in row):
            return None
        by_row = step_between([places[row[0]].offset for row in rows])
        by_member = {step_between([places[i].offset for i in row]) for row in rows}
        if by_row is None or len(by_member) > 1 or None in by_member:
            return None
        return by_row, by_member.pop()  # type: ignore[return-value]  # not None

    def steady(self, rows: Rows) -> bool:
        """Whether the values stand in places that grow steadily, so that they can be viewed as one array."""
        return self.steps(rows) is not None

    def same_place(self, operand: Rows, rows: Rows) -> bool:
        places = self.storage.places
        return all(
            places[a] == places[b] for xs, ys in zip(operand, rows, strict=True) for a, b in zip(xs, ys, strict=True)
        )

    def _runs(self, row: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Where all operands of the members grow steadily."""
        places, items = self.storage.places, self.items
        slots = items[row[0]].read_slots

        def moves(a: int, b: int) -> tuple[Any, ...]:
            pairs = [(a, b), *((items[a].args[s], items[b].args[s]) for s in slots)]
            return tuple(
                [
                    places[y].offset - places[x].offset if places[x].buffer == places[y].buffer else None
                    for x, y in pairs
                ]
            )

        start, known = 0, None
        for k in range(1, len(row) + 1):
            move = moves(row[k - 1], row[k]) if k < len(row) else None
            if move is None or None in move or (known is not None and move != known):
                yield start, k
                start, known = k, None
            else:
                known = move

    # Views: axes (row, member, batch, *shape)
    def view(self, rows: Rows, rank: int | None = None) -> Strided:
        """Values of a steady grid, with the batch axis, and per-example axes of size 1 in front up to `rank`."""
        item, place = self.items[rows[0][0]], self.storage.places[rows[0][0]]
        steps = self.steps(rows)
        assert steps is not None, "only steady grids are viewed"
        own, step = [], 1
        for n in reversed(item.shape):
            own.append(0 if n == 1 else step)
            step *= n
        pad = max(0, (len(item.shape) if rank is None else rank) - len(item.shape))
        shape = (len(rows), len(rows[0]), self.batch if item.batched else 1, *(1,) * pad, *item.shape)
        strides = (*steps, step if item.batched else 0, *(0,) * pad, *reversed(own))
        return Strided(place.buffer, place.offset, shape, strides)

    def arrays(self, views: Sequence[Strided]) -> list[Array]:
        return [view.array(self.buffers) for view in views]

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        self.calls.append(Call(function, args, self.current))

    def elementwise(self, function: Callable[..., Any], rows: Rows, operands: Sequence[Rows]) -> None:
        """One call of a function with `out=` over the operands, result last."""
        rank = len(self.items[rows[0][0]].shape)
        self.call(function, *self.arrays(collapsed([self.view(grid, rank) for grid in (*operands, rows)])))

    def side(self, side: Side) -> Side:
        """Cut as it is wanted, where the copy for that was foreseen."""
        return side if side in self.storage.copies and self.whole else side.whole

    def matrices(self, side: Side) -> Array:
        """The right side of a product, (k, in, out), or cut (k, pieces, blocks, in / pieces, width).

        A copy, made once in a run, where the matrices do not stand so already.
        """
        return self._made(side, self.whole)

    def uncut(self, side: Side) -> Array:
        """As (k, in, out) even if the copy that was foreseen is cut."""
        return self._made(side.whole, self.whole and side.cut is None)

    def _made(self, side: Side, foreseen: bool) -> Array:
        """The room of copies that were foreseen is there for whole batches alone; others have copies of their own."""
        if (side, foreseen) not in self._matrices:
            rows = [[number] for number, *_ in side.matrices]
            fed = any(number in self.storage.fed for number, *_ in side.matrices)
            there = side.stands_already and not fed and self.steady(rows)
            place = self.storage.copies.get(side) if foreseen else None
            made = self.view(rows).array(self.buffers)[:, 0, 0] if there else self._copied(side, place)
            self._matrices[side, foreseen] = made
        return self._matrices[side, foreseen]

    def _copied(self, side: Side, place: int | None) -> Array:
        number, transposed, _ = side.matrices[0]
        shape = self.items[number].shape if transposed else self.items[number].shape[::-1]
        form = side.cut.form(*shape) if side.cut else shape
        room = self.buffers[place] if place is not None else np.zeros(len(side.matrices) * prod(shape), self.dtype)
        made = room.reshape(len(side.matrices), *form)
        for target, (number, transposed, scale) in zip(made, side.matrices, strict=True):
            if number in self.storage.fed:
                self.call(lay_out_fed, self.fed_matrix(number), transposed, float(scale), side.cut, target)
            else:
                matrix = self.view([[number]]).array(self.buffers)[0, 0, 0]
                self.call(lay_out, matrix, transposed, float(scale), side.cut, target)
        return made

    def fed_matrix(self, number: int) -> FedMatrix:
        """What is fed for a matrix that has no place."""
        return self._fed.setdefault(number, FedMatrix(number))

    def scratch(self, purpose: str, shape: tuple[int, ...]) -> Array:
        """Room for a value that the next calls consume; for another purpose it is another room."""
        if (purpose, shape) not in self._scratch:
            self._scratch[purpose, shape] = np.zeros(shape, self.dtype)
        return self._scratch[purpose, shape]
