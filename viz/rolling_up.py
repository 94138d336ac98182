"""The rolled picture: one step for all, in which a box named delay holds what is read from another step.

`tg.roll` says which nodes are one step repeated. Drawn is the most regular step, called t; a value that it reads from
d steps before comes round through a box "delay d", into which the initial state goes as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tinygraph.graph import Node
from tinygraph.rolling import Rolled, roll
from tinygraph.symbolic.notation import Notation, labels_of

from .element_names import word
from .kinds import Kinds
from .labels import Span
from .measuring import NO_MEASURES, Measures
from .places import AFTER, BEFORE, Column, Place, find_lanes, find_places
from .scene import Box, Edge, Key, Scene, node_box, together
from .selection import Selection

NOW = "t"  # the step that stands for all


def roll_up(selection: Selection, notation: Mapping[str, str] | None = None, measures: Measures = NO_MEASURES) -> Scene:
    """The scene of one step of a selection; gradients that were measured are those of all steps together.

    Raises `UnknownNameError` for a notation of what is not drawn.
    """
    return _RollingUp(selection, Notation(notation, labels_of(selection.nodes)), measures).run()


class _RollingUp:
    def __init__(self, selection: Selection, notation: Notation, measures: Measures) -> None:
        self.measures = measures
        used = {arg.id for node in selection.nodes for arg in node.args}
        self.selection = selection
        self.sinks = [node for node in selection.nodes if node.id not in used]
        self.rolled: Rolled = roll(self.sinks)
        self.places = find_places(selection.nodes, selection.time)
        self.times = self._times()
        self.now = self._most_regular()
        self.lanes, self.lane = find_lanes(selection.nodes, self.places)
        self.initial = self._initial()
        self.shown = self._shown()
        self.places |= {node.id: self._place(node) for node in self.shown}
        self.kinds = Kinds(selection, self.places, notation, lambda step: NOW if step == self.now else str(step))
        used_places = {self.places[node.id] for node in self.shown}
        order: list[tuple[Place, str]] = [(BEFORE, ""), (self.now, "every step t"), (AFTER, "")]
        columns = [Column(place, title) for place, title in order if place in used_places]
        kept = {self.lane[node.id] for node in self.shown}
        kept_lanes = [lane for lane in self.lanes if lane in kept]
        self.scene = Scene(columns, kept_lanes, states=selection.states, elements=self.kinds.elements)
        self.column = {column.place: i for i, column in enumerate(columns)}
        self.box: dict[int, int] = {}
        self.delays: dict[tuple[int, int, str], int] = {}
        self.counts: Counter[Key] = Counter()
        self.connected: dict[str, int] = {}  # the numbers of the edges, by their ids

    def run(self) -> Scene:
        for node in self.shown:
            if node.id in self.kinds.absorbed:
                self.scene.absorbed += 1
                continue
            self.box[node.id] = len(self.scene.boxes)
            key = self._key(node, self.lane[node.id], self.kinds.part(node))
            column = self.column.get(self.places[node.id], -1)
            self.scene.boxes.append(node_box(node, self.kinds, key, column, self.lane[node.id]))
        for node in self.shown:
            self._add_edges(node)
        self.scene.hidden = len(self.selection.nodes) - len(self.shown)
        return self.scene

    def _key(self, node: Node, lane: str, part: str) -> Key:
        place = self.places[node.id]
        key = ("steps" if isinstance(place, int) else place, lane, part)
        self.counts[key] += 1
        return (*key, str(self.counts[key]))

    # Which nodes
    def _times(self) -> dict[int, int]:
        """The time of each node that has one: its step, or in a graph without steps that of its class."""
        times = {id: place for id, place in self.places.items() if isinstance(place, int)}
        if not times:
            repeated = [one for one in self.rolled.classes if one.first is not None and len(one) > 1]
            times = {n.id: (one.first or 0) + i for one in repeated for i, n in enumerate(one.members)}
        return times

    def _most_regular(self) -> int:
        """The step whose nodes have the most like them; the first of several."""
        like: Counter[int] = Counter()
        for one in self.rolled.classes:
            for node in one.members:
                if node.id in self.times:
                    like[self.times[node.id]] += len(one)
        return max(sorted(like), key=like.__getitem__, default=0)

    def _initial(self) -> dict[tuple[str, str], Node]:
        """The leaves from which states begin, by label and scope."""
        alone = [one.members[0] for one in self.rolled.classes if len(one) == 1 and one.op.leaf]
        return {(_plain_name(leaf), leaf.scope): leaf for leaf in alone if leaf.step is not None}

    def _shown(self) -> list[Node]:
        """The nodes drawn, in the order of the tape."""
        found: dict[int, Node] = {}
        waiting = [self._now(node) for node in self.sinks]
        while waiting:
            node = waiting.pop()
            if node.id not in found:
                found[node.id] = node
                waiting += [self._now(arg) for arg in node.args]
                beginnings = [self._beginning(node, slot) for slot in range(len(node.args))]
                waiting += [leaf for leaf in beginnings if leaf is not None]
        return [found[id] for id in sorted(found)]

    def _now(self, node: Node) -> Node:
        """The node that stands for this one: of its class, the one at the step that is drawn; else itself."""
        if self.times.get(node.id, self.now) == self.now:
            return node
        one, _ = self.rolled.of(node)
        return next((member for member in one.members if self.times.get(member.id) == self.now), node)

    def _beginning(self, node: Node, slot: int) -> Node | None:
        """The leaf that stands in for what a node reads from another step, where there is no such step yet."""
        arg = node.args[slot]
        if self.times.get(node.id) != self.now or self.times.get(arg.id, self.now) == self.now:
            return None
        if (arg.label, arg.scope) in self.initial:
            return self.initial[arg.label, arg.scope]
        one, _ = self.rolled.of(node)
        sources = [self.rolled.classes[read.source] for read in one.reads if slot in read.slots]
        return next((s.members[0] for s in sources if s.op.leaf and len(s) == 1), None)

    def _place(self, node: Node) -> Place:
        if self.times.get(node.id) == self.now:
            return self.now
        place = self.places[node.id]
        return (BEFORE if node.op.leaf else AFTER) if isinstance(place, int) else place

    # Edges
    def _add_edges(self, node: Node) -> None:
        for position, arg in enumerate(node.args):
            if arg.id in self.kinds.absorbed:
                continue
            source = self._now(arg)
            share = self._share(node, position)
            late = self.times.get(node.id, self.now) - self.times.get(arg.id, self.now)
            flows = self._flows(node, position)
            if node.id in self.times and late and source is not arg:
                start = self._delay(source, late, self.lane[node.id], self._beginning(node, position), flows, share)
            else:
                start = self.box[source.id]
            over_time = node.id not in self.times and arg.id in self.times  # one edge for those from all steps
            self._connect(start, self.box[node.id], 0 if over_time else position, gradient=flows, share=share)

    def _flows(self, node: Node, position: int) -> bool:
        """Whether a gradient goes to this operand, at one of the steps for which the node stands."""
        carried = self.selection.gradient
        return bool(carried) and any((one.id, position) in carried for one in self.rolled.of(node)[0].members)

    def _share(self, node: Node, position: int) -> float | None:
        """The norm of the gradient to this operand, of all steps for which the node stands together."""
        found: float | None = None
        for one in self.rolled.of(node)[0].members if self.measures.shares else ():
            found = together(found, self.measures.shares.get((one.id, position)))
        return found

    def _delay(
        self, source: Node, late: int, lane: str, beginning: Node | None, flows: bool, share: float | None
    ) -> int:
        """The box through which a value comes into a lane that is read `late` steps after its own."""
        if (source.id, late, lane) not in self.delays:
            self.delays[source.id, late, lane] = len(self.scene.boxes)
            name = f"delay {late}" if late > 0 else f"ahead {-late}"
            words = f"the value of {abs(late)} step{'s' * (abs(late) > 1)} {'before' if late > 0 else 'after'}"
            own = f"{self.kinds.elements[source.id]}--{name.replace(' ', '')}{word(lane) if lane else ''}"
            box = Box(
                own, "delay", (Span(name),), self._key(source, lane, name), self.column[self.now],
                lane, "delay", words, (Span(name),), "delay",
            )  # fmt: skip
            self.scene.boxes.append(box)
        start = self.delays[source.id, late, lane]
        self._connect(self.box[source.id], start, 0, loop=True, gradient=flows, share=share)
        if beginning is not None:
            self._connect(self.box[beginning.id], start, 1, folded=True)
        return start

    def _connect(
        self,
        source: int,
        target: int,
        position: int,
        *,
        loop: bool = False,
        folded: bool = False,
        gradient: bool = False,
        share: float | None = None,
    ) -> None:
        boxes, edges = self.scene.boxes, self.scene.edges
        name = f"{boxes[source].id}--{boxes[target].id}--{position}"
        if name not in self.connected:
            self.connected[name] = len(edges)
            edges.append(Edge(name, source, target, position, gradient, folded, loop=loop, share=share))
        elif gradient:
            known = edges[self.connected[name]]
            edges[self.connected[name]] = known._replace(gradient=True, share=together(known.share, share))


def _plain_name(leaf: Node) -> str:
    """What a leaf of a step is called, without its scope and step: h for layer1/h_0."""
    return leaf.label.removeprefix(f"{leaf.scope}/").removesuffix(f"_{leaf.step}")
