"""How each box, edge and mark of a scene is painted, whatever the picture is written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

from .geometry import Point, Route
from .labels import plain
from .places import AFTER
from .scale import scale_of
from .scene import Box, Edge, Mark, Scene
from .style import FORCED_DASH, GRADIENT_DASH, ZERO_DASH, Paint, Theme, letters_on, mixed, rail_colour

CARRIED_WIDTH, EDGE_WIDTH, GRADIENT_WIDTH = 2.0, 1.3, 1.4
ATTENTION_WIDTH = 1.7  # more, for a weight of 1
LEAST_OPACITY = 0.12
FOLDED_DASH = "5 3"
NAMES = {  # of the kinds, in the order of the legend
    "parameter": "parameter", "input": "input", "mask": "mask", "constant": "constant", "state": "state",
    "cell": "cell", "value": "named value", "op": "operation", "loss": "loss or result",
    "delay": "delay of one step or more", "fold": "folded",
}  # fmt: skip


def kinds_shown(scene: Scene) -> list[str]:
    """The kinds of boxes that occur, in the order of the legend."""
    kinds = {box.kind for box in scene.boxes}
    return [kind for kind in NAMES if kind in kinds]


class Line(NamedTuple):
    """The look of an edge, and its kind: local, use (of a parameter), carried (over time), forced, gradient."""

    colour: str
    dash: str
    width: float
    kind: str


def _numbered(tags: Mapping[str, str], first: Sequence[str]) -> dict[str, int]:
    """The number of each tag's colour: of those with a name among the `first`, its place there; then the others."""
    own = {name: i for i, name in enumerate(first)}
    rest = count(len(own))
    return {tag: own.pop(name) if name in own else next(rest) for tag, name in tags.items()}


