"""The array protocol that operations run over, and its NumPy forms.

An operation's `run(xp, ...)` uses only the methods below. `NumpyArrays` gives them for floats,
`ComplexArrays` for the complex step (comparisons look at the real part, products never conjugate),
and `SymbolicArrays` (in `symbolic_arrays`) for SymPy expressions. An instance belongs to one run:
`batch` is the number of examples, or None in a run without a batch axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import ValueRangeError
from ..graph.node import Kind

Value = Any  # an array of the protocol's own type


class NumpyArrays:
    """NumPy arrays of one real dtype; integers stay int64 and booleans bool in every run."""

    def __init__(self, dtype: Any, batch: int | None = None) -> None:
        self.batch = batch
        self.dtypes: dict[Kind, Any] = {
            "real": np.dtype(dtype),
            "integer": np.dtype(np.int64),
            "boolean": np.dtype(bool),
        }

    # Making values
    def array(self, data: Any, kind: Kind) -> Value:
        return np.asarray(data, self.dtypes[kind])

    def full(self, shape: tuple[int, ...], value: int | float | Fraction, kind: Kind) -> Value:
        return np.full(shape, float(value) if isinstance(value, Fraction) else value, self.dtypes[kind])

    def real(self, x: Value) -> Value:
        return np.asarray(x, self.dtypes["real"])

    def one_hot(self, index: Value, size: int, axis: int) -> Value:
        return np.moveaxis(np.eye(size, dtype=self.dtypes["real"])[index], -1, axis)

    # Arithmetic
    def add(self, *values: Value) -> Value:
        total = values[0]
        for value in values[1:]:
            total = np.add(total, value)
        return total

    def subtract(self, a: Value, b: Value) -> Value:
        return np.subtract(a, b)

    def multiply(self, a: Value, b: Value) -> Value:
        return np.multiply(a, b)

    def divide(self, a: Value, b: Value) -> Value:
        return np.divide(a, b)

    def negative(self, x: Value) -> Value:
        return np.negative(x)

    def power(self, x: Value, exponent: int | float | Fraction) -> Value:
        # A negative power of zero is infinite, which Python's ints would refuse.
        return np.power(x, exponent if isinstance(exponent, int) and exponent >= 0 else float(exponent))

    def matmul(self, a: Value, b: Value) -> Value:
        return np.matmul(a, b)

    # Elementwise functions
    def part(self, x: Value) -> Value:
        """What comparisons look at."""
        return x

    def tanh(self, x: Value) -> Value:
        return np.tanh(x)

    def sigmoid(self, x: Value) -> Value:
        positive = self.part(x) >= 0
        e = np.exp(np.where(positive, -x, x))
        return np.where(positive, 1, e) / (1 + e)

    def softplus(self, x: Value) -> Value:
        positive = self.part(x) >= 0
        return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))

    def relu(self, x: Value) -> Value:
        return np.where(self.part(x) > 0, x, np.zeros((), x.dtype))

    def step(self, x: Value) -> Value:
        return self.real(self.part(x) > 0)

    def exp(self, x: Value) -> Value:
        return np.exp(x)

    def log(self, x: Value) -> Value:
        return np.log(x)

    def sqrt(self, x: Value) -> Value:
        return np.sqrt(x)

    def sin(self, x: Value) -> Value:
        return np.sin(x)

    def cos(self, x: Value) -> Value:
        return np.cos(x)

    # Comparisons and choices
    def greater(self, a: Value, b: Value) -> Value:
        return self.part(a) > self.part(b)

    def greater_equal(self, a: Value, b: Value) -> Value:
        return self.part(a) >= self.part(b)

    def less(self, a: Value, b: Value) -> Value:
        return self.part(a) < self.part(b)

    def less_equal(self, a: Value, b: Value) -> Value:
        return self.part(a) <= self.part(b)

    def equal(self, a: Value, b: Value) -> Value:
        return self.part(a) == self.part(b)

    def where(self, condition: Value, a: Value, b: Value) -> Value:
        return np.where(condition, a, b)

    # Reductions; axes are negative
    def sum(self, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
        return np.sum(x, axis=tuple(axes), keepdims=keepdims)

    def sum_axis(self, x: Value, axis: int) -> Value:
        return np.sum(x, axis=axis)

    def max(self, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
        return np.max(x, axis=tuple(axes), keepdims=keepdims)

    def argmax(self, x: Value, axis: int) -> Value:
        return np.argmax(self.part(x), axis=axis)

    def shift(self, x: Value, axes: Sequence[int]) -> Value:
        """What is subtracted before exponentials so that they stay finite: it cancels in exact arithmetic."""
        top = np.max(self.part(x), axis=tuple(axes), keepdims=True)
        return np.where(np.isfinite(top), top, 0)

    def softmax(self, x: Value, axes: Sequence[int]) -> Value:
        e = self.exp(x - self.shift(x, axes))
        return e / np.sum(e, axis=tuple(axes), keepdims=True)

    def log_softmax(self, x: Value, axes: Sequence[int]) -> Value:
        shifted = x - self.shift(x, axes)  # before the logarithm is taken off: large scores keep their digits
        return shifted - self.log(np.sum(self.exp(shifted), axis=tuple(axes), keepdims=True))

    def logsumexp(self, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
        shift = self.shift(x, axes)
        total = self.log(np.sum(self.exp(x - shift), axis=tuple(axes), keepdims=True)) + shift
        return total if keepdims else np.squeeze(total, axis=tuple(axes))

    # Moving entries
    def swap(self, x: Value) -> Value:
        return np.swapaxes(x, -1, -2)

    def transpose(self, x: Value, axes: Sequence[int]) -> Value:
        front = range(x.ndim - len(axes))
        return np.transpose(x, (*front, *(x.ndim + axis for axis in axes)))

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Value:
        return np.reshape(x, shape)

    def broadcast_to(self, x: Value, shape: tuple[int, ...]) -> Value:
        return np.broadcast_to(x, shape)

    def concatenate(self, values: Sequence[Value], axis: int) -> Value:
        return np.concatenate(values, axis=axis)

    def stack(self, values: Sequence[Value], axis: int) -> Value:
        return np.stack(values, axis=axis)

    def place(self, x: Value, getter: tuple[Any, ...], shape: tuple[int, ...]) -> Value:
        out = np.zeros(shape, x.dtype)
        out[getter] = x
        return out

    # Integers as indices
    def checked_index(self, index: Value, size: int) -> Value:
        """The index itself. Raises `ValueRangeError` where NumPy would wrap around or fail."""
        if index.size and index.view(np.uint64).max() >= size:  # a negative one is a large one there
            wrong = (index < 0) | (index >= size)
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueRangeError(
                f"index {int(index[where])} is outside 0..{size - 1}" + (f", at position {where}" if where else ""),
                fix=f"integers must be from 0 to {size - 1}",
            )
        return index

    def gather(self, table: Value, index: Value, index_rank: int, batched_table: bool) -> Value:
        if not batched_table:
            return table[index]
        if index.ndim == index_rank:
            return table[:, index]
        example = np.arange(len(table)).reshape((-1,) + (1,) * index_rank)
        return table[example, index]

    def scatter_add(self, x: Value, index: Value, batch_rank: int, shape: tuple[int, ...]) -> Value:
        out = np.zeros(shape, x.dtype)
        if batch_rank:
            example = np.arange(shape[0]).reshape((-1,) + (1,) * (index.ndim - 1))
            np.add.at(out, (example, index), x)
        else:
            np.add.at(out, index, x)
        return out

    def pick(self, x: Value, index: Value) -> Value:
        """One entry of the last axis for each integer."""
        shape = np.broadcast_shapes(x.shape[:-1], index.shape)
        rows = np.broadcast_to(x, shape + x.shape[-1:])
        return np.take_along_axis(rows, np.broadcast_to(index, shape)[..., None], axis=-1)[..., 0]

    # Looking at results
    def finite(self, x: Value) -> bool:
        return bool(np.all(np.isfinite(x)))


class ComplexArrays(NumpyArrays):
    """Complex arrays for the complex step: f(x + ih) has the derivative of f in its imaginary part / h.

    Squire and Trapp 1998, doi:10.1137/S003614459631241X.
    """

    def part(self, x: Value) -> Value:
        return np.real(x)

    def max(self, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
        top = np.max(x.real, axis=tuple(axes), keepdims=True)
        hit = x.real == top
        mean = np.sum(np.where(hit, x, 0), axis=tuple(axes), keepdims=True) / np.sum(
            hit, axis=tuple(axes), keepdims=True
        )
        return mean if keepdims else np.squeeze(mean, axis=tuple(axes))
