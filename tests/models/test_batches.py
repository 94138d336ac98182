"""Minibatches: streams of one text, sequences grouped by length, and the cut for validation."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from helpers.zoo import LANGUAGE, sizes_of
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygraph as tg
from tinygraph.errors import TinygraphError, UsageError
from tinygraph.models import CELLS, Streams, contiguous_batches, grouped_by_length, pad, split

sizes = {"count": st.integers(2, 400), "steps": st.integers(1, 12), "batch": st.integers(1, 8)}


def streams(count: int, steps: int, batch: int) -> Streams | None:
    """Streams of a text in which each symbol is its own place; None if the text is too short."""
    try:
        return Streams(np.arange(count), steps, batch)
    except UsageError:
        assert (count - 1) // batch < steps
        return None


@settings(max_examples=200, deadline=None)
@given(**sizes)
def test_targets_are_the_next_symbols(count, steps, batch):
    if found := streams(count, steps, batch):
        for k in range(found.chunks):
            x, y = found.chunk(k)
            assert x.shape == y.shape == (steps, batch)
            np.testing.assert_array_equal(y, x + 1)
            np.testing.assert_array_equal(x[1:], y[:-1])
            assert y.max() < count


@settings(max_examples=200, deadline=None)
@given(**sizes)
def test_each_stream_is_read_to_its_end(count, steps, batch):
    """Chunk k + 1 goes on where chunk k ended; what no chunk holds is shorter than a chunk, or than one row."""
    if found := streams(count, steps, batch):
        read = np.concatenate([found.chunk(k)[0] for k in range(found.chunks)])
        for b in range(batch):
            np.testing.assert_array_equal(read[:, b], b * found.length + np.arange(len(read)))
        assert 0 <= found.length - len(read) < steps
        assert 0 <= count - 1 - batch * found.length < batch
        again = found.chunk(found.chunks)
        np.testing.assert_array_equal(again[0], found.chunk(0)[0])


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_shortest_text(steps, batch):
    """One target more than inputs; a symbol less is refused with the numbers and a remedy."""
    enough = steps * batch + 1
    assert Streams(np.arange(enough), steps, batch).chunks == 1
    for count in range(enough):
        with pytest.raises(UsageError, match=rf"{count} symbols are too few(?s:.*)fix:"):
            Streams(np.arange(count), steps, batch)


@pytest.mark.parametrize(("steps", "batch"), [(0, 1), (1, 0), (-1, 2), (2, -1)])
def test_no_steps_or_no_streams_are_refused(steps, batch):
    with pytest.raises(UsageError, match="1 or more"):
        Streams(np.arange(100), steps, batch)


def test_contiguous_batches_are_the_chunks_in_order():
    symbols = np.random.default_rng(0).integers(0, 9, 100)
    found = list(contiguous_batches(symbols, 4, 3))
    expected = Streams(symbols, 4, 3)
    assert len(found) == expected.chunks == 8
    for k, (x, y) in enumerate(found):
        for b in range(3):
            start = b * 33 + 4 * k
            np.testing.assert_array_equal(x[:, b], symbols[start : start + 4])
            np.testing.assert_array_equal(y[:, b], symbols[start + 1 : start + 5])


# Sequences grouped by length
def sequences(lengths: Any, width: int = 2) -> list[Any]:
    """Sequences of vectors, none of which is zero."""
    rng = np.random.default_rng(0)
    return [1 + rng.random((length, width)) for length in lengths]


some_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(lengths=some_lengths, batch=st.integers(1, 9), seed=st.integers(0, 99))
def test_every_sequence_once_with_its_like(lengths, batch, seed):
    """The batches partition the sequences; sorted by their shortest, no batch reaches past the start of the next."""
    given_sequences = sequences(lengths)
    found = list(grouped_by_length(given_sequences, batch, np.random.default_rng(seed)))
    members = [m for padded in found for m in padded.members]
    assert sorted(members) == list(range(len(lengths)))
    assert sorted(len(padded.members) for padded in found)[1:] == [batch] * (len(found) - 1)
    spans = sorted((min(own), max(own)) for own in ([lengths[m] for m in p.members] for p in found))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    for padded in found:
        longest = max(lengths[m] for m in padded.members)
        assert padded.values.shape == (longest, len(padded.members), 2)
        assert padded.mask.shape == (longest, len(padded.members))
        assert padded.mask.dtype == bool
        for place, m in enumerate(padded.members):
            np.testing.assert_array_equal(padded.mask[:, place], np.arange(longest) < lengths[m])
            np.testing.assert_array_equal(padded.values[: lengths[m], place], given_sequences[m])
            assert not padded.values[lengths[m] :, place].any()


def test_same_seed_same_batches():
    given_sequences = sequences([1, 2, 3, 4, 5] * 6)

    def members(seed: int) -> list[tuple[int, ...]]:
        return [p.members for p in grouped_by_length(given_sequences, 4, np.random.default_rng(seed))]

    assert members(1) == members(1)
    assert members(1) != members(2)
    assert {frozenset(m) for m in members(1)} != {frozenset(m) for m in members(2)}  # ties fall at random too
    shortest = [min(len(given_sequences[m]) for m in group) for group in members(1)]
    assert shortest != sorted(shortest)  # not from short to long


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_padded_batch_equals_its_sequences(name):
    """Through a net with the mask: the last state of each sequence is the one it has alone."""
    cell = CELLS[name]
    sizes = sizes_of(cell, 3, I=2)
    own = sequences([3, 1, 5, 4, 2, 5, 3], width=2)
    net = tg.unroll(cell, 5, mask=True, sizes=sizes)
    values = {name: 0.7 * np.random.default_rng(1).standard_normal(v.shape) for name, v in net.initial(0).items()}
    alone = {length: tg.unroll(cell, length, sizes=sizes) for length in range(1, 6)}
    compared = []
    for batch in grouped_by_length(own, 3, np.random.default_rng(0)):
        spare = 5 - len(batch.values)
        x, mask = np.pad(batch.values, [(0, spare), (0, 0), (0, 0)]), np.pad(batch.mask, [(0, spare), (0, 0)])
        together = tg.evaluate({s: net.series[s].last for s in cell.states}, values | {"x": x, "mask": mask})
        for place, m in enumerate(batch.members):
            single = alone[len(own[m])]
            expected = tg.evaluate({s: single.series[s].last for s in cell.states}, values | {"x": own[m]})
            for state in cell.states:
                np.testing.assert_allclose(together[state][place], expected[state], rtol=1e-12, atol=1e-12)
            compared.append(m)
    assert sorted(compared) == list(range(7))


def test_padding_to_a_length():
    padded = pad([[1, 2], [3]], steps=4)
    np.testing.assert_array_equal(padded.values, [[1, 3], [2, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(padded.mask, padded.values > 0)
    assert padded.members == (0, 1)
    with pytest.raises(UsageError, match="2 steps does not fit 1"):
        pad([[1, 2], [3]], steps=1)


def test_symbols_keep_their_dtype():
    padded = pad([np.array([3, 4], np.int64), np.array([5], np.int64)], [1, 0])
    assert padded.values.dtype == np.int64
    np.testing.assert_array_equal(padded.values, [[5, 3], [0, 4]])


@pytest.mark.parametrize("bad", [[], [np.zeros((2, 1)), np.zeros((0, 1))]], ids=["none", "an empty one"])
def test_empty_sequences_are_refused(bad):
    with pytest.raises(UsageError, match="empty"):
        next(grouped_by_length(bad, 2, np.random.default_rng(0)))


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_none_is_refused(batch):
    """It would make no batches at all, or stop in the depths."""
    with pytest.raises(TinygraphError, match="batch"):
        list(grouped_by_length(sequences([1, 2]), batch, np.random.default_rng(0)))


# The cut for validation
@settings(max_examples=100, deadline=None)
@given(count=st.integers(0, 300), share=st.floats(0, 1, exclude_max=True))
def test_split_cuts_once(count, share):
    symbols = np.arange(count)
    learn, keep = split(symbols, share)
    np.testing.assert_array_equal(np.concatenate([learn, keep]), symbols)
    assert abs(len(keep) - count * share) < 1
    assert len(learn) > 0 or count == 0


@pytest.mark.parametrize("share", [1, 1.5, -0.1, float("nan")])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(UsageError, match="from 0 to below 1"):
        split(np.arange(9), share)
