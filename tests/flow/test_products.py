"""Products over time: against arithmetic of 1,100 digits, closed forms, and the Jacobians of the unrolled graph."""

from __future__ import annotations

from functools import reduce
from math import e, log
from typing import Any

import mpmath
import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import NonFiniteError, ShapeError, UsageError, ValueRangeError
from tinygraph.flow.products import (
    LogProduct,
    log_norms_from_last,
    log_singular_values,
    pair_products,
    spectral_radius,
    transient,
)
from tinygraph.flow.step_jacobians import trajectory_of

STEPS, H = 5, 3
CELL = pytest.mark.parametrize("name", models.CELLS)
DEFECTIVE = [[0.9, 5.0], [0.0, 0.9]]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def orthogonal(size: int, seed: int) -> np.ndarray:
    return np.linalg.qr(normal(size, size, seed=seed))[0]


def chain(factors: Any) -> np.ndarray:
    """The product in floats; the first factor acts first."""
    return reduce(lambda product, factor: factor @ product, factors)


def many_digits(factors: np.ndarray) -> list[float]:
    """The log singular values of the product, largest first, from 1,100 digits."""
    with mpmath.workdps(1100):
        product = mpmath.eye(factors.shape[1])
        for factor in factors:
            product = mpmath.matrix(factor.tolist()) * product
        return [float(mpmath.log(value)) for value in mpmath.svd_r(product, compute_uv=False)]


CASES = {
    "one factor": normal(1, 5, 5),
    "growing": 3 * normal(60, 4, 4),
    "shrinking": 0.1 * normal(60, 4, 4),
    "orthogonal": np.stack([orthogonal(3, seed) for seed in range(40)]),
    "out of order": np.stack([np.diag([0.1, 1.0, 0.5])] * 100),
    "not normal": np.stack([np.array(DEFECTIVE)] * 10),
    "beyond the largest float": 1e9 * normal(60, 4, 4),
    "below the smallest float": 1e-9 * normal(60, 4, 4),
    "equal values": 2 * np.stack([np.eye(3)] * 50),
    "nearly equal": np.stack([np.diag([1.0, 1 + 1e-9])] * 10) @ orthogonal(2, 3),
}


@pytest.mark.parametrize("case", CASES)
def test_singular_values_to_many_digits(case):
    """Absolute in the logs, so relative in the values, the smallest too."""
    found, expected = log_singular_values(CASES[case]), many_digits(CASES[case])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-12)


def test_each_step_may_lose_what_its_condition_says():
    """Factors of condition 1e4: an error of at most 1e4 roundings a step, as the docstring promises."""
    factors = np.stack([orthogonal(3, s) * [100.0, 1.0, 0.01] for s in range(100)])
    np.testing.assert_allclose(log_singular_values(factors), many_digits(factors), atol=100 * 1e4 * 2.3e-16)


def test_five_thousand_steps():
    """J_t = Q_t D Q_{t-1}^T has the product Q_T D^T Q_0^T: logs of T log d_i, from e^-11513 to e^3466."""
    steps, d = 5000, np.array([2.0, 1.0, 0.1])
    frames = [orthogonal(3, seed) for seed in range(steps + 1)]
    factors = np.stack([frames[t + 1] @ np.diag(d) @ frames[t].T for t in range(steps)])
    np.testing.assert_allclose(log_singular_values(factors), steps * np.log(d), rtol=1e-12, atol=1e-9)
    norms = log_norms_from_last(factors)
    np.testing.assert_allclose(norms, np.arange(1, steps + 1) * log(2), rtol=1e-12)
    with np.errstate(all="ignore"):
        plain = chain(factors[:1200])
    assert not np.isfinite(np.linalg.norm(plain)), "which plain floats do not hold"


def test_the_smallest_value_is_what_the_determinant_says():
    factors = normal(3000, 6, 6, seed=4)
    log_det = np.sum(np.linalg.slogdet(factors)[1])
    np.testing.assert_allclose(np.sum(log_singular_values(factors)), log_det, rtol=1e-12)


