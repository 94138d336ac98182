"""Real-time recurrent learning gives the gradient of backpropagation through time, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tests.helpers.compare import assert_close
from tests.helpers.networks import Network
from tinygraph import models
from tinygraph.errors import DifferentiationError, FeedError, NameTakenError, TinygraphError, UsageError
from tinygraph.models import CELLS

LENGTHS = (1, 2, 5)
BATCH = 3


def summed(updates: Any) -> dict[str, Any]:
    """The gradients of all steps together."""
    total: dict[str, Any] = {}
    for update in updates:
        for name, value in update.gradient.items():
            total[name] = total.get(name, 0.0) + value
    return total


def check(online: tg.RealTime, whole: Network, feeds: Any) -> None:
    found = summed(online.run(feeds))
    expected = tg.evaluate(tg.grad(whole.loss, whole.parameters), feeds)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert_close(found[name], value, 1e-10, what=name)


@pytest.mark.parametrize("batch", [None, BATCH])
@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_equals_backpropagation_through_time(cell, batch):
    single = Network(cell, 1, initial="fed")
    online = tg.rtrl(single, single.loss)
    for steps in LENGTHS:
        whole = Network(cell, steps)
        feeds = whole.feeds(steps, batch)
        check(online, whole, feeds)
    tg.validate(online.graph)


@pytest.mark.parametrize("cell", ["elman", "lstm"])
def test_layers(cell):
    single, whole = Network(CELLS[cell], 1, layers=2, initial="fed"), Network(CELLS[cell], 4, layers=2)
    check(tg.rtrl(single, single.loss), whole, whole.feeds(0, BATCH))


def test_sequences_of_different_lengths():
    single, whole = Network(models.gru, 1, mask=True, initial="fed"), Network(models.gru, 5, mask=True)
    check(tg.rtrl(single, single.loss), whole, whole.feeds(0, BATCH, lengths=[2, 5, 3]))


def test_each_step_has_the_gradient_of_its_own_loss():
    """Online: what is known after t steps is dL_t / d theta, and later steps change nothing of it."""
    steps = 4
    net = tg.unroll(models.lstm, steps, I=2, H=3)
    losses = {t: tg.sum(net.h[t] ** 2) for t in net.output}
    feeds = net.initial(seed=0) | {"x": np.random.default_rng(0).standard_normal((steps, BATCH, 2))}
    single = tg.unroll(models.lstm, 1, initial="fed", I=2, H=3)
    for t, update in enumerate(tg.rtrl(single, tg.sum(single.h[1] ** 2)).run(feeds), start=1):
        assert_close(update.loss, tg.evaluate(losses[t], feeds), 1e-13)
        for name, value in tg.evaluate(tg.grad(losses[t], net.parameters), feeds).items():
            assert_close(update.gradient[name], value, 1e-12, what=(t, name))


def test_influence_is_the_jacobian_by_the_parameters():
    """P_t against `jacobian` on the whole graph, state by state and parameter by parameter."""
    net = tg.unroll(models.lstm, 3, I=2, H=3)
    feeds = net.initial(seed=0) | {"x": np.random.default_rng(0).standard_normal((3, BATCH, 2))}
    single = tg.unroll(models.lstm, 1, initial="fed", I=2, H=3)
    online = tg.rtrl(single, tg.sum(single.h[1]))
    carried = online.start(BATCH)
    for t in range(3):
        _, carried = online.step({**feeds, "x": feeds["x"][t : t + 1]}, carried)
    for row, state in enumerate(("h", "c")):
        for name, part in online.columns.items():
            expected = tg.evaluate(tg.jacobian(net.series[state][3], net.parameters[name]), feeds)
            found = carried.influence[:, 3 * row : 3 * row + 3, part]
            assert_close(found, expected.reshape(BATCH, 3, -1), 1e-12, what=(state, name))


def test_closed_form():
    """h_t = w h_{t-1} + x_t: P_t = h_{t-1} + w P_{t-1}, so with x = 1 and w = 2: h = 1, 3, 7, P = 0, 1, 5."""

    @tg.cell
    def sums(x: tg.Input[""], h: tg.State[""], w: tg.Param[""]):
        return w * h + x

    net = tg.unroll(sums, 1, initial="fed")
    updates = list(tg.rtrl(net, net.h[1] * 1).run({"w": 2.0, "x": np.ones(3)}))
    assert [float(u.loss) for u in updates] == [1, 3, 7]
    assert [float(u.gradient["w"]) for u in updates] == [0, 1, 5]


def test_a_mean_over_the_batch():
    """A loss that crosses the batch; a readout's parameters influence no state."""
    single, whole = tg.unroll(models.gru, 1, initial="fed", I=2, H=3), tg.unroll(models.gru, 4, I=2, H=3)
    online = tg.rtrl(single, models.softmax_cross_entropy(models.readout(single, 4)))
    loss = models.softmax_cross_entropy(models.readout(whole, 4))
    rng = np.random.default_rng(0)
    feeds = whole.initial(seed=0) | {"x": rng.standard_normal((4, 3, 2)), "y": rng.integers(0, 4, (4, 3))}
    found = summed(online.run(feeds))
    assert "V" not in online.columns
    for name, value in tg.evaluate(tg.grad(loss, whole.parameters), feeds).items():
        assert_close(found[name] / 4, value, 1e-12, what=name)


