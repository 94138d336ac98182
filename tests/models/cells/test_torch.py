"""The cells that PyTorch has too, with PyTorch's weights: values and gradients over 100 steps, in float64.

PyTorch stacks the weights of the gates in rows (LSTM: i, f, g, o; GRU: r, z, n) and has two biases.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close

import tinygraph as tg
from tinygraph import models

torch = pytest.importorskip("torch")

STEPS, BATCH, WIDTH, HIDDEN = 100, 3, 2, 3
VALUES, GRADIENTS = 1e-12, 1e-10


def rows(matrix: Any, gate: int) -> Any:
    """The rows of one gate."""
    return matrix[gate * HIDDEN : (gate + 1) * HIDDEN]


def from_elman(w: dict[str, Any]) -> dict[str, Any]:
    return {"W": w["ih"], "U": w["hh"], "b": w["b_ih"] + w["b_hh"]}


def from_lstm(w: dict[str, Any]) -> dict[str, Any]:
    both = w["b_ih"] + w["b_hh"]
    gates = enumerate("ifgo")
    return {f"{n}_{k}": rows(m, at) for at, k in gates for n, m in (("W", w["ih"]), ("U", w["hh"]), ("b", both))}


def from_gru(w: dict[str, Any]) -> dict[str, Any]:
    """The bias inside the reset, b_hn, stays apart: it is b_U."""
    both = w["b_ih"] + w["b_hh"]
    gates = enumerate("rz")
    found = {f"{n}_{k}": rows(m, at) for at, k in gates for n, m in (("W", w["ih"]), ("U", w["hh"]), ("b", both))}
    candidate = {"W": rows(w["ih"], 2), "U": rows(w["hh"], 2), "b": rows(w["b_ih"], 2), "b_U": rows(w["b_hh"], 2)}
    return found | candidate


# torch's module, and how its weights become ours.
MODULES = {"elman": ("RNN", from_elman), "lstm": ("LSTM", from_lstm), "gru_reset_after": ("GRU", from_gru)}


def torch_weights(module: Any, layer: int, gradient: bool = False) -> dict[str, Any]:
    """The weights of one layer, or their gradients, under short names."""
    names = {"ih": "weight_ih", "hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
    tensors = {key: getattr(module, f"{name}_l{layer}") for key, name in names.items()}
    return {key: (t.grad if gradient else t.detach()).numpy() for key, t in tensors.items()}


@pytest.fixture(params=[1, 2], ids=["1 layer", "2 layers"])
def layers(request):
    return request.param


@pytest.mark.parametrize("name", MODULES)
def test_against_torch(name, layers):
    """Outputs at all steps, final states, and gradients by weights and inputs of a random projection."""
    kind, convert = MODULES[name]
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(WIDTH, HIDDEN, num_layers=layers, dtype=torch.float64)
    rng = np.random.default_rng(0)
    x, projection = rng.standard_normal((STEPS, BATCH, WIDTH)), rng.standard_normal((STEPS, BATCH, HIDDEN))

    fed = torch.tensor(x, requires_grad=True)
    output, final = module(fed)
    torch.sum(output * torch.tensor(projection)).backward()

    net = models.stack(models.CELLS[name], STEPS, layers=layers, I=WIDTH, H=HIDDEN)
    feeds = {f"layer{k + 1}/{n}": v for k in range(layers) for n, v in convert(torch_weights(module, k)).items()}
    feeds |= {"layer1/x": x, "p": projection}
    p = net.graph.sequence("p", STEPS, (HIDDEN,))
    loss = tg.add([tg.sum(p[t] * h) for t, h in net.output.items()])
    states = {s: [layer.series[s].last for layer in net.layers] for s in models.CELLS[name].states}
    wanted = [net.output, states, tg.grad(loss, net.parameters), tg.grad(loss, net.x)]
    outputs, last, by_weight, by_input = tg.evaluate(wanted, feeds)

    assert_close(np.stack(list(outputs.values())), output.detach().numpy(), VALUES)
    for state, tensor in zip(states, final if name == "lstm" else [final], strict=True):
        assert_close(np.stack(last[state]), tensor.detach().numpy(), VALUES, what=state)
    assert_close(np.stack(list(by_input.values())), fed.grad.numpy(), GRADIENTS)
    for k in range(layers):
        for n, expected in gradient_in_our_names(name, torch_weights(module, k, gradient=True)).items():
            assert_close(by_weight[f"layer{k + 1}/{n}"], expected, GRADIENTS, what=f"layer {k + 1}: {n}")


def gradient_in_our_names(name: str, w: dict[str, Any]) -> dict[str, Any]:
    """torch's gradients under our names. Two biases that are added have equal gradients, each that of the sum."""
    separate = {"gru_reset_after": slice(0, 2 * HIDDEN)}.get(name, slice(None))
    np.testing.assert_allclose(w["b_ih"][separate], w["b_hh"][separate], rtol=1e-12, atol=1e-12)
    halved = MODULES[name][1]({**w, "b_ih": w["b_ih"] / 2, "b_hh": w["b_hh"] / 2})
    whole = MODULES[name][1](w)
    return {n: whole[n] if name == "gru_reset_after" and n in ("b", "b_U") else halved[n] for n in whole}


def test_gru_against_a_loop_in_torch():
    """torch has no GRU that resets before the product: its autograd differentiates a loop written by hand."""
    net = tg.unroll(models.gru, STEPS, I=WIDTH, H=HIDDEN)
    rng = np.random.default_rng(1)
    feeds = {n: 0.7 * rng.standard_normal(p.shape) for n, p in net.parameters.items()}
    x, projection = rng.standard_normal((STEPS, BATCH, WIDTH)), rng.standard_normal((STEPS, BATCH, HIDDEN))
    w = {n: torch.tensor(v, requires_grad=True) for n, v in feeds.items()}
    h, outputs = torch.zeros(BATCH, HIDDEN, dtype=torch.float64), []
    for x_t in torch.tensor(x):
        r = torch.sigmoid(x_t @ w["W_r"].T + h @ w["U_r"].T + w["b_r"])
        z = torch.sigmoid(x_t @ w["W_z"].T + h @ w["U_z"].T + w["b_z"])
        h = z * h + (1 - z) * torch.tanh(x_t @ w["W"].T + (r * h) @ w["U"].T + w["b"])
        outputs.append(h)
    torch.sum(torch.stack(outputs) * torch.tensor(projection)).backward()

    p = net.graph.sequence("p", STEPS, (HIDDEN,))
    loss = tg.add([tg.sum(p[t] * h) for t, h in net.output.items()])
    found, gradients = tg.evaluate([net.output, tg.grad(loss, net.parameters)], feeds | {"x": x, "p": projection})
    assert_close(np.stack(list(found.values())), torch.stack(outputs).detach().numpy(), VALUES)
    for n, gradient in gradients.items():
        assert_close(gradient, w[n].grad.numpy(), GRADIENTS, what=n)