def test_a_lost_direction():
    """[[0, 10], [0, 0]]: the product of one has norm 10, that of two is exactly zero (statement 9)."""
    nilpotent = np.array([[[0.0, 10.0], [0.0, 0.0]]])
    np.testing.assert_allclose(log_singular_values(nilpotent), [log(10), -np.inf])
    assert log_norms_from_last(np.repeat(nilpotent, 3, axis=0)).tolist() == pytest.approx([log(10), -np.inf, -np.inf])


def test_norms_by_distance():
    """Entry d - 1 is J_T ... J_{T-d+1}: the newest factors, in their order."""
    factors = normal(7, 4, 4)
    expected = [np.linalg.norm(chain(factors[-d:]), 2) for d in range(1, 8)]
    np.testing.assert_allclose(np.exp(log_norms_from_last(factors)), expected, rtol=1e-13)
    wrong = [np.linalg.norm(chain(factors[-d:][::-1]), 2) for d in range(1, 8)]
    assert not np.allclose(expected, wrong), "the order shows in this example"


def test_a_running_product():
    product = LogProduct(3)
    assert product.log_norm == 0
    factors = normal(4, 3, 3)
    for k, factor in enumerate(factors, start=1):
        product.push(factor)
        expected = np.linalg.svd(chain(factors[:k]), compute_uv=False)
        assert product.log_norm == pytest.approx(log(expected[0]), abs=1e-13)
        np.testing.assert_allclose(np.exp(product.log_singular_values()), expected, rtol=1e-12)


# Pairs, against the graph
def blocks_of_the_graph(net: tg.Unrolled, t: int, s: int) -> dict[tuple[str, str], tg.Node]:
    states = net.cell.states
    return {(new, old): tg.jacobian(net.series[new][t], net.series[old][s]) for new in states for old in states}


@CELL
def test_pairs_agree_with_the_unrolled_graph(name):
    """By the fed initial states, on which nothing else of step 0 depends, every block is the graph's."""
    chosen = models.CELLS[name]
    net = tg.unroll(chosen, STEPS, initial="fed", sizes=dict.fromkeys(chosen.sizes, H))
    feeds = random_feeds(net.graph, batch=None)
    found = trajectory_of(net, feeds)
    product = pair_products(found.jacobians, [(STEPS, 0)])[STEPS, 0]
    for (new, old), block in tg.evaluate(blocks_of_the_graph(net, STEPS, 0), feeds).items():
        rows, columns = found.blocks[new], found.blocks[old]
        own = product[rows, columns]
        assert_close(own, np.reshape(block, own.shape), 1e-10, what=(new, old))


@CELL
def test_pairs_from_later_steps(name):
    """The graph also follows an old state into the others of its own step: the sum of P[new, k] (d k_s / d old_s)."""
    chosen = models.CELLS[name]
    net = tg.unroll(chosen, STEPS, initial="fed", sizes=dict.fromkeys(chosen.sizes, H))
    feeds = random_feeds(net.graph, batch=None)
    found, s = trajectory_of(net, feeds), 2
    product = pair_products(found.jacobians, [(STEPS, s)])[STEPS, s]
    within = np.zeros_like(product)
    for (new, old), block in tg.evaluate(blocks_of_the_graph(net, s, s), feeds).items():
        part = within[found.blocks[new], found.blocks[old]]
        part[...] = np.reshape(block, part.shape)
    for (new, old), block in tg.evaluate(blocks_of_the_graph(net, STEPS, s), feeds).items():
        total = (product @ within)[found.blocks[new], found.blocks[old]]
        assert_close(total, np.reshape(block, total.shape), 1e-10, what=(new, old))


def test_the_conventions_differ_where_the_docstring_says():
    """For an LSTM, c_s feeds h_s: the graph's d h_t / d c_s is not the block of the product."""
    net = tg.unroll(models.lstm, STEPS, initial="fed", I=H, H=H)
    feeds = random_feeds(net.graph, batch=None)
    found = trajectory_of(net, feeds)
    h, c = found.blocks["h"], found.blocks["c"]
    product = pair_products(found.jacobians, [(5, 2)])[5, 2]
    graph_c, graph_h, inside = tg.evaluate(
        [tg.jacobian(net.h[5], net.c[2]), tg.jacobian(net.h[5], net.h[2]), tg.jacobian(net.h[2], net.c[2])], feeds
    )
    assert_close(product[h, h], graph_h, 1e-10)
    assert_close(product[h, c] + product[h, h] @ inside, graph_c, 1e-10)
    assert np.max(np.abs(product[h, c] - graph_c)) > 1e-3


