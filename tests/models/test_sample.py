"""Sampling: what is chosen, how often, where a sample ends, and that it is what the unfolded model says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.zoo import LANGUAGE, few

import tinygraph as tg
from tinygraph.errors import UsageError, ValueRangeError
from tinygraph.models import LanguageModel, Vocabulary, choose, sample

SCORES = np.array([1.0, -0.5, 2.0, 0.3, 1.2])
DRAWS = 2_000

each_cell = pytest.mark.parametrize("cell", few(LANGUAGE))


def a_model(
    cell: str = "gru", unit: str = "characters", text: str = "abcde", **sizes: Any
) -> tuple[LanguageModel, Any]:
    """A model with parameters so large that its choices differ from symbol to symbol."""
    model = LanguageModel(Vocabulary.of(text, unit), cell, **({"hidden": 4, "layers": 2} | sizes))
    values = {name: 2 * v for name, v in model.unroll(1).net.initial(seed=3).items()}
    return model, values


def write(model: LanguageModel, values: Any, **options: Any) -> str:
    return "".join(sample(model, values, **options))


# The choice
@pytest.mark.parametrize("seed", range(5))
def test_temperature_zero_takes_the_likeliest(seed):
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal(9)
    assert choose(scores, rng, 0) == max(range(9), key=lambda i: scores[i])
    assert choose(scores, rng, 1e-300) == max(range(9), key=lambda i: scores[i])


@pytest.mark.parametrize("shift", [0, 1e4, -1e4])
@pytest.mark.parametrize("top_k", [0, 1, 2, 4, 5, 99])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_frequencies_follow_softmax(temperature, top_k, shift):
    """Within five standard deviations of a binomial, also where exp of a score would overflow."""
    rng = np.random.default_rng(0)
    counts = np.bincount([choose(SCORES + shift, rng, temperature, top_k) for _ in range(DRAWS)], minlength=5)
    weights = np.exp(SCORES / temperature)
    if top_k:
        weights[np.argsort(-SCORES)[top_k:]] = 0
    p = weights / weights.sum()
    assert (counts[p == 0] == 0).all()
    spread = np.sqrt(DRAWS * p * (1 - p))
    assert (np.abs(counts - DRAWS * p) <= 5 * spread + 1e-9).all()


def test_frequencies_tell_temperatures_apart():
    """The bounds above would notice a temperature that is off by a third."""
    rng = np.random.default_rng(0)
    counts = np.bincount([choose(SCORES, rng, 1.3) for _ in range(DRAWS)], minlength=5)
    p = np.exp(SCORES) / np.sum(np.exp(SCORES))
    assert (np.abs(counts - DRAWS * p) > 5 * np.sqrt(DRAWS * p * (1 - p))).any()


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_top_k_with_equal_scores_keeps_k(top_k):
    rng = np.random.default_rng(0)
    assert len({choose(np.zeros(5), rng, 1.0, top_k) for _ in range(300)}) == top_k


def test_given_scores_are_not_changed():
    kept = SCORES.copy()
    choose(SCORES, np.random.default_rng(0), 0.5, 2)
    np.testing.assert_array_equal(SCORES, kept)


@pytest.mark.parametrize(("temperature", "top_k"), [(-1, 0), (float("nan"), 0), (float("inf"), 0), (1, -1)])
def test_wrong_numbers_are_refused(temperature, top_k):
    with pytest.raises(UsageError, match="temperature"):
        choose(SCORES, np.random.default_rng(0), temperature, top_k)
    model, values = a_model()
    with pytest.raises(UsageError, match="temperature"):
        write(model, values, temperature=temperature, top_k=top_k)


# The sample
@pytest.mark.parametrize("embedding", [0, 3])
@each_cell
def test_sample_is_what_the_unfolded_model_writes(cell, embedding):
    """At temperature 0: each symbol is the likeliest after the text so far, which is fed as a whole."""
    model, values = a_model(cell, embedding=embedding)
    written = write(model, values, start="bad", length=12, temperature=0)
    assert len(written) == 12
    text = model.vocabulary.encode("bad" + written)
    net = model.unroll(len(text) - 1)
    scores = tg.evaluate(net.scores, values | net.zero_state() | {"x": text[:-1]})
    assert [int(np.argmax(scores[t])) for t in range(3, len(text))] == list(text[3:])


@each_cell
def test_a_random_sample_step_by_step(cell):
    """At temperature 0.7 with top_k 3, the choices drawn from a generator of the same seed."""
    model, values = a_model(cell)
    written = write(model, values, start="ab", length=10, temperature=0.7, top_k=3, seed=5)
    rng, text = np.random.default_rng(5), "ab"
    for _ in range(10):
        net = model.unroll(len(text))
        scores = tg.evaluate(net.scores[len(text)], values | net.zero_state() | {"x": model.vocabulary.encode(text)})
        text += model.vocabulary.symbols[choose(scores, rng, 0.7, 3)]
    assert "ab" + written == text


def test_seeds():
    model, values = a_model()
    assert write(model, values, length=50, seed=1) == write(model, values, length=50, seed=1)
    assert write(model, values, length=50, seed=1) != write(model, values, length=50, seed=2)
    assert write(model, values, length=50, seed=np.random.default_rng(1)) == write(model, values, length=50, seed=1)


@pytest.mark.parametrize("start", ["", "a", "abc"])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_length_counts_what_is_written(start, length):
    model, values = a_model()
    assert len(write(model, values, start=start, length=length)) == length


@pytest.mark.parametrize("start", ["", "a", "dd"])
@pytest.mark.parametrize("seed", range(4))
def test_the_stop_symbol_ends_a_sample_and_is_not_written(seed, start):
    """What is written is the sample without a stop, up to the first stop symbol: also where that is the first."""
    model, values = a_model()
    options = {"start": start, "length": 40, "temperature": 2.0, "seed": seed}
    free = write(model, values, **options)
    for stop in "abcde":
        assert write(model, values, stop=stop, **options) == free.partition(stop)[0]


def test_words():
    text = "one two, three two one"
    model, values = a_model(unit="words", text=text)
    written = list(sample(model, values, start="one two", length=20, stop=",", temperature=2.0))
    assert set(written) <= set(model.vocabulary.symbols) - {","}
    assert any(len(symbol) > 1 for symbol in written)


def test_symbols_come_as_they_are_drawn():
    """A sample of any length begins at once."""
    model, values = a_model()
    symbols = sample(model, values, length=10**9)
    assert len([next(symbols) for _ in range(5)]) == 5


@pytest.mark.parametrize("where", ["start", "stop"])
def test_text_outside_the_vocabulary_is_refused(where):
    model, values = a_model()
    with pytest.raises(ValueRangeError, match=r"vocabulary has no 'X'(?s:.*)training text"):
        write(model, values, **{where: "X"})


def test_wrong_lengths_are_refused():
    model, values = a_model()
    for length in (0, -1):
        with pytest.raises(UsageError, match="at least one symbol"):
            write(model, values, length=length)
    with pytest.raises(UsageError, match="2 symbols"):
        write(model, values, stop="ab")
