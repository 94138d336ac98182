"""Huge arguments: values and gradients stay finite and right, in float32 and float64.

The references are computed by mpmath, with 60 digits.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from helpers.compare import assert_close, complex_step

import tinygraph as tg

SCALARS = [-1e4, -750.0, -100.0, -89.0, -40.0, -17.0, -1e-3, 0.0, 1e-3, 17.0, 40.0, 89.0, 100.0, 750.0, 1e4]
ROWS = [
    [1e4, -1e4, 0.0], [1e4, 1e4, 1e4], [-1e4, -1e4, -1e4], [-1e4, -9999.0, -9998.0], [1e4, 9999.0, 9990.0], [1e4, 0, 1],
]  # fmt: skip
DTYPES = {"float32": 1e-6, "float64": 1e-14}

# Value and derivative, over mpmath's numbers.
ELEMENTWISE = {
    "tanh": (mpmath.tanh, lambda x: 1 / mpmath.cosh(x) ** 2),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), lambda x: 1 / (2 + mpmath.exp(x) + mpmath.exp(-x))),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), lambda x: 1 / (1 + mpmath.exp(-x))),
}


def exact(function, xs):
    """`function` of the numbers, computed with 60 digits."""
    with mpmath.workdps(60):
        return [float(y) for y in function([mpmath.mpf(float(x)) for x in xs])]


def by_softmax(xs):
    total = sum(mpmath.exp(x) for x in xs)
    return [mpmath.exp(x) / total for x in xs]


def log_total(xs):
    return mpmath.log(sum(mpmath.exp(x) for x in xs))


# Value, and gradient of the first entry of the value by all scores, over lists of mpmath's numbers.
ROWWISE = {
    "softmax": (by_softmax, lambda xs: [by_softmax(xs)[0] * ((i == 0) - p) for i, p in enumerate(by_softmax(xs))]),
    "log_softmax": (
        lambda xs: [x - log_total(xs) for x in xs],
        lambda xs: [(i == 0) - p for i, p in enumerate(by_softmax(xs))],
    ),
    "logsumexp": (lambda xs: [log_total(xs)], by_softmax),
    "cross_entropy": (
        lambda xs: [log_total(xs) - xs[0]],
        lambda xs: [p - (i == 0) for i, p in enumerate(by_softmax(xs))],
    ),
}


def applied(name: str, x: tg.Node) -> tg.Node:
    """The row applied to scores; the target of the cross-entropy is the first class."""
    return tg.cross_entropy(x, x.graph.number(0, "integer")) if name == "cross_entropy" else tg.OPS[name](x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name, dtype):
    """Small results are held relative to themselves: sigmoid(-40) is 4e-18, not 0."""
    graph = tg.Graph()
    x = graph.input("x", (len(SCALARS),))
    y = tg.OPS[name](x)
    value, slope = tg.evaluate([y, tg.grad(tg.sum(y), x)], {"x": SCALARS}, dtype=dtype)
    for found, function in zip((value, slope), ELEMENTWISE[name], strict=True):
        assert np.all(np.isfinite(found))
        assert_close(found, exact(lambda xs, f=function: [f(v) for v in xs], SCALARS), DTYPES[dtype], what=name)
    limits = np.finfo(dtype)
    wanted = exact(lambda xs: [ELEMENTWISE[name][0](v) for v in xs], SCALARS)
    np.testing.assert_allclose(value, wanted, rtol=100 * limits.eps, atol=2 * limits.smallest_subnormal)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_under_the_complex_step(name):
    """Complex exponentials overflow to NaN, not to infinity."""
    graph = tg.Graph()
    y = tg.OPS[name](graph.input("x", (len(SCALARS),)))
    function = lambda at: tg.evaluate(y, at, dtype="complex128")  # noqa: E731
    slope = complex_step(function, {"x": SCALARS}, {"x": np.ones(len(SCALARS))})
    assert_close(slope, exact(lambda xs: [ELEMENTWISE[name][1](v) for v in xs], SCALARS), 1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scores", ROWS, ids=str)
@pytest.mark.parametrize("name", ROWWISE)
def test_along_a_row(name, scores, dtype):
    """The value, and the gradient of its first entry."""
    graph = tg.Graph()
    x = graph.input("x", (len(scores),))
    y = applied(name, x)
    first = y[0] if y.ndim else y
    value, slope = tg.evaluate([y, tg.grad(first, x)], {"x": scores}, dtype=dtype)
    for found, function in zip((np.ravel(value), slope), ROWWISE[name], strict=True):
        assert np.all(np.isfinite(found)), name
        assert_close(found, exact(function, scores), DTYPES[dtype], what=name)


@pytest.mark.parametrize("scores", ROWS, ids=str)
@pytest.mark.parametrize("name", ROWWISE)
def test_along_a_row_under_the_complex_step(name, scores):
    graph = tg.Graph()
    x = graph.input("x", (len(scores),))
    y = applied(name, x)
    first = y[0] if y.ndim else y
    function = lambda at: tg.evaluate(first, at, dtype="complex128")  # noqa: E731
    slope = [complex_step(function, {"x": scores}, {"x": unit}) for unit in np.eye(len(scores))]
    assert_close(slope, exact(ROWWISE[name][1], scores), 1e-12)


@pytest.mark.parametrize("name", [*ROWWISE, *ELEMENTWISE])
def test_second_derivatives_are_finite(name):
    graph = tg.Graph()
    x = graph.input("x", (3,))
    y = applied(name, x)
    second = tg.hvp(tg.sum(y), x, np.ones(3))
    for scores in ROWS:
        assert np.all(np.isfinite(tg.evaluate(second, {"x": scores}))), scores


@pytest.mark.parametrize("scores", [[0.0, -np.inf, 1.0], [-np.inf, -np.inf, 2.0]], ids=str)
def test_minus_infinity_shuts_out_an_entry(scores):
    """A score of -inf has probability exactly 0 and disturbs no other."""
    graph = tg.Graph()
    x = graph.input("x", (3,))
    probability, total = tg.evaluate([tg.softmax(x), tg.logsumexp(x)], {"x": scores})
    kept = np.exp([s for s in scores if np.isfinite(s)])
    assert all(p == 0 for p, s in zip(probability, scores, strict=True) if not np.isfinite(s))
    np.testing.assert_allclose([p for p in probability if p > 0], kept / kept.sum(), rtol=1e-15)
    np.testing.assert_allclose(total, np.log(kept.sum()), rtol=1e-15)
