"""Single marks as SVG text: the shape of a box, the way of an edge, an arrowhead."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from math import copysign

from .geometry import Point, Rectangle
from .labels import Label, clean
from .style import ARROW, ARROW_WIDTH, BEND, CORNER, HEIGHT, SUBSCRIPT, TEXT, Paint

SLANTED = ("input", "mask")  # kinds that are parallelograms
DOUBLE = ("value", "cell")  # kinds with a second outline


def escape(text: str) -> str:
    """Text for XML, in content and in quoted attributes."""
    if text.isalnum():
        return text
    for raw, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(raw, safe)
    return text


@lru_cache(maxsize=1 << 18)
def number(value: float) -> str:
    """Two decimals at most, and never -0."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def hundredths(value: float) -> tuple[int, str]:
    """The whole part of a number, rounded down, and the rest as `number` writes it: 3, ".25"."""
    whole, rest = divmod(round(value * 100), 100)
    return whole, f".{rest:02d}".rstrip("0").rstrip(".")


Across = Callable[[float], str]  # writes a place across: `number`, or one that leaves a hole for it


@lru_cache(maxsize=1 << 12)
def clean_keeping_spaces(text: str) -> str:
    """A piece of a label, cleaned: spaces at its ends separate it from its neighbours."""
    core = clean(text)
    return " " * (len(text) - len(text.lstrip(" "))) + core + " " * ((len(text) - len(text.rstrip(" "))) if core else 0)


def at(r: Rectangle, across: Across = number) -> str:
    return f'x="{across(r.x)}" y="{number(r.y)}" width="{number(r.width)}" height="{number(r.height)}"'


def dash_of(pattern: str) -> str:
    return f' stroke-dasharray="{pattern}"' if pattern else ""


def corners(kind: str, r: Rectangle) -> list[Point]:
    """The corners of a box that is no rectangle; empty for one that is."""
    slant, middle = r.height / 3, r.middle[1]
    if kind in SLANTED:
        return [(r.x, r.bottom), (r.x + slant, r.y), (r.right, r.y), (r.right - slant, r.bottom)]
    if kind == "loss":
        return [
            (r.x, middle), (r.x + slant, r.y), (r.right - slant, r.y), (r.right, middle),
            (r.right - slant, r.bottom), (r.x + slant, r.bottom),
        ]  # fmt: skip
    if kind == "parameter":
        return [(r.x, r.y), (r.right - slant, r.y), (r.right, middle), (r.right - slant, r.bottom), (r.x, r.bottom)]
    return []


def radius(kind: str, r: Rectangle) -> float:
    """How round the corners of a rectangle are."""
    return {"state": r.height / 2, "fold": r.height / 2, "constant": 0.0, "delay": 0.0}.get(kind, CORNER)


def inset(r: Rectangle) -> Rectangle:
    """The second outline of a named value or a cell, which tells it from an operation without colour."""
    return Rectangle(r.x + 2.2, r.y + 2.2, r.width - 4.4, r.height - 4.4)


def shape(kind: str, r: Rectangle, paint: Paint, across: Across = number) -> str:
    look = f'fill="{paint.fill}" stroke="{paint.line}" stroke-width="{number(paint.width)}"{dash_of(paint.dash)}'
    outline = corners(kind, r)
    if outline:
        points = " ".join(f"{across(x)},{number(y)}" for x, y in outline)
        return f'<polygon points="{points}" {look} stroke-linejoin="round"/>'
    outer = f'<rect {at(r, across)} rx="{number(radius(kind, r))}" {look}/>'
    if kind not in DOUBLE:
        return outer
    second = f'fill="none" stroke="{paint.line}" stroke-width="0.7"'
    return f'{outer}<rect {at(inset(r), across)} rx="{number(CORNER - 1.5)}" {second}/>'


