"""Nets that see a window: the neural language model, the time-delay net, and what recurrence adds to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, complex_step, inner

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import UsageError

STEPS, BATCH, SYMBOLS, EMBEDDING, HIDDEN = 5, 3, 4, 2, 3


def language_model(context: int = 3, **options: Any) -> Any:
    return models.neural_language_model(
        STEPS, symbols=SYMBOLS, context=context, embedding=EMBEDDING, hidden=HIDDEN, **options
    )


def feeds_of(found: Any, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return random_feeds(found.graph, seed) | {n: rng.integers(0, SYMBOLS, (STEPS, BATCH)) for n in "xy"}


def bengio(p: Any, x: Any, context: int) -> list[Any]:
    """Scores at each step of one example: b + U tanh(d + H [C(w_{t-K+1}); ...; C(w_t)])."""
    words = [*[SYMBOLS] * (context - 1), *x]
    found = []
    for t in range(len(x)):
        window = np.concatenate([p["C"][w] for w in words[t : t + context]])
        found.append(p["c"] + p["V"] @ np.tanh(p["b"] + p["W"] @ window))
    return found


@pytest.mark.parametrize("context", [1, 2, 4])
def test_the_neural_language_model_in_plain_numpy(context):
    found = language_model(context)
    feeds = feeds_of(found)
    scores = tg.evaluate(found.outputs, feeds)
    losses = []
    for b in range(BATCH):
        for t, expected in enumerate(bengio(feeds, feeds["x"][:, b], context)):
            assert_close(scores[t + 1][b], expected, 1e-13)
            losses.append(np.log(np.exp(expected).sum()) - expected[feeds["y"][t, b]])
    assert tg.evaluate(found.loss, feeds) == pytest.approx(np.mean(losses), rel=1e-13)


@pytest.mark.parametrize("cell", ["memoryless", "elman"])
def test_gradient(cell):
    found = language_model(cell=getattr(models, cell))
    feeds, rng = feeds_of(found), np.random.default_rng(1)
    for name, gradient in tg.evaluate(found.gradients, feeds).items():
        v = {name: rng.standard_normal(gradient.shape)}
        ours, terms = inner({name: gradient}, v)
        exact = complex_step(lambda at: tg.evaluate(found.loss, at, dtype="complex128"), feeds, v)
        assert_close(ours, exact, 1e-10, terms, name)


def test_the_recurrent_model_is_this_one_with_hidden_to_hidden_edges():
    """Equal where they are zero, and different where they are not; only then is there a path between steps."""
    plain, recurrent = language_model(), language_model(cell=models.elman)
    feeds = feeds_of(recurrent)
    without = {n: v for n, v in feeds.items() if n != "U"}
    cut = feeds | {"U": np.zeros((HIDDEN, HIDDEN))}
    assert tg.evaluate(recurrent.loss, cut) == pytest.approx(tg.evaluate(plain.loss, without), rel=1e-14)
    assert tg.evaluate(recurrent.loss, feeds) != pytest.approx(tg.evaluate(plain.loss, without), rel=1e-3)
    jacobians = [tg.jacobian(found.net.h[STEPS], found.net.h[1]) for found in (plain, recurrent)]
    assert not np.any(tg.evaluate(jacobians[0], without))
    assert np.any(tg.evaluate(jacobians[1], feeds))


def test_the_recurrent_model_in_plain_numpy():
    """The equation of Bengio et al. with U h_{t-1} in the bracket."""
    found = language_model(2, cell=models.elman)
    p = feeds = feeds_of(found)
    scores = tg.evaluate(found.outputs, feeds)
    for b in range(BATCH):
        words, h = [SYMBOLS, *feeds["x"][:, b]], np.zeros(HIDDEN)
        for t in range(STEPS):
            window = np.concatenate([p["C"][w] for w in words[t : t + 2]])
            h = np.tanh(p["b"] + p["W"] @ window + p["U"] @ h)
            assert_close(scores[t + 1][b], p["c"] + p["V"] @ h, 1e-13)


def test_it_cannot_know_what_lies_before_its_window():
    """Equal scores for histories that differ before the last two symbols; the recurrent model tells them apart."""
    x = np.array([[0, 1, 2, 3, 1], [2, 3, 1, 3, 1]]).T
    for cell, same in ((models.memoryless, True), (models.elman, False)):
        found = language_model(2, cell=cell)
        feeds = feeds_of(found) | {"x": x, "y": np.zeros((STEPS, 2), int)}
        one, two = tg.evaluate(found.outputs[STEPS], feeds)
        assert np.allclose(one, two) == same


def test_windows():
    """length - width + 1 whole ones, oldest first; with something before, one for each step."""
    g = tg.Graph()
    x = g.sequence("x", 5, (2,))
    feeds = {"x": np.arange(10.0).reshape(5, 2)}
    whole = models.windows(x, 3)
    assert list(whole) == [1, 2, 3]
    np.testing.assert_array_equal(tg.evaluate(whole[2], feeds), feeds["x"][1:4].ravel())
    padded = models.windows(x, 3, before=g.constant("before", np.array([-1.0, -2.0])))
    assert list(padded) == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(tg.evaluate(padded[2], feeds), [-1, -2, 0, 1, 2, 3])
    assert models.windows(x, 1)[4] is x[4]


def test_a_time_delay_net_in_plain_numpy():
    g = tg.Graph()
    x = g.sequence("x", 9, (2,))
    layers = models.time_delay(x, [(3, 4), (2, 5)])
    feeds = random_feeds(g)
    assert [len(layer.output) for layer in layers] == [7, 6]
    found = tg.evaluate(layers[-1].output, feeds)
    for b in range(BATCH):
        below = feeds["x"][:, b]
        for k, width in enumerate((3, 2), start=1):
            W, bias = feeds[f"delay/layer{k}/W"], feeds[f"delay/layer{k}/b"]
            below = np.array([np.tanh(W @ below[t : t + width].ravel() + bias) for t in range(len(below) - width + 1)])
        assert_close(np.array([found[t][b] for t in found]), below, 1e-13)


def test_a_time_delay_net_moves_with_its_input():
    """A pattern that comes two steps later is answered two steps later: the weights are shared by all steps."""
    g = tg.Graph()
    layers = models.time_delay(g.sequence("x", 9, (2,)), [(3, 4), (2, 5)])
    feeds = random_feeds(g, batch=None)
    early = np.zeros((9, 2))
    early[2:4] = feeds["x"][:2]
    found = [tg.evaluate(layers[-1].output, feeds | {"x": x}) for x in (early, np.roll(early, 2, axis=0))]
    for t in range(1, 5):
        np.testing.assert_array_equal(found[0][t], found[1][t + 2])


def test_a_feed_forward_net():
    """One to one: two layers without memory over one step, and a readout."""
    net = tg.unroll(models.layered(models.memoryless, 2), 1, I=2, H=HIDDEN)
    found = models.classifier(net, SYMBOLS)
    p = feeds = random_feeds(found.graph, batch=None)
    h = np.tanh(p["W2"] @ np.tanh(p["W1"] @ p["x"][0] + p["b1"]) + p["b2"])
    assert_close(tg.evaluate(found.outputs[1], feeds), p["V"] @ h + p["c"], 1e-13)


def test_they_are_drawn():
    assert viz.draw(language_model().loss).nodes > 0
    g = tg.Graph()
    assert viz.draw(models.time_delay(g.sequence("x", 4, (2,)), [(2, 3), (2, 3)])[-1]).nodes > 0


def test_bad_inputs():
    g = tg.Graph()
    x = g.sequence("x", 3, (2,))
    for width in (0, 4):
        with pytest.raises(UsageError, match=f"no window of {width} fits 3 steps"):
            models.windows(x, width)
    with pytest.raises(UsageError, match="at least one layer"):
        models.time_delay(x, [])
    with pytest.raises(UsageError, match="no window of 3 fits 2 steps"):
        models.time_delay(x, [(2, 3), (3, 3)])
