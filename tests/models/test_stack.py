"""Stacks against layers put together by hand, and against plain NumPy."""

import numpy as np
import pytest
from graph.samples import BATCH, SIZE, STEPS, random_feeds

import tinygraph as tg
from tinygraph import models

LENGTHS = np.arange(STEPS)[:, None] < np.array([3, 1, 2])


def by_hand(lower, upper, **options):
    """Two layers on one tape, the upper one reading the output of the lower."""
    first = tg.unroll(lower, STEPS, scope="layer1", sizes=dict.fromkeys(lower.sizes, SIZE), **options)
    below = {next(iter(upper.inputs)): first.output}
    mask = {"mask": first.mask} if options.get("mask") else {}
    rest = {key: value for key, value in options.items() if key != "mask"}
    second = tg.unroll(upper, STEPS, scope="layer2", inputs=below, sizes={"H": SIZE}, **rest, **mask)
    return first, second


@pytest.mark.parametrize("options", [{}, {"mask": True}, {"initial": "learned"}, {"initial": "fed"}], ids=str)
@pytest.mark.parametrize("names", [("elman", "elman"), ("lstm", "gru"), ("gru", "lstm")], ids="-".join)
def test_a_stack_is_two_cells_by_hand(names, options):
    cells = [models.CELLS[name] for name in names]
    stacked = models.stack(cells, STEPS, I=SIZE, H=SIZE, **options)
    first, second = by_hand(*cells, **options)
    assert set(stacked.graph.parameters) == set(first.graph.parameters)
    feeds = random_feeds(stacked.graph)
    theirs = {("layer1/mask" if name == "mask" else name): value for name, value in feeds.items()}
    for t in range(1, STEPS + 1):
        np.testing.assert_array_equal(tg.evaluate(stacked.output[t], feeds), tg.evaluate(second.output[t], theirs))
        np.testing.assert_array_equal(
            tg.evaluate(stacked.layers[0].h[t], feeds), tg.evaluate(first.h[t], theirs)
        )  # fmt: skip


@pytest.mark.parametrize("layers", [2, 3])
def test_a_stack_in_plain_numpy(layers):
    """h^k_t = tanh(W^k h^{k-1}_t + U^k h^k_{t-1} + b^k) with h^0_t = x_t; different sizes in and out."""
    net = models.stack(models.elman, 4, layers=layers, I=2, H=5)
    p = feeds = random_feeds(net.graph, batch=None)
    h = [np.zeros(5)] * layers
    for x in feeds["layer1/x"]:
        below = x
        for k in range(layers):
            W, U, b = (p[f"layer{k + 1}/{name}"] for name in "WUb")
            h[k] = below = np.tanh(W @ below + U @ h[k] + b)
    np.testing.assert_allclose(tg.evaluate(net.output[4], feeds), h[-1], rtol=1e-13)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_number_of_layers(layers):
    net = models.stack(models.lstm, 2, layers=layers, I=2, H=3)
    assert len(net.layers) == layers
    assert [layer.scope for layer in net.layers] == [f"layer{k + 1}" for k in range(layers)]
    assert len(net.parameters) == 12 * layers
    assert set(net.parameters) == set(net.graph.parameters)
    assert {layer.graph for layer in net.layers} == {net.graph}


def test_layers_have_parameters_of_their_own():
    net = models.stack(models.elman, 2, layers=2, I=3, H=3)
    values = net.initial(seed=0)
    assert not np.allclose(values["layer1/U"], values["layer2/U"])


def test_one_mask_for_all_layers():
    """Beyond its end a sequence repeats its last state, in every layer."""
    net = models.stack(models.gru, STEPS, layers=3, I=2, H=SIZE, mask=True)
    feeds = random_feeds(net.graph) | {"mask": LENGTHS}
    assert [layer.mask for layer in net.layers] == [net.mask] * 3
    for layer in net.layers:
        h = np.array(tg.evaluate([layer.h[t] for t in (1, 2, 3)], feeds))
        for b, end in enumerate((3, 1, 2)):
            for t in range(end, STEPS):
                np.testing.assert_array_equal(h[t, b], h[end - 1, b])


def test_shared_parameters():
    """Two stacks on one tape with the same parameters, such as two towers."""
    one = models.stack(models.elman, 2, layers=2, I=2, H=3)
    inputs = {"x": one.graph.sequence("other", 2, (2,))}
    two = models.stack(models.elman, 2, layers=2, H=3, inputs=inputs, parameters=one.parameters)
    assert two.graph is one.graph
    assert two.parameters == one.parameters
    feeds = random_feeds(one.graph)
    feeds["other"] = feeds[next(name for name in one.graph.inputs if name != "other")]
    np.testing.assert_array_equal(*tg.evaluate([one.output[2], two.output[2]], feeds))


def test_a_stack_on_a_given_tape():
    """Also on one that is still empty."""
    graph = tg.Graph()
    assert models.stack(models.elman, 2, graph=graph, I=1, H=1).graph is graph
    x = {"x": graph.sequence("x", 2, (1,))}
    other = tg.Graph()
    y = {"x": other.sequence("x", 2, (4,))}
    assert models.stack(models.elman, 2, inputs=y, H=1).graph is other
    assert len(x["x"]) == 2


def test_the_gradient_reaches_every_layer():
    net = models.stack(models.lstm, STEPS, layers=3, I=2, H=SIZE)
    gradients = tg.grad(tg.sum(net.output[STEPS]), net.parameters)
    for name, value in tg.evaluate(gradients, random_feeds(net.graph)).items():
        assert np.any(value != 0), name


def test_a_stack_of_cells_of_different_sizes():
    """A size that only one of the cells has."""

    @tg.cell
    def narrowing(x: tg.Input["H"], s: tg.State["K"], W: tg.Param["K H"], U: tg.Param["K K"]):
        """An Elman cell with names of its own."""
        return tg.tanh(W @ x + U @ s)

    net = models.stack([models.elman, narrowing], 2, I=2, H=4, K=3)
    assert net.output[2].shape == (3,)
    assert tg.evaluate(net.output[2], random_feeds(net.graph)).shape == (BATCH, 3)
