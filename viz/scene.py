"""What is drawn, before any measure is taken: boxes, and edges between them.

Every node of the selection is one box, save scalar constants, which are written into the operations
that use them, and nodes of folded steps. Boxes of different steps that play the same part in the
cell have the same key, so that the layout gives them the same place in their columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import hypot
from typing import Any, NamedTuple

from tinygraph.errors import DrawingError
from tinygraph.graph import Node
from tinygraph.symbolic.notation import Notation, labels_of

from .element_names import word
from .kinds import Kinds
from .labels import Label, Span, clean, shortened
from .measuring import NO_MEASURES, Measures, badge, short
from .places import AFTER, RAIL, Column, Place, find_lanes, find_places, make_columns
from .reach import CHART_LIMIT, Reach
from .repeats import Repeat, shorten
from .selection import Selection
from .slopes import slope_label
from .style import DETAIL_LIMIT

COLUMN_LIMIT = 120  # boxes; a larger column is cut
COLUMN_SHOWS = (10, 10)  # its first and last boxes

Key = tuple[str, ...]


class Box(NamedTuple):
    """One box: a node, or the stand-in of folded ones. `column` is an index, -1 for the rail."""

    id: str
    kind: str  # parameter, input, constant, state, value, op, loss or fold
    label: Label
    key: Key
    column: int
    lane: str
    classes: str
    detail: str
    name: Label = ()  # the label without its equation
    op: str = ""
    step: int | None = None
    scope: str = ""


class Mark(NamedTuple):
    """What is written on an edge: the label, the number of the weight that it names, and its share of the gradient."""

    label: Label
    weight: int | None = None
    share: float | None = None


@dataclass(frozen=True)
class Weight:
    """A parameter, or several that stand on the same edges, as written there; `used` is false for one on no edge."""

    id: str
    label: Label
    members: tuple[Label, ...]
    used: bool


class Edge(NamedTuple):
    """One edge between boxes, by their indices: the operand `position` of the target."""

    id: str
    source: int
    target: int
    position: int
    gradient: bool = False
    folded: bool = False
    marks: tuple[Mark, ...] = ()
    share: float | None = None  # the norm of the gradient that goes along it, where it was measured
    loop: bool = False  # it comes round to a part below it in its own column
    attention: float | None = None  # the weight with which its target looks at its source


@dataclass
class Scene:
    """Boxes and edges; `columns` from left to right, `lanes` from the bottom to the top."""

    columns: list[Column]
    lanes: list[str]
    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    absorbed: int = 0  # scalar constants written into operations
    hidden: int = 0  # nodes of folded steps, or cut
    reach: Reach | None = None  # what a truncation keeps
    states: tuple[str, ...] = ()  # labels of the states known, the output first
    tree: bool = False  # read from left to right, without time
    weights: list[Weight] = field(default_factory=list)  # that are written on edges
    enclosed: int = 0  # nodes that stand for themselves no more, in closed boxes
    elements: Mapping[int, str] = field(default_factory=dict)  # what each node is called, by id
    colours: tuple[str, ...] = ()  # the names of parameters that have the first colours
    repeats: dict[int, Repeat] = field(default_factory=dict)  # by the column that stands for others too
    left_out: Mapping[int, Node] = field(default_factory=dict)  # nodes of those others by id, each with one like it

    def column_of(self, edge: Edge) -> int:
        """The column that an edge is drawn with: that of its target, but of its source where it leads out of time."""
        source, target = self.boxes[edge.source], self.boxes[edge.target]
        return source.column if target.key[0] == AFTER and source.column >= 0 else target.column

    def copies(self, column: int) -> int:
        """How many columns this one stands for."""
        return 1 + self.repeats[column].hidden if column in self.repeats else 1

    def count_boxes(self) -> Counter[str]:
        """How many boxes of each kind the picture has."""
        counts = Counter([box.kind for box in self.boxes])
        for box in self.boxes if self.repeats else ():
            counts[box.kind] += self.copies(box.column) - 1
        return counts

    def count_edges(self, gradient: bool = False) -> int:
        """How many edges the picture has; of those along which a gradient goes, if asked for."""
        edges = [edge for edge in self.edges if edge.gradient] if gradient else self.edges
        return len(edges) + sum([self.copies(self.column_of(edge)) - 1 for edge in (edges if self.repeats else ())])

    def has(self, place: Place) -> bool:
        """Whether a column has this place."""
        return any(column.place == place for column in self.columns)

    @property
    def cuts(self) -> list[int]:
        """The columns before which gradients are cut."""
        starts = self.reach.cuts if self.reach else set()
        return [i for i, column in enumerate(self.columns) if not column.hidden and column.place in starts]

    @property
    def chunks(self) -> dict[int, int]:
        """The number of the chunk of steps that each column is of, where a truncation has chunks."""
        known = self.reach.chunks if self.reach else {}
        steps = {i: column.place for i, column in enumerate(self.columns) if not column.hidden}
        return {i: known[place] for i, place in steps.items() if isinstance(place, int) and place in known}


def build_scene(
    selection: Selection,
    fold: Any,
    notation: Mapping[str, str] | None = None,
    reach: Reach | None = None,
    measures: Measures = NO_MEASURES,
    badges: tuple[str, ...] = (),
    repeats: bool = False,
) -> Scene:
    """The scene of a selection, with its truncation and its numbers if there are any.

    With `repeats` a few steps may stand for a run of those that are drawn alike: see `repeats`.

    Raises `DrawingError` for a `fold` that is none, or a truncation of steps that there are not;
    `UnknownNameError` for a notation of what is not drawn.
    """
    places = find_places(selection.nodes, selection.time)
    columns = make_columns(places, selection.nodes, fold)
    lanes, lane = find_lanes(selection.nodes, places)
    kinds = Kinds(selection, places, Notation(notation, labels_of(selection.nodes)))
    builder = _Builder(
        Scene(columns, lanes, states=selection.states, tree=not selection.time, elements=kinds.elements),
        kinds,
        selection,
        places,
        lane,
        measures,
        badges,
    )
    builder.add_boxes(cut=fold is not False, repeats=repeats)
    builder.add_edges()
    if reach is not None:
        builder.add_reach(reach)
    return builder.scene


class _Builder:
    def __init__(
        self,
        scene: Scene,
        kinds: Kinds,
        selection: Selection,
        places: dict[int, Place],
        lane: dict[int, str],
        measures: Measures,
        badges: tuple[str, ...],
    ) -> None:
        self.measures, self.badges = measures, badges
        self.scene, self.kinds, self.selection, self.places, self.lane = scene, kinds, selection, places, lane
        self.column = {column.place: i for i, column in enumerate(scene.columns) if not column.hidden}
        self.column[RAIL] = -1
        self.folded = next((i for i, column in enumerate(scene.columns) if column.hidden), None)
        self.keys: dict[int, Key] = {}
        self.box: dict[int, int] = {}  # by node id
        self.stand_in: dict[Key, int] = {}
        self.hidden: set[Key] = set()  # what folded steps hold

    def add_boxes(self, cut: bool, repeats: bool) -> None:
        by_column = self._by_column()
        if repeats:
            by_column = self._shorten(by_column)
        for index in sorted(by_column):
            for node in self._cut(index, by_column[index]) if cut and index >= 0 else by_column[index]:
                self.box[node.id] = len(self.scene.boxes)
                self.scene.boxes.append(self._box(node, index))

    def _by_column(self) -> dict[int, list[Node]]:
        """The nodes to be drawn, by the number of their column; every node gets its key."""
        counts: dict[tuple[Place, str, str], int] = {}
        keys: dict[Key, Key] = {}  # one for parts that are alike
        by_column: dict[int, list[Node]] = {}
        for node in self.selection.nodes:
            if node.id in self.kinds.absorbed:
                self.scene.absorbed += 1
                continue
            place, lane, part = self.places[node.id], self.lane[node.id], self.kinds.part(node)
            count = counts[place, lane, part] = counts.get((place, lane, part), 0) + 1
            found: Key = ("steps" if isinstance(place, int) else place, lane, part, str(count))
            key = self.keys[node.id] = keys.setdefault(found, found)
            if place in self.column:
                by_column.setdefault(self.column[place], []).append(node)
            else:
                self.scene.hidden += 1
                self.hidden.add(key)
        return by_column

    def _shorten(self, by_column: dict[int, list[Node]]) -> dict[int, list[Node]]:
        """Without the columns of repeating steps that others stand for."""
        scene = self.scene
        columns = [(column.place, by_column.get(i, [])) for i, column in enumerate(scene.columns)]
        kept, scene.repeats, scene.left_out = shorten(columns, self.keys, self.kinds, self.selection.gradient)
        scene.columns = [scene.columns[i] for i in kept]
        self.column = {column.place: i for i, column in enumerate(scene.columns)} | {RAIL: -1}
        rail = {-1: by_column[-1]} if -1 in by_column else {}
        return rail | {new: by_column[old] for new, old in enumerate(kept) if old in by_column}

    def _cut(self, index: int, nodes: list[Node]) -> list[Node]:
        """The nodes of a column, or its first and last ones around a stand-in."""
        if len(nodes) <= COLUMN_LIMIT:
            return nodes
        first, last = COLUMN_SHOWS
        hidden = nodes[first:-last]
        text = f"⋮ × {len(hidden):,} more"
        key: Key = (*self.keys[hidden[0].id][:2], "cut", "1")
        box = Box(
            f"cut--{index}",
            "fold",
            (Span(text),),
            key,
            index,
            self.lane[hidden[0].id],
            "fold",
            f"{len(hidden):,} nodes",
        )
        self.scene.boxes.append(box)
        self.box.update(dict.fromkeys((node.id for node in hidden), len(self.scene.boxes) - 1))
        self.scene.hidden += len(hidden)
        note = f"{len(hidden):,} of {len(nodes):,} nodes are not drawn (fold=False draws all)"
        if note not in self.scene.notes:
            self.scene.notes.append(note)
        return nodes[:first] + nodes[-last:]

    def _box(self, node: Node, column: int) -> Box:
        note = badge(node, self.badges, self.measures) if self.badges else ()
        return node_box(node, self.kinds, self.keys[node.id], column, self.lane[node.id], note)

    def add_edges(self) -> None:
        folded: dict[tuple[int, int], tuple[int, bool, float | None]] = {}
        boxes, edges, at, absorbed = self.scene.boxes, self.scene.edges, self.box, self.kinds.absorbed
        gradients, shares, slopes = self.selection.gradient, self.measures.shares, self.measures.slopes is not None
        left_out = self.scene.left_out
        for node in self.selection.nodes:
            if node.id in left_out:
                continue
            for position, arg in enumerate(node.args):
                if arg.id in absorbed:
                    continue
                if arg.id in left_out:
                    if self.places[node.id] == AFTER:
                        continue
                    arg = left_out[arg.id]
                source, target = at.get(arg.id), at.get(node.id)
                gradient, share = (node.id, position) in gradients, shares.get((node.id, position))
                if source is None or target is None:
                    ends = self._stand_ins(source, target, arg, node)
                    if ends is None:
                        continue
                    source, target = ends
                start, end = boxes[source], boxes[target]
                if start.kind != "fold" != end.kind:
                    name = f"{start.id}--{end.id}--{position}"
                    marks = self._slope(node, position) if slopes else ()
                    edges.append(Edge(name, source, target, position, gradient, False, marks, share))
                elif source != target:
                    first, flows, known = folded.get((source, target), (position, False, None))
                    folded[source, target] = (first, flows or gradient, together(known, share))
        for (source, target), (position, gradient, share) in folded.items():
            name = f"{boxes[source].id}--{boxes[target].id}--folded"
            edges.append(Edge(name, source, target, position, gradient, folded=True, share=share))

    def _stand_ins(self, source: int | None, target: int | None, arg: Node, node: Node) -> tuple[int, int] | None:
        """The boxes of an edge that has an end in a folded step; None for one that is not drawn."""
        if target is None and (source is None or self.scene.boxes[source].column < 0):
            return None  # the line of a parameter passes through folded steps
        if source is None:
            source = self._stand_in(arg)
        if target is None:
            again = self.keys[arg.id] in self.hidden  # a state: its own later values stand for the steps
            target = self._stand_in(arg if again else node)
        return source, target

    def _slope(self, node: Node, position: int) -> tuple[Mark, ...]:
        """The local derivative on an edge: a number where it is known, else a formula."""
        slopes = self.measures.slopes or {}
        if (node.id, position) in slopes:
            return (Mark((Span(short(slopes[node.id, position])),)),)
        label = slope_label(node, position, lambda one: self.kinds.name(one, self.lane[one.id]))
        return (Mark(label),) if label else ()

    def add_reach(self, reach: Reach) -> None:
        scene = self.scene
        known = {place for place in self.places.values() if isinstance(place, int)}
        missing = [step for step in reach.first if step not in known]
        if missing:
            raise DrawingError(
                f"the truncation has a loss at step {missing[0]}, which the picture does not have",
                fix="draw the net that was truncated, or the truncation itself: viz.draw(cut)",
            )
        scene.reach = reach
        unseen = len(reach.cuts) - len(scene.cuts)
        if unseen:
            scene.notes.append(f"{unseen:,} cuts lie in folded steps (fold=False draws all)")
        if not reach.charted:
            scene.notes.append(f"no chart of what is kept beyond {CHART_LIMIT} steps")

    def _stand_in(self, node: Node) -> int:
        """The box in the folded column that stands for `node` at all folded steps."""
        key = self.keys[node.id]
        if key not in self.stand_in:
            assert self.folded is not None  # a node without a box is in a folded step
            self.stand_in[key] = len(self.scene.boxes)
            count = self.scene.columns[self.folded].hidden
            name = f"fold--{len(self.stand_in)}"
            detail = f"{clean(node.label or node.op.name)} of {count:,} folded steps"
            label = (Span("⋯"),)
            self.scene.boxes.append(Box(name, "fold", label, key, self.folded, self.lane[node.id], "fold", detail))
        return self.stand_in[key]


def node_box(node: Node, kinds: Kinds, key: Key, column: int, lane: str, badge: Label = ()) -> Box:
    """The box of one node."""
    kind, where = kinds.kind(node), node.where
    label, name = kinds.labels(node, lane)
    return Box(
        kinds.elements[node.id],
        kind,
        label + badge,
        key,
        column,
        lane,
        _classes(kind, node.op.name, where.step, where.scope),
        shortened(node.describe(), DETAIL_LIMIT),
        name + badge,
        node.op.name,
        where.step,
        where.scope,
    )


def _classes(kind: str, op: str, step: int | None, scope: str) -> str:
    """What a node is, for the styles of slides: `state tanh step-3 layer1`."""
    name = kind if kind == op else f"{kind} {word(op)}"
    time = "" if step is None else f" step-{step}"
    return f"{name}{time}{''.join([f' {word(part)}' for part in scope.split('/') if part]) if scope else ''}"


def together(a: float | None, b: float | None) -> float | None:
    """The norm of two shares that are drawn as one: the root of the sum of their squares."""
    return b if a is None else a if b is None else hypot(a, b)
