"""Two conventions compute one function: values and gradients agree after the conversion, and it can be undone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import ShapeError, UnknownNameError
from tinygraph.models import conversions
from tinygraph.models.conversions import TORCH_GATES, flip_update_gate, from_torch, fuse, separate, to_torch

STEPS, BATCH, WIDTH, HIDDEN = 7, 3, 2, 4
SAME = 1e-13


def random_values(cell: tg.Cell, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {n: rng.standard_normal(p.dims.shape({"I": WIDTH, "H": HIDDEN})) for n, p in cell.parameters.items()}


def run(cell: tg.Cell, values: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The outputs over random inputs, and the gradient of a random projection of them."""
    net = tg.unroll(cell, STEPS, I=WIDTH, H=HIDDEN)
    rng = np.random.default_rng(1)
    p = net.graph.sequence("p", STEPS, (HIDDEN,))
    loss = tg.add([tg.sum(p[t] * h) for t, h in net.output.items()])
    feeds = {"x": rng.standard_normal((STEPS, BATCH, WIDTH)), "p": rng.standard_normal((STEPS, BATCH, HIDDEN))}
    outputs, gradients = tg.evaluate([net.output, tg.grad(loss, net.parameters)], values | feeds)
    return np.stack(list(outputs.values())), gradients


def assert_equal_dicts(found: dict[str, Any], expected: dict[str, Any], tolerance: float = 0) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert_close(found[name], value, tolerance, what=name)


def test_the_update_gate_flipped():
    """gru under z -> 1 - z is gru_new; gradients are converted as parameters are, since the map is linear."""
    values = random_values(models.gru)
    outputs, gradients = run(models.gru, values)
    new_outputs, new_gradients = run(models.CELLS["gru_new"], flip_update_gate(values))
    assert_close(new_outputs, outputs, SAME)
    assert_equal_dicts(flip_update_gate(new_gradients), gradients, SAME)
    assert_equal_dicts(flip_update_gate(flip_update_gate(values)), values)
    unflipped, _ = run(models.CELLS["gru_new"], values)
    assert np.max(np.abs(unflipped - outputs)) > 1e-3


def test_fused_and_separate_matrices():
    values = random_values(models.elman)
    outputs, gradients = run(models.elman, values)
    fused = fuse(values)
    assert {name: value.shape for name, value in fused.items()} == {"W": (HIDDEN, HIDDEN + WIDTH), "b": (HIDDEN,)}
    fused_outputs, fused_gradients = run(models.CELLS["elman_fused"], fused)
    assert_close(fused_outputs, outputs, SAME)
    assert_equal_dicts(separate(fused_gradients, HIDDEN), gradients, SAME)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru", "lstm_peephole"])
def test_separating_undoes_fusing(name):
    values = random_values(models.CELLS[name])
    assert_equal_dicts(separate(fuse(values), HIDDEN), values)


