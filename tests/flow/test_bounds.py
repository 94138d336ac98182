"""Certificates and what follows from them, with the counterexamples that keep the conditions apart."""

from __future__ import annotations

from fractions import Fraction
from math import log
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

from tinygraph import Input, Param, State, cell, models
from tinygraph.errors import NonFiniteError, ShapeError, UnknownNameError, UsageError, ValueRangeError
from tinygraph.flow.bounds import (
    certified_sigma_max,
    certify,
    condition,
    exact_matrix,
    ldl_pivots,
    log_tightness,
    norm_bound,
)
from tinygraph.flow.products import log_norms_from_last
from tinygraph.flow.step_jacobians import Trajectory, trajectory
from tinygraph.theorems.vanishing import cayley

Matrix = list[list[Fraction]]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def modest(size: int, seed: int) -> Matrix:
    """Rationals with numerators up to 20 and denominators up to 9."""
    rng = np.random.default_rng(seed)
    return [[Fraction(int(rng.integers(-20, 21)), int(rng.integers(1, 10))) for _ in range(size)] for _ in range(size)]


def elman(U: Any, x: Any) -> Trajectory:
    """The cell with W = I and b = 0: x is added to the activations."""
    U = np.array(U, dtype=float)
    parameters = {"W": np.eye(len(U)), "U": U, "b": np.zeros(len(U))}
    return trajectory(models.elman, parameters, x)


# Statement 13: certificates
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_a_bound_just_too_small_is_refuted(size):
    """1e-7 to either side of sigma_max, itself from 40 digits."""
    U = modest(size, seed=size)
    with mpmath.workdps(40):
        exact = mpmath.matrix([[mpmath.mpf(v.numerator) / v.denominator for v in row] for row in U])
        sigma = Fraction(str(max(mpmath.svd_r(exact, compute_uv=False))))
    margin = Fraction(1, 10**7)
    assert certify(U, sigma + margin).holds
    assert certify(U, sigma + margin).strict
    assert not certify(U, sigma - margin).holds
    assert not certify(U, float(sigma) * (1 - 1e-7)).holds


def test_at_equality_it_holds_and_is_not_strict():
    """[[3, 4], [4, -3]] is 5 times an orthogonal matrix."""
    for U, sigma in (([[3, 4], [4, -3]], 5), ([[2]], 2), (cayley(), 1), ([[0, 10], [0, 0]], 10), ([[0]], 0)):
        found = certify(U, sigma)
        assert (found.holds, found.strict) == (True, False)
        assert certify(U, sigma + Fraction(1, 10**30)).strict
        if sigma:
            assert not certify(U, sigma - Fraction(1, 10**30)).holds


def test_pivots_are_those_of_sympy():
    """LDL^T of s^2 I - U^T U by SymPy."""
    U, s = modest(4, seed=9), 60
    matrix = sympy.Matrix(4, 4, lambda i, j: sympy.Rational(U[i][j].numerator, U[i][j].denominator))
    _, D = (s**2 * sympy.eye(4) - matrix.T * matrix).LDLdecomposition()
    found = certify(U, s)
    assert found.holds
    assert [sympy.Rational(p.numerator, p.denominator) for p in found.pivots] == [D[i, i] for i in range(4)]


@pytest.mark.parametrize(
    ("matrix", "semidefinite"),
    [([[0, 0], [0, 1]], True), ([[0, 1], [1, 5]], False), ([[1, 1], [1, 1]], True), ([[1, 2], [2, 3]], False)],
)
def test_zero_and_negative_pivots(matrix, semidefinite):
    assert ldl_pivots([[Fraction(v) for v in row] for row in matrix])[1] is semidefinite


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 5), (5, 3)])
def test_the_certified_value_is_tight(shape):
    U = normal(*shape)
    found, computed = certified_sigma_max(U), np.linalg.svd(U, compute_uv=False)[0]
    assert found.holds
    assert computed * (1 - 1e-14) <= float(found.bound) <= computed * (1 + 1e-11)


