"""How a net starts: a dummy step, biases of the first step, and features of words, each in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close
from helpers.zoo import KINKED, few

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import UnknownNameError, UsageError
from tinygraph.models import CELLS, word_features
from tinygraph.models.language import reads_symbols

STEPS, BATCH = 3, 3
READING = [name for name, cell in CELLS.items() if reads_symbols(cell) and not cell.children]


def after_a_dummy_step(cell: tg.Cell, scope: str = "") -> Any:
    graph, sizes = tg.Graph(), dict.fromkeys(cell.sizes, 3)
    parameters, states = models.dummy_step(graph, cell, sizes, scope)
    return tg.unroll(cell, STEPS, graph=graph, parameters=parameters, initial=states, scope=scope, sizes=sizes)


@pytest.mark.parametrize("name", few(READING))
def test_a_dummy_step_is_a_step_more(name):
    """The same as one step more from zeros that reads BOS; the gradient reaches BOS."""
    cell = CELLS[name]
    net, longer = after_a_dummy_step(cell), tg.unroll(cell, STEPS + 1, sizes=dict.fromkeys(cell.sizes, 3))
    ((x, _),) = cell.inputs.items()
    feeds = random_feeds(net.graph)
    begun = np.broadcast_to(feeds["BOS"], (1, BATCH, 3))
    fed = {name: feeds[name] for name in longer.parameters} | {x: np.concatenate([begun, feeds[x]])}
    found, expected = tg.evaluate(net.output, feeds), tg.evaluate(longer.output, fed)
    for t, value in found.items():
        assert_close(value, expected[t + 1], 1e-14)
    gradient = tg.evaluate(tg.grad(tg.sum_batch(tg.sum(net.output[1])), net.graph.parameters["BOS"]), feeds)
    by_example = tg.evaluate(tg.grad(tg.sum_batch(tg.sum(longer.output[2])), getattr(longer, x)[1]), fed)
    assert_close(gradient, by_example.sum(0), 1e-13)
    assert np.any(gradient != 0) or name in KINKED  # where all units may be at rest
    assert set(net.initial(seed=0)) == {*cell.parameters, "BOS"}


def test_a_dummy_step_in_plain_numpy():
    net = after_a_dummy_step(models.elman)
    p = feeds = random_feeds(net.graph)
    found = tg.evaluate(net.h, feeds)
    for b in range(BATCH):
        h = np.tanh(p["W"] @ p["BOS"] + p["b"])
        for t in range(1, STEPS + 1):
            h = np.tanh(p["W"] @ feeds["x"][t - 1, b] + p["U"] @ h + p["b"])
            assert_close(found[t][b], h, 1e-14)


def test_a_dummy_step_in_a_scope_is_drawn():
    net = after_a_dummy_step(models.lstm, "writer")
    assert "writer/BOS" in net.graph.parameters
    assert viz.draw(net).nodes > 0
    tg.validate(net.graph)


def with_first_biases(cell: tg.Cell) -> Any:
    graph, made = tg.Graph(), models.first_biases(cell)
    inputs = {"first": models.at_first(graph, STEPS)}
    return tg.unroll(made, STEPS, graph=graph, inputs=inputs, sizes=dict.fromkeys(made.sizes, 3))


def test_first_biases_are_what_a_learned_state_adds():
    """From zeros with U h_0 + b at the first step: values are those from h_0, in all steps and for each gate."""
    net, learned = with_first_biases(models.elman), tg.unroll(models.elman, STEPS, initial="learned", I=3, H=3)
    feeds = random_feeds(learned.graph)
    own = {name: value for name, value in feeds.items() if name != "h_0"}
    own["b_0"] = feeds["U"] @ feeds["h_0"] + feeds["b"]
    found, expected = tg.evaluate(net.output, own), tg.evaluate(learned.output, feeds)
    for t, h in expected.items():
        assert_close(found[t], h, 1e-14)


def test_first_biases_in_plain_numpy():
    """Of an LSTM, whose four biases have one of their own each."""
    net = with_first_biases(models.lstm)
    feeds = p = random_feeds(net.graph)
    found = tg.evaluate(net.h, feeds)
    for b in range(BATCH):
        h = c = np.zeros(3)
        for t in range(1, STEPS + 1):
            end = "_0" if t == 1 else ""
            a = {k: p[f"W_{k}"] @ feeds["x"][t - 1, b] + p[f"U_{k}"] @ h + p[f"b_{k}{end}"] for k in "ifgo"}
            i, f, o = (1 / (1 + np.exp(-a[k])) for k in "ifo")
            c = f * c + i * np.tanh(a["g"])
            h = o * np.tanh(c)
            assert_close(found[t][b], h, 1e-13)


def test_the_first_step_marks_itself():
    """`at_first` also shows a captioner its image once."""
    graph = tg.Graph()
    inputs = {"first": models.at_first(graph, STEPS)}
    net = tg.unroll(models.captioner_first, STEPS, graph=graph, inputs=inputs, I=2, H=3, F=4)
    feeds = random_feeds(net.graph)
    h = np.tanh(feeds["x"][0, 0] @ feeds["W"].T + feeds["W_v"] @ feeds["v"][0] + feeds["b"])
    assert_close(tg.evaluate(net.h[1], feeds)[0], h, 1e-14)
    flags = [bool(tg.evaluate(node)) for node in inputs["first"].values()]
    assert flags == [True, False, False]


def test_wrong_starts():
    with pytest.raises(UsageError, match="needs sizes H"):
        models.dummy_step(tg.Graph(), models.gru, {"I": 2})
    with pytest.raises(UsageError, match="one vector"):
        models.dummy_step(tg.Graph(), models.captioner_first, {})
    with pytest.raises(UsageError, match=r"tg\.Graph"):
        models.dummy_step("tape", models.gru, {})
    with pytest.raises(UsageError, match=r'no biases.*\n.*initial="learned"'):
        models.first_biases(models.CELLS["linear"])
    with pytest.raises(UsageError, match=r"models\.gru"):
        models.first_biases("gru")


# Words by features that are made by hand
def test_king_without_man_with_woman_is_queen():
    word = {name: np.array(row) for name, row in word_features.WORDS.items()}
    for one, other in (("man", "woman"), ("boy", "girl")):
        np.testing.assert_array_equal(word["king"] - word[one] + word[other], word["queen"])
    np.testing.assert_array_equal(word["prince"] - word["boy"], word["king"] - word["man"])
    assert len(set(word_features.WORDS.values())) == len(word_features.WORDS)
    assert all(len(row) == len(word_features.FEATURES) for row in word_features.WORDS.values())


def test_a_net_over_word_features_in_plain_numpy():
    net = tg.unroll(models.elman, 3, inputs={"x": word_features.word_vectors(tg.Graph(), 3)}, H=2)
    said = ["king", "girl", "queen"]
    feeds = p = random_feeds(net.graph, batch=None) | {"words": word_features.numbered(said)}
    h = np.zeros(2)
    for t, word in enumerate(said, start=1):
        h = np.tanh(p["W"] @ np.array(word_features.WORDS[word]) + p["U"] @ h + p["b"])
        assert_close(tg.evaluate(net.h[t], feeds), h, 1e-14)
    assert set(net.graph.parameters) == {"W", "U", "b"}


def test_words_that_are_not_there():
    with pytest.raises(UnknownNameError, match="'queen'"):
        word_features.numbered(["queeen"])
    for table in ({}, {"a": (0,), "b": (0, 1)}):
        with pytest.raises(UsageError, match="one length"):
            word_features.word_vectors(tg.Graph(), 2, table)
