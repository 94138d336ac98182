"""Counterfactuals: closed forms for clamped gates, and frozen ones against the plain net."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tests.helpers.compare import assert_close
from tinygraph import models
from tinygraph.errors import UnknownNameError, UsageError

WIDTH, H, T, B = 2, 3, 6, 2


def lstm(scale: float = 1.0) -> tuple[Any, Any, Any]:
    net = tg.unroll(models.lstm, T, I=WIDTH, H=H)
    rng = np.random.default_rng(0)
    feeds = {n: scale * v for n, v in net.initial(seed=0).items()} | {"x": rng.standard_normal((T, B, WIDTH))}
    return net, tg.sum(net.h[T] ** 2), feeds


def test_clamped_gates_carry_the_gradient_unchanged():
    """Without recurrent weights c_t = f c_{t-1} + ..., so |dL/dc_s| = f^(T-s) |dL/dc_T|."""
    net, loss, feeds = lstm()
    off = {f"U_{gate}": 0 for gate in "ifgo"}
    found = tg.counterfactuals(
        loss, net.c, feeds, {"1": {"f": 1, **off}, "1/2": {"f": 0.5, **off}, "0": {"f": 0, **off}}
    )
    for label, f in (("1", 1.0), ("1/2", 0.5), ("0", 0.0)):
        norms = found.cases[label].norms
        np.testing.assert_allclose(
            [norms[s] for s in range(1, T + 1)], [f ** (T - s) * norms[T] for s in range(1, T + 1)], rtol=1e-12
        )


def test_as_it_is_and_frozen():
    """Frozen gates leave the loss as it is; the gradient loses the paths through them."""
    net, loss, feeds = lstm(2.0)
    cases = {"as it is": {}, "frozen": dict.fromkeys("ifgo", "recorded")}
    found = tg.counterfactuals(loss, net.c, feeds, cases).cases
    values, slopes = tg.evaluate([loss, tg.grad(loss, dict(net.c))], feeds)
    assert found["as it is"].loss == pytest.approx(float(np.sum(values)), rel=1e-14)
    assert found["frozen"].loss == pytest.approx(float(np.sum(values)), rel=1e-14)
    assert list(found["as it is"].norms) == list(range(1, T + 1))
    f = np.stack(tg.evaluate(list(net.f.values()), feeds))
    last = slopes[T]
    for s in range(1, T + 1):
        assert found["as it is"].norms[s] == pytest.approx(np.linalg.norm(slopes[s]), rel=1e-12)
        assert_close(found["frozen"].norms[s], np.linalg.norm(last * np.prod(f[s:], axis=0)), 1e-12, what=s)
    assert found["frozen"].norms[1] != pytest.approx(found["as it is"].norms[1], rel=1e-3)


def test_values_of_another_run_can_be_given():
    net, loss, feeds = lstm()
    ones = {"recorded/f": np.ones((T, B, H))}
    found = tg.counterfactuals(loss, net.c, feeds | ones, {"recorded": {"f": "recorded"}, "clamped": {"f": 1}}).cases
    assert found["recorded"] == found["clamped"]


def test_a_net_of_one_step():
    net = tg.unroll(models.lstm, 1, I=WIDTH, H=H)
    loss = tg.sum(net.h[1] ** 2)
    feeds = net.initial(seed=0) | {"x": np.ones((1, B, WIDTH))}
    found = tg.counterfactuals(loss, net.c, feeds, {"as it is": {}, "frozen": {"i": "recorded"}}).cases
    assert found["as it is"] == found["frozen"]


def test_a_scaled_matrix():
    net = tg.unroll(models.elman, T, I=WIDTH, H=H)
    loss = tg.sum(net.h[T] ** 2)
    feeds = net.initial(seed=0) | {"x": np.random.default_rng(0).standard_normal((T, WIDTH))}
    found = tg.counterfactuals(loss, net.h, feeds, {"half": {"U": lambda U: U / 2}, "as it is": {}}).cases
    other = tg.counterfactuals(loss, net.h, feeds | {"U": feeds["U"] / 2}, {"as it is": {}}).cases
    assert found["half"].norms == pytest.approx(other["as it is"].norms, rel=1e-12)
    assert found["half"].norms[1] < found["as it is"].norms[1]


def test_the_table():
    net, loss, feeds = lstm()
    text = str(tg.counterfactuals(loss, net.c, feeds, {"as it is": {}, "f = 1": {"f": 1}})).splitlines()
    assert text[0].split() == ["|dL/dc|", "as", "it", "is", "f", "=", "1"]
    assert len(text) == 1 + T + 1


def test_bad_input_is_refused():
    net, loss, feeds = lstm()
    with pytest.raises(UsageError, match="cases"):
        tg.counterfactuals(loss, net.c, feeds, {})
    with pytest.raises(UsageError, match="states"):
        tg.counterfactuals(loss, net.c[1], feeds, {"as it is": {}})
    with pytest.raises(UsageError, match="loss is a node"):
        tg.counterfactuals(1.0, net.c, feeds, {"as it is": {}})
    with pytest.raises(UnknownNameError, match="'z'"):
        tg.counterfactuals(loss, net.c, feeds, {"z": {"z": 1}})
