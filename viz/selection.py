"""Which nodes a picture is about: the roots asked for, what they depend on, and where gradients flow.

Pictures are drawn of the forward graph. Its gradient is shown as a reversed edge beside each forward
edge that a cotangent crosses, which can be read off the forward graph alone: a cotangent goes from a
node to an operand when the node carries one, the row of its operation has a rule for that operand,
and the operand depends on what is differentiated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinygraph.errors import DrawingError
from tinygraph.graph import Graph, Node, cone
from tinygraph.graph.node import COTANGENT
from tinygraph.nest import leaves
from tinygraph.unrolling import Unrolled


@dataclass(frozen=True)
class Selection:
    """The forward nodes in ascending order, the state labels known, and the edges a cotangent crosses.

    `homes` are the scopes and labels of these states. An edge is (node id, position of the operand). `outputs` are the
    ids of what is differentiated. Steps are columns if they are `time`; those of a tree are not.
    """

    nodes: list[Node]
    states: tuple[str, ...]
    gradient: frozenset[tuple[int, int]]
    outputs: frozenset[int] = frozenset()
    time: bool = True
    homes: frozenset[tuple[str, str]] = frozenset()


def select(what: Any, backward: bool) -> Selection:
    """The nodes to draw of an unrolled net, a graph, a node, or a nesting of nodes. Raises `DrawingError`."""
    roots = _roots(what)
    asked = [root for root in roots if not root.backward] or roots
    reached = [node for node in cone(asked) if not node.backward]
    needed = {arg.id for node in reached for arg in node.args} | {root.id for root in asked}
    forward = [node for node in reached if node.id in needed or node.op.name != "constant"]  # constants of the gradient
    if not forward:
        raise DrawingError(
            "there is nothing to draw", [f"{what!r:.80}"], "give a net, or nodes that depend on some input"
        )
    states = tuple(dict.fromkeys(state for net in nets_of(what) for state in net.cell.states))
    known = [state for net in nets_of(what) for state in net.final.values()]
    known += [what.root] if is_tree(what) else []
    homes = frozenset((state.scope, state.label) for state in known)
    states += (what.root.label,) if is_tree(what) else ()
    time = not is_tree(what)
    if not backward:
        return Selection(forward, states, frozenset(), time=time, homes=homes)
    outputs = _outputs(forward, roots)
    ends = frozenset(node.id for node in outputs)
    return Selection(forward, states, _gradient_edges(forward, roots, outputs), ends, time, homes)


def nets_of(what: Any) -> list[Unrolled]:
    """The net itself, or the layers of a stack of nets; empty for anything else."""
    nets = [what] if isinstance(what, Unrolled) else getattr(what, "layers", None)
    return list(nets) if isinstance(nets, (list, tuple)) and all(isinstance(net, Unrolled) for net in nets) else []


def is_tree(what: Any) -> bool:
    """Whether this is a cell composed over a tree, as by `models.compose`."""
    return isinstance(getattr(what, "root", None), Node) and hasattr(what, "phrases")


def _roots(what: Any) -> list[Node]:
    nets = nets_of(what)
    if nets:
        return [*(state for net in nets for state in net.final.values()), *what.output.values()]
    if is_tree(what):
        return [what.root]
    if isinstance(what, Graph):
        used = {arg.id for node in what.nodes if not node.backward for arg in node.args}
        return [
            node
            for node in what.nodes
            if not node.backward and node.id not in used and node.op.name != "constant"  # constants of the gradient
        ]
    nodes = leaves(what)
    for node in nodes:
        if not isinstance(node, Node):
            raise DrawingError(
                f"draw takes a net, a graph, or nodes in lists and dicts, not {node!r:.60}",
                fix="viz.draw(net), viz.draw(net.graph), viz.draw([loss, grads])",
            )
    return nodes


def _gradient_edges(forward: list[Node], roots: list[Node], outputs: list[Node]) -> frozenset[tuple[int, int]]:
    targets = _targets(forward, roots)
    reached: set[int] = set()
    for node in forward:
        if node.id in targets or (node.kind == "real" and any(arg.id in reached for arg in node.args)):
            reached.add(node.id)
    carrying = {node.id for node in outputs if node.id in reached}
    edges = []
    for node in reversed(forward):
        if node.id in carrying:
            for index, arg in enumerate(node.args):
                if arg.id in reached and node.op.rule(index) is not None:
                    carrying.add(arg.id)
                    edges.append((node.id, index))
    return frozenset(edges)


def _outputs(forward: list[Node], roots: list[Node]) -> list[Node]:
    """What is differentiated: the forward roots; without any, the real nodes that nothing forward uses."""
    given = [root for root in roots if not root.backward and root.kind == "real" and not root.op.leaf]
    if given:
        return given
    used = {arg.id for node in forward for arg in node.args}
    return [node for node in forward if node.id not in used and node.kind == "real"]


def _targets(forward: list[Node], roots: list[Node]) -> set[int]:
    """What it is differentiated by: the nodes whose cotangents are roots; else parameters; else real inputs.

    A cotangent is known by its label: that of h is dh, at the same step.
    """
    wanted = {(root.label, root.step, root.scope) for root in roots if root.backward and root.label}
    targets = {n.id for n in forward if n.label and (COTANGENT + n.label, n.step, n.scope) in wanted}
    targets = targets or {node.id for node in forward if node.op.name == "parameter"}
    return targets or {node.id for node in forward if node.op.name == "input" and node.kind == "real"}
