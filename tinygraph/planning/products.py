"""Kernels of products: matrices times vectors, sums of outer products, and sums over time and the batch.

Axes of views are (row, member, batch, ...); what stands in a row over members and batch is one matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .cuts import MOST, SMALL
from .emission import Array, Emitter, Rows
from .items import Item
from .sides import Side, joined_side, side_of
from .strides import Strided


def apply(e: Emitter, rows: Rows, item: Item) -> None:
    out, side = e.view(rows), e.side(side_of(e.items, rows, e.batch))
    flat = out.merged(1, 3)
    arrays = out.array(e.buffers), None if flat is None else flat.array(e.buffers)
    _matrices_times(e, side, e.view(e.slot(rows, 1)), *arrays)


def _matrices_times(e: Emitter, side: Side, x: Strided, out: Array, flat_out: Array | None) -> None:
    """The product of each row's matrix with its vectors; the result with axes (row, member, batch), or two as one."""
    flat_x = x.merged(1, 3)
    if flat_x is None or flat_out is None:
        e.call(np.matmul, x.array(e.buffers), e.uncut(side)[:, None], out)
        return
    left = flat_x.array(e.buffers)
    if side.cut:
        _in_blocks(e, left[:1] if x.strides[0] == 0 else left, e.matrices(side), flat_out)
    elif len(side.matrices) == 1:
        e.call(np.dot if flat_out.flags.c_contiguous else np.matmul, left[0], e.matrices(side)[0], flat_out[0])
    else:
        e.call(np.matmul, left[0] if x.strides[0] == 0 else left, e.matrices(side), flat_out)


def _in_blocks(e: Emitter, left: Array, blocks: Array, out: Array) -> None:
    """(k, rows, in) times (k, pieces, blocks, in / pieces, width), all at once, as (k, rows, out).

    Where `out` lacks the first axis the products are added up over it, as they are over the pieces.
    """
    count, pieces, across, inner, width = blocks.shape
    rows = left.shape[1]
    vectors = left.reshape(len(left), rows, pieces, 1, inner).transpose(0, 2, 3, 1, 4)
    added = pieces > 1 or out.ndim == 2
    room = e.scratch("pieces", (count, pieces, rows, across * width)) if added else out[:, None]
    e.call(np.matmul, vectors, blocks, room.reshape(count, pieces, rows, across, width).swapaxes(2, 3))
    if out.ndim == 2:
        e.call(np.add.reduce, room.reshape(-1, *out.shape), 0, None, out)
    elif added:
        e.call(np.add.reduce, room, 1, None, out)


def blas(name: str, dtype: Any) -> Callable[..., Any]:
    """BLAS's own C = alpha A B + beta C, for column-major arrays, of two matrices or with a vector as B.

    The arguments that follow C say where vectors begin and step, that nothing is transposed, and that C may be
    overwritten. NumPy has no product that adds.
    """
    from scipy.linalg.blas import dgemm, dgemv, sgemm, sgemv

    functions = {"gemm": {"float32": sgemm, "float64": dgemm}, "gemv": {"float32": sgemv, "float64": dgemv}}
    return functions[name][dtype.name]  # type: ignore[no-any-return]


def plus(e: Emitter, rows: Rows, item: Item) -> None:
    """e + M x + ..., one by one: short ones by BLAS into the place of e, C = A B + C; else in two calls each."""
    for number in range(len(item.matrices)):
        _add_product(e, rows, number, rows if number else e.slot(rows, 0))


def _add_product(e: Emitter, rows: Rows, number: int, terms: Rows) -> None:
    x, view, item = e.view(e.slot(rows, 2 * number + 2)), e.view(rows), e.items[rows[0][0]]
    side, there = e.side(side_of(e.items, rows, e.batch, number)), e.same_place(terms, rows)
    flat_x, flat = x.merged(1, 3), view.merged(1, 3)
    out, targets = view.array(e.buffers), None if flat is None else flat.array(e.buffers)
    if flat_x is not None and targets is not None and not side.cut and _short(flat_x.array(e.buffers)[0], targets[0]):
        if not there:
            e.call(np.copyto, out, e.view(terms, len(item.shape)).array(e.buffers))
        for matrix, vectors, target in zip(e.matrices(side), flat_x.array(e.buffers), targets, strict=True):
            _multiply_and_add(e, vectors, matrix, target)
    else:
        room = e.scratch("product", out.shape) if there else out
        _matrices_times(e, side, x, room, room.reshape(len(rows), -1, *item.shape) if there else targets)
        e.call(np.add, e.view(terms, len(item.shape)).array(e.buffers), room, out)


def _short(vectors: Array, target: Array) -> bool:
    """Whether a product may be left to SciPy's BLAS: its threads would stand in the way of those of NumPy's own.

    The elements of the target must stand in a row, else the sum would go into a copy of it.
    """
    return 0 < target.size * vectors.shape[-1] <= SMALL and target.flags.c_contiguous


