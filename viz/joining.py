"""Pictures beside each other in one picture, such as a net rolled up and unrolled."""

from __future__ import annotations

import re

from tinygraph.errors import DrawingError, expect

from .drawing import Drawing
from .labels import clean
from .marks import arrow, escape, number, text
from .style import FONT, JOINT, SMALL_TEXT, theme_named, text_width

_HEAD = re.compile(r'<svg [^>]*viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*class="tinygraph (\w+)"[^>]*>')
_NAMES = re.compile(r' (id|data-from|data-to|aria-labelledby)="([^"]*)"')


def side_by_side(*drawings: Drawing, between: str = "") -> Drawing:
    """Two or more pictures in a row, with an arrow from each to the next that has the words `between` over it.

    viz.side_by_side(viz.draw(net, rolled=True), viz.draw(net), between="unrolled")

    All names in the second picture begin with `p2-`, in the third with `p3-`. Raises `DrawingError`.
    """
    for drawing in drawings:
        expect(drawing, Drawing, "pictures stand side by side", "viz.side_by_side(viz.draw(a), viz.draw(b))")
    expect(between, str, "the words between two pictures are text")
    heads = [_HEAD.search(drawing.svg) for drawing in drawings]
    themes = {head[3] for head in heads if head}
    if not drawings or None in heads or len(themes) > 1:
        raise DrawingError("pictures side by side are drawings of one theme", fix="draw them all with the same theme=")
    sizes = [(float(head[1]), float(head[2])) for head in heads if head]
    theme, words = theme_named(themes.pop()), clean(between)
    gap = max(JOINT, text_width(words, SMALL_TEXT) + 12)
    height, width = max(h for _, h in sizes), sum(w for w, _ in sizes) + gap * (len(sizes) - 1)
    description = " | ".join(drawing.description for drawing in drawings)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
        f'width="{number(width)}" height="{number(height)}" role="img" aria-labelledby="title desc" '
        f'class="tinygraph {theme.name}" font-family="{escape(FONT)}">',
        f'<title id="title">{" | ".join(_title(drawing) for drawing in drawings)}</title>',
        f'<desc id="desc">{escape(description)}</desc>',
        f'<rect class="background" width="{number(width)}" height="{number(height)}" fill="{theme.background}"/>',
    ]
    x, y = 0.0, height / 2
    for place, (drawing, (w, h)) in enumerate(zip(drawings, sizes, strict=True), 1):
        if place > 1:
            lines.append(f'<path d="M{number(x + 6)} {number(y)}H{number(x + gap - 9)}" stroke="{theme.quiet}" stroke-width="2"/>')
            lines.append(arrow([(x + 6, y), (x + gap - 6, y)], theme.quiet, 4.0))
            lines.append(text(x + gap / 2, y - 7, words, SMALL_TEXT, theme.quiet, "middle"))
            x += gap
        inner = _named_apart(drawing.svg, place)
        lines += [f'<g transform="translate({number(x)} {number((height - h) / 2)})">', inner, "</g>"]
        x += w
    return Drawing(
        "\n".join([*lines, "</svg>"]) + "\n",
        description,
        nodes=sum(d.nodes for d in drawings),
        edges=sum(d.edges for d in drawings),
        gradients=sum(d.gradients for d in drawings),
        absorbed=sum(d.absorbed for d in drawings),
        hidden=sum(d.hidden for d in drawings),
        theme=theme,
    )


def _title(drawing: Drawing) -> str:
    """The title of a picture, escaped as it stands there."""
    return drawing.svg.partition('<title id="title">')[2].partition("</title>")[0]


def _named_apart(svg: str, place: int) -> str:
    """A picture, its names made different from those of the pictures before it."""
    body = svg.rstrip("\n")
    mark = f"p{place}-"
    renamed = body if place == 1 else _NAMES.sub(lambda m: f' {m[1]}="{" ".join(mark + n for n in m[2].split())}"', body)
    return renamed.replace(' id="title"', ' id="p1-title"').replace(' id="desc"', ' id="p1-desc"').replace(
        ' aria-labelledby="title desc"', ' aria-labelledby="p1-title p1-desc"'
    )
