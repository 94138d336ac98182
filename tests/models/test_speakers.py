"""Cells between symbols: against a loop in plain NumPy, on their own symbols, and how their own are scheduled."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close
from helpers.zoo import few

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import FeedError, UnknownNameError, UsageError, ValueRangeError

STEPS, BATCH, READ, SAID = 4, 3, 6, 4
each_cell = pytest.mark.parametrize("name", few([n for n, c in models.CELLS.items() if not c.children]))


def speaking(cell: Any, free: bool = False, steps: int = STEPS, drawn: bool = False, **options: Any) -> Any:
    made = models.speaking(cell, free=free, drawn=drawn)
    return tg.unroll(made, steps, sizes={n: {"R": READ, "V": SAID, "I": 2}.get(n, 3) for n in made.sizes}, **options)


def feeds_of(net: Any, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return random_feeds(net.graph, seed) | {"symbol": rng.integers(0, READ, (STEPS, BATCH))}


def elman_loop(p: Any, symbols: Any, own: Any, noise: Any = None) -> tuple[list[Any], list[int]]:
    """Scores and the symbols read of one example, in plain NumPy; with noise its own ones are drawn by it."""
    h, scores, said, read = np.zeros(3), [], 0, []
    for t, (symbol, free) in enumerate(zip(symbols, own, strict=True)):
        if t and noise is not None:
            said = int(np.argmax(scores[-1] + noise[t]))
        read.append(said if free else int(symbol))
        h = np.tanh(p["W"] @ p["E"][read[-1]] + p["U"] @ h + p["b"])
        scores.append(p["V_y"] @ h + p["c_y"])
        said = int(np.argmax(scores[-1]))
    return scores, read


def test_against_plain_numpy():
    """Some steps read what is given, others what was said: each example as its own schedule has it."""
    net = speaking(models.elman, free=True)
    feeds = feeds_of(net) | {"own": np.random.default_rng(1).random((STEPS, BATCH)) < 0.5}
    feeds["own"][0] = False
    found, read = tg.evaluate([net.output, net.read], feeds)
    for b in range(BATCH):
        expected, symbols = elman_loop(feeds, feeds["symbol"][:, b], feeds["own"][:, b])
        for t in range(STEPS):
            assert_close(found[t + 1][b], expected[t], 1e-13)
            assert read[t + 1][b] == symbols[t]
    tg.validate(net.graph)


def test_drawn_symbols_against_plain_numpy():
    """By the noise of each step; noise of zeros is the likeliest symbol."""
    net = speaking(models.elman, free=True, drawn=True)
    feeds = feeds_of(net) | {"own": np.arange(STEPS)[:, None] > np.zeros(BATCH)}
    feeds["noise"] = models.gumbel_noise((STEPS, BATCH, SAID), seed=2)
    found, read = tg.evaluate([net.output, net.read], feeds)
    for b in range(BATCH):
        expected, symbols = elman_loop(feeds, feeds["symbol"][:, b], feeds["own"][:, b], feeds["noise"][:, b])
        for t in range(STEPS):
            assert_close(found[t + 1][b], expected[t], 1e-13)
            assert read[t + 1][b] == symbols[t]
    silent = feeds | {"noise": np.zeros((STEPS, BATCH, SAID))}
    plain = speaking(models.elman, free=True)
    for t, scores in tg.evaluate(plain.output, {n: v for n, v in feeds.items() if n != "noise"}).items():
        np.testing.assert_array_equal(tg.evaluate(net.output[t], silent), scores)


def test_noise_draws_from_the_softmax():
    """How often each symbol has the largest score with noise is its probability, to 4 standard errors of 20,000."""
    scores = np.array([1.0, 0.0, -1.0, 2.0])
    drawn = np.argmax(scores + models.gumbel_noise((100, 200, 4), seed=0), axis=-1)
    expected = np.exp(scores) / np.exp(scores).sum()
    for symbol, share in enumerate(expected):
        assert abs(np.mean(drawn == symbol) - share) < 4 * np.sqrt(share * (1 - share) / drawn.size)
    np.testing.assert_array_equal(models.gumbel_noise((2, 3), 5), models.gumbel_noise((2, 3), 5))


@each_cell
def test_without_symbols_of_its_own_both_forms_agree(name):
    """Values and gradients of the form that may read its own symbols, where it never does, and of the plain one."""
    cell = models.CELLS[name]
    if len(cell.inputs) != 1:
        with pytest.raises(UsageError, match="one vector"):
            models.speaking(cell)
        return
    results = []
    for free in (False, True):
        net = speaking(cell, free=free)
        loss = tg.sum_batch(tg.add([tg.sum(o * o) for o in net.output.values()]))
        feeds = feeds_of(speaking(cell, free=False)) | ({"own": np.zeros((STEPS, BATCH), bool)} if free else {})
        results.append(tg.evaluate([list(net.output.values()), tg.grad(loss, net.parameters)], feeds))
    (ours, one), (theirs, other) = results
    np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    for n, gradient in one.items():
        assert_close(gradient, other[n], 1e-14, what=n)


def test_the_table_is_a_product_with_one_hot_vectors():
    """The scores of the cell over vectors E^T e_symbol that are fed."""
    net = speaking(models.gru)
    feeds = feeds_of(net)
    plain = tg.unroll(models.gru, STEPS, I=2, H=3)
    vectors = np.eye(READ)[feeds["symbol"]] @ feeds["E"]
    h = tg.evaluate(plain.output, {n: feeds[n] for n in plain.parameters} | {"x": vectors})
    for t, scores in tg.evaluate(net.output, feeds).items():
        assert_close(scores, h[t] @ feeds["V_y"].T + feeds["c_y"], 1e-13)


def test_no_gradient_passes_through_the_choice():
    """On its own symbols the gradient is that of the same symbols given."""
    net = speaking(models.gru, free=True)
    feeds = feeds_of(net) | {"own": np.ones((STEPS, BATCH), bool)}
    feeds["own"][0] = False
    loss = tg.sum_batch(tg.sum(net.output[STEPS] ** 2))
    read, gradients = tg.evaluate([list(net.read.values()), tg.grad(loss, net.parameters)], feeds)
    given = feeds | {"symbol": np.array(read), "own": np.zeros((STEPS, BATCH), bool)}
    for n, gradient in tg.evaluate(tg.grad(loss, net.parameters), given).items():
        assert_close(gradients[n], gradient, 1e-14)


def test_a_speaker_steps_as_the_net_does():
    net = speaking(models.attend_last(models.layered(models.lstm, 2)), mask=False)
    feeds = feeds_of(net)
    speaker = models.Speaker(net, {n: feeds[n] for n in net.parameters})
    for b in range(BATCH):
        alone = {n: feeds[n][b : b + 1] for n in ("memory", "seen")}
        state = speaker.begin(alone)
        for t in range(STEPS):
            scores, state = speaker.step(feeds["symbol"][t, b : b + 1], state)
            np.testing.assert_allclose(scores[0], tg.evaluate(net.output[t + 1], feeds)[b], rtol=1e-13)


def test_several_hypotheses_step_together():
    net = speaking(models.gru)
    feeds = feeds_of(net)
    speaker = models.Speaker(net, {n: feeds[n] for n in net.parameters})
    _, state = speaker.step([5], speaker.begin())
    together, _ = speaker.step([0, 3], {n: np.repeat(v, 2, axis=0) for n, v in state.items()})
    for row, symbol in enumerate((0, 3)):
        np.testing.assert_allclose(together[row], speaker.step([symbol], state)[0][0], rtol=1e-13)


def test_it_is_drawn_and_printed():
    net = speaking(models.attend_first(models.gru), free=True)
    assert viz.draw(net).nodes > 0
    assert r"\mathrm{scores}_{t} = " in tg.latex(net.cell).replace("&", "")


@pytest.mark.parametrize("schedule", models.FORCING)
def test_schedules_of_forcing(schedule):
    """Chances from 0 to 1 that never rise; all but the constant ones go from 1 to nearly 0."""
    chances = [models.FORCING[schedule](done) for done in np.linspace(0, 1, 21)]
    assert all(1 >= a >= b >= 0 for a, b in pairwise(chances))
    if schedule not in ("always", "never"):
        assert chances[0] == pytest.approx(1, abs=1e-12)
        assert chances[-1] < 0.02


def test_own_symbols():
    """Never at the first step; the share of true symbols is the schedule's, to 4 standard errors."""
    own = models.own_symbols("linear", 0.25, (101, 400), seed=0)
    assert not own[0].any()
    assert abs(own[1:].mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 40_000)
    np.testing.assert_array_equal(own, models.own_symbols("linear", 0.25, (101, 400), seed=0))
    assert not models.own_symbols("always", 1, (5, 5), 0).any()
    assert models.own_symbols("never", 0, (5, 5), 0)[1:].all()


def test_bad_inputs():
    with pytest.raises(UnknownNameError, match="linear"):
        models.own_symbols("liner", 0.5, (2, 2), 0)
    with pytest.raises(UsageError, match="0 to 1"):
        models.own_symbols("linear", 1.5, (2, 2), 0)
    with pytest.raises(UsageError, match="one vector"):
        models.speaking(models.speaking(models.gru))
    with pytest.raises(UsageError, match="free=True, drawn=True"):
        models.speaking(models.gru, drawn=True)
    with pytest.raises(UsageError, match="does not speak"):
        models.Speaker(tg.unroll(models.gru, 1, I=1, H=1), {})
    with pytest.raises(FeedError, match="no value is given for"):
        models.Speaker(speaking(models.gru), {})
    net = speaking(models.gru)
    speaker = models.Speaker(net, net.initial(seed=0))
    with pytest.raises(ValueRangeError, match=str(READ)):
        speaker.step([READ], speaker.begin())
