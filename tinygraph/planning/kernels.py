"""Kernels: how a batch of each operation is computed, as calls with `out=`. A new one is one function and one entry.

Each takes a part whose operands stand in steady places (see `emission`), but for the terms of sums over time,
which may stand anywhere. What has no kernel runs by its row of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..execute.arrays import NumpyArrays
from .choosing import LAST, chosen, log_softmax, one_hot
from .emission import Array, Emitter, Rows
from .items import APPLY, CHOSEN, FIRST, HALF_SIGMOID, JOINED, OUTERS, PLUS, PRODUCT, SCALED, SPREAD, SUM, TOTALS, Item
from .products import apply, joined, outer, outers, plus, totals
from .strides import Strided, collapsed


def emit(e: Emitter, rows: Rows) -> None:
    """Append all calls of one batch."""
    for part in e.parts(rows):
        e.current, e.whole = part, len(part) * len(part[0]) == len(rows) * len(rows[0])
        item = e.items[part[0][0]]
        kernel = KERNELS.get(item.op) or (_ufunc if item.op in UFUNCS else _table)
        kernel(e, part, item)


def _tanh(e: Emitter, rows: Rows, item: Item) -> None:
    """tanh, and 1 / (1 + exp(-2a)) = (1 + tanh a) / 2."""
    e.elementwise(np.tanh, rows, [e.slot(rows, 0)])
    for start, stop in _stretches([e.items[row[0]].op == HALF_SIGMOID for row in rows]):
        (out,) = e.arrays(collapsed([e.view(rows[start:stop])]))
        e.call(np.multiply, out, e.half, out)
        e.call(np.add, out, e.half, out)


def _stretches(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    start = None
    for k, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = k
        elif not flag and start is not None:
            yield start, k
            start = None


def _sigmoid(e: Emitter, rows: Rows, item: Item) -> None:
    rank = len(item.shape)
    x, out = e.arrays(collapsed([e.view(e.slot(rows, 0), rank), e.view(rows)]))
    e.call(np.multiply, x, e.half, out)
    e.call(np.tanh, out, out)
    e.call(np.multiply, out, e.half, out)
    e.call(np.add, out, e.half, out)


def _product(e: Emitter, rows: Rows, item: Item) -> None:
    """One factor may stand in the place of the result already."""
    first, *others = sorted(
        (e.slot(rows, s) for s in range(len(item.args))), key=lambda grid: not e.same_place(grid, rows)
    )
    for other in others:
        e.elementwise(np.multiply, rows, [first, other])
        first = rows


def _sum(e: Emitter, rows: Rows, item: Item) -> None:
    """Terms that stand in steady places are added up in one call, the others one by one."""
    terms = [(e.slot(rows, s), sign) for s, sign in enumerate(item.attrs)]
    rest = [(grid, sign) for grid, sign in terms if not e.same_place(grid, rows)]
    there = [sign for grid, sign in terms if e.same_place(grid, rows)]  # of a term in the place of the result
    if there == [-1]:
        e.elementwise(np.subtract, rows, [rest.pop(0)[0], rows])
    grids, signs = [grid for grid, _ in rest], [sign for _, sign in rest]
    runs = list(_stacks(e, grids, signs, item))
    stacks = [grids[start:stop] for start, stop in runs if stop - start > 1]
    single = [(grids[start], signs[start]) for start, stop in runs if stop - start == 1]
    for number, stack in enumerate(stacks):
        _add_up(e, rows, stack, bool(there) or number > 0)
    if not stacks and not there:
        first, sign = single.pop(0)
        if sign == 1 and single:
            other, sign = single.pop(0)
            e.elementwise(np.add if sign == 1 else np.subtract, rows, [first, other])
        else:
            e.elementwise(np.positive if sign == 1 else np.negative, rows, [first])
    for grid, sign in single:
        e.elementwise(np.add if sign == 1 else np.subtract, rows, [rows, grid])


def _stacks(e: Emitter, grids: Sequence[Rows], signs: Sequence[int], item: Item) -> Iterator[tuple[int, int]]:
    """Runs of three or more positive terms of the result's own shape whose places grow steadily; else single terms."""
    start = 0
    while start < len(grids):
        stop = start
        while stop < len(grids) and _stackable(e, grids, signs, item, start, stop):
            stop += 1
        if stop - start > 2:
            yield start, stop
            start = stop
        else:
            yield start, start + 1
            start += 1


def _stackable(e: Emitter, grids: Sequence[Rows], signs: Sequence[int], item: Item, start: int, stop: int) -> bool:
    one, places = e.items[grids[stop][0][0]], e.storage.places
    at = [places[grids[k][0][0]] for k in dict.fromkeys((start, min(start + 1, stop), max(stop - 1, start), stop))]
    same = signs[stop] == 1 and one.shape == item.shape and one.batched == item.batched
    steady = len({p.buffer for p in at}) == 1 and (
        stop - start < 2 or at[-1].offset - at[-2].offset == at[1].offset - at[0].offset
    )
    return same and steady and e.steps(grids[stop]) == e.steps(grids[start])


