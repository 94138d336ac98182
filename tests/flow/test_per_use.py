"""Contributions, held against nets in which every time step has parameters of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import COMPOSITIONS, each_net, random_feeds
from helpers.compare import assert_close
from passes.test_truncation import bidirectional, chain, losses_of, network, numbers, tiny

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import DifferentiationError, UnknownNameError, UsageError
from tinygraph.flow.per_use import contributions
from tinygraph.graph import Steps
from tinygraph.passes.truncation import MODES, truncate

SAMPLE = [("elman", 1), ("lstm", 2), ("gru", 1)]


def values_of(G: Any, feeds: Any) -> dict[Any, Any]:
    return tg.evaluate({pair: G[pair] for pair in G.pairs}, feeds)


@each_net("cell", "how")
def test_all_contributions_sum_to_the_gradient(cell, how):
    net = COMPOSITIONS[how](models.CELLS[cell])
    losses = losses_of(net)
    feeds = random_feeds(net.graph)
    full = tg.evaluate(tg.vjp(list(losses.values()), net.graph.parameters, [1] * len(losses)), feeds)
    for name, node in net.graph.parameters.items():
        G = contributions(losses, node)
        tg.validate(G.graph)
        assert_close(sum(values_of(G, feeds).values()), full[name], 1e-12, what=name)


@pytest.mark.parametrize(("cell", "layers"), SAMPLE)
@pytest.mark.parametrize("batch", [None, 3])
def test_each_contribution_is_the_gradient_by_the_parameter_of_that_step(cell, layers, batch):
    """A net written by hand with W_1, ..., W_T, all fed alike: dL_t / dW_s."""
    T = 3
    net = network(cell, T, layers, "learned")
    losses = losses_of(net)
    feeds = random_feeds(net.graph, 1, batch)
    named = dict(net.graph.parameters)
    own = {t: {n: net.graph.parameter(f"{n}@{t}", node.shape) for n, node in named.items()} for t in range(1, T + 1)}
    alike = feeds | {f"{n}@{t}": feeds[n] for n in named for t in own}
    for name, node in named.items():
        G = contributions(losses, node)
        found = values_of(G, feeds)
        for t in range(1, T + 1):
            loss = chain(net, t, 0, own.__getitem__)
            for s in range(1, T + 1):
                expected = tg.evaluate(tg.grad(loss, own[s][name]), alike)
                assert_close(found.get((t, s), np.zeros(node.shape)), expected, 1e-12, what=(name, t, s))
                assert (np.max(np.abs(expected)) > 0) == ((t, s) in found), (name, t, s)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("cell", "layers"), SAMPLE)
def test_kept_contributions_sum_to_the_truncated_gradient(cell, layers, mode):
    net = network(cell, 5, layers, "learned")
    losses = losses_of(net)
    feeds = random_feeds(net.graph)
    cut = truncate(losses, net.graph.parameters, mode=mode, **numbers(mode, 2, 3))
    found = tg.evaluate(cut.gradients, feeds)
    kept = set(cut.kept)
    for name, node in net.graph.parameters.items():
        values = values_of(contributions(losses, node), feeds)
        expected = sum(v for (t, s), v in values.items() if (s, t) in kept)
        assert_close(found[name], expected + np.zeros(node.shape), 1e-12, what=name)


# From c_0 = h_0 = 0 the first step gives U_f nothing; a readout is used by its own loss alone.
@pytest.mark.parametrize(("name", "count"), [("layer1/U_f", 6), ("layer1/W_i", 10), ("layer2/b_o", 10), ("V", 4)])
def test_norms(name, count):
    net = network("lstm", 4, 2, "zeros")
    losses = losses_of(net)
    feeds = random_feeds(net.graph)
    G = contributions(losses, net.parameters[name])
    expected = np.zeros((4, 4))
    for (t, s), value in values_of(G, feeds).items():
        expected[t - 1, s - 1] = np.sqrt(np.sum(value**2))
    for _ in range(2):
        assert_close(G.norms(feeds), expected, 1e-12)
    assert np.count_nonzero(expected) == count
    assert_close(np.triu(expected, 1), np.zeros((4, 4)), 0)


def test_closed_form_of_a_linear_net():
    losses = tiny(4)
    G = contributions(losses, losses[1].graph.parameters["w"])
    assert G.pairs == [(t, s) for t in range(1, 5) for s in range(1, t + 1)]
    assert_close(
        G.norms({"w": 1.5}), [[2 * 1.5 ** (2 * t - 1) * (s <= t) for s in range(1, 5)] for t in range(1, 5)], 1e-13
    )
    assert_close(tg.evaluate(G[2, 4], {"w": 1.5}), 0.0, 0)


def test_what_stands_before_the_use_belongs_to_it():
    """An embedding's rows, doubled outside of time: the use is the step that reads the row."""
    graph = tg.Graph()
    E, symbols = graph.parameter("E", (4, 2)), graph.sequence("s", 3, kind="integer")
    rows = Steps("x", ((t, tg.gather(E * 2, symbols[t])) for t in (1, 2, 3)))
    with graph.at(step=1, scope="loss"):
        losses = {1: tg.sum(rows[1])}
    for t in (2, 3):
        with graph.at(step=t, scope="loss"):
            losses[t] = losses[t - 1] + tg.sum(rows[t])
    G = contributions(losses, E)
    assert list(G.uses) == [1, 2, 3]
    found = values_of(G, {"E": np.zeros((4, 2)), "s": np.array([3, 0, 3])})
    for (t, s), value in found.items():
        expected = np.zeros((4, 2))
        expected[[3, 0, 3][s - 1]] = 2
        np.testing.assert_array_equal(value, expected, str((t, s)))
    assert set(found) == {(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)}


