"""Random graphs: batched and unbatched values of several shapes, mixed by random operations and shared at will."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close, central, complex_step, inner
from helpers.net import B

import tinygraph as tg
from tinygraph.graph import Node

SHAPES = [(), (3,), (3, 3), (1,), (1, 3), (3, 1)]  # equal to the batch, or 1
SEEDS = [*range(20), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(20, 400))]

# Every value stays within about [-1, 1], so that no derivative grows large however deep the graph is.
UNARY: list[Callable[[Node], Node]] = [
    tg.tanh, tg.sin, lambda x: tg.sigmoid(x) - 1, lambda x: tg.mean(x, axis=-1, keepdims=True) if x.ndim else x,
    lambda x: tg.softmax(x) if x.ndim else tg.cos(x), lambda x: x.T if x.ndim == 2 else -x,
    tg.mean_batch, lambda x: tg.tanh(tg.sum_batch(x)), tg.spread, lambda x: x / (2 + x),
]  # fmt: skip
BINARY: list[Callable[[Node, Node], Node]] = [
    lambda a, b: a * b,
    lambda a, b: (a + b) / 2,
    lambda a, b: tg.sin(a - b),
    lambda a, b: tg.where(a.graph.inputs["flag"], a * b, b / 2),
    lambda a, b: tg.tanh(a @ b) if multiply(a, b) else a * b,
    lambda a, b: tg.outer(a, b) if a.ndim == b.ndim == 1 else a + b / 4,
]


def multiply(a: Node, b: Node) -> bool:
    """Whether a @ b has a meaning."""
    return a.ndim in (1, 2) and b.ndim in (1, 2) and a.shape[-1] == b.shape[0]


def random_loss(rng: np.random.Generator, size: int = 25) -> tuple[dict[str, Node], Node, dict[str, Any]]:
    """Leaves, a loss made of `size` random operations on them, and feeds."""
    graph, leaves, feeds = tg.Graph(), {}, {}
    for k, shape in enumerate(SHAPES):
        for name, batched in ((f"p{k}", False), (f"x{k}", True)):
            leaves[name] = graph.input(name, shape, batched=batched)
            feeds[name] = rng.uniform(-1, 1, (B,) * batched + shape)
    flag = graph.input("flag", (3,), kind="boolean")  # given, so that no step of a difference changes a choice
    nodes, feeds[flag.name] = list(leaves.values()), rng.random((B, 3)) < 0.5
    for _ in range(size):
        a, b = (nodes[i] for i in rng.integers(0, len(nodes), 2))
        one, two = UNARY[rng.integers(len(UNARY))], BINARY[rng.integers(len(BINARY))]
        nodes.append(one(a) if rng.random() < 0.4 else two(a, b))
    last = [tg.sum(node) for node in nodes[-6:]]
    return leaves, tg.add(last), feeds


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_and_second_order_of_a_random_graph(seed):
    """Along random directions of all leaves, by central differences and by the complex step."""
    rng = np.random.default_rng(seed)
    leaves, loss, feeds = random_loss(rng)
    gradients = tg.grad(loss, leaves)
    v = {name: rng.standard_normal(np.shape(value)) for name, value in feeds.items() if name in leaves}
    tangents = {name: loss.graph.input(f"v_{name}", node.shape, batched=node.batched) for name, node in leaves.items()}
    fed = feeds | {f"v_{name}": value for name, value in v.items()}
    products, forward = tg.hvp(loss, leaves, tangents), tg.jvp(loss, leaves, tangents)
    values, second, along = tg.evaluate([gradients, products, forward], fed)

    found, terms = inner(values, v)
    assert_close(found, central(lambda at: np.sum(tg.evaluate(loss, at)), feeds, v), 1e-6, terms)
    exact = complex_step(lambda at: tg.evaluate([loss, gradients], at, dtype="complex128")[0], feeds, v)
    assert_close(found, np.sum(exact), 1e-10, terms)
    assert_close(along, exact, 1e-10, terms)
    for name, gradient in gradients.items():
        step = complex_step(lambda at, g=gradient: tg.evaluate(g, at, dtype="complex128"), feeds, v)
        assert_close(second[name], step, 1e-10, 1.0, name)