# torch
def by_torchs_equations(cell: str, w: dict[str, Any], x: Any) -> Any:
    """The outputs for one example, from the equations in torch's documentation, with its stacked matrices."""

    def sigma(a: Any) -> Any:
        return 1 / (1 + np.exp(-a))

    h, c, found = np.zeros(HIDDEN), np.zeros(HIDDEN), []
    for x_t in x:
        from_x = w["weight_ih_l0"] @ x_t + w["bias_ih_l0"]
        from_h = w["weight_hh_l0"] @ h + w["bias_hh_l0"]
        if cell == "lstm":
            i, f, g, o = np.split(from_x + from_h, 4)
            c = sigma(f) * c + sigma(i) * np.tanh(g)
            h = sigma(o) * np.tanh(c)
        elif cell == "gru_reset_after":
            (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(from_x, 3), np.split(from_h, 3)
            z, n = sigma(x_z + h_z), np.tanh(x_n + sigma(x_r + h_r) * h_n)
            h = (1 - z) * n + z * h
        else:
            a = from_x + from_h
            h = np.tanh(a) if cell == "elman" else np.maximum(a, 0)
        found.append(h)
    return np.array(found)


def torch_shaped(cell: str, seed: int = 2) -> dict[str, Any]:
    rng, rows = np.random.default_rng(seed), len(TORCH_GATES[cell]) * HIDDEN
    shapes = {"weight_ih": (rows, WIDTH), "weight_hh": (rows, HIDDEN), "bias_ih": (rows,), "bias_hh": (rows,)}
    return {f"{name}_l0": 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("cell", TORCH_GATES)
def test_torchs_weights_in_our_cell(cell):
    weights = torch_shaped(cell)
    net = tg.unroll(models.CELLS[cell], STEPS, I=WIDTH, H=HIDDEN)
    x = np.random.default_rng(3).standard_normal((STEPS, WIDTH))
    found = tg.evaluate(net.output, from_torch(cell, weights) | {"x": x})
    assert_close(np.stack(list(found.values())), by_torchs_equations(cell, weights, x), SAME)


@pytest.mark.parametrize("cell", TORCH_GATES)
def test_our_weights_in_torchs_equations(cell):
    values = random_values(models.CELLS[cell])
    net = tg.unroll(models.CELLS[cell], STEPS, I=WIDTH, H=HIDDEN)
    x = np.random.default_rng(3).standard_normal((STEPS, WIDTH))
    found = tg.evaluate(net.output, values | {"x": x})
    assert_close(by_torchs_equations(cell, to_torch(cell, values), x), np.stack(list(found.values())), SAME)
    assert_equal_dicts(from_torch(cell, to_torch(cell, values)), values)


@pytest.mark.parametrize("cell", TORCH_GATES)
def test_two_biases_are_one(cell):
    """Moved from one to the other nothing changes, but for the bias inside the reset; without any they are zero."""
    weights = torch_shaped(cell)
    moved = weights | {"bias_ih_l0": weights["bias_ih_l0"] + 1, "bias_hh_l0": weights["bias_hh_l0"] - 1}
    ours, theirs = from_torch(cell, weights), from_torch(cell, moved)
    changed = {name for name in ours if not np.allclose(ours[name], theirs[name])}
    assert changed == ({"b", "b_U"} if cell == "gru_reset_after" else set())
    bare = from_torch(cell, {name: value for name, value in weights.items() if "bias" not in name})
    assert all(not np.any(value) for name, value in bare.items() if name.startswith("b"))


@pytest.mark.parametrize("cell", TORCH_GATES)
def test_against_torch(cell):
    """torch itself, its own weights into ours and ours into its module."""
    torch = pytest.importorskip("torch")
    kinds = {"elman": ("RNN", {}), "elman_relu": ("RNN", {"nonlinearity": "relu"}), "lstm": ("LSTM", {})}
    kind, options = kinds.get(cell, ("GRU", {}))
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(WIDTH, HIDDEN, num_layers=2, dtype=torch.float64, **options)
    x = np.random.default_rng(4).standard_normal((STEPS, BATCH, WIDTH))
    net = models.stack(models.CELLS[cell], STEPS, layers=2, I=WIDTH, H=HIDDEN)

    def both(weights: Any) -> tuple[Any, Any]:
        values = {f"layer{k + 1}/{n}": v for k in (0, 1) for n, v in from_torch(cell, weights, k).items()}
        found = tg.evaluate(net.output, values | {"layer1/x": x})
        return np.stack(list(found.values())), module(torch.tensor(x))[0].detach().numpy()

    assert_close(*both({name: value.numpy() for name, value in module.state_dict().items()}), 1e-12)
    values = [random_values(models.CELLS[cell], 5), _second_layer(cell)]
    ours = {name: value for k in (0, 1) for name, value in to_torch(cell, values[k], k).items()}
    module.load_state_dict({name: torch.tensor(value) for name, value in ours.items()})
    assert_close(*both(ours), 1e-12)


def _second_layer(cell: str) -> dict[str, Any]:
    rng, sizes = np.random.default_rng(6), {"I": HIDDEN, "H": HIDDEN}
    return {n: rng.standard_normal(p.dims.shape(sizes)) for n, p in models.CELLS[cell].parameters.items()}


def test_the_arrays_given_stay_as_they_are():
    weights = torch_shaped("lstm")
    before = {name: value.copy() for name, value in weights.items()}
    for value in from_torch("lstm", weights).values():
        value += 1
    assert_equal_dicts(weights, before)


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (UnknownNameError, "no cell 'gru'.*gru_reset_after", lambda: from_torch("gru", torch_shaped("lstm"))),
        (UnknownNameError, "'weight_ih_l1'", lambda: from_torch("lstm", torch_shaped("lstm"), 1)),
        (UnknownNameError, "'b_o'", lambda: to_torch("lstm", {k: 0 for k in random_values(models.lstm) if k != "b_o"})),
        (UnknownNameError, "'W_z'", lambda: flip_update_gate(random_values(models.elman))),
        (ShapeError, "4 gates", lambda: from_torch("lstm", torch_shaped("lstm") | {"weight_hh_l0": np.ones((8, 4))})),
        (ShapeError, "'?W_i", lambda: separate({"W_i": np.ones((4, 2))}, 4)),
    ],
)  # fmt: skip
def test_wrong_input(error, match, call):
    with pytest.raises(error, match="(?s)" + match):
        call()


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_after"])
def test_another_order_of_gates_would_be_seen(cell, monkeypatch):
    """Square shapes cannot tell the gates apart; the values do."""
    gates = TORCH_GATES[cell]
    monkeypatch.setitem(conversions.TORCH_GATES, cell, (gates[1], gates[0], *gates[2:]))
    with pytest.raises(AssertionError, match="off by"):
        test_torchs_weights_in_our_cell(cell)
