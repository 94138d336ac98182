"""Draws the pictures that the README and the docs show: python docs/pictures.py"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.demo import build_hello


def pictures() -> dict[str, str]:
    """The SVG text of each picture, by file name."""
    svg = {name: drawing.svg for name, drawing in drawings().items()}
    return {f"{name}.svg": text for name, text in (svg | walk()).items()}


def drawings() -> dict[str, Any]:
    """Each picture but the frames, by name."""
    return hello() | language() | levels() | rolled() | backward() | mappings() | compositions() | differences()


def charts() -> dict[str, Callable[[], viz.Chart]]:
    """How each chart is made, by file name. Its bytes depend on the version of matplotlib and on rounding."""
    return {
        "flow.svg": lambda: viz.chart(tg.gradient_flow(models.lstm, 100)),
        "spectrum.svg": lambda: viz.chart(tg.gradient_flow(models.lstm, 100).spectrum),
        "pairs.svg": pairs,
        "gates.svg": gates,
        "loss.svg": lambda: viz.chart(training()),
    }


def measured() -> tuple[Any, dict[str, Any]]:
    """An LSTM of twenty steps, and values for it."""
    net = tg.unroll(models.lstm, steps=20, I=3, H=8)
    return net, net.initial(seed=0) | {"x": np.random.default_rng(0).standard_normal((20, 4, 3))}


def gates() -> viz.Chart:
    net, feeds = measured()
    return viz.chart(net, feeds=feeds)


def pairs() -> viz.Chart:
    net, feeds = measured()
    losses = {t: tg.sum(h**2, name="L") for t, h in net.output.items()}
    return viz.chart(tg.contributions(losses, net.parameters["U_f"]), feeds=feeds)


def training() -> list[models.Report]:
    """What a short run of a character model reports."""
    text = 8 * (Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8")
    model = models.LanguageModel(models.Vocabulary.of(text), cell="gru", hidden=32)
    reports: list[models.Report] = []
    settings = models.Settings(updates=150, optimiser="adam", rate=0.01, validation=0.1, validate_every=25)
    models.train(model, text, settings, callbacks=[lambda run, report: reports.append(report)])
    return reports


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
    layers = models.stack(models.elman, layers=2, steps=3, I=3, H=4)
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
        "delays": viz.draw(delays(), rolled=True),
    }


def delays() -> tg.Node:
    """A state that reads what it was one step before, and three."""
    g = tg.Graph()
    U, V, x = g.parameter("U", (4, 4)), g.parameter("V", (4, 4)), g.sequence("x", 9, (4,))
    with g.at(step=0):
        h = [g.constant("h", zeros=(4,))]
    for t in range(1, 10):
        with g.at(step=t):
            h.append(tg.tanh(tg.add([x[t], U @ h[-1], *([V @ h[-3]] if t > 2 else [])]), name="h"))
    return h[-1]


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


def mappings() -> Drawings:
    """The five kinds of mappings in a row: what is read, and at which steps something is said."""
    row = {
        "one to one": plain("xo"),
        "one to many": plain("o", "o", features=True),
        "many to one": plain("x", "xo"),
        "in step": plain("xo", "xo"),
        "out of step": plain("x", "x", "o", "o", turn=3),
    }
    looks = {"detail": "cell", "legend": False, "colours": ("W", "U", "V")}
    drawn = [viz.draw(said, title=title, **looks) for title, said in row.items()]
    return {"mappings": viz.side_by_side(*drawn, between=None)}


def plain(*steps: str, features: bool = False, turn: int = 0) -> list[tg.Node]:
    """What a plain net says, which at each step reads (x), says something (o), or both.

    With features it begins from those. From step `turn` on it is the decoder of what the encoder read before.
    """
    g = tg.Graph()
    W, U, V = g.parameter("W", (4, 3)), g.parameter("U", (4, 4)), g.parameter("V", (2, 4))
    with g.at(step=0):
        h = g.input("h", (4,)) if features else None
    said = []
    for t, does in enumerate(steps, 1):
        with g.at(step=t, scope="" if not turn else "encoder" if t < turn else "decoder"):
            terms = [W @ g.input(f"x_{t}", (3,))] if "x" in does else []
            terms += [U @ h] if h is not None else []
            h = tg.tanh(tg.add(terms) if len(terms) > 1 else terms[0], name="h")
            if "o" in does:
                said.append(tg.softmax(V @ h, name="o"))
    return said


def compositions() -> Drawings:
    g = tg.Graph()
    forced = tg.unroll(models.jordan, steps=4, I=3, H=4, graph=g, forced={"o": g.sequence("y", 4, (4,))})
    looks, feeds = translator()
    return {
        "bidirectional": viz.draw(models.bidirectional(models.gru, 4, I=3, H=4), detail="cell"),
        "free-running": viz.draw(tg.unroll(models.jordan, steps=4, I=3, H=4, O=4), detail="cell"),
        "teacher-forced": viz.draw(forced, detail="cell"),
        "captioner": viz.draw(tg.unroll(models.captioner, steps=4, I=3, H=4, F=5), detail="cell"),
        "skips": viz.draw(skips(), detail="cell"),
        "tree": viz.draw(tree(), detail="cell"),
        "attention": viz.draw(looks, detail="cell", feeds=feeds, attention="alpha"),
        "beam": viz.draw(beam(), detail="cell", feeds={"start": np.zeros(1)}, badges="value"),
    }


def differences() -> dict[str, viz.Comparison | viz.Drawing]:
    net = tg.unroll(models.elman, steps=6, I=3, H=4)
    losses = {}
    for t, h in net.output.items():
        with net.graph.at(step=t):
            losses[t] = tg.sum(h**2, name="L")
    chunks = tg.truncate(losses, net.parameters, mode="chunk", k1=2)
    short = {t: losses[t] for t in (1, 2, 3)}
    return {
        "cells": viz.compare(models.elman, models.lstm, models.CELLS["lstm_peephole"], detail="cell"),
        "chunks": viz.draw(chunks, detail="cell", backward=True),
        "truncated": viz.compare(short, tg.truncate(short, net.parameters, mode="chunk", k1=2), legend=False),
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


def translator() -> tuple[list[tg.Node], dict[str, Any]]:
    """The outputs of a decoder that looks back at the states of an encoder, and values for a picture."""
    g = tg.Graph()
    encoder = tg.unroll(models.elman, steps=3, I=3, H=3, graph=g, scope="encoder")
    memory = tg.stack([encoder.h[t] for t in (1, 2, 3)])
    U, C, V = (g.parameter(f"decoder/{name}", (3, 3)) for name in "UCV")
    s, outputs = encoder.h[3], []
    for t in (4, 5, 6):
        with g.at(step=t, scope="decoder"):
            alpha = tg.softmax(memory @ s * 2, name="alpha")
            s = tg.tanh(U @ s + C @ (alpha @ memory), name="s")
            outputs.append(tg.softmax(V @ s, name="o"))
    rng = np.random.default_rng(4)
    feeds = {name: 1.5 * rng.standard_normal(node.shape) for name, node in g.parameters.items()}
    return outputs, feeds | {"encoder/x": rng.standard_normal((3, 3))}


def beam() -> list[tg.Node]:
    """A beam of two: what three steps of the search looked at, with log-probabilities; what was dropped ends early."""
    g = tg.Graph()

    def said(before: tg.Node, word: str, probability: float) -> tg.Node:
        return tg.add(before, round(float(np.log(probability)), 2), name=word)

    start = g.input("start", (1,))
    the, a, dropped = said(start, "the", 0.6), said(start, "a", 0.3), said(start, "some", 0.05)
    cat, dog = said(the, "cat", 0.5), said(the, "dog", 0.4)
    ends = [said(cat, "sat", 0.6), said(cat, "ran", 0.2), said(dog, "sat", 0.3), said(dog, "ran", 0.6)]
    return [*ends, said(a, "cat", 0.2), said(a, "dog", 0.7), dropped]


def tree() -> Any:
    g = tg.Graph()
    the, cat, sat, on, it = (g.input(word, (4,)) for word in ("the", "cat", "sat", "on", "it"))
    return models.compose(models.recursive, ((the, cat), (sat, (on, it))))


if __name__ == "__main__":
    for file, svg in (pictures() | {file: made().svg for file, made in charts().items()}).items():
        (Path(__file__).parent / file).write_text(svg, encoding="utf-8")
