"""Nets to roll: each cell, and graphs that are built by hand because no cell makes them. Each by its number of steps.

A builder returns the roots: a loss and its gradient by all parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from helpers.zoo import FEW

import tinygraph as tg
from tinygraph import models
from tinygraph.graph import Node

I, H, V = 2, 3, 4  # noqa: E741  # the sizes of inputs, states and readouts, as in the equations


def with_gradient(loss: Node) -> list[Any]:
    """The loss, and its gradient by all parameters of the tape."""
    return [loss, tg.grad(loss, loss.graph.parameters)]


def classified(states: Mapping[int, Node]) -> Node:
    """The mean over steps and batch of a softmax cross-entropy on V h + c, with fed targets."""
    graph = next(iter(states.values())).graph
    W, b = graph.parameter("V", (V, *next(iter(states.values())).shape)), graph.parameter("c", (V,))
    y = graph.sequence("y", max(states), (), kind="integer")
    return tg.mean_batch(tg.add([tg.cross_entropy(W @ h + b, y[t]) for t, h in states.items()]))


def cell(name: str, **options: Any) -> Callable[[int], list[Any]]:
    """A cell with readout and loss at every step."""

    def build(steps: int) -> list[Any]:
        one = models.CELLS[name]
        net = tg.unroll(one, steps, sizes={size: I if size == "I" else H for size in one.sizes}, **options)
        return with_gradient(models.softmax_cross_entropy(models.readout(net, V), mask=net.mask))

    return build


def stack(layers: int) -> Callable[[int], list[Any]]:
    def build(steps: int) -> list[Any]:
        net = models.stack(models.lstm, steps, layers=layers, I=I, H=H)
        return with_gradient(models.softmax_cross_entropy(models.readout(net, V)))

    return build


class Hand:
    """An Elman net by hand: its weights, its step, and named inputs that are no sequence."""

    def __init__(self, graph: tg.Graph | None = None, scope: str = "", bias: bool = True) -> None:
        self.graph = g = tg.Graph() if graph is None else graph
        self.scope = scope
        self.W, self.U = g.parameter(f"{scope}W", (H, I)), g.parameter(f"{scope}U", (H, H))
        self.b = g.parameter(f"{scope}b", (H,)) if bias else g.number(0)
        self.start = g.constant(f"{scope}h_0", zeros=(H,))

    def x(self, t: int, scope: str = "") -> Node:
        return self.graph.input(f"{scope or self.scope}x_{t}", (I,))

    def step(self, x: Node, h: Node) -> Node:
        return tg.tanh(self.W @ x + self.U @ h + self.b)

    def run(self, steps: int, scope: str = "") -> dict[int, Node]:
        states, h = {}, self.start
        for t in range(1, steps + 1):
            states[t] = h = self.step(self.x(t, scope), h)
        return states


def separate_inputs(steps: int) -> list[Any]:
    return with_gradient(classified(Hand().run(steps)))


def without_bias(steps: int) -> list[Any]:
    g = tg.Graph()
    W, U, h = g.parameter("W", (H, I)), g.parameter("U", (H, H)), g.constant("h_0", zeros=(H,))
    x = g.sequence("x", steps, (I,))
    states = {}
    for t in x:
        states[t] = h = tg.tanh(W @ x[t] + U @ h)
    return with_gradient(classified(states))


def last_loss(steps: int) -> list[Any]:
    return with_gradient(tg.sum(Hand().run(steps)[steps] ** 2))


def some_losses(steps: int) -> list[Any]:
    """At every third step."""
    return with_gradient(classified({t: h for t, h in Hand().run(steps).items() if t % 3 == 1}))


def summed_one_by_one(steps: int) -> list[Any]:
    """total = total + L_t, as most programs write it."""
    total = None
    for h in Hand().run(steps).values():
        loss = tg.sum(h**2)
        total = loss if total is None else total + loss
    assert total is not None
    return with_gradient(total)


def skip(steps: int) -> list[Any]:
    """h_t reads h_{t-1} and h_{t-2}."""
    net = Hand()
    S = net.graph.parameter("S", (H, H))
    states = {-1: net.start, 0: net.start}
    for t in range(1, steps + 1):
        states[t] = tg.tanh(net.W @ net.x(t) + net.U @ states[t - 1] + S @ states[t - 2] + net.b)
    return with_gradient(classified({t: h for t, h in states.items() if t > 0}))


def twice_a_step(steps: int) -> list[Any]:
    """The cell is applied twice to each input."""
    net, states = Hand(), {}
    h = net.start
    for t in range(1, steps + 1):
        x = net.x(t)
        states[t] = h = net.step(x, net.step(x, h))
    return with_gradient(classified(states))


def bidirectional(steps: int) -> list[Any]:
    g = tg.Graph()
    x = g.sequence("x", steps, (I,))
    forward, backward = Hand(g, "forward/"), Hand(g, "backward/")
    ahead, behind = {0: forward.start}, {steps + 1: backward.start}
    for t in range(1, steps + 1):
        ahead[t] = forward.step(x[t], ahead[t - 1])
    for t in range(steps, 0, -1):
        behind[t] = backward.step(x[t], behind[t + 1])
    return with_gradient(classified({t: tg.concatenate([ahead[t], behind[t]]) for t in x}))


def shared_weights(steps: int) -> list[Any]:
    """Two sequences through one net."""
    net = Hand()
    a, b = net.run(steps, "a/"), net.run(steps, "b/")
    return with_gradient(tg.sum((a[steps] - b[steps]) ** 2))


def own_weights(steps: int) -> list[Any]:
    """Two nets on one tape."""
    g = tg.Graph()
    a, b = Hand(g, "a/").run(steps), Hand(g, "b/").run(steps)
    return with_gradient(tg.sum((a[steps] - b[steps]) ** 2))


def tied_layers(steps: int) -> list[Any]:
    """Two layers with the same weights."""
    g = tg.Graph()
    W, U, b = g.parameter("W", (H, H)), g.parameter("U", (H, H)), g.parameter("b", (H,))
    x, start = g.sequence("x", steps, (H,)), g.constant("h_0", zeros=(H,))
    below: Mapping[int, Node] = x
    for _ in range(2):
        states, h = {}, start
        for t in x:
            states[t] = h = tg.tanh(W @ below[t] + U @ h + b)
        below = states
    return with_gradient(classified(below))


def jordan(forced: Callable[[int], bool]) -> Callable[[int], list[Any]]:
    """Output recurrence; where `forced`, the target stands for the last output."""

    def build(steps: int) -> list[Any]:
        g = tg.Graph()
        W, R, b = g.parameter("W", (H, I)), g.parameter("R", (H, H)), g.parameter("b", (H,))
        U, c = g.parameter("U", (H, H)), g.parameter("c", (H,))
        x, y = g.sequence("x", steps, (I,)), g.sequence("y", steps, (H,))
        last, losses = g.constant("o_0", zeros=(H,)), []
        for t in x:
            h = tg.tanh(W @ x[t] + R @ last + b)
            o = U @ h + c
            losses.append(tg.mean((o - y[t]) ** 2))
            last = y[t] if forced(t) else o
        return with_gradient(tg.mean_batch(tg.add(losses)))

    return build


def output_as_bias(steps: int) -> list[Any]:
    """Output recurrence by shape H everywhere, forced, with sigmoid outputs and a product in the loss."""
    g = tg.Graph()
    W, R, U = (g.parameter(name, (H, H)) for name in "WRU")
    x, y = g.sequence("x", steps, (H,)), g.sequence("y", steps, (H,))
    losses = []
    for t in x:
        h = tg.tanh(W @ x[t] + R @ y[t - 1]) if t > 1 else tg.tanh(W @ x[t])
        o = tg.sigmoid(U @ h)
        losses.append(tg.sum(o * y[t]) + tg.sum(h * h * o))
    return with_gradient(tg.add(losses))


def tree(steps: int) -> list[Any]:
    """A lopsided binary tree with 2 * steps leaves, a loss at every inner node."""
    g = tg.Graph()
    W, b = g.parameter("W", (H, 2 * H)), g.parameter("b", (H,))
    rng = np.random.default_rng(0)
    ends: list[Node] = [g.input(f"x_{i}", (H,)) for i in range(2 * steps)]
    inner = {}
    while len(ends) > 1:
        i = int(rng.integers(len(ends) - 1))
        inner[len(inner) + 1] = ends[i] = tg.tanh(W @ tg.concatenate([ends[i], ends.pop(i + 1)]) + b)
    return with_gradient(classified(inner))


def embedded(steps: int) -> list[Any]:
    """Symbols through a table, a masked step, a state that is centred over the batch."""
    g = tg.Graph()
    C, U = g.parameter("C", (5, H)), g.parameter("U", (H, H))
    w = g.sequence("w", steps, (), kind="integer")
    kept = g.sequence("mask", steps, (), kind="boolean")
    h: Node = g.constant("h_0", zeros=(H,))
    states = {}
    for t in w:
        new = tg.tanh(tg.gather(C, w[t]) + U @ h)
        new = new - tg.mean_batch(new)
        states[t] = h = tg.where(kept[t], new, h)
    return with_gradient(classified(states))


def scalar(steps: int) -> list[Any]:
    """h_t = tanh(x_t * w + h_{t-1} * u): in its gradient g * u looks as h * u does."""
    g = tg.Graph()
    w, u, h = g.parameter("w"), g.parameter("u"), g.input("h_0")
    for t in range(1, steps + 1):
        h = tg.tanh(g.input(f"x_{t}") * w + h * u)
    return with_gradient((h - 1) ** 2)


def peephole(steps: int) -> list[Any]:
    """A gate that sees the cell as c * p: in the gradient g * p looks as it does."""
    net = Hand()
    p = net.graph.parameter("p", (H,))
    states, c = {}, net.start
    for t in range(1, steps + 1):
        f = tg.sigmoid(net.W @ net.x(t) + net.U @ c + c * p + net.b)
        states[t] = c = f * c + (1 - f) * tg.tanh(net.W @ net.graph.input(f"v_{t}", (I,)))
    return with_gradient(classified(states))


def alone(steps: int) -> list[Any]:
    """No input: it runs from a learned state."""
    g = tg.Graph()
    U, h = g.parameter("U", (H, H)), g.parameter("h_0", (H,))
    for _ in range(steps):
        h = tg.tanh(U @ h)
    return with_gradient(tg.sum(h))


def matrix_state(steps: int) -> list[Any]:
    """A_t = U A_{t-1} with weights that are made of parameters."""
    g = tg.Graph()
    U, A, s = g.parameter("U", (H, H)), g.parameter("A", (H, H)), g.parameter("s")
    scaled = U.T * s
    for _ in range(steps):
        A = tg.tanh(scaled @ A)
    return with_gradient(tg.sum(A))


def attention(steps: int) -> list[Any]:
    """A decoder of as many steps attends to all states of an encoder."""
    g = tg.Graph()
    encoder, decoder = Hand(g, "encoder/"), Hand(g, "decoder/")
    C = g.parameter("C", (H, H))
    keys = list(encoder.run(steps).values())
    states, h = {}, keys[-1]
    for t in range(1, steps + 1):
        scores = tg.softmax(tg.stack([tg.dot(key, h) for key in keys]))
        context = tg.add([scores[i] * key for i, key in enumerate(keys)])
        states[t] = h = tg.tanh(decoder.W @ decoder.x(t) + decoder.U @ h + C @ context + decoder.b)
    return with_gradient(classified(states))


def encoder_decoder(steps: int) -> list[Any]:
    """One set of weights reads a sequence and then writes another."""
    net = Hand()
    last = net.run(steps, "source/")[steps]
    states, h = {}, last
    for t in range(1, steps + 1):
        states[t] = h = net.step(net.x(t, "target/"), h)
    return with_gradient(classified(states))


def translator(**options: Any) -> Callable[[int], list[Any]]:
    """The decoder's first symbol is a constant: what it reads at first is not batched, and later it is."""

    def build(steps: int) -> list[Any]:
        model = models.SequenceToSequence(source=V, targets=V - 1, hidden=H, embedding=I, **options)
        return with_gradient(model.unroll(2, steps).loss)

    return build


