"""The shape of a column: places of its boxes, and of the edges that enter and pass them.

All full columns of a kind share one shape, which is what makes the steps of a picture look alike.
Columns without edges of their own (the initial state, folded steps) are narrow: the same rows, with
the boxes moved together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import ceil

from .arrangement import Arrangement, arrange
from .edge_marks import marks_width
from .labels import label_width
from .marks import SLANTED
from .roads import Road
from .rows import key_edges
from .scene import Box, Key, Scene
from .spacing import ports
from .straightening import straighten
from .style import BOX_HEIGHT, BOX_MINIMUM, BOX_PADDING, GAP, PORT_GAP, SIDE

NEAR = 3.5  # edges closer than this would look like one
PLAY = 4.0  # how far an edge that enters a box gives way to one that passes below


@dataclass
class Shape:
    """Middles, widths and entries of the boxes of a column, from its left side."""

    width: float = 0.0
    middle: dict[Key, float] = field(default_factory=dict)
    widths: dict[Key, float] = field(default_factory=dict)
    port: dict[tuple[Key, Road], float] = field(default_factory=dict)
    leftmost: set[Key] = field(default_factory=set)  # no box beside it at the left, in its row: an edge leaves level
    rightmost: set[Key] = field(default_factory=set)  # no box beside it at the right
    open_left: set[Key] = field(default_factory=set)  # nothing at all beside it at the left: an edge enters level
    open_right: set[Key] = field(default_factory=set)  # nothing at the right, and no edge that leaves there
    arrangement: Arrangement | None = None

    def left(self, key: Key) -> float:
        return self.middle[key] - self.widths[key] / 2

    def right(self, key: Key) -> float:
        return self.middle[key] + self.widths[key] / 2

    def level(self, key: Key, kind: str) -> bool:
        """Whether states of this part pass level through the column: by a carry to the right, else to the left."""
        if kind == "carry":
            return key in self.rightmost and key in self.open_left
        return key in self.leftmost and key in self.open_right


def port_gap(entries: dict[Road, float]) -> float:
    """The distance between two edges that enter a box, from what is written on them."""
    return max([PORT_GAP, *(width + PLAY for width in entries.values() if width)])


def box_width(box: Box, least: float) -> float:
    """The width that the label needs; that of its entries at least."""
    bold = box.kind in ("state", "loss")
    slant = BOX_HEIGHT / 2 if box.kind in ("loss", *SLANTED) else 0.0
    return max(least, round(label_width(box.label, bold) + 2 * BOX_PADDING + slant))


def entries_width(entries: dict[Road, float]) -> float:
    """The width of a box that the entering edges need; a whole number, so that places are exact."""
    gap = port_gap(entries)
    return max(BOX_MINIMUM, ceil((len(entries) - 1) * gap + 2 * side(gap)))


def side(gap: float) -> float:
    """The least distance of an entering edge from the corner of its box."""
    return max(SIDE, gap / 2)


def column_shapes(scene: Scene, rows: dict[Key, int], roads: list[Road]) -> list[Shape]:
    """The shape of each column."""
    entries: dict[Key, dict[Road, float]] = {}
    for edge, road in zip(scene.edges, roads, strict=True):
        own_roads = entries.setdefault(scene.boxes[edge.target].key, {})
        if edge.marks or road not in own_roads:
            own_roads[road] = max(own_roads.get(road, 0.0), marks_width(edge))
    least = {key: entries_width(own_roads) for key, own_roads in entries.items()}
    widths: dict[Key, float] = {}
    own: list[dict[Key, float]] = [{} for _ in scene.columns]  # the boxes of each column
    busy = [False] * len(scene.columns)
    for box in scene.boxes:
        if box.column >= 0:
            width = own[box.column][box.key] = box_width(box, least.get(box.key, BOX_MINIMUM))
            widths[box.key] = max(widths.get(box.key, 0.0), width)
    for edge in scene.edges:
        if scene.boxes[edge.source].column == scene.boxes[edge.target].column:
            busy[scene.boxes[edge.source].column] = True
    full: dict[str, Shape] = {}
    shapes: list[Shape] = []
    groups: dict[str, dict[Key, float]] = {}
    for column, keys in enumerate(own):
        if busy[column]:
            groups.setdefault(next(iter(keys))[0], {}).update(keys)
    edges, leaving = key_edges(scene), _leaving(scene)
    used = {source for source, _ in edges}
    for group, parts in groups.items():  # what only a later column reads stands at the right: its edge crosses none
        groups[group] = dict(sorted(parts.items(), key=lambda part: part[0] in leaving and part[0] not in used))
    for column, keys in enumerate(own):
        group = next(iter(keys))[0] if keys else ""
        if not busy[column]:
            shapes.append(_narrow(own[column], rows))
        else:
            if group not in full:
                full[group] = _full(groups[group], widths, rows, edges, scene.tree)
            shapes.append(full[group])
    for shape in shapes:
        shape.open_right -= leaving
    for key, roads_in in entries.items():
        for road in [road for road in roads_in if road.kind in ("carry", "back") and road.part == key]:
            if all(shape.level(key, road.kind) for shape in shapes if key in shape.middle):
                del roads_in[road]  # it runs level from box to box
    for shape in {id(shape): shape for shape in shapes}.values():
        _set_ports(shape, rows, entries)
        if shape.arrangement is not None and straighten(shape.arrangement, rows, shape.port, partial(_margin, entries)):
            shape.middle = _middles(shape.arrangement)
            _set_ports(shape, rows, entries)
    return shapes


def _margin(entries: dict[Key, dict[Road, float]], key: Key) -> float:
    """The least distance of an entering edge from the corner of the box of a part."""
    return side(port_gap(entries.get(key, {})))


def _middles(arrangement: Arrangement) -> dict[Key, float]:
    return {key: arrangement.vertices[i].x for key, i in arrangement.box.items()}


def _leaving(scene: Scene) -> set[Key]:
    """The parts from which an edge leads to a later column."""
    ends = ((scene.boxes[edge.source], scene.boxes[edge.target].column) for edge in scene.edges)
    return {source.key for source, column in ends if 0 <= source.column < column}


def _full(
    keys: dict[Key, float],
    widths: dict[Key, float],
    rows: dict[Key, int],
    edges: list[tuple[Key, Key]],
    reading: bool,
) -> Shape:
    own = {key: widths[key] for key in keys}
    arrangement = arrange(own, rows, [(s, t) for s, t in edges if s in own and t in own], reading)
    _part(arrangement)
    shape = Shape(arrangement.width, _middles(arrangement), own, arrangement=arrangement)
    for order in arrangement.rows.values():
        first, last = arrangement.vertices[order[0]], arrangement.vertices[order[-1]]
        boxes = [vertex.key for v in order if (vertex := arrangement.vertices[v]).width]
        shape.leftmost |= {*boxes[:1]}
        shape.rightmost |= {*boxes[-1:]}
        shape.open_left |= {first.key} if first.width else set()
        shape.open_right |= {last.key} if last.width else set()
    return shape


def _narrow(own: dict[Key, float], rows: dict[Key, int]) -> Shape:
    by_row: dict[int, list[Key]] = {}
    for key in own:
        by_row.setdefault(rows[key], []).append(key)
    lengths = {row: sum(own[key] + GAP for key in row_keys) - GAP for row, row_keys in by_row.items()}
    shape = Shape(max(lengths.values(), default=0.0), widths=own)
    for row, row_keys in by_row.items():
        x = (shape.width - lengths[row]) / 2
        for key in row_keys:
            shape.middle[key] = x + own[key] / 2
            x += own[key] + GAP
        shape.leftmost.add(row_keys[0])
        shape.rightmost.add(row_keys[-1])
    shape.open_left, shape.open_right = set(shape.leftmost), set(shape.rightmost)
    return shape


def _part(arrangement: Arrangement) -> None:
    """Move passages aside that would run straight on from the end of another edge below."""
    vertices = arrangement.vertices
    for row in sorted(arrangement.rows):
        below = [vertices[v] for v in arrangement.rows.get(row - 1, [])]
        for v in arrangement.rows[row]:
            if vertices[v].width == 0:
                others = [b.x for b in below if b.key != vertices[v].key]
                vertices[v].x = _free(vertices[v].x, others, [], vertices[v].x - 5, vertices[v].x + 5)


def _free(x: float, below: list[float], beside: list[float], low: float, high: float, apart: float = PORT_GAP) -> float:
    """The place nearest to x that is clear of the edges below and of those beside it, if there is one.

    Where there is none `apart` from those beside it, bare ones may come as near as two edges can be told apart.
    """
    for least in (apart, NEAR) if apart < PORT_GAP else (apart,):
        for shift in (0.0, 4.0, -4.0, NEAR, -NEAR, 5.0, -5.0, 8.0, -8.0, 12.0, -12.0):
            if (
                low <= x + shift <= high
                and all(abs(x + shift - other) >= NEAR for other in below)
                and all(abs(x + shift - other) >= least for other in beside)
            ):
                return x + shift
    return x


def _set_ports(shape: Shape, rows: dict[Key, int], entries: dict[Key, dict[Road, float]]) -> None:
    below: dict[int, list[tuple[Key, float]]] = {}
    if shape.arrangement is not None:
        for vertex in shape.arrangement.vertices:
            below.setdefault(vertex.row + 1, []).append((vertex.key, vertex.x))
    for key in shape.middle:
        roads = entries.get(key, {})
        gap = port_gap(roads)
        apart = gap - (PLAY if gap > PORT_GAP else PLAY / 2)
        low, high = shape.left(key) + side(gap), shape.right(key) - side(gap)
        full = shape.arrangement is not None
        local = [road for road in roads if full and road.kind == "local" and road.part in shape.middle]
        wishes = {road: _source_x(shape, rows, key, road) for road in local}
        wishes |= _outside_wishes(
            [road for road in roads if road not in wishes], wishes, shape.middle[key], low, high, gap
        )
        weights = [50.0 if road.kind == "local" else 1.0 for road in wishes]  # straight edges stay straight
        found = dict(zip(wishes, ports(list(wishes.values()), weights, low, high, gap), strict=True))
        lower = below.get(rows[key], [])
        for road, x in found.items():
            others = [value for source, value in lower if not (road.kind == "local" and source == road.part)]
            beside = [value for other, value in found.items() if other is not road]
            found[road] = shape.port[key, road] = round(_free(x, others, beside, low, high, apart) * 2) / 2


FROM_LEFT = ("carry", "long", "rail")  # roads that come in from the left, the highest first


def _outside_wishes(
    roads: list[Road], local: dict[Road, float], middle: float, low: float, high: float, gap: float
) -> dict[Road, float]:
    """Where edges from elsewhere would enter a box: left of its local ones if they come from the left, else right.

    Then they cross none of these, and the highest crosses none of the lower ones. Where there is no room on
    their side they take the other one.
    """
    lefts = sorted((road for road in roads if road.kind in FROM_LEFT), key=lambda road: FROM_LEFT.index(road.kind))
    rights = [road for road in roads if road.kind not in FROM_LEFT]
    if not local:
        return {road: middle + gap * (i - (len(roads) - 1) / 2) for i, road in enumerate([*lefts, *rights])}
    first, last = (min(max(x, low), high) for x in (min(local.values()), max(local.values())))
    if first - gap * len(lefts) < low and last + gap * len(roads) <= high:
        lefts, rights = [], [*rights, *lefts]
    elif last + gap * len(rights) > high and first - gap * len(roads) >= low:
        lefts, rights = [*lefts, *rights], []
    found = {road: first - gap * (i + 1) for i, road in enumerate(reversed(lefts))}
    return found | {road: last + gap * (i + 1) for i, road in enumerate(rights)}


def _source_x(shape: Shape, rows: dict[Key, int], key: Key, road: Road) -> float:
    assert shape.arrangement is not None  # local roads run in full columns only
    return shape.arrangement.trunk(road.part, rows[key] - 1).x
