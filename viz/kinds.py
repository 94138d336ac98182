"""What each node is to a reader: a state, a gate, a loss, ...; and what is written on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tinygraph.graph import Node
from tinygraph.symbolic.notation import Notation

from .element_names import names_of_elements
from .labels import HOLE, Label, Span, label_width, name_label, operation_label, symbol_label
from .places import AFTER, RAIL, Place
from .selection import Selection
from .style import SIGN_LIMIT


class Kinds:
    """What each node is to a reader: a state, a gate, a loss, ..."""

    def __init__(
        self,
        selection: Selection,
        places: dict[int, Place],
        notation: Notation,
        clock: Callable[[int], str] = str,
    ) -> None:
        self.places = places
        self.notation = notation
        self.clock = clock  # how a step is written
        self.elements = names_of_elements(selection.nodes)
        self.states = set(selection.states) | {
            arg.label
            for node in selection.nodes
            for arg in node.args
            if arg.label and not arg.op.leaf and node.step is not None and arg.step is not None and arg.step < node.step
        }
        self.uses: Counter[int] = Counter(arg.id for node in selection.nodes for arg in node.args)
        open_uses = self.uses.copy()
        self.objective: set[int] = set()  # real scalars that lead to scalars only
        for node in reversed(selection.nodes):
            if node.shape == () and node.kind == "real" and not node.op.leaf and open_uses[node.id] == 0:
                self.objective.add(node.id)
                open_uses.subtract(arg.id for arg in node.args)

    def absorbed(self, node: Node) -> bool:
        """Whether the node is a scalar constant that is written into the operations that use it."""
        return node.op.name == "constant" and node.shape == () and node.step is None and self.uses[node.id] > 0

    def kind(self, node: Node) -> str:
        if node.op.leaf:
            return node.op.name
        if node.label in self.states and node.step is not None:
            return "state"
        if node.id in self.objective and (node.label or not self.uses[node.id]):
            return "loss"
        return "value" if node.label else "op"

    def part(self, node: Node) -> str:
        """What the node is called in the cell, the same at every step; an initial state is its state."""
        if node.op.leaf and node.step is not None and node.label.removesuffix(f"_{node.step}") in self.states:
            return f"={node.label.removesuffix(f'_{node.step}')}"
        return f"={node.label}" if node.label else node.op.name

    def label(self, node: Node, lane: str) -> Label:
        if node.op.leaf:
            return self._leaf_label(node, lane)
        written = {i: label for i, arg in enumerate(node.args) if (label := self._written(arg, lane))}
        sign = operation_label(node, written)
        if label_width(sign) > SIGN_LIMIT:
            sign = operation_label(node, {})
        if not node.label:
            return sign
        name = self.name(node, lane)
        if node.op.name == "identity":
            return name
        operand = (Span(f"{HOLE} "),) if sign[0].text.startswith("+ ") else ()  # o = · + b, but + b in a box of its own
        return (*name, Span(" = "), *operand, *sign)

    def _leaf_label(self, node: Node, lane: str) -> Label:
        label, value = self._leaf_name(node, lane), node.attrs.get("value")
        stays = self.places[node.id] != RAIL and isinstance(value, int)
        return (*label, Span(f" = {value}")) if stays else label

    def name(self, node: Node, lane: str) -> Label:
        """What the node is called, without its equation; the sign of its operation if it has no name."""
        if node.op.leaf:
            return self._leaf_name(node, lane)
        if not node.label:
            return operation_label(node, {})
        return self._name(node, node.label, node.step if self.places[node.id] != AFTER else None)

    def _leaf_name(self, node: Node, lane: str) -> Label:
        name = _local(node.attrs.get("name") or node.label or node.op.name, lane)
        if self.places[node.id] == RAIL:
            return self._name(node, name)
        index = node.attrs.get("index", node.step)
        return self._name(node, name.removesuffix(f"_{index}"), index)

    def _name(self, node: Node, name: str, step: int | None = None) -> Label:
        """The symbol of a node that is called `name` here."""
        found = self.notation.find(node.label) or self.notation.find(name, node.where.latex)
        when = None if step is None else self.clock(step)
        return symbol_label(self.notation.symbol(name, found), when) if found else name_label(name, when)

    def _written(self, arg: Node, lane: str) -> Label:
        """How an operand is written into the sign of its user; empty if it comes by an edge alone."""
        if self.absorbed(arg):
            return name_label(arg.label or str(arg.attrs["value"]))
        shown = self.places[arg.id] == RAIL and arg.op.name == "parameter"
        return self._name(arg, _local(arg.attrs["name"], lane)) if shown else ()


def _local(name: str, lane: str) -> str:
    """A leaf's name without the prefix of its lane."""
    return name.removeprefix(f"{lane}/") if lane else name
