"""Windows over one to three axes: what the rows refuse, and torch's convolution and pooling. Values and derivatives
are tested with all rows of the table."""

from __future__ import annotations

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close

import tinygraph as tg
from tinygraph.errors import ShapeError

LENGTHS, WIDTHS = (5, 6, 7), (2, 3, 4)
each_rank = pytest.mark.parametrize("rank", [1, 2, 3])


def test_a_window_stands_at_length_minus_width_plus_one_places():
    g = tg.Graph()
    x = g.input("x", (1, 10))
    assert tg.patches(x, (3,)).shape == (1, 3, 8)
    assert tg.convolve(x, g.parameter("W", (4, 1, 10))).shape == (4, 1)
    assert tg.max_pool(x, 1).shape == (1, 10)
    assert tg.unpatch(tg.patches(x, (3,)), (3,)).shape == (1, 10)


def test_how_often_each_entry_is_seen():
    """Patches put back where they came from: each entry as often as windows see it."""
    g = tg.Graph()
    again = tg.unpatch(tg.patches(g.constant("x", ones=(1, 5)), (3,)), (3,))
    assert tg.evaluate(again).tolist() == [[1, 2, 3, 2, 1]]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g: tg.convolve(g.input("x", (2, 5)), g.input("W", (3, 1, 2))), "filters"),
        (lambda g: tg.convolve(g.input("x", (2, 5)), g.input("W", (3, 2))), "filters"),
        (lambda g: tg.convolve(g.input("x", (2, 5)), g.input("W", (3, 2, 6))), "does not fit"),
        (lambda g: tg.convolve(g.input("x", (2, 5)), g.input("W", (3, 2, 0))), "does not fit"),
        (lambda g: tg.convolve(g.input("x", (1,) * 5), g.input("W", (1,) * 6)), "4 axes"),
        (lambda g: tg.max_pool(g.input("x", (2, 5)), (2, 2)), "2 axes over a value of 1"),
        (lambda g: tg.max_pool(g.input("x"), ()), "0 axes"),
        (lambda g: tg.patches(g.input("x", (2, 5)), "wide"), "tuple of sizes"),
        (lambda g: tg.unpatch(g.input("x", (2, 3, 5)), (2,)), "no patches of widths"),
    ],
)
def test_what_does_not_fit(build, message):
    with pytest.raises(ShapeError, match=message):
        build(tg.Graph())


@each_rank
def test_against_torch(rank):
    """Values and gradients by the value and the filters, of a batch, in float64."""
    torch = pytest.importorskip("torch")
    g = tg.Graph()
    x = g.input("x", (2, *LENGTHS[:rank]))
    W = g.parameter("W", (3, 2, *WIDTHS[:rank]))
    y = tg.max_pool(tg.convolve(x, W), (2,) * rank)
    feeds = random_feeds(g)
    found, gradients = tg.evaluate([y, tg.grad(tg.sum(y * y), {"x": x, "W": W})], feeds)
    theirs = {n: torch.tensor(feeds[n], requires_grad=True) for n in "xW"}
    convolve, pool = (getattr(torch.nn.functional, f"{name}{rank}d") for name in ("conv", "max_pool"))
    value = pool(convolve(theirs["x"], theirs["W"]), 2, stride=1)
    (value**2).sum().backward()
    assert_close(found, value.detach().numpy(), 1e-12)
    for n, tensor in theirs.items():
        assert_close(gradients[n], tensor.grad.numpy(), 1e-10, what=n)


def test_a_time_delay_layer_is_a_convolution():
    """The units of `models.time_delay` are filters over time."""
    from tinygraph import models

    g = tg.Graph()
    x = g.sequence("x", 6, (2,))
    (layer,) = models.time_delay(x, [(3, 4)])
    feeds = random_feeds(g)
    series = tg.transpose(tg.stack(list(x.values())))
    W = tg.transpose(tg.reshape(g.parameters["delay/layer1/W"], (4, 3, 2)), (0, 2, 1))
    b = tg.reshape(g.parameters["delay/layer1/b"], (4, 1))
    ours, theirs = tg.evaluate([list(layer.output.values()), tg.tanh(tg.convolve(series, W) + b)], feeds)
    assert_close(np.moveaxis(np.array(ours), 0, -1), theirs, 1e-13)
