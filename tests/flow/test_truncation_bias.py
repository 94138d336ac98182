"""The bias of truncation, held against closed forms and against the contributions that are not kept."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close
from passes.test_truncation import losses_of, network, numbers, started, tiny

import tinygraph as tg
from tinygraph.errors import NameTakenError, UnknownNameError, UsageError
from tinygraph.flow.per_use import contributions
from tinygraph.flow.truncation_bias import bias_of_truncation, draw_flow, randomise
from tinygraph.passes.truncation import MODES, truncate


@pytest.mark.parametrize("mode", MODES)
def test_the_bias_is_what_is_not_kept(mode):
    """As sums of contributions: bias = |those not kept|, cosine between those kept and all of them."""
    net = network("lstm", 4, 1, "zeros")
    losses = losses_of(net)
    feeds = random_feeds(net.graph)
    ks = numbers(mode, 1, 2)
    kept = set(truncate(losses, [], mode=mode, **ks).kept)
    found = bias_of_truncation(losses, net.parameters, feeds, mode=mode, **ks)
    assert list(found) == list(net.parameters)
    for name in ("U_f", "W_g", "b_i"):
        G = contributions(losses, net.parameters[name])
        values = tg.evaluate({pair: G[pair] for pair in G.pairs}, feeds)
        left = sum(v for (t, s), v in values.items() if (s, t) in kept) + np.zeros(net.parameters[name].shape)
        lost = sum(v for (t, s), v in values.items() if (s, t) not in kept) + np.zeros(net.parameters[name].shape)
        row, whole = found[name], left + lost
        assert_close(row.bias, np.sqrt(np.sum(lost**2)), 1e-10)
        assert_close(row.truncated, np.sqrt(np.sum(left**2)), 1e-10)
        assert_close(row.full, np.sqrt(np.sum(whole**2)), 1e-10)
        assert_close(row.cosine, np.sum(left * whole) / np.sqrt(np.sum(left**2) * np.sum(whole**2)), 1e-10)
        assert row.bias > 1e-6
        assert row.cosine < 1


def test_closed_form_of_a_linear_net():
    """h_t = w h_{t-1} at w = 1: each pair counts 2, of 10 pairs at T = 4 chunks of 2 keep 6."""
    losses = tiny(4)
    row = bias_of_truncation(losses, losses[1].graph.parameters, {"w": 1.0}, k1=2)["w"]
    assert (row.bias, row.truncated, row.full, row.cosine) == (8, 12, 20, 1)


def test_long_windows_have_no_bias():
    losses = tiny(4)
    row = bias_of_truncation(losses, losses[1].graph.parameters, {"w": 0.9}, k1=4)["w"]
    assert (row.bias, row.cosine) == (0, pytest.approx(1, abs=1e-15))


def test_a_gradient_of_zero_has_no_direction():
    losses = tiny(2)
    assert isnan(bias_of_truncation(losses, losses[1].graph.parameters, {"w": 0.0}, k1=1)["w"].cosine)


def test_bad_input_is_refused():
    losses = tiny(2)
    with pytest.raises(UsageError, match="give net"):
        bias_of_truncation(losses, losses[1].graph.parameters["w"], {"w": 1.0}, k1=1)
    with pytest.raises(UnknownNameError, match="no truncation mode"):
        bias_of_truncation(losses, losses[1].graph.parameters, {"w": 1.0}, mode="none", k1=1)


# Randomised truncation
def linear(skip: bool) -> dict[int, tg.Node]:
    """h_t = U h_{t-1} (+ h_{t-2}) + x, n = 2, with the loss h_t . h_t at each step."""
    graph = tg.Graph()
    U, x = graph.parameter("U", (2, 2)), graph.constant("x", np.array([1, 2]))
    h, losses = [graph.constant("h0", zeros=(2,))], {}
    for t in range(1, 5):
        with graph.at(step=t):
            h.append(U @ h[-1] + (h[-2] + x if skip and t > 1 else x))
            losses[t] = tg.dot(h[-1], h[-1])
    return losses


@pytest.mark.parametrize(("cell", "layers"), [("elman", 2), ("lstm", 1), ("gru", 2)])
def test_fixed_flows_are_known_truncations(cell, layers):
    net = network(cell, 5, layers, "learned")
    losses = losses_of(net)
    feeds = random_feeds(net.graph)
    random = randomise(losses, net.graph.parameters)
    tg.validate(random.graph)
    flows = {k: np.array([float((t - 1) % k != 0) for t in range(1, 6)]) for k in (1, 2, 3, 5)}
    for k, flow in flows.items():
        expected = tg.evaluate(truncate(losses, net.graph.parameters, k1=k).gradients, feeds)
        for name, value in tg.evaluate(random.gradients, feeds | {"flow": flow}).items():
            assert_close(value, expected[name], 1e-12, what=(k, name))
    values = tg.evaluate(list(random.losses.values()), feeds | {"flow": np.full(5, 1.7)})
    for value, loss in zip(values, losses.values(), strict=True):
        np.testing.assert_array_equal(value, tg.evaluate(loss, feeds))


def test_a_value_read_two_steps_later_has_two_factors():
    losses = linear(skip=True)
    U, feeds = losses[1].graph.parameters["U"], {"U": np.array([[0.5, -1.0], [2.0, 0.3]])}
    found = tg.evaluate(randomise(losses, U).gradients, feeds | {"flow": np.array([1.0, 1, 0, 1])})
    assert_close(found, tg.evaluate(truncate(losses, U, k1=2).gradients, feeds), 1e-13)


def test_nothing_is_cut_before_the_first_step():
    losses = started()
    w = losses[1].graph.parameters["w"]
    found = tg.evaluate(randomise(losses, w).gradients, {"w": 2.0, "flow": np.array([0.0, 1, 1])})
    assert found == tg.evaluate(tg.vjp(list(losses.values()), w, [1] * 3), {"w": 2.0})


def test_drawn_factors():
    flow = draw_flow(20000, 0.25, 0)
    assert set(np.unique(flow)) == {0.0, 1 / 0.75}
    assert abs(np.mean(flow) - 1) < 4 * np.sqrt(0.25 / 0.75 / 20000)
    np.testing.assert_array_equal(flow, draw_flow(20000, 0.25, np.random.default_rng(0)))
    np.testing.assert_array_equal(draw_flow(3, 0, 0), np.ones(3))


BAD = {
    "a taken name": (NameTakenError, "already", lambda losses: randomise(losses, [], name="w")),
    "a state": (UsageError, "parameters or inputs", lambda losses: randomise(losses, losses[1])),
    "a word": (UsageError, "give net", lambda losses: randomise(losses, "w")),
    "certain cuts": (UsageError, "below 1", lambda losses: draw_flow(3, 1.0, 0)),
    "no seed": (UsageError, "seed", lambda losses: draw_flow(3, 0.5, None)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_of_randomised_truncation_is_refused(name):
    kind, message, call = BAD[name]
    with pytest.raises(kind, match=message):
        call(tiny(2))


def test_a_value_read_by_all_later_steps_has_one_factor_each():
    """The products of factors are built from each other: the tape grows with its length."""
    sizes = []
    for T in (50, 100, 200):
        graph = tg.Graph()
        w, losses = graph.parameter("w"), {}
        with graph.at(step=1):
            first = tg.tanh(w)
        for t in range(1, T + 1):
            with graph.at(step=t):
                losses[t] = first * t
        sizes.append(len(randomise(losses, w).graph))
    assert sizes[2] - sizes[1] <= 2.1 * (sizes[1] - sizes[0])
