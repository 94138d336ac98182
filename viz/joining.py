"""Pictures beside each other in one picture, such as a net rolled up and unrolled."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tinygraph.errors import DrawingError, expect

from .drawing import Drawing
from .labels import clean
from .marks import arrow, escape, number, text
from .style import FONT, JOINT, MARGIN, SMALL_TEXT, Theme, text_width, theme_named

HEAD = re.compile(r'<svg [^>]*viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*class="tinygraph (\w+)"[^>]*>')
NAMED = re.compile(r' (id|data-from|data-to|aria-labelledby)="([^"]*)"')
GROUND = re.compile(r'<rect class="background"[^>]*/>\n?')  # the whole has one
SUMMED = ("nodes", "edges", "gradients", "absorbed", "hidden", "enclosed")


def side_by_side(*drawings: Drawing, between: str | None = "") -> Drawing:
    """Two or more pictures in a row, with an arrow from each to the next that has the words `between` over it.

    Without an arrow if that is None.

    viz.side_by_side(viz.draw(net, rolled=True), viz.draw(net), between="unrolled")

    All names in the second picture begin with `p2-`, in the third with `p3-`. Raises `DrawingError`.
    """
    for drawing in drawings:
        expect(drawing, Drawing, "pictures stand side by side", "viz.side_by_side(viz.draw(a), viz.draw(b))")
    expect(between, (str, type(None)), "the words between two pictures are text, or None for no arrow")
    heads = [head for drawing in drawings if (head := HEAD.search(drawing.svg))]
    themes = {head[3] for head in heads}
    if not drawings or len(heads) < len(drawings) or len(themes) > 1:
        raise DrawingError("pictures side by side are drawings of one theme", fix="draw them all with the same theme=")
    description = " | ".join(drawing.description for drawing in drawings)
    sizes = [(float(head[1]), float(head[2])) for head in heads]
    theme = theme_named(themes.pop())
    words = None if between is None else clean(between)
    svg = _joined(drawings, sizes, words, description, theme)
    return Drawing(svg, description, theme=theme, **{name: sum(getattr(d, name) for d in drawings) for name in SUMMED})


def _joined(
    drawings: Sequence[Drawing], sizes: Sequence[tuple[float, float]], words: str | None, description: str, theme: Theme
) -> str:
    gap = -MARGIN if words is None else max(JOINT, text_width(words, SMALL_TEXT) + 12)
    width = number(sum(w for w, _ in sizes) + gap * (len(sizes) - 1))
    tallest, shortest = max(h for _, h in sizes), min(h for _, h in sizes)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {number(tallest)}" width="{width}" '
        f'height="{number(tallest)}" role="img" aria-labelledby="title desc" class="tinygraph {theme.name}" '
        f'font-family="{escape(FONT)}">',
        f'<title id="title">{" | ".join(map(_title, drawings))}</title>',
        f'<desc id="desc">{escape(description)}</desc>',
        f'<rect class="background" width="{width}" height="{number(tallest)}" fill="{theme.background}"/>',
    ]
    x = 0.0
    for place, (drawing, (w, _)) in enumerate(zip(drawings, sizes, strict=True), 1):
        if place > 1:
            lines += [] if words is None else _arrow(x, x + gap, shortest / 2, words, theme)
            x += gap
        moved = f'<g transform="translate({number(x)} 0)">'
        lines += [moved, _named_apart(drawing.svg, place), "</g>"]
        x += w
    return "\n".join([*lines, "</svg>"]) + "\n"


def _arrow(left: float, right: float, y: float, words: str, theme: Theme) -> list[str]:
    line = f'<path d="M{number(left + 6)} {number(y)}H{number(right - 9)}" stroke="{theme.quiet}" stroke-width="2"/>'
    head = arrow([(left + 6, y), (right - 6, y)], theme.quiet, 4.0)
    return [line, head, text((left + right) / 2, y - 7, words, SMALL_TEXT, theme.quiet, "middle")]


def _title(drawing: Drawing) -> str:
    """The title of a picture, escaped as it stands there."""
    return drawing.svg.partition('<title id="title">')[2].partition("</title>")[0]


def _named_apart(svg: str, place: int) -> str:
    """A picture, its names unlike those of the pictures before it and of the whole."""

    def renamed(match: re.Match[str]) -> str:
        names = [f"p{place}-{n}" if place > 1 or n in ("title", "desc") else n for n in match[2].split()]
        return f' {match[1]}="{" ".join(names)}"'

    return NAMED.sub(renamed, GROUND.sub("", svg, count=1).rstrip("\n"))