@pytest.mark.parametrize("damage", ["transposed", "nothing direct", "nothing carried"])
def test_a_wrong_recursion_would_be_seen(damage):
    """The comparison with backpropagation can fail."""
    single, whole = Network(models.elman, 1, initial="fed"), Network(models.elman, 4)
    online = tg.rtrl(single, single.loss)
    product, direct = online.influence.args
    wrong = {
        "transposed": lambda: product.args[0].T @ product.args[1] + direct,
        "nothing direct": lambda: product,
        "nothing carried": lambda: direct,
    }[damage]()
    broken = tg.RealTime(online.loss, online.gradient, online.states, wrong, online.columns)
    with pytest.raises(AssertionError, match="off by"):
        check(broken, whole, whole.feeds(0, BATCH))


def one_step() -> Any:
    return tg.unroll(models.elman, 1, initial="fed", I=2, H=3)


def twice() -> Any:
    net = one_step()
    tg.rtrl(net, tg.sum(net.h[1]))
    return tg.rtrl(net, tg.sum(net.h[1]))


def run_with(**feeds: Any) -> Any:
    net = one_step()
    net.graph.sequence("y", 1)
    return list(tg.rtrl(net, tg.sum(net.h[1])).run(net.initial() | feeds))


BAD = {
    "several steps": (UsageError, "one step(?s:.*)initial='fed'", lambda: tg.rtrl(net(2, "fed"), tg.sum(net().h[1]))),
    "a state of zeros": (UsageError, "is fed", lambda: tg.rtrl(net(1, "zeros"), tg.sum(net().h[1]))),
    "a cell": (UsageError, "takes a net", lambda: tg.rtrl(models.elman, tg.sum(net().h[1]))),
    "a loss that is a vector": (DifferentiationError, "real scalar", lambda: tg.rtrl(*(lambda n: (n, n.h[1]))(net()))),
    "a loss that is a number": (UsageError, "loss is a node", lambda: tg.rtrl(net(), 3.0)),
    "twice on one tape": (NameTakenError, "influence", twice),
    "no sequence": (FeedError, "number of steps", lambda: run_with()),
    "sequences of two lengths": (FeedError, "x: 3 steps", lambda: run_with(x=np.ones((3, 2)), y=np.ones(2))),
    "nothing carried": (UsageError, "start", lambda: (lambda n: tg.rtrl(n, tg.sum(n.h[1])).step({}, None))(net())),
}


def net(steps: int = 1, initial: str = "fed") -> Any:
    return tg.unroll(models.elman, steps, initial=initial, I=2, H=3)


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    kind, message, call = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert isinstance(caught.value, TinygraphError)
