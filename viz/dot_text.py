r"""Pictures in the DOT language, with every place pinned: `neato -n2 -Tsvg net.dot` draws what the SVG shows.

Ids, classes and tooltips are those of the SVG. The `graphviz` package writes the text; no `dot` program is needed.
Legends, panels and the chart of a truncation are left out, as are HTML labels: h_3 stands for a subscript.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .geometry import Layout, Point
from .labels import clean, plain
from .looks import Line, Looks
from .marks import DOUBLE, SLANTED, number
from .scene import Scene
from .style import ARROW, FONT, HEADER_TEXT, TEXT, Theme

INCH = 72.0  # units; one is a point
SHAPES = {**dict.fromkeys(SLANTED, "parallelogram"), "loss": "octagon", "parameter": "cds"}
SQUARE = ("constant", "delay")


def write_dot(scene: Scene, layout: Layout, theme: Theme, description: str) -> str:
    """The whole text."""
    import graphviz

    look, looks, height = graphviz.escape, Looks(scene, theme), layout.height
    font = {"fontname": FONT.split(",")[0], "fontsize": number(TEXT)}
    about = {"comment": look(clean(description)), "bgcolor": theme.background, "newrank": "true"}
    dot = graphviz.Digraph("tinygraph", graph_attr=about, node_attr={**font, "margin": "0"}, edge_attr=font)
    for i, (column, (x, y)) in enumerate(layout.headings):
        place = f"{number(x)},{number(height - y)}!"
        words = {"fontcolor": theme.text, "fontsize": number(HEADER_TEXT), "shape": "plaintext", "id": f"heading--{i}"}
        dot.node(f"heading--{i}", look(scene.columns[column].title), pos=place, **words)
    for box, r in zip(scene.boxes, layout.boxes, strict=True):
        paint, (x, y) = looks.paint(box), r.middle
        style = ["filled", *["rounded"] * (box.kind not in SQUARE), *["dashed"] * bool(paint.dash)]
        attributes: dict[str, Any] = {
            "id": box.id,
            "class": f"node {box.classes}",
            "tooltip": look(box.detail),
            "pos": f"{number(x)},{number(height - y)}!",
            "width": f"{r.width / INCH:.4f}",
            "height": f"{r.height / INCH:.4f}",
            "fixedsize": "true",
            "shape": SHAPES.get(box.kind, "box"),
            "style": ",".join(style),
            "peripheries": "2" if box.kind in DOUBLE else "1",
            "penwidth": number(paint.width),
            "color": paint.line,
            "fillcolor": paint.fill,
            "fontcolor": paint.text,
        }
        dot.node(box.id, look(clean(plain(box.label))), **attributes)
    for route in layout.routes:
        edge = scene.edges[route.edge]
        source, target = scene.boxes[edge.source].id, scene.boxes[edge.target].id
        line = looks.line(edge)
        attributes = _edge(edge.id, f"edge {line.kind}", line, route.points, height)
        if edge.marks:
            attributes["xlabel"] = look(clean(" ".join(plain(mark.label) for mark in edge.marks)))
        dot.edge(source, target, **attributes)
    for route in layout.gradients:
        edge = scene.edges[route.edge]
        source, target = scene.boxes[edge.source].id, scene.boxes[edge.target].id
        dot.edge(
            target, source, **_edge(f"{edge.id}--back", "gradient", looks.gradient(edge), route.points[::-1], height)
        )
    return str(dot.source)


def _edge(name: str, classes: str, line: Line, points: list[Point], height: float) -> dict[str, str]:
    return {
        "id": name,
        "class": classes,
        "color": line.colour,
        "penwidth": number(line.width),
        "style": "dashed" if line.dash else "solid",
        "arrowsize": "0.6",
        "pos": _spline([(x, height - y) for x, y in points]),
    }


def _spline(points: list[Point]) -> str:
    """A way of straight pieces as the Bezier curves that DOT wants, with the place of its arrowhead."""
    tip, before = points[-1], points[-2]
    length = abs(tip[0] - before[0]) + abs(tip[1] - before[1]) or 1.0
    cut = min(ARROW / length, 0.9)
    way = [*points[:-1], (tip[0] + (before[0] - tip[0]) * cut, tip[1] + (before[1] - tip[1]) * cut)]
    controls = [way[0]]
    for (x, y), (u, v) in pairwise(way):
        controls += [(x + (u - x) / 3, y + (v - y) / 3), (u + (x - u) / 3, v + (y - v) / 3), (u, v)]
    return " ".join([f"e,{number(tip[0])},{number(tip[1])}", *(f"{number(x)},{number(y)}" for x, y in controls)])
