"""Nothing recurses and nothing is quadratic: chains of 10^5 nodes build, differentiate, run and are freed."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest

import tinygraph as tg

LENGTH = 100_000


def chain(length: int) -> tuple[tg.Graph, tg.Node, tg.Node]:
    """y = a shrunk sine of itself, `length` times: alternately a product by 1/2 and a sine."""
    graph = tg.Graph()
    x = graph.parameter("x")
    half = graph.constant("half", 0.5)
    y = x
    for _ in range(length // 2):
        y = tg.sin(half * y)
    return graph, x, y


@pytest.mark.slow
def test_a_chain_of_100000_nodes():
    """Built, differentiated, evaluated and freed, with the recursion limit that Python starts with."""
    assert sys.getrecursionlimit() < LENGTH // 10
    graph, x, y = chain(LENGTH)
    assert len(graph) >= LENGTH
    value, slope = tg.evaluate([y, tg.grad(y, x)], {"x": 1.0})
    exact_value, exact_slope = by_hand(LENGTH)
    np.testing.assert_allclose([value, slope], [exact_value, exact_slope], rtol=1e-12)
    freed = weakref.ref(graph)
    del graph, x, y
    gc.collect()
    assert freed() is None


def by_hand(length: int) -> tuple[float, float]:
    value = slope = 1.0
    for _ in range(length // 2):
        value, slope = np.sin(0.5 * value), slope * 0.5 * np.cos(0.5 * value)
    return value, slope


@pytest.mark.parametrize("order", [1, 2])
def test_the_gradient_of_a_chain_has_a_number_of_nodes_linear_in_its_length(order):
    """The nodes that a chain twice as long adds are those of the first half again."""
    sizes = [made_by_gradients(length, order) for length in (200, 400, 600)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0]
    assert sizes[0] < 20 * 200 * order


def made_by_gradients(length: int, order: int) -> int:
    graph, x, y = chain(length)
    before = len(graph)
    for _ in range(order):
        y = tg.grad(y, x)
    return len(graph) - before


def test_a_value_with_many_uses_gets_one_sum():
    """10^4 uses of one weight: one n-ary sum, not a chain of sums."""
    graph = tg.Graph()
    w, x = graph.parameter("w"), graph.parameter("x")
    total = tg.add([tg.sin(x * w) for _ in range(10_000)])
    gradient = tg.grad(total, w)
    assert len(gradient.args) == 10_000
    np.testing.assert_allclose(tg.evaluate(gradient, {"w": 0.5, "x": 2.0}), 20_000 * np.cos(1.0), rtol=1e-12)
