"""The pieces of a layout: points, rectangles and ways, in units of the picture; y grows downwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from .style import GRADIENT_OFFSET

Point = tuple[float, float]


@dataclass(frozen=True)
class Rectangle:
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


@dataclass(frozen=True)
class Route:
    """The way of an edge from its source to its target; edges with the same `net` may share parts of it."""

    edge: int
    net: str
    points: list[Point]


@dataclass
class Layout:
    """Rectangles by box, routes of edges and of gradients, panels by column and lane, headings by column."""

    boxes: list[Rectangle] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    gradients: list[Route] = field(default_factory=list)
    panels: list[tuple[int, str, Rectangle]] = field(default_factory=list)
    headings: list[tuple[int, Point]] = field(default_factory=list)
    lane_names: list[tuple[str, Point]] = field(default_factory=list)
    marks: list[tuple[int, int, Rectangle]] = field(default_factory=list)  # what is written on edges: edge, place
    cuts: list[tuple[int, Point, Point]] = field(default_factory=list)  # the column at the right, both ends
    chart: Rectangle | None = None
    width: float = 0.0
    height: float = 0.0


def shift(layout: Layout, down: float) -> None:
    layout.boxes = [Rectangle(r.x, r.y + down, r.width, r.height) for r in layout.boxes]
    layout.panels = [(c, lane, Rectangle(r.x, r.y + down, r.width, r.height)) for c, lane, r in layout.panels]
    layout.headings = [(c, (x, y + down)) for c, (x, y) in layout.headings]
    layout.lane_names = [(name, (x, y + down)) for name, (x, y) in layout.lane_names]
    layout.marks = [(e, i, Rectangle(r.x, r.y + down, r.width, r.height)) for e, i, r in layout.marks]
    layout.cuts = [(c, (x, a + down), (z, b + down)) for c, (x, a), (z, b) in layout.cuts]
    for routes in (layout.routes, layout.gradients):
        routes[:] = [Route(r.edge, r.net, [(x, y + down) for x, y in r.points]) for r in routes]


def tidy(points: list[Point]) -> list[Point]:
    """The same way without points that stand on top of each other or on a straight line."""
    result: list[Point] = []
    for point in points:
        if result and result[-1] == point:
            continue
        if len(result) > 1 and any(result[-2][k] == result[-1][k] == point[k] for k in (0, 1)):
            result.pop()
        result.append(point)
    return result


def beside(points: list[Point]) -> list[Point]:
    """The same way, a little to the right and below; its ends stay at the boxes."""
    moved = [(x + GRADIENT_OFFSET, y + GRADIENT_OFFSET) for x, y in points]
    for i, j in ((0, 1), (-1, -2)):
        if points[i][0] == points[j][0]:
            moved[i] = (moved[i][0], points[i][1])
        else:
            moved[i] = (points[i][0], moved[i][1])
    return moved
