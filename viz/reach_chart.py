"""The chart beside a truncated net: a triangle of squares, one for each pair (s, t) of a step and a later loss.

A full square is kept: the loss at t reaches the step s. An empty one is dropped. s runs to the right and t upwards,
so that the loss of the last step is the top row.
"""

from __future__ import annotations

from collections.abc import Iterator

from .geometry import Rectangle
from .marks import at, dash_of, number, text
from .reach import Reach
from .style import CELL, CUT_DASH, CUT_WIDTH, HEADER_TEXT, SMALL_TEXT, SUBSCRIPT, Theme, text_width

INSET = 1.5  # of a square in its cell
LABEL = CELL * 1.6  # room for the numbers of the rows, and for those of the columns
TITLES = ("loss at t ↑", "reaches s →")
LINE = HEADER_TEXT * 1.2
HEADING = (len(TITLES) + 0.4) * LINE


def cut_look(theme: Theme) -> str:
    """The attributes of a line where gradients are cut."""
    return f'fill="none" stroke="{theme.text}" stroke-width="{number(CUT_WIDTH)}"{dash_of(CUT_DASH)}'


def chart_size(reach: Reach) -> tuple[float, float]:
    """Width and height."""
    heading = max(text_width(line, SMALL_TEXT, bold=True) for line in TITLES)
    side = reach.steps * CELL
    return max(LABEL + side, heading), HEADING + side + LABEL


def write_chart(reach: Reach, place: Rectangle, theme: Theme) -> Iterator[str]:
    """The chart as SVG, at its place."""
    yield f'<g class="reach" transform="translate({number(place.x)} {number(place.y)})">'
    for i, line in enumerate(TITLES):
        yield text(0.0, (i + 0.8) * LINE, line, SMALL_TEXT, theme.text, "start", bold=True)
    for t in range(reach.steps, 0, -1):
        y = HEADING + (reach.steps - t) * CELL
        if t in reach.first:
            yield text(LABEL - 5, y + CELL * 0.72, str(t), SUBSCRIPT, theme.quiet, "end")
            for s in range(1, t + 1):
                yield _square(reach, s, t, Rectangle(LABEL + (s - 1) * CELL, y, CELL, CELL), theme)
    foot = HEADING + reach.steps * CELL
    for s in range(1, reach.steps + 1):
        yield text(LABEL + (s - 0.5) * CELL, foot + SUBSCRIPT + 2, str(s), SUBSCRIPT, theme.quiet, "middle")
    yield "</g>"


def _square(reach: Reach, s: int, t: int, cell: Rectangle, theme: Theme) -> str:
    inner = Rectangle(cell.x + INSET, cell.y + INSET, cell.width - 2 * INSET, cell.height - 2 * INSET)
    kept = reach.keeps(s, t)
    word, fill, line = ("kept", theme.carried, theme.carried) if kept else ("dropped", "none", theme.quiet)
    return (
        f'<rect class="{word}" data-step="{s}" data-loss="{t}" {at(inner)} rx="1.5" fill="{fill}" stroke="{line}">'
        f"<title>the loss at step {t} {'reaches' if kept else 'does not reach'} step {s}</title></rect>"
    )
