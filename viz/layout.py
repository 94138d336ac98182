"""Where everything stands: boxes, the ways of edges, headings and panels, in units of the picture.

x is time and y is the place in the cell. Edges run through the channels between rows and the gaps
between columns, where there are no boxes; see `roads` for their kinds. Every road has a track of its
own where it might meet another.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from math import ceil

from .channels import Channels
from .edge_marks import marks_width, place_marks
from .geometry import Layout, Point, Rectangle, Route, Way, beside, tidy
from .labels import label_width
from .places import AFTER, BEFORE
from .reach_chart import chart_size
from .roads import Road, find_roads
from .rows import find_rows
from .scene import Box, Edge, Key, Scene
from .shapes import column_shapes
from .style import (
    ARROW,
    BOX_HEIGHT,
    BOX_PADDING,
    CLEARANCE,
    CUT_GAP,
    HEADER_TEXT,
    LANE_PADDING,
    SMALL_TEXT,
    TAG_HEIGHT,
    TRACK,
    text_width,
)


def lay_out(scene: Scene) -> Layout:
    """The layout of a scene. Raises `DrawingError` for one that is far too large."""
    return _LayOut(scene).run()


class _LayOut:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.rows = find_rows(scene)
        self.roads = find_roads(scene)
        self.shapes = column_shapes(scene, self.rows, self.roads)
        self.channels = Channels(max(self.rows.values(), default=0) + 1)
        self.gaps: list[dict[str, int]] = [{} for _ in range(len(scene.columns) + 1)]
        self.room = [0.0] * len(scene.columns)  # for what is written on edges that come in level from the left
        self.room_right = [0.0] * len(scene.columns)  # and from the right
        self.entered: set[int] = set()  # boxes that an edge enters level from the left
        self.leaving: set[tuple[int, int]] = set()  # columns and rows from which an edge leaves to the right
        self.column_x: list[float] = []
        self.shape_x: list[float] = []  # where the boxes of each column begin
        self.cuts = scene.cuts
        self.rail_y: dict[str, float] = {}
        self.boxes: list[Rectangle] = []
        self.ways: dict[Hashable, Way] = {}
        self.spans = self._lane_rows()

    def run(self) -> Layout:
        pairs = [(e, r) for e, r in zip(self.scene.edges, self.roads, strict=True) if e.marks or r.kind != "local"]
        for edge, _ in pairs:
            source = self.scene.boxes[edge.source]
            if 0 <= source.column < self.scene.boxes[edge.target].column:
                self.leaving.add((source.column, self.rows[source.key]))
        self.entered = {edge.target for edge, road in pairs if road.kind == "carry" and self._level(edge, road)}
        for edge, road in pairs:
            self._book(edge, road)
        self._book_local()
        self.channels.settle(apart={low for low, _ in self.spans.values() if low > 0})
        self.channels.move(self._headings() - self.channels.top)
        self._place_columns()
        layout = Layout(left=self.shape_x)
        self.boxes = layout.boxes = [self._rectangle(box) for box in self.scene.boxes]
        self._route(layout)
        self._frame(layout)
        return layout

    def _route(self, layout: Layout) -> None:
        marked: set[tuple[int, Road]] = set()
        back: dict[Way, Way] = {}
        for index, (edge, road) in enumerate(zip(self.scene.edges, self.roads, strict=True)):
            target = self.scene.boxes[edge.target]
            net = road.bundle if road.kind == "long" else self.scene.boxes[edge.source].id
            route = Route(index, net, self._way(edge, road), self.shape_x[target.column])
            layout.routes.append(route)
            if edge.gradient:
                if route.way not in back:
                    back[route.way] = beside(route.way)
                layout.gradients.append(route._replace(way=back[route.way]))
            if edge.marks and (edge.target, road) not in marked:  # edges that share a road share its marks
                marked.add((edge.target, road))
                layout.marks += place_marks(index, edge, route.points)

    def _way(self, edge: Edge, road: Road) -> Way:
        """The way of an edge: that of another one where the two look alike."""
        target = self.scene.boxes[edge.target]
        left = self.shape_x[target.column]
        alike: Hashable = (target.key, road, id(self.shapes[target.column]))
        if road.kind not in ("local", "rail"):
            moved = tuple([(x - left, y) for x, y in tidy(self._points(edge, road))])
            return self.ways.setdefault(moved, Way(moved))
        if alike not in self.ways:
            points = tidy(self._points(edge, road))
            fixed = len(points) - 2 if road.kind == "rail" else 0
            self.ways[alike] = Way((*points[:fixed], *[(x - left, y) for x, y in points[fixed:]]), fixed)
        return self.ways[alike]

    # Booking: which tracks are needed, before anything has a place
    def _book(self, edge: Edge, road: Road) -> None:
        source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
        row = self.rows[target.key]
        if edge.marks and self._level(edge, road):
            room = self.room if road.kind == "carry" else self.room_right
            room[target.column] = max(room[target.column], ceil(marks_width(edge) + ARROW))
        elif edge.marks:
            self.channels.mark(row)
        if road.kind == "rail":
            self.channels.rail(row, source.id)
            self.gaps[0].setdefault(source.id, len(self.gaps[0]))
        elif road.kind != "local" and not self._level(edge, road):
            reach = self._port(edge, road)
            if road.kind == "long":
                self.channels.long(row, road.bundle)
                if self._rises(edge, road):
                    return
            else:
                self.channels.enter(row, f"{road.kind} {road.part}", reach if road.kind == "carry" else -reach)
            rightward = edge.loop or target.column > source.column
            gap = self.gaps[source.column + rightward]
            gap.setdefault(self._lift_name(edge, road), len(gap))
            if not self._sideways(edge, rightward):
                self.channels.leave(self.rows[source.key] + 1, f"{rightward} {source.key}")

    def _book_local(self) -> None:
        done: set[int] = set()
        for shape in self.shapes:
            if shape.arrangement is not None and id(shape) not in done:
                done.add(id(shape))
                ends: dict[tuple[Key, int], list[float]] = {}
                for (key, road), x in shape.port.items():
                    if road.kind == "local" and road.part in shape.middle:
                        ends.setdefault((road.part, self.rows[key]), []).append(x)
                for (source, row), index in shape.arrangement.passage.items():
                    ends.setdefault((source, row), []).append(shape.arrangement.vertices[index].x)
                for (source, row), xs in ends.items():
                    start = shape.arrangement.trunk(source, row - 1).x
                    if any(x != start for x in xs):
                        self.channels.across(row, source, start, xs)

    def _level(self, edge: Edge, road: Road) -> bool:
        """Whether the edge runs level from a box to the stand-in of its later values."""
        source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
        if source.key != target.key or road.kind not in ("carry", "back"):
            return False
        start, end = self.shapes[source.column], self.shapes[target.column]
        if road.kind == "carry":
            return source.key in start.rightmost and source.key in end.open_left
        return source.key in start.leftmost and source.key in end.open_right

    def _rises(self, edge: Edge, road: Road) -> bool:
        """Whether a long edge finds its line just above its source."""
        source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
        return self.rows[target.key] == self.rows[source.key] + 1

    def _sideways(self, edge: Edge, rightward: bool) -> bool:
        """Whether the edge leaves its source at the side."""
        source = self.scene.boxes[edge.source]
        shape = self.shapes[source.column]
        if not rightward and (
            edge.source in self.entered or (source.column - 1, self.rows[source.key]) in self.leaving
        ):
            return False  # another line is there
        return source.key in (shape.rightmost if rightward else shape.leftmost)

    def _lift_name(self, edge: Edge, road: Road) -> str:
        source = self.scene.boxes[edge.source]
        return f"{road.kind} {source.key if road.kind != 'long' else source.id}"

    def _port(self, edge: Edge, road: Road) -> float:
        target = self.scene.boxes[edge.target]
        return self.shapes[target.column].port[target.key, road]

    # Places
    def _place_columns(self) -> None:
        tags = [box for box in self.scene.boxes if box.column < 0]
        lanes = self.scene.lanes if len(self.scene.lanes) > 1 else []
        names = [text_width(name, SMALL_TEXT) for name in lanes]
        self.rail_width = float(ceil(max([0.0, *map(_tag_width, tags), *names])))
        self.rail_y = {tag.id: self.channels.rail_home(tag.id) for tag in tags}
        crossing = [name for name in self.gaps[0] if self.channels.rail_channels(name) > 1]
        rail_only = {tag.id for tag in tags}
        kept = [name for name in self.gaps[0] if name not in rail_only or name in crossing]
        self.gaps[0] = {name: i for i, name in enumerate(kept)}
        x = self.rail_width
        self.gap_x: list[float] = []
        for column, shape in enumerate(self.shapes):
            x += CLEARANCE
            self.gap_x.append(x)
            x += max(len(self.gaps[column]) - 1, 0) * TRACK + CLEARANCE
            x += CUT_GAP if column in self.cuts else 0.0
            x += self.room[column]
            self.column_x.append(x)
            title = self._title_width(column)
            self.shape_x.append(float(x + max(0.0, title - shape.width) // 2))
            x += ceil(max(shape.width, title)) + self.room_right[column]
            x += (self.scene.copies(column) - 1) * (self.column_x[-1] - self.column_x[-2]) if column else 0.0
        self.gap_x.append(x + CLEARANCE)
        self.right = x + (CLEARANCE + len(self.gaps[-1]) * TRACK if self.gaps[-1] else 0.0)

    def _rectangle(self, box: Box) -> Rectangle:
        if box.column < 0:
            width = _tag_width(box)
            return Rectangle(self.rail_width - width, self.rail_y[box.id] - TAG_HEIGHT / 2, width, TAG_HEIGHT)
        shape, key = self.shapes[box.column], box.key
        y = self.channels.row_y[self.rows[key]] - BOX_HEIGHT / 2
        return Rectangle(self.shape_x[box.column] + shape.left(key), y, shape.widths[key], BOX_HEIGHT)

    def _title_width(self, column: int) -> float:
        return ceil(text_width(self.scene.columns[column].title, HEADER_TEXT, bold=True))

    def _gap_at(self, gap: int, name: str) -> float:
        return self.gap_x[gap] + self.gaps[gap][name] * TRACK

    # Ways
    def _points(self, edge: Edge, road: Road) -> list[Point]:
        source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
        row = self.rows[target.key]
        start, end = self.boxes[edge.source], self.boxes[edge.target]
        if self._level(edge, road):
            ends = (start.right, end.x) if road.kind == "carry" else (start.x, end.right)
            return [(ends[0], start.middle[1]), (ends[1], end.middle[1])]
        x = self.shape_x[target.column] + self._port(edge, road)
        if road.kind == "local":
            return [*self._climb(source.key, target.column, row, x), (x, end.bottom)]
        if road.kind == "rail":
            y, home = self.channels.rail_y(row, source.id), start.middle[1]
            turn = self._gap_at(0, source.id) if y != home else start.right
            return [(start.right, home), (turn, home), (turn, y), (x, y), (x, end.bottom)]
        if road.kind == "long" and self._rises(edge, road):
            y = self.channels.long_y(row, road.bundle)
            return [(start.middle[0], start.y), (start.middle[0], y), (x, y), (x, end.bottom)]
        rightward = edge.loop or target.column > source.column
        turn = self._gap_at(source.column + rightward, self._lift_name(edge, road))
        if road.kind == "long":
            y = self.channels.long_y(row, road.bundle)
        else:
            y = self.channels.enter_y(row, f"{road.kind} {road.part}")
        if self._sideways(edge, rightward):
            begin = [(start.right if rightward else start.x, start.middle[1])]
        else:
            out = self.channels.leave_y(self.rows[source.key] + 1, f"{rightward} {source.key}")
            begin = [(start.middle[0], start.y), (start.middle[0], out)]
        return [*begin, (turn, begin[-1][1]), (turn, y), (x, y), (x, end.bottom)]

    def _climb(self, source: Key, column: int, row: int, x: float) -> list[Point]:
        """From the top of a box up its trunk to the channel below `row`, and across to x."""
        shape, left = self.shapes[column], self.shape_x[column]
        assert shape.arrangement is not None
        start = self.rows[source]
        points = [(left + shape.arrangement.trunk(source, start).x, self.channels.row_y[start] - BOX_HEIGHT / 2)]
        for level in range(start + 1, row + 1):
            onward = x if level == row else left + shape.arrangement.trunk(source, level).x
            if onward != points[-1][0]:
                y = self.channels.across_y(level, source)
                points += [(points[-1][0], y), (onward, y)]
        return points

    # Frame
    def _headings(self) -> float:
        """The room for the headings of steps above everything else."""
        timed = any(isinstance(column.place, int) for column in self.scene.columns)
        return 2 * LANE_PADDING + HEADER_TEXT if timed else 0.0

    def _frame(self, layout: Layout) -> None:
        """Panels behind columns, headings and lane names."""
        header = LANE_PADDING
        for column, shape in enumerate(self.shapes):
            if isinstance(self.scene.columns[column].place, int):
                width = max(shape.width, self._title_width(column))
                left = self.column_x[column] - CLEARANCE / 2
                for i, (lane, (lowest, highest)) in enumerate(self.spans.items()):
                    y = self.channels.row_y[highest] - BOX_HEIGHT / 2 - LANE_PADDING
                    y = header - LANE_PADDING if i == len(self.spans) - 1 else y
                    panel = Rectangle(left, y, width + CLEARANCE, self.channels.floor[lowest] - y)
                    layout.panels.append((column, lane, panel))
                layout.headings.append((column, (self.column_x[column] + width / 2, header + HEADER_TEXT * 0.8)))
        if len(self.scene.lanes) > 1:
            named = {lane: high for lane, (_, high) in self.spans.items() if lane}
            layout.lane_names = [(lane, (0.0, self.channels.row_y[high])) for lane, high in named.items()]
        low = max(self.channels.floor[0], *(r.bottom for r in layout.boxes))
        for column in self.cuts:
            x = self.column_x[column] - self.room[column] - (CLEARANCE + CUT_GAP) / 2
            layout.cuts.append((column, (x, 0.0), (x, low)))
        layout.chunks = list(self._chunks(low, {column: x for column, (x, _), _ in layout.cuts}))
        layout.width, layout.height = self.right, low
        self._add_chart(layout)

    def _chunks(self, low: float, cuts: Mapping[int, float]) -> Iterator[tuple[int, Rectangle]]:
        """The ground of each chunk of steps, from cut to cut."""
        of = self.scene.chunks
        for number in dict.fromkeys(of.values()):
            first, *_ = own = [column for column in of if of[column] == number]
            right = self.column_x[own[-1]] + max(self.shapes[own[-1]].width, self._title_width(own[-1])) + CLEARANCE / 2
            x = cuts.get(first, self.column_x[first] - CLEARANCE / 2)
            yield number, Rectangle(x, 0.0, cuts.get(own[-1] + 1, right) - x, low)

    def _add_chart(self, layout: Layout) -> None:
        """The chart of what a truncation keeps stands at the right of everything else."""
        if self.scene.reach is None or not self.scene.reach.charted:
            return
        width, height = chart_size(self.scene.reach)
        layout.chart = Rectangle(layout.width + 2 * CLEARANCE, 0.0, width, height)
        layout.width = layout.chart.right
        layout.height = max(layout.height, height)

    def _lane_rows(self) -> dict[str, tuple[int, int]]:
        """The lowest and highest row of each lane that has steps."""
        spans: dict[str, tuple[int, int]] = {}
        lane_of = {box.key: box.lane for box in self.scene.boxes if box.column >= 0}
        for key, lane in lane_of.items():
            if key[0] not in (AFTER, BEFORE):
                low, high = spans.get(lane, (self.rows[key],) * 2)
                spans[lane] = (min(low, self.rows[key]), max(high, self.rows[key]))
        return {lane: spans[lane] for lane in self.scene.lanes if lane in spans}


def _tag_width(box: Box) -> float:
    """The width of the tag of a parameter; whole, as all widths are, so that sums of them are exact."""
    return ceil(label_width(box.label) + 3 * BOX_PADDING)
