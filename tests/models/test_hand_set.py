"""Nets set by hand are exact: on all short inputs, and on long random ones."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.errors import FeedError, ValueRangeError
from tinygraph.models.hand_set import larger_total, parity, running_sum

BITS = np.array(list(product((0, 1), repeat=12))).T[..., None]  # (12, 4096, 1): all strings of length 12
ODD = np.cumsum(BITS, axis=0) % 2


def test_the_running_sum():
    x = np.random.default_rng(0).integers(-1000, 1000, (500, 7, 1))
    np.testing.assert_array_equal(running_sum(500).run(x), np.cumsum(x, axis=0))


def test_the_larger_total():
    """Whole numbers, with draws among them: the answer is right at each step, and 1/2 exactly where equal."""
    x = np.random.default_rng(1).integers(0, 3, (50, 200, 2))
    ahead = np.cumsum(x[..., :1] - x[..., 1:], axis=0)
    found = larger_total(50).run(x)
    np.testing.assert_array_equal(np.sign(found - 0.5), np.sign(ahead))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-5.0 * ahead)), rtol=1e-13)
    assert np.any(ahead == 0)


def test_parity_of_all_strings():
    """Every prefix of all 4,096 strings of twelve bits."""
    np.testing.assert_array_equal(parity(12).run(BITS), ODD)


@pytest.mark.parametrize("sharpness", [10, 20, 100])
def test_logistic_parity_of_all_strings(sharpness):
    found = parity(12, sharpness=sharpness).run(BITS)
    np.testing.assert_array_equal(found > 0.5, ODD)
    assert np.min(np.abs(found - 0.5)) > 0.4


@pytest.mark.parametrize("sharpness", [None, 10])
def test_parity_of_long_strings(sharpness):
    """Errors do not add up: ten thousand bits."""
    bits = np.random.default_rng(2).integers(0, 2, (10_000, 3, 1))
    found = parity(10_000, sharpness=sharpness).run(bits)
    np.testing.assert_array_equal(found > 0.5, np.cumsum(bits, axis=0) % 2)
    assert np.min(np.abs(found - 0.5)) > 0.4


def test_the_hidden_units_are_and_and_or():
    made = parity(2)
    feeds = made.weights | {"x": np.array([[[0], [0], [1], [1]], [[0], [1], [0], [1]]])}
    found = tg.evaluate(made.net.h[2], feeds)  # y_1 = x_1
    assert found.tolist() == [[0, 0], [0, 1], [0, 1], [1, 1]]


@pytest.mark.parametrize("name", ["W", "R", "b", "V", "c"])
def test_another_weight_is_no_parity(name):
    """So that the comparison can fail: each weight by its sign."""
    made = parity(12)
    wrong = made.weights | {name: -made.weights[name]}
    found = np.stack(tg.evaluate(list(made.output.values()), {**wrong, "x": BITS}))
    assert np.any(found != ODD)


def test_weights_that_are_too_small_lose_count():
    with pytest.raises(ValueRangeError, match="lose count"):
        parity(3, sharpness=2)
    bits = np.ones((200, 1))
    made, soft = parity(200, sharpness=10), 4.0 / 10
    found = np.stack(
        tg.evaluate(list(made.output.values()), {n: soft * w for n, w in made.weights.items()} | {"x": bits})
    )
    assert np.any((found[:, 0] > 0.5) != (np.arange(1, 201) % 2 == 1))


def test_wrong_input():
    with pytest.raises(FeedError, match="'x'"):
        running_sum(3).run(np.ones((3, 2)))
