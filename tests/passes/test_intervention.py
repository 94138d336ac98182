"""Interventions: the changed net against the same equations written out, its gradient against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tests.helpers.compare import assert_close
from tests.helpers.networks import Network
from tinygraph import models
from tinygraph.errors import KindError, NameTakenError, ShapeError, TinygraphError, UnknownNameError, UsageError
from tinygraph.graph import Node, cone
from tinygraph.models import CELLS

T, B, WIDTH, H = 4, 3, 2, 3


def lstm_by_hand(values: Any, x: Any, f: Any = None) -> Any:
    """sum of h_T^2 over the units, in NumPy; f(t, computed) replaces the forget gate."""

    def gate(name: str) -> Any:
        return x[t] @ values[f"W_{name}"].T + h @ values[f"U_{name}"].T + values[f"b_{name}"]

    def squash(a: Any) -> Any:
        return 1 / (1 + np.exp(-a))

    h = c = np.zeros((*x.shape[1:-1], H))
    for t in range(len(x)):
        forget = squash(gate("f"))
        forget = forget if f is None else f(t + 1, forget)
        c = forget * c + squash(gate("i")) * np.tanh(gate("g"))
        h = squash(gate("o")) * np.tanh(c)
    return np.sum(h**2, axis=-1)


class Lstm:
    """An LSTM with a loss at its last step, and feeds."""

    def __init__(self, batch: int | None = B) -> None:
        self.net = tg.unroll(models.lstm, T, I=WIDTH, H=H)
        self.loss = tg.sum(self.net.h[T] ** 2)
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((T, WIDTH) if batch is None else (T, batch, WIDTH))
        self.values = {name: rng.standard_normal(v.shape) for name, v in self.net.initial().items()}
        self.feeds = self.values | {"x": self.x}

    def recorded(self, label: str) -> Any:
        return np.stack(tg.evaluate(list(self.net.series[label].values()), self.feeds))


def gradient(after: Any, feeds: Any) -> dict[str, Any]:
    return tg.evaluate(tg.grad(after.roots, after.graph.parameters), feeds)


# Values
VALUES = {
    "clamped at 1": (1, lambda t, f: np.ones_like(f)),
    "clamped at a vector": (np.array([0.0, 0.5, 1.0]), lambda t, f: f * 0 + np.array([0.0, 0.5, 1.0])),
    "at one step": ({3: 0.25}, lambda t, f: np.full_like(f, 0.25) if t == 3 else f),
    "halved": (lambda f: 0.5 * f, lambda t, f: f / 2),
    "a number of the tape": (lambda f: f.graph.constant("", 0.5), lambda t, f: np.full_like(f, 0.5)),
}


@pytest.mark.parametrize("batch", [None, B])
@pytest.mark.parametrize("name", VALUES)
def test_against_the_equations(name, batch):
    change, by_hand = VALUES[name]
    lstm = Lstm(batch)
    after = tg.intervene(lstm.loss, {"f": change})
    tg.validate(after.graph)
    expected = lstm_by_hand(lstm.values, lstm.x, by_hand)
    assert_close(tg.evaluate(after.roots, lstm.feeds), expected, 1e-13)
    assert np.max(np.abs(expected - lstm_by_hand(lstm.values, lstm.x))) > 1e-3, "the change matters"
    assert (after.roots.shape, after.roots.batched) == (lstm.loss.shape, lstm.loss.batched)


@pytest.mark.parametrize("name", VALUES)
def test_the_gradient_follows(name):
    """Central differences of the equations written out with the change."""
    change, by_hand = VALUES[name]
    lstm = Lstm()
    found = gradient(tg.intervene(lstm.loss, {"f": change}), lstm.feeds)
    rng = np.random.default_rng(1)
    direction = {n: rng.standard_normal(v.shape) for n, v in lstm.values.items()}

    def at(step: float) -> float:
        moved = {n: v + step * direction[n] for n, v in lstm.values.items()}
        return float(np.sum(lstm_by_hand(moved, lstm.x, by_hand)))

    expected = (at(1e-5) - at(-1e-5)) / 2e-5
    assert_close(sum(float(np.sum(found[n] * d)) for n, d in direction.items()), expected, 1e-8)


def test_a_clamped_gate_learns_nothing():
    lstm = Lstm()
    found = gradient(tg.intervene(lstm.loss, {"f": 1}), lstm.feeds)
    for name, value in found.items():
        assert (np.max(np.abs(value)) == 0) == (name in ("W_f", "U_f", "b_f"))


def test_frozen_at_recorded_values():
    """The same loss, and the gradient of a gate that is a constant: as if it stood behind a stop."""
    lstm = Lstm()
    after, stopped = tg.intervene(lstm.loss, {"f": "recorded"}), tg.intervene(lstm.loss, {"f": tg.stop_gradient})
    feeds = lstm.feeds | {"recorded/f": lstm.recorded("f")}
    assert_close(tg.evaluate(after.roots, feeds), tg.evaluate(lstm.loss, lstm.feeds), 1e-14)
    expected = gradient(stopped, lstm.feeds)
    for name, value in gradient(after, feeds).items():
        assert_close(value, expected[name], 1e-14, what=name)
    full = tg.evaluate(tg.grad(lstm.loss, lstm.net.parameters), lstm.feeds)
    assert np.max(np.abs(full["U_i"] - expected["U_i"])) > 1e-3
    moved = feeds | {"W_f": feeds["W_f"] + 1}
    assert_close(tg.evaluate(after.roots, moved), tg.evaluate(after.roots, feeds), 0)


def test_a_scaled_parameter():
    """U -> U / 2: the value at half the weight, and half its gradient there."""
    lstm = Lstm()
    after = tg.intervene(lstm.loss, {"U_g": lambda U: U / 2})
    assert [node.op.name for node in after.graph].count("div") == 1, "made once, for all its uses"
    half = lstm.feeds | {"U_g": lstm.feeds["U_g"] / 2}
    assert_close(tg.evaluate(after.roots, lstm.feeds), tg.evaluate(lstm.loss, half), 1e-14)
    expected = tg.evaluate(tg.grad(lstm.loss, lstm.net.parameters), half)
    for name, value in gradient(after, lstm.feeds).items():
        assert_close(value, expected[name] / (2 if name == "U_g" else 1), 1e-13, what=name)


def test_a_parameter_that_is_named_like_a_state():
    """A readout's bias c beside the LSTM's state c: the label means the state; the parameter is given as a node."""
    net = tg.unroll(models.lstm, T, I=WIDTH, H=H)
    loss = tg.sum(models.readout(net, 2)[T] ** 2)
    bias = net.parameters["c"] if net.parameters["c"].op.name == "parameter" else net.graph.parameters["c"]
    feeds = net.initial(seed=0) | {"x": np.random.default_rng(0).standard_normal((T, B, WIDTH)), "c": np.ones(2)}
    forgotten, unbiased = tg.intervene(loss, {"c": 0}), tg.intervene(loss, {bias: 0})
    assert_close(tg.evaluate(forgotten.roots, feeds), np.full(B, 2.0), 1e-14)
    assert_close(tg.evaluate(unbiased.roots, feeds), tg.evaluate(loss, feeds | {"c": np.zeros(2)}), 1e-14)


def test_an_input_and_a_state():
    lstm = Lstm()
    silent = tg.intervene(lstm.loss, {"x": {2: 0, 3: 0}})
    x = lstm.x.copy()
    x[1:3] = 0
    assert_close(tg.evaluate(silent.roots, lstm.feeds), lstm_by_hand(lstm.values, x), 1e-13)
    forgotten = tg.intervene(lstm.loss, {"h": {3: 0}, "c": {3: 0}})
    assert_close(tg.evaluate(forgotten.roots, lstm.feeds), lstm_by_hand(lstm.values, lstm.x[3:]), 1e-13)


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_no_change_is_no_change(cell):
    """And each label of each cell can be frozen at its recorded values."""
    net = Network(cell, 3)
    feeds = net.feeds(0, B)
    expected = tg.evaluate(net.loss, feeds)
    assert_close(tg.evaluate(tg.intervene(net.loss, {}).roots, feeds), expected, 0)
    used = {node.label for node in cone([net.loss])}
    for label, steps in net.layers[0].series.items():
        nodes = [node for t, node in steps.items() if t > 0 and not node.op.leaf]
        if nodes and label in used and label not in net.graph.inputs:
            after = tg.intervene(net.loss, {label: "recorded"}) if nodes[-1] in cone([net.loss]) else None
            if after:
                values = feeds | {f"recorded/{label}": np.stack(tg.evaluate(nodes, feeds))}
                assert_close(tg.evaluate(after.roots, values), expected, 1e-14, what=label)


def test_layers_by_scope():
    net = models.stack(models.gru, T, layers=2, I=WIDTH, H=H)
    loss = tg.sum(net.output[T] ** 2)
    feeds = net.initial(seed=0) | {"layer1/x": np.random.default_rng(0).standard_normal((T, B, WIDTH))}
    one, both = (tg.intervene(loss, {name: 0}) for name in ("layer2/z", "z"))
    assert np.max(np.abs(gradient(one, feeds)["layer1/U_z"])) > 0
    assert np.max(np.abs(gradient(one, feeds)["layer2/U_z"])) == 0
    assert np.max(np.abs(gradient(both, feeds)["layer1/U_z"])) == 0
    fed = tg.intervene(loss, {"layer2/z": "recorded"})
    recorded = np.stack(tg.evaluate(list(net.layers[1].z.values()), feeds))
    assert_close(tg.evaluate(fed.roots, feeds | {"recorded/layer2/z": recorded}), tg.evaluate(loss, feeds), 1e-14)


# The tape
def test_labels_and_names_stay():
    lstm = Lstm()
    before = [(node, node.where) for node in lstm.net.graph]
    for change in (1, "recorded", {2: 0.5}, lambda f: f.graph.number(1)):
        after = tg.intervene({"a": [lstm.loss], "f": lstm.net.f}, {"f": change})
        assert [after.roots["f"][t].name for t in range(1, T + 1)] == [f"f_{t}" for t in range(1, T + 1)]
        assert all(node.shape == (H,) and node.batched and not node.op.leaf for node in after.roots["f"].values())
        assert set(lstm.net.graph.parameters) == set(after.graph.parameters)
        assert after.of(lstm.net.c[2]).name == "c_2"
        tg.validate(after.graph)
    assert [(node, node.where) for node in lstm.net.graph] == before


def test_an_intervention_can_follow_another():
    lstm = Lstm()
    first = tg.intervene(lstm.loss, {"f": 1})
    both = tg.intervene(first.roots, {"i": 1})
    at_once = tg.intervene(lstm.loss, {"f": 1, "i": 1})
    assert_close(tg.evaluate(both.roots, lstm.feeds), tg.evaluate(at_once.roots, lstm.feeds), 0)


# Bad input
def call(change: Any, name: str = "f", roots: Any = None) -> Any:
    return tg.intervene(Lstm().loss if roots is None else roots, {name: change})


def from_another_tape(f: Node) -> Node:
    return tg.Graph().constant("k", 1.0)


def scoped() -> Any:
    return tg.sum(models.stack(models.gru, T, layers=2, I=WIDTH, H=H).output[T])


def gradients() -> Any:
    lstm = Lstm()
    return tg.grad(lstm.loss, lstm.net.parameters)


BAD = {
    "an unknown name": (UnknownNameError, "nothing named 'forget'", lambda: call(1, "forget")),
    "a name nearly right": (UnknownNameError, "did you mean 'U_f'", lambda: call(1, "Uf")),
    "a gate that the roots do not need": (UnknownNameError, "named 'i'", lambda: call(1, "i", Lstm().net.f[1])),
    "another word": (UsageError, "number, an array", lambda: call("frozen")),
    "nothing": (UsageError, "number, an array", lambda: call(None)),
    "a step that is not": (UnknownNameError, "no step 5(?s:.*)1, 2, 3, 4", lambda: call({5: 1})),
    "a step of a parameter": (UnknownNameError, "no step 1", lambda: call({1: 1}, "U_f")),
    "a wrong shape": (ShapeError, "replacement of 'f'(?s:.*)f_1", lambda: call(np.ones(H + 1))),
    "a function of a wrong shape": (ShapeError, "replacement of 'f'", lambda: call(lambda f: tg.stack([f, f]))),
    "a function of nothing": (UsageError, "did not give a node", lambda: call(lambda f: 1.0)),
    "another tape": (UsageError, "did not give a node", lambda: call(from_another_tape)),
    "another kind": (KindError, "f_1(?s:.*)boolean|'f' is real", lambda: call(lambda f: f > 0)),
    "recorded twice": (NameTakenError, "'recorded/f' already", lambda: call("recorded", "f", call("recorded").roots)),
    "a node recorded": (UsageError, "for a label", lambda: (lambda n: tg.intervene(n, {n: "recorded"}))(Lstm().loss)),
    "a label of two layers": (UsageError, "name its scope", lambda: call("recorded", "z", scoped())),
    "after the gradient": (UsageError, "before the gradient", lambda: call(1, "f", gradients())),
    "a list of changes": (UsageError, "dict from label", lambda: tg.intervene(Lstm().loss, ["f"])),
    "no roots": (UsageError, "needs a node", lambda: tg.intervene([], {"f": 1})),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    kind, message, act = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        act()
    assert isinstance(caught.value, TinygraphError)


def test_two_names_of_one_value():
    net = models.stack(models.gru, T, layers=2, I=WIDTH, H=H)
    with pytest.raises(UsageError, match="both this value"):
        tg.intervene(tg.sum(net.output[T]), {"z": 1, "layer1/z": 0})
