"""Jacobians and Hessian-vector products against torch.autograd.functional."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.compare import assert_close
from helpers.net import H, Net, normal

import tinygraph as tg

torch = pytest.importorskip("torch")
functional = torch.autograd.functional


def by_hand(W, b, x):
    """The first part of the net, in torch: h = tanh(W x + b)."""
    return torch.tanh(W @ x + b)


def tensors(net: Net, example: int) -> tuple:
    feeds = net.feeds | {"x": net.feeds["x"][example]}
    return tuple(torch.tensor(feeds[key], dtype=torch.float64) for key in ("W", "b", "x"))


def test_jacobian():
    """By W, b and x, for each example of the batch."""
    net = Net()
    output = net.h * tg.softmax(net.W @ net.h)
    found = tg.evaluate([tg.jacobian(output, net.everything[key]) for key in ("W", "b", "x")], net.feeds)
    for example in range(len(net.feeds["x"])):

        def function(W, b, x):
            h = by_hand(W, b, x)
            return h * torch.softmax(W @ h, 0)

        expected = functional.jacobian(function, tensors(net, example))
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours[example], theirs.numpy(), 1e-12)


def test_hvp():
    """The Hessian of a loss by W and b, times a vector, summed over the batch."""
    net = Net()
    loss = tg.sum(net.h * net.h * net.x)
    v = {"W": normal((H, H), 7), "b": normal((H,), 8)}
    found = tg.evaluate(tg.hvp(loss, net.parameters, v), net.feeds)
    x = torch.tensor(net.feeds["x"])

    def function(W, b):
        h = torch.tanh(x @ W.T + b)
        return torch.sum(h * h * x)

    given = tuple(torch.tensor(net.feeds[key]) for key in ("W", "b"))
    _, expected = functional.hvp(function, given, tuple(torch.tensor(v[key]) for key in ("W", "b")))
    for key, theirs in zip(("W", "b"), expected, strict=True):
        assert_close(found[key], np.asarray(theirs), 1e-12, what=key)
