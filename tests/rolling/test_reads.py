"""Patterns: any pairs come back, and what is regular takes few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygraph.rolling.reads import progressions, regular


def expanded(runs):
    return sorted((k, value + stride * n) for which, value, stride in runs for n, k in enumerate(which))


@given(pairs=st.dictionaries(st.integers(0, 40), st.integers(0, 9)))
def test_all_pairs_are_kept(pairs):
    given_pairs = sorted(pairs.items())
    assert expanded(progressions(given_pairs)) == given_pairs
    assert expanded(regular(given_pairs)) == given_pairs
    assert len(regular(given_pairs)) <= len(list(progressions(given_pairs)))


@pytest.mark.parametrize(
    ("pairs", "count"),
    [
        ([(k, 7) for k in range(30)], 1),  # a weight
        ([(k, k + 3) for k in range(30)], 1),  # a state
        ([(k, 30 - k) for k in range(30)], 1),  # backward
        ([(k, 2 * k) for k in range(30)], 1),
        ([(3 * k, k) for k in range(30)], 1),  # every third step
        ([(0, 9)] + [(k, k - 1) for k in range(1, 30)], 2),  # a boundary
        ([(k, k // 2) for k in range(30)], 2),  # a cell that is applied twice
        ([(k, k // 4) for k in range(60)], 4),
        ([(k, 0) for k in range(9)] + [(k, k) for k in range(9, 30)], 2),
        ([], 0),
    ],
)
def test_what_is_regular_takes_few(pairs, count):
    assert len(regular(pairs)) == count
    assert expanded(regular(pairs)) == pairs
