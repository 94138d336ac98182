"""Dots stand where edges of one net part, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tinygraph import models, viz
from tinygraph.viz.dots import find_junctions, junctions
from tinygraph.viz.geometry import Route, Way


def test_a_tap_on_a_line_gets_a_dot() -> None:
    assert junctions([[(0, 0), (10, 0), (10, -5)], [(0, 0), (20, 0), (20, -5)]]) == {(10, 0)}


def test_a_shared_bend_gets_none() -> None:
    assert junctions([[(0, 0), (10, 0), (10, -5)], [(0, 0), (10, 0), (10, -9)]]) == set()
    assert junctions([[(0, 0), (10, 0), (10, -5)]]) == set()


def test_a_crossing_gets_none() -> None:
    assert junctions([[(0, 0), (20, 0)], [(10, 5), (10, -5)]]) == set()


def test_pieces_apart_on_one_line_are_told_apart() -> None:
    ways = [[(0, 0), (10, 0), (10, -5)], [(0, 0), (0, -20), (10, -20), (10, -25)]]
    assert junctions(ways) == set()  # both rise at x = 10, but not together


def test_a_trunk_with_branches() -> None:
    ways = [[(0, 0), (5, 0), (5, -10), (9, -10)], [(0, 0), (5, 0), (5, -20), (9, -20)], [(0, 0), (9, 0)]]
    assert junctions(ways) == {(5, -10), (5, 0)}


def test_edges_of_one_box_part_between_nets_too() -> None:
    """The line up from a box to a step beside it, and to a line that leads far: at the same box, of two nets."""
    near = Route(0, "a", Way(((0, 0), (0, -10), (20, -10), (20, -15))), 0.0)
    far = Route(1, "b", Way(((0, 0), (0, -20), (30, -20), (30, -25))), 0.0)
    other = Route(2, "b", Way(((9, 0), (9, -20), (30, -20), (30, -25))), 0.0)
    assert find_junctions([near, far, other]).dots == {"b": [(9, -20)]}
    found = find_junctions([near, far, other], [7, 7, 8])
    assert found.dots == {"b": [(9, -20)], "a": [(0, -10)]}
    assert found.sharp == [(1,), (), (1,)]


@pytest.mark.parametrize("level", ["gates", "cell"])
def test_every_fork_of_a_translator_has_its_dot(level: str) -> None:
    """Masks are read at their step, and by the memory that later steps look at."""
    model = models.SequenceToSequence(5, 4, cell="elman", attention="dot", hidden=3, embedding=2)
    drawing = viz.draw(model.unroll(5, 4).loss, detail=level)
    scene, layout = drawing.parts("this")
    sources = [scene.edges[route.edge].source for route in layout.routes]
    dots = {point for points in find_junctions(layout.routes, sources).dots.values() for point in points}
    ways: dict[int, list[Any]] = {}
    for source, route in zip(sources, layout.routes, strict=True):
        ways.setdefault(source, []).append(route.points)
    assert all(junctions(own) <= dots for own in ways.values())
    assert drawing.svg.count('class="junction"') == len(dots)
