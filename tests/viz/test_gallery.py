"""Every picture of the gallery, and 200 nets at random, as they are written: tidy, legible, and whole."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError
from tinygraph.graph import cone
from tinygraph.models.catalogue import SYSTEMS
from tinygraph.viz import arrangement, closing, shapes
from tinygraph.viz.straightening import JOG

from .compilers import graphviz_counts, latex_pages, needs_graphviz, needs_latex
from .pictures import groups
from .test_levels import random_net
from .ways import crossings, faults, jogs, read_svg

SLIDE = (960.0, 540.0)  # points: 13.33 x 7.5 inches
READABLE = 8.0
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def gallery() -> Iterator[Any]:
    """The module that draws the gallery."""
    sys.path.insert(0, str(DOCS))
    import pictures

    yield pictures
    sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def drawings(gallery: Any) -> dict[str, Any]:
    return gallery.drawings()


def test_every_picture_is_tidy(drawings: dict[str, Any]) -> None:
    found = {name: faults(drawing.svg) for name, drawing in drawings.items()}
    assert {name: wrong[:3] for name, wrong in found.items() if wrong} == {}


def test_text_is_legible_on_a_slide() -> None:
    """Of each picture fitted to a slide, subscripts and badges too."""
    small = {}
    for path in sorted(DOCS.glob("*.svg")):
        svg = path.read_text(encoding="utf-8")
        if 'class="tinygraph' in svg:  # charts have their own sizes: no text below 10 pt in a third of a slide
            seen = read_svg(svg)
            fit = min(SLIDE[0] / seen.whole.right, SLIDE[1] / seen.whole.bottom)
            least = min(size for _, size, _, _ in seen.words)
            if fit * least < READABLE - 0.01:
                small[path.name] = fit * least
    assert small == {}


def test_what_is_counted_is_drawn(drawings: dict[str, Any]) -> None:
    for name, drawing in drawings.items():
        whole = drawing_of(drawing)
        if not name.startswith("legend"):
            counted = whole.nodes, whole.edges, whole.gradients
            assert counted == tuple(len(groups(whole, word)) for word in ("node", "edge", "gradient")), name


VARIED = ("nodes", "chunks", "attention", "teacher-forced", "delays")  # all that a picture can have


@needs_latex
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["varied", "every"])
def test_latex_compiles_the_pictures(drawings: dict[str, Any], tmp_path: Path, every: bool) -> None:
    own = {name: drawing for name, drawing in drawings.items() if getattr(drawing, "scene", None)}
    texts = [own[name].tex for name in (own if every else VARIED)]
    assert latex_pages(texts, tmp_path) == len(texts)


@needs_graphviz
def test_graphviz_draws_every_picture(drawings: dict[str, Any]) -> None:
    drawn = [drawing for drawing in drawings.values() if getattr(drawing, "scene", None)]
    counts = [(drawing.nodes, drawing.edges + drawing.gradients) for drawing in drawn]
    assert graphviz_counts([drawing.dot for drawing in drawn]) == counts


def test_no_better_order_removes_a_crossing(gallery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two neighbours in a row that change places have fewer lines cross."""
    seen, order_rows = [], arrangement._order

    def looked_at(one: Any) -> None:
        order_rows(one)
        fewest = arrangement._crossings(one)
        for order in one.rows.values():
            for i in range(len(order) - 1):
                order[i : i + 2] = order[i + 1], order[i]
                seen.append(arrangement._crossings(one) >= fewest)
                order[i : i + 2] = order[i + 1], order[i]

    monkeypatch.setattr(arrangement, "_order", looked_at)
    for draw in (gallery.levels, gallery.mappings, gallery.compositions, gallery.differences):
        draw()
    for seed in range(0, 200, 10):
        viz.draw(random_net(seed))
    assert len(seen) > 100
    assert all(seen)


def test_no_edge_steps_aside(drawings: dict[str, Any]) -> None:
    for name, drawing in drawings.items():
        if drawing_of(drawing).layout is not None:
            assert jogs([route.points for route in drawing_of(drawing).layout.routes], JOG) == [], name


