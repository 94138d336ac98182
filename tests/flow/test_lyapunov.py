"""Lyapunov spectra: the sum rule for every cell, closed forms, and two runs that drift apart."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from graph.samples import random_feeds

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import NonFiniteError, ShapeError, ValueRangeError
from tinygraph.flow.lyapunov import elman_mean_log_det, lyapunov_spectrum
from tinygraph.flow.products import log_singular_values
from tinygraph.flow.step_jacobians import Trajectory, trajectory, trajectory_of

H = 3
CELL = pytest.mark.parametrize("name", models.CELLS)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def along(name: str, steps: int = 50) -> Trajectory:
    chosen = models.CELLS[name]
    net = tg.unroll(chosen, steps, initial="fed", sizes=dict.fromkeys(chosen.sizes, H))
    return trajectory_of(net, random_feeds(net.graph, batch=None))


def elman(U: np.ndarray, x: np.ndarray) -> Trajectory:
    return trajectory(models.elman, {"W": np.eye(len(U)), "U": U, "b": np.zeros(len(U))}, x)


@CELL
@pytest.mark.parametrize("discard", [0, 10])
def test_the_sum_rule(name, discard):
    """Statement 12: the exponents sum to the mean of log|det J_t| along each trajectory, for any cell."""
    found = along(name)
    spectrum = lyapunov_spectrum(found.jacobians, discard=discard)
    by_numpy = np.mean([np.linalg.slogdet(j)[1] for j in found.jacobians[discard:]])
    if not np.isfinite(by_numpy):  # a direction is lost: both sides say so
        assert spectrum.exponents[-1] < -14
    elif np.min(spectrum.growth) > -14:  # below, a determinant in floats holds no ten digits
        assert np.sum(spectrum.exponents) == pytest.approx(by_numpy, rel=1e-10, abs=1e-10)
        assert abs(spectrum.sum_rule_gap) <= 1e-10 * max(1, abs(by_numpy))
    assert spectrum.largest == max(spectrum.exponents)
    assert list(spectrum.exponents) == sorted(spectrum.exponents, reverse=True)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_the_sum_rule_is_not_left_out_for_the_usual_cells(name):
    """The case of a lost direction above must not swallow these."""
    assert np.isfinite(lyapunov_spectrum(along(name).jacobians).mean_log_det)


def test_the_sum_rule_can_fail():
    """One step's Jacobian left out of one side."""
    jacobians = along("lstm").jacobians
    spectrum = lyapunov_spectrum(jacobians)
    assert abs(np.sum(spectrum.exponents) - np.mean(np.linalg.slogdet(jacobians[1:])[1])) > 1e-6


def test_the_sum_of_an_elman_net():
    """log|det U| + mean sum log(1 - h^2), from the states alone."""
    U, x = normal(4, 4, seed=1), normal(200, 4, seed=2)
    found = elman(U, x)
    h = found.states["h"][1:]
    total = np.sum(lyapunov_spectrum(found.jacobians).exponents)
    by_hand = log(abs(np.linalg.det(U))) + np.mean(np.sum(np.log(1 - h**2), axis=1))
    assert total == pytest.approx(by_hand, abs=1e-10)
    assert elman_mean_log_det(U, h) == pytest.approx(by_hand, abs=1e-10)
    assert abs(elman_mean_log_det(U, found.states["h"][:-1]) - total) > 1e-4, "the old states are the wrong ones"


def test_a_saturated_state_has_lost_its_determinant():
    """Floats say -inf where the true value is log sech^2(20) = -38.6."""
    assert elman_mean_log_det(np.eye(1), np.tanh([[20.0]])) == -np.inf
    digits = trajectory(models.elman, {"W": [[1.0]], "U": [[1.0]], "b": [0.0]}, [[20.0]], digits=50)
    assert lyapunov_spectrum(digits.jacobians).largest == pytest.approx(-2 * log(np.cosh(20)), rel=1e-12)


def test_a_constant_matrix():
    """The logs of the absolute eigenvalues, after the frame has turned."""
    V = normal(3, 3, seed=5)
    A = V @ np.diag([2.0, -1.0, 0.25]) @ np.linalg.inv(V)
    found = lyapunov_spectrum(np.stack([A] * 300), discard=200)
    np.testing.assert_allclose(found.exponents, [log(2), 0, log(0.25)], atol=1e-10)
    np.testing.assert_allclose(found.growth, np.broadcast_to(found.exponents, (100, 3)), atol=1e-10)


