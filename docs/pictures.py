"""Draws the pictures that the README and the docs show: python docs/pictures.py"""

from pathlib import Path
from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.demo import build_hello


def pictures() -> dict[str, str]:
    """The SVG text of each picture, by file name."""
    drawings = hello() | language() | levels() | rolled() | backward() | compositions()
    svg = {name: drawing.svg for name, drawing in (drawings | differences()).items()}
    return {f"{name}.svg": text for name, text in (svg | walk()).items()}


def charts() -> dict[str, str]:
    """The same of charts, whose bytes depend on the version of matplotlib and on rounding."""
    return {"flow.svg": viz.chart(tg.gradient_flow(models.lstm, 100)).svg}


Drawings = dict[str, viz.Drawing]


def hello() -> Drawings:
    net = build_hello()
    return {
        "hello": viz.draw(net.loss),
        "hello-gradient": viz.draw([net.loss, net.gradients], backward=True),
    }


def language() -> Drawings:
    return {"legend": viz.legend(), "legend-dark": viz.legend(theme="dark")}


def trained(net: Any) -> Any:
    """The loss of a net that says something at every step."""
    return models.softmax_cross_entropy(models.readout(net, 6))


def levels() -> Drawings:
    layers = models.stack(models.gru, layers=2, steps=3, I=3, H=4)
    return {
        "cell": viz.draw(trained(tg.unroll(models.elman, steps=4, I=3, H=4)), detail="cell"),
        "stack": viz.draw(trained(models.stack(models.lstm, layers=3, steps=8, I=4, H=4)), detail="cell"),
        "opened": viz.draw(layers, detail="cell", open={"layer1"}),
        "nodes": neuron(),
    }


def neuron() -> viz.Drawing:
    """One neuron worked by hand, with the local derivative on every edge."""
    g = tg.Graph()
    w, u, b = g.parameter("w"), g.parameter("u"), g.parameter("b")
    out = tg.sigmoid(w * g.input("x") + u * g.input("y") + b, name="s")
    feeds = {"w": 2.0, "u": -3.0, "b": -3.0, "x": -1.0, "y": -2.0}
    return viz.draw(out, detail="nodes", backward=True, feeds=feeds, badges=("value", "gradient"))


def rolled() -> Drawings:
    loss = trained(tg.unroll(models.elman, steps=4, I=3, H=4))
    pair = [viz.draw(loss, detail="cell", rolled=once) for once in (True, False)]
    return {
        "rolled": viz.side_by_side(*pair, between="unrolled"),
        "rolled-lstm": viz.draw(tg.unroll(models.lstm, steps=4, I=3, H=4), rolled=True),
    }


def backward() -> Drawings:
    found = {}
    for name in ("elman", "lstm"):
        net = tg.unroll(models.CELLS[name], steps=8, I=4, H=8)
        scores = models.readout(net, 4)  # its parameters are initialised with the net
        with net.graph.at(step=8):
            loss = tg.sum(scores[8] ** 2, name="L")
        feeds = {p: 0.6 * value for p, value in net.initial(seed=0).items()}
        feeds |= {"b_f": np.full(8, 3.0)} if name == "lstm" else {}  # its gates let the past through
        feeds["x"] = np.random.default_rng(0).standard_normal((8, 4))
        found[f"vanishing-{name}"] = viz.draw(loss, backward=True, feeds=feeds, detail="cell", title=name)
    return found


def compositions() -> Drawings:
    g = tg.Graph()
    forced = tg.unroll(models.jordan, steps=4, I=3, H=4, graph=g, forced={"o": g.sequence("y", 4, (4,))})
    return {
        "bidirectional": viz.draw(models.bidirectional(models.gru, 4, I=3, H=4), detail="cell"),
        "free-running": viz.draw(tg.unroll(models.jordan, steps=4, I=3, H=4, O=4), detail="cell"),
        "teacher-forced": viz.draw(forced, detail="cell"),
        "captioner": viz.draw(tg.unroll(models.captioner, steps=4, I=3, H=4, F=5), detail="cell"),
        "skips": viz.draw(skips(), detail="cell"),
        "tree": viz.draw(tree(), detail="cell"),
    }


def differences() -> dict[str, viz.Comparison]:
    net = tg.unroll(models.elman, steps=4, I=3, H=4)
    losses = {t: tg.sum(h**2, name="L") for t, h in net.output.items()}
    return {
        "new-in-peephole": viz.compare(models.lstm, models.CELLS["lstm_peephole"]),
        "truncated": viz.compare(losses, tg.truncate(losses, net.parameters, mode="sliding", k2=2)),
    }


def walk() -> dict[str, str]:
    """One frame of a net worked by hand: the gradient on its way through the first step."""
    g = tg.Graph()
    w, u, h = g.parameter("w"), g.parameter("u"), g.input("h_0")
    for t in (1, 2):
        with g.at(step=t):
            h = tg.tanh(w * g.input(f"x_{t}") + u * h, name="h")
    loss = tg.power(h - 1, 2, name="loss")
    frames = viz.frames(loss, {"w": 0.5, "u": 0.8, "h_0": 0.0, "x_1": 1.0, "x_2": -1.0})
    return {"walk": frames.svg(-3)}


def skips() -> Any:
    """A net of two layers whose output reads both, and the input."""
    net = models.stack(models.elman, layers=2, steps=4, I=4, H=4)
    lower, upper = net.layers
    W = net.graph.parameter("V", (2, 12))
    outputs = []
    for t in range(1, 5):
        with net.graph.at(step=t, scope="out"):
            outputs.append(tg.softmax(W @ tg.concatenate([lower.x[t], lower.h[t], upper.h[t]]), name="o"))
    return outputs


def tree() -> Any:
    g = tg.Graph()
    the, cat, sat, on, it = (g.input(word, (4,)) for word in ("the", "cat", "sat", "on", "it"))
    return models.compose(models.recursive, ((the, cat), (sat, (on, it))))


if __name__ == "__main__":
    for file, svg in (pictures() | charts()).items():
        (Path(__file__).parent / file).write_text(svg, encoding="utf-8")