def test_what_many_steps_share_is_split_between_them():
    """v = 2 w is made once, outside of time, and read at each step: h_t = v h_{t-1}."""
    graph = tg.Graph()
    w, h, losses = graph.parameter("w"), graph.constant("h", ones=()), {}
    doubled = w * 2
    for t in (1, 2, 3):
        with graph.at(step=t):
            h = losses[t] = tg.mul(doubled, h, name="h")
    G = contributions(losses, w)
    found = values_of(G, {"w": 1.5})
    assert found == {(t, s): 2 * 3.0 ** (t - 1) for t in (1, 2, 3) for s in range(1, t + 1)}


def test_a_use_without_a_step():
    """A weight decay, alone or added to a loss of a step, is reported under None."""
    losses = tiny(2)
    w = losses[1].graph.parameters["w"]
    for last in (losses[2] + w * w * 3, w * w * 3):
        G = contributions({1: losses[1], 2: last}, w)
        assert list(G.uses)[-1] is None
        assert G.pairs[-1] == (2, None)
        assert_close(tg.evaluate(G[2, None], {"w": 1.5}), 9.0, 1e-15)
    assert_close(G.norms({"w": 1.5}), [[3, 0], [0, 0]], 1e-15)


def test_a_parameter_without_a_use():
    losses = tiny(2)
    G = contributions(losses, losses[1].graph.parameter("idle", (2,)))
    assert (G.pairs, dict(G.uses)) == ([], {})
    np.testing.assert_array_equal(G.norms({"w": 1.0}), np.zeros((2, 2)))


def test_time_may_run_backwards():
    losses = bidirectional()
    G = contributions(losses, losses[1].graph.parameters["w"])
    assert G.pairs == [(t, s) for t in (1, 2, 3) for s in range(t, 4)]


def test_contributions_are_built_when_asked_for():
    sizes = []
    for T in (50, 100, 200):
        losses = tiny(T)
        G = contributions(losses, losses[1].graph.parameters["w"])
        G.norms({"w": 0.9})
        sizes.append(len(G.graph))
    assert sizes[2] - sizes[1] <= 2.1 * (sizes[1] - sizes[0])


def test_the_old_tape_is_left_alone():
    losses = tiny(3)
    graph = losses[1].graph
    before = [(node, node.where) for node in graph]
    contributions(losses, graph.parameters["w"]).norms({"w": 1.0})
    assert [(node, node.where) for node in graph] == before


BAD = {
    "a state": (UsageError, "parameter or an input", lambda losses: contributions(losses, losses[1])),
    "a name": (UsageError, "net.parameters", lambda losses: contributions(losses, "w")),
    "no losses": (UsageError, "dict from step", lambda losses: contributions([], losses[1])),
    "symbols": (
        DifferentiationError,
        "integer",
        lambda losses: contributions(losses, losses[1].graph.input("s", kind="integer")),
    ),
    "one index": (UsageError, "G\\[t, s\\]", lambda losses: weight(losses)[1]),
    "no such loss": (UnknownNameError, "does not exist", lambda losses: weight(losses)[9, 1]),
    "no such use": (UnknownNameError, "no use at step 9", lambda losses: weight(losses)[1, 9]),
}


def weight(losses: Any) -> Any:
    return contributions(losses, losses[1].graph.parameters["w"])


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    kind, message, call = BAD[name]
    with pytest.raises(kind, match=message):
        call(tiny(2))
