"""Truncation in pictures: the lines of cuts, and the chart of what is kept."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError, UsageError
from tinygraph.models import CELLS
from tinygraph.passes.truncation import MODES
from tinygraph.viz.layout import lay_out
from tinygraph.viz.reach import Reach
from tinygraph.viz.scene import build_scene
from tinygraph.viz.selection import select

from .pictures import SVG, groups, parse, stacked, texts, unrolled
from .readers import read_dot

T = 6
NUMBERS = {"chunk": {"k1": 2}, "sliding": {"k2": 3}, "k1_k2": {"k1": 2, "k2": 3}, "last": {"k2": 2}}
CUTS = {"chunk": {3, 5}, "sliding": {2, 3, 4}, "k1_k2": {2, 4}, "last": {5}}  # by the rules, at T = 6
each_mode = pytest.mark.parametrize("mode", MODES)


def truncated(net: Any, mode: str) -> Any:
    losses = {t: tg.sum(h**2) for t, h in net.output.items()}
    return tg.truncate(losses, net.parameters, mode=mode, **NUMBERS[mode])


def squares(drawing: Any, word: str) -> set[tuple[int, int]]:
    """The pairs (s, t) of the chart that have a class."""
    found = [r for r in parse(drawing).iter(f"{SVG}rect") if r.get("class") == word]
    pairs = [(int(r.get("data-step", "")), int(r.get("data-loss", ""))) for r in found]
    assert len(set(pairs)) == len(pairs)
    return set(pairs)


@each_mode
@pytest.mark.parametrize("what", ["net", "cut"])
def test_the_chart_shows_the_kept_pairs(mode, what):
    net = unrolled(models.elman, T)
    cut = truncated(net, mode)
    drawing = viz.draw(cut) if what == "cut" else viz.draw(net, truncation=cut)
    assert squares(drawing, "kept") == set(cut.kept)
    assert squares(drawing, "dropped") == {(s, t) for t in range(1, T + 1) for s in range(1, t + 1)} - set(cut.kept)
    assert {int(g.get("data-step", "")) for g in groups(drawing, "cut")} == CUTS[mode]
    assert "gradient cut" in "".join(parse(drawing).itertext())
    assert ("stop gradient" in texts(drawing)) == (what == "cut")


@each_mode
def test_the_chart_is_in_every_format(mode):
    drawing = viz.draw(truncated(unrolled(models.elman, T), mode))
    kept = len(squares(drawing, "kept"))
    pairs = [s for s in read_dot(drawing.dot) if s.ends[0].startswith("pair--")]
    assert len(pairs) == T * (T + 1) / 2
    assert sum("does not" not in s.attributes["tooltip"] for s in pairs) == kept
    assert len(re.findall(r"^\\fill\[draw=(tg\d+), \1\]", drawing.tex, re.M)) == kept


CHUNKS = {"chunk": [1, 1, 2, 2, 3, 3], "sliding": None, "k1_k2": None, "last": [0, 0, 0, 0, 2, 2]}


@each_mode
@pytest.mark.parametrize("detail", ["gates", "cell"])
def test_chunks_are_shaded_where_windows_do_not_overlap(mode, detail):
    drawing = viz.draw(truncated(unrolled(models.elman, T), mode), detail=detail)
    grounds = [r for r in parse(drawing).iter(f"{SVG}rect") if r.get("class") == "chunk"]
    numbers = CHUNKS[mode] or []
    assert [int(r.get("data-chunk", "")) for r in grounds] == sorted(set(numbers) - {0})
    chunks = drawing.scene.chunks
    of = {drawing.scene.columns[column].place: number for column, number in chunks.items()}
    assert of == {t: number for t, number in enumerate(numbers, 1) if number}
    spans = {int(r.get("data-chunk", "")): (float(r.get("x", "")), float(r.get("width", ""))) for r in grounds}
    for box, r in zip(drawing.scene.boxes, drawing.layout.boxes, strict=True):
        if box.column in chunks:
            left, width = spans[chunks[box.column]]
            assert left <= r.x
            assert r.right <= left + width
    ends = sorted((x, x + width) for x, width in spans.values())
    assert all(a[1] == b[0] for a, b in pairwise(ends)), "from cut to cut"


@each_mode
@pytest.mark.parametrize("cell", CELLS)
def test_lines_stand_between_the_columns(mode, cell):
    """Left of their step and right of the one before, through no box, and along no edge."""
    net = unrolled(CELLS[cell], T)
    scene = build_scene(select(net, True), "auto", reach=Reach(truncated(net, mode).first))
    layout = lay_out(scene)
    steps = {scene.columns[column].place: x for column, (x, _), _ in layout.cuts}
    assert set(steps) == CUTS[mode]
    for step, x in steps.items():
        for box, r in zip(scene.boxes, layout.boxes, strict=True):
            place = scene.columns[box.column].place if box.column >= 0 else -1
            assert x < r.x - 2 if isinstance(place, int) and place >= step else x > r.right + 2
        for route in (*layout.routes, *layout.gradients):
            assert all(abs(a[0] - x) > 2.5 for a, b in pairwise(route.points) if a[0] == b[0])
    assert layout.chart is not None
    assert layout.chart.right <= layout.width
    assert layout.chart.x > max(r.right for r in layout.boxes)
    assert max(x for route in layout.routes for x, _ in route.points) < layout.chart.x
    assert layout.chart.bottom <= layout.height


def test_a_stack_of_layers():
    net = stacked(T)
    drawing = viz.draw(net, truncation=truncated(net, "chunk"))
    assert {int(g.get("data-step", "")) for g in groups(drawing, "cut")} == {3, 5}


def test_nothing_changes_without_a_truncation():
    net = unrolled(models.gru, 3)
    plain = viz.draw(net)
    assert not groups(plain, "cut")
    assert not groups(plain, "reach")
    whole = viz.draw(net, truncation=tg.truncate({3: tg.sum(net.h[3])}, net.parameters, mode="last", k1=3))
    assert not groups(whole, "cut"), "a window of all steps cuts nothing"
    assert squares(whole, "kept") == {(1, 3), (2, 3), (3, 3)}


def test_folded_steps_and_long_ones():
    net = unrolled(models.elman, 30)
    drawing = viz.draw(net, truncation=truncated(net, "chunk"))
    assert {int(g.get("data-step", "")) for g in groups(drawing, "cut")} == {3, 29}
    words = "".join(parse(drawing).itertext())
    assert "12 cuts lie in folded steps" in words  # 14 starts of chunks after the first, of which 2 are seen
    assert "no chart of what is kept beyond 24 steps" in words
    assert not groups(drawing, "reach")


def test_themes_and_bytes():
    net = unrolled(models.elman, T)
    cut = truncated(net, "k1_k2")
    light, again, dark = (viz.draw(net, truncation=cut, theme=theme) for theme in ("light", "light", "dark"))
    assert light.svg == again.svg != dark.svg
    assert "gradient cut before steps 2, 4" in light.description


def test_bad_input_is_refused():
    net = unrolled(models.elman, 3)
    with pytest.raises(UsageError, match=r"tg.truncate returned"):
        viz.draw(net, truncation="chunk")
    with pytest.raises(DrawingError, match=r"loss at step 4(?s:.*)viz.draw\(cut\)"):
        viz.draw(net, truncation=truncated(unrolled(models.elman, T), "chunk"))
