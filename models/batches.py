"""Minibatches: contiguous chunks of one long text, and sequences of similar length padded together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.errors import UsageError

Integers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Streams:
    """One long text as `batch` parallel streams, read in chunks of `steps`.

    Stream b holds symbols b * length to (b + 1) * length, and the target of a symbol is the next one;
    chunk k + 1 goes on where chunk k ended, so that the state can be carried.
    Raises `UsageError` if the text is too short for one chunk.
    """

    symbols: Integers
    steps: int
    batch: int

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise UsageError(f"chunks of {self.steps} steps in {self.batch} streams", fix="both are 1 or more")
        if self.chunks < 1:
            raise UsageError(
                f"{len(self.symbols)} symbols are too few for {self.batch} streams of {self.steps} steps",
                fix="a longer text, fewer steps, or a smaller batch",
            )

    @property
    def length(self) -> int:
        """Symbols in each stream."""
        return (len(self.symbols) - 1) // self.batch

    @property
    def chunks(self) -> int:
        """Chunks in one pass over the text."""
        return self.length // self.steps

    def chunk(self, number: int) -> tuple[Integers, Integers]:
        """Inputs and targets (steps, batch) of one chunk; numbers past the end start again."""
        return self.part(self.start(number), self.steps)

    def start(self, number: int) -> int:
        """The place in each stream at which a chunk starts."""
        return number % self.chunks * self.steps

    def part(self, start: int, steps: int) -> tuple[Integers, Integers]:
        """Inputs and targets (steps, batch) from any place on; before the start the first symbol stands in."""
        within = np.maximum(np.arange(start, start + steps), 0)
        places = within[:, None] + self.length * np.arange(self.batch)
        return self.symbols[places], self.symbols[places + 1]


def contiguous_batches(symbols: Integers, steps: int, batch: int) -> Iterator[tuple[Integers, Integers]]:
    """One pass over a text: inputs and targets (steps, batch) of each chunk of `Streams`, in order."""
    streams = Streams(symbols, steps, batch)
    return (streams.chunk(number) for number in range(streams.chunks))


@dataclass(frozen=True)
class Padded:
    """Sequences of similar length in one array (time, batch, ...) with a boolean mask (time, batch)."""

    values: np.ndarray[Any, Any]
    mask: np.ndarray[Any, Any]
    members: tuple[int, ...]  # which sequences these are


def pad(sequences: Sequence[Any], members: Sequence[int] | None = None, *, steps: int | None = None) -> Padded:
    """Sequences (time, ...) padded with zeros to the longest, or to `steps`; the mask is true where there is data.

    `members` are the places of those that are taken, without it all. Raises `UsageError` if one is too long.
    """
    taken = range(len(sequences)) if members is None else members
    chosen = [np.asarray(sequences[m]) for m in taken]
    longest = max(len(sequence) for sequence in chosen)
    if steps is not None and steps < longest:
        raise UsageError(f"a sequence of {longest} steps does not fit {steps}", fix=f"steps={longest} or more")
    values = np.zeros((steps or longest, len(chosen), *chosen[0].shape[1:]), chosen[0].dtype)
    mask = np.zeros(values.shape[:2], bool)
    for place, sequence in enumerate(chosen):
        values[: len(sequence), place] = sequence
        mask[: len(sequence), place] = True
    return Padded(values, mask, tuple(taken))


def grouped_by_length(sequences: Sequence[Any], batch: int, rng: np.random.Generator) -> Iterator[Padded]:
    """One pass over sequences: batches of similar length, in random order, ties broken at random.

    Raises `UsageError` for an empty sequence.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    if not isinstance(batch, int) or batch < 1:
        raise UsageError(f"a batch has at least one sequence, not {batch!r:.60}", fix="batch=1 or more")
    if len(lengths) == 0 or lengths.min() == 0:
        raise UsageError("there is an empty sequence, or none at all", fix="leave empty sequences out")
    shuffled = rng.permutation(len(lengths))
    order = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    groups = [order[start : start + batch] for start in range(0, len(order), batch)]
    for group in rng.permutation(len(groups)):
        yield pad(sequences, [int(m) for m in groups[group]])


def split(symbols: Integers, validation: float) -> tuple[Integers, Integers]:
    """A text cut in two: the part to learn from, and the last share of it to validate on.

    Raises `UsageError` unless 0 <= validation < 1.
    """
    if not isinstance(validation, (int, float)) or not 0 <= validation < 1:
        raise UsageError(f"the share for validation is from 0 to below 1, not {validation!r:.60}")
    kept = len(symbols) - int(len(symbols) * validation)
    return symbols[:kept], symbols[kept:]
