"""Trees: centred, apart, and as narrow as their order allows."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.viz.trees import STRAIGHT, place_tree

GAP = 10.0


def grown(seed: int, size: int) -> tuple[dict[int, list[int]], dict[int, int]]:
    """A random tree from its root in row 0 up: its rows without crossings, and parents."""
    rng = random.Random(seed)
    rows, parents, count = {0: [0]}, {}, 1
    while count < size:
        row = max(rows)
        rows[row + 1] = []
        for v in rows[row]:
            for _ in range(rng.choice((0, 1, 1, 2, 3)) or (v == rows[row][-1] and not rows[row + 1])):
                rows[row + 1].append(count)
                parents[count] = v
                count += 1
    return rows, parents


def wrong(rows: Any, parents: Any, place: Any) -> list[str]:
    found = [f"{a} meets {b}" for row in rows.values() for a, b in pairwise(row) if place[b] - place[a] < GAP - 1e-9]
    children: dict[int, list[float]] = {}
    for v in sorted(parents):
        children.setdefault(parents[v], []).append(place[v])
    for v, places in children.items():
        aside = abs(place[v] - (places[0] + places[-1]) / 2)
        straight = len(places) % 2 == 1 and place[v] == pytest.approx(places[len(places) // 2])
        if aside > 1e-6 and not (straight and aside <= STRAIGHT):
            found.append(f"{v} is not in the middle")
    return found


@pytest.mark.parametrize("seed", range(20))
def test_every_vertex_is_in_the_middle(seed: int) -> None:
    rows, parents = grown(seed, 200)
    place = place_tree(rows, parents, lambda a, b: GAP, rising=True)
    assert wrong(rows, parents, place) == []
    top = max(rows)
    turned = place_tree({top - row: order for row, order in rows.items()}, parents, lambda a, b: GAP, rising=False)
    assert turned == place
    assert wrong(rows, parents, place | {rows[1][0]: place[rows[1][0]] + 5})


def test_it_is_as_narrow_as_can_be() -> None:
    """Of a root with two branches, the one long and bare: they differ by one gap where both have a row."""
    rows, parents = {0: [0], 1: [1, 2], 2: [3, 4], 3: [5]}, {1: 0, 2: 0, 3: 1, 4: 1, 5: 4}
    place = place_tree(rows, parents, lambda a, b: GAP, rising=True)
    assert place[4] - place[3] == place[2] - place[1] == GAP


def test_a_long_one() -> None:
    length = 20_000
    rows = {row: [2 * row, 2 * row + 1][: 2 if row else 1] for row in range(length)}
    parents = {v: 2 * (row - 1) for row, order in rows.items() for v in order if row}
    place = place_tree(rows, parents, lambda a, b: GAP, rising=True)
    assert len(place) == 2 * length - 1
    assert place[2 * length - 1] - place[2 * length - 2] == GAP


def test_a_beam_and_a_phrase_are_centred() -> None:
    g = tg.Graph()
    start = g.input("start", (1,))
    first = [tg.add(start, 1, name=name) for name in ("a", "b")]
    leaves = [tg.add(node, 1, name=f"{node.label}{i}") for node in first for i in range(3)]
    the, cat, sat = (g.input(word, (4,)) for word in ("the", "cat", "sat"))
    phrase = models.compose(models.recursive, ((the, cat), sat))
    for what, detail in ((leaves, "gates"), (phrase, "cell")):
        drawing = viz.draw(what, detail=detail, feeds=None)
        scene, layout = drawing.parts("this")
        middles = {box.id: r.middle[0] for box, r in zip(scene.boxes, layout.boxes, strict=True)}
        around: dict[str, list[float]] = {}
        for edge in scene.edges:
            ends = scene.boxes[edge.source].id, scene.boxes[edge.target].id
            one, other = ends if what is leaves else ends[::-1]
            around.setdefault(one, []).append(middles[other])
        for name, others in around.items():
            assert middles[name] == pytest.approx(np.mean([min(others), max(others)]), abs=0.5), name
