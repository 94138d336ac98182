"""Local derivatives, for the edges that enter an operation: 1 at an adder, the other factor at a multiplier.

The text comes from the table's rows: the slope of an elementwise operation by one operand, in which y is the value of
the operation itself where it has no name of its own; and for a product of matrices the other factor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygraph.errors import TinygraphError
from tinygraph.execute.interpreter import evaluate
from tinygraph.graph import Node
from tinygraph.graph.letters import Monomial
from tinygraph.passes.rebuilding import rebuild
from tinygraph.symbolic.words import slope

from .labels import Label, Span, label_width
from .selection import Selection

LONGEST = 90.0  # units; a longer text is left out
OUTPUT = (Span("y"),)
OTHER = (Span("other"),)  # an operand without a name

Edge = tuple[int, int]
Name = Callable[[Node], Label]


def slope_label(node: Node, index: int, name: Name) -> Label:
    """What is written on the edge of operand `index`; nothing where there is no derivative, or no short text for it."""
    if not node.op.differentiable or node.op.rule(index) is None or node.args[index].kind != "real":
        return ()
    if node.op.name == "matmul":
        other = node.args[1 - index]
        return name(other) if other.label or other.op.leaf else OTHER
    if not node.op.elementwise:
        return ()
    try:
        terms = slope(node, index).terms
    except (TinygraphError, ValueError):
        return ()
    found: list[Span] = []
    for monomial, coefficient in sorted(terms.items(), key=lambda term: sum(exponent for _, exponent in term[0])):
        found += _term(node, monomial, coefficient, name, bool(found))
    label = tuple(found) or (Span("0"),)
    return label if label_width(label) <= LONGEST else ()


def _term(node: Node, monomial: Monomial, coefficient: Any, name: Name, follows: bool) -> list[Span]:
    sign = ("− " if coefficient < 0 else "+ ") if follows else "−" if coefficient < 0 else ""
    size = abs(coefficient)
    spans = [Span(f"{' ' * follows}{sign}{size if size != 1 or not monomial else ''}")]
    for atom, exponent in monomial:
        own = atom.node.label or atom.node.op.leaf
        base = name(atom.node) if own else OUTPUT if atom.node is node else OTHER
        spans += [Span(f"{atom.how}("), *base, Span(")")] if atom.how else base
        spans += [Span(str(exponent), 1)] if exponent != 1 else []
    return [span for span in spans if span.text]


def slope_values(selection: Selection, feeds: Mapping[Any, Any]) -> dict[Edge, float]:
    """The local derivative as a number, for the edges between scalars. Raises what `evaluate` raises."""
    graph = selection.nodes[0].graph
    rewritten = rebuild((selection.nodes, graph.parameters, graph.inputs))
    made: dict[Edge, Node] = {}
    for node in selection.nodes:
        for index, arg in enumerate(node.args):
            rule = node.op.rule(index)
            if rule is not None and node.shape == arg.shape == () and node.kind == arg.kind == "real":
                new = rewritten.map[node]
                made[node.id, index] = rule(new.graph.number(1), new, *new.args)
    moved = {rewritten.map.get(key, key) if isinstance(key, Node) else key: value for key, value in feeds.items()}
    values = evaluate(made, moved)
    return {edge: float(np.ravel(value)[0]) for edge, value in values.items() if np.size(value) == 1}
