"""Repeats: the batches of a recurrence are alike from step to step, and so are their calls.

Three steps are emitted one by one. Where the places of all that the next ones compute and read go on by the same
amounts, their calls are those of the third with each array moved on as from the second to the third. What does
not fit that, such as the ends of a sequence, is emitted one by one too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np

from .batches import Batch
from .classes import Classes
from .emission import Array, Call, Emitter, Rows
from .kernels import emit

SHOWN = 3  # batches that are emitted one by one: the first may have calls that make things ready for all
WORTH = 2 * SHOWN  # batches of a stretch from which the rest is worth being moved on


@dataclass(slots=True)
class _Stretch:
    """Numbers of batches of one kind whose places grow steadily, and the calls of those that were met."""

    numbers: list[int]
    met: list[list[Call]] = field(default_factory=list)
    rest: Iterator[list[Call]] | None = None


def emit_all(e: Emitter, classes: Classes, batches: Sequence[Batch], before: Mapping[int, Sequence[Call]]) -> None:
    """Append the calls of all batches, in order; and, by number of a batch, others before them."""
    places = e.storage.places
    offsets = np.array([place.offset for place in places])
    buffers = np.array([place.buffer for place in places])
    stretch_of = {n: stretch for stretch in _stretches(classes, batches, offsets, buffers) for n in stretch.numbers}
    for number, batch in enumerate(batches):
        e.calls += before.get(number, ())
        stretch = stretch_of.get(number)
        if stretch is not None and len(stretch.met) == SHOWN:
            if stretch.rest is None:
                rows = [batches[n].rows for n in stretch.numbers[SHOWN - 1 :]]
                stretch.rest = _moved_on(e.room, stretch.met[-2], stretch.met[-1], rows)
            calls = next(stretch.rest, None)
            if calls is not None:
                e.calls += calls
                continue
        start = len(e.calls)
        emit(e, batch.rows)
        if stretch is not None and len(stretch.met) < SHOWN:
            stretch.met.append(e.calls[start:])


def _stretches(classes: Classes, batches: Sequence[Batch], offsets: Array, buffers: Array) -> Iterator[_Stretch]:
    """Batches of recurrences that compute the same classes from the same classes, in places that grow steadily."""
    items, of = classes.items, classes.of
    alike: dict[tuple[Any, ...], tuple[list[int], list[list[int]]]] = {}
    for number, batch in enumerate(batches):
        if batch.recurrence >= 0:
            everything = [i for row in batch.rows for one in row for i in (one, *items[one].args)]
            kind = (tuple(map(len, batch.rows)), tuple([of[i] for i in everything]))
            numbers, read = alike.setdefault(kind, ([], []))
            numbers.append(number)
            read.append(everything)
    for numbers, read in alike.values():
        if len(numbers) >= WORTH:
            chosen = np.array(read)
            for start, stop in _steady(offsets[chosen], buffers[chosen]):
                yield _Stretch(numbers[start:stop])


def _steady(offsets: Array, buffers: Array) -> Iterator[tuple[int, int]]:
    """Where every column grows by a step of its own and stays in its buffer, with all in one order throughout."""
    moves = np.hstack([np.diff(offsets, axis=0), np.diff(buffers, axis=0)])
    changes = np.flatnonzero(np.any(moves[1:] != moves[:-1], axis=1)) + 1
    for start, stop in zip([0, *changes], [*changes, len(moves)], strict=True):
        first, last = offsets[start], offsets[stop]
        same_buffer = buffers[start][:, None] == buffers[start]
        order = np.sign(first[:, None] - first) == np.sign(last[:, None] - last)
        stays = not np.any(moves[start, offsets.shape[1] :])
        if stop + 1 - start >= WORTH and stays and np.all(order | ~same_buffer):
            yield int(start), int(stop) + 1


def _moved_on(room: Array, before: list[Call], last: list[Call], rows: Sequence[Rows]) -> Iterator[list[Call]]:
    """The calls of the batches after the last one, nothing if they cannot be told; `rows` of the last and of those."""
    if len(before) != len(last) or not all(_same_work(a, b) for a, b in zip(before, last, strict=True)):
        return
    count = len(rows) - 1
    arguments = []
    for a, b in zip(before, last, strict=True):
        moved = [_argument(room, x, y, count) for x, y in zip(a.args, b.args, strict=True)]
        if any(one is None for one in moved):
            return
        arguments.append(zip(*moved, strict=False))
    spot = {i: (r, m) for r, row in enumerate(rows[0]) for m, i in enumerate(row)}
    spots = [[[spot[i] for i in row] for row in call.items] for call in last]
    functions = [call.function for call in last]
    for own in rows[1:]:
        yield [
            Call(function, next(args), [[own[r][m] for r, m in row] for row in computed])
            for function, args, computed in zip(functions, arguments, spots, strict=True)
        ]


def _same_work(a: Call, b: Call) -> bool:
    """One function, or two of a kind that do the same for every item of a class."""
    same = a.function == b.function or getattr(a.function, "same_for_a_class", False)
    return same and type(a.function) is type(b.function) and len(a.args) == len(b.args)


def _argument(room: Array, a: Any, b: Any, count: int) -> Any:
    """An argument of each of the next `count` calls, from those of two calls; None if it cannot be told."""
    if isinstance(b, list):
        inner = [_argument(room, x, y, count) for x, y in zip(a, b, strict=True)]
        return None if any(one is None for one in inner) else map(list, zip(*inner, strict=False))
    if not isinstance(b, np.ndarray):
        return repeat(b) if type(a) is type(b) and a == b else None
    if a is b:
        return repeat(b)
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return None
    base = room.ctypes.data
    start, move = b.ctypes.data, b.ctypes.data - a.ctypes.data
    if not move and a.strides == b.strides:
        return repeat(b)
    if not base <= start < base + room.nbytes:  # not the place of an item, but a number of the kernel's own
        return repeat(b) if np.array_equal(a, b) else None
    if a.strides == b.strides and b.shape:
        return list(np.ndarray((count, *b.shape), b.dtype, room, start - base + move, (move, *b.strides)))
    turns = [y - x for x, y in zip(a.strides, b.strides, strict=True)]
    return [
        np.ndarray(
            b.shape, b.dtype, room, start - base + k * move,
            [s + k * turn for s, turn in zip(b.strides, turns, strict=True)],
        )
        for k in range(1, count + 1)
    ]  # fmt: skip
