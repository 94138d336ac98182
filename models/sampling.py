"""Sampling: text from a language model, one symbol at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinygraph.errors import UsageError

from .language import LanguageModel


def choose(scores: Any, rng: np.random.Generator, temperature: float = 1.0, top_k: int = 0) -> int:
    """A symbol drawn from softmax(scores / temperature), among the `top_k` likeliest if that is above 0.

    At temperature 0 it is the likeliest one. Raises `UsageError` for a negative temperature or top_k.
    """
    if not 0 <= temperature < np.inf or top_k < 0:
        raise UsageError(f"temperature {temperature!r} and top_k {top_k!r}", fix="both are 0 or more")
    scores = np.asarray(scores, float)
    if temperature == 0:
        return int(np.argmax(scores))
    allowed = scores
    if 0 < top_k < len(scores):
        likeliest = np.argsort(-scores, kind="stable")[:top_k]
        allowed = np.full_like(scores, -np.inf)
        allowed[likeliest] = scores[likeliest]
    weights = np.exp((allowed - allowed.max()) / temperature)
    return int(rng.choice(len(scores), p=weights / weights.sum()))


def sample(
    model: LanguageModel,
    values: Mapping[str, Any],
    *,
    start: str = "",
    length: int = 400,
    temperature: float = 1.0,
    top_k: int = 0,
    stop: str = "",
    seed: int | np.random.Generator = 0,
) -> Iterator[str]:
    """Symbols that the model writes after `start` (one of its own choice without it), as they are drawn.

    Ends after `length` symbols, or before the symbol `stop`. Raises `UsageError`, and
    `ValueRangeError` if `start` or `stop` has a symbol that the vocabulary lacks.
    """
    rng = np.random.default_rng(seed)
    if length < 1:
        raise UsageError(f"a sample has at least one symbol, not {length!r}")
    end = model.vocabulary.encode(stop)
    if len(end) > 1:
        raise UsageError(f"{stop!r} is {len(end)} symbols, and a sample stops at one")
    unfolded = model.unroll(1)
    given = list(model.vocabulary.encode(start))
    if not given:
        given = [int(rng.integers(len(model.vocabulary)))]
        length -= 1
        if given[0] in end:
            return
        yield model.vocabulary.symbols[given[0]]
    state = unfolded.zero_state()
    for symbol in given:
        scores, state = unfolded.next_scores(values, symbol, state)
    for _ in range(length):
        symbol = choose(scores, rng, temperature, top_k)
        if symbol in end:
            return
        yield model.vocabulary.symbols[symbol]
        scores, state = unfolded.next_scores(values, symbol, state)
