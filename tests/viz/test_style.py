"""Measures and colours: readable on a slide, with any colour vision, and kept in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinygraph as tg
from tinygraph import viz
from tinygraph.errors import DrawingError
from tinygraph.models import CELLS
from tinygraph.viz import style
from tinygraph.viz.looks import Looks
from tinygraph.viz.spacing import ports, spaced

from .pictures import parse, unrolled, with_loss

SLIDE = (960.0, 540.0)  # points: 13.33 x 7.5 inches
READABLE = 8.0


@pytest.mark.parametrize("name", ["elman-4", "elman-5", "loss-4", "loss-5", "gru-3", "lstm-3"])
def test_text_is_readable_on_a_slide(name: str) -> None:
    kind, steps = name.split("-")
    drawing = viz.draw(with_loss(int(steps))[1] if kind == "loss" else unrolled(CELLS[kind], int(steps)))
    width, height = (float(n) for n in parse(drawing).get("viewBox", "").split()[2:])
    assert min(SLIDE[0] / width, SLIDE[1] / height) * style.TEXT >= READABLE


@pytest.mark.parametrize("theme", style.THEMES.values(), ids=style.THEMES)
def test_text_stands_out(theme: style.Theme) -> None:
    pairs = [(paint.text, paint.fill) for paint in theme.paints.values()]
    pairs += [(theme.background, colour) for colour in theme.rail]
    pairs += [(theme.text, theme.lane), (theme.quiet, theme.background)]
    assert all(contrast(*pair) >= 4.5 for pair in pairs)
    lines = [theme.edge, theme.carried, theme.gradient, *theme.rail]
    assert all(contrast(line, theme.lane) >= 3 for line in lines)
    assert len(set(lines)) == len(lines)


def contrast(a: str, b: str) -> float:
    """The contrast ratio of two colours (WCAG 2.1)."""
    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_and_fonts_are_in_one_place() -> None:
    for path in sorted(Path(viz.__file__).parent.glob("*.py")):
        found = re.findall(r"#[0-9a-fA-F]{3,8}\b|Helvetica|DejaVu", path.read_text(encoding="utf-8"))
        found = [text for text in found if text != "#39"]  # an escaped apostrophe
        assert bool(found) == (path.name == "style.py"), path.name


def test_twelve_lines_differ() -> None:
    assert len({style.rail_colour(style.LIGHT, i) for i in range(12)}) == 12


def test_pictures_agree_on_colours() -> None:
    whole = viz.draw(tg.unroll(CELLS["elman"], 2, I=2, H=2), detail="cell", colours=("b", "U", "W"))
    part = viz.draw(tg.unroll(CELLS["elman"], 2, I=2, H=2), colours=("b", "U", "W"))
    names = {"W": 2, "U": 1}
    for drawing in (whole, part):
        looks = Looks(drawing.scene, drawing.theme)
        own = {tag.rpartition("-")[2]: colour for tag, (colour, _) in looks.rail.items()}
        assert {name: own[name] for name in names} == {name: style.LIGHT.rail[i] for name, i in names.items()}
    for wrong in ("WU", [3], 5, None):
        with pytest.raises(DrawingError, match="does not name parameters"):
            viz.draw(tg.unroll(CELLS["elman"], 2, I=2, H=2), colours=wrong)


def test_spacing() -> None:
    assert spaced([0, 10], [1, 1], [0, 5]) == [0, 10]
    assert spaced([0, 0], [1, 1], [0, 4]) == [-2, 2]
    assert spaced([0, 0], [3, 1], [0, 4]) == [-1, 3]
    assert spaced([5, 0, 0], [1, 1, 1], [0, 3, 3]) == pytest.approx([-4 / 3, 5 / 3, 14 / 3])
    assert spaced([], [], []) == []
    assert ports([50, 50], [1, 1], 0, 100) == [46, 54]
    assert ports([-5, 200], [1, 1], 0, 100) == [0, 100]
    assert ports([9], [1], 0, 5) == [5]
