"""Dots stand where edges of one net part, and nowhere else."""

from __future__ import annotations

from tinygraph.viz.dots import junctions


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
