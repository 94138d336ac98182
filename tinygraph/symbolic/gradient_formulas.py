"""LaTeX of single equations: that of one value, or those of a gradient without the forward pass."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ..graph.formula import equations
from ..graph.node import Node
from ..graph.tape import cone
from ..passes.simplification import simplify
from .formulas import Latex, aligned, style
from .notation import Notation, labels_of


def equation_latex(node: Node) -> Latex:
    """The equation of one node alone, by the values that have a name."""
    nodes = cone([node])
    becomes, inside = {i: n for i, n in _named_by(nodes).items() if n is not node}, {node.id}
    for one in reversed(nodes):
        if one.id in inside:
            inside.update(a.id for a in one.args if "value" in a.attrs or not (a.label or a.op.leaf or a.id in becomes))
    return _written([one for one in nodes if one.id in inside], becomes, _clashing(nodes))


def backward_latex(gradient: Node) -> Latex:
    """The equations of a gradient, simplified, without those of the forward pass."""
    nodes = cone([simplify(gradient).roots])
    return _written([node for node in nodes if node.backward], _named_by(nodes))


def _named_by(nodes: Iterable[Node]) -> dict[int, Node]:
    """The identity that gives a value its name, such as that of a new state."""
    return {n.args[0].id: n for n in nodes if n.op.name == "identity" and n.label and not n.backward}


def _clashing(nodes: Iterable[Node]) -> set[tuple[str, int | None]]:
    """The labels and steps that nodes of several scopes have, such as the layers of a net."""
    scopes: dict[tuple[str, int | None], set[str]] = {}
    for node in nodes:
        if node.label and not node.op.leaf:
            scopes.setdefault((node.label, node.step), set()).add(node.scope)
    return {key for key, found in scopes.items() if len(found) > 1}


def _written(
    nodes: list[Node], becomes: Mapping[int, Node], clashing: Collection[tuple[str, int | None]] = ()
) -> Latex:
    plain, inside = style(Notation(None, labels_of(nodes)), str), {node.id for node in nodes}

    def name(node: Node, scope: bool, identifier: bool) -> str:
        known = becomes.get(node.id, node) if node.id not in inside else node
        return plain.name(known, scope or (known.label, known.step) in clashing, identifier)

    return aligned(f"{e.name} &= {e.right}" for e in equations(nodes, replace(plain, name=name)) if e.right)