def test_edges_into_one_box_do_not_cross(gallery: Any, drawings: dict[str, Any], monkeypatch: Any) -> None:
    """But for looks at a memory: they pass over the state that the encoder hands on."""
    crossed = {name: crossed_ends(drawing_of(drawing)) for name, drawing in drawings.items()}
    assert {name for name, often in crossed.items() if often} <= {"attention"}
    monkeypatch.setattr(shapes, "FROM_LEFT", ())
    assert crossed_ends(gallery.compositions()["teacher-forced"]) > 0


def drawing_of(picture: Any) -> Any:
    return getattr(picture, "drawing", picture)


def crossed_ends(drawing: Any) -> int:
    """How often two edges that end in the same box cross."""
    into: dict[int, list[Any]] = {}
    for route in drawing.layout.routes if drawing.layout else ():
        into.setdefault(drawing.scene.edges[route.edge].target, []).append(route.points)
    return sum(crossings(a, b) for ways in into.values() for a, b in combinations(ways, 2))


DEEP = ("translator_deep", "translator_both_ways_deep", "glimpses")


@pytest.mark.parametrize("names", [DEEP, pytest.param(tuple(SYSTEMS), marks=pytest.mark.slow)], ids=["deep", "all"])
def test_systems_are_tidy(names: tuple[str, ...]) -> None:
    for name in names:
        outputs = list(SYSTEMS[name].build(3).outputs)
        for detail in ("cell", "gates"):
            assert faults(viz.draw(outputs, detail=detail).svg) == [], (name, detail)


def test_cells_that_stand_in_one_lane_are_told_apart_by_scope() -> None:
    """A deep translator's scopes feed each other within a step, so that it has one lane."""
    scene, _ = viz.draw(list(SYSTEMS["translator_both_ways_deep"].build(3).outputs), detail="cell").parts("this")
    cells = [box for box in scene.boxes if box.kind == "cell" and box.step == 2]
    assert len(scene.lanes) == 1
    assert len(cells) == len({box.scope for box in cells}) == 5


def test_cells_that_feed_each_other_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_cell", lambda state, scope: (*state[:2], "cell", state[3]))
    with pytest.raises(DrawingError, match=r'(?s)feed each other in turn.*detail="gates"'):
        viz.draw(list(SYSTEMS["translator_both_ways_deep"].build(3).outputs), detail="cell")


@pytest.mark.parametrize("seeds", [range(0, 60), pytest.param(range(60, 200), marks=pytest.mark.slow)])
def test_random_nets_are_tidy_and_whole(seeds: range) -> None:
    for seed in seeds:
        net = random_net(seed)
        nodes = cone(net if isinstance(net, list) else [net])
        drawing = viz.draw(net, fold=False)
        assert drawing.svg.count('class="node ') == len(nodes) == drawing.nodes
        assert drawing.svg.count('class="edge ') == sum(len(node.args) for node in nodes) == drawing.edges
        if seed % 4 == 0:
            assert faults(drawing.svg) == []


def test_the_reader_finds_faults() -> None:
    svg = viz.draw(tg.unroll(models.elman, steps=2, I=2, H=2)).svg
    assert faults(svg) == []
    seen = read_svg(svg)
    long = svg.replace("<tspan>h</tspan>", "<tspan>hidden state</tspan>", 1)
    assert any("leaves its box" in fault for fault in faults(long))
    moved = re.search(r'class="drawing" transform="translate\([\d.]+ ([\d.]+)\)', svg)
    assert moved
    level = seen.boxes["h_2"].top + 5 - float(moved[1])
    wide = svg.replace('<path d="M', f'<path d="M0 {level}h900M', 1)
    assert any("runs through h_2" in fault for fault in faults(wide))
    assert any("leaves it" in fault for fault in faults(wide))
    twice = svg.replace("</svg>", '<text x="20" y="20">one</text><text x="22" y="22">two</text></svg>')
    assert any("meet" in fault for fault in faults(twice))
