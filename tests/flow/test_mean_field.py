"""Mean field: the published table to its digits, other quadratures, and finite nets within bands."""

from __future__ import annotations

from math import log, sqrt

import mpmath
import numpy as np
import pytest

from tinygraph import models
from tinygraph.errors import ShapeError, UsageError, ValueRangeError
from tinygraph.flow.lyapunov import lyapunov_spectrum
from tinygraph.flow.mean_field import RandomNets, gaussian_mean, random_nets, tanh_mean_field
from tinygraph.flow.step_jacobians import trajectory
from tinygraph.theorems.wide_nets import MEAN_FIELD


@pytest.mark.parametrize("gain", [1.1, 2, 10])
def test_both_equations_hold_in_many_digits(gain):
    """By mpmath's adaptive quadrature, at the variance that was found."""
    found = tanh_mean_field(gain)
    with mpmath.workdps(25):
        q = mpmath.mpf(found.variance)
        width = 1 / mpmath.sqrt(q)
        ends = sorted([-9, -4 * width, -width, 0, width, 4 * width, 9])

        def expectation(f):
            density = lambda z: mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)  # noqa: E731
            return mpmath.quad(lambda z: f(mpmath.sqrt(q) * z) * density(z), ends)

        assert float(gain**2 * expectation(lambda a: mpmath.tanh(a) ** 2)) == pytest.approx(found.variance, rel=1e-12)
        slope = expectation(lambda a: mpmath.sech(a) ** 4)
        assert float(mpmath.log(gain**2 * slope) / 2) == pytest.approx(found.exponent, abs=1e-12)


