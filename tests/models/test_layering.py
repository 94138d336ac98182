"""Layers within one step against the stack of the same layers, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close
from helpers.zoo import few

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import CellError, ShapeError, UsageError
from tinygraph.models.language import reads_symbols
from tinygraph.symbolic.steps import cell_text

STEPS = 4
DEEP = [name for name, cell in models.CELLS.items() if reads_symbols(cell) and not cell.children]


def own_name(name: str) -> str:
    """`layer2/W` of a stack is `W2` of the deep cell."""
    layer, _, rest = name.partition("/")
    return f"{rest}{layer.removeprefix('layer')}"


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("name", few(DEEP))
def test_a_deep_cell_is_a_stack(name, mask):
    """Outputs, states of each layer and gradients by all parameters."""
    cell = models.CELLS[name]
    sizes = dict.fromkeys(cell.sizes, 3)
    stacked = models.stack(cell, STEPS, layers=3, mask=mask, sizes=sizes)
    deep = tg.unroll(models.layered(cell, 3), STEPS, mask=mask, sizes=sizes)
    feeds = random_feeds(stacked.graph)
    (x,) = cell.inputs
    ours = {own_name(n): feeds[n] for n in stacked.graph.parameters} | {x: feeds[f"layer1/{x}"]}
    ours |= {"mask": feeds["mask"]} if mask else {}
    for k, layer in enumerate(stacked.layers, start=1):
        for state in cell.states:
            expected = tg.evaluate(list(layer.series[state].values()), feeds)
            found = tg.evaluate(list(deep.series[f"{state}{k}"].values()), ours)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    losses = [tg.sum(net.output[STEPS] ** 2) for net in (stacked, deep)]
    expected = tg.evaluate(tg.grad(losses[0], stacked.graph.parameters), feeds)
    found = tg.evaluate(tg.grad(losses[1], deep.graph.parameters), ours)
    assert set(found) == {own_name(n) for n in expected}
    for n, gradient in expected.items():
        assert_close(found[own_name(n)], gradient, 1e-13, what=n)
    tg.validate(deep.graph)


def test_one_layer_is_the_cell_itself():
    assert models.layered(models.gru, 1) is models.gru


@pytest.mark.parametrize("skips", [False, True])
def test_in_plain_numpy(skips):
    """Each layer reads the one below; with skips it reads [below; x], and all layers are the output."""
    net = tg.unroll(models.layered(models.elman, 3, skips=skips), STEPS, I=2, H=3)
    feeds = p = random_feeds(net.graph)
    found = tg.evaluate(net.output, feeds)
    for b in range(3):
        h = [np.zeros(3)] * 3
        for t in range(STEPS):
            x = read = feeds["x"][t, b]
            for k in range(3):
                h[k] = np.tanh(p[f"W{k + 1}"] @ read + p[f"U{k + 1}"] @ h[k] + p[f"b{k + 1}"])
                read = np.concatenate([h[k], x]) if skips else h[k]
            assert_close(found[t + 1][b], np.concatenate(h) if skips else h[-1], 1e-13)
    assert net.cell.output == ("said" if skips else "h3")
    assert viz.draw(net).nodes > 0


def test_gates_of_one_name_in_several_layers_are_told_apart():
    """In the text of the equations as in LaTeX: by the layer."""
    text = cell_text(models.layered(models.gru, 2))
    assert len(text.splitlines()) == len({line.split("=")[0] for line in text.splitlines()}) == 8
    assert "layer1/z[t]" in text
    assert "layer2/z[t] * h2[t-1]" in text


def test_a_deep_cell_is_a_cell():
    """It is drawn, printed, stepped online and taken in both directions like any other."""
    deep = models.layered(models.lstm, 2)
    assert list(deep.states) == ["h1", "c1", "h2", "c2"]
    assert (deep.output, deep.sizes) == ("h2", ["I", "H"])
    assert deep.summary == "2 layers: long short-term memory with a forget gate, whose bias starts at 1."
    net = models.bidirectional(deep, 3, I=2, H=3)
    assert net.output[1].shape == (6,)
    assert viz.draw(net).nodes > 0
    assert r"\mathrm{h2}_{t}" in tg.latex(deep)
    one = tg.unroll(deep, 3, I=2, H=3)
    feeds = random_feeds(one.graph, batch=None)
    online, state = models.Online(one, feeds), None
    for t in range(3):
        output, state = online.step(feeds["x"][t], state)
    np.testing.assert_allclose(output, tg.evaluate(one.output[3], feeds), rtol=1e-13)


def test_bad_inputs():
    with pytest.raises(UsageError, match="at least one layer"):
        models.layered(models.gru, 0)
    with pytest.raises(ShapeError, match="whole number"):
        models.layered(models.gru, 1.5)
    with pytest.raises(UsageError, match="recursive"):
        models.layered(models.recursive, 2)
    with pytest.raises(UsageError, match="such as"):
        models.layered("gru", 2)

    @tg.cell
    def numbered(x: tg.Input["I"], h: tg.State["H"], h1: tg.State["H"], W: tg.Param["H I"]):
        """States h and h1: two of these layers would have h11 twice."""
        return tg.tanh(W @ x) + h, h1

    with pytest.raises(CellError, match="two arguments"):
        models.layered(numbered, 11)

    @tg.cell
    def paired(x: tg.Input["2*I"], h: tg.State["H"], W: tg.Param["H 2*I"]):
        """Reads an even number of entries."""
        return tg.tanh(W @ x) + h

    with pytest.raises(UsageError, match="cannot read the one below"):
        models.layered(paired, 2)


def test_deep_both_ways_against_torch():
    """Two layers, each reading both directions of the one below, in float64 with torch's weights."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.LSTM(2, 3, num_layers=2, bidirectional=True, dtype=torch.float64)
    rng = np.random.default_rng(0)
    x, projection = rng.standard_normal((7, 3, 2)), rng.standard_normal((7, 3, 6))
    fed = torch.tensor(x, requires_grad=True)
    output, _ = module(fed)
    (output * torch.tensor(projection)).sum().backward()

    lower = models.bidirectional(models.lstm, 7, I=2, H=3, scope="layer1")
    net = models.bidirectional(models.lstm, 7, inputs={"x": lower.output}, H=3, scope="layer2")
    p = net.graph.sequence("p", 7, (6,))
    loss = tg.sum_batch(tg.add([tg.sum(p[t] * h) for t, h in net.output.items()]))
    feeds = {"layer1/forward/x": x, "p": projection}
    for layer in (0, 1):
        for way, suffix in (("forward", ""), ("backward", "_reverse")):
            get = lambda kind, end=f"_l{layer}{suffix}": getattr(module, kind + end).detach().numpy()  # noqa: E731
            bias = get("bias_ih") + get("bias_hh")
            for at, gate in enumerate("ifgo"):
                rows, front = slice(3 * at, 3 * at + 3), f"layer{layer + 1}/{way}"
                feeds[f"{front}/W_{gate}"] = get("weight_ih")[rows]
                feeds[f"{front}/U_{gate}"] = get("weight_hh")[rows]
                feeds[f"{front}/b_{gate}"] = bias[rows]
    found, gradient = tg.evaluate([list(net.output.values()), tg.grad(loss, lower.x)], feeds)
    assert_close(np.stack(found), output.detach().numpy(), 1e-12)
    assert_close(np.stack(list(gradient.values())), fed.grad.numpy(), 1e-10)
