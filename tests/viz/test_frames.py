"""Frames: each equation of the walk once, with the boxes and edges that it is about."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import viz
from tinygraph.errors import DrawingError, UsageError
from tinygraph.models import CELLS
from tinygraph.viz import stepping

from .pictures import SVG

FEW = ("elman", "lstm", "gru", "mgu")


def by_hand() -> tuple[Any, dict[str, float]]:
    """Two steps of h = tanh(w x + u h)."""
    g = tg.Graph()
    w, u, h = g.parameter("w"), g.parameter("u"), g.input("h_0")
    for t in (1, 2):
        with g.at(step=t):
            h = tg.tanh(w * g.input(f"x_{t}") + u * h, name="h")
    return tg.power(h - 1, 2, name="loss"), {"w": 0.5, "u": 0.8, "h_0": 0.0, "x_1": 1.0, "x_2": -1.0}


def of_cell(name: str, steps: int = 2) -> Any:
    cell = CELLS[name]
    net = tg.unroll(cell, steps, sizes=dict.fromkeys(cell.sizes, 2))
    x = np.random.default_rng(0).standard_normal((steps, 2))
    return viz.frames(tg.sum(net.output[steps] ** 2, name="L"), net.initial(0) | {"x": x})


@pytest.fixture(scope="module")
def frames() -> Any:
    return viz.frames(*by_hand(), title="Two steps")


def test_each_row_of_the_walk_has_its_frame(frames: Any) -> None:
    rows = list(tg.walk(*by_hand()))
    given = [row for row in rows if not row.equation]
    assert frames[0].rows == tuple(given)
    assert frames[0].title == "Given"
    assert [frame.rows for frame in frames[1:]] == [(row,) for row in rows if row.equation]
    assert len(frames) == 11
    assert frames[5].title == "Backward, t = 2: dh_2"
    assert frames[2].lines == (
        ("h_2", "tanh(w * x_2 + u * h_1)", "tanh(0.5 * (-1.) + 0.8 * 0.4621)", "-0.1296"),
    )  # fmt: skip


def test_a_frame_is_about_the_boxes_of_its_equation(frames: Any) -> None:
    about = {frame.rows[0].name: set(frame.now) for frame in frames}
    assert {"h_1", "w", "u", "h_0", "x_1", "x_2"} - set(frames[0].now) == {"h_1"}
    boxes = {name for name in about["h_2"] if "--" not in name}
    assert "h_2" in boxes
    assert len(boxes) == 4, "tanh, the sum and both products"
    assert {name for name in about["dh_1"] if "--" not in name} == {"h_1"}
    assert {name for name in about["dw"] if "--" not in name} == {"w"}
    assert sum(name.endswith("--back") for name in about["dw"]) == 2, "both uses of w"


def test_steps_look_alike_and_all_belongs_to_the_loss() -> None:
    """The walk goes without what a zero state makes zero, and without the zeros that are left of its gradient."""
    scene, layout = of_cell("gru").drawings[0].parts("this")
    height = {box.id: r.y for box, r in zip(scene.boxes, layout.boxes, strict=True)}
    for name in ("h", "z", "x"):
        assert height[f"{name}_1"] == height[f"{name}_2"]
    sources = {edge.source for edge in scene.edges}
    assert [box.id for i, box in enumerate(scene.boxes) if i not in sources] == ["L"]


def test_backward_comes_in_the_order_of_the_gradient(frames: Any) -> None:
    drawing = frames.drawings[0]
    ends = {f"{e.id}--back": (drawing.scene.boxes[e.target].id, drawing.scene.boxes[e.source].id)
            for e in drawing.scene.edges if e.gradient}  # fmt: skip
    for name, (high, _) in ends.items():
        into = [frames.first[other] for other, (_, low) in ends.items() if low == high]
        assert all(frames.first[name] >= first for first in into)


@pytest.mark.parametrize("name", FEW)
def test_every_part_comes_in_once_and_is_highlighted(name: str) -> None:
    frames = of_cell(name)
    drawing = frames.drawings[0]
    parts = {box.id for box in drawing.scene.boxes} | {edge.id for edge in drawing.scene.edges}
    parts |= {f"{edge.id}--back" for edge in drawing.scene.edges if edge.gradient}
    assert parts <= set(frames.first)
    for part in parts:
        assert part in frames[frames.first[part]].now
    for edge in drawing.scene.edges:
        source, target = drawing.scene.boxes[edge.source].id, drawing.scene.boxes[edge.target].id
        assert frames.first[source] <= frames.first[edge.id] == frames.first[target]
    backward = [i for i, frame in enumerate(frames) if frame.rows[0].backward]
    reached = {edge.id: frames.first[f"{edge.id}--back"] for edge in drawing.scene.edges if edge.gradient}
    assert set(reached.values()) <= set(backward)
    assert max(frames.first[edge.id] for edge in drawing.scene.edges) < min(backward)


def test_a_still_shows_what_is_done(frames: Any) -> None:
    seen = []
    for i in range(len(frames)):
        root = ElementTree.fromstring(frames.svg(i))
        seen.append({g.get("id") for g in root.iter(f"{SVG}g") if "todo" in g.get("class", "").split()})
        assert seen[-1] == {part for part, first in frames.first.items() if first > i}
        now = {g.get("id") for g in root.iter(f"{SVG}g") if "now" in g.get("class", "").split()}
        assert now == set(frames[i].now)
        told = root.findtext(f"{SVG}desc") or ""
        assert all(row.value in told and row.numbers in told for row in frames[i].rows)
        assert root.findtext(f"{SVG}title") == frames[i].title
    assert all(later <= earlier for earlier, later in pairwise(seen))
    assert seen[-1] == set()
    sizes = {ElementTree.fromstring(frames.svg(i)).get("viewBox") for i in range(len(frames))}
    assert len(sizes) == 1, "slides of one size"
    assert frames.svg(-1) == frames.svg(len(frames) - 1)


def test_long_equations_are_cut_in_the_picture_and_whole_in_the_description() -> None:
    frames = of_cell("lstm")
    for i in (0, len(frames) - 1):
        root = ElementTree.fromstring(frames.svg(i))
        width = float(root.get("viewBox", "").split()[2])
        caption = next(g for g in root.iter(f"{SVG}g") if g.get("class") == "caption")
        lines = [line.text or "" for line in caption]
        assert len(lines) <= 10
        assert all(len(line) * 5 < width for line in lines)
        assert frames[i].rows[-1].value in (root.findtext(f"{SVG}desc") or "")


def test_save(tmp_path: Path, frames: Any) -> None:
    assert frames.save(tmp_path / "walk.html") == [tmp_path / "walk.html"]
    assert (tmp_path / "walk.html").read_text(encoding="utf-8") == frames.html
    names = [path.name for path in frames.save(tmp_path / "walk.svg")]
    assert names == [f"walk-{i:02}.svg" for i in range(1, 12)]
    assert (tmp_path / "walk-03.svg").read_text(encoding="utf-8") == frames.svg(2)
    with pytest.raises(DrawingError, match="cannot save"):
        frames.save(tmp_path / "walk.gif")
    with pytest.raises(DrawingError, match="cannot write"):
        frames.save(tmp_path / "missing" / "walk.html")


def test_the_same_bytes_again() -> None:
    assert viz.frames(*by_hand()).html == viz.frames(*by_hand()).html


def test_in_a_notebook(frames: Any) -> None:
    shown = frames._repr_html_()
    assert shown.count("<") == 2, "a frame of its own, and nothing that could get out of it"
    assert repr(frames) == "<Frames: 11 frames>"


def test_options_and_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    loss, feeds = by_hand()
    assert len(viz.frames(loss, feeds, theme="dark").drawings) == 1
    assert "s_2" in {row.name for frame in viz.frames(loss, feeds, notation={"h": "s"}) for row in frame.rows}
    names = {row.name for frame in viz.frames(loss, feeds, loss.graph.parameters["u"]) for row in frame.rows}
    assert "du" in names
    assert "dw" not in names
    with pytest.raises(UsageError, match="needs a loss"):
        viz.frames(3, feeds)  # type: ignore[arg-type]
    with pytest.raises(DrawingError, match="theme"):
        viz.frames(loss, feeds, theme="green")
    monkeypatch.setattr(stepping, "FRAME_LIMIT", 5)
    with pytest.raises(DrawingError, match="more than 5"):
        viz.frames(loss, feeds)
