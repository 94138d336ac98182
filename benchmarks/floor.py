"""The floor: the matrix products that no plan can avoid, alone, in the shapes that the dependencies allow.

With n = T B rows, of each layer: the inputs at once, (n, I) (I, G H); the recurrence T-1 times, since the first state
is zero, (B, H) (H, G H), and back (B, G H) (G H, H); the gradients of W and U at the end, (I, n) (n, G H) and
(H, n-B) (n-B, G H); above other layers (n, G H) (G H, I) down. Of the readout: (n, H) (H, V), (n, V) (V, H) and
(H, n) (n, V). No elementwise work at all.

A product may be done by gates or as a whole, by rows or by columns; whichever is fastest here is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from time import perf_counter

import numpy as np

from .works import Array, Problem, Work

Product = tuple[Array, Array, Array]  # operands and result of numpy.matmul


def products(work: Work) -> Iterator[tuple[int, int, int, int, int]]:
    """(times, rows, inner, columns, gates): the columns, or what is inner on the way back, can be cut by gates."""
    n, wide, hidden = work.steps * work.batch, work.gates * work.hidden, work.hidden
    for layer in range(work.layers):
        inputs = hidden if layer else work.inputs
        yield 1, n, inputs, wide, work.gates
        yield work.steps - 1, work.batch, hidden, wide, work.gates
        yield work.steps - 1, work.batch, wide, hidden, 1
        yield 1, inputs, n, wide, work.gates
        yield 1, hidden, n - work.batch, wide, work.gates
        if layer:
            yield 1, n, wide, inputs, 1
    yield 1, n, hidden, work.outputs, 1
    yield 1, n, work.outputs, hidden, 1
    yield 1, hidden, n, work.outputs, 1


def flops(work: Work) -> int:
    """Of these products."""
    return sum(2 * times * rows * inner * columns for times, rows, inner, columns, _ in products(work))


def floor(given: Problem) -> Callable[[], float]:
    """A step that does all products, and nothing else."""
    calls = [call for times, *sizes in products(given.work) for call in [_fastest(*sizes)] * times]

    def step() -> float:
        for left, right, out in calls:
            np.matmul(left, right, out=out)
        return float("nan")

    return step


@cache
def _fastest(rows: int, inner: int, columns: int, gates: int) -> Product:
    """The fastest way to do a product, by a few trials of each."""
    ways = list(_ways(rows, inner, columns, gates))
    return min(ways, key=_time) if len(ways) > 1 else ways[0]


def _ways(rows: int, inner: int, columns: int, gates: int) -> Iterator[Product]:
    yield _product((rows, inner), (inner, columns))
    if rows > 1:
        yield _product((columns, inner), (inner, rows))
    if gates > 1:
        yield _product((rows, inner), (gates, inner, columns // gates))
        yield _product((gates, columns // gates, inner), (inner, rows))


def _product(left: tuple[int, ...], right: tuple[int, ...]) -> Product:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape, np.float32) for shape in (left, right))
    return a, b, np.matmul(a, b)


def _time(product: Product) -> float:
    left, right, out = product
    found = []
    for _ in range(7):
        start = perf_counter()
        np.matmul(left, right, out=out)
        found.append(perf_counter() - start)
    return min(found)
