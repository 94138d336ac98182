"""What each node is to a reader: a state, a gate, a loss, ...; and what is written on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

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
        scopes = {node.scope for node in selection.nodes} - {""}
        self.whole = scopes.pop() if len(scopes) == 1 else ""  # the scope of all: names go without it
        self.elements = names_of_elements(selection.nodes)
        self.states = selection.homes | _carried(selection.nodes)  # scopes and labels
        self.uses: Counter[int] = Counter([arg.id for node in selection.nodes for arg in node.args])
        open_uses = self.uses.copy()
        self.objective: set[int] = set()  # real scalars that lead to scalars only
        for node in reversed(selection.nodes):
            if node.shape == () and node.kind == "real" and not node.op.leaf and open_uses[node.id] == 0:
                self.objective.add(node.id)
                open_uses.subtract(arg.id for arg in node.args)
        leaves = [node for node in selection.nodes if node.op.leaf and self.uses[node.id]]
        self.absorbed = {  # scalar constants that are written into the operations that use them
            node.id for node in leaves if node.op.name == "constant" and node.shape == () and node.step is None
        }
        rail = {node.id for node in leaves if node.op.name == "parameter" and places[node.id] == RAIL}
        self.written = self.absorbed | rail  # what has its name in the sign of an operation
        self.shared = {id for id in rail if self.uses[id] > 1}
        self.signs: dict[tuple[Any, ...], tuple[Label, Label]] = {}  # of operations that are alike

    def kind(self, node: Node) -> str:
        if node.op.leaf:
            return "mask" if node.op.name == "input" and node.kind == "boolean" else node.op.name
        where = node.where
        if (where.scope, where.label) in self.states and where.step is not None:
            return "state"
        if node.id in self.objective and (where.label or not self.uses[node.id]):
            return "loss"
        return "value" if where.label else "op"

    def part(self, node: Node) -> str:
        """What the node is called in the cell, the same at every step: x for an input x_3 of step 3.

        An operation without a name goes by its sign, the shared parameters that it uses, and what it uses of its own
        step that has a name, so that U h is known from W x, and z * h from r * h, where a first step has no past.
        """
        where = node.where
        name = where.label.removesuffix(f"_{where.step}") if node.op.leaf else where.label
        if name:
            return f"={name}"
        known = [arg.attrs["name"] for arg in node.args if arg.id in self.shared]
        known += [arg.label for arg in node.args if arg.label and not arg.op.leaf and arg.step == where.step]
        return " ".join([node.op.name, *known]) if known else node.op.name

    def label(self, node: Node, lane: str) -> Label:
        """What is written in the box of a node."""
        return self.labels(node, lane)[0]

    def name(self, node: Node, lane: str) -> Label:
        """What the node is called, without its equation; the sign of its operation if it has no name."""
        return self.labels(node, lane)[1]

    def labels(self, node: Node, lane: str) -> tuple[Label, Label]:
        """What is written in the box of a node, and what it is called."""
        if node.op.leaf:
            name, value = self._leaf_name(node, lane), node.attrs.get("value")
            stays = self.places[node.id] != RAIL and isinstance(value, int)
            return (*name, Span(f" = {value}")) if stays else name, name
        sign, bare = self._signs(node, lane)
        where = node.where
        if not where.label:
            return sign, bare
        name = self._name(node, where.label, where.step if self.places[node.id] != AFTER else None)
        if node.op.name == "identity":
            return name, name
        operand = (Span(f"{HOLE} "),) if sign[0].text.startswith("+ ") else ()  # o = · + b, but + b in a box of its own
        return (*name, Span(" = "), *operand, *sign), name

    def _leaf_name(self, node: Node, lane: str) -> Label:
        name = _local(node.attrs.get("name") or node.label or node.op.name, lane or self.whole)
        if self.places[node.id] == RAIL:
            return self._name(node, name)
        index = node.attrs.get("index", node.step)
        return self._name(node, name.removesuffix(f"_{index}"), index)

    def _name(self, node: Node, name: str, step: int | None = None) -> Label:
        """The symbol of a node that is called `name` here."""
        where = node.where
        found = self.notation.find(where.label) or self.notation.find(name, where.latex)
        when = None if step is None else self.clock(step)
        return symbol_label(self.notation.symbol(name, found), when) if found else name_label(name, when)

    def _signs(self, node: Node, lane: str) -> tuple[Label, Label]:
        """The sign of an operation with what is written into it, and without; one for all that are alike."""
        inside = [arg.id if arg.id in self.written else None for arg in node.args]
        alike = (node.op.name, len(node.shape), lane, *inside)
        if node.attrs or alike not in self.signs:
            written = {i: self._written(arg, lane) for i, arg in enumerate(node.args) if inside[i] is not None}
            sign, bare = operation_label(node, written), operation_label(node, {})
            self.signs[alike] = (sign if label_width(sign) <= SIGN_LIMIT else bare), bare
        return self.signs[alike]

    def _written(self, arg: Node, lane: str) -> Label:
        """How an operand is written into the sign of its user."""
        if arg.id in self.absorbed:
            return name_label(arg.label or str(arg.attrs["value"]))
        return self._name(arg, _local(arg.attrs["name"], lane or self.whole))


def _carried(nodes: list[Node]) -> set[tuple[str, str]]:
    """The scopes and labels of what is computed at a step and read at a later one, or by its own scope at another."""
    found: set[tuple[str, str]] = set()
    steps = {node.id: node.step for node in nodes}
    for node in nodes:
        step = steps[node.id]
        if step is not None:
            for arg in node.args:
                earlier = steps[arg.id]
                if earlier is None or earlier == step or arg.op.leaf or not arg.label:
                    continue
                if earlier < step or arg.scope == node.scope:
                    found.add((arg.scope, arg.label))
    return found


def _local(name: str, lane: str) -> str:
    """A leaf's name without the prefix of its lane."""
    return name.removeprefix(f"{lane}/") if lane else name
