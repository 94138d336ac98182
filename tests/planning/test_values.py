"""The plan against the interpreter: values and gradients of cells, of odd graphs, of every row and of random graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import every_row, random_feeds
from hypothesis import given, settings
from hypothesis import strategies as st
from rolling.nets import NETS

import tinygraph as tg
from tinygraph.graph import Graph, Node
from tinygraph.nest import leaves

STEPS = (1, 2, 3, 4, 7)
SOME = [pytest.param(name, marks=[pytest.mark.slow] if k % 3 else []) for k, name in enumerate(NETS)]
BATCHES = (None, 1, 3)


def assert_equal_values(roots: Any, feeds: Any, tolerance: float = 1e-12) -> tg.Plan:
    """Twice, so that nothing of the first run is left in the second; shapes and dtypes too."""
    expected = leaves(tg.evaluate(roots, feeds))
    for dtype, allowed in (("float64", tolerance), ("float32", 1e-4)):
        plan = tg.plan(roots, dtype=dtype)
        for _ in range(2):
            for found, value in zip(leaves(plan(feeds)), expected, strict=True):
                assert np.shape(found) == np.shape(value)
                assert np.asarray(found).dtype == (dtype if np.asarray(value).dtype.kind == "f" else value.dtype)
                scale = max(1.0, float(np.max(np.abs(value), initial=0)))
                np.testing.assert_allclose(found, value, rtol=allowed, atol=allowed * scale)
    return plan


@pytest.mark.parametrize("steps", [pytest.param(n, marks=[pytest.mark.slow] if n in (2, 4) else []) for n in STEPS])
@pytest.mark.parametrize("name", NETS)
def test_nets(name: str, steps: int) -> None:
    """Cells, trees, skips, both directions, a cell twice a step, loss at the end alone, two nets on one tape."""
    roots = NETS[name](steps)
    graph = leaves(roots)[0].graph
    for batch in BATCHES if steps in (1, 3) else (2,):
        assert_equal_values(roots, random_feeds(graph, batch=batch))


@pytest.mark.parametrize("name", SOME)
def test_nets_that_stand_step_by_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were always better that the values of a step stand side by side."""
    monkeypatch.setattr("tinygraph.planning.grouping.ByStep.better", lambda self, group: len(group) > 1)
    roots = NETS[name](3)
    assert_equal_values(roots, random_feeds(leaves(roots)[0].graph, batch=2))


@pytest.mark.parametrize("long", [1, 128])
@pytest.mark.parametrize("name", NETS)
def test_nets_of_long_vectors(name: str, long: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if vectors were long enough for their products to be joined, or not, and all buffers to share their room."""
    monkeypatch.setattr("tinygraph.planning.joining.LONG", long)
    monkeypatch.setattr("tinygraph.planning.arena.WORTH", 1)
    roots = NETS[name](4 if long == 1 else 3)
    plan = assert_equal_values(roots, random_feeds(leaves(roots)[0].graph, batch=2))
    assert plan.program(2).arena.shared


def test_every_row_of_the_table() -> None:
    sample = every_row(stride=2)
    assert_equal_values(sample.roots, sample.feeds)


def random_graph(seed: int) -> tuple[list[Node], dict[str, Any]]:
    """Nodes on random operands: shared weights, batched or not, with sums over the batch, and a gradient of all."""
    rng = np.random.default_rng(seed)
    graph, size = Graph(), int(rng.integers(1, 4))
    x = graph.sequence("x", int(rng.integers(1, 5)), (size,))
    weights = [graph.parameter(f"W{k}", (size, size)) for k in range(2)]
    bias, start = graph.parameter("b", (size,)), graph.input("s", (size,), batched=False)
    nodes: list[Node] = [bias, start, graph.constant("z", zeros=(size,)), *x.values()]
    for _ in range(int(rng.integers(3, 25))):
        a, b, c = (nodes[i] for i in rng.integers(max(0, len(nodes) - 6), len(nodes), 3))
        W = weights[rng.integers(2)]
        made = [
            lambda a=a, b=b: a + b, lambda a=a, b=b: a - b, lambda a=a, b=b: a * b, lambda a=a: tg.tanh(a),
            lambda a=a, b=b, W=W: tg.sigmoid(W @ a + b), lambda a=a, W=W: W @ a, lambda a=a, W=W: a @ W,
            lambda a=a, b=b, c=c: tg.add(a, b, c, a), lambda a=a: -a, lambda a=a: tg.softmax(a),
            lambda a=a, b=b: tg.where(a > b, a, b), lambda a=a, b=b: tg.outer(a, b) @ b, lambda a=a: tg.sum(a) * a,
            lambda a=a: a**2, lambda a=a: tg.sum_batch(a) if a.batched else a,
        ]  # fmt: skip
        nodes.append(made[rng.integers(len(made))]())
    ends = [node for node in nodes[-3:] if node not in (bias, start)]
    scalars = [tg.sum(tg.tanh(node)) for node in ends]
    total = tg.add([tg.mean_batch(one) if one.batched else one for one in scalars])
    return [*ends, total, *tg.grad(total, [*weights, bias, start])], random_feeds(graph, seed, batch=2)


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_graphs(seed: int, joined: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinygraph.planning.arena.WORTH", 1)
        if joined:  # and cut, wherever that can be
            patch.setattr("tinygraph.planning.joining.LONG", 1)
            for name, value in (("cuts.SMALL", 0), ("cuts.WIDTHS", (2, 1)), ("cuts.BLOCK", 12), ("sides.OFTEN", 1)):
                patch.setattr(f"tinygraph.planning.{name}", value)
        assert_equal_values(*random_graph(seed), tolerance=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 500, 50))
def test_many_random_graphs(start: int) -> None:
    for seed in range(start, start + 50):
        assert_equal_values(*random_graph(seed), tolerance=1e-11)
