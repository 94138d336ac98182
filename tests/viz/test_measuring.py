"""The numbers in pictures: shares of the gradient, badges, and local derivatives, each against another computation."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError, FeedError
from tinygraph.viz.labels import name_label
from tinygraph.viz.measuring import measure, short
from tinygraph.viz.scale import scale_of
from tinygraph.viz.selection import select
from tinygraph.viz.slopes import slope_label, slope_values
from tinygraph.viz.style import DARK, LIGHT, letters_on

from .pictures import SVG, groups, parse, texts


def fed_net(steps: int = 5, scale: float = 1.0) -> tuple[Any, dict[int, Any], dict[str, Any]]:
    """An Elman net, its losses by step, and values of a batch of two."""
    net = tg.unroll(models.elman, steps=steps, I=3, H=4)
    losses = {t: tg.sum(net.h[t] ** 2, name="L") for t in range(1, steps + 1)}
    feeds = {name: scale * value for name, value in net.initial(seed=0).items()}
    return net, losses, feeds | {"x": np.random.default_rng(0).standard_normal((steps, 2, 3))}


def test_shares_are_contributions() -> None:
    net, losses, feeds = fed_net()
    total = tg.add(list(losses.values()))
    found = measure(select(total, True), feeds)
    for name, parameter in net.parameters.items():
        uses = tg.contributions(losses, parameter)
        summed = {s: tg.add([uses[t, s] for t in losses if t >= s]) for s in losses}
        wanted = {s: np.linalg.norm(value) for s, value in tg.evaluate(summed, feeds).items()}
        nodes = {node.id: node for node in select(total, True).nodes}
        shares = {nodes[id].step: share for (id, i), share in found.shares.items() if nodes[id].args[i] is parameter}
        assert shares == pytest.approx(wanted, rel=1e-12), name
    gradients = tg.evaluate(tg.grad(total, [net.h[2], net.parameters["U"]]), feeds)
    for node, value in zip([net.h[2], net.parameters["U"]], gradients, strict=True):
        np.testing.assert_allclose(found.gradients[node.id], value, rtol=1e-12)


def test_measuring_leaves_the_tape_alone() -> None:
    net, losses, feeds = fed_net()
    before = len(net.graph)
    viz.draw(losses[5], backward=True, feeds=feeds, badges=("norm", "gradient"), detail="nodes")
    assert len(net.graph) == before


def widths(drawing: Any) -> dict[tuple[str, str], float]:
    found = {}
    for g in groups(drawing, "gradient"):
        line = next(g.iter(f"{SVG}path"))
        found[g.get("data-from", ""), g.get("data-to", "")] = float(line.get("stroke-width", ""))
    return found


def test_vanishing_is_seen() -> None:
    net, losses, feeds = fed_net(steps=6, scale=0.5)
    drawing = viz.draw(losses[6], backward=True, feeds=feeds, detail="cell")
    name = drawing.names
    by_step = [widths(drawing)[name[net.h[t + 1]], name[net.h[t]]] for t in range(1, 6)]
    assert by_step == sorted(by_step)
    assert by_step[0] < 0.5 * by_step[-1]
    assert "norm of the gradient" in drawing.svg
    assert "norm of the gradient" not in viz.draw(losses[6], backward=True).svg
    titles = [g.findtext(f"{SVG}title") or "" for g in groups(drawing, "weight")]
    assert sum("gradient of norm" in title for title in titles) == 12  # W and U, each six times
    assert sum("gradient of norm 0 " in title for title in titles) == 1  # U (h_0 = 0)


def test_a_gradient_of_zero_is_dotted() -> None:
    g = tg.Graph()
    w, x = g.parameter("w", (2,)), g.input("x", (2,))
    drawing = viz.draw(tg.sum(tg.relu(w * x)) + tg.sum(w), backward=True, feeds={"w": [1.0, 1.0], "x": [-1.0, -2.0]})
    assert sum("gradient of norm 0<" in line for line in drawing.svg.splitlines()) == 2


def test_scale() -> None:
    scale = scale_of([1.0, 1e-3, 0.0, np.inf, 1e-40])
    assert scale is not None
    assert [scale.place(norm) for norm in (0.0, 1e-40, 1e-12, 1e-6, 1.0, np.inf)] == [0, 0, 0, 0.5, 1, 1]
    narrow = scale_of([3.0, 4.0])
    assert narrow is not None
    assert narrow.place(3.0) > 0.9  # what hardly differs looks alike
    assert scale_of([0.0, np.nan]) is None
    lightness = [int(colour[1:3], 16) + int(colour[3:5], 16) + int(colour[5:], 16) for colour in LIGHT.flow]
    assert lightness == sorted(lightness, reverse=True)
    assert [letters_on(theme, theme.flow[-1]) for theme in (LIGHT, DARK)] == [LIGHT.background, DARK.background]


def test_badges() -> None:
    g = tg.Graph()
    x, y = g.input("x"), g.input("y")
    f = tg.mul(tg.add(x, y, name="q"), g.input("z", (3,)), name="f")
    feeds = {"x": 2.0, "y": -5.0, "z": [1.0, 2.0, 2.0]}
    assert {"x  2", "y  −5", "z  1, 2, 2", "q = +  −3", "f = ⊙  −3, −6, −6"} == set(
        texts(viz.draw(f, feeds=feeds, badges="value"))
    )
    assert "z  ‖3‖" in texts(viz.draw(f, feeds=feeds, badges="norm"))
    assert "f = ⊙  (3)" in texts(viz.draw(f, badges="shape"))
    drawing = viz.draw(f, feeds=feeds, badges=("value", "gradient"), backward=True)
    assert {"q = +  −3 | ∂ 5", "x  2 | ∂ 5"} <= set(texts(drawing))
    for wrong in ("values", ("value", 3), 3):
        with pytest.raises(DrawingError, match="badges"):
            viz.draw(f, feeds=feeds, badges=wrong)
    with pytest.raises(DrawingError, match="feeds"):
        viz.draw(f, badges="norm")
    with pytest.raises(FeedError):
        viz.draw(f, feeds={"x": 2.0}, badges="value")


def test_numbers_are_short() -> None:
    assert [short(v) for v in (0.46212, -1.1296, 3.07e-7, 12.0, True, 123456.0, np.nan)] == [
        "0.462", "−1.13", "3.07e-07", "12", "true", "1.23e+05", "nan",
    ]  # fmt: skip


def test_local_derivatives_are_slopes() -> None:
    g = tg.Graph()
    a, b = g.input("a"), g.input("b")
    roots = [a + b, a - b, a * b, a / b, tg.tanh(a), tg.sigmoid(b), a**3, tg.exp(a), tg.log(b), tg.relu(a), -a]
    feeds, step = {"a": 0.7, "b": 1.3}, 1e-6
    found = slope_values(select(roots, False), feeds)
    assert len(found) == sum(len([arg for arg in root.args if arg in (a, b)]) for root in roots)
    for root in roots:
        for index, arg in enumerate(root.args):
            if (root.id, index) in found:
                ends = [tg.evaluate(root, feeds | {arg.name: feeds[arg.name] + way * step}) for way in (1, -1)]
                assert found[root.id, index] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-8)


def test_local_derivatives_in_words() -> None:
    g = tg.Graph()
    a, b, W = g.input("a", (2,)), g.input("b", (2,)), g.parameter("W", (2, 2))

    def words(node: Any, index: int) -> str:
        label = slope_label(node, index, lambda one: name_label(one.name))
        return "".join({1: "^", -1: "_"}.get(span.level, "") + span.text for span in label)

    assert [words(a + b, 0), words(a - b, 1), words(a * b, 0), words(a * b, 1)] == ["1", "−1", "b", "a"]
    assert [words(W @ a, 0), words(W @ a, 1)] == ["a", "W"]
    assert words(tg.tanh(a, name="h"), 0) == "1 − h^2"
    assert words(tg.sigmoid(a), 0) == "y − y^2"
    assert words(tg.softmax(a), 0) == ""
    assert words(tg.where(a > 0, a, b), 0) == ""


def test_gates_of_lectures() -> None:
    g = tg.Graph()
    x, y, z = g.input("x"), g.input("y"), g.input("z")
    f = tg.mul(tg.add(x, y, name="q"), z, name="f")
    marks = ["".join(next(e.iter(f"{SVG}text")).itertext()) for e in groups(viz.draw(f, detail="nodes"), "mark")]
    assert sorted(marks) == ["1", "1", "q", "z"]
    drawing = viz.draw(f, detail="nodes", feeds={"x": -2, "y": 5, "z": -4}, backward=True, badges="gradient")
    marks = ["".join(next(e.iter(f"{SVG}text")).itertext()) for e in groups(drawing, "mark")]
    assert sorted(marks) == ["1", "1", "3", "−4"]
    assert {"x  ∂ −4", "y  ∂ −4", "z  ∂ 3"} <= set(texts(drawing))
    assert not re.search(r"\d{6}", "".join(texts(drawing)))
    assert parse(drawing) is not None
