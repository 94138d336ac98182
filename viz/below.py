"""What stands below a picture: samples of the kinds that occur in it, and notes, in as many lines as it takes.

Entries are told in parts that know of no language, each drawn from 0 on: SVG and TikZ write the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .geometry import Layout, Rectangle
from .labels import clean
from .looks import CARRIED_WIDTH, EDGE_WIDTH, FOLDED_DASH, GRADIENT_WIDTH, NAMES, Line, Looks, kinds_shown
from .marks import arrow, at, dash_of, number, shape, text
from .scene import Scene
from .style import (
    BOX_PADDING,
    CUT_DASH,
    CUT_WIDTH,
    FORCED_DASH,
    GRADIENT_DASH,
    LINE_HEIGHT,
    SMALL_TEXT,
    Theme,
    text_width,
)

LOOKS = (0.0, 0.25, 0.5, 0.75, 1.0)  # weights of attention in the legend
MIDDLE = 5.5  # of a sample
SAMPLE = Rectangle(0.0, 0.0, 18.0, 2 * MIDDLE)
LINE = 23.0  # the length of a line


class Box(NamedTuple):
    """A box of this kind."""

    kind: str


class Patch(NamedTuple):
    """A ground of this colour, or the frame of a weight."""

    place: Rectangle
    fill: str = ""


class Stroke(NamedTuple):
    """A line from one place to another."""

    start: float
    end: float
    line: Line
    head: bool = False


class Words(NamedTuple):
    """What is said, from a place on."""

    x: float
    text: str


Part = Box | Patch | Stroke | Words


class Entry(NamedTuple):
    """Parts that belong together, and their width."""

    parts: tuple[Part, ...]
    width: float


class Placed(NamedTuple):
    """The parts of an entry, where they stand."""

    x: float
    y: float
    parts: tuple[Part, ...]


def in_lines(entries: Iterable[Entry], room: float, row: int) -> tuple[list[Placed], float, int]:
    """The entries in lines of at most `room`, from number `row` on; the width of the longest, and the next row."""
    placed: list[Placed] = []
    x, widest, used = 0.0, 0.0, False
    for parts, width in entries:
        used = True
        if x and x + width > room:
            x, row = 0.0, row + 1
        placed.append(Placed(x, row * LINE_HEIGHT, parts))
        x += width + 2 * BOX_PADDING
        widest = max(widest, x)
    return placed, widest, row + used


def notes(scene: Scene) -> list[Entry]:
    """The notes of a scene."""
    words = [clean(note) for note in scene.notes]
    return [Entry((Words(0.0, note),), text_width(note, SMALL_TEXT)) for note in words]


def samples(scene: Scene, layout: Layout, looks: Looks, lines: Sequence[Line]) -> Iterator[Entry]:
    """A sample of each kind of box, line and mark that occurs; `lines` are the looks of the edges."""
    theme, kinds, boxes = looks.theme, {line.kind for line in lines}, kinds_shown(scene)
    for kind in boxes:
        yield _sample(NAMES[kind], SAMPLE.width, Box(kind))
    if any(weight.used for weight in scene.weights):
        yield _sample("weight on an edge", SAMPLE.height, Patch(Rectangle(0.0, 0.0, SAMPLE.height, SAMPLE.height)))
    if "delay" in boxes and any(edge.folded for edge in scene.edges):
        yield _line("before the first step", Line(theme.carried, FOLDED_DASH, CARRIED_WIDTH, "carried"))
    if "attention" in kinds:
        yield _scale("weight of attention", [(weight, looks.attention(weight)) for weight in LOOKS], "g")
    if "forced" in kinds:
        yield _line("given in place of a state", Line(theme.paints["input"].line, FORCED_DASH, EDGE_WIDTH, "forced"))
    if looks.scale:
        yield _scale("norm of the gradient", [(norm, looks.flow(norm)) for norm in looks.scale.samples()], ".1g")
    elif layout.gradients:
        line = Line(theme.gradient, GRADIENT_DASH, GRADIENT_WIDTH, "gradient")
        yield _sample("gradient", SAMPLE.width, Stroke(SAMPLE.width, 0.0, line, head=True))
    if layout.cuts:
        yield _line("gradient cut", Line(theme.text, CUT_DASH, CUT_WIDTH, "cut"))
    if layout.chunks:
        side = SAMPLE.height
        halves = [Patch(Rectangle(side * i, 0.0, side, side), fill) for i, fill in enumerate(theme.chunks)]
        yield _sample("chunk", side * len(halves), *halves)


def _sample(words: str, width: float, *parts: Part) -> Entry:
    return Entry((*parts, Words(width + 5, words)), width + 5 + text_width(words, SMALL_TEXT))


def _line(words: str, line: Line) -> Entry:
    return _sample(words, LINE, Stroke(0.0, LINE, line))


def _scale(title: str, lines: Sequence[tuple[float, Line]], form: str) -> Entry:
    """Samples of widths and colours, with their numbers."""
    parts: list[Part] = [Words(0.0, title)]
    x = text_width(title, SMALL_TEXT) + BOX_PADDING
    for value, line in lines:
        parts += [Stroke(x, x + 20, line), Words(x + 24, f"{value:{form}}")]
        x += 24 + text_width(f"{value:{form}}", SMALL_TEXT) + BOX_PADDING
    return Entry(tuple(parts), x)


def in_svg(placed: Iterable[Placed], looks: Looks) -> Iterator[str]:
    """What is placed, as SVG."""
    for x, y, parts in placed:
        inside = "".join(_part(part, looks, looks.theme) for part in parts)
        yield f'<g transform="translate({number(x)} {number(y)})">{inside}</g>'


def _part(part: Part, looks: Looks, theme: Theme) -> str:
    match part:
        case Box(kind):
            return shape(kind, SAMPLE, looks.sample(kind))
        case Patch(place, fill):
            look = f'fill="{fill}"' if fill else f'rx="3" fill="none" stroke="{theme.quiet}" stroke-width="1.2"'
            return f"<rect {at(place)} {look}/>"
        case Stroke(start, end, line, head):
            look = f'stroke="{line.colour}" stroke-width="{number(line.width)}"{dash_of(line.dash)}'
            tip = arrow([(start, MIDDLE), (end, MIDDLE)], line.colour) if head else ""
            return f'<path d="M{number(start)} {MIDDLE}H{number(end)}" {look}/>{tip}'
        case Words(x, words):
            return text(x, 9.5, words, SMALL_TEXT, theme.quiet, "start")
