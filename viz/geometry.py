"""The pieces of a layout: points, rectangles and ways, in units of the picture; y grows downwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .style import GRADIENT_OFFSET

Point = tuple[float, float]


class Rectangle(NamedTuple):
    """Left, top, width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """Points from a source to a target, shared by all routes that look alike in other columns.

    The first `fixed` points stand where they are; the others are measured from the left of the target's column.
    """

    points: tuple[Point, ...]
    fixed: int = 0


class Route(NamedTuple):
    """The way of an edge into a column that begins at `x`; edges with the same `net` may share parts of it."""

    edge: int
    net: str
    way: Way
    x: float

    @property
    def points(self) -> list[Point]:
        """The points from the source to the target, in the picture."""
        way, x = self.way, self.x
        return [*way.points[: way.fixed], *[(x + dx, y) for dx, y in way.points[way.fixed :]]]


@dataclass
class Layout:
    """Rectangles by box, routes of edges and of gradients, panels by column and lane, headings by column."""

    boxes: list[Rectangle] = field(default_factory=list)
    left: list[float] = field(default_factory=list)  # where the boxes of each column begin: whole numbers
    routes: list[Route] = field(default_factory=list)
    gradients: list[Route] = field(default_factory=list)
    panels: list[tuple[int, str, Rectangle]] = field(default_factory=list)
    chunks: list[tuple[int, Rectangle]] = field(default_factory=list)  # behind the columns of each chunk, by number
    headings: list[tuple[int, Point]] = field(default_factory=list)
    lane_names: list[tuple[str, Point]] = field(default_factory=list)
    marks: list[tuple[int, int, Rectangle]] = field(default_factory=list)  # what is written on edges: edge, place
    cuts: list[tuple[int, Point, Point]] = field(default_factory=list)  # the column at the right, both ends
    chart: Rectangle | None = None
    width: float = 0.0
    height: float = 0.0


def tidy(points: Sequence[Point]) -> list[Point]:
    """The same way without points that stand on top of each other or on a straight line."""
    result: list[Point] = []
    for point in points:
        if result and result[-1] == point:
            continue
        if len(result) > 1 and any(result[-2][k] == result[-1][k] == point[k] for k in (0, 1)):
            result.pop()
        result.append(point)
    return result


def beside(way: Way) -> Way:
    """The same way, a little to the right and below; its ends stay at the boxes."""
    points = way.points
    moved = [(x + GRADIENT_OFFSET, y + GRADIENT_OFFSET) for x, y in points]
    for i, j in ((0, 1), (-1, -2)):
        if points[i][1] != points[j][1]:
            moved[i] = (moved[i][0], points[i][1])
        else:
            moved[i] = (points[i][0], moved[i][1])
    return Way(tuple(moved), way.fixed)
