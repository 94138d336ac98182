"""What each row computes for one example, in plain NumPy, written from its meaning.

A row that is not in here is still held against SymPy and complex arithmetic. `BATCH_REFERENCES` are the
rows that see the whole batch: their functions take a value with the batch in front.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np


def _index(triples: Any) -> tuple[Any, ...]:
    """An index in the form that a graph keeps, as NumPy's."""
    return tuple(slice(*i) if isinstance(i, tuple) else i for i in triples)


def place(x: Any, index: Any, shape: Any) -> Any:
    out = np.zeros(shape)
    out[_index(index)] = x
    return out


def scatter_add(x: Any, index: Any, size: int) -> Any:
    out = np.zeros((size, *x.shape[index.ndim :]))
    for at in np.ndindex(index.shape):
        out[index[at]] = out[index[at]] + x[at]
    return out


def one_hot(index: Any, size: int, axis: int = -1) -> Any:
    return np.stack([(index == k).astype(float) for k in range(size)], axis=axis)


def sum_to(x: Any, shape: Any) -> Any:
    out = np.zeros(shape)
    for at in np.ndindex(x.shape):
        behind = at[len(at) - len(shape) :]
        target = tuple(0 if size == 1 else i for i, size in zip(behind, shape, strict=True))
        out[target] += x[at]
    return out


def bilinear(x: Any, A: Any, z: Any) -> Any:
    return np.einsum("i,...ij,j->...", x, A, z)


def patches(x: Any, widths: Any) -> Any:
    windows = np.lib.stride_tricks.sliding_window_view(x, widths, tuple(range(1, x.ndim)))
    return np.moveaxis(windows, range(x.ndim, 2 * x.ndim - 1), range(1, x.ndim))


def unpatch(x: Any, widths: Any) -> Any:
    places = x.shape[1 + len(widths) :]
    out = np.zeros((len(x), *(p + k - 1 for p, k in zip(places, widths, strict=True))))
    for at in np.ndindex(x.shape):
        offsets = zip(at[1 : 1 + len(widths)], at[1 + len(widths) :], strict=True)
        out[(at[0], *(k + p for k, p in offsets))] += x[at]
    return out


def convolve(x: Any, W: Any) -> Any:
    out = np.zeros((len(W), *(n - k + 1 for n, k in zip(x.shape[1:], W.shape[2:], strict=True))))
    for f, *at in np.ndindex(out.shape):
        window = (slice(None), *(slice(p, p + k) for p, k in zip(at, W.shape[2:], strict=True)))
        out[(f, *at)] = np.sum(W[f] * x[window])
    return out


def max_pool(x: Any, widths: Any) -> Any:
    return patches(x, widths).max(axis=tuple(range(1, x.ndim)))


def softmax(x: Any, axis: int = -1) -> Any:
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def cross_entropy(scores: Any, target: Any) -> Any:
    out = np.zeros(target.shape)
    for at in np.ndindex(target.shape):
        out[at] = -np.log(softmax(scores)[(*at, target[at])])
    return out


REFERENCES: dict[str, Callable[..., Any]] = {
    "identity": lambda x: x,
    "add": lambda *xs: reduce(lambda a, b: a + b, xs),
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda x: -x,
    "power": lambda x, exponent: np.float_power(x, float(exponent)),
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "where": lambda condition, a, b: np.where(condition, a, b),
    "real": lambda x: x.astype(float),
    "stop_gradient": lambda x: x,
    "gather": lambda table, index: np.take(table, index, axis=0),
    "scatter_add": scatter_add,
    "one_hot": one_hot,
    "slice": lambda x, index: x[index],
    "place": place,
    "concatenate": lambda *xs, axis=0: np.concatenate(xs, axis),
    "stack": lambda *xs, axis=0: np.stack(xs, axis),
    "reshape": lambda x, shape: np.reshape(x, shape),
    "broadcast_to": lambda x, shape: np.broadcast_to(x, shape),
    "sum_to": sum_to,
    "matmul": lambda a, b: np.matmul(a, b),
    "transpose": lambda x, axes=None: np.transpose(x, axes),
    "outer": lambda a, b: np.einsum("i,j->ij", a, b),
    "dot": lambda a, b: np.einsum("i,i->", a, b),
    "bilinear": bilinear,
    "tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "step": lambda x: np.heaviside(x, 0.0),
    "exp": np.exp,
    "log": np.log,
    "sqrt": lambda x: np.float_power(x, 0.5),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "sin": np.sin,
    "cos": np.cos,
    "sum": lambda x, axis=None, keepdims=False: np.sum(x, axis=axis, keepdims=keepdims),
    "mean": lambda x, axis=None, keepdims=False: np.mean(x, axis=axis, keepdims=keepdims),
    "max": lambda x, axis=None, keepdims=False: np.max(x, axis=axis, keepdims=keepdims),
    "logsumexp": logsumexp,
    "argmax": lambda x, axis=-1: np.argmax(x, axis=axis),
    "softmax": softmax,
    "log_softmax": lambda x, axis=-1: np.log(softmax(x, axis)),
    "cross_entropy": cross_entropy,
    "patches": patches,
    "unpatch": unpatch,
    "convolve": convolve,
    "max_pool": max_pool,
}

BATCH_REFERENCES: dict[str, Callable[..., Any]] = {
    "sum_batch": lambda x: np.sum(x, axis=0),
    "mean_batch": lambda x: np.mean(x, axis=0),
    "spread": lambda x: x,
}