def test_pairs_are_those_asked_for():
    factors = normal(4, 2, 2)
    found = pair_products(factors, [(3, 1), (2, 2), (4, 0), (3, 1)])
    assert list(found) == [(3, 1), (2, 2), (4, 0)]
    np.testing.assert_array_equal(found[2, 2], np.eye(2))
    np.testing.assert_allclose(found[3, 1], factors[2] @ factors[1])
    np.testing.assert_allclose(found[4, 0], factors[3] @ factors[2] @ factors[1] @ factors[0])


# One matrix
def test_a_matrix_that_is_not_normal_grows_before_it_decays():
    """U^k = .9^k I + k .9^(k-1) 5 N: radius .9, norm 19.4 at k = 10, and in the end it decays."""
    found = transient(DEFECTIVE, 400)
    assert found.radius == pytest.approx(0.9, rel=1e-12)
    assert np.exp(found.log_norms[9]) == pytest.approx(19.4, abs=0.05)
    k = np.arange(1, 401)
    off = 5 * k * 0.9 ** (k - 1.0)
    size = off / 2 + np.sqrt(off**2 / 4 + 0.9 ** (2.0 * k))  # of [[a, b], [0, a]]: b/2 + sqrt(b^2/4 + a^2)
    np.testing.assert_allclose(found.log_norms, np.log(size), rtol=1e-10, atol=1e-12)
    power, top = found.peak
    assert power == int(np.argmax(size)) + 1
    assert top == pytest.approx(log(max(size)), abs=1e-12)
    assert found.log_norms[-1] < -30
    # The rate shows late: (1/k) log norm tends to log .9 as log(k) / k.
    assert found.log_norms[-1] / 400 - log(0.9) == pytest.approx(log(5 * 400 / 0.9) / 400, rel=1e-6)


def test_a_normal_matrix_has_no_transient():
    found = transient(np.diag([0.9, -0.5]), 30)
    np.testing.assert_allclose(found.log_norms, np.arange(1, 31) * log(0.9), rtol=1e-12)
    assert found.peak == (1, pytest.approx(log(0.9)))


def test_spectral_radius():
    assert spectral_radius([[0.0, -3.0], [3.0, 0.0]]) == pytest.approx(3)
    assert spectral_radius([[2.0, 2.0], [-2.0, -2.0]]) == pytest.approx(0, abs=1e-7)
    assert spectral_radius(e * np.eye(2)) == pytest.approx(e)


# Errors
@pytest.mark.parametrize(
    ("error", "match", "wrong"),
    [
        (ShapeError, r"\(2, 3\)", np.ones((2, 3))),
        (ShapeError, r"\(2, 3, 2\)", np.ones((2, 3, 2))),
        (ShapeError, r"\(0, 2, 2\)", np.ones((0, 2, 2))),
        (NonFiniteError, "step 2", np.array([np.eye(2), [[np.nan, 0], [0, 1]]])),
        (UsageError, "not an array", [["a", "b"]]),
    ],
)
def test_wrong_factors(error, match, wrong):
    for function in (log_singular_values, log_norms_from_last, lambda j: pair_products(j, [(0, 0)])):
        with pytest.raises(error, match=match):
            function(wrong)


def test_wrong_pairs_and_powers():
    for pair in ((1, 2), (4, 0)):
        with pytest.raises(ValueRangeError, match="no product"):
            pair_products(normal(3, 2, 2), [pair])
    with pytest.raises(ValueRangeError, match="power"):
        transient(DEFECTIVE, 0)
    with pytest.raises(ShapeError, match="square"):
        spectral_radius([1.0, 2.0])
    with pytest.raises(ShapeError):
        spectral_radius([[1.0, 2.0]])
