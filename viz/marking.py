"""Marks put on a finished picture: its parts are found again by their ids, and lines of text stand below it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

from .marks import escape, number
from .style import NOW_EDGE, NOW_WIDTH

SVG = "http://www.w3.org/2000/svg"
SHAPES = {f"{{{SVG}}}{name}" for name in ("rect", "polygon", "path")}


def read(svg: str) -> ElementTree.Element:
    ElementTree.register_namespace("", SVG)
    return ElementTree.fromstring(svg)


def written(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def parts(root: ElementTree.Element) -> Iterable[ElementTree.Element]:
    """The groups that have an id: nodes, edges, gradients."""
    return [part for part in root.iter(f"{{{SVG}}}g") if part.get("id")]


def add_class(part: ElementTree.Element, name: str) -> None:
    part.set("class", f"{part.get('class', '')} {name}".strip())


def outline(part: ElementTree.Element, colour: str, dash: str = "") -> None:
    """Draw the outline of a box, or the line of an edge, thick and in a colour."""
    shapes = [child for child in part if child.tag in SHAPES]
    for shape in shapes[:1]:
        edge = shape.tag == f"{{{SVG}}}path"
        shape.set("stroke", colour)
        shape.set("stroke-width", number(NOW_WIDTH * (NOW_EDGE if edge else 1.0)))
        if dash:
            shape.set("stroke-dasharray", dash)
    for head in shapes:
        if head.get("class") == "head":
            head.set("fill", colour)


def size(root: ElementTree.Element) -> tuple[float, float]:
    width, height = root.get("viewBox", "").split()[2:]
    return float(width), float(height)


def write_below(root: ElementTree.Element, texts: Iterable[str], width: float, room: float) -> None:
    """Put SVG text below a picture, which grows by `room`, and to `width`."""
    height = size(root)[1] + room
    root.append(ElementTree.fromstring(f'<g xmlns="{SVG}" class="caption">{"".join(texts)}</g>'))
    grounds = root.findall(f"{{{SVG}}}rect[@class='background']")
    for element in (root, *grounds):
        element.set("width", number(width))
        element.set("height", number(height))
    root.set("viewBox", f"0 0 {number(width)} {number(height)}")


def tell(root: ElementTree.Element, title: str, description: str) -> None:
    """Set the title and the description of a picture, which are clean already."""
    for name, words in (("title", title), ("desc", description)):
        found = root.find(f"{{{SVG}}}{name}")
        assert found is not None  # every picture has both
        found.text = words


def tspan(words: str, colour: str = "") -> str:
    """Words within a line; with a colour they are bold and underlined too."""
    look = f' fill="{colour}" font-weight="bold" text-decoration="underline"' if colour else ""
    return f"<tspan{look}>{escape(words)}</tspan>"
