"""A small reader of our SVG: where boxes, lines and words really stand, whatever groups they are moved by."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tinygraph.viz.style import text_width

from .pictures import SVG

Point = tuple[float, float]
MOVED = re.compile(r"translate\(([-\d.]+) ([-\d.]+)\)")
LETTERS = 0.72  # the height of capitals over their font size


@dataclass(frozen=True)
class Area:
    """Left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area, apart: float = 0.0) -> bool:
        across = self.left < other.right + apart and other.left < self.right + apart
        return across and self.top < other.bottom + apart and other.top < self.bottom + apart

    def holds(self, other: Area, room: float = 0.0) -> bool:
        across = self.left - room <= other.left and other.right <= self.right + room
        return across and self.top - room <= other.top and other.bottom <= self.bottom + room


@dataclass
class Seen:
    """What stands in a picture: boxes and marks by name, lines with their ends, words with their sizes."""

    whole: Area
    boxes: dict[str, Area] = field(default_factory=dict)
    marks: list[Area] = field(default_factory=list)
    edges: list[tuple[str, str, list[Point]]] = field(default_factory=list)  # from, to, points
    words: list[tuple[str, float, Area, str]] = field(default_factory=list)  # text, its smallest size, place, box


def read_svg(svg: str) -> Seen:
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    seen = Seen(Area(0.0, 0.0, width, height))
    waiting: list[tuple[Any, float, float, str]] = [(root, 0.0, 0.0, "")]
    while waiting:
        element, x, y, box = waiting.pop()
        moved = MOVED.search(element.get("transform", ""))
        if moved:
            x, y = x + float(moved[1]), y + float(moved[2])
        kinds = element.get("class", "").split()
        if element.tag == f"{SVG}g" and kinds[:1] == ["node"]:
            box = element.get("id", "")
            seen.boxes[box] = outline(element, x, y)
        elif "sign" in kinds:  # at the corner of a box
            box = ""
        elif "mark" in kinds:
            box = f"mark {len(seen.marks)}"
            seen.marks.append(outline(element, x, y))
        elif element.get("data-from") and kinds[:1] == ["edge"]:
            way = [(a + x, b + y) for a, b in points_of(element.find(f"{SVG}path").get("d", ""))]
            seen.edges.append((element.get("data-from", ""), element.get("data-to", ""), way))
        elif element.tag == f"{SVG}text":
            seen.words.append(words_of(element, x, y, box))
        waiting += [(child, x, y, box) for child in element]
    return seen


def outline(group: Any, x: float, y: float) -> Area:
    """The area of the first outline in a group."""
    shape = next(child for child in group.iter() if child.tag in (f"{SVG}rect", f"{SVG}polygon"))
    if shape.get("points"):
        corners = [tuple(map(float, pair.split(","))) for pair in shape.get("points", "").split()]
        left, top = (min(corner[i] for corner in corners) for i in (0, 1))
        right, bottom = (max(corner[i] for corner in corners) for i in (0, 1))
    else:
        left, top, width, height = (float(shape.get(name, "0")) for name in ("x", "y", "width", "height"))
        right, bottom = left + width, top + height
    return Area(left + x, top + y, right + x, bottom + y)


def points_of(way: str) -> list[Point]:
    """The corners of a way: its bends count as the corners that they round off."""
    x = y = 0.0
    found: list[Point] = []
    for command, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", way):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", rest)]
        if command == "M":
            x, y = numbers
        elif command == "H":
            x = numbers[0]
        elif command == "h":
            x += numbers[0]
        elif command == "v":
            y += numbers[0]
        elif command == "q":
            found.append((x + numbers[0], y + numbers[1]))
            x, y = x + numbers[2], y + numbers[3]
        else:
            raise AssertionError(f"a command that ways do not have: {command}")
        found.append((x, y))
    return found


