"""How each box and edge of a scene is painted, whatever the picture is written in."""

from __future__ import annotations

from typing import NamedTuple

from .places import AFTER
from .scene import Box, Edge, Scene
from .style import Paint, Theme, rail_colour

CARRIED_WIDTH, EDGE_WIDTH = 2.0, 1.3
FOLDED_DASH = "5 3"
GRADIENT_DASH, GRADIENT_WIDTH = "4 2.5", 1.4


class Line(NamedTuple):
    """The look of an edge, and the kind that it shows: local, use (of a parameter) or carried (a state over time)."""

    colour: str
    dash: str
    width: float
    kind: str


class Looks:
    """The paints of a scene in a theme."""

    def __init__(self, scene: Scene, theme: Theme) -> None:
        self.scene, self.theme = scene, theme
        tags = [box.id for box in scene.boxes if box.column < 0 or box.kind == "parameter"]
        self.states = {box.key for box in scene.boxes if box.kind == "state"}
        self.rail = {name: rail_colour(theme, i) for i, name in enumerate(tags)}
        self.gradient = Line(theme.gradient, GRADIENT_DASH, GRADIENT_WIDTH, "gradient")

    def paint(self, box: Box) -> Paint:
        if box.kind != "parameter":
            return self.theme.paints[box.kind]
        colour = self.rail[box.id][0]
        return Paint(colour, colour, self.theme.background, bold=True)

    def line(self, edge: Edge) -> Line:
        source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
        line = Line(self.theme.edge, "", EDGE_WIDTH, "local")
        if source.column < 0:
            line = Line(*self.rail[source.id], EDGE_WIDTH, "use")
        elif self._carried(source, target):
            line = Line(self.theme.carried, "", CARRIED_WIDTH, "carried")
        return line._replace(dash=FOLDED_DASH) if edge.folded else line

    def _carried(self, source: Box, target: Box) -> bool:
        """Whether an edge carries a state from one column to another."""
        return source.column not in (-1, target.column) and target.key[0] != AFTER and source.key in self.states