def test_a_rotation_has_exponents_of_zero():
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(lyapunov_spectrum(np.stack([turn] * 100)).exponents, 0, atol=1e-13)


def test_the_spectrum_is_sorted_whatever_the_frame_finds_first():
    found = lyapunov_spectrum(np.stack([np.diag([0.5, 3.0])] * 10))
    np.testing.assert_allclose(found.exponents, [log(3), log(0.5)])
    np.testing.assert_allclose(found.growth[4], [log(3), log(0.5)])


def test_a_lost_direction_is_minus_infinity():
    found = lyapunov_spectrum(np.stack([np.diag([2.0, 0.0])] * 5))
    assert found.exponents.tolist() == [pytest.approx(log(2)), -np.inf]
    assert (found.mean_log_det, found.sum_rule_gap) == (-np.inf, 0)


def test_it_is_the_limit_of_the_singular_values():
    """Oseledets: (1/T) log sigma_i tends to lambda_i, with a difference that falls as 1/T."""
    factors = normal(4000, 3, 3, seed=7)
    gaps = [
        np.max(np.abs(lyapunov_spectrum(factors[:steps]).exponents - log_singular_values(factors[:steps]) / steps))
        for steps in (40, 4000)
    ]
    assert gaps[1] < 5 / 4000
    assert gaps[1] < gaps[0] / 10


def test_random_gaussian_products():
    """Newman 1986, doi:10.1007/BF01464284: for entries N(0, 1), lambda_i = (log 2 + digamma((n - i + 1) / 2)) / 2."""
    digamma = [-1.9635100260214235, -0.5772156649015329, 0.03648997397857652]  # at 1/2, 1, 3/2
    expected = [(log(2) + value) / 2 for value in digamma[::-1]]
    found = lyapunov_spectrum(normal(5000, 3, 3, seed=11))
    error = found.growth.std(axis=0, ddof=1) / np.sqrt(len(found.growth))  # the steps are independent here
    assert np.all(np.abs(found.exponents - expected) < 4 * error)
    assert np.all(error < 0.02)


def test_two_runs_drift_apart_at_the_largest_exponent():
    """A difference of 1e-9 in the initial state of a chaotic net, with no Jacobian in sight."""
    U = 3 * normal(20, 20, seed=3) / np.sqrt(20)
    h = np.tanh(normal(20, seed=4))
    for _ in range(200):
        h = np.tanh(U @ h)
    found = trajectory(
        models.elman, {"W": np.zeros((20, 1)), "U": U, "b": np.zeros(20)}, np.zeros((300, 1)), initial={"h": h}
    )
    growth = 0.0
    other = h + 1e-9 * normal(20, seed=6) / np.sqrt(20)
    for _ in range(300):
        before = np.linalg.norm(other - h)
        h, other = np.tanh(U @ h), np.tanh(U @ other)
        after = np.linalg.norm(other - h)
        growth += log(after / before)
        other = h + (other - h) * (1e-9 / after)
    largest = lyapunov_spectrum(found.jacobians).largest
    assert largest > 0.05, "a chaotic net"
    assert growth / 300 == pytest.approx(largest, abs=0.03)


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueRangeError, "of 3 steps 3 are discarded", lambda: lyapunov_spectrum(np.ones((3, 2, 2)), discard=3)),
        (ShapeError, "0 or more", lambda: lyapunov_spectrum(np.ones((3, 2, 2)), discard=-1)),
        (ShapeError, r"\(3, 2\)", lambda: lyapunov_spectrum(np.ones((3, 2)))),
        (NonFiniteError, "step 1", lambda: lyapunov_spectrum(np.full((3, 2, 2), np.inf))),
        (ShapeError, "new states", lambda: elman_mean_log_det(np.eye(2), np.zeros((3, 3)))),
        (ShapeError, "new states", lambda: elman_mean_log_det(np.eye(2), np.zeros((0, 2)))),
        (ValueRangeError, "outside", lambda: elman_mean_log_det(np.eye(2), np.full((3, 2), 1.5))),
        (ValueRangeError, "outside", lambda: elman_mean_log_det(np.eye(2), np.full((3, 2), np.nan))),
    ],
)
def test_wrong_input(error, match, call):
    with pytest.raises(error, match=match):
        call()