def _multiply_and_add(e: Emitter, vectors: Array, matrix: Array, target: Array) -> None:
    if not _short(vectors, target):
        room = e.scratch("product", target.shape)
        e.call(np.matmul, vectors, matrix, room)
        e.call(np.add, target, room, target)
    elif len(target) == 1:
        e.call(blas("gemv", e.dtype), 1.0, matrix.T, vectors[0], 1.0, target[0], 0, 1, 0, 1, 0, 1)
    else:
        e.call(blas("gemm", e.dtype), 1.0, matrix.T, vectors.T, 1.0, target.T, 0, 0, 1)


def joined(e: Emitter, rows: Rows, item: Item) -> None:
    """[x_1 x_2 ...] [M_1; M_2; ...]: the vectors are brought side by side, then it is one product.

    Cut matrices are multiplied all at once; and if the vectors are many, one after the other.
    """
    for row in rows:
        wanted, order = joined_side(e.items, row, e.storage.places, e.batch)
        side = e.side(wanted)
        vectors, out = [e.slot([row], 2 * k + 1)[0] for k in order], e.view([row])
        flat = out.merged(1, 3)
        if side.cut and flat is not None:
            _in_blocks(e, _one_by_one(e, vectors), e.matrices(side), flat.array(e.buffers)[0])
            continue
        stacked = e.uncut(side)
        if flat is not None and flat.shape[1] > MOST:
            _one_after_the_other(e, vectors, stacked, flat.array(e.buffers)[0])
            continue
        room, matrix = _side_by_side(e, vectors), stacked.reshape(-1, stacked.shape[-1])
        if flat is None:
            e.call(np.matmul, room, matrix, out.array(e.buffers)[0])
        else:
            e.call(np.matmul, room.reshape(-1, len(matrix)), matrix, flat.array(e.buffers)[0])


def _one_after_the_other(e: Emitter, vectors: Rows, stacked: Array, out: Array) -> None:
    for number, (row, matrix) in enumerate(zip(vectors, stacked, strict=True)):
        view = e.view([row])
        flat = view.merged(1, 3)
        array = flat.array(e.buffers)[0] if flat is not None else _side_by_side(e, [row]).reshape(-1, view.shape[-1])
        if number:
            _multiply_and_add(e, array, matrix, out)
        else:
            e.call(np.matmul, array, matrix, out)


def _one_by_one(e: Emitter, vectors: Rows) -> Array:
    """(k, vectors, length): as they stand, if they do so steadily."""
    flat = e.view(vectors).merged(1, 3) if e.steady(vectors) else None
    if flat is not None:
        return flat.array(e.buffers)
    first = e.view(vectors[:1]).array(e.buffers)
    room = e.scratch("vectors", (len(vectors), *first.shape[1:]))
    for target, row in zip(room, vectors, strict=True):
        e.call(np.copyto, target, e.view([row]).array(e.buffers)[0])
    return room.reshape(len(vectors), -1, first.shape[-1])


def _side_by_side(e: Emitter, vectors: Rows) -> Array:
    """(member, batch, k length), a copy."""
    first = e.view(vectors[:1]).array(e.buffers)[0]
    room = e.scratch("vectors", (*first.shape[:2], len(vectors), first.shape[-1]))
    for k, row in enumerate(vectors):
        e.call(np.copyto, room[:, :, k], e.view([row]).array(e.buffers)[0])
    return room.reshape(*first.shape[:2], -1)


def outer(e: Emitter, rows: Rows, item: Item) -> None:
    """a b^T of each example: as a term of a sum it has the sum's node, so its row of the table would not do."""
    a, b = (e.view(e.slot(rows, s)).array(e.buffers) for s in (0, 1))
    e.call(np.multiply, a[..., :, None], b[..., None, :], e.view(rows).array(e.buffers))


def outers(e: Emitter, rows: Rows, item: Item) -> None:
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
    target = out if first else e.scratch("outer", out.shape)
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


def totals(e: Emitter, rows: Rows, item: Item) -> None:
    out = e.view(rows)
    places = e.storage.places
    result = out.array(e.buffers)[:, 0, 0]
    terms = [[[e.items[row[0]].args[k]] for row in rows] for k in range(len(item.args))]
    terms.sort(key=lambda grid: (places[grid[0][0]].buffer, places[grid[0][0]].offset))
    pairs = [(grid, grid[0][0]) for grid in terms]
    for start, stop in _pair_runs(e, pairs):
        d = e.view([[terms[k][r][0] for k in range(start, stop)] for r in range(len(rows))])
        target = result if start == 0 else e.scratch("total", result.shape)
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
