"""The language model: its gradient against differences, its embedding, the state that it carries, its description."""

from __future__ import annotations

import json
from math import log
from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close, central, complex_step, inner
from helpers.zoo import LANGUAGE, few

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import TinygraphError, UnknownNameError, UsageError
from tinygraph.models import CELLS, LanguageModel, Vocabulary

FIRST, EXACT, SAME = 1e-6, 1e-10, 1e-12
STEPS, BATCH = 4, 3
VOCABULARY = Vocabulary(tuple("abcde"))

each_cell = pytest.mark.parametrize("cell", few(LANGUAGE))
each_depth = pytest.mark.parametrize("layers", [1, 2])
each_input = pytest.mark.parametrize("embedding", [0, 2], ids=["one-hot", "embedding"])
some_seeds = pytest.mark.parametrize(
    "seeds", [pytest.param(range(1), id="1 seed"), pytest.param(range(1, 4), id="3 seeds", marks=pytest.mark.slow)]
)


def unfolded(cell: str, layers: int = 1, embedding: int = 0, steps: int = STEPS) -> Any:
    """A model of three units over five symbols."""
    return LanguageModel(VOCABULARY, cell, hidden=3, layers=layers, embedding=embedding).unroll(steps)


def feeds_of(net: Any, seed: int, steps: int = STEPS, batch: int = BATCH) -> dict[str, Any]:
    """Random values for all parameters, the state, inputs and targets."""
    rng = np.random.default_rng(seed)
    values = {name: 0.7 * rng.standard_normal(p.shape) for name, p in net.graph.parameters.items()}
    state = {name: rng.standard_normal(zero.shape) for name, zero in net.zero_state(batch).items()}
    size = len(net.model.vocabulary)
    return values | state | {name: rng.integers(0, size, (steps, batch)) for name in "xy"}


@some_seeds
@each_input
@each_depth
@each_cell
def test_gradient_against_differences(cell, layers, embedding, seeds):
    """Along a random direction of all parameters at once, and of each alone."""
    net = unfolded(cell, layers, embedding)
    for seed in seeds:
        feeds, rng = feeds_of(net, seed), np.random.default_rng([seed, 1])
        gradients = tg.evaluate(net.gradients, feeds)
        assert set(gradients) == set(net.graph.parameters)
        v = {name: rng.standard_normal(g.shape) for name, g in gradients.items()}

        def loss(at: Any, dtype: str = "float64", net: Any = net) -> Any:
            return tg.evaluate(net.loss, at, dtype=dtype)

        found, terms = inner(gradients, v)
        assert_close(found, central(loss, feeds, v), FIRST, terms)
        for name, part in v.items():
            found, terms = inner(gradients, {name: part})
            exact = complex_step(lambda at: loss(at, "complex128"), feeds, {name: part})
            assert_close(found, exact, EXACT, terms, f"seed {seed}: gradient by {name}")


def by_hand(feeds: dict[str, Any], layers: int, embedding: int) -> float:
    """The loss of an Elman model in plain NumPy, one symbol of one stream at a time."""
    losses = []
    for b in range(BATCH):
        h = [feeds[f"layer{k}/h_0"][b] for k in range(1, layers + 1)]
        for symbol, target in zip(feeds["x"][:, b], feeds["y"][:, b], strict=True):
            below = feeds["C"][symbol] if embedding else np.eye(len(VOCABULARY))[symbol]
            for k in range(layers):
                W, U, bias = (feeds[f"layer{k + 1}/{name}"] for name in "WUb")
                below = h[k] = np.tanh(W @ below + U @ h[k] + bias)
            scores = feeds["V"] @ below + feeds["c"]
            losses.append(-log(np.exp(scores[target]) / np.sum(np.exp(scores))))
    return float(np.mean(losses))


@each_input
@each_depth
def test_loss_against_plain_numpy(layers, embedding):
    net = unfolded("elman", layers, embedding)
    feeds = feeds_of(net, 0)
    assert tg.evaluate(net.loss, feeds) == pytest.approx(by_hand(feeds, layers, embedding), rel=SAME)


@each_cell
def test_all_zero_parameters_know_nothing(cell):
    net = unfolded(cell, 2, 2)
    feeds = feeds_of(net, 0) | {name: np.zeros(p.shape) for name, p in net.graph.parameters.items()}
    assert tg.evaluate(net.loss, feeds) == pytest.approx(log(len(VOCABULARY)), rel=SAME)


@each_input
@each_depth
@each_cell
def test_symbols_enter_as_a_product_with_one_hot_vectors(cell, layers, embedding):
    """The same net with vectors that are fed: one-hot ones, times the table C if there is one.

    The loss agrees, the gradient by every parameter too, and that by C.
    """
    net = unfolded(cell, layers, embedding)
    size, graph = len(VOCABULARY), tg.Graph()
    vectors = graph.sequence("x", STEPS, (size,))
    if embedding:
        table = graph.parameter("C", (size, embedding))
        vectors = tg.Steps("v", ((t, tg.transpose(table) @ x) for t, x in vectors.items()))
    sizes = {name: 3 for name in CELLS[cell].sizes if name != "I"}
    twin = models.stack(
        CELLS[cell], STEPS, layers=layers, graph=graph, inputs={"x": vectors}, initial="fed", sizes=sizes
    )
    loss = models.softmax_cross_entropy(models.readout(twin, size))

    feeds = feeds_of(net, 2)
    ours = tg.evaluate([net.loss, net.gradients], feeds)
    theirs = tg.evaluate([loss, tg.grad(loss, graph.parameters)], feeds | {"x": np.eye(size)[feeds["x"]]})
    assert_close(ours[0], theirs[0], SAME)
    assert set(ours[1]) == set(theirs[1])
    for name, gradient in theirs[1].items():
        assert_close(ours[1][name], gradient, SAME, what=name)


