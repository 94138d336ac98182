"""What is drawn, before any measure is taken: boxes, and edges between them.

Every node of the selection is one box, save scalar constants, which are written into the operations
that use them, and nodes of folded steps. Boxes of different steps that play the same part in the
cell have the same key, so that the layout gives them the same place in their columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinygraph.errors import DrawingError
from tinygraph.graph import Node
from tinygraph.graph.text import write_name
from tinygraph.symbolic.notation import Notation, labels_of

from .kinds import Kinds
from .labels import Label, Span, clean
from .places import RAIL, Column, Place, find_lanes, find_places, make_columns
from .reach import CHART_LIMIT, Reach
from .selection import Selection

COLUMN_LIMIT = 120  # boxes; a larger column is cut
COLUMN_SHOWS = (10, 10)  # its first and last boxes
RESERVED = ("title", "desc")  # ids of the whole picture

Key = tuple[str, ...]


@dataclass(frozen=True)
class Box:
    """One box: a node, or the stand-in of folded ones. `column` is an index, -1 for the rail."""

    id: str
    kind: str  # parameter, input, constant, state, value, op, loss or fold
    label: Label
    key: Key
    column: int
    lane: str
    classes: str
    detail: str


@dataclass(frozen=True)
class Edge:
    """One edge between boxes, by their indices: the operand `position` of the target."""

    id: str
    source: int
    target: int
    position: int
    gradient: bool = False
    folded: bool = False


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
    names: dict[int, str] = field(default_factory=dict)  # what each node is called in the picture, by its id

    @property
    def cuts(self) -> list[int]:
        """The columns before which gradients are cut."""
        starts = self.reach.cuts if self.reach else set()
        return [i for i, column in enumerate(self.columns) if not column.hidden and column.place in starts]


def build_scene(
    selection: Selection, fold: Any, notation: Mapping[str, str] | None = None, reach: Reach | None = None
) -> Scene:
    """The scene of a selection, with its truncation if there is one.

    Raises `DrawingError` for a `fold` that is none, or a truncation of steps that there are not;
    `UnknownNameError` for a notation of what is not drawn.
    """
    places = find_places(selection.nodes)
    columns = make_columns(places, selection.nodes, fold)
    lanes, lane = find_lanes(selection.nodes, places)
    builder = _Builder(
        Scene(columns, lanes, names=element_names(selection.nodes)),
        Kinds(selection, places, Notation(notation, labels_of(selection.nodes))),
        selection,
        places,
        lane,
    )
    builder.add_boxes(cut=fold is not False)
    builder.add_edges()
    if reach is not None:
        builder.add_reach(reach)
    return builder.scene


def element_names(nodes: list[Node]) -> dict[int, str]:
    """What each node is called as an element of the picture, by its id: `h_3`, `layer1-h_3`; `n17` without a label.

    Of two nodes with one name, the later has its id behind it: `h_3--n29`. Two hyphens stand in no label's name, so
    that the ids of other elements (`h_2--h_3--0`, `fold--1`) are never those of nodes.
    """
    names: dict[int, str] = {}
    taken: set[str] = set(RESERVED)
    for node in nodes:
        name = re.sub("-+", "-", _word(write_name(node, True, False))) if node.label else f"n{node.id}"
        names[node.id] = name if name not in taken else f"{name}--n{node.id}"
        taken.add(names[node.id])
    return names


class _Builder:
    def __init__(
        self, scene: Scene, kinds: Kinds, selection: Selection, places: dict[int, Place], lane: dict[int, str]
    ) -> None:
        self.scene, self.kinds, self.selection, self.places, self.lane = scene, kinds, selection, places, lane
        self.column = {column.place: i for i, column in enumerate(scene.columns) if not column.hidden}
        self.column[RAIL] = -1
        self.folded = next((i for i, column in enumerate(scene.columns) if column.hidden), None)
        self.keys: dict[int, Key] = {}
        self.box: dict[int, int] = {}  # by node id
        self.stand_in: dict[Key, int] = {}
        self.hidden: set[Key] = set()  # what folded steps hold

    def add_boxes(self, cut: bool) -> None:
        counts: Counter[tuple[Place, str, str]] = Counter()
        by_column: dict[int, list[Node]] = {}
        for node in self.selection.nodes:
            if self.kinds.absorbed(node):
                self.scene.absorbed += 1
                continue
            place, part = self.places[node.id], self.kinds.part(node)
            counts[place, self.lane[node.id], part] += 1
            group = "steps" if isinstance(place, int) else place
            self.keys[node.id] = (group, self.lane[node.id], part, str(counts[place, self.lane[node.id], part]))
            if place in self.column:
                by_column.setdefault(self.column[place], []).append(node)
            else:
                self.scene.hidden += 1
                self.hidden.add(self.keys[node.id])
        for index in sorted(by_column):
            for node in self._cut(index, by_column[index]) if cut and index >= 0 else by_column[index]:
                self.box[node.id] = len(self.scene.boxes)
                self.scene.boxes.append(self._box(node, index))

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
        kind = self.kinds.kind(node)
        classes = [kind, _word(node.op.name)] if kind != node.op.name else [kind]
        if node.step is not None:
            classes.append(f"step-{node.step}")
        label = self.kinds.label(node, self.lane[node.id])
        classes += [_word(part) for part in node.scope.split("/") if part]
        return Box(
            self.scene.names[node.id],
            kind,
            label,
            self.keys[node.id],
            column,
            self.lane[node.id],
            " ".join(classes),
            clean(node.describe()),
        )

    def add_edges(self) -> None:
        folded: dict[tuple[int, int], tuple[int, bool]] = {}
        for node in self.selection.nodes:
            for position, arg in enumerate(node.args):
                if self.kinds.absorbed(arg):
                    continue
                source, target = self.box.get(arg.id), self.box.get(node.id)
                gradient = (node.id, position) in self.selection.gradient
                plain = self.scene.boxes
                if source is None and target is None:
                    continue
                if source is not None and plain[source].column < 0 and target is None:
                    continue  # the line of a parameter passes through folded steps
                if source is None:
                    source = self._stand_in(arg)
                if target is None:
                    again = self.keys[arg.id] in self.hidden  # a state: its own later values stand for the steps
                    target = self._stand_in(arg if again else node)
                if plain[source].kind == "fold" or plain[target].kind == "fold":
                    if source != target:
                        first, flows = folded.get((source, target), (position, False))
                        folded[source, target] = (first, flows or gradient)
                else:
                    name = f"{self.scene.names[arg.id]}--{self.scene.names[node.id]}--{position}"
                    self.scene.edges.append(Edge(name, source, target, position, gradient))
        boxes = self.scene.boxes
        for (source, target), (position, gradient) in folded.items():
            name = f"{boxes[source].id}--{boxes[target].id}--folded"
            self.scene.edges.append(Edge(name, source, target, position, gradient, folded=True))

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


def _word(text: str) -> str:
    """A class name."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text) or "unnamed"