def normalised(steps: int) -> list[Any]:
    """Weights that are joined and scaled anew at every step, a context, and an input that is not batched."""
    g = tg.Graph()
    W, U, s = g.parameter("W", (H, I)), g.parameter("U", (H, H)), g.parameter("s", (H, 1))
    context, h = g.input("v", (H,)), g.input("h_0", (H,))
    states = {}
    for t in range(1, steps + 1):
        joined = tg.concatenate([W, U * s], axis=1)
        x = g.input(f"x_{t}", (I,), batched=False)
        states[t] = h = tg.tanh(joined @ tg.concatenate([tg.spread(x), h]) + context)
    return with_gradient(classified(states))


def no_weights(steps: int) -> list[Any]:
    """h_t = sin(h_{t-1}) / 2 + 1, and nothing else."""
    h = tg.Graph().input("h_0", (H,))
    for _ in range(steps):
        h = tg.sin(h) / 2 + 1
    return [h]


def no_repetition(steps: int) -> list[Any]:
    """Nothing twice, whatever the number of steps."""
    g = tg.Graph()
    x, W, b = g.input("x", (I,)), g.parameter("W", (H, I)), g.parameter("b", (H,))
    return [tg.sum(tg.sigmoid(tg.exp(tg.tanh(W @ x + b) * 2) - 1))]


