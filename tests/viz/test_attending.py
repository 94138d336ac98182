"""Attention as edges: one from each position to each reader, as strong as its weight."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError
from tinygraph.viz.geometry import Route, Way
from tinygraph.viz.looks import Looks
from tinygraph.viz.scene import Box, Edge, Scene
from tinygraph.viz.style import THEMES, mixed

from .pictures import groups
from .ways import faults

S, T = 3, 2


@pytest.fixture(scope="module")
def looking() -> tuple[Any, Any, dict[str, Any]]:
    encoder = tg.unroll(models.elman, steps=S, I=2, H=3, scope="encoder")
    g = encoder.graph
    memory, U, C = models.memory_of(encoder.output)["memory"], g.parameter("U", (3, 3)), g.parameter("C", (3, 3))
    weights, s, seen = {}, encoder.h[S], g.input("seen", (S,), kind="boolean")
    for t in range(S + 1, S + T + 1):
        with g.at(step=t, scope="decoder"):
            scores = tg.where(seen, memory @ s, -50)
            weights[t] = tg.softmax(scores, name="alpha")
            s = tg.tanh(U @ s + C @ (weights[t] @ memory), name="s")
    rng = np.random.default_rng(0)
    feeds = {name: rng.standard_normal(p.shape) for name, p in g.parameters.items()}
    return s, weights, feeds | {"encoder/x": rng.standard_normal((S, 4, 2)), "seen": np.ones((4, S), dtype=bool)}


def test_every_reader_looks_at_every_position(looking: Any) -> None:
    s, weights, feeds = looking
    drawing = viz.draw(s, detail="cell", feeds=feeds, attention="alpha")
    edges = [edge for edge in drawing.scene.edges if edge.attention is not None]
    boxes = drawing.scene.boxes
    ends = {(boxes[e.source].id, boxes[e.target].id) for e in edges}
    assert ends == {(f"encoder-h_{p}", f"decoder-s_{t}") for p in range(1, S + 1) for t in weights}
    for t, node in weights.items():
        means = tg.evaluate(node, feeds).mean(axis=0)
        own = {e.position: e.attention for e in edges if boxes[e.target].id == f"decoder-s_{t}"}
        assert np.allclose([own[i] for i in range(S)], means)
    assert not [box for box in boxes if box.op == "stack" or box.id == "seen"]
    assert len(groups(drawing, "attention")) == S * T
    assert "weight of attention" in drawing.svg
    assert faults(drawing.svg) == []


def test_stronger_is_darker_and_wider(looking: Any) -> None:
    s, _, feeds = looking
    drawing = viz.draw(s, detail="cell", feeds=feeds, attention="alpha")
    looks = Looks(drawing.scene, drawing.theme)
    lines = [looks.attention(weight) for weight in (0.0, 0.3, 1.0)]
    assert [line.width for line in lines] == sorted(line.width for line in lines)
    greens = [int(line.colour[3:5], 16) for line in lines]
    assert greens == sorted(greens, reverse=True)
    assert lines[-1].colour == drawing.theme.attention
    written = re.findall(r'class="edge attention.*?stroke-width="([\d.]+)"', drawing.svg)
    assert [float(w) for w in written] == sorted(float(w) for w in written), "the strongest on top"


def test_looks_come_in_by_one_line_and_states_by_another(looking: Any) -> None:
    s, _, feeds = looking
    scene, layout = viz.draw(s, detail="cell", feeds=feeds, attention="alpha").parts("this")
    into: dict[int, set[Any]] = {}
    states = []
    for route in layout.routes:
        edge = scene.edges[route.edge]
        if edge.attention is not None:
            into.setdefault(edge.target, set()).add((route.net, *route.points[-2:]))
        elif scene.boxes[edge.source].id == f"encoder-h_{S}":
            states.append((route.net, *route.points[-2:]))
    assert [len(ends) for ends in into.values()] == [1] * T
    assert len(states) == 1
    assert not any(states[0] in ends for ends in into.values())


def test_a_dot_is_as_strong_as_what_goes_on_from_it() -> None:
    """Two readers look at one position, the farther one strongly: the dot where the nearer look leaves is strong."""
    boxes = [Box(name, "cell", (), ("steps", name), 0, "", "", "") for name in "hab"]
    edges = [Edge("a", 0, 1, 0, attention=0.1), Edge("b", 0, 2, 0, attention=0.9)]
    looks = Looks(Scene([], [], boxes=boxes, edges=edges), THEMES["light"])
    near = Route(0, "a", Way(((0, 0), (0, -10), (5, -10), (5, -20))), 0.0)
    far = Route(1, "b", Way(((0, 0), (0, -15), (9, -15), (9, -20))), 0.0)
    dots = looks.dots([near, far], [looks.line(edge) for edge in edges])
    assert dots["a", (0, -10)] == dots["b", (0, -15)] == looks.attention(0.9).colour != looks.attention(0.1).colour


def test_colours_mix() -> None:
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"
    for theme in THEMES.values():
        assert mixed(theme.background, theme.attention, 1.0) == theme.attention


def test_what_looks_at_nothing(looking: Any) -> None:
    s, _, feeds = looking
    with pytest.raises(DrawingError, match="need values"):
        viz.draw(s, detail="cell", attention="alpha")
    with pytest.raises(DrawingError, match="did you mean 'alpha'"):
        viz.draw(s, detail="cell", feeds=feeds, attention="alhpa")
