"""No box on a box, no edge through a box, no two edges that look like one, nothing outside the picture."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

from tinygraph.viz.geometry import Way
from tinygraph.viz.labels import label_width
from tinygraph.viz.layout import lay_out
from tinygraph.viz.scene import build_scene
from tinygraph.viz.selection import select

from .pictures import CASES, chain

CLEAR = 2.5


def laid_out(what: Any, fold: Any = "auto", backward: bool = False) -> Any:
    scene = build_scene(select(what, backward), fold)
    return scene, lay_out(scene)


def placed(scene: Any, layout: Any) -> list[tuple[Any, Any]]:
    """The boxes that stand in columns, with their rectangles."""
    return [(box, r) for box, r in zip(scene.boxes, layout.boxes, strict=True) if box.column >= 0]


def overlaps(rectangles: list[Any]) -> list[tuple[Any, Any]]:
    """Pairs that touch, found along a sweep from the left."""
    found, active = [], []
    for r in sorted(rectangles, key=lambda r: r.x):
        active = [other for other in active if other.right > r.x - CLEAR]
        found += [(other, r) for other in active if other.y < r.bottom and r.y < other.bottom]
        active.append(r)
    return found


def pierced(scene: Any, layout: Any) -> list[str]:
    """Edges that run through a box that is not one of their ends."""
    found = []
    for route in layout.routes:
        edge = scene.edges[route.edge]
        for a, b in pairwise(route.points):
            left, right = sorted((a[0], b[0]))
            top, bottom = sorted((a[1], b[1]))
            for index, r in enumerate(layout.boxes):
                inside = left < r.right and r.x < right if left != right else r.x < left < r.right
                inside &= top < r.bottom and r.y < bottom if top != bottom else r.y < top < r.bottom
                if inside and index not in (edge.source, edge.target):
                    found.append(f"{edge.id} through {scene.boxes[index].id}")
    return found


def merged(layout: Any) -> list[tuple[Any, ...]]:
    """Pieces of edges of different nets that lie on each other."""
    lines = defaultdict(list)
    for route in layout.routes:
        for a, b in pairwise(route.points):
            axis = 0 if a[1] == b[1] else 1
            lines[axis, round(a[1 - axis] * 2)].append((*sorted((a[axis], b[axis])), route.net))
    found = []
    for place, pieces in lines.items():
        reach: list[tuple[float, str]] = []
        for low, high, net in sorted(pieces):
            found += [(place, low, end, net, other) for end, other in reach if other != net and end > low + 0.01]
            reach = [(end, other) for end, other in reach if end > low and other != net] + [
                (max([high, *(end for end, other in reach if other == net)]), net)
            ]
    return found


@pytest.mark.parametrize("name", CASES)
def test_pictures_are_tidy(name: str) -> None:
    scene, layout = laid_out(CASES[name]())
    assert not overlaps(layout.boxes)
    assert not pierced(scene, layout)
    assert not merged(layout)
    for box, r in zip(scene.boxes, layout.boxes, strict=True):
        assert label_width(box.label) <= r.width
        assert r.x >= 0
        assert r.y >= 0
        assert r.right <= layout.width + 1e-6
        assert r.bottom <= layout.height + 1e-6
    for route in layout.routes:
        for x, y in route.points:
            assert 0 <= x <= layout.width + 1e-6
            assert 0 <= y <= layout.height + 1e-6
        for a, b in pairwise(route.points):
            assert (a[0] == b[0]) != (a[1] == b[1])
        (x, y), end = route.points[-1], layout.boxes[scene.edges[route.edge].target]
        assert (x in (end.x, end.right) and end.y < y < end.bottom) or (y == end.bottom and end.x < x < end.right)


@pytest.mark.parametrize("name", ["lstm-4", "gru-4", "stacked"])
def test_steps_look_alike(name: str) -> None:
    scene, layout = laid_out(CASES[name]())
    by_key = defaultdict(dict)
    for box, r in zip(scene.boxes, layout.boxes, strict=True):
        if box.column > 0:
            by_key[box.key][box.column] = r
    origin = {c: min(rs[c].x for rs in by_key.values() if c in rs) for c in range(1, len(scene.columns))}
    places = [{(round(r.x - origin[c], 3), r.y, r.width) for c, r in rs.items()} for rs in by_key.values()]
    assert all(len(place) == 1 for place in places)
    assert len(places) > 10


def test_the_checks_can_fail() -> None:
    scene, layout = laid_out(CASES["lstm-2"]())
    layout.boxes[20] = layout.boxes[21]
    assert overlaps(layout.boxes)
    scene, layout = laid_out(CASES["lstm-2"]())
    y = layout.routes[30].points[0][1]
    across = Way(((0.0, y), (layout.width, y)))
    layout.routes[30] = layout.routes[30]._replace(way=across, x=0.0)
    assert pierced(scene, layout)
    layout.routes[31] = layout.routes[31]._replace(way=across, x=0.0)
    assert merged(layout)


def test_a_long_chain_in_whole() -> None:
    _, layout = laid_out(chain(600), fold=False)
    assert len(layout.boxes) == 1202
    assert not overlaps(layout.boxes)


def test_lanes_are_stacked() -> None:
    scene, layout = laid_out(CASES["stacked"]())
    assert scene.lanes == ["layer1", "layer2"]
    spans = {lane: [r for box, r in placed(scene, layout) if box.lane == lane] for lane in scene.lanes}
    top = {lane: min(r.y for r in rs) for lane, rs in spans.items()}
    low = {lane: max(r.bottom for r in rs) for lane, rs in spans.items()}
    assert low["layer2"] < top["layer1"]
    assert [name for name, _ in layout.lane_names] == scene.lanes
    assert build_scene(select(CASES["bidirectional"](), False), "auto").lanes == ["forward", "backward"]
