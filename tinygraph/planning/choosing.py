"""Kernels of what is chosen among classes: the logarithm of a softmax, one entry of a vector by an integer, one-hot.

A cross-entropy is -log_softmax(scores)[target], and the softmax that its gradient needs is exp(log_softmax(scores)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..execute.arrays import NumpyArrays
from .emission import Array, Emitter, Rows
from .items import Item
from .strides import Strided

FEW, MANY = 16, 32  # entries of a vector, which then is a line of the cache; and vectors for each
LAST = (("axis", (-1,)),)  # attrs of what runs along the last axis


def log_softmax(e: Emitter, rows: Rows, item: Item) -> None:
    """x - max x - log sum exp(x - max x), along the last axis."""
    x, out = e.arrays([e.view(e.slot(rows, 0)), e.view(rows)])
    room, one = e.scratch("exponentials", out.shape), e.scratch("sums", (*out.shape[:-1], 1))
    ones = np.ones((out.shape[-1], 1), e.dtype)
    _largest(e, x, one[..., 0])
    e.call(np.subtract, x, one, out)
    e.call(np.exp, out, room)
    e.call(np.matmul, room.reshape(-1, len(ones)), ones, one.reshape(-1, 1))  # a sum, but faster
    e.call(np.log, one, one)
    e.call(np.subtract, out, one, out)


def _largest(e: Emitter, x: Array, out: Array) -> None:
    """The maximum along the last axis: of many short vectors entry by entry, as NumPy's own starts anew for each."""
    entries = x.shape[-1]
    if not 1 < entries <= FEW or out.size < MANY * entries:
        e.call(np.maximum.reduce, x, -1, None, out)
        return
    e.call(_larger, x[..., 0], x[..., 1], out)
    for k in range(2, entries):
        e.call(_larger, out, x[..., k], out)


def _larger(a: Array, b: Array, out: Array) -> None:
    np.maximum(a, b, out=out)  # which takes no third argument by its place


def chosen(e: Emitter, rows: Rows, item: Item) -> None:
    """The entry of a vector that an integer chooses."""
    vectors, out = e.view(e.slot(rows, 0)), e.view(rows).array(e.buffers)
    places = _chosen_places(e, rows, vectors, out.shape)
    e.call(np.take, e.buffers[vectors.buffer], places, None, out, "clip")


def one_hot(e: Emitter, rows: Rows, item: Item) -> None:
    """Zeros, and a 1 where the integer says."""
    out = e.view(rows)
    e.call(np.copyto, out.array(e.buffers), np.zeros((), e.dtype))
    e.call(np.put, e.buffers[out.buffer], _chosen_places(e, rows, out, out.shape[:-1]), np.ones((), e.dtype))


def _chosen_places(e: Emitter, rows: Rows, vectors: Strided, shape: tuple[int, ...]) -> Array:
    """Where in their buffer the entries are that the last operand chooses, one of each vector."""
    first = np.array(vectors.offset)
    for n, stride in zip(vectors.shape[:-1], vectors.strides[:-1], strict=True):
        first = first[..., None] + stride * np.arange(n)
    places = np.zeros(shape, np.int64)
    integers = e.slot(rows, len(e.items[rows[0][0]].args) - 1)
    number, once = e.view(integers).array(e.buffers), (*map(tuple, integers), vectors.shape[-1])
    e.call(np.add if once in e.checked else _Place(e.xp, vectors.shape[-1]), first, number, places)
    e.checked.add(once)
    return places


@dataclass(slots=True)
class _Place:
    """The place of the first entry and a number below `size`. Raises `ValueRangeError`, as the interpreter does."""

    xp: NumpyArrays
    size: int

    @property
    def name(self) -> str:
        """What an explanation calls it."""
        return "place"

    def __call__(self, first: Array, number: Array, out: Array) -> None:
        np.add(first, self.xp.checked_index(number, self.size), out)
