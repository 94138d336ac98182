"""Schedules: every one stays between 0 and 1, starts and ends where its docstring says, and goes the way it says."""

from __future__ import annotations

from math import cos, pi

import numpy as np
import pytest

from tinygraph.errors import UnknownNameError
from tinygraph.models import SCHEDULES, Settings

GRID = [k / 1000 for k in range(1001)]
# At the beginning, at a tenth, in the middle, and at the end.
POINTS = {
    "constant": (1, 1, 1, 1),
    "linear": (1, 0.9, 0.5, 0),
    "cosine": (1, (1 + cos(0.1 * pi)) / 2, 0.5, 0),
    "halving": (1, 1, 1 / 4, 1 / 16),
    "warm_up": (0, 1, 5 / 9, 0),
}
RISES_UNTIL = {"warm_up": 0.1}

each_schedule = pytest.mark.parametrize("name", SCHEDULES)


@each_schedule
def test_known_points(name):
    found = [SCHEDULES[name](done) for done in (0, 0.1, 0.5, 1)]
    assert found == pytest.approx(POINTS[name], abs=1e-15)


@each_schedule
def test_range(name):
    assert all(0 <= SCHEDULES[name](done) <= 1 for done in GRID)


@each_schedule
def test_only_down_after_the_rise(name):
    factors = np.array([SCHEDULES[name](done) for done in GRID])
    top = round(1000 * RISES_UNTIL.get(name, 0))
    assert (np.diff(factors[: top + 1]) > 0).all()
    assert (np.diff(factors[top:]) <= 0).all()
    assert factors[top] == max(factors)


@pytest.mark.parametrize("name", ["linear", "cosine", "warm_up"])
def test_no_jumps(name):
    """The steepest of them climbs by 10 over the whole run."""
    factors = np.array([SCHEDULES[name](done) for done in GRID])
    assert np.max(np.abs(np.diff(factors))) <= 10 / 1000 + 1e-12


def test_halving_halves_after_each_fifth():
    assert [SCHEDULES["halving"](k / 5 + 0.01) for k in range(5)] == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]
    assert SCHEDULES["halving"](0.199) == 1


def test_a_wrong_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"cosin'(?s:.*)'cosine'"):
        Settings(schedule="cosin")