def test_gauss_hermite_agrees_where_its_nodes_are_dense_enough():
    """At small arguments; at 9.6 its 100 nodes are too far apart, and 400 nodes are NaN without a word."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    by_hermite = {d: np.sum(weights * np.tanh(d * nodes) ** 2) / np.sum(weights) for d in (0.5, 9.6)}
    square = lambda a: np.tanh(a) ** 2  # noqa: E731
    assert gaussian_mean(square, 0.5) == pytest.approx(by_hermite[0.5], abs=1e-12)
    assert abs(gaussian_mean(square, 9.6) - by_hermite[9.6]) > 1e-5
    with np.errstate(all="ignore"):
        assert np.isnan(np.polynomial.hermite_e.hermegauss(400)[1]).any()


@pytest.mark.parametrize("deviation", [0.0, 0.3, 2.0, 50.0])
def test_moments_of_the_gaussian(deviation):
    """E[1] = 1, E[a^2] = d^2 and E[a^4] = 3 d^4."""
    for power, factor in ((0, 1), (2, 1), (4, 3)):
        found = gaussian_mean(lambda a, p=power: a**p, deviation)
        assert found == pytest.approx(factor * deviation**power, rel=1e-12)


def test_limits_of_the_mean_field():
    """Silent up to g = 1, where lambda = log g; just above, q = (g - 1) to first order; at large g a step function."""
    for gain in (0.1, 0.5, 1):
        assert (tanh_mean_field(gain).variance, tanh_mean_field(gain).exponent) == (0, log(gain))
    near = tanh_mean_field(1.001)
    assert near.variance == pytest.approx(0.001, rel=0.01)
    assert 0 < near.exponent < 1e-5
    # For g -> infinity tanh is a sign: q -> g^2, E[sech^4(g z)] -> (4/3) / (g sqrt(2 pi)).
    large = tanh_mean_field(1000)
    assert large.variance == pytest.approx(1e6, rel=2e-3)
    assert large.exponent == pytest.approx(log(1000 * 4 / 3 / sqrt(2 * np.pi)) / 2, abs=2e-3)


def test_a_random_net_has_the_largest_exponent_of_its_trajectory():
    """The same net drawn again, as an Elman cell, by QR of all step Jacobians."""
    gain, n, steps, discard = 3.0, 6, 300, 100
    found = random_nets(gain, n, nets=1, steps=steps, discard=discard, rng=4)
    rng = np.random.default_rng(4)
    U = rng.standard_normal((n, n)) * (gain / sqrt(n))
    start = np.tanh(rng.standard_normal(n))
    nothing = np.zeros((steps + discard, 1))
    run = trajectory(models.elman, {"W": np.zeros((n, 1)), "U": U, "b": np.zeros(n)}, nothing, initial={"h": start})
    spectrum = lyapunov_spectrum(run.jacobians, discard=discard)
    assert found.exponents[0] == pytest.approx(spectrum.largest, abs=10 / steps)
    assert abs(spectrum.exponents[1] - spectrum.largest) > 10 / steps, "it is the first that is meant"
    assert found.radii[0] == pytest.approx(max(abs(np.linalg.eigvals(U))))


def holds(nets: RandomNets, expected: float) -> bool:
    """Within 4 standard errors."""
    return abs(nets.mean - expected) < 4 * nets.standard_error


@pytest.mark.parametrize(("gain", "size", "count", "steps"), [(3, 80, 24, 500), (5, 60, 24, 400)])
def test_finite_nets_lie_below_mean_field(gain, size, count, steps):
    """By about C/n: the band holds it, and its width shows that g is told from g + 1."""
    exponent, deficit = next((row[1], row[3]) for row in MEAN_FIELD if row[0] == gain)
    found = random_nets(gain, size, nets=count, steps=steps, discard=100, rng=0)
    assert found.mean < exponent
    assert holds(found, exponent - deficit / size)
    assert not holds(found, tanh_mean_field(gain + 1).exponent - deficit / size)
    assert found.standard_error < 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "exponent", "variance", "deficit"), MEAN_FIELD)
def test_large_nets_approach_mean_field(gain, exponent, variance, deficit):
    """n = 400: the band of 4 standard errors around lambda - C/n, and below mean field."""
    found = random_nets(gain, 400, nets=16, steps=1000, discard=200, rng=1)
    assert found.mean < exponent
    assert holds(found, exponent - deficit / 400)
    assert found.mean == pytest.approx(exponent, abs=0.03)


def test_below_the_transition_the_radius_decides():
    """For g < 1 the exponent of each net is log of its own spectral radius, not log g."""
    found = random_nets(0.5, 20, nets=10, steps=2500, discard=500, rng=0)
    assert np.max(np.abs(found.exponents - np.log(found.radii))) < 1e-3
    assert np.max(np.abs(found.exponents - log(0.5))) > 0.1


def test_a_saturated_net_still_has_an_exponent():
    """One unit at a fixed point with |g J h| near 500: 1 - h^2 and sech^2 are 0 in floats, the exponent is -1000."""
    gain, seed = 1000.0, next(s for s in range(100) if np.random.default_rng(s).standard_normal() > 0.4)
    weight = gain * np.random.default_rng(seed).standard_normal()
    found = random_nets(gain, 1, nets=1, steps=10, discard=5, rng=seed)
    assert found.exponents[0] == pytest.approx(log(4 * weight) - 2 * weight, rel=1e-12)


def test_the_transition_is_at_one():
    """The sign of the mean exponent changes between g = 0.8 and g = 1.8 (a finite net blurs it)."""
    assert random_nets(0.8, 60, nets=6, steps=300, discard=200, rng=2).mean < 0
    assert random_nets(1.8, 60, nets=6, steps=300, discard=200, rng=2).mean > 0


def test_the_seed_is_an_argument():
    """The same seed gives the same nets; a Generator goes on where it stands."""
    run = {"nets": 2, "steps": 20, "discard": 5}
    first, again = (random_nets(2.0, 5, rng=7, **run).exponents for _ in range(2))
    np.testing.assert_array_equal(first, again)
    generator = np.random.default_rng(7)
    np.testing.assert_array_equal(first, random_nets(2.0, 5, rng=generator, **run).exponents)
    assert not np.array_equal(first, random_nets(2.0, 5, rng=generator, **run).exponents)


RUN = {"nets": 2, "steps": 5, "discard": 0, "rng": 0}


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueRangeError, "gain", lambda: tanh_mean_field(0)),
        (ValueRangeError, "gain", lambda: tanh_mean_field(2000)),
        (UsageError, "finite number", lambda: tanh_mean_field(float("nan"))),
        (UsageError, "finite number", lambda: tanh_mean_field("2")),
        (UsageError, "seed", lambda: random_nets(2, 5, **RUN | {"rng": None})),
        (UsageError, "seed", lambda: random_nets(2, 5, **RUN | {"rng": -1})),
        (ValueRangeError, "at least one", lambda: random_nets(2, 0, **RUN)),
        (ShapeError, "number of nets", lambda: random_nets(2, 5, **RUN | {"nets": 1.5})),
        (ValueRangeError, "no spread", lambda: random_nets(2, 5, **RUN | {"nets": 1}).standard_error),
    ],
)
def test_wrong_input(error, match, call):
    with pytest.raises(error, match=match):
        call()
