"""Decoding: what a trained net says, one step at a time outside the graph.

A net is here a function `step(symbols, state)`: symbols (B,) of integers and a state of arrays (B, ...) give
scores (B, V) of the next symbol and the new state. `language_step` makes one of a language model, and
`Translator.step` is one.

    log p(y) = sum_t log softmax(scores_t)[y_t]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygraph.errors import NonFiniteError, UsageError
from tinygraph.shapes import as_size

from .language import LanguageModel
from .sampling import choose

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Any]
Step = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Hypothesis:
    """What was said: symbols without the one that ends it, and their log-probability (that one counted).

    `ended` is false where the greatest length cut it off. `score` is what hypotheses are ranked by: the
    log-probability, divided by the length penalty if there is one.
    """

    symbols: tuple[int, ...]
    log_probability: float
    score: float
    ended: bool


def language_step(model: LanguageModel, values: Mapping[str, Any]) -> tuple[Step, Arrays]:
    """The step of a language model, and the state of zeros before the first symbol, for a batch of 1."""
    unfolded = model.unroll(1)
    return partial(unfolded.next_scores, values), unfolded.zero_state(1)


def greedy(step: Step, state: Arrays, *, start: int, end: int | None, longest: int) -> Hypothesis:
    """The likeliest symbol after the likeliest symbol, until `end` or `longest` symbols; see `beam_search`."""
    return greedy_each(step, state, start=start, end=end, longest=longest)[0]


def greedy_each(step: Step, state: Arrays, *, start: int, end: int | None, longest: int) -> list[Hypothesis]:
    """`greedy` for each example of a state of arrays (B, ...), all in step; those that have ended are left out."""
    return _follow(step, state, start, end, longest, lambda scores: int(np.argmax(scores)))


def sampled(
    step: Step,
    state: Arrays,
    *,
    start: int,
    end: int | None,
    longest: int,
    temperature: float = 1.0,
    top_k: int = 0,
    seed: int | np.random.Generator = 0,
) -> Hypothesis:
    """Symbols drawn one after another, until `end` or `longest` symbols; see `choose` and `beam_search`."""
    options: Mapping[str, Any] = {"temperature": temperature, "top_k": top_k, "seed": seed}
    return sampled_each(step, state, start=start, end=end, longest=longest, **options)[0]


def sampled_each(
    step: Step,
    state: Arrays,
    *,
    start: int,
    end: int | None,
    longest: int,
    temperature: float = 1.0,
    top_k: int = 0,
    seed: int | np.random.Generator = 0,
) -> list[Hypothesis]:
    """`sampled` for each example of a state of arrays (B, ...), all in step; those that have ended are left out."""
    rng = np.random.default_rng(seed)
    return _follow(step, state, start, end, longest, lambda scores: choose(scores, rng, temperature, top_k))


def _follow(
    step: Step, state: Arrays, start: int, end: int | None, longest: int, pick: Callable[[Array], int]
) -> list[Hypothesis]:
    """One hypothesis for each example, symbol by symbol."""
    count = next((len(value) for value in state.values()), 1)
    said, totals, ended = [list[int]() for _ in range(count)], np.zeros(count), np.zeros(count, bool)
    open_ones, last = np.arange(count), np.full(count, start)
    for _ in range(_at_least_one(longest, "greatest length")):
        logs, state = _log_probabilities(step, last, state, end)
        last = np.array([pick(row) for row in logs])
        totals[open_ones] += logs[np.arange(len(last)), last]
        ended[open_ones] = last == end
        goes_on = last != end
        if not goes_on.all():
            state = {name: np.asarray(value)[goes_on] for name, value in state.items()}
            open_ones, last = open_ones[goes_on], last[goes_on]
        if len(last) == 0:
            break
        for example, symbol in zip(open_ones, last, strict=True):
            said[example].append(int(symbol))
    return [
        Hypothesis(tuple(symbols), float(total), float(total), bool(end_said))
        for symbols, total, end_said in zip(said, totals, ended, strict=True)
    ]


def beam_search(
    step: Step,
    state: Arrays,
    *,
    start: int,
    end: int | None,
    longest: int,
    width: int,
    length_penalty: float = 0.0,
    results: int = 1,
) -> list[Hypothesis]:
    """The best of what the net could say, looking at `width` beginnings at a time; the best first.

    step, state     the net, and its state for a batch of 1
    start           the symbol that is read first
    end             the symbol that ends a hypothesis; None where all have the greatest length
    longest         the greatest number of symbols, `end` counted; what is longer is cut off there
    width           k: of all beginnings of one length, the k likeliest go on
    length_penalty  alpha: hypotheses are ranked by log p / ((5 + length) / 6)^alpha, where length counts `end`
                    (Wu et al. 2016, arXiv:1609.08144, eq. 14); without it longer ones always lose
    results         how many hypotheses are wanted

    A beginning can only become less likely, so without a penalty the search stops when the best of all has
    ended. A penalty can lift a longer one: the search then stops when no open beginning could still win even if
    it went on at no cost to the greatest length. With width 1 this is `greedy`; with width V^longest or more it
    finds the best of all. Ties go to the earlier beginning, then to the smaller symbol.

    Raises `UsageError`, `NonFiniteError`.
    """
    _at_least_one(width, "width")
    _at_least_one(results, "number of results")
    if not 0 <= length_penalty < np.inf:
        raise UsageError(f"a length penalty is 0 or more, not {length_penalty!r:.60}")

    def score(log_probability: float, length: int) -> float:
        return log_probability / float(((5 + length) / 6) ** length_penalty)

    open_ones, totals = [()], np.zeros(1)  # beginnings of one length, likeliest first
    last = np.array([start])
    done = list[Hypothesis]()
    for length in range(1, _at_least_one(longest, "greatest length") + 1):
        logs, state = _log_probabilities(step, last, state, end)
        grown = totals[:, None] + logs
        best = np.argsort(-grown, axis=None, kind="stable")[:width]
        rows, symbols = np.unravel_index(best, grown.shape)
        goes_on = []
        for place, (row, symbol) in enumerate(zip(rows, symbols, strict=True)):
            total, ended = float(grown[row, symbol]), bool(symbol == end)
            if ended or length == longest:
                said = open_ones[row] if ended else (*open_ones[row], int(symbol))
                done.append(Hypothesis(said, total, score(total, length), ended))
            else:
                goes_on.append(place)
        done.sort(key=lambda hypothesis: -hypothesis.score)
        if not goes_on:
            break
        rows, last = rows[goes_on], symbols[goes_on]
        totals = grown[rows, last]
        open_ones = [(*open_ones[row], int(symbol)) for row, symbol in zip(rows, last, strict=True)]
        if len(done) >= results and done[results - 1].score >= score(float(totals[0]), longest):
            break
        state = {name: np.asarray(value)[rows] for name, value in state.items()}
    return done[:results]


def _log_probabilities(step: Step, symbols: Array, state: Arrays, end: int | None) -> tuple[Array, Arrays]:
    """log softmax of the scores (B, V), and the new state."""
    scores, state = step(symbols, state)
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or len(scores) != len(symbols):
        raise UsageError(f"the step gave scores of shape {scores.shape} for {len(symbols)} symbols", fix="(B, V)")
    if end is not None and not 0 <= end < scores.shape[1]:
        raise UsageError(f"{end!r} ends a hypothesis, but only 0..{scores.shape[1] - 1} can be said")
    if not np.all(np.isfinite(scores)):
        raise NonFiniteError("scores of the next symbol are not finite", fix="look at the values of the parameters")
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), state


def _at_least_one(value: int, what: str) -> int:
    size = as_size(value, what)
    if size == 0:
        raise UsageError(f"the {what} is 1 or more, not 0")
    return size
