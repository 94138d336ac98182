"""The cells that PyTorch has too, with PyTorch's weights: values and gradients over 100 steps, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close

import tinygraph as tg
from tinygraph import models
from tinygraph.models.conversions import from_torch

torch = pytest.importorskip("torch")

STEPS, BATCH, WIDTH, HIDDEN, SYMBOLS = 100, 3, 2, 3, 7
VALUES, GRADIENTS = 1e-12, 1e-10
MODULES = {"elman": "RNN", "lstm": "LSTM", "gru_reset_after": "GRU"}
WAYS = {"": "forward", "_reverse": "backward"}  # torch's ending of a name, and our scope

each_cell = pytest.mark.parametrize("name", MODULES)


def module_of(name: str, layers: int = 1, **options: Any) -> Any:
    torch.manual_seed(0)
    return getattr(torch.nn, MODULES[name])(WIDTH, HIDDEN, num_layers=layers, dtype=torch.float64, **options)


def weights(module: Any, ending: str = "", gradient: bool = False) -> dict[str, Any]:
    """The weights of one direction, or their gradients, by torch's names."""
    chosen = {n: p for n, p in module.named_parameters() if n.endswith("_reverse") == bool(ending)}
    return {n.removesuffix(ending): (p.grad if gradient else p.detach()).numpy() for n, p in chosen.items()}


def our_gradients(name: str, module: Any, layer: int, ending: str = "") -> dict[str, Any]:
    """torch's gradients under our names. Two biases that are added have equal gradients, each that of the sum."""
    found = weights(module, ending, gradient=True)
    ih, hh = found[f"bias_ih_l{layer}"], found[f"bias_hh_l{layer}"]
    share = np.full(ih.shape, 0.5)
    share[2 * HIDDEN :] = 1 if name == "gru_reset_after" else 0.5  # the GRU's candidate has both
    np.testing.assert_allclose(ih[share < 1], hh[share < 1], rtol=1e-12, atol=1e-12)
    return from_torch(name, found | {f"bias_ih_l{layer}": share * ih, f"bias_hh_l{layer}": share * hh}, layer)


def projected(outputs: tg.Steps, width: int) -> tg.Node:
    """A random projection of all outputs, to be fed "p"."""
    p = outputs.last.graph.sequence("p", len(outputs), (width,))
    return tg.add([tg.sum(p[t] * h) for t, h in outputs.items()])


@pytest.mark.parametrize("layers", [1, 2], ids=["1 layer", "2 layers"])
@each_cell
def test_against_torch(name, layers):
    """Outputs at all steps, final states, and gradients by weights and inputs of a random projection."""
    module, rng = module_of(name, layers), np.random.default_rng(0)
    x, projection = rng.standard_normal((STEPS, BATCH, WIDTH)), rng.standard_normal((STEPS, BATCH, HIDDEN))
    fed = torch.tensor(x, requires_grad=True)
    output, final = module(fed)
    torch.sum(output * torch.tensor(projection)).backward()

    net = models.stack(models.CELLS[name], STEPS, layers=layers, I=WIDTH, H=HIDDEN)
    feeds = {"layer1/x": x, "p": projection}
    for k in range(layers):
        feeds |= {f"layer{k + 1}/{n}": v for n, v in from_torch(name, weights(module), k).items()}
    loss = projected(net.output, HIDDEN)
    states = {s: [layer.series[s].last for layer in net.layers] for s in models.CELLS[name].states}
    wanted = [net.output, states, tg.grad(loss, net.parameters), tg.grad(loss, net.x)]
    outputs, last, by_weight, by_input = tg.evaluate(wanted, feeds)

    assert_close(np.stack(list(outputs.values())), output.detach().numpy(), VALUES)
    for state, tensor in zip(states, final if name == "lstm" else [final], strict=True):
        assert_close(np.stack(last[state]), tensor.detach().numpy(), VALUES, what=state)
    assert_close(np.stack(list(by_input.values())), fed.grad.numpy(), GRADIENTS)
    for k in range(layers):
        for n, expected in our_gradients(name, module, k).items():
            assert_close(by_weight[f"layer{k + 1}/{n}"], expected, GRADIENTS, what=f"layer {k + 1}: {n}")


@each_cell
def test_both_directions_against_torch(name):
    module, rng = module_of(name, bidirectional=True), np.random.default_rng(1)
    x, projection = rng.standard_normal((STEPS, BATCH, WIDTH)), rng.standard_normal((STEPS, BATCH, 2 * HIDDEN))
    fed = torch.tensor(x, requires_grad=True)
    output, _ = module(fed)
    torch.sum(output * torch.tensor(projection)).backward()

    net = models.bidirectional(models.CELLS[name], STEPS, I=WIDTH, H=HIDDEN)
    feeds = {"forward/x": x, "p": projection}
    for ending, way in WAYS.items():
        feeds |= {f"{way}/{n}": v for n, v in from_torch(name, weights(module, ending)).items()}
    loss = projected(net.output, 2 * HIDDEN)
    outputs, by_weight, by_input = tg.evaluate([net.output, tg.grad(loss, net.parameters), tg.grad(loss, net.x)], feeds)
    assert_close(np.stack(list(outputs.values())), output.detach().numpy(), VALUES)
    assert_close(np.stack(list(by_input.values())), fed.grad.numpy(), GRADIENTS)
    for ending, way in WAYS.items():
        for n, expected in our_gradients(name, module, 0, ending).items():
            assert_close(by_weight[f"{way}/{n}"], expected, GRADIENTS, what=f"{way}: {n}")


def test_an_embedding_against_torch():
    """A net over rows of a table: the gradient by the table too, of rows that are read twice and never."""
    torch.manual_seed(0)
    table = torch.nn.Embedding(SYMBOLS, WIDTH, dtype=torch.float64)
    module, rng = module_of("elman"), np.random.default_rng(2)
    symbols, projection = rng.integers(0, SYMBOLS - 1, (5, BATCH)), rng.standard_normal((5, BATCH, HIDDEN))
    output, _ = module(table(torch.tensor(symbols)))
    torch.sum(output * torch.tensor(projection)).backward()

    graph = tg.Graph()
    C = graph.parameter("C", (SYMBOLS, WIDTH))
    vectors = {t: tg.gather(C, s) for t, s in graph.sequence("s", 5, (), kind="integer").items()}
    net = tg.unroll(models.elman, 5, inputs={"x": tg.Steps("x", vectors)}, H=HIDDEN)
    feeds = from_torch("elman", weights(module)) | {"C": table.weight.detach().numpy(), "s": symbols, "p": projection}
    outputs, gradient = tg.evaluate([net.output, tg.grad(projected(net.output, HIDDEN), C)], feeds)
    assert_close(np.stack(list(outputs.values())), output.detach().numpy(), VALUES)
    assert_close(gradient, table.weight.grad.numpy(), GRADIENTS)
    assert not np.any(gradient[SYMBOLS - 1])


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

    loss = projected(net.output, HIDDEN)
    found, gradients = tg.evaluate([net.output, tg.grad(loss, net.parameters)], feeds | {"x": x, "p": projection})
    assert_close(np.stack(list(found.values())), torch.stack(outputs).detach().numpy(), VALUES)
    for n, gradient in gradients.items():
        assert_close(gradient, w[n].grad.numpy(), GRADIENTS, what=n)
