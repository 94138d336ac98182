"""The gradient by the steps that it comes from."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tests.helpers.compare import assert_close
from tests.helpers.networks import Network
from tinygraph.errors import UsageError
from tinygraph.models import CELLS


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_the_steps_add_up_to_the_gradient(cell):
    net = Network(cell, 4)
    feeds = net.feeds(0, 3)
    found = tg.gradient_by_step({4: net.loss}, net.parameters, feeds)
    whole = tg.evaluate(tg.grad(net.loss, net.parameters), feeds)
    for name, value in whole.items():
        assert_close(sum(part[name] for part in found.values()), value, 1e-12, what=name)
        assert all(part[name].shape == value.shape for part in found.values())


def test_closed_form():
    """h_t = w h_{t-1} from 1, the loss h_3 = w^3: each of the three uses adds w^2. A decay w^2 has no step."""
    graph = tg.Graph()
    w, h = graph.parameter("w"), graph.constant("h", 1)
    for t in (1, 2, 3):
        with graph.at(step=t):
            h = tg.mul(w, h, name="h")
    found = tg.gradient_by_step({3: h + w * w}, {"w": w}, {"w": 2.0})
    assert {step: float(part["w"]) for step, part in found.items()} == {1: 4, 2: 4, 3: 4, None: 4}
    assert list(found) == [1, 2, 3, None]


def test_a_parameter_without_a_use_has_zeros():
    graph = tg.Graph()
    w, v = graph.parameter("w"), graph.parameter("v", (2,))
    with graph.at(step=1):
        loss = w * w
    found = tg.gradient_by_step({1: loss}, {"w": w, "v": v}, {"w": 3.0, "v": np.ones(2)})
    np.testing.assert_array_equal(found[1]["v"], [0, 0])
    with pytest.raises(UsageError, match="dict from name"):
        tg.gradient_by_step({1: loss}, [w], {})