def hessian_product(steps: int) -> list[Any]:
    net = Hand()
    loss = classified(net.run(steps))
    return [tg.hvp(loss, net.U, np.ones((H, H)))]


def jacobian(steps: int) -> list[Any]:
    net = tg.unroll(models.elman, steps, I=I, H=H)
    return [tg.jacobian(net.h[steps], net.h[1])]


def truncated(steps: int) -> list[Any]:
    net = tg.unroll(models.elman, steps, I=I, H=H)
    cut = tg.truncate({t: tg.sum(h**2) for t, h in net.output.items()}, net.parameters, mode="chunk", k1=2)
    return [cut.losses, cut.gradients]


VARIANTS: dict[str, dict[str, Any]] = {
    "learned": {"initial": "learned"},
    "masked": {"mask": True},
    "fed": {"initial": "fed"},
}
CELLS = {f"{name} plain": cell(name) for name in FEW} | {
    f"{name} {how}": cell(name, **options) for name in ("lstm", "gru") for how, options in VARIANTS.items()
}
ODD: dict[str, Callable[[int], list[Any]]] = {
    build.__name__: build
    for build in (
        separate_inputs, without_bias, last_loss, some_losses, summed_one_by_one, skip, twice_a_step, bidirectional,
        shared_weights, own_weights, tied_layers, output_as_bias, tree, embedded, scalar, peephole, alone, matrix_state,
        attention, encoder_decoder, normalised, no_weights, no_repetition, hessian_product, jacobian, truncated,
    )
} | {
    "two layers": stack(2),
    "three layers": stack(3),
    "translator that looks last": translator(attention="general", attend="last"),
    "translator that looks first": translator(attention="additive", bidirectional=True),
    "jordan forced": jordan(lambda t: True),
    "jordan free": jordan(lambda t: False),
    "jordan forced at times": jordan(lambda t: t % 2 == 0),
}  # fmt: skip
NETS = CELLS | ODD
SOME = {name: build for name, build in NETS.items() if name in ODD or name.endswith("plain")}
