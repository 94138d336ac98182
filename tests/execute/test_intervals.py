"""Interval arithmetic over every row of the table: the interval contains what floats compute, and stays narrow."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from helpers.cases import build, cases, draw, rows

import tinygraph as tg
from tinygraph.errors import FeedError, NonFiniteError, UsageError, ValueRangeError
from tinygraph.execute.arrays import NumpyArrays
from tinygraph.execute.interval_arrays import IntervalArrays, ends
from tinygraph.symbolic.running import run_tape

# Rows that intervals do not have.
WITHOUT = {"max", "argmax", "max_pool"}


@pytest.mark.parametrize("name", rows())
def test_every_row_encloses_what_floats_compute(name):
    for case in [c for c in cases(tg.OPS[name]) if not any(c.batched)]:
        operands, result = build(case)
        fed = dict(zip([o.id for o in operands], draw(case, np.random.default_rng(2)), strict=True))
        expected = run_tape(NumpyArrays(np.float64), [result], fed)[result.id]
        if name in WITHOUT:
            with pytest.raises(UsageError):
                run_tape(IntervalArrays(), [result], fed)
            continue
        found = run_tape(IntervalArrays(), [result], fed)[result.id]
        assert found.shape == expected.shape
        if result.kind != "real":
            np.testing.assert_array_equal(found, expected)
            continue
        for interval, value in zip(np.ravel(IntervalArrays().real(found)), np.ravel(expected), strict=True):
            low, high = ends(interval)
            assert low - Fraction(1, 10**12) <= Fraction(float(value)) <= high + Fraction(1, 10**12)
            assert high - low < Fraction(1, 10**30)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "exp", "sin", "cos", "relu"])
def test_an_interval_goes_to_all_values_within_it(name):
    """Of [-1, 2]: points inside are mapped inside."""
    xp = IntervalArrays()
    (found,) = getattr(xp, name)(np.array([xp.iv.mpf([-1, 2])], dtype=object))
    for point in np.linspace(-1, 2, 31):
        value = getattr(NumpyArrays(np.float64), name)(np.array([point]))[0]
        assert found.a - 1e-15 <= value <= found.b + 1e-15


def test_a_step_across_the_kink_is_both_values():
    xp = IntervalArrays()
    (found,) = xp.step(np.array([xp.iv.mpf([-1, 2])], dtype=object))
    assert ends(found) == (0, 1)


def test_more_digits_are_narrower():
    widths = [ends(IntervalArrays(digits=d).tanh(np.array([mpmath.iv.mpf(1)]))[0]) for d in (20, 40)]
    assert widths[1][1] - widths[1][0] < (widths[0][1] - widths[0][0]) / 10**15


def test_what_is_not_decided_is_an_error():
    xp = IntervalArrays()
    wide = np.array([xp.iv.mpf([-1, 2])], dtype=object)
    with pytest.raises(ValueRangeError, match="not decided"):
        xp.greater(wide, xp.array([0], "real"))
    assert xp.greater(wide, xp.array([-2], "real")).tolist() == [True]


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueRangeError, "digits", lambda: IntervalArrays(digits=3)),
        (FeedError, "neither a number", lambda: IntervalArrays().array(["1"], "real")),
        (NonFiniteError, "inf", lambda: IntervalArrays().array([np.inf], "real")),
        (NonFiniteError, "without bound", lambda: ends(1 / mpmath.iv.mpf([-1, 1]))),
    ],
)
def test_wrong_input(error, match, call):
    with pytest.raises(error, match=match):
        call()
