"""Straight edges: a box or a passage moves a little to where its edge enters the row above, so that it needs no jog."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .arrangement import Arrangement, between
from .roads import Road
from .scene import Key

JOG = 9.0  # a shorter step aside looks like a mistake
GIVE = 2.0  # how much nearer to its neighbours than others something may come for that

Entries = Mapping[tuple[Key, Road], float]  # where edges enter their boxes


def straighten(
    arrangement: Arrangement, rows: Mapping[Key, int], entries: Entries, margin: Callable[[Key], float]
) -> bool:
    """Move what stands a little aside of where its edge enters, unless that bends an edge; whether anything moved.

    `margin` is the least distance of an edge that enters a box of this part from its corners.
    """
    vertices = arrangement.vertices
    local = [
        (arrangement.box[key], arrangement.trunk_index(road.part, rows[key] - 1), x)
        for (key, road), x in entries.items()
        if road.kind == "local" and road.part in arrangement.box
    ]
    wishes: dict[int, set[float]] = {}
    into: dict[int, list[float]] = {}  # where straight edges enter each box
    for target, source, x in local:
        wishes.setdefault(source, set()).add(x)
        if x == vertices[source].x:
            into.setdefault(target, []).append(x)
    place = {v: i for order in arrangement.rows.values() for i, v in enumerate(order)}
    moved = False
    for v, places in wishes.items():
        vertex = vertices[v]
        aside = [x for x in places if x != vertex.x]
        passages = [u for u in vertex.above + vertex.below if vertices[u].width == 0 or vertex.width == 0]
        straight = len(aside) < len(places) or any(vertices[u].x == vertex.x for u in passages)
        if straight or len(aside) > 1 or not 0 < abs(aside[0] - vertex.x) <= JOG:
            continue
        x, half = aside[0], vertex.width / 2
        low, high = between(arrangement, v, place[v])
        reach = half - margin(vertex.key)
        inside = max(low - GIVE, half) <= x <= min(high + GIVE, arrangement.width - half)
        if inside and all(abs(end - x) <= reach for end in into.get(v, ())):
            vertex.x = x
            moved = True
    return moved
