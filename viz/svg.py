"""Writing a laid-out scene as SVG, with the standard library only.

Looks are attributes of the elements, not a style sheet: several pictures on one page then don't
style one another, and slide programs read them. Every node and edge is a group with a stable id and
classes (`h_3`, `node state tanh step-3 layer1`; `h_2--h_3--0`, `edge local step-3`) and a tooltip. Bytes depend
on the graph alone: numbers are written with a fixed format and nothing is iterated by hash.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from .below import in_lines, in_svg, notes, samples
from .dots import Junctions, find_junctions
from .geometry import Layout, Rectangle, Route
from .labels import clean, plain, shortened
from .looks import Line, Looks
from .marks import (
    Across,
    arrow,
    at,
    dash_of,
    escape,
    label_spans,
    label_start,
    label_text,
    number,
    path,
    shape,
    text,
)
from .measuring import short
from .places import AFTER
from .reach_chart import cut_look, write_chart
from .scene import Box, Edge, Scene
from .stamps import NOWHERE, Piece, stamped
from .stencil import Stencils
from .style import (
    DETAIL_LIMIT,
    DOT,
    FAINT,
    FONT,
    HEADER_TEXT,
    LEGEND_WIDTH,
    LINE_HEIGHT,
    MARGIN,
    SMALL_TEXT,
    TAG_SCALE,
    TEXT,
    TITLE_TEXT,
    Theme,
    text_width,
)


@dataclass(frozen=True)
class Caption:
    """What the picture says in words."""

    title: str
    description: str
    shown_title: str = ""
    legend: bool = True


def write_svg(scene: Scene, layout: Layout, theme: Theme, caption: Caption) -> str:
    """The whole document."""
    return _Writer(scene, layout, theme).document(caption)


def size_of(svg: str) -> tuple[float, float]:
    """Width and height of a picture written here."""
    found = re.search(r'viewBox="0 0 (\S+) (\S+)"', svg)
    assert found is not None  # every picture has one
    return float(found[1]), float(found[2])


class _Writer:
    def __init__(self, scene: Scene, layout: Layout, theme: Theme) -> None:
        self.scene, self.layout, self.theme = scene, layout, theme
        self.looks = Looks(scene, theme)
        self.lines = [self.looks.line(edge) for edge in scene.edges]
        self.columns = [scene.column_of(edge) for edge in scene.edges]
        self.junctions = find_junctions(layout.routes, [scene.edges[route.edge].source for route in layout.routes])
        self.scale = self.looks.scale

    def document(self, caption: Caption) -> str:
        theme, layout = self.theme, self.layout
        top = MARGIN + (TITLE_TEXT * 1.5 if caption.shown_title else 0)
        foot = top + layout.height + SMALL_TEXT * 1.4
        told = notes(self.scene) if caption.legend else []
        title_width = text_width(caption.shown_title, TITLE_TEXT, bold=True)
        room = max([LEGEND_WIDTH, layout.width, title_width, *[width for _, width in told]])
        kinds = samples(self.scene, layout, self.looks, self.lines) if caption.legend else ()
        legend, legend_width, rows = in_lines(kinds, room, 0)
        below, notes_width, rows = in_lines(told, room, rows)
        inner = max(layout.width, title_width, legend_width, notes_width)
        width, left = number(2 * MARGIN + inner), number(MARGIN + (inner - layout.width) / 2)
        height = number(foot + rows * LINE_HEIGHT + MARGIN / 2)
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-labelledby="title desc" class="tinygraph {theme.name}" '
            f'font-family="{escape(FONT)}" font-size="{number(TEXT)}">',
            f'<title id="title">{escape(caption.title)}</title>',
            f'<desc id="desc">{escape(caption.description)}</desc>',
            f'<rect class="background" width="{width}" height="{height}" fill="{theme.background}"/>',
        ]
        if caption.shown_title:
            lines.append(
                text(MARGIN, MARGIN + TITLE_TEXT, caption.shown_title, TITLE_TEXT, theme.text, "start", bold=True)
            )
        lines.append(f'<g class="drawing" transform="translate({left} {number(top)})">\n')
        ends = ["</g>"]
        for kind, entries in (("legend", legend), ("notes", below)):
            place = f"translate({number(MARGIN)} {number(foot)})"
            ends += [f'<g class="{kind}" transform="{place}">', *in_svg(entries, self.looks), "</g>"]
        return "".join(["\n".join(lines), *self._drawing(), "\n".join([*ends, "</svg>", ""])])

    def _drawing(self) -> Iterator[str]:
        """The text of all parts, from the lowest to the topmost; of columns that repeat, too."""
        behind = (self._chunks(), self._panels(), self._headings(), self._edges())
        for pieces in (*behind, self._gradients(), self._dots(), self._marks(), self._nodes(), self._truncation()):
            yield from stamped(pieces, self.scene.repeats.values())

    # Behind
    def _chunks(self) -> Iterator[Piece]:
        for chunk, r in self.layout.chunks:
            fill = self.theme.chunks[chunk % len(self.theme.chunks)]
            yield NOWHERE, f'<rect class="chunk" data-chunk="{chunk}" {at(r)} fill="{fill}"/>\n'

    def _panels(self) -> Iterator[Piece]:
        theme, chunks = self.theme, self.scene.chunks
        for column, lane, r in self.layout.panels:
            folded = self.scene.columns[column].hidden > 0
            fill = theme.background if folded else "none" if column in chunks else theme.lane
            dash = ' stroke-dasharray="3 4"' if folded else ""
            yield (
                column,
                f'<rect class="panel" data-lane="{escape(clean(lane))}" {at(r)} rx="8" '
                f'fill="{fill}" stroke="{theme.lane_line}"{dash}/>\n',
            )

    def _headings(self) -> Iterator[Piece]:
        theme = self.theme
        for column, (x, y) in self.layout.headings:
            title = self.scene.columns[column].title
            yield column, text(x, y, title, HEADER_TEXT, theme.text, "middle", bold=True) + "\n"
        for name, (x, y) in self.layout.lane_names:
            words = text(x, y + SMALL_TEXT / 3, clean(name), SMALL_TEXT, theme.quiet, "start", bold=True)
            yield NOWHERE, f"{words}\n"

    # Edges
    def _edges(self) -> Iterator[Piece]:
        """The edges, column by column; those with which a step looks at a memory above all, the strongest on top."""
        stencils, edges, boxes = Stencils(), self.scene.edges, self.scene.boxes
        faint = f' opacity="{FAINT}"' if self.scale else ""  # gradients come to the fore
        for route, sharp in self._in_columns(self.layout.routes, self.junctions, lambda edge: edge.attention):
            edge, line = edges[route.edge], self.lines[route.edge]
            source, target = boxes[edge.source], boxes[edge.target]
            kind = f"{line.kind} folded" if edge.folded else line.kind
            step = "" if target.step is None else f" step-{target.step}"
            drawn = stencils.write((route.way, sharp, line), route.x, partial(_line, route, sharp, line))
            yield (
                self.columns[route.edge],
                f'<g id="{edge.id}" class="edge {kind}{step}" data-from="{source.id}" data-to="{target.id}"{faint}>'
                f"{drawn}</g>\n",
            )

    def _in_columns(
        self, routes: list[Route], junctions: Junctions, strength: Callable[[Edge], float | None]
    ) -> list[tuple[Route, tuple[int, ...]]]:
        """Routes with their sharp corners: by what they are as strong as, the strongest last, then by their columns."""
        edges, boxes = self.scene.edges, self.scene.boxes

        def order(pair: tuple[Route, tuple[int, ...]]) -> tuple[float, int, int]:
            index = pair[0].edge
            edge = edges[index]
            return strength(edge) or 0.0, boxes[edge.target].column, self.columns[index]

        return sorted(zip(routes, junctions.sharp, strict=True), key=order)

    def _marks(self) -> Iterator[Piece]:
        """What is written on edges, over them."""
        for index, place, r in self.layout.marks:
            mark = self.scene.edges[index].marks[place]
            words, kind, paint = "", "mark", self.looks.mark(mark)
            if mark.weight is not None:
                members = self.scene.weights[mark.weight].members
                words, kind = shortened(", ".join(map(plain, members)), DETAIL_LIMIT), "mark weight"
            if mark.share is not None and self.scale:
                words += f": gradient of norm {short(mark.share)} through this use"
            look = f'fill="{paint.fill}" stroke="{paint.line}" stroke-width="{number(paint.width)}"'
            title = f"<title>{escape(words)}</title>" if words else ""
            label = label_text(mark.label, r.middle, paint, TAG_SCALE)
            yield NOWHERE, f'<g class="{kind}">{title}<rect {at(r)} rx="3" {look}/>{label}</g>\n'

    def _gradients(self) -> Iterator[Piece]:
        """The gradients, column by column; where they are measured, the strongest on top."""
        stencils, gradients = Stencils(), self.layout.gradients
        for route, sharp in self._in_columns(gradients, find_junctions(gradients), self._share):
            edge = self.scene.edges[route.edge]
            source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
            line = self.looks.gradient(edge)
            joint = route.net == target.id  # dashes begin where edges of one net have a common end
            draw = partial(_gradient_line, route, sharp, line, joint)
            drawn = draw(number) if route.way.fixed else stencils.write((route.way, sharp, line, joint), route.x, draw)
            known = edge.share is not None and self.scale
            words = f"<title>gradient of norm {short(edge.share or 0.0)}</title>" if known else ""
            yield (
                self.columns[route.edge],
                f'<g id="{edge.id}--back" class="gradient" data-from="{target.id}" data-to="{source.id}">{words}'
                f"{drawn}</g>\n",
            )

    def _share(self, edge: Edge) -> float | None:
        return edge.share if self.scale else None

    def _dots(self) -> Iterator[Piece]:
        """The dots of each net: those of nets that keep to a column and its neighbours, and those of longer ones."""
        colours = self.looks.dots(self.layout.routes, self.lines)
        home = self._homes()
        for net, points in sorted(self.junctions.dots.items(), key=lambda item: home[item[0]]):
            if not points:
                continue
            yield home[net], f'<g id="{net}--dots">'
            for x, y in sorted(points):
                column = home[net] if home[net] >= 0 else bisect_right(self.layout.left, x) - 1
                place = f'cx="{number(x)}" cy="{number(y)}" r="{number(DOT)}"'
                yield column, f'<circle class="junction" {place} fill="{colours.get((net, (x, y)), colours[net])}"/>'
            yield home[net], "</g>\n"

    def _homes(self) -> dict[str, int]:
        """The column that a net begins in, of those that reach the next at most; -1 for longer ones."""
        home: dict[str, int] = {}
        for route in self.layout.routes:
            edge = self.scene.edges[route.edge]
            source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
            near = abs(source.column - target.column) <= 1 and target.key[0] != AFTER
            home[route.net] = min(home.get(route.net, source.column), source.column if near else NOWHERE)
        return home

    # Nodes
    def _nodes(self) -> Iterator[Piece]:
        stencils = Stencils()
        for box, r in zip(self.scene.boxes, self.layout.boxes, strict=True):
            if box.column < 0 or box.kind == "parameter":
                body, scale = self._box(box, r, number), TAG_SCALE if box.column < 0 else 1.0
            else:
                left, scale = self.layout.left[box.column], 1.0
                alike = (box.kind, r.x - left, r.width, r.y, box.label[-1].level)
                body = stencils.write(alike, left, partial(self._box, box, r))
            yield (
                box.column,
                f'<g id="{box.id}" class="node {box.classes}"><title>{escape(box.detail)}</title>'
                f"{body}{label_spans(box.label, scale)}</text></g>\n",
            )

    def _box(self, box: Box, r: Rectangle, across: Across) -> str:
        """The outline of a box, and the tag that begins its label."""
        paint, scale = self.looks.paint(box), TAG_SCALE if box.column < 0 else 1.0
        return shape(box.kind, r, paint, across) + label_start(box.label, r.middle, paint, scale, across)

    def _truncation(self) -> Iterator[Piece]:
        for column, (x, top), (_, bottom) in self.layout.cuts:
            place = self.scene.columns[column].place
            line = f'<path d="M{number(x)} {number(top)}V{number(bottom)}" {cut_look(self.theme)}/>'
            words = f"cut before step {place}: no gradient of a window that starts here passes"
            yield NOWHERE, f'<g class="cut" data-step="{place}"><title>{words}</title>{line}</g>\n'
        if self.layout.chart is not None and self.scene.reach is not None:
            for part in write_chart(self.scene.reach, self.layout.chart, self.theme):
                yield NOWHERE, f"{part}\n"


def _line(route: Route, sharp: tuple[int, ...], line: Line, across: Across) -> str:
    """A forward edge, with its head."""
    points = route.points
    look = f'fill="none" stroke="{line.colour}" stroke-width="{number(line.width)}"{dash_of(line.dash)}'
    way = path(points, sharp, fixed=route.way.fixed, across=across)
    return f'<path d="{way}" {look}/>{arrow(points, line.colour, across=across)}'


def _gradient_line(route: Route, sharp: tuple[int, ...], line: Line, joint: bool, across: Across) -> str:
    """The gradient along an edge, with its head at the source."""
    back = route.points[::-1]
    turned = [len(back) - 1 - i for i in sharp]
    way = path(back, turned, across=across) if joint else path(route.points, sharp, reverse=True, across=across)
    look = f'fill="none" stroke="{line.colour}" stroke-width="{number(line.width)}"{dash_of(line.dash)}'
    return f'<path d="{way}" {look}/>{arrow(back, line.colour, line.width, across)}'
