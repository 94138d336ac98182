"""The lint of gradients: nodes, backward functions in NumPy, and values that are claimed to be equal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models

T, SIZE = 4, 3


def classifier(made: Any = models.elman) -> tuple[Any, tg.Node]:
    """A net with a softmax readout, as many units as inputs and classes, and its summed loss for one example."""
    net = tg.unroll(made, T, I=SIZE, H=SIZE, initial="fed")
    scores = models.readout(net, SIZE)
    y = net.graph.sequence("y", T, kind="integer")
    return net, tg.add([tg.cross_entropy(o, y[t], name="L") for t, o in scores.items()], name="loss")


def softmax(o: Any) -> Any:
    return np.exp(o) / np.exp(o).sum()


# A backward pass in NumPy, with a place for each mistake
RIGHT: dict[str, Callable[..., Any]] = {
    "do": lambda p, k: p - (np.arange(SIZE) == k),
    "dh": lambda v, do, later: v.V.T @ do + later,
    "da": lambda v, dh, t: (1 - v.h[t] ** 2) * dh,
    "dU": lambda v, da, t: np.outer(da, v.h[t - 1]),
    "dW": lambda v, da, t: np.outer(da, v.x[t]),
    "later": lambda v, da: v.U.T @ da,
    "end": lambda d: d,
}
WRONG: dict[str, tuple[str, Callable[..., Any], str, set[str]]] = {
    "target set to one": ("do", lambda p, k: np.where(np.arange(SIZE) == k, 1, p), "target", set("WUbVc")),
    "target not taken off": ("do", lambda p, k: p, "missing term", set("WUbVc")),
    "target added": ("do", lambda p, k: p + (np.arange(SIZE) == k), "sign", set("WUbVc")),
    "sign of the scores": ("do", lambda p, k: (np.arange(SIZE) == k) - p, "sign", set("WUbVc")),
    "readout not transposed": ("dh", lambda v, do, later: v.V @ do + later, "transpose", set("WUb")),
    "no gradient from later": ("dh", lambda v, do, later: v.V.T @ do, "missing term", set("WUb")),
    "no gradient from the loss": ("dh", lambda v, do, later: v.U.T @ do + later, "matrix", set("WUb")),
    "derivative left out": ("da", lambda v, dh, t: dh, "missing factor", set("WUb")),
    "derivative without its square": ("da", lambda v, dh, t: (1 - v.h[t]) * dh, "missing factor", set("WUb")),
    "derivative with plus": ("da", lambda v, dh, t: (1 + v.h[t] ** 2) * dh, "sign", set("WUb")),
    "derivative of the sigmoid": ("da", lambda v, dh, t: v.h[t] * (1 - v.h[t]) * dh, "derivative", set("WUb")),
    "derivative of the step before": ("da", lambda v, dh, t: (1 - v.h[t - 1] ** 2) * dh, "time", set("WUb")),
    "the state of the same step": ("dU", lambda v, da, t: np.outer(da, v.h[t]), "time", {"U"}),
    "the outer product turned": ("dU", lambda v, da, t: np.outer(v.h[t - 1], da), "transpose", {"U"}),
    "the sign of one gradient": ("dU", lambda v, da, t: -np.outer(da, v.h[t - 1]), "sign", {"U"}),
    "the state for the input": ("dW", lambda v, da, t: np.outer(da, v.h[t]), "value", {"W"}),
    "one step left out": ("dW", lambda v, da, t: np.outer(da, v.x[t]) * (t != 2), "missing term", {"W"}),
    "the first steps left out": ("dW", lambda v, da, t: np.outer(da, v.x[t]) * (t > 2), "missing term", {"W"}),
    "recurrence not transposed": ("later", lambda v, da: v.U @ da, "transpose", set("WUb")),
    "the readout's matrix": ("later", lambda v, da: v.V.T @ da, "matrix", set("WUb")),
    "twice as much from later": ("later", lambda v, da: 2 * v.U.T @ da, "scale", set("WUb")),
    "averaged": ("end", lambda d: {name: g / T for name, g in d.items()}, "scale", set("WUbVc")),
    "one gradient doubled": ("end", lambda d: d | {"c": 2 * d["c"]}, "scale", set("c")),
    "one gradient zero": ("end", lambda d: d | {"b": 0 * d["b"]}, "missing term", set("b")),
}


def backward(v: Any, wrong: str = "") -> dict[str, Any]:
    """Backpropagation through time, with one of its parts in its wrong form."""
    part = RIGHT | ({WRONG[wrong][0]: WRONG[wrong][1]} if wrong else {})
    d = {name: np.zeros_like(v[name]) for name in ("W", "U", "b", "V", "c")}
    later = np.zeros(SIZE)
    for t in range(T, 0, -1):
        do = part["do"](softmax(v.o[t]), v.y[t])
        d["V"] += np.outer(do, v.h[t])
        d["c"] += do
        da = part["da"](v, part["dh"](v, do, later), t)
        d["W"] += part["dW"](v, da, t)
        d["U"] += part["dU"](v, da, t)
        d["b"] += da
        later = part["later"](v, da)
    return part["end"](d)


def test_a_right_backward_pass():
    net, loss = classifier()
    verdict = tg.lint(loss, backward, wrt=net.graph.parameters)
    assert verdict.ok, str(verdict)
    assert len(verdict.findings) == 5


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_in_a_backward_pass_has_its_name(wrong):
    net, loss = classifier()
    verdict = tg.lint(loss, partial(backward, wrong=wrong), wrt=net.graph.parameters)
    _, _, kind, names = WRONG[wrong]
    assert {finding.of.rpartition(" ")[2] for finding in verdict.wrong} == names
    assert verdict.mistake.kind == kind, str(verdict.mistake)
    assert verdict.counterexample is not None
    assert verdict.corrected


def test_the_text_says_which_way():
    net, loss = classifier()
    verdict = tg.lint(loss, partial(backward, wrong="the readout's matrix"), wrt=net.graph.parameters)
    assert verdict.mistake.text == "V.T in place of U.T, from U @ h_3 to h_3, at every step"
    verdict = tg.lint(loss, partial(backward, wrong="the state of the same step"), wrt=net.graph.parameters)
    assert verdict.mistake.text == "h_4 in place of h_3, from U @ h_3 to U, at every step"
    verdict = tg.lint(loss, partial(backward, wrong="derivative of the step before"), wrt=net.graph.parameters)
    assert verdict.mistake.text.startswith("the derivative at h_3 in place of h_4, from tanh(W @ x_4 + U @ h_3 + b) to")
    verdict = tg.lint(loss, partial(backward, wrong="averaged"), wrt=net.graph.parameters)
    assert "1/4 times the right one, one over the number of time steps" in verdict.mistake.text
    verdict = tg.lint(loss, partial(backward, wrong="the first steps left out"), wrt=net.graph.parameters)
    assert verdict.mistake.text == "the use of step 1, of step 2 is left out"


# Claims that are nodes
NODES: dict[str, tuple[Callable[[tg.Node], tg.Node], str]] = {
    "transposed": (lambda g: g.T, "transpose"),
    "negated": (lambda g: -g, "sign"),
    "doubled": (lambda g: g * 2, "scale"),
    "zero": (lambda g: g * 0, "missing term"),
}


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
@pytest.mark.parametrize("how", NODES)
def test_a_claimed_node(name, how):
    net, loss = classifier(models.CELLS[name])
    name = next(name for name, p in net.parameters.items() if p.shape == (SIZE, SIZE))
    right = tg.grad(loss, net.parameters[name])
    change, kind = NODES[how]
    assert tg.lint(loss, right + 0, wrt=net.parameters[name]).ok
    verdict = tg.lint(loss, change(right), wrt=net.parameters[name])
    assert not verdict.ok
    assert verdict.mistake.kind == kind


def test_a_node_is_compared_exactly():
    net, loss = classifier()
    right = tg.grad(loss, net.parameters["U"])
    assert not tg.lint(loss, right * (1 + 1e-12), wrt=net.parameters["U"]).ok


def test_a_forgotten_sum_over_the_batch():
    net = tg.unroll(models.elman, 2, I=2, H=3)
    loss = tg.sum(net.h[2], name="loss")
    per_example = tg.outer(1 - net.h[2] * net.h[2], net.h[1])
    partly = tg.grad(loss, net.parameters["U"]) * 0 + per_example
    assert not tg.lint(loss, partly, wrt=net.parameters["U"]).ok
    slope = (1 - net.h[2] * net.h[2]) @ net.parameters["U"] * (1 - net.h[1] * net.h[1])
    bias = (1 - net.h[2] * net.h[2]) + slope
    assert tg.lint(loss, tg.sum_batch(bias), wrt=net.parameters["b"]).ok
    verdict = tg.lint(loss, bias, wrt=net.parameters["b"])
    assert verdict.mistake.text == "the sum over the batch is left out"


def test_a_mistake_that_no_catalogue_has():
    net, loss = classifier()
    verdict = tg.lint(loss, lambda v: np.sin(np.arange(9.0)).reshape(3, 3), wrt=net.parameters["U"])
    assert not verdict.ok
    assert verdict.mistake.kind == "unknown"


def test_given_feeds():
    """The lint can be asked about a given point: at zero weights a sign does not show."""
    net, loss = classifier()
    zero = {name: np.zeros(p.shape) for name, p in net.graph.parameters.items()}
    feeds = zero | {"x": np.ones((T, SIZE)), "y": np.zeros(T, int), "h_0": np.zeros(SIZE)}
    right = tg.grad(loss, net.parameters["U"])
    assert tg.lint(loss, lambda v: -tg.evaluate(right, feeds), wrt=net.parameters["U"], feeds=feeds).ok


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (lambda v: {"U": v.U}, "no gradient of 'W'"),
        (lambda v: {"Q": v.U, "U": v.U}, "gradient of 'Q'"),
        (lambda v: v.U, "dict by name"),
        (lambda v: v.q, "nothing is named"),
        (dict.fromkeys("WUbVc", 3.0), "a node of the loss's tape"),
    ],
)
def test_bad_claims_are_refused(claim, message):
    net, loss = classifier()
    with pytest.raises((tg.errors.TinygraphError, AttributeError), match=message):
        tg.lint(loss, claim, wrt=net.parameters)


def test_a_node_of_another_tape_is_refused():
    (net, loss), (_, other) = classifier(), classifier()
    with pytest.raises(tg.errors.GraphError, match="another tape"):
        tg.lint(loss, other, wrt=net.parameters["b"])
    with pytest.raises(tg.errors.GraphError, match="another tape"):
        tg.lint(loss, other)
    with pytest.raises(tg.errors.UsageError, match="wrt"):
        tg.lint(loss, backward)


# Values that are claimed to be equal
def lstm_pieces(net: Any) -> dict[str, tuple[tg.Node, str]]:
    i, f, g, c, o, h = (net.series[name] for name in "ifgcoh")
    return {
        "": (tg.tanh(f[2] * c[1] + i[2] * g[2]) * o[2], ""),
        "state of the step": (tg.tanh(f[2] * c[1] + i[2] * g[2]) * o[1], "time"),
        "sign": (tg.tanh(f[2] * c[1] - i[2] * g[2]) * o[2], "sign"),
        "no squashing": ((f[2] * c[1] + i[2] * g[2]) * o[2], "function"),
        "no output gate": (tg.tanh(f[2] * c[1] + i[2] * g[2]), "missing factor"),
        "no new content": (tg.tanh(f[2] * c[1]) * o[2], "missing term"),
        "forget gate twice": (tg.tanh(f[2] * f[2] * c[1] + i[2] * g[2]) * o[2], "extra"),
        "nothing like it": (h[1] * h[2] * i[1], "unknown"),
    }


VALUES = (
    "", "state of the step", "sign", "no squashing", "no output gate", "no new content", "forget gate twice",
    "nothing like it",
)  # fmt: skip


@pytest.mark.parametrize("case", VALUES)
def test_a_claimed_value(case):
    net = tg.unroll(models.lstm, 3, I=2, H=3)
    claim, kind = lstm_pieces(net)[case]
    verdict = tg.lint(net.h[2], claim)
    assert verdict.ok == (not kind)
    assert (verdict.mistake.kind if verdict.mistake else "") == kind


def test_a_claimed_value_of_another_shape():
    net = tg.unroll(models.lstm, 2, I=2, H=3)
    assert tg.lint(net.h[2], net.x[2]).mistake.kind == "shape"
