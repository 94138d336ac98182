"""Rebuilding: a new tape from an old one, node by node. Provenance is carried here and nowhere else.

before -> after: the cone of the roots -> the same on a new tape, each node copied or replaced by a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError, expect
from ..graph.node import Node, Provenance
from ..graph.op import tape_of
from ..graph.steps import Steps
from ..graph.tape import Graph, cone
from ..nest import leaves, map_nest
from ..ops.arithmetic import identity
from ..ops.batch import spread
from ..ops.structure import broadcast_to

# A rule gets an old node and its operands on the new tape, and returns what replaces it (None: a copy).
Rule = Callable[[Node, tuple[Node, ...]], Node | None]


@dataclass(frozen=True)
class Rewritten:
    """What a pass returns: the roots on the new tape, in the structure given, and where each node went."""

    roots: Any
    graph: Graph
    map: Mapping[Node, Node] = field(repr=False)

    def of(self, node: Node) -> Node:
        """What became of a node of the old tape. Raises `UsageError` if the roots do not need it."""
        expect(node, Node, "a rewritten graph maps nodes")
        if node not in self.map:
            raise UsageError("the rewritten graph has nothing for this node", [node.describe()])
        return self.map[node]

    def then(self, following: Callable[[Any], Rewritten]) -> Rewritten:
        """This rewriting followed by another pass over its roots."""
        after = following(self.roots)
        joined = {old: after.map[new] for old, new in self.map.items() if new in after.map}
        return Rewritten(after.roots, after.graph, joined)


def rebuild(roots: Any, rule: Rule | None = None) -> Rewritten:
    """Copy the cone of `roots` to a new tape, asking `rule` for each node that is no leaf.

    A labelled node keeps its label and stays a node of its own: where the rule answers with a node
    that exists already, an identity carries the label. So anchors such as h_3 are never lost, and
    a derivative by one holds the same things fixed as before.
    """
    nodes = leaves(roots)
    tape_of(nodes, "a pass")
    new = Graph()
    moved: dict[Node, Node] = {}
    for node in cone(nodes):
        if node in moved:
            continue
        if node.op.leaf:
            move_leaf(new, node, moved)
        else:
            moved[node] = move_node(new, node, tuple(moved[arg] for arg in node.args), rule=rule)
    return Rewritten(map_nest(moved.__getitem__, roots), new, moved)


def fitted(found: Node, node: Node) -> Node:
    """`found` in the shape and batching of the node that it replaces. Raises `ShapeError` if it does not broadcast."""
    if found.shape != node.shape:
        found = broadcast_to(found, node.shape)
    return spread(found) if node.batched and not found.batched else found


def move_node(
    new: Graph, node: Node, args: tuple[Node, ...], *, rule: Rule | None = None, where: Provenance | None = None
) -> Node:
    """A copy of `node` on `args`, or what the rule gives, with its provenance, or that given."""
    size, where = len(new), where or node.where
    with new.stamped(where._replace(label="", latex="")):
        result = rule(node, args) if rule else None
        if result is None:
            result = node.op.apply(new, args, node.attrs)
        if where.label and result.id < size:
            result = identity(result)
    if where.label:
        new.provenance[result.id] = where
    return result


def move_leaf(new: Graph, node: Node, moved: dict[Node, Node]) -> None:
    """Copy a leaf; one of a sequence brings the whole sequence, since it is one feed."""
    index = node.attrs.get("index")
    fellows = node.graph.inputs[node.attrs["name"]] if index is not None else None
    if not isinstance(fellows, Steps):
        moved[node] = _copy_leaf(new, node)
        if node.op.name != "constant":
            names = new.parameters if node.op.name == "parameter" else new.inputs
            names[node.attrs["name"]] = moved[node]
        return
    copies = Steps(fellows.name)
    for step, fellow in fellows.items():
        copies[step] = moved[fellow] = _copy_leaf(new, fellow)
    new.inputs[fellows.name] = copies


def _copy_leaf(new: Graph, node: Node) -> Node:
    with new.stamped(node.where):
        return new.append(node.op, (), node.attrs, node.shape, node.batched, node.kind)
