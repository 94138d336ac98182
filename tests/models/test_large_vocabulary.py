"""Losses for large vocabularies: probabilities that sum to 1, plain NumPy, gradients, and a tree with short ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, complex_step, inner

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import UsageError, ValueRangeError

STEPS, BATCH, HIDDEN = 3, 3, 4
COUNTS = [8, 1, 4, 1, 2, 0, 3]
TREE = models.SymbolTree.huffman(COUNTS)
MASK = np.arange(STEPS)[:, None] < np.array([3, 1, 2])


def net_of(mask: bool = False) -> Any:
    return tg.unroll(models.gru, STEPS, mask=mask, I=2, H=HIDDEN)


def feeds_of(net: Any, seed: int = 0) -> dict[str, Any]:
    """Random parameters and inputs, targets and what was drawn against them."""
    y = np.random.default_rng(seed).integers(0, len(COUNTS), (STEPS, BATCH))
    feeds = random_feeds(net.graph, seed)
    more = {"y": y, "negatives": models.draw_negatives(COUNTS, (STEPS, BATCH, 5), seed), "mask": MASK, **TREE.feeds(y)}
    return feeds | {name: value for name, value in more.items() if name in net.graph.inputs}


def sigma(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def probability(p: Any, h: Any, symbol: int) -> float:
    """The product of the decisions on the way to a symbol."""
    found = 1.0
    for node, turn in zip(TREE.nodes[symbol], TREE.turns[symbol], strict=True):
        found *= sigma(turn * (p["V"][node] @ h + p["c"][node])) if turn else 1.0
    return found


def test_the_probabilities_of_all_symbols_sum_to_one():
    rng = np.random.default_rng(0)
    p = {"V": rng.standard_normal((6, HIDDEN)), "c": rng.standard_normal(6)}
    h = rng.standard_normal(HIDDEN)
    assert sum(probability(p, h, symbol) for symbol in range(len(COUNTS))) == pytest.approx(1, abs=1e-14)


def test_a_huffman_tree():
    """By hand: 0+1=1, 1+1=2, 2+2=4, 3+4=7, 4+7=11, 8+11=19; the sum of these is the best that any tree can have."""
    lengths = np.sum(TREE.turns != 0, axis=1)
    assert np.dot(COUNTS, lengths) == 1 + 2 + 4 + 7 + 11 + 19
    assert sum(0.5 ** int(n) for n in lengths) == 1
    assert lengths[0] == 1
    even = models.SymbolTree.huffman([1] * 8)
    assert np.all(even.turns != 0)
    assert even.nodes.shape == (8, 3)


@pytest.mark.parametrize("mask", [False, True])
def test_hierarchical_softmax_in_plain_numpy(mask):
    net = net_of(mask)
    loss = models.hierarchical_softmax(net, TREE)
    feeds = feeds_of(net)
    y = np.random.default_rng(0).integers(0, len(COUNTS), (STEPS, BATCH))
    h = np.array(tg.evaluate(list(net.output.values()), feeds))
    each = np.array([[-np.log(probability(feeds, h[t, b], y[t, b])) for b in range(BATCH)] for t in range(STEPS)])
    assert tg.evaluate(loss, feeds) == pytest.approx(each[MASK].mean() if mask else each.mean(), rel=1e-13)


@pytest.mark.parametrize("mask", [False, True])
def test_negative_sampling_in_plain_numpy(mask):
    net = net_of(mask)
    loss = models.negative_sampling(net, len(COUNTS), 5)
    feeds = p = feeds_of(net)
    h = np.array(tg.evaluate(list(net.output.values()), feeds))
    each = np.zeros((STEPS, BATCH))
    for t, b in np.ndindex(STEPS, BATCH):
        scores = p["V"] @ h[t, b] + p["c"]
        each[t, b] = -np.log(sigma(scores[p["y"][t, b]])) - np.log(sigma(-scores[p["negatives"][t, b]])).sum()
    assert tg.evaluate(loss, feeds) == pytest.approx(each[MASK].mean() if mask else each.mean(), rel=1e-13)


@pytest.mark.parametrize(
    "head", [lambda n: models.hierarchical_softmax(n, TREE), lambda n: models.negative_sampling(n, 7, 5)]
)
def test_gradient(head):
    net = net_of(mask=True)
    loss = head(net)
    feeds, rng = feeds_of(net, 2), np.random.default_rng(0)
    for name, gradient in tg.evaluate(tg.grad(loss, net.graph.parameters), feeds).items():
        v = {name: rng.standard_normal(gradient.shape)}
        found, terms = inner({name: gradient}, v)
        exact = complex_step(lambda at: tg.evaluate(loss, at, dtype="complex128"), feeds, v)
        assert_close(found, exact, 1e-10, terms, name)
    assert viz.draw(loss).nodes > 0


def test_only_the_rows_on_the_way_are_trained():
    """Rows of symbols that are neither a target nor drawn have a gradient of exactly 0."""
    net = net_of()
    loss = models.negative_sampling(net, 7, 2)
    feeds = feeds_of(net) | {"y": np.full((STEPS, BATCH), 3), "negatives": np.full((STEPS, BATCH, 2), 5)}
    gradient = tg.evaluate(tg.grad(loss, net.parameters["V"]), feeds)
    assert np.any(gradient != 0, axis=1).tolist() == [False, False, False, True, False, True, False]


def test_negatives_are_drawn_by_the_power_three_quarters():
    drawn = models.draw_negatives([16, 1, 0], (200, 100), seed=0)
    assert drawn.max() < 2
    share, expected = np.mean(drawn == 0), 8 / 9
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / drawn.size)


def test_bad_inputs():
    for counts in ([], [1], [1, -1], [1, float("nan")], [[1, 2]]):
        with pytest.raises(UsageError, match="counts"):
            models.SymbolTree.huffman(counts)
    with pytest.raises(UsageError, match="counts"):
        models.draw_negatives([0, 0], (1,), 0)
    for y in ([7], [-1], [0.5]):
        with pytest.raises(ValueRangeError, match="0 to 6"):
            TREE.feeds(y)