def path(
    points: Sequence[Point],
    sharp: Collection[int] = (),
    *,
    reverse: bool = False,
    fixed: int = 0,
    across: Across = number,
) -> str:
    """A way with rounded bends, but for the points `sharp`, cut short where its head is: at its end, or at its start.

    Ways that are reversed are drawn from their heads, so that the dashes of those that share a way fall together.
    The first `fixed` points stand where they are, the others by `across`; each is written from the one before it on.
    """
    start, end = points[0], points[-1]
    if reverse:
        start = _toward(start, points[1], ARROW / 2)
    else:
        end = _toward(end, points[-2], ARROW / 2)
    pen = start
    parts = [f"M{number(start[0]) if fixed else across(start[0])} {number(start[1])}"]
    for i in range(1, len(points) - 1):
        before, corner, after = points[i - 1 : i + 2]
        bend = 0.0 if i in sharp else min(BEND, _distance(before, corner) / 2, _distance(corner, after) / 2)
        turns = bend >= 0.5
        stop, onward = (_toward(corner, before, bend), _toward(corner, after, bend)) if turns else (corner, corner)
        parts.append(f"H{across(stop[0])}" if i == fixed else _step(pen, stop))
        if turns:
            parts.append(f"q{_from(stop, corner)} {_from(stop, onward)}")
        pen = onward
    return "".join([*parts, _step(pen, end)])


def arrow(points: Sequence[Point], colour: str, line: float = 0.0, across: Across = number) -> str:
    """The head of an arrow; a `line` that is wide gets a wider one."""
    (x, y), before = points[-1], points[-2]
    back, half = _toward(points[-1], before, ARROW), max(ARROW_WIDTH, line + 3.0) / 2
    across_x, across_y = (y - back[1]) / ARROW * half, (x - back[0]) / ARROW * half
    left, right = (back[0] - across_x, back[1] + across_y), (back[0] + across_x, back[1] - across_y)
    corners = f"M{across(x)} {number(y)}l{_from((x, y), left)}l{_from(left, right)}z"
    return f'<path class="head" d="{corners}" fill="{colour}"/>'


def _step(pen: Point, point: Point) -> str:
    """A line along an axis."""
    return f"h{number(point[0] - pen[0])}" if point[1] == pen[1] else f"v{number(point[1] - pen[1])}"


def _from(pen: Point, point: Point) -> str:
    return f"{number(point[0] - pen[0])} {number(point[1] - pen[1])}"


def _distance(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])  # ways run along the axes


def _toward(start: Point, end: Point, length: float) -> Point:
    """The place so far from the start of a way along an axis; exact, so that it is the same in all columns."""
    across, down = end[0] - start[0], end[1] - start[1]
    if across:
        return start[0] + copysign(length, across), start[1]
    return start[0], start[1] + (copysign(length, down) if down else 0.0)


def text(x: float, y: float, words: str, size: float, colour: str, anchor: str, *, bold: bool = False) -> str:
    """A line of text that is clean already."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" text-anchor="{anchor}" '
        f'fill="{colour}"{weight}>{escape(words)}</text>'
    )


def label_text(label: Label, middle: Point, paint: Paint, scale: float = 1.0) -> str:
    """A label centred at `middle`, its subscripts and superscripts smaller."""
    return f"{label_start(label, middle, paint, scale)}{label_spans(label, scale)}</text>"


def label_start(label: Label, middle: Point, paint: Paint, scale: float = 1.0, across: Across = number) -> str:
    """The tag that begins a label, which holds none of its words."""
    look = ' font-weight="bold"' if paint.bold else ""
    look += f' font-size="{number(TEXT * scale)}"' if scale != 1 else ""
    below = 1.2 if label and label[-1].level < 0 else 0.0
    y = middle[1] + TEXT * scale * 0.36 - below  # letters stand a little above their middle
    return (
        f'<text x="{across(middle[0])}" y="{number(y)}" text-anchor="middle" xml:space="preserve" '
        f'fill="{paint.text}"{look}>'
    )


@lru_cache(maxsize=1 << 12)
def label_spans(label: Label, scale: float = 1.0) -> str:
    """The words of a label, those below and above the line smaller."""
    spans, level = [], 0
    for span in label:
        shift = HEIGHT[level] - HEIGHT[span.level]
        drop = f' dy="{number(shift)}"' if shift else ""
        size = f' font-size="{number(SUBSCRIPT * scale)}"' if span.level else ""
        spans.append(f"<tspan{drop}{size}>{escape(clean_keeping_spaces(span.text))}</tspan>")
        level = span.level
    return "".join(spans)
