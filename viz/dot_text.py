r"""Pictures in the DOT language, with every place pinned: `neato -n2 -Tsvg net.dot` draws what the SVG shows.

Ids, classes and tooltips are those of the SVG. The `graphviz` package writes the text; no `dot` program is needed.
Panels are left out, as are HTML labels: h_3 stands for a subscript. The legend has the kinds of boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from .geometry import Layout, Point, Rectangle
from .labels import clean, plain
from .looks import NAMES, Line, Looks, kinds_shown
from .marks import DOUBLE, SLANTED, number
from .reach import Reach
from .scene import Scene
from .style import ARROW, BOX_HEIGHT, CELL, FONT, HEADER_TEXT, TEXT, Paint, Theme

INCH = 72.0  # units; one is a point
SHAPES = {**dict.fromkeys(SLANTED, "parallelogram"), "loss": "octagon", "parameter": "cds"}
SQUARE = ("constant", "delay")
LEGEND_STEP, LEGEND_BOX = 150.0, (135.0, BOX_HEIGHT)


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
        attributes: dict[str, Any] = {
            "id": box.id,
            "class": f"node {box.classes}",
            "tooltip": look(box.detail),
            "pos": f"{number(x)},{number(height - y)}!",
            **_box(box.kind, paint, (r.width, r.height)),
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
    for i, kind in enumerate(kinds_shown(scene)):
        paint = looks.sample(kind)
        place = f"{number(LEGEND_STEP * (i + 0.5))},{number(-2 * BOX_HEIGHT)}!"
        dot.node(f"legend--{kind}", NAMES[kind], pos=place, id=f"legend--{kind}", **_box(kind, paint, LEGEND_BOX))
    if scene.reach is not None and layout.chart is not None:
        for name, attributes in _pairs(scene.reach, layout.chart, theme, height):
            dot.node(name, "", id=name, **attributes)
    return str(dot.source)


def _pairs(reach: Reach, chart: Rectangle, theme: Theme, height: float) -> Iterator[tuple[str, dict[str, str]]]:
    """The squares of the chart of a truncation: s to the right, t upwards, full ones kept."""
    side = f"{0.8 * CELL / INCH:.4f}"
    for s, t, kept in reach.pairs:
        x, y = chart.x + (s + 0.5) * CELL, height - chart.bottom + (t + 0.5) * CELL
        yield (
            f"pair--{s}--{t}",
            {
                "pos": f"{number(x)},{number(y)}!",
                "shape": "square",
                "fixedsize": "true",
                "width": side,
                "style": "filled",
                "color": theme.carried,
                "fillcolor": theme.carried if kept else theme.background,
                "tooltip": f"the loss at step {t} {'reaches' if kept else 'does not reach'} step {s}",
            },
        )


def _box(kind: str, paint: Paint, size: tuple[float, float]) -> dict[str, str]:
    """The look of a box."""
    style = ["filled", *["rounded"] * (kind not in SQUARE), *["dashed"] * bool(paint.dash)]
    return {
        "width": f"{size[0] / INCH:.4f}",
        "height": f"{size[1] / INCH:.4f}",
        "fixedsize": "true",
        "shape": SHAPES.get(kind, "box"),
        "style": ",".join(style),
        "peripheries": "2" if kind in DOUBLE else "1",
        "penwidth": number(paint.width),
        "color": paint.line,
        "fillcolor": paint.fill,
        "fontcolor": paint.text,
    }


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