def _add_up(e: Emitter, rows: Rows, grids: Sequence[Rows], done: bool) -> None:
    first, second = e.view(grids[0]), e.view(grids[1])
    out = e.view(rows)
    stacked = Strided(
        first.buffer, first.offset, (len(grids), *first.shape), (second.offset - first.offset, *first.strides)
    )
    source, target = stacked.array(e.buffers), out.array(e.buffers)
    if done:
        rest = e.scratch("sum", out.shape)
        e.call(np.add.reduce, source, 0, None, rest)
        e.call(np.add, target, rest, target)
    else:
        e.call(np.add.reduce, source, 0, None, target)


def _copy(e: Emitter, rows: Rows, item: Item) -> None:
    source, out = e.view(e.slot(rows, 0), len(item.shape)).array(e.buffers), e.view(rows).array(e.buffers)
    e.call(np.copyto, out, source[:, :, :1] if item.op == FIRST else source)


def _scaled(e: Emitter, rows: Rows, item: Item) -> None:
    x, out = e.arrays(collapsed([e.view(e.slot(rows, 0)), e.view(rows)]))
    e.call(np.multiply, x, np.array(float(item.attrs), e.dtype), out)


def _mean_batch(e: Emitter, rows: Rows, item: Item) -> None:
    x, out = e.view(e.slot(rows, 0)).array(e.buffers), e.view(rows).array(e.buffers)
    if x.shape[2] == 1:
        e.call(np.copyto, out, x)
        return
    e.call(np.add.reduce, x, 2, None, out[:, :, 0])
    e.call(np.multiply, out, np.array(1 / x.shape[2], e.dtype), out)


def _batch_size(e: Emitter, rows: Rows, item: Item) -> None:
    e.call(np.copyto, e.view(rows).array(e.buffers), np.array(e.batch, e.dtype))


def _reshape(e: Emitter, rows: Rows, item: Item) -> None:
    """A copy, as the elements of one value stand in a row."""
    x, out = (view.flat(3).array(e.buffers) for view in (e.view(e.slot(rows, 0)), e.view(rows)))
    e.call(np.copyto, out, x)


def _ufunc(e: Emitter, rows: Rows, item: Item) -> None:
    e.elementwise(UFUNCS[item.op], rows, [e.slot(rows, s) for s in range(len(item.args))])


def _table(e: Emitter, rows: Rows, item: Item) -> None:
    """Any row of the table by its own `run`, rows and members taken for examples."""
    operands = [
        e.view(e.slot(rows, s), len(item.shape) if item.node.op.elementwise else None) for s in range(len(item.args))
    ]
    numbers = [e.items[i] for i in item.args]
    varying = [not n.batched and any(view.strides[:2]) for n, view in zip(numbers, operands, strict=True)]
    if len(rows) * len(rows[0]) > 1 and (any(varying) or not item.batched):
        for i in (i for row in rows for i in row):
            _table(e, [[i]], e.items[i])
        return
    out = e.view(rows).array(e.buffers)
    e.call(_Row(item, e.xp, [n.batched for n in numbers]), e.arrays(operands), out)


@dataclass(slots=True)
class _Row:
    """A row's `run` on arrays (row, member, batch, *shape)."""

    item: Item
    xp: NumpyArrays
    batched: list[bool]
    same_for_a_class: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """What an explanation calls it."""
        return self.item.node.op.name

    def __call__(self, arrays: Sequence[Array], out: Array) -> None:
        operands = [
            array.reshape(prod(array.shape[:3]), *array.shape[3:]) if batched else array[0, 0, 0]
            for array, batched in zip(arrays, self.batched, strict=True)
        ]
        np.copyto(out, np.asarray(self.item.node.op.run(self.xp, self.item.node, *operands)).reshape(out.shape))


def _log_softmax(e: Emitter, rows: Rows, item: Item) -> None:
    (log_softmax if item.attrs == LAST else _table)(e, rows, item)


def _one_hot(e: Emitter, rows: Rows, item: Item) -> None:
    (one_hot if dict(item.attrs)["axis"] == -1 else _table)(e, rows, item)


UFUNCS: dict[str, Callable[..., Any]] = {
    "div": np.divide, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos,
}  # fmt: skip
KERNELS: dict[str, Callable[[Emitter, Rows, Item], None]] = {
    "tanh": _tanh,
    HALF_SIGMOID: _tanh,
    "sigmoid": _sigmoid,
    SUM: _sum,
    PRODUCT: _product,
    APPLY: apply,
    PLUS: plus,
    JOINED: joined,
    "outer": outer,
    OUTERS: outers,
    TOTALS: totals,
    SPREAD: _copy,
    FIRST: _copy,
    SCALED: _scaled,
    CHOSEN: chosen,
    "log_softmax": _log_softmax,
    "one_hot": _one_hot,
    "mean_batch": _mean_batch,
    "batch_size": _batch_size,
    "reshape": _reshape,
}
