"""The arrangement of one column: the order of the boxes in each row, and their places across.

An edge over several rows gets a lane of its own through the rows between, shared by all edges of its
source. Orders reduce crossings by barycentres (Sugiyama, Tagawa and Toda 1981,
doi:10.1109/TSMC.1981.4308636); places minimise the squared distances between neighbours under
minimum gaps, row by row.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from tinygraph.errors import DrawingError

from .scene import Key
from .spacing import spaced
from .style import EDGE_GAP, GAP, SIDE
from .trees import place_tree

SWEEPS = 16
SLACK = 12.0  # how far a box moves to make an edge straight
LANE_LIMIT = 60_000  # places of edges in rows; more would make a picture that nobody can read


@dataclass
class Vertex:
    """A box (`width` > 0) or the passage of an edge through a row (`width` 0)."""

    key: Key
    row: int
    width: float
    x: float = 0.0  # its middle
    below: list[int] = field(default_factory=list)
    above: list[int] = field(default_factory=list)


@dataclass
class Arrangement:
    """Vertices, rows of their indices from left to right, and who stands where."""

    vertices: list[Vertex]
    rows: dict[int, list[int]]
    box: dict[Key, int]
    passage: dict[tuple[Key, int], int]
    width: float = 0.0

    def trunk(self, source: Key, row: int) -> Vertex:
        """Where the edges of `source` pass `row`: its box, or a passage above it."""
        return self.vertices[self.trunk_index(source, row)]

    def trunk_index(self, source: Key, row: int) -> int:
        """The number of that vertex."""
        index = self.box[source]
        return index if self.vertices[index].row == row else self.passage[source, row]


def arrange(
    widths: dict[Key, float], rows: dict[Key, int], edges: list[tuple[Key, Key]], reading: bool = False
) -> Arrangement:
    """Arrange one kind of column; with `reading`, operands stand from left to right unless that makes crossings.

    Raises `DrawingError` if it is far too large.
    """
    result = _vertices(widths, rows, edges)
    if reading:
        rank = _reading_order(list(widths), edges)
        for order in result.rows.values():
            order.sort(key=lambda v: rank[result.vertices[v].key])
    _order(result)
    if not _place_as_tree(result):
        _place(result)
    left = min((v.x - v.width / 2 for v in result.vertices), default=0.0)
    for vertex in result.vertices:
        vertex.x -= left
    result.width = max((v.x + v.width / 2 for v in result.vertices), default=0.0)
    return result


def _vertices(widths: dict[Key, float], rows: dict[Key, int], edges: list[tuple[Key, Key]]) -> Arrangement:
    vertices = [Vertex(key, rows[key], width) for key, width in widths.items()]
    box = {vertex.key: i for i, vertex in enumerate(vertices)}
    passage: dict[tuple[Key, int], int] = {}
    joined: set[tuple[int, int]] = set()

    def join(low: int, high: int) -> None:
        if (low, high) not in joined:
            joined.add((low, high))
            vertices[low].above.append(high)
            vertices[high].below.append(low)

    for source, target in edges:
        previous = box[source]
        for row in range(rows[source] + 1, rows[target]):
            if (source, row) not in passage:
                if len(passage) >= LANE_LIMIT:
                    raise DrawingError(
                        f"a column with more than {LANE_LIMIT:,} passages of edges is too large to draw in whole",
                        fix="draw part of it, or leave folding on: fold='auto'",
                    )
                passage[source, row] = len(vertices)
                vertices.append(Vertex(source, row, 0.0))
            join(previous, passage[source, row])
            previous = passage[source, row]
        join(previous, box[target])
    by_row: dict[int, list[int]] = {}
    for i, vertex in enumerate(vertices):
        by_row.setdefault(vertex.row, []).append(i)
    return Arrangement(vertices, {row: by_row[row] for row in sorted(by_row)}, box, passage)


def _reading_order(keys: list[Key], edges: list[tuple[Key, Key]]) -> dict[Key, float]:
    """Leaves counted as they are read, from the first operand to the last; others stand over the middle of theirs."""
    operands: dict[Key, list[Key]] = {key: [] for key in keys}
    used: set[Key] = set()
    for source, target in edges:
        operands[target].append(source)
        used.add(source)
    rank: dict[Key, float] = {}
    leaves = 0
    waiting = [key for key in reversed(keys) if key not in used]
    while waiting:
        key = waiting[-1]
        missing = [operand for operand in operands[key] if operand not in rank]
        if missing:
            waiting += reversed(missing)
            continue
        waiting.pop()
        if key not in rank:
            ranks = [rank[operand] for operand in operands[key]]
            rank[key] = sum(ranks) / len(ranks) if ranks else leaves
            leaves += not ranks
    return rank


def _order(arrangement: Arrangement) -> None:
    vertices, rows = arrangement.vertices, arrangement.rows
    best, fewest = {row: list(order) for row, order in rows.items()}, _crossings(arrangement)
    for sweep in range(SWEEPS):
        rising = sweep % 2 == 0
        for row in sorted(rows, reverse=not rising):
            neighbours = rows.get(row - 1 if rising else row + 1, [])
            at = {v: i for i, v in enumerate(neighbours)}
            own = {v: i * len(neighbours) / len(rows[row]) for i, v in enumerate(rows[row])}
            wish: dict[int, float] = {}
            for v in rows[row]:
                linked = vertices[v].below if rising else vertices[v].above
                wish[v] = sum(at[u] for u in linked) / len(linked) if linked else own[v]
            rows[row].sort(key=lambda v, wish=wish: wish[v])  # type: ignore[misc]  # stable: ties keep their order
        crossings = _crossings(arrangement)
        if crossings < fewest:
            best, fewest = {row: list(order) for row, order in rows.items()}, crossings
    arrangement.rows = best


def _crossings(arrangement: Arrangement) -> int:
    """How often edges between neighbouring rows cross."""
    total = 0
    for row, order in arrangement.rows.items():
        at = {v: i for i, v in enumerate(arrangement.rows.get(row + 1, []))}
        seen: list[int] = []
        for v in order:
            ends = sorted(at[u] for u in arrangement.vertices[v].above)
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _place_as_tree(arrangement: Arrangement) -> bool:
    """Place a column that is one tree, upwards or downwards; whether it is."""
    vertices = arrangement.vertices
    for rising in (True, False):
        parents = {v: ends for v, vertex in enumerate(vertices) if (ends := vertex.below if rising else vertex.above)}
        single = all(len(ends) == 1 for ends in parents.values())
        branched = len({ends[0] for ends in parents.values()}) < len(parents)
        if single and branched and len(parents) == len(vertices) - 1 and not _crossings(arrangement):
            places = place_tree(
                arrangement.rows,
                {v: ends[0] for v, ends in parents.items()},
                lambda a, b: _gaps(arrangement, [a, b])[1],
                rising,
            )
            for v, x in places.items():
                vertices[v].x = round(x * 2) / 2
            return True
    return False


def _place(arrangement: Arrangement) -> None:
    vertices = arrangement.vertices
    gaps = {row: _gaps(arrangement, order) for row, order in arrangement.rows.items()}
    for row, order in arrangement.rows.items():
        x = -sum(gaps[row]) / 2
        for v, gap in zip(order, gaps[row], strict=True):
            x += gap
            vertices[v].x = x
    for sweep in range(3 * SWEEPS):
        rising = sweep % 2 == 0
        for row in sorted(arrangement.rows, reverse=not rising):
            order = arrangement.rows[row]
            wishes, weights = [], []
            for v in order:
                last = sweep >= 2 * SWEEPS
                linked = (
                    vertices[v].below + vertices[v].above
                    if last
                    else vertices[v].below
                    if rising
                    else vertices[v].above
                )
                pull = [(vertices[u].x, 6.0 if _both_passages(vertices[u], vertices[v]) else 1.0) for u in linked]
                weight = sum(w for _, w in pull)
                wishes.append(sum(x * w for x, w in pull) / weight if pull else vertices[v].x)
                weights.append(weight if pull else 0.1)
            for v, x in zip(order, spaced(wishes, weights, gaps[row]), strict=True):
                vertices[v].x = x
    for row in sorted(arrangement.rows):
        _straighten(arrangement, row)
    _align(arrangement)
    for vertex in vertices:
        vertex.x = round(vertex.x * 2) / 2


def _straighten(arrangement: Arrangement, row: int) -> None:
    """Put a vertex straight above the only one that it continues, where its neighbours leave room."""
    vertices, order = arrangement.vertices, arrangement.rows[row]
    gaps = _gaps(arrangement, order)
    for i, v in enumerate(order):
        if len(vertices[v].below) == 1:
            x = vertices[vertices[v].below[0]].x
            low = vertices[order[i - 1]].x + gaps[i] if i else x
            high = vertices[order[i + 1]].x - gaps[i + 1] if i + 1 < len(order) else x
            if low <= high:
                nearest = min(max(x, low), high)
                if vertices[v].width == 0 or nearest == x:
                    vertices[v].x = nearest


def _align(arrangement: Arrangement) -> None:
    """Make the passages of an edge one straight line, where their neighbours leave room.

    The boxes at its ends move a little for that, unless it would bend an edge that is straight.
    """
    vertices = arrangement.vertices
    chains: dict[Key, list[int]] = {}
    for (source, _), v in arrangement.passage.items():
        chains.setdefault(source, []).append(v)
    place = {v: i for order in arrangement.rows.values() for i, v in enumerate(order)}
    for source, chain in chains.items():
        bounds = [between(arrangement, v, place[v]) for v in chain]
        low, high = max(bound[0] for bound in bounds), min(bound[1] for bound in bounds)
        if low > high:
            continue
        start, last = arrangement.box[source], vertices[max(chain, key=lambda v: vertices[v].row)]
        end = next((v for v in last.above if len(last.above) == 1), start)
        reach = max(vertices[end].width / 2 - SIDE, 0.0)
        begin, into = _slack(arrangement, start, place), _slack(arrangement, end, place)
        into = (into[0] - reach, into[1] + reach)
        for ranges in ((begin, into), (begin,), (into,), ()):
            a, b = max([low, *(r[0] for r in ranges)]), min([high, *(r[1] for r in ranges)])
            if a <= b:
                break
        x = min(max(vertices[start].x, a), b)
        for v in chain:
            vertices[v].x = x
        if begin[0] <= x <= begin[1]:
            vertices[start].x = x
        if end != start and into[0] <= x <= into[1]:
            vertices[end].x = min(max(vertices[end].x, x - reach), x + reach)


def _slack(arrangement: Arrangement, v: int, place: dict[int, int]) -> tuple[float, float]:
    """How far a box can move without bending a straight edge or meeting its neighbours."""
    vertices = arrangement.vertices
    x = vertices[v].x
    if any(vertices[u].x == x and vertices[u].width for u in vertices[v].below + vertices[v].above):
        return x, x
    low, high = between(arrangement, v, place[v])
    return max(low, x - SLACK), min(high, x + SLACK)


def between(arrangement: Arrangement, v: int, i: int) -> tuple[float, float]:
    """Between which places vertex number i of its row can stand."""
    row = arrangement.rows[arrangement.vertices[v].row]
    near = row[max(i - 1, 0) : i + 2]
    gaps, x = _gaps(arrangement, near), [arrangement.vertices[u].x for u in near]
    at = near.index(v)
    low = x[at - 1] + gaps[at] if at else -inf
    high = x[at + 1] - gaps[at + 1] if at + 1 < len(near) else inf
    return low, high


def _both_passages(a: Vertex, b: Vertex) -> bool:
    return a.width == 0 and b.width == 0


def _gaps(arrangement: Arrangement, order: list[int]) -> list[float]:
    """The least distance of each vertex of a row from the one before it."""
    row = [arrangement.vertices[v] for v in order]
    return [0.0] * bool(row) + [
        (a.width + b.width) / 2 + (GAP if a.width and b.width else EDGE_GAP) for a, b in pairwise(row)
    ]