class Looks:
    """The paints of a scene in a theme. `scale` is that of measured gradients, if there are some."""

    def __init__(self, scene: Scene, theme: Theme) -> None:
        self.scene, self.theme = scene, theme
        rail = [box for box in scene.boxes if box.column < 0 or box.kind == "parameter"]
        tags = {box.id: plain(box.name or box.label) for box in rail if box.kind != "fold"}
        for weight in scene.weights:
            if weight.used:
                tags.setdefault(weight.id, plain(weight.label))
        self.states = {box.key for box in scene.boxes if box.kind in ("state", "cell")}
        self.rail = {name: rail_colour(theme, i) for name, i in _numbered(tags, scene.colours).items()}
        self.rail |= {box.id: (theme.quiet, "") for box in rail if box.kind == "fold"}
        self.uses = {name: Line(*look, EDGE_WIDTH, "use") for name, look in self.rail.items()}
        self.local = Line(theme.edge, "", EDGE_WIDTH, "local")
        self.scale = scale_of(edge.share for edge in scene.edges if edge.share is not None)

    def paint(self, box: Box) -> Paint:
        if box.kind != "parameter":
            return self.theme.paints[box.kind]
        colour = self.rail[box.id][0]
        return Paint(colour, colour, self.theme.background, bold=True)

    def sample(self, kind: str) -> Paint:
        """The look of a kind of box in the legend, where a parameter has no colour of its own."""
        quiet = self.theme.quiet
        return Paint(quiet, quiet, self.theme.background) if kind == "parameter" else self.theme.paints[kind]

    def line(self, edge: Edge) -> Line:
        """The look of a forward edge."""
        source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
        written = self._written(edge) if edge.marks else ""
        if edge.attention is not None:
            return self.attention(edge.attention)
        if source.column < 0:
            line = self.uses[source.id]
            line = line._replace(colour=written or line.colour)
        elif self._carried(source, target):
            line = Line(written or self.theme.carried, "", CARRIED_WIDTH, "carried")
        elif self.forced(edge):
            line = Line(written or self.theme.paints["input"].line, FORCED_DASH, EDGE_WIDTH, "forced")
        else:
            line = Line(written, "", EDGE_WIDTH, "local") if written else self.local
        return line._replace(dash=FOLDED_DASH) if edge.folded else line

    def attention(self, weight: float) -> Line:
        """The look of a look at a memory: as if it were so opaque, but that lines that share a way do not add up."""
        share = min(max(weight, 0.0), 1.0)
        colour = mixed(self.theme.background, self.theme.attention, LEAST_OPACITY + (1 - LEAST_OPACITY) * share)
        return Line(colour, "", EDGE_WIDTH + ATTENTION_WIDTH * share, "attention")

    def dots(self, routes: Sequence[Route], lines: Sequence[Line]) -> dict[Any, str]:
        """The colour of the dots of each net, and of those at a place where lines of a net differ in colour.

        `lines` are the looks of the edges, by their numbers.
        """
        found: dict[Any, str] = {}
        for route in routes:
            edge = self.scene.edges[route.edge]
            colour = found[route.net] = lines[route.edge].colour
            if edge.marks or edge.attention is not None:
                found |= {(route.net, point): colour for point in route.points}
        return found | self._attention_dots(routes)

    def _attention_dots(self, routes: Sequence[Route]) -> dict[tuple[str, Point], str]:
        """Where looks at one box leave the line up from it: as strong as the strongest that goes on from there."""
        corners: dict[int, list[tuple[float, float, str, Point]]] = {}
        for route in routes:
            edge, corner = self.scene.edges[route.edge], route.points[1]
            if edge.attention is not None:
                corners.setdefault(edge.source, []).append((corner[1], edge.attention, route.net, corner))
        found: dict[tuple[str, Point], str] = {}
        for looks in corners.values():
            strongest = 0.0
            for _, weight, net, corner in sorted(looks):
                strongest = max(strongest, weight)
                found[net, corner] = self.attention(strongest).colour
        return found

    def gradient(self, edge: Edge) -> Line:
        """The look of the gradient along an edge."""
        if edge.share is None or not self.scale:
            return Line(self.theme.gradient, GRADIENT_DASH, GRADIENT_WIDTH, "gradient")
        return self.flow(edge.share)

    def flow(self, norm: float) -> Line:
        """The look of a gradient of this norm, where some were measured."""
        assert self.scale is not None  # whoever asks has seen that there is one
        if not norm:
            return Line(self.theme.quiet, ZERO_DASH, EDGE_WIDTH, "gradient")
        return Line(self.scale.colour(norm, self.theme), "", self.scale.width(norm), "gradient")

    def mark(self, mark: Mark) -> Paint:
        """The look of what is written on an edge."""
        if mark.weight is None:
            paint = Paint(self.theme.background, self.theme.quiet, self.theme.quiet)
        else:
            colour = self.rail[self.scene.weights[mark.weight].id][0]
            paint = Paint(self.theme.background, colour, colour, bold=True)
        if mark.share is not None and self.scale:
            fill = self.scale.colour(mark.share, self.theme)
            paint = replace(paint, fill=fill, text=letters_on(self.theme, fill), width=2.0)
        return paint

    def forced(self, edge: Edge) -> bool:
        """Whether a target is fed to the next step in place of what the net said: teacher forcing."""
        source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
        later = 0 <= source.column < target.column
        return later and source.kind == "input" and source.key[0] == target.key[0] == "steps"

    def _written(self, edge: Edge) -> str:
        """The colour of the one weight that is written on an edge, if there is one."""
        weights = [mark.weight for mark in edge.marks if mark.weight is not None]
        return self.rail[self.scene.weights[weights[0]].id][0] if len(weights) == 1 else ""

    def _carried(self, source: Box, target: Box) -> bool:
        """Whether an edge carries a state from one column to another."""
        if "delay" in (source.kind, target.kind):
            return True
        return source.column not in (-1, target.column) and target.key[0] != AFTER and source.key in self.states
