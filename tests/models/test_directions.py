"""Nets in both directions, against two plain loops, and what only the future can tell."""

from __future__ import annotations

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, central
from helpers.zoo import STACKABLE, few, sizes_of

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import UnknownNameError, UsageError

STEPS, BATCH = 5, 3
LENGTHS = np.array([5, 2, 4])
MASK = np.arange(STEPS)[:, None] < LENGTHS


def loop(p, x, scope, order):
    """h over the steps in an order, in plain NumPy; by step."""
    h, found = np.zeros(4), {}
    for t in order:
        h = np.tanh(p[f"{scope}/W"] @ x[t - 1] + p[f"{scope}/U"] @ h + p[f"{scope}/b"])
        found[t] = h
    return found


def test_against_two_loops():
    net = models.bidirectional(models.elman, STEPS, I=2, H=4)
    assert list(net.parameters) == [f"{way}/{name}" for way in ("forward", "backward") for name in "WUb"]
    feeds = random_feeds(net.graph, batch=None)
    x = feeds["forward/x"]
    there, back = loop(feeds, x, "forward", range(1, 6)), loop(feeds, x, "backward", range(5, 0, -1))
    found = tg.evaluate([net.output, net.forward.output, net.backward.output], feeds)
    for t in range(1, STEPS + 1):
        assert_close(found[0][t], np.concatenate([there[t], back[t]]), 1e-14)
        assert_close(found[1][t], there[t], 1e-14)
        assert_close(found[2][t], back[t], 1e-14)
    tg.validate(net.graph)


def test_two_layers_in_plain_numpy():
    """The upper one reads both directions of the lower one."""
    lower = models.bidirectional(models.elman, STEPS, I=2, H=4, scope="layer1")
    upper = models.bidirectional(models.elman, STEPS, inputs={"x": lower.output}, H=4, scope="layer2")
    feeds = random_feeds(upper.graph, batch=None)
    vectors = feeds["layer1/forward/x"]
    for layer in ("layer1", "layer2"):
        there, back = (
            loop(feeds, vectors, f"{layer}/{way}", steps)
            for way, steps in (("forward", range(1, 6)), ("backward", range(5, 0, -1)))
        )
        vectors = np.array([np.concatenate([there[t], back[t]]) for t in range(1, STEPS + 1)])
    for t, both in tg.evaluate(upper.output, feeds).items():
        assert_close(both, vectors[t - 1], 1e-13)


@pytest.mark.parametrize("name", few(STACKABLE))
def test_the_backward_net_is_the_cell_over_reversed_inputs(name):
    """All states of every cell: those of the net that reads what is turned around."""
    cell = models.CELLS[name]
    turned, plain = (tg.unroll(cell, STEPS, reverse=way, initial="fed", sizes=sizes_of(cell)) for way in (True, False))
    feeds = random_feeds(turned.graph)
    around = feeds | {n: feeds[n][::-1] for n in cell.inputs}
    for state in cell.states:
        assert list(turned.series[state]) == [6, 5, 4, 3, 2, 1]
        found = tg.evaluate(dict(turned.series[state]), feeds)
        expected = tg.evaluate(dict(plain.series[state]), around)
        for t in range(STEPS + 1):
            np.testing.assert_array_equal(found[STEPS + 1 - t], expected[t])
    assert [node.step for node in turned.output.values()] == [1, 2, 3, 4, 5]
    assert turned.final[cell.output] is turned.output[1]
    assert plain.final[cell.output] is plain.output[STEPS]


def test_the_trajectory_of_a_reversed_net():
    """Step Jacobians in the order of reading: their product is the Jacobian over time."""
    from tinygraph.flow.step_jacobians import trajectory_of

    net = tg.unroll(models.lstm, STEPS, reverse=True, initial="fed", I=2, H=3)
    feeds = random_feeds(net.graph, batch=None)
    product = np.linalg.multi_dot(trajectory_of(net, feeds).jacobians[::-1])
    expected = tg.evaluate(tg.jacobian(net.h[1], net.h[STEPS + 1]), feeds)
    assert_close(product[:3, :3], expected, 1e-13)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_gradient(name):
    net = models.bidirectional(models.CELLS[name], STEPS, mask=True, I=2, H=3)
    loss = models.softmax_cross_entropy(models.readout(net, 4), mask=net.mask)
    gradients = tg.grad(loss, net.graph.parameters)
    rng = np.random.default_rng(0)
    feeds = random_feeds(net.graph) | {"y": rng.integers(0, 4, (STEPS, BATCH)), "forward/mask": MASK}
    for key, gradient in tg.evaluate(gradients, feeds).items():
        v = rng.standard_normal(gradient.shape)
        assert_close(np.sum(gradient * v), central(lambda at: tg.evaluate(loss, at), feeds, {key: v}), 1e-6, what=key)


def test_a_masked_batch_is_its_sequences_alone():
    """What pads an example has no effect, though the backward net meets it first."""
    net = models.bidirectional(models.gru, STEPS, mask=True, I=2, H=3)
    feeds = random_feeds(net.graph) | {"forward/mask": MASK}
    together = tg.evaluate(net.output, feeds)
    for b, length in enumerate(LENGTHS):
        alone = models.bidirectional(models.gru, int(length), I=2, H=3)
        own = {name: value for name, value in feeds.items() if "mask" not in name}
        single = tg.evaluate(alone.output, own | {"forward/x": feeds["forward/x"][:length, b]})
        for t, value in single.items():
            assert_close(together[t][b], value, 1e-14)


def test_the_first_output_sees_the_last_input():
    """And that of a one-way net cannot: its Jacobian is zero."""
    both, one = models.bidirectional(models.elman, STEPS, I=2, H=3), tg.unroll(models.elman, STEPS, I=2, H=3)
    seen = tg.evaluate(tg.jacobian(both.output[1], both.x[STEPS]), random_feeds(both.graph))
    assert np.all(np.any(seen[:, 3:] != 0, axis=(1, 2)))
    assert not np.any(seen[:, :3])
    assert not np.any(tg.evaluate(tg.jacobian(one.output[1], one.x[STEPS]), random_feeds(one.graph)))


def test_it_is_drawn_whole():
    """Both directions and what joins them, each step once."""
    net = models.bidirectional(models.gru, 3, I=2, H=3)
    assert viz.draw(net).nodes == viz.draw([net.output, net.forward.final, net.backward.final]).nodes


def test_layers_and_shared_parameters():
    lower = models.bidirectional(models.gru, 3, I=2, H=3, scope="layer1")
    upper = models.bidirectional(models.gru, 3, inputs={"x": lower.output}, H=4, scope="layer2")
    assert upper.output[1].shape == (8,)
    assert upper.parameters["layer2/forward/W"].shape == (4, 6)
    longer = models.bidirectional(models.gru, 3, inputs={"x": lower.x}, parameters=lower.parameters, scope="layer1")
    assert longer.parameters == lower.parameters


def test_wrong_input():
    with pytest.raises(UsageError, match="highway has no input"):
        models.bidirectional(models.highway, 3, H=2)
    with pytest.raises(UnknownNameError, match="no direction has a parameter 'W'"):
        models.bidirectional(models.elman, 3, parameters=tg.unroll(models.elman, 3, I=2, H=2).parameters, I=2, H=2)
    with pytest.raises(UsageError, match="reverse is true or false"):
        tg.unroll(models.elman, 3, reverse="yes", I=2, H=2)
