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
from .strides import Strided, collapsed


def emit(e: Emitter, rows: Rows) -> None:
    """Append all calls of one batch."""
    for part in e.parts(rows):
        e.current = part
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
    signs: tuple[int, ...] = item.attrs
    grids = [e.slot(rows, s) for s in range(len(signs))]
    there = [s for s, grid in enumerate(grids) if e.same_place(grid, rows)]  # a term in the place of the result
    for s in there:
        signs = signs[:s] + signs[s + 1 :]
        del grids[s]
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
        rest = e.scratch(out.shape)
        e.call(np.add.reduce, source, 0, None, rest)
        e.call(np.add, target, rest, target)
    else:
        e.call(np.add.reduce, source, 0, None, target)


def _apply(e: Emitter, rows: Rows, item: Item) -> None:
    out = e.view(rows)
    flat = out.merged(1, 3)
    _matrices_times(e, rows, out.array(e.buffers), None if flat is None else flat.array(e.buffers))


def _matrices_times(e: Emitter, rows: Rows, out: Array, flat_out: Array | None) -> None:
    """The product of each row's matrix with its vectors; the result with axes (row, member, batch), or two as one."""
    matrices, x = _right_sides(e, rows), e.view(e.slot(rows, e.items[rows[0][0]].read_slots[-1]))
    flat_x = x.merged(1, 3)
    if flat_x is None or flat_out is None:
        e.call(np.matmul, x.array(e.buffers), matrices[:, None], out)
        return
    left = flat_x.array(e.buffers)
    if len(rows) == 1:
        e.call(np.dot if flat_out.flags.c_contiguous else np.matmul, left[0], matrices[0], flat_out[0])
    else:
        e.call(np.matmul, left[0] if x.strides[0] == 0 else left, matrices, flat_out)


def _right_sides(e: Emitter, rows: Rows) -> Array:
    return e.matrices(tuple((e.items[row[0]].args[-2], *e.items[row[0]].attrs) for row in rows))


def blas(name: str, dtype: Any) -> Callable[..., Any]:
    """BLAS's own C = alpha A B + beta C, for column-major arrays, of two matrices or with a vector as B.

    The arguments that follow C say where vectors begin and step, that nothing is transposed, and that C may be
    overwritten. NumPy has no product that adds.
    """
    from scipy.linalg.blas import dgemm, dgemv, sgemm, sgemv

    functions = {"gemm": {"float32": sgemm, "float64": dgemm}, "gemv": {"float32": sgemv, "float64": dgemv}}
    return functions[name][dtype.name]  # type: ignore[no-any-return]


SMALL = 1 << 19  # multiplications: up to there a call of BLAS itself is the faster one, with the sum for nothing


def _plus(e: Emitter, rows: Rows, item: Item) -> None:
    """e + M x: by BLAS into the place of e, C = A B + C; or in two calls."""
    x, out, terms = e.view(e.slot(rows, 2)), e.view(rows), e.slot(rows, 0)
    flat_x, flat_out = x.merged(1, 3), out.merged(1, 3)
    if flat_x is None or flat_out is None or prod(flat_x.shape[1:]) * item.shape[0] > SMALL or 0 in flat_out.shape:
        room = e.scratch(out.shape)
        _matrices_times(e, rows, room, room.reshape(len(rows), -1, *item.shape))
        e.call(np.add, e.view(terms).array(e.buffers), room, out.array(e.buffers))
        return
    if not e.same_place(terms, rows):
        e.elementwise(np.positive, rows, [terms])
    left, right = flat_x.array(e.buffers), flat_out.array(e.buffers)
    for matrix, vectors, target in zip(_right_sides(e, rows), left, right, strict=True):
        assert target.flags.c_contiguous  # else the sum would go into a copy
        if len(target) == 1:
            e.call(blas("gemv", e.dtype), 1.0, matrix.T, vectors[0], 1.0, target[0], 0, 1, 0, 1, 0, 1)
        else:
            e.call(blas("gemm", e.dtype), 1.0, matrix.T, vectors.T, 1.0, target.T, 0, 0, 1)


