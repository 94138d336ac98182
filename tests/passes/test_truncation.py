"""Truncated gradients, held against nets that are cut by hand: one chain for each loss, its states detached."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close
from helpers.zoo import KINKED, LANGUAGE

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import DifferentiationError, TinygraphError, UnknownNameError, UsageError
from tinygraph.graph import Steps
from tinygraph.passes.truncation import MODES, Truncated, truncate

SIZE = BATCH = 3  # equal, so that an axis that meets the batch by accident shows
Pairs = set[tuple[int, int]]

# Cells whose output is their state, and whose gradient goes on through time wherever the values lie.
CARRYING = [name for name in LANGUAGE if name not in {*KINKED, "jordan"}]

# Pairs kept of the 21 at T = 6.
COUNTS = [
    ("chunk", 1, None, 6), ("chunk", 2, None, 9), ("chunk", 3, None, 12), ("sliding", None, 3, 15),
    ("k1_k2", 2, 3, 13), ("last", 3, None, 6),
]  # fmt: skip


# Built by hand
def losses_of(net: Any) -> dict[int, tg.Node]:
    """Readout and a square loss at each step, as {t: loss}."""
    models.mean_square(models.readout(net, 2))
    return {node.step: node for node in net.graph if node.label == "L"}


def network(cell: str, steps: int, layers: int, initial: str) -> Any:
    sizes = dict.fromkeys(models.CELLS[cell].sizes, SIZE)
    if layers == 1:
        return tg.unroll(models.CELLS[cell], steps, sizes=sizes, initial=initial)
    return models.stack(models.CELLS[cell], steps, layers=layers, sizes=sizes, initial=initial)


def chain(net: Any, steps: int, cut: int, parameters: Any = None) -> tg.Node:
    """The loss at `steps` of the same net, written anew on its tape; states that enter step `cut` are detached.

    `parameters(t)` are those that step t uses, by full name; without it the net's own.
    """
    known = {id(node): name for name, node in net.graph.parameters.items()}
    states = [{s: layer.series[s][0] for s in layer.cell.states} for layer in net.layers]
    for t in range(1, steps + 1):
        own = parameters(t) if parameters else net.graph.parameters
        value = net.layers[0].series["x"][t]
        for layer, state in zip(net.layers, states, strict=True):
            if t == 1:  # a learned initial state is a parameter that step 1 uses
                state.update({s: own[known[id(node)]] for s, node in state.items() if id(node) in known})
            if t == cut > 1:
                state.update({s: tg.stop_gradient(node) for s, node in state.items()})
            weights = {
                name: own[known[id(node)]] for name, node in layer.parameters.items() if name in layer.cell.roles
            }
            found = layer.cell(**{**weights, **state, next(iter(layer.cell.inputs)): value})
            state.update(zip(layer.cell.states, found, strict=True))
            value = state[layer.cell.output]
    return tg.mean((own["V"] @ value + own["c"] - net.graph.inputs["y"][steps]) ** 2)


def pairs_by_hand(mode: str, T: int, k1: int, k2: int) -> Pairs:
    """The kept pairs (s, t), by going through the steps as a training loop would."""
    kept: Pairs = set()
    if mode == "chunk":
        chunks = [range(start, min(start + k1, T + 1)) for start in range(1, T + 1, k1)]
        return {(s, t) for steps in chunks for t in steps for s in steps if s <= t}
    if mode == "sliding":
        return {(t - back, t) for t in range(1, T + 1) for back in range(k2) if t - back >= 1}
    if mode == "last":
        return {(s, t) for t in range(1, T + 1) for s in range(1, t + 1) if s in range(1, T + 1)[-k2:]}
    waiting: list[int] = []
    for now in range(1, T + 1):
        waiting.append(now)
        if len(waiting) == k1 or now == T:
            kept |= {(s, t) for t in waiting for s in range(now, now - k2, -1) if 1 <= s <= t}
            waiting = []
    return kept


def gradient_by_hand(net: Any, kept: Pairs, feeds: Any) -> dict[str, Any]:
    total = {name: np.zeros(node.shape) for name, node in net.graph.parameters.items()}
    for t in {t for _, t in kept}:
        cut = min(s for s, end in kept if end == t)
        for name, value in tg.evaluate(tg.grad(chain(net, t, cut), net.graph.parameters), feeds).items():
            total[name] = total[name] + value
    return total


def numbers(mode: str, k1: int, k2: int) -> dict[str, int]:
    return {"k1": k1, "k2": k2} if mode == "k1_k2" else {"k1": k1} if mode == "chunk" else {"k2": k2}


def tiny(steps: int) -> dict[int, tg.Node]:
    """h_t = w h_{t-1}, with the loss h_t^2 at each step."""
    graph = tg.Graph()
    w, h = graph.parameter("w"), graph.constant("h", ones=())
    losses = {}
    for t in range(1, steps + 1):
        with graph.at(step=t):
            h = tg.mul(w, h, name="h")
            losses[t] = h * h
    return losses


def cut_tiny(steps: int, mode: str, **ks: Any) -> Truncated:
    losses = tiny(steps)
    return truncate(losses, losses[1].graph.parameters, mode=mode, **ks)


# Which pairs
@pytest.mark.parametrize(("mode", "k1", "k2", "count"), COUNTS)
def test_the_number_of_kept_pairs(mode, k1, k2, count):
    kept = cut_tiny(6, mode, k1=k1, k2=k2).kept
    assert len(kept) == len(set(kept)) == count
    assert kept == sorted(kept)


@pytest.mark.parametrize("mode", MODES)
def test_the_kept_pairs_are_those_of_a_training_loop(mode):
    for T in range(1, 8):
        for k1 in range(1, T + 2):
            for k2 in range(k1, T + 2):
                assert set(cut_tiny(T, mode, **numbers(mode, k1, k2)).kept) == pairs_by_hand(mode, T, k1, k2)


def test_one_number_has_either_name():
    for mode, count in (("chunk", 12), ("sliding", 15), ("last", 6)):
        for ks in ({"k1": 3}, {"k2": 3}, {"k1": 3, "k2": 3}):
            assert len(cut_tiny(6, mode, **ks).kept) == count
    assert cut_tiny(6, "sliding", k1=1, k2=3).kept == cut_tiny(6, "k1_k2", k1=1, k2=3).kept
    assert cut_tiny(6, "chunk", k1=2).kept == cut_tiny(6, "k1_k2", k1=2, k2=2).kept


# Which gradient
@pytest.mark.parametrize("mode", MODES)
def test_closed_form_of_a_linear_net(mode):
    """dL_t/dw through the use at s is 2 h_t w^(t-1), whatever s: the gradient counts the kept pairs."""
    for k1, k2 in ((1, 2), (2, 3), (3, 4), (6, 6)):
        cut = cut_tiny(6, mode, **numbers(mode, k1, k2))
        expected = sum(2 * 1.1 ** (2 * t - 1) for _, t in pairs_by_hand(mode, 6, k1, k2))
        assert_close(tg.evaluate(cut.gradients["w"], {"w": 1.1}), expected, 1e-13)


@pytest.mark.parametrize("cell", models.CELLS)
@pytest.mark.parametrize("mode", MODES)
def test_long_windows_give_the_full_gradient(mode, cell):
    net = network(cell, 4, 1, "learned")
    losses = losses_of(net)
    feeds = random_feeds(net.graph)
    full = tg.evaluate(tg.vjp(list(losses.values()), net.parameters, [1] * 4), feeds)
    for ks in ((4, 4), (5, 7), (3, 4)) if mode == "k1_k2" else ((4, 4), (9, 9)):
        cut = truncate(losses, net.parameters, mode=mode, **numbers(mode, *ks))
        assert len(cut.kept) == 10
        for name, value in tg.evaluate(cut.gradients, feeds).items():
            assert_close(value, full[name], 1e-12, what=name)


def check_against_hand(seed: int) -> None:
    """A random cell, depth, length, mode and numbers, batch or none: the gradient cut by hand, and not the full one."""
    rng = np.random.default_rng(seed)
    cell, mode = CARRYING[seed % len(CARRYING)], list(MODES)[seed // len(CARRYING) % len(MODES)]
    T = int(rng.integers(3, 6))
    k1 = int(rng.integers(1, T))
    k2 = int(rng.integers(k1, T))
    net = network(cell, T, int(rng.integers(1, 3)), ["zeros", "learned", "fed"][rng.integers(3)])
    losses = losses_of(net)
    feeds = random_feeds(net.graph, seed, BATCH if rng.random() < 0.7 else None)
    cut = truncate(losses, net.graph.parameters, mode=mode, **numbers(mode, k1, k2))
    tg.validate(cut.graph)
    kept = pairs_by_hand(mode, T, k1, k2)
    found, expected = tg.evaluate(cut.gradients, feeds), gradient_by_hand(net, kept, feeds)
    full = tg.evaluate(tg.vjp(list(losses.values()), net.graph.parameters, [1] * T), feeds)
    assert list(found) == list(expected)
    for name, value in found.items():
        assert_close(value, expected[name], 1e-12, what=(seed, cell, mode, name))
    assert max(float(np.max(np.abs(found[name] - full[name]))) for name in found) > 1e-9, "nothing was cut"
    for t, loss in losses.items():
        np.testing.assert_array_equal(tg.evaluate(cut.losses[t], feeds), tg.evaluate(loss, feeds))


@pytest.mark.parametrize("seed", range(0, 16, 3))
def test_against_nets_cut_by_hand(seed):
    check_against_hand(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_against_nets_cut_by_hand_all(seed):
    check_against_hand(seed)


def test_the_gradient_of_one_loss_is_cut_too():
    net = network("lstm", 4, 1, "zeros")
    losses = losses_of(net)
    feeds = random_feeds(net.graph)
    cut = truncate(losses, net.parameters, mode="sliding", k2=2)
    for t in (1, 3, 4):
        found = tg.evaluate(tg.grad(cut.losses[t], cut.graph.parameters), feeds)
        expected = tg.evaluate(tg.grad(chain(net, t, t - 1), net.parameters), feeds)
        for name, value in expected.items():
            assert_close(found[name], value, 1e-12, what=(t, name))


def test_a_loss_at_the_last_step_alone():
    net = network("gru", 5, 1, "zeros")
    loss = {5: losses_of(net)[5]}
    feeds = random_feeds(net.graph)
    for mode, ks, cut_at in (("sliding", {"k2": 2}, 4), ("last", {"k1": 3}, 3), ("chunk", {"k1": 3}, 4)):
        cut = truncate(loss, net.parameters, mode=mode, **ks)
        found = tg.evaluate(cut.gradients, feeds)
        expected = tg.evaluate(tg.grad(chain(net, 5, cut_at), net.parameters), feeds)
        for name, value in found.items():
            assert_close(value, expected[name], 1e-12, what=(mode, name))


def test_values_without_a_step():
    """Written outside of `graph.at`, an embedding is part of the step that reads it, a readout of its loss."""
    results = []
    for stamped in (True, False):
        graph = tg.Graph()
        E, V, symbols = (
            graph.parameter("E", (4, 3)),
            graph.parameter("V", (2, 3)),
            graph.sequence("s", 5, kind="integer"),
        )
        inputs, losses = Steps("x"), {}
        for t in range(1, 6):
            with graph.at(step=t if stamped else None):
                inputs[t] = tg.gather(E * 2, symbols[t])
        net = tg.unroll(models.elman, 5, graph=graph, inputs={"x": inputs}, H=3)
        for t in range(1, 6):
            with graph.at(step=t if stamped else None):
                losses[t] = tg.sum((V @ net.h[t]) ** 2)
        cut = truncate(losses, graph.parameters, mode="k1_k2", k1=2, k2=3)
        results.append(tg.evaluate(cut.gradients, random_feeds(graph)))
    for name, value in results[0].items():
        assert_close(results[1][name], value, 1e-13, what=name)


def test_a_value_between_steps_counts_to_the_step_it_reads():
    """h_t = tanh(p_t), p_t = u h_{t-1} without a step: it is cut where h_{t-1} is."""
    found = []
    for stamped in (False, True):
        graph = tg.Graph()
        u, h, losses = graph.parameter("u"), graph.constant("h", 0.5), {}
        for t in range(1, 5):
            with graph.at(step=t - 1 if stamped and t > 1 else None):
                product = u * h
            with graph.at(step=t):
                h = tg.tanh(product, name="h")
                losses[t] = h * h
        cut = truncate(losses, u, mode="sliding", k2=2)
        found.append(tg.evaluate(cut.gradients, {"u": 0.7}))
    assert_close(found[0], found[1], 1e-14)


def started() -> dict[int, tg.Node]:
    """h_t = w h_{t-1} from a state made of w at step 0."""
    graph = tg.Graph()
    w, losses = graph.parameter("w"), {}
    with graph.at(step=0):
        h = tg.mul(w, 3, name="h")
    for t in range(1, 4):
        with graph.at(step=t):
            h = losses[t] = tg.mul(w, h, name="h")
    return losses


def test_an_initial_state_goes_with_step_1():
    """h_t = 3 w^(t+1): the full gradient sums 3 (t+1) w^t; chunks of 1 keep one use each, and two at step 1."""
    for k1, expected in ((3, 3 * (2 * 2 + 3 * 4 + 4 * 8)), (1, 3 * (2 * 2 + 4 + 8))):
        losses = started()
        cut = truncate(losses, losses[1].graph.parameters["w"], k1=k1)
        assert_close(tg.evaluate(cut.gradients, {"w": 2.0}), expected, 1e-14)


def test_what_only_a_loss_reads_is_never_cut():
    """A readout without a step, of an earlier state: the readout is part of the loss, the state is cut."""
    losses = tiny(3)
    graph = losses[1].graph
    v = graph.parameter("v")
    cut = truncate({3: v * graph["h", 1] * 2}, [v, graph.parameters["w"]], k1=1)
    assert_close(tg.evaluate(cut.gradients, {"w": 2.0, "v": 5.0}), [4.0, 0.0], 0)


# The tape
def test_the_new_tape():
    net = network("lstm", 4, 2, "zeros")
    losses = losses_of(net)
    feeds = random_feeds(net.graph)
    before = [(node, node.where) for node in net.graph]
    cut = truncate(losses, {"a": [net.parameters["layer1/U_f"]], "b": net.parameters["V"]}, mode="sliding", k2=2)
    assert [(node, node.where) for node in net.graph] == before, "the old tape is left alone"
    assert cut.gradients["a"][0].shape == (SIZE, SIZE)
    assert list(cut.losses) == [1, 2, 3, 4]
    for layer in net.layers:
        for t in range(1, 5):
            old, new = layer.h[t], cut.of(layer.h[t])
            assert (new.label, new.step, new.scope) == (old.label, old.step, old.scope)
            np.testing.assert_array_equal(tg.evaluate(new, feeds), tg.evaluate(old, feeds))
    assert len([n for n in cut.graph if n.label == "h" and n.step == 3]) == 2, "of several copies one has the label"
    other = tg.sum(net.output[4] * 3)
    with pytest.raises(UsageError, match="nothing for this node"):
        cut.of(other)


def test_windows_apart_share_nothing_and_copy_nothing():
    """A chunked tape has as many products as the full one, and one stop per state that crosses."""
    net = network("lstm", 6, 1, "zeros")
    losses = losses_of(net)
    for mode, ks, stops in (("chunk", {"k1": 2}, 4), ("last", {"k1": 2}, 2)):
        cut = truncate(losses, net.parameters, mode=mode, **ks)
        forward = [node.op.name for node in cut.graph if not node.backward]
        assert forward.count("matmul") == [n.op.name for n in net.graph if not n.backward].count("matmul")
        assert forward.count("stop_gradient") == stops


@pytest.mark.parametrize("mode", MODES)
def test_the_tape_grows_with_its_length(mode):
    sizes = [len(cut_tiny(T, mode, **numbers(mode, 2, 4)).graph) for T in (100, 200, 400)]
    assert sizes[2] - sizes[1] <= 2.1 * (sizes[1] - sizes[0])


def test_a_long_chain():
    cut = cut_tiny(5000, "chunk", k1=10)
    assert np.isfinite(tg.evaluate(cut.gradients["w"], {"w": 0.999}))


# Bad input
def bidirectional() -> dict[int, tg.Node]:
    graph, losses = tg.Graph(), {}
    w, h = graph.parameter("w"), graph.constant("h", ones=())
    for t in (3, 2, 1):
        with graph.at(step=t):
            h = w * h
            losses[t] = h * h
    return losses


def timeless() -> dict[int, tg.Node]:
    w = tg.Graph().parameter("w")
    return {1: w * w}


def shifted() -> dict[int, tg.Node]:
    return dict(zip((1, 2), list(tiny(3).values())[1:], strict=True))


def vector() -> dict[int, tg.Node]:
    return {1: tg.Graph().parameter("w", (3,)) * 2}


BAD = {
    "mode": (UnknownNameError, "did you mean 'chunk'", lambda: cut_tiny(3, "chunks", k1=1)),
    "no number": (UsageError, "takes one number", lambda: cut_tiny(3, "chunk")),
    "two numbers": (UsageError, "takes one number", lambda: cut_tiny(3, "last", k1=1, k2=2)),
    "k2 below k1": (UsageError, "k2 >= k1", lambda: cut_tiny(3, "k1_k2", k1=2, k2=1)),
    "k2 missing": (UsageError, "k2 >= k1", lambda: cut_tiny(3, "k1_k2", k1=2)),
    "zero": (UsageError, "1 or more", lambda: cut_tiny(3, "chunk", k1=0)),
    "a flag": (UsageError, "1 or more", lambda: cut_tiny(3, "chunk", k1=True)),
    "a float": (UsageError, "1 or more", lambda: cut_tiny(3, "chunk", k1=2.0)),
    "no losses": (UsageError, "dict from step", lambda: truncate({}, [], k1=1)),
    "a list": (UsageError, "dict from step", lambda: truncate(list(tiny(2).values()), [], k1=1)),
    "step 0": (UsageError, "steps 1..T", lambda: truncate({0: tiny(1)[1]}, [], k1=1)),
    "a number": (UsageError, "is a node", lambda: truncate({1: 3.0}, [], k1=1)),
    "a vector": (DifferentiationError, "no.* real scalar", lambda: truncate(vector(), [], k1=1)),
    "a state": (UsageError, "parameters or inputs", lambda: truncate(tiny(2), tiny(2)[1], k1=1)),
    "a name": (UsageError, "net.parameters", lambda: truncate(tiny(2), ["w"], k1=1)),
    "backwards": (UsageError, "backwards", lambda: truncate(bidirectional(), [], k1=1)),
    "no time": (UsageError, "no node with a time step", lambda: truncate(timeless(), [], k1=1)),
    "later loss": (UsageError, "depends on a later step", lambda: truncate(shifted(), [], k1=1)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    kind, message, call = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert isinstance(caught.value, TinygraphError)