@each_input
@each_depth
@each_cell
def test_two_chunks_with_the_state_carried_are_one_pass(cell, layers, embedding):
    """Two chunks of five steps, the second from the state of the first, against ten steps at once."""
    whole, half = unfolded(cell, layers, embedding, 10), unfolded(cell, layers, embedding, 5)
    feeds = feeds_of(whole, 3, 10)
    loss, scores, last = tg.evaluate([whole.loss, whole.scores, whole.state], feeds)
    state, losses, parts = {name: feeds[name] for name in half.state}, [], []
    for start in (0, 5):
        chunk = {name: feeds[name][start : start + 5] for name in "xy"}
        outputs = [half.loss, half.scores, half.state]
        chunk_loss, chunk_scores, state = tg.evaluate(outputs, feeds | state | chunk)
        losses.append(chunk_loss)
        parts += list(chunk_scores.values())
    assert_close(np.mean(losses), loss, SAME)
    assert_close(np.stack(parts), np.stack(list(scores.values())), SAME)
    assert set(state) == set(last)
    for name, value in last.items():
        assert_close(state[name], value, SAME, what=name)
    restarted = tg.evaluate(half.loss, feeds | half.zero_state(BATCH) | {n: feeds[n][5:] for n in "xy"})
    assert abs(restarted - losses[1]) > 1e-6  # a state that is lost would show


@each_input
@each_cell
def test_one_step_at_a_time(cell, embedding):
    """`next_scores`, fed with its own state, gives the scores of the whole text."""
    whole, single = unfolded(cell, 2, embedding), unfolded(cell, 2, embedding, 1)
    feeds = feeds_of(whole, 4)
    feeds |= {name: value[0] for name, value in feeds.items() if name in whole.state}
    text = feeds.pop("x")[:, 0]
    del feeds["y"]  # without a loss there are no targets
    values = {name: feeds[name] for name in whole.graph.parameters}
    expected = tg.evaluate(whole.scores, feeds | {"x": text})
    state = {name: feeds[name] for name in single.state}
    for t, symbol in enumerate(text, start=1):
        scores, state = single.next_scores(values, int(symbol), state)
        assert_close(scores, expected[t], SAME)


# What a model is
@each_cell
def test_description_survives_json(cell):
    for vocabulary in (VOCABULARY, Vocabulary.of("a word, and\nanother — é", "words")):
        model = LanguageModel(vocabulary, cell, hidden=7, layers=2, embedding=3)
        assert LanguageModel.from_description(json.loads(json.dumps(model.describe()))) == model


@pytest.mark.parametrize("name", ["hidden", "layers", "embedding"])
@pytest.mark.parametrize("value", [-1, 1.5, "3", None])
def test_sizes_are_whole_numbers(name, value):
    with pytest.raises(UsageError, match=name):
        LanguageModel(VOCABULARY, **{name: value})


def test_a_wrong_cell_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'lsmt'(?s:.*)'lstm'"):
        LanguageModel(VOCABULARY, "lsmt")


def test_a_text_of_one_symbol_is_refused():
    for symbols in ((), ("a",)):
        with pytest.raises(UsageError, match="single symbol"):
            LanguageModel(Vocabulary(symbols))


DAMAGED: dict[str, Any] = {
    "no vocabulary": {"cell": "gru"},
    "a vocabulary of numbers": {"vocabulary": {"symbols": [1, 2], "unit": "characters"}},
    "an empty symbol": {"vocabulary": {"symbols": ["a", ""], "unit": "characters"}},
    "the same symbol twice": {"vocabulary": {"symbols": ["a", "b", "a"], "unit": "characters"}},
    "an unknown unit": {"vocabulary": {"symbols": ["a", "b"], "unit": "sentences"}},
    "an unhashable unit": {"vocabulary": {"symbols": ["a", "b"], "unit": []}},
    "an unknown cell": {"vocabulary": {"symbols": ["a", "b"], "unit": "words"}, "cell": "x"},
    "an unhashable cell": {"vocabulary": {"symbols": ["a", "b"], "unit": "words"}, "cell": []},
    "an unknown entry": {"vocabulary": {"symbols": ["a", "b"], "unit": "words"}, "width": 3},
    "a list": [1, 2],
    "nothing": None,
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_description_is_refused(data):
    with pytest.raises(TinygraphError):
        LanguageModel.from_description(data)


@pytest.mark.parametrize("cell", ["highway", "captioner", "captioner_first"])
def test_a_cell_that_needs_more_than_symbols_is_refused(cell):
    with pytest.raises(UsageError, match=f"cell {cell} needs more than a sequence of symbols"):
        LanguageModel(VOCABULARY, cell)


@pytest.mark.parametrize("cell", ["mut1", "mut2", "recursive"])
def test_inputs_of_the_size_of_the_state_are_embedded(cell):
    """Symbols of such a cell need as many columns as there are units."""
    with pytest.raises(UsageError, match=r"(?s)the size of its state, 3.*an embedding of 3 columns"):
        unfolded(cell)
    net = unfolded(cell, 2, 3)
    assert np.isfinite(tg.evaluate(net.loss, feeds_of(net, 0)))
