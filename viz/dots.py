"""Where edges that share a way part: the points that get a dot, so that a crossing is no junction."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from .geometry import Point, Route, Way


class Junctions(NamedTuple):
    """The points of each net where its routes part, and of each route the numbers of its points that are such ones."""

    dots: dict[str, list[Point]]
    sharp: list[tuple[int, ...]]


def find_junctions(routes: Sequence[Route], sources: Sequence[int] = ()) -> Junctions:
    """The junctions of the routes of each net. Nets that look alike in other columns are looked at once.

    With the box that each route comes from, also those where routes of one box part into several nets.
    """
    by_net: dict[str, list[int]] = {}
    for index, route in enumerate(routes):
        by_net.setdefault(route.net, []).append(index)
    found = Junctions({}, [()] * len(routes))
    known: dict[tuple[tuple[Way, float], ...], tuple[list[Point], list[tuple[int, ...]]]] = {}
    for net, members in by_net.items():
        if len(members) == 1:
            continue
        own = [routes[index] for index in members]
        left = 0.0 if own[0].way.fixed else own[0].x
        alike = tuple([(route.way, route.x - left) for route in own])
        if alike not in known:
            ways = [route._replace(x=route.x - left).points for route in own]
            meeting = junctions(ways)
            known[alike] = sorted(meeting), [_those(way, meeting) for way in ways]
        points, sharp = known[alike]
        found.dots[net] = [(x + left, y) for x, y in points]
        for index, numbers in zip(members, sharp, strict=True):
            found.sharp[index] = numbers
    for members in _in_several_nets(routes, sources):
        ways = [routes[index].points for index in members]
        nets = dict.fromkeys(routes[index].net for index in members)
        known_points = {point for net in nets for point in found.dots.get(net, ())}
        meeting = junctions(ways)
        at_corner = {point: routes[i].net for i, way in zip(members, ways, strict=True) for point in way[1:-1]}
        for point in sorted(meeting - known_points):
            found.dots.setdefault(at_corner[point], []).append(point)
        for index, way in zip(members, ways, strict=True):
            found.sharp[index] = tuple(sorted({*found.sharp[index], *_those(way, meeting)}))
    return found


def _in_several_nets(routes: Sequence[Route], sources: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of the routes of each box whose routes are of several nets."""
    nets: dict[int, str] = {}
    several: dict[int, list[int]] = {}
    for route, source in zip(routes, sources, strict=False):
        if nets.setdefault(source, route.net) != route.net:
            several.setdefault(source, [])
    for index, source in enumerate(sources if several else ()):
        if source in several:
            several[source].append(index)
    yield from several.values()


def _those(way: list[Point], points: Collection[Point]) -> tuple[int, ...]:
    """The numbers of the corners of a way that are among the points."""
    return tuple([i for i in range(1, len(way) - 1) if way[i] in points])


def junctions(ways: list[list[Point]]) -> set[Point]:
    """The points where at least three directions meet among ways that run along the axes."""
    if len(ways) < 2:
        return set()
    lines: tuple[dict[float, set[tuple[float, float]]], ...] = (defaultdict(set), defaultdict(set))
    for way in ways:
        for a, b in pairwise(way):
            axis = 0 if a[1] == b[1] else 1  # 0 runs across, 1 up
            low, high = a[axis], b[axis]
            lines[axis][a[1 - axis]].add((low, high) if low < high else (high, low))
    merged = [{at: _merged(pieces) for at, pieces in by_place.items()} for by_place in lines]
    found: set[Point] = set()
    for way in ways:
        for point in way[1:-1]:
            if point in found:
                continue
            directions = sum(_arms(merged[axis].get(point[1 - axis], []), point[axis]) for axis in (0, 1))
            if directions >= 3:
                found.add(point)
    return found


def _merged(pieces: set[tuple[float, float]]) -> list[tuple[float, float]]:
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
