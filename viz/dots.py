"""Where edges that share a way part: the points that get a dot, so that a crossing is no junction."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from itertools import pairwise
from math import inf

from .geometry import Point, Route


def junctions_by_net(routes: list[Route]) -> dict[str, frozenset[Point]]:
    """The junctions of the routes of each net."""
    by_net: dict[str, list[list[Point]]] = {}
    for route in routes:
        by_net.setdefault(route.net, []).append(route.points)
    return {net: frozenset(junctions(ways)) for net, ways in by_net.items()}


def junctions(ways: list[list[Point]]) -> list[Point]:
    """The points where at least three directions meet among ways that run along the axes."""
    if len(ways) < 2:
        return []
    lines: tuple[dict[float, list[tuple[float, float]]], ...] = (defaultdict(list), defaultdict(list))
    for way in ways:
        for a, b in pairwise(way):
            axis = 0 if a[1] == b[1] else 1  # 0 runs across, 1 up
            low, high = sorted((a[axis], b[axis]))
            lines[axis][a[1 - axis]].append((low, high))
    merged = [{at: _merged(pieces) for at, pieces in by_place.items()} for by_place in lines]
    found: dict[Point, None] = {}
    for way in ways:
        for point in way[1:-1]:
            directions = sum(_arms(merged[axis].get(point[1 - axis], []), point[axis]) for axis in (0, 1))
            if directions >= 3:
                found[point] = None
    return list(found)


def _merged(pieces: list[tuple[float, float]]) -> list[tuple[float, float]]:
    result: list[tuple[float, float]] = []
    for low, high in sorted(pieces):
        if result and low <= result[-1][1]:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def _arms(pieces: list[tuple[float, float]], at: float) -> int:
    """How many ways lead on from `at`: two within a piece, one at its end. The pieces are sorted and disjoint."""
    index = bisect_right(pieces, (at, inf)) - 1
    low, high = pieces[index] if index >= 0 else (inf, inf)
    return (low < at <= high) + (low <= at < high)
