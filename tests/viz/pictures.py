"""The nets that the tests of pictures are run over, and ways to read an SVG back."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import tinygraph as tg
from tinygraph.models import CELLS, elman
from tinygraph.models.cells.gated import gru

SVG = "{http://www.w3.org/2000/svg}"


def unrolled(cell: Any, steps: int, **options: Any) -> Any:
    return tg.unroll(cell, steps=steps, **dict.fromkeys(cell.sizes, 4), **options)


def with_loss(steps: int) -> tuple[Any, Any]:
    """An Elman net with a readout and a loss at each step, and their sum."""
    net = tg.unroll(elman, steps=steps, I=3, H=4)
    readout = net.graph.parameter("V", (5, 4))
    target = net.graph.sequence("y", steps, (), kind="integer")
    losses = []
    for t in range(1, steps + 1):
        with net.graph.at(step=t):
            losses.append(tg.cross_entropy(readout @ net.h[t], target[t], name="L"))
    return net, tg.mean_batch(tg.add(losses), name="loss")


def stacked(steps: int) -> Any:
    lower = tg.unroll(gru, steps=steps, I=3, H=4, scope="layer1")
    return tg.unroll(elman, steps=steps, H=4, inputs={"x": lower.output}, scope="layer2")


def bidirectional(steps: int) -> list[Any]:
    g = tg.Graph()
    x = g.sequence("x", steps, (3,))
    states: dict[Any, Any] = {}
    for way, order in (("forward", range(1, steps + 1)), ("backward", range(steps, 0, -1))):
        W, U = g.parameter(f"{way}/W", (4, 3)), g.parameter(f"{way}/U", (4, 4))
        with g.at(step=0 if way == "forward" else steps + 1, scope=way):
            h = g.constant("h", zeros=(4,))
        for t in order:
            with g.at(step=t, scope=way):
                h = states[way, t] = tg.tanh(W @ x[t] + U @ h, name="h")
    outputs = []
    for t in range(1, steps + 1):
        with g.at(step=t):
            outputs.append(tg.softmax(tg.concatenate([states["forward", t], states["backward", t]]), name="y"))
    return outputs


def attention(steps: int) -> Any:
    """A decoder whose steps look at every state of an encoder."""
    encoder = tg.unroll(elman, steps=steps, I=3, H=4, scope="encoder")
    g = encoder.graph
    keys = tg.stack([encoder.h[t] for t in range(1, steps + 1)])
    U, C = g.parameter("decoder/U", (4, 4)), g.parameter("decoder/C", (4, 4))
    s = encoder.h[steps]
    for t in range(1, steps + 1):
        with g.at(step=t, scope="decoder"):
            s = tg.tanh(U @ s + C @ (tg.softmax(keys @ s, name="a") @ keys), name="s")
    return s


def small() -> Any:
    g = tg.Graph()
    x, w, b = g.input("x", (3,)), g.parameter("w", (3,)), g.parameter("b")
    return tg.sum((1 - tg.sigmoid(w * x + b)) ** 2 * x * x, name="f")


def chain(length: int) -> Any:
    g = tg.Graph()
    U, h = g.parameter("U", (4, 4)), g.constant("h0", zeros=(4,))
    for _ in range(length):
        h = tg.tanh(U @ h)
    return h


CASES: dict[str, Any] = {
    **{f"{name}-{T}": (lambda cell=cell, T=T: unrolled(cell, T)) for name, cell in CELLS.items() for T in (1, 2, 3, 4)},
    **{f"{name}-30": (lambda cell=cell: unrolled(cell, 30)) for name, cell in CELLS.items()},
    "loss-4": lambda: with_loss(4)[1],
    "loss-20": lambda: with_loss(20)[1],
    "learned": lambda: unrolled(CELLS["lstm"], 3, initial="learned", mask=True),
    "fed": lambda: unrolled(CELLS["gru"], 3, initial="fed"),
    "stacked": lambda: stacked(3),
    "stacked-30": lambda: stacked(30),
    "bidirectional": lambda: bidirectional(3),
    "bidirectional-20": lambda: bidirectional(20),
    "attention": lambda: attention(3),
    "attention-12": lambda: attention(12),
    "small": small,
    "chain": lambda: chain(400),
}


def parse(drawing: Any) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.svg.encode())


def groups(drawing: Any, word: str) -> list[ElementTree.Element]:
    """The groups of a picture that have a class."""
    return [g for g in parse(drawing).iter(f"{SVG}g") if word in g.get("class", "").split()]


def texts(drawing: Any) -> list[str]:
    """The text of each node of a picture."""
    return ["".join(next(g.iter(f"{SVG}text")).itertext()) for g in groups(drawing, "node")]
