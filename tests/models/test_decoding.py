"""Decoding: beams against a search through everything, against greedy decoding, and when to stop."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import NonFiniteError, ShapeError, UsageError
from tinygraph.models import LanguageModel, Vocabulary, beam_search, greedy, language_step, sampled, sampled_each

END, START, LONGEST = 0, 2, 4  # of the symbols 0, 1, 2
MODEL = LanguageModel(Vocabulary(tuple("abc")), "elman", hidden=4)
WHERE = {"start": START, "end": END, "longest": LONGEST}
GREEDY_LOSES = 342  # a seed, found by trying them in order
PENALTIES = (0.0, 0.5, 1.0, 3.0)


def values_of(seed: int, scale: float = 2.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {name: scale * rng.standard_normal(p.shape) for name, p in MODEL.unroll(1).graph.parameters.items()}


def everything(values: Any, longest: int = LONGEST) -> list[tuple[tuple[int, ...], float, bool]]:
    """All that can be said, with its log-probability from the unrolled net, and whether it has ended."""
    others, found = [s for s in range(3) if s != END], []
    said = [(*s, END) for n in range(longest) for s in product(others, repeat=n)]
    for symbols in [*said, *product(others, repeat=longest)]:
        net = MODEL.unroll(len(symbols))
        feeds = {**values, **net.zero_state(), "x": np.array([START, *symbols[:-1]]), "y": np.array(symbols)}
        log_probability = -float(tg.evaluate(net.loss, feeds)) * len(symbols)
        ended = symbols[-1] == END
        found.append((symbols[:-1] if ended else symbols, log_probability, ended))
    return found


def ranked(values: Any, penalty: float) -> list[tuple[float, tuple[int, ...]]]:
    """Scores and symbols of everything, the best first."""
    found = [(p / ((5 + len(s) + ended) / 6) ** penalty, s) for s, p, ended in everything(values)]
    return sorted(found, key=lambda pair: -pair[0])


@pytest.mark.parametrize("seed", range(3))
def test_everything_is_a_distribution(seed):
    """The probabilities of all that can be said sum to 1: nothing is left out of the search below."""
    assert sum(np.exp(p) for _, p, _ in everything(values_of(seed))) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_the_best_of_all(seed, penalty):
    """And the next best too, in their order."""
    values = values_of(seed)
    step, state = language_step(MODEL, values)
    found = beam_search(step, state, **WHERE, width=3**LONGEST, length_penalty=penalty, results=5)
    for hypothesis, (score, symbols) in zip(found, ranked(values, penalty), strict=False):
        assert hypothesis.symbols == symbols
        assert hypothesis.score == pytest.approx(score, rel=1e-12)
    assert len(found) == 5


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_is_greedy(seed, penalty):
    step, state = language_step(MODEL, values_of(seed))
    (one,) = beam_search(step, state, **WHERE, width=1, length_penalty=penalty)
    first = greedy(step, state, **WHERE)
    assert (one.symbols, one.ended) == (first.symbols, first.ended)
    assert one.log_probability == pytest.approx(first.log_probability, rel=1e-14)


def test_a_wider_beam_can_find_more():
    """The net of this seed: the likeliest first symbol leads nowhere, and two beginnings are enough to see it."""
    values = values_of(GREEDY_LOSES)
    step, state = language_step(MODEL, values)
    first = greedy(step, state, **WHERE)
    (best,) = beam_search(step, state, **WHERE, width=2)
    assert best.log_probability > first.log_probability + 0.1
    assert best.symbols[0] != first.symbols[0]
    assert best.symbols == ranked(values, 0)[0][1]


def table(*rows: Any) -> Any:
    """A net without memory: scores by the number of symbols read. Counts its steps in `table.steps`."""
    logs = [np.log(row) for row in rows]

    def step(symbols: Any, state: Any) -> Any:
        step.steps += 1
        return np.array([logs[int(t)] for t in state["t"]]), {"t": state["t"] + 1}

    step.steps = 0
    return step, {"t": np.zeros(1, int)}


def test_it_stops_when_the_best_has_ended():
    """0.6 ends at once; what goes on has at most 0.4 left, so that one step is enough."""
    step, state = table([0.6, 0.3, 0.1], [0.98, 0.01, 0.01], [0.98, 0.01, 0.01])
    (best,) = beam_search(step, state, start=0, end=0, longest=3, width=3)
    assert (best.symbols, best.ended, step.steps) == ((), True, 1)


def test_with_a_length_penalty_that_rule_would_be_wrong():
    """log 0.6 at length 1 against log(0.3 * 0.98) at length 2: divided by the square of 7/6 the longer one loses,
    by the eighth power it wins. So the search has to go on after the best has ended."""
    rows = [0.6, 0.3, 0.1], [0.98, 0.01, 0.01], [0.98, 0.01, 0.01]
    for penalty, expected, steps in ((2, (), 1), (8, (1,), 2)):
        step, state = table(*rows)
        (best,) = beam_search(step, state, start=0, end=0, longest=3, width=9, length_penalty=penalty)
        assert best.symbols == expected
        assert step.steps >= steps
    assert np.log(0.3 * 0.98) / (7 / 6) ** 8 > np.log(0.6)
    assert np.log(0.3 * 0.98) / (7 / 6) ** 2 < np.log(0.6)


def test_with_a_penalty_it_stops_when_nothing_open_can_win():
    """After two symbols the rest has 1e-12 left: even at no further cost and the greatest length it loses."""
    step, state = table([1 - 2e-12, 1e-12, 1e-12], *[[0.5, 0.25, 0.25]] * 9)
    (best,) = beam_search(step, state, start=0, end=0, longest=10, width=9, length_penalty=1)
    assert (best.symbols, step.steps) == ((), 1)


def test_what_is_too_long_is_cut_off():
    step, state = table(*[[0.1, 0.2, 0.7]] * 5)
    for found in (
        greedy(step, state, start=0, end=0, longest=5),
        *beam_search(step, state, start=0, end=0, longest=5, width=4),
    ):
        assert found.symbols == (2,) * 5
        assert not found.ended
        assert found.log_probability == pytest.approx(5 * np.log(0.7))


def test_ties_go_to_the_first():
    step, state = table(*[[1 / 3] * 3] * 3)
    found = beam_search(step, state, start=0, end=2, longest=2, width=9, results=9)
    assert [(h.symbols, h.ended) for h in found] == [
        ((), True), ((0, 0), False), ((0, 1), False), ((0,), True), ((1, 0), False), ((1, 1), False), ((1,), True)
    ]  # fmt: skip


def test_samples_are_drawn_from_the_distribution():
    """20,000 samples in one batch against the probability of all that can be said: 4 standard errors."""
    step, _ = table([0.5, 0.3, 0.2], [0.6, 0.4, 0.0 + 1e-300])
    count = 20_000
    drawn = sampled_each(step, {"t": np.zeros(count, int)}, start=0, end=0, longest=2, seed=0)
    found = [one.symbols for one in drawn]
    for symbols, p in (((), 0.5), ((1,), 0.18), ((2,), 0.12), ((1, 1), 0.12), ((2, 1), 0.08)):
        share = found.count(symbols) / count
        assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / count), symbols


def test_the_same_seed_gives_the_same_sample():
    step, state = language_step(MODEL, values_of(0))
    one, two = (sampled(step, state, **WHERE, seed=7) for _ in range(2))
    assert one == two
    assert sampled(step, state, **WHERE, temperature=0) == greedy(step, state, **WHERE)
    assert sampled_each(step, state, **WHERE, seed=7) == [one]


def test_a_search_leaves_the_state_that_it_is_given():
    step, state = language_step(MODEL, values_of(1))
    before = {name: value.copy() for name, value in state.items()}
    first = beam_search(step, state, **WHERE, width=5)
    assert first == beam_search(step, state, **WHERE, width=5)
    for name, value in before.items():
        np.testing.assert_array_equal(state[name], value)


def test_without_an_end_everything_has_the_greatest_length():
    """By all three ways; the best beam is the best of all 27."""
    values = values_of(3)
    step, state = language_step(MODEL, values)
    endless = {"start": START, "end": None, "longest": 3}
    (best,) = beam_search(step, state, **endless, width=27)
    found = [greedy(step, state, **endless), sampled(step, state, **endless), best]
    assert all(len(one.symbols) == 3 and not one.ended for one in found)
    net = MODEL.unroll(3)
    logs = {}
    for symbols in product(range(3), repeat=3):
        feeds = {**values, **net.zero_state(), "x": np.array([START, *symbols[:-1]]), "y": np.array(symbols)}
        logs[symbols] = -3 * float(tg.evaluate(net.loss, feeds))
    assert best.symbols == max(logs, key=logs.__getitem__)
    assert best.log_probability == pytest.approx(logs[best.symbols], rel=1e-12)


def test_bad_inputs():
    step, state = language_step(MODEL, values_of(0))
    wrong = {
        UsageError: [{"width": 0}, {"results": 0}, {"longest": 0}, {"length_penalty": -1.0}, {"end": 3}, {"end": -1},
                     {"length_penalty": float("nan")}],
        ShapeError: [{"width": 1.5}, {"longest": "4"}, {"results": None}],
    }  # fmt: skip
    for error, cases in wrong.items():
        for options in cases:
            with pytest.raises(error):
                beam_search(step, state, **{**WHERE, "width": 2, **options})
    with pytest.raises(NonFiniteError, match="not finite"):
        greedy(lambda s, state: (np.full((1, 3), np.nan), state), {}, **WHERE)
    with pytest.raises(UsageError, match=r"shape \(3,\)"):
        greedy(lambda s, state: (np.zeros(3), state), {}, **WHERE)


def test_images_drawn_together_are_those_drawn_alone():
    """At temperature 0, where nothing depends on the order of draws."""
    model = models.PixelModel(2, 3, levels=3, classes=2, cell="gru", hidden=4)
    rng = np.random.default_rng(1)
    values = {name: 4 * rng.standard_normal(p.shape) for name, p in model.unroll().graph.parameters.items()}
    together = model.sample_each(values, [1, 0, 1], temperature=0)
    assert together.shape == (3, 2, 3)
    assert len(np.unique(together, axis=0)) == 2
    for image, label in zip(together, (1, 0, 1), strict=True):
        np.testing.assert_array_equal(image, model.sample(values, label, temperature=0))
    one, two = (model.sample_each(values, [0, 0], seed=3) for _ in range(2))
    np.testing.assert_array_equal(one, two)
