"""Closing: scopes whose insides are not shown, so that each step of a cell is one box, as in a lecture's figure.

The box of a cell takes in all of its scope and step that its new states are computed from. Named values and losses
stay boxes of their own, each with the operations that lead to it alone. A weight is written on the edges that it
multiplies, under one name for weights that stand on the same edges: W for an LSTM's W_i, W_f, W_o, W_g.

before -> after: a scene -> the scene in which the lanes of the closed scopes show no insides
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tinygraph.errors import DrawingError, nearest

from .labels import Label, Span, plain
from .places import BEFORE
from .rows import in_order, key_edges
from .scene import Box, Edge, Key, Mark, Scene, Weight, together

DETAILS = ("cell", "gates", "nodes")
LEAVES = ("parameter", "input", "mask", "constant")
NAMES_SHOWN = 3  # states named in one box
MEMBERS_SHOWN = 12  # weights listed under one name


def closed_lanes(lanes: list[str], detail: Any, opened: Any, closed: Any) -> set[str]:
    """The lanes to be closed. A scope stands for those below it too. Raises `DrawingError` for an unknown scope."""
    if detail not in DETAILS:
        raise DrawingError(f"there is no level of detail {detail!r:.60}", fix=nearest(detail, DETAILS))
    found = set(lanes) if detail == "cell" else set()
    return (found | _lanes_of(lanes, closed, "closed")) - _lanes_of(lanes, opened, "open")


def _lanes_of(lanes: list[str], scopes: Any, what: str) -> set[str]:
    names = [scopes] if isinstance(scopes, str) else scopes
    if not isinstance(names, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in names):
        raise DrawingError(f"{what}={scopes!r:.60} does not name scopes", fix=f'{what}={{"layer1"}}')
    found: set[str] = set()
    for name in sorted(names):
        inside = {lane for lane in lanes if lane == name or lane.startswith(f"{name}/")}
        if not inside:
            raise DrawingError(f"the picture has no scope {name!r:.60}", fix=nearest(name, [n for n in lanes if n]))
        found |= inside
    return found


def close(scene: Scene, lanes: Collection[str]) -> Scene:
    """The scene with these lanes closed; itself if there are none."""
    return _Closing(scene, lanes).run() if lanes else scene


@dataclass
class _Bundle:
    """The edges between two groups, drawn as one."""

    gradient: bool = False
    folded: bool = False
    loop: bool = False
    weights: dict[int, float | None] = field(default_factory=dict)  # boxes of parameters that multiply what comes along
    share: float | None = None


class _Closing:
    def __init__(self, scene: Scene, lanes: Collection[str]) -> None:
        self.scene, self.lanes = scene, lanes
        self.new = replace(scene, boxes=[], edges=[], notes=list(scene.notes), weights=[])
        self.at: dict[int, int] = {}  # old box to new
        states = [f"={state}" for state in scene.states]
        states += [box.key[2] for box in reversed(scene.boxes) if box.kind == "state"]  # the output is made last
        self.rank = {part: i for i, part in enumerate(dict.fromkeys(states))}
        self.group = self._groups()
        self.inner: dict[int, None] = {}  # parameters that are used inside closed lanes

    def run(self) -> Scene:
        self._add_boxes()
        bundles = self._bundles()
        weights, names = self._weights(bundles)
        self.new.weights = weights
        self.new.notes += _notes(weights)
        boxes = self.new.boxes
        for (source, target), bundle in bundles.items():
            shares: dict[int, float | None] = {}
            for box, share in bundle.weights.items():
                shares[names[box]] = together(shares.get(names[box]), share)
            marks = tuple([Mark(weights[i].label, i, share) for i, share in shares.items()])
            name = f"{boxes[source].id}--{boxes[target].id}--all"
            self.new.edges.append(
                Edge(name, source, target, 0, bundle.gradient, bundle.folded, marks, bundle.share, bundle.loop)
            )
        return self.new

    # Which parts stand together
    def _groups(self) -> dict[Key, Key]:
        """The group of each part of the closed lanes, by key; parts without one stay as they are."""
        kinds: dict[Key, str] = {}
        lane: dict[Key, str] = {}
        scope: dict[Key, str] = {}  # where lanes do not tell the cells apart
        apart: set[Key] = set()  # parts that another column uses
        for box in self.scene.boxes:
            if box.column >= 0 and kinds.get(box.key) != "state" and (box.kind != "fold" or box.key not in kinds):
                kinds[box.key], lane[box.key] = box.kind, box.lane
                scope[box.key] = "" if box.lane else box.scope
        for edge in self.scene.edges:
            source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
            if -1 != source.column != target.column:
                apart.add(source.key)
        edges = key_edges(self.scene)
        users: dict[Key, list[Key]] = {key: [] for key in kinds}
        for low, high in edges:
            users[low].append(high)
        group: dict[Key, Key] = {}
        main: set[Key] = set()
        for key in reversed(in_order(list(kinds), edges)):
            kind = kinds[key]
            if lane[key] not in self.lanes:
                continue
            if kind in LEAVES:
                if key[0] == BEFORE and key[2] in self.rank:
                    group[key] = _cell(key, scope[key])
                continue
            if kind == "delay":  # those of a cell's states are one
                group[key] = (*key[:3], "all")
                continue
            above = dict.fromkeys(group.get(user, user) for user in users[key])
            cells = [one for one in above if one[1:3] == (lane[key], "cell")]
            if kind == "state" or cells:
                group[key] = _cell(key, scope[key]) if kind == "state" else cells[0]
            elif kind in ("op", "fold") and key not in apart and len(above) == 1 and above.keys() <= main:
                group[key] = next(iter(above))
            else:
                group[key] = key
            main.add(group[key])
        return group

    # Boxes
    def _add_boxes(self) -> None:
        members: dict[tuple[int, Key], list[int]] = {}
        stays = self._outside()
        for index, box in enumerate(self.scene.boxes):
            if box.column >= 0:
                members.setdefault((box.column, self.group.get(box.key, box.key)), []).append(index)
            elif index in stays:
                members[box.column, (str(index),)] = [index]
        for (_, key), indices in members.items():
            for index in indices:
                self.at[index] = len(self.new.boxes)
            boxes = [self.scene.boxes[index] for index in indices]
            self.new.boxes.append(self._merged(key, boxes) if boxes[0].key in self.group else boxes[0])
            self.new.enclosed += len(boxes) - 1

    def _outside(self) -> set[int]:
        """The boxes of the rail that stay: parameters that open lanes use, and whatever is no parameter."""
        used: dict[int, bool] = {}
        for edge in self.scene.edges:
            source, target = self.scene.boxes[edge.source], self.scene.boxes[edge.target]
            if source.column < 0:
                open_use = source.kind != "parameter" or target.key not in self.group
                used[edge.source] = used.get(edge.source, False) or open_use
                if not open_use:
                    self.inner[edge.source] = None
        return {i for i, box in enumerate(self.scene.boxes) if box.column < 0 and used.get(i, True)}

    def _merged(self, key: Key, boxes: list[Box]) -> Box:
        """One box for a group in one column. It keeps the id of its main part, its first state or its last node."""
        names = [box for box in boxes if key[2] == "cell" and box.kind == "state"]
        names = names or [box for box in boxes if key[2] == "cell" and box.kind in LEAVES] or boxes[-1:]
        names.sort(key=lambda box: self.rank.get(box.key[2], len(self.rank)))
        main = names[0]
        if all(box.kind == "fold" for box in boxes):
            kind, label = "fold", main.label
        else:
            kind = "cell" if main.kind == "state" else main.kind
            label = _joined([box.name for box in names[:NAMES_SHOWN]], len(names) > NAMES_SHOWN)
        if main.kind == "constant" and len({plain(box.label).partition(" = ")[2] for box in names}) == 1:
            label = (*label, *main.label[len(main.name) :])
        more = len(boxes) - 1
        detail = f"{main.detail}; with {more:,} more" if more else main.detail
        classes = " ".join([kind, *main.classes.split()[1:], "closed"])
        return main._replace(kind=kind, label=label, name=label, key=key, classes=classes, detail=detail)

    # Edges
    def _bundles(self) -> dict[tuple[int, int], _Bundle]:
        scene = self.scene
        factors: dict[int, list[tuple[int, float | None]]] = {}  # of a box: the parameters that it is a product with
        for edge in scene.edges:
            target = scene.boxes[edge.target]
            if edge.source in self.inner and target.key in self.group and target.op != "add":
                factors.setdefault(edge.target, []).append((edge.source, edge.share))
        for edge in scene.edges:  # a product with what a cut lets through is written on the edge into the cut
            if scene.boxes[edge.source].op == "stop_gradient":
                factors.setdefault(edge.source, []).extend(factors.get(edge.target, ()))
        bundles: dict[tuple[int, int], _Bundle] = {}
        for edge in scene.edges:
            if edge.source not in self.at or (edge.source in self.inner and scene.boxes[edge.target].key in self.group):
                continue
            ends = self.at[edge.source], self.at[edge.target]
            if not {scene.boxes[edge.source].key, scene.boxes[edge.target].key} & self.group.keys():
                self.new.edges.append(edge._replace(source=ends[0], target=ends[1]))
            elif ends[0] != ends[1]:
                bundle = bundles.setdefault(ends, _Bundle())
                bundle.gradient |= edge.gradient
                bundle.folded |= edge.folded
                bundle.loop |= edge.loop
                bundle.share = together(bundle.share, edge.share)
                for box, share in factors.get(edge.target, ()):
                    bundle.weights[box] = together(bundle.weights.get(box), share)
        return bundles

    # Weights
    def _weights(self, bundles: Mapping[tuple[int, int], _Bundle]) -> tuple[list[Weight], dict[int, int]]:
        """The weights, each with its name on edges, and by the box of each parameter which one it belongs to."""
        places: dict[int, dict[tuple[Key, Key], None]] = {box: {} for box in self.inner}
        for (source, target), bundle in bundles.items():
            for box in bundle.weights:
                places[box][self.new.boxes[source].key, self.new.boxes[target].key] = None
        families: dict[tuple[str, frozenset[tuple[Key, Key]]], list[int]] = {}
        alone = [box for box in self.inner if not places[box]]
        for box in self.inner:
            if places[box]:
                families.setdefault((self._stem(box), frozenset(places[box])), []).append(box)
        for box in alone:  # as U of a GRU's U (r * h), beside U_r and U_z
            same = [members for (stem, _), members in families.items() if stem == self._stem(box)]
            if len(same) == 1:
                same[0].append(box)
            else:
                families.setdefault((self._stem(box), frozenset()), []).append(box)
        weights: list[Weight] = []
        of: dict[int, int] = {}
        for (_, where), members in families.items():
            of.update(dict.fromkeys(members, len(weights)))
            labels = tuple([self.scene.boxes[box].label for box in members])
            label = labels[0] if len(members) == 1 else labels[0][:1]
            weights.append(Weight(self.scene.boxes[members[0]].id, label, labels, bool(where)))
        return weights, of

    def _stem(self, box: int) -> str:
        """A parameter's scope and its name without a subscript."""
        one = self.scene.boxes[box]
        return f"{one.lane}/{one.label[0].text}"


def _cell(state: Key, scope: str) -> Key:
    """The cell of a state; states that a scope makes several times in one step, as in a tree, are of several cells."""
    return (*state[:2], "cell", f"{scope} {state[3]}")


def _notes(weights: list[Weight]) -> list[str]:
    """What the names on the edges stand for, and which weights stand on none."""
    words = [f"{plain(w.label)} = {_listed(w)}" for w in weights if w.used and len(w.members) > 1]
    inside = ", ".join(dict.fromkeys(_listed(w) for w in weights if not w.used))
    return [*dict.fromkeys(words), *([f"inside the boxes: {inside}"] if inside else [])]


def _listed(weight: Weight) -> str:
    names = [plain(member) for member in weight.members]
    return ", ".join([*names[:MEMBERS_SHOWN], *(["…"] if len(names) > MEMBERS_SHOWN else [])])


def _joined(labels: list[Label], more: bool) -> Label:
    spans: list[Span] = []
    for index, label in enumerate(labels):
        spans.extend([Span(", ")] if index else [])
        spans.extend(label)
    return (*spans, Span(", …")) if more else tuple(spans)