def test_floats_are_taken_exactly():
    assert exact_matrix(np.array([[0.1]]))[0][0] == Fraction(3602879701896397, 36028797018963968)
    assert not certify([[0.1]], Fraction(1, 10)).holds, "the float 0.1 is a little more"
    assert certify([[Fraction(1, 10)]], Fraction(1, 10)).holds


# The bound and the two conditions
@pytest.mark.parametrize("seed", range(5))
def test_no_product_exceeds_the_bound(seed):
    U, x = normal(4, 4, seed=seed), 0.3 * normal(40, 4, seed=seed + 50)
    run, certificate = elman(U, x), certified_sigma_max(U)
    tightness = log_tightness(run.jacobians, certificate)
    assert np.all(tightness <= 1e-12)
    norms = np.exp(log_norms_from_last(run.jacobians))
    expected = [n / float(norm_bound(certificate, "tanh", d)) for d, n in enumerate(norms, start=1)]
    np.testing.assert_allclose(np.exp(tightness), expected, rtol=1e-9)
    smaller = certified_sigma_max(U * 0.5 * np.exp(tightness[0]))
    assert np.max(log_tightness(run.jacobians, smaller)) > 0, "a bound that is too small is exceeded"


@cell
def sigmoid_net(x: Input["H"], h: State["H"], U: Param["H H"]):
    """h' = sigma(U h + x)."""
    return models.cells.simple.tanh((U @ h + x) / 2) / 2 + Fraction(1, 2)


def test_a_sigmoid_needs_four_times_the_weight():
    """sigma_max = 3.9 vanishes for certain with slopes of at most 1/4, and the bound is (3.9/4)^d."""
    Q = np.array(cayley(), dtype=float)
    U = 3.9 * Q
    assert condition(U, "sigmoid").vanishing_certain
    assert condition(U, "tanh").explosion_possible
    x = -U @ np.full(3, 0.5)  # holds the state at 1/2, where the slope is largest
    run = trajectory(sigmoid_net, {"U": U}, np.stack([x] * 60), initial={"h": np.full(3, 0.5)})
    tightness = log_tightness(run.jacobians, certified_sigma_max(U), "sigmoid")
    np.testing.assert_allclose(tightness, 0, atol=1e-9)
    assert log_norms_from_last(run.jacobians)[-1] == pytest.approx(60 * log(3.9 / 4), rel=1e-9)


def test_the_conditions_at_below_and_above():
    for scale, vanishing, possible in (
        (Fraction(99, 100), True, False),
        (1, False, False),
        (Fraction(101, 100), False, True),
    ):
        found = condition([[scale * v for v in row] for row in cayley()])
        assert (found.vanishing_certain, found.explosion_possible) == (vanishing, possible)


# Errors


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ShapeError, "not that of a matrix", lambda: certify([1, 2], 1)),
        (ShapeError, "not that of a matrix", lambda: certify(np.ones((0, 2)), 1)),
        (ShapeError, "not that of a matrix", lambda: certify([[1, 2], [3]], 1)),
        (ShapeError, "different shapes", lambda: certify([np.ones((2, 2)), np.ones((2, 3))], 1)),
        (UsageError, "exact", lambda: certify([["1"]], 1)),
        (UsageError, "exact", lambda: certify([[1]], 1j)),
        (NonFiniteError, "nan", lambda: certify([[float("nan")]], 1)),
        (NonFiniteError, "inf", lambda: certify([[1]], float("inf"))),
        (ValueRangeError, "-1", lambda: certify([[1]], -1)),
        (ValueRangeError, "range of floats", lambda: certified_sigma_max([[10**400]])),
        (UnknownNameError, "tanh", lambda: condition([[1]], "tanhh")),
        (ValueRangeError, "above 0", lambda: condition([[1]], 0)),
        (ValueRangeError, "refuted", lambda: norm_bound(certify([[2]], 1), "tanh", 3)),
        (ShapeError, "distance", lambda: norm_bound(certify([[1]], 2), "tanh", -1)),
    ],
)
def test_wrong_input(error, match, call):
    with pytest.raises(error, match=match):
        call()
