"""Saturation: shares counted by hand, for gates, units, layers and batches."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import UsageError

WIDTH, H, T, B = 2, 6, 5, 3


def test_the_shares_are_those_of_the_values():
    net = tg.unroll(models.lstm, T, I=WIDTH, H=H)
    rng = np.random.default_rng(0)
    feeds = {n: 3 * rng.standard_normal(v.shape) for n, v in net.initial().items()}
    feeds["x"] = rng.standard_normal((T, B, WIDTH))
    found = tg.saturation(net.output, feeds)
    assert set(found.low) == set(found.high) == {"i", "f", "g", "o"}
    for name, low, high in (("f", 0.1, 0.9), ("g", -0.8, 0.8)):
        values = np.stack(tg.evaluate(list(net.series[name].values()), feeds))
        np.testing.assert_allclose(found.low[name], [np.mean(v < low) for v in values])
        np.testing.assert_allclose(found.high[name], [np.mean(v > high) for v in values])
        assert found.high[name].sum() > 0
    wider = tg.saturation(net.output, feeds, margin=0.4)
    assert np.all(wider.low["f"] >= found.low["f"])
    assert np.sum(wider.low["f"]) > np.sum(found.low["f"])


def test_the_state_of_an_elman_net():
    """It is a tanh; at large inputs all units are at one end, at none they are in the middle."""
    net = tg.unroll(models.elman, T, I=1, H=H)
    values = net.initial(seed=0) | {"W": np.ones((H, 1)), "U": np.zeros((H, H))}
    x = np.array([50.0, -50.0, 0.0, 50.0, 0.0])[:, None]
    found = tg.saturation(net.output, values | {"x": x})
    np.testing.assert_array_equal(found.high["h"], [1, 0, 0, 1, 0])
    np.testing.assert_array_equal(found.low["h"], [0, 1, 0, 0, 0])


def test_layers_have_their_own_rows():
    net = models.stack(models.gru, T, layers=2, I=WIDTH, H=H)
    feeds = net.initial(seed=0) | {"layer1/x": np.ones((T, WIDTH))}
    found = tg.saturation(net.output, feeds)
    assert {f"layer{k}/{g}" for k in (1, 2) for g in "rzc"} == set(found.low)
    assert all(len(row) == T for row in found.low.values())
    assert len(str(found).splitlines()) == 7


def test_bad_input_is_refused():
    net = tg.unroll(models.elman, 2, I=1, H=2)
    graph = tg.Graph()
    for outputs, margin, message in (
        (net.output, 0.5, "below 1/2"),
        (net.output, 0, "above 0"),
        (net.output, True, "margin"),
        ([1.0], 0.1, "that of nodes"),
        (graph.parameter("w") * 2, 0.1, "no named sigmoid or tanh"),
    ):
        with pytest.raises(UsageError, match=message):
            tg.saturation(outputs, {}, margin=margin)
