"""Clipping: what each row of the table leaves of a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinygraph.errors import UsageError
from tinygraph.models import CLIPPING, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm

THRESHOLDS = [1e-3, 1.0, 5.0]
EXACT = 1e-14
CLIPS = [name for name in CLIPPING if name != "none"]

each_row = pytest.mark.parametrize("name", CLIPPING)
each_clip = pytest.mark.parametrize("name", CLIPS)
each_threshold = pytest.mark.parametrize("threshold", THRESHOLDS)
each_seed = pytest.mark.parametrize("seed", range(5))


def gradients(seed: int, scale: float = 10.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"W": scale * rng.standard_normal((4, 3)), "b": scale * rng.standard_normal(4), "s": np.float64(scale)}


def as_vector(parts: dict[str, Any]) -> Any:
    """All gradients as one vector."""
    return np.concatenate([np.ravel(part) for part in parts.values()])


def test_the_table_is_covered():
    assert set(CLIPPING) == {"global", "norm", "value", "none"}


@each_seed
def test_global_norm_is_that_of_one_vector(seed):
    assert global_norm(gradients(seed)) == pytest.approx(np.linalg.norm(as_vector(gradients(seed))), rel=EXACT)


@each_threshold
@each_seed
def test_by_global_norm(seed, threshold):
    """The norm of all gradients together is the threshold, and their common direction is kept."""
    given = gradients(seed)
    found = as_vector(clip_by_global_norm(given, threshold))
    assert np.linalg.norm(found) == pytest.approx(threshold, rel=EXACT)
    whole = as_vector(given)
    np.testing.assert_allclose(found / threshold, whole / np.linalg.norm(whole), rtol=EXACT)


@each_threshold
@each_seed
def test_by_norm_of_each_parameter(seed, threshold):
    """Each one that is longer has the threshold as its norm and keeps its own direction; a short one stays."""
    given = gradients(seed) | {"short": np.array([0.6, 0.5]) * threshold}
    found = clip_by_norm(given, threshold)
    np.testing.assert_array_equal(found["short"], given["short"])
    for name in gradients(seed):
        assert np.linalg.norm(found[name]) == pytest.approx(threshold, rel=EXACT)
        np.testing.assert_allclose(found[name] / threshold, given[name] / np.linalg.norm(given[name]), rtol=EXACT)


@each_threshold
@each_seed
def test_by_value(seed, threshold):
    given = gradients(seed)
    found = clip_by_value(given, threshold)
    for name, g in given.items():
        entries = [min(max(entry, -threshold), threshold) for entry in np.ravel(g)]
        np.testing.assert_array_equal(np.ravel(found[name]), entries)


@each_seed
def test_the_printed_rule_without_the_square_root_does_not_clip(seed):
    """`grad *= threshold / sum(grad * grad)` leaves a norm of threshold / norm; ours leaves the threshold."""
    given, threshold = gradients(seed), 5.0
    whole = as_vector(given)
    printed = whole * threshold / np.sum(whole * whole)
    assert np.linalg.norm(printed) < threshold / 10
    assert np.linalg.norm(as_vector(clip_by_global_norm(given, threshold))) == pytest.approx(threshold, rel=EXACT)
    short = gradients(seed, 0.01)  # for a gradient shorter than 1 the printed rule makes it longer than the threshold
    assert np.linalg.norm(as_vector(short) * threshold / np.sum(as_vector(short) ** 2)) > threshold
    np.testing.assert_array_equal(as_vector(clip_by_global_norm(short, threshold)), as_vector(short))


@each_row
@each_seed
def test_what_is_below_the_threshold_stays(name, seed):
    given = gradients(seed, 0.01)
    found = CLIPPING[name](given, 1.0)
    assert list(found) == list(given)
    for k in given:
        np.testing.assert_array_equal(found[k], given[k])


@each_row
def test_the_given_gradients_are_not_changed(name):
    given, kept = gradients(0), gradients(0)
    CLIPPING[name](given, 0.5)
    for k in given:
        np.testing.assert_array_equal(given[k], kept[k])


@each_row
def test_zero_and_empty_gradients(name):
    given = {"W": np.zeros((2, 3)), "none": np.zeros((0, 3))}
    found = CLIPPING[name](given, 1.0)
    np.testing.assert_array_equal(found["W"], given["W"])
    assert found["none"].shape == (0, 3)
    assert CLIPPING[name]({}, 1.0) == {}


@pytest.mark.parametrize("scale", [1e160, 1e200, 1e300])
@each_clip
def test_gradients_whose_squares_overflow_are_clipped_too(name, scale):
    """An explosion is what clipping is for: the result is as long as the threshold, neither zero nor NaN."""
    unit = gradients(0, 1.0)
    found = CLIPPING[name]({k: scale * v for k, v in unit.items()}, 5.0)
    expected = (
        {k: 5 * np.sign(v) for k, v in unit.items()}
        if name == "value"
        else CLIPPING[name]({k: 1e100 * v for k, v in unit.items()}, 5.0)
    )
    np.testing.assert_allclose(as_vector(found), as_vector(expected), rtol=1e-12)


@pytest.mark.parametrize("threshold", [0, -1.0, float("nan")])
@each_clip
def test_a_threshold_that_is_not_positive_is_refused(name, threshold):
    for given in (gradients(0), {"W": np.zeros(3)}):
        with pytest.raises(UsageError, match="above 0"):
            CLIPPING[name](given, threshold)
