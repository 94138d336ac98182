"""What clipping does to a gradient: lengths, angles and the shares of the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import ShapeError, UsageError
from tinygraph.models import CLIPPING, clipping_effects


def exploding(T: int = 12) -> tuple[Any, Any, Any]:
    """An Elman net whose recurrent matrix is large, with a loss at its last step."""
    net = tg.unroll(models.elman, T, I=2, H=4)
    feeds = net.initial(seed=0) | {"x": 0.01 * np.random.default_rng(0).standard_normal((T, 2))}
    feeds["U"] = 2 * feeds["U"]
    return {T: tg.sum(net.h[T])}, net.parameters, feeds


def test_by_hand():
    """g = (3, 4) of two steps (3, 0) and (0, 4); clipped to 1: by norm (.6, .8), by value (1, 1)."""
    parts = {1: {"w": np.array([3.0, 0.0])}, 2: {"w": np.array([0.0, 4.0])}}
    found = clipping_effects(parts, 1.0).rows
    assert found["none"].norm == 5
    assert found["global"].norm == found["norm"].norm == pytest.approx(1)
    assert found["value"].norm == pytest.approx(np.sqrt(2))
    assert found["none"].shares == pytest.approx({1: 9 / 25, 2: 16 / 25})
    assert found["global"].shares == pytest.approx({1: 9 / 25, 2: 16 / 25})
    assert found["value"].shares == pytest.approx({1: 3 / 7, 2: 4 / 7})
    assert found["value"].angle == pytest.approx(np.degrees(np.arccos(7 / (5 * np.sqrt(2)))))
    assert all(row.dominant == 2 for row in found.values())


def test_a_dominant_step_can_lose_its_place():
    """g = (10, 6, 6): step 1 has the one large entry, and most of g; cut by value all entries are 1: (10, 12) / 22."""
    parts = {1: {"w": np.array([10.0, 0.0, 0.0])}, 2: {"w": np.array([0.0, 6.0, 6.0])}}
    found = clipping_effects(parts, 1.0).rows
    assert (found["none"].dominant, found["global"].dominant, found["value"].dominant) == (1, 1, 2)
    assert found["none"].shares[1] == pytest.approx(100 / 172)
    assert found["value"].shares[1] == pytest.approx(10 / 22)


@pytest.mark.parametrize("threshold", [0.01, 1.0])
def test_of_a_net(threshold):
    losses, parameters, feeds = exploding()
    parts = tg.gradient_by_step(losses, parameters, feeds)
    effects = clipping_effects(parts, threshold)
    whole = tg.evaluate(tg.grad(losses[12], parameters), feeds)
    flat = np.concatenate([np.ravel(whole[name]) for name in whole])
    assert effects.rows["none"].norm == pytest.approx(np.linalg.norm(flat), rel=1e-12)
    for name, row in effects.rows.items():
        clipped = CLIPPING[name](whole, threshold)
        after = np.concatenate([np.ravel(clipped[n]) for n in whole])
        cosine = float(flat @ after / (np.linalg.norm(flat) * np.linalg.norm(after)))
        assert np.cos(np.radians(row.angle)) == pytest.approx(cosine, abs=1e-12)
        assert sum(row.shares.values()) == pytest.approx(1, rel=1e-10)
    assert effects.rows["none"].angle == effects.rows["global"].angle * 0 == 0
    assert effects.rows["global"].angle < 1e-6 < 1 < effects.rows["value"].angle
    assert effects.rows["global"].norm == pytest.approx(threshold)
    assert effects.rows["global"].dominant == effects.rows["none"].dominant
    assert set(effects.rows) == set(CLIPPING)


def test_small_gradients_are_left_alone():
    parts = {1: {"w": np.array([1e-3, 0.0])}, 2: {"w": np.array([0.0, 0.0])}}
    for row in clipping_effects(parts, 1.0).rows.values():
        assert (row.norm, row.angle, row.shares, row.dominant) == (1e-3, 0, {1: 1, 2: 0}, 1)


def test_no_gradient_has_no_shares():
    found = clipping_effects({1: {"w": np.zeros(2)}}, 1.0).rows["value"]
    assert (found.norm, found.angle, found.shares) == (0, 0, {1: 0})


def test_the_table():
    text = str(clipping_effects(tg.gradient_by_step(*exploding()), 0.1)).splitlines()
    assert len(text) == 2 + len(CLIPPING)


def test_bad_input_is_refused():
    good = {"w": np.ones(2)}
    for parts, threshold, kind, message in (
        ({}, 1, UsageError, "by step"),
        ([good], 1, UsageError, "by step"),
        ({1: np.ones(2)}, 1, UsageError, "gradient_by_step"),
        ({1: good, 2: {"v": np.ones(2)}}, 1, ShapeError, "step 2"),
        ({1: good, 2: {"w": np.ones(3)}}, 1, ShapeError, "step 2"),
        ({1: good}, 0, UsageError, "threshold"),
        ({1: good}, "1", UsageError, "threshold"),
    ):
        with pytest.raises(kind, match=message):
            clipping_effects(parts, threshold)