def _joined(e: Emitter, rows: Rows, item: Item) -> None:
    """[x_1 x_2 ...] [M_1; M_2; ...]: the vectors are brought side by side, then it is one product."""
    places = e.storage.places
    for row in rows:
        one = e.items[row[0]]
        order = sorted(range(len(one.attrs)), key=lambda k: places[one.args[2 * k]].offset)
        stacked, out = e.matrices(tuple((one.args[2 * k], *one.attrs[k]) for k in order)), e.view([row])
        count, length, _ = stacked.shape
        room = e.scratch((len(row), e.batch if item.batched else 1, count, length))
        for k, slot in enumerate(order):
            e.call(np.copyto, room[:, :, k], e.view(e.slot([row], 2 * slot + 1)).array(e.buffers)[0])
        flat = out.merged(1, 3)
        matrix, side = stacked.reshape(-1, stacked.shape[-1]), (*room.shape[:2], -1)
        if flat is None:
            e.call(np.matmul, room.reshape(side), matrix, out.array(e.buffers)[0])
        else:
            e.call(np.matmul, room.reshape(-1, len(matrix)), matrix, flat.array(e.buffers)[0])


def _outers(e: Emitter, rows: Rows, item: Item) -> None:
    """D^T X over all terms and examples, for all rows at once; a first product, then others added to it."""
    out = e.view(rows).array(e.buffers)[:, 0, 0]
    pairs = sorted(
        ([[e.items[row[0]].args[2 * k]] for row in rows], e.items[rows[0][0]].args[2 * k + 1])
        for k in range(len(item.args) // 2)
    )
    places = e.storage.places
    pairs.sort(key=lambda pair: (places[pair[0][0][0]].buffer, places[pair[0][0][0]].offset))
    for start, stop in _pair_runs(e, pairs):
        d_rows = [[pair[0][r][0] for pair in pairs[start:stop]] for r in range(len(rows))]
        x_row = [[pair[1] for pair in pairs[start:stop]]]
        _outer_product(e, out, e.view(d_rows), e.view(x_row), start == 0)


def _pair_runs(e: Emitter, pairs: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Where both sides of the pairs stand in steady places."""
    places = e.storage.places
    start, known = 0, None
    for k in range(1, len(pairs) + 1):
        move = None
        if k < len(pairs):
            both = [
                (places[a], places[b])
                for a, b in [
                    *zip((r[0] for r in pairs[k - 1][0]), (r[0] for r in pairs[k][0]), strict=True),
                    (pairs[k - 1][1], pairs[k][1]),
                ]
            ]
            if all(a.buffer == b.buffer for a, b in both):
                move = tuple(b.offset - a.offset for a, b in both)
        if move is None or (known is not None and move != known):
            yield start, k
            start, known = k, None
        else:
            known = move


def _outer_product(e: Emitter, out: Array, d: Strided, x: Strided, first: bool) -> None:
    flat_d, flat_x = d.merged(1, 3), x.merged(1, 3)
    target = out if first else e.scratch(out.shape)
    if flat_d is not None and flat_x is not None:
        left, right = flat_d.array(e.buffers), flat_x.array(e.buffers)[0]
        if len(left) == 1:
            e.call(np.matmul, left[0].T, right, target[0])
        else:
            e.call(np.matmul, left.transpose(0, 2, 1), right, target)
    else:
        e.call(_gathered_outer, d.array(e.buffers), x.array(e.buffers), target)
    if not first:
        e.call(np.add, out, target, out)


def _gathered_outer(d: Array, x: Array, out: Array) -> None:
    left = d.reshape(len(d), -1, d.shape[-1])
    np.matmul(left.transpose(0, 2, 1), x.reshape(-1, x.shape[-1]), out)


def _totals(e: Emitter, rows: Rows, item: Item) -> None:
    out = e.view(rows)
    places = e.storage.places
    result = out.array(e.buffers)[:, 0, 0]
    terms = [[[e.items[row[0]].args[k]] for row in rows] for k in range(len(item.args))]
    terms.sort(key=lambda grid: (places[grid[0][0]].buffer, places[grid[0][0]].offset))
    pairs = [(grid, grid[0][0]) for grid in terms]
    for start, stop in _pair_runs(e, pairs):
        d = e.view([[terms[k][r][0] for k in range(start, stop)] for r in range(len(rows))])
        target = result if start == 0 else e.scratch(result.shape)
        _total(e, d, target)
        if start:
            e.call(np.add, result, target, result)


def _total(e: Emitter, d: Strided, target: Array) -> None:
    """Over members and batch: as a product with ones, which is faster than a sum, where the values stand in a row."""
    flat = d.merged(1, 3)
    if flat is not None and len(flat.shape) == 3:
        ones = np.ones((1, flat.shape[1]), e.dtype)
        e.call(np.matmul, ones, flat.array(e.buffers), target[:, None])
    else:
        e.call(np.add.reduce, d.array(e.buffers), (1, 2), None, target)


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
    APPLY: _apply,
    PLUS: _plus,
    JOINED: _joined,
    OUTERS: _outers,
    TOTALS: _totals,
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
