"""What stands below a picture: samples of the kinds that occur in it, and notes, in as many lines as it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .geometry import Layout, Rectangle
from .labels import clean
from .looks import CARRIED_WIDTH, FOLDED_DASH, NAMES, Line, Looks, kinds_shown
from .marks import arrow, at, dash_of, number, shape, text
from .reach_chart import cut_look
from .scene import Scene
from .style import BOX_PADDING, FORCED_DASH, GRADIENT_DASH, LINE_HEIGHT, SMALL_TEXT, Theme, text_width

LOOKS = (0.0, 0.25, 0.5, 0.75, 1.0)  # weights of attention in the legend

Entry = tuple[list[str], float]  # SVG, drawn from 0 on, and its width


def in_lines(entries: Iterable[Entry], room: float, row: int) -> tuple[list[str], float, int]:
    """The entries in lines of at most `room`, from number `row` on; the width of the longest, and the next row."""
    lines: list[str] = []
    x, widest, used = 0.0, 0.0, False
    for parts, width in entries:
        used = True
        if x and x + width > room:
            x, row = 0.0, row + 1
        lines += [f'<g transform="translate({number(x)} {number(row * LINE_HEIGHT)})">', *parts, "</g>"]
        x += width + 2 * BOX_PADDING
        widest = max(widest, x)
    return lines, widest, row + used


def notes(scene: Scene, theme: Theme) -> list[Entry]:
    """The notes of a scene."""
    words = [clean(note) for note in scene.notes]
    return [([_words(0.0, note, theme)], text_width(note, SMALL_TEXT)) for note in words]


def samples(scene: Scene, layout: Layout, looks: Looks, lines: Sequence[Line]) -> Iterator[Entry]:
    """A sample of each kind of box, line and mark that occurs; `lines` are the looks of the edges."""
    theme, kinds = looks.theme, {line.kind for line in lines}
    for kind in kinds_shown(scene):
        box = shape(kind, Rectangle(0.0, 0.0, 18.0, 11.0), looks.sample(kind))
        yield _sample([box], 18.0, NAMES[kind], theme)
    if any(weight.used for weight in scene.weights):
        look = f'rx="3" fill="none" stroke="{theme.quiet}" stroke-width="1.2"'
        yield _sample([f"<rect {at(Rectangle(0.0, 0.0, 11.0, 11.0))} {look}/>"], 11.0, "weight on an edge", theme)
    if any(edge.folded for edge in scene.edges) and "delay" in {box.kind for box in scene.boxes}:
        look = f'stroke="{theme.carried}" stroke-width="{CARRIED_WIDTH}"{dash_of(FOLDED_DASH)}'
        yield _sample([f'<path d="M0 5.5H23" {look}/>'], 23.0, "before the first step", theme)
    if "attention" in kinds:
        yield _scale("weight of attention", [(weight, looks.attention(weight)) for weight in LOOKS], theme, "g")
    if "forced" in kinds:
        look = f'stroke="{theme.paints["input"].line}" stroke-width="1.3"{dash_of(FORCED_DASH)}'
        yield _sample([f'<path d="M0 5.5H23" {look}/>'], 23.0, "given in place of a state", theme)
    if looks.scale:
        norms = looks.scale.samples()
        yield _scale("norm of the gradient", [(norm, looks.flow(norm)) for norm in norms], theme, ".1g")
    elif layout.gradients:
        line = f'<path d="M18 5.5H0" stroke="{theme.gradient}" stroke-width="1.4"{dash_of(GRADIENT_DASH)}/>'
        yield _sample([line, arrow([(18.0, 5.5), (0.0, 5.5)], theme.gradient)], 18.0, "gradient", theme)
    if layout.cuts:
        yield _sample([f'<path d="M0 5.5H23" {cut_look(theme)}/>'], 23.0, "gradient cut", theme)
    if layout.chunks:
        halves = [f'<path d="M{11 * i} 0h11v11h-11z" fill="{fill}"/>' for i, fill in enumerate(theme.chunks)]
        yield _sample(halves, 22.0, "chunk", theme)


def _words(x: float, words: str, theme: Theme) -> str:
    return text(x, 9.5, words, SMALL_TEXT, theme.quiet, "start")


def _sample(parts: list[str], width: float, words: str, theme: Theme) -> Entry:
    return [*parts, _words(width + 5, words, theme)], width + 5 + text_width(words, SMALL_TEXT)


def _scale(title: str, lines: Sequence[tuple[float, Line]], theme: Theme, form: str) -> Entry:
    """Samples of widths and colours, with their numbers."""
    parts, x = [_words(0.0, title, theme)], text_width(title, SMALL_TEXT) + BOX_PADDING
    for value, line in lines:
        look = f'stroke="{line.colour}" stroke-width="{number(line.width)}"'
        parts += [f'<path d="M{number(x)} 5.5h20" {look}/>', _words(x + 24, f"{value:{form}}", theme)]
        x += 24 + text_width(f"{value:{form}}", SMALL_TEXT) + BOX_PADDING
    return parts, x
