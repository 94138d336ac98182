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
from .reach_chart import TITLES
from .scene import Scene
from .style import (
    ARROW,
    ARROW_WIDTH,
    BOX_HEIGHT,
    BOX_PADDING,
    CELL,
    FONT,
    GAP,
    HEADER_TEXT,
    SMALL_TEXT,
    TAG_SCALE,
    TEXT,
    Paint,
    Theme,
    text_width,
)

INCH = 72.0  # units; one is a point
SHAPES = {**dict.fromkeys(SLANTED, "parallelogram"), "loss": "octagon"}
SQUARE = ("parameter", "constant", "delay", *SHAPES)
HEAD = 10.0  # points: an arrow's head of size 1

Attributes = dict[str, Any]


def write_dot(scene: Scene, layout: Layout, theme: Theme, description: str) -> str:
    """The whole text."""
    import graphviz

    font = {"fontname": FONT.split(",")[0], "fontsize": number(TEXT)}
    about = {"comment": graphviz.escape(clean(description)), "bgcolor": theme.background, "newrank": "true"}
    about |= {"outputorder": "edgesfirst"}  # what is written on an edge stands over it
    dot = graphviz.Digraph("tinygraph", graph_attr=about, node_attr={**font, "margin": "0"}, edge_attr=font)
    writer = _Writer(scene, layout, theme)
    for name, label, attributes in writer.nodes():
        tooltip = {"tooltip": graphviz.escape(attributes["tooltip"])} if "tooltip" in attributes else {}
        dot.node(name, graphviz.escape(clean(label)), **{**attributes, **tooltip})
    for source, target, attributes in writer.edges():
        dot.edge(source, target, **attributes)
    return str(dot.source)


class _Writer:
    def __init__(self, scene: Scene, layout: Layout, theme: Theme) -> None:
        self.scene, self.layout, self.theme = scene, layout, theme
        self.looks = Looks(scene, theme)

    def nodes(self) -> Iterator[tuple[str, str, Attributes]]:
        """Name, label and attributes of every node."""
        for i, (column, spot) in enumerate(self.layout.headings):
            yield self._words(f"heading--{i}", self.scene.columns[column].title, spot, HEADER_TEXT)
        for box, r in zip(self.scene.boxes, self.layout.boxes, strict=True):
            look = _box(box.kind, plain(box.label), self.looks.paint(box), r, TEXT if box.column >= 0 else None)
            about = {"class": f"node {box.classes}", "tooltip": box.detail}
            yield box.id, plain(box.label), self._at(box.id, r.middle) | about | look
        for index, place, r in self.layout.marks:
            edge = self.scene.edges[index]
            label, name = plain(edge.marks[place].label), f"mark--{edge.id}--{place}"
            look = _box("mark", label, self.looks.mark(edge.marks[place]), r, TEXT * TAG_SCALE)
            yield name, label, self._at(name, r.middle) | look
        yield from self._legend()
        yield from self._chart()

    def edges(self) -> Iterator[tuple[str, str, Attributes]]:
        """Ends and attributes of every edge, and of every gradient along one."""
        boxes = self.scene.boxes
        for route in self.layout.routes:
            edge = self.scene.edges[route.edge]
            line = self.looks.line(edge)
            look = self._edge(edge.id, f"edge {line.kind}", line, route.points)
            yield boxes[edge.source].id, boxes[edge.target].id, look
        for route in self.layout.gradients:
            edge = self.scene.edges[route.edge]
            look = self._edge(f"{edge.id}--back", "gradient", self.looks.gradient(edge), route.points[::-1])
            yield boxes[edge.target].id, boxes[edge.source].id, look

    def _at(self, name: str, place: Point) -> Attributes:
        return {"id": name, "pos": f"{number(place[0])},{number(self.layout.height - place[1])}!"}

    def _words(self, name: str, words: str, place: Point, size: float) -> tuple[str, str, Attributes]:
        look = {"fontcolor": self.theme.text, "fontsize": number(size), "shape": "plaintext"}
        return name, words, self._at(name, place) | look

    def _edge(self, name: str, classes: str, line: Line, points: list[Point]) -> Attributes:
        return {
            "id": name,
            "class": classes,
            "color": line.colour,
            "penwidth": number(line.width),
            "style": "dashed" if line.dash else "solid",
            "arrowsize": number(max(ARROW_WIDTH, line.width + 3.0) / HEAD),
            "pos": _spline([(x, self.layout.height - y) for x, y in points]),
        }

    def _legend(self) -> Iterator[tuple[str, str, Attributes]]:
        left, y = 0.0, self.layout.height + 2 * BOX_HEIGHT
        for kind in kinds_shown(self.scene):
            r = Rectangle(left, y, text_width(NAMES[kind], TEXT) + 4 * BOX_PADDING, BOX_HEIGHT)
            look = _box(kind, NAMES[kind], self.looks.sample(kind), r, TEXT)
            yield f"legend--{kind}", NAMES[kind], self._at(f"legend--{kind}", r.middle) | look
            left = r.right + GAP

    def _chart(self) -> Iterator[tuple[str, str, Attributes]]:
        """The squares of the chart of a truncation: s to the right, t upwards, full ones kept."""
        reach, chart = self.scene.reach, self.layout.chart
        if reach is None or chart is None:
            return
        for i, words in enumerate(TITLES):
            place = chart.middle[0], chart.y + (i + 0.5) * HEADER_TEXT * 1.2
            yield self._words(f"pairs--{i}", words, place, SMALL_TEXT)
        side = f"{0.8 * CELL / INCH:.4f}"
        for s, t, kept in reach.pairs:
            name, place = f"pair--{s}--{t}", (chart.x + (s + 0.5) * CELL, chart.bottom - (t + 0.5) * CELL)
            yield (
                name,
                "",
                self._at(name, place)
                | {
                    "shape": "square",
                    "fixedsize": "true",
                    "width": side,
                    "style": "filled",
                    "color": self.theme.carried,
                    "fillcolor": self.theme.carried if kept else self.theme.background,
                    "tooltip": f"the loss at step {t} {'reaches' if kept else 'does not reach'} step {s}",
                },
            )


def _box(kind: str, label: str, paint: Paint, r: Rectangle, size: float | None) -> Attributes:
    """The look of a box, its letters as large as fit; None for the size of a tag."""
    corners = "diagonals" if kind in DOUBLE else "rounded" if kind not in SQUARE else ""  # no room for two outlines
    style = ["filled", *filter(None, [corners, "dashed" if paint.dash else ""])]
    wanted = TEXT * TAG_SCALE if size is None else size
    fit = r.width / max(text_width(label, wanted), 1.0)
    return {
        "width": f"{r.width / INCH:.4f}",
        "height": f"{r.height / INCH:.4f}",
        "fixedsize": "true",
        "shape": SHAPES.get(kind, "box"),
        "style": ",".join(style),
        "penwidth": number(paint.width),
        "color": paint.line,
        "fillcolor": paint.fill,
        "fontcolor": paint.text,
        "fontsize": number(wanted * min(fit, 1.0)),
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