def words_of(element: Any, x: float, y: float, box: str) -> tuple[str, float, Area, str]:
    """A line of text, its smallest letters, and the place that it takes by the widths of the widest font."""
    size = float(element.get("font-size", "12.5"))
    bold = element.get("font-weight") == "bold"
    pieces = [(element.text or "", size, bold)]
    for span in element.iter(f"{SVG}tspan"):
        heavy = bold or span.get("font-weight") == "bold"
        pieces.append((span.text or "", float(span.get("font-size", size)), heavy))
    width = sum(text_width(text, own, heavy) for text, own, heavy in pieces)
    left = x + float(element.get("x", "0"))
    left -= {"middle": width / 2, "end": width}.get(element.get("text-anchor", "start"), 0.0)
    low = y + float(element.get("y", "0"))
    least = min((own for text, own, _ in pieces if text.strip()), default=size)
    return "".join(text for text, _, _ in pieces), least, Area(left, low - LETTERS * size, left + width, low), box


def jogs(ways: list[list[Point]], least: float) -> list[list[Point]]:
    """Ways that step aside by less than `least`, and go on in their direction."""
    return [
        way
        for way in ways
        if any(
            a[0] == b[0] and b[1] == c[1] and c[0] == d[0] and 0 < abs(b[0] - c[0]) < least
            for a, b, c, d in zip(way, way[1:], way[2:], way[3:], strict=False)
        )
    ]


def crossings(one: list[Point], other: list[Point]) -> int:
    """How often two ways cross; lines that touch do not."""
    pairs = [(one, other), (other, one)]
    return sum(
        a[1] == b[1] and c[0] == d[0] and _within(c[0], a[0], b[0]) and _within(a[1], c[1], d[1])
        for across, up in pairs
        for a, b in pairwise(across)
        for c, d in pairwise(up)
    )


def _within(x: float, a: float, b: float) -> bool:
    return min(a, b) < x < max(a, b)


def faults(svg: str) -> list[str]:
    """What nobody wants to see in a picture."""
    seen = read_svg(svg)
    return [*_meeting(seen), *_pierced(seen), *_clipped(seen)]


def _meeting(seen: Seen) -> list[str]:
    """Boxes and marks that touch, and words that touch each other."""
    found = []
    standing = sorted([*seen.boxes.items(), *((f"mark {i}", area) for i, area in enumerate(seen.marks))], key=_left)
    words = sorted(((text, area) for text, _, area, _ in seen.words if text.strip()), key=_left)
    for what, areas in (("boxes", standing), ("words", words)):
        active: list[tuple[str, Area]] = []
        for name, area in areas:
            active = [one for one in active if one[1].right > area.left]
            found += [f"{what} {other!r} and {name!r} meet" for other, place in active if place.meets(area)]
            active.append((name, area))
    return found


def _left(one: tuple[str, Area]) -> float:
    return one[1].left


def _pierced(seen: Seen) -> list[str]:
    """Lines that run through a box that is not their end."""
    found = []
    for source, target, way in seen.edges:
        for (a, b), (c, d) in pairwise(way):
            line = Area(min(a, c), min(b, d), max(a, c), max(b, d))
            for name, area in seen.boxes.items():
                if name not in (source, target) and area.meets(line, -0.01):
                    found.append(f"{source} to {target} runs through {name}")
    return found


def _clipped(seen: Seen) -> list[str]:
    """Words that leave their box, and anything that leaves the picture."""
    places = {**seen.boxes, **{f"mark {i}": area for i, area in enumerate(seen.marks)}}
    inside = [(text, area, places[box]) for text, _, area, box in seen.words if box]
    found = [f"{text!r} leaves its box" for text, area, place in inside if not place.holds(area, 0.5)]
    everything = [*places.values(), *(area for _, _, area, _ in seen.words)]
    found += [f"{area} leaves the picture" for area in everything if not seen.whole.holds(area, 0.5)]
    return found + [f"{a} to {b} leaves it" for a, b, way in seen.edges if not all(_inside(seen, p) for p in way)]


def _inside(seen: Seen, point: Point) -> bool:
    return 0 <= point[0] <= seen.whole.right and 0 <= point[1] <= seen.whole.bottom
