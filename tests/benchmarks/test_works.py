"""The works of the benchmark, cut down: the plan and all installed peers do the same work as NumPy by hand."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from benchmarks import peers
from benchmarks.floor import floor, flops
from benchmarks.works import WORKS, feeds, gathered, problem, roots
from tinygraph.planning.explanation import PRODUCTS

ALL = {"plan": peers.plan} | {name: peers.PEERS[name][0] for name in peers.installed()}


@pytest.mark.parametrize("who", ALL)
@pytest.mark.parametrize("name", WORKS)
def test_all_do_the_same_work(name: str, who: str) -> None:
    given = problem(WORKS[name].cut(steps=4, hidden=6))
    expected, found = peers.numpy_by_hand(given), ALL[who](given)
    for _ in range(2):  # nothing of the first step is left in the second
        assert found.step() == pytest.approx(expected.step(), rel=1e-5)
    theirs, ours = expected.gradients(), found.gradients()
    assert set(theirs) == set(ours) == set(given.parameters)
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-4, atol=1e-5 * np.abs(value).max(), err_msg=key)


@pytest.mark.parametrize("name", WORKS)
def test_by_hand_is_as_the_interpreter(name: str) -> None:
    """The derivatives written by hand are those that are derived, in float64."""
    given = problem(WORKS[name].cut(steps=3, hidden=5))
    by_hand = peers.numpy_by_hand(given)
    wanted = roots(given.work)
    loss, gradients = tg.evaluate(wanted, feeds(given))
    assert by_hand.step() == pytest.approx(float(loss), rel=1e-5)
    for key, value in gathered(given, gradients).items():
        np.testing.assert_allclose(by_hand.gradients()[key], value, rtol=1e-4, atol=1e-5 * np.abs(value).max())


@pytest.mark.parametrize("name", WORKS)
def test_the_floor_is_part_of_the_plan(name: str) -> None:
    """The plan does no fewer operations in products, and hardly more: the first step, and sums over time."""
    work = WORKS[name].cut(steps=6, hidden=20)
    given = problem(work)
    compiled = tg.plan(roots(work))
    compiled(feeds(given))
    planned = sum(k.flops for k in compiled.explain().kernels if k.function in PRODUCTS)
    assert flops(work) <= planned <= 1.25 * flops(work)
    assert np.isnan(floor(given)())
