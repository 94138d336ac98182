"""Paths: a Jacobian is a sum over the paths of the tape, and classes of paths split it.

    d output / d wrt = sum over all paths from wrt to output of the product of the local Jacobians on it

A path runs along operands whose derivative the operation has. Paths are counted from node to node, not
listed: the count of a node is the sum of its operands' counts, exactly. A ledger counts likewise for each
set of classes that a path still fits into, and differentiates one copy of the nodes for each such set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..differentiate import jacobian
from ..errors import GraphError, UsageError, expect
from ..graph.node import Node
from ..graph.tape import Graph, cone
from ..ops.arithmetic import add
from ..ops.choice import stop_gradient
from ..passes.rebuilding import rebuild

OTHER = "other"  # the class of what fits into no class

Classes = Mapping[str, Callable[[Node], bool]]


def count_paths(output: Node, wrt: Node) -> int:
    """The number of paths from `wrt` to `output` along which a derivative flows; 1 if they are one node.

    An operand used twice counts twice. For a step Jacobian this is the number of its words, with multiplicity
    (Bauer 1974, doi:10.1137/0711010). Raises `UsageError`, `GraphError`.
    """
    nodes = _nodes(output, wrt)
    last_use = {arg: node for node in nodes for arg in node.args}
    counts = {wrt: 1}
    for node in nodes:
        found = sum(counts.get(arg, 0) for arg in _sources(node))
        if found and node is not wrt:
            counts[node] = found
        for arg in node.args:  # long numbers on long tapes: none is kept longer than needed
            if last_use[arg] is node:
                counts.pop(arg, None)
    return counts.get(output, 0)


@dataclass(frozen=True)
class Ledger:
    """`jacobians` (nodes, of shape output.shape + wrt.shape, on the tape `graph`) and `counts` of paths, by class."""

    jacobians: Mapping[str, Node]
    counts: Mapping[str, int]
    graph: Graph


def path_ledger(output: Node, wrt: Node, classes: Classes) -> Ledger:
    """The Jacobian of `output` with respect to `wrt`, split by class of path.

    A class is a condition on labelled nodes: a path belongs to it if all labelled nodes strictly between
    `wrt` and `output` fulfil it. `{"highway": lambda node: node.label == "c"}` has the paths of an LSTM that
    run through cells alone. A path that fits several classes goes to the first, one that fits none to
    "other", so the classes sum to `tg.jacobian(output, wrt)`. Classes without a path are left out, but
    for "other", which then is zero.

    Raises `UsageError`, `GraphError`, `DifferentiationError` (a path through a sum over the batch).
    """
    nodes = _nodes(output, wrt)
    for name, fits in classes.items():
        if not callable(fits) or not isinstance(name, str) or name == OTHER:
            raise UsageError(
                f"a class of paths is a name but {OTHER!r}, and a condition on nodes, not {name!r:.40}: {fits!r:.40}",
                fix="{'highway': lambda node: node.label == 'c'}",
            )
    split = _Split(nodes, output, wrt, list(classes.values()))
    graph = output.graph
    rewritten = rebuild((output, wrt, graph.parameters, graph.inputs), split.copy)
    new_output, new_wrt = rewritten.roots[:2]
    split.copies.setdefault(wrt, {split.all: new_wrt})
    ends: dict[str, list[Node]] = {}
    counts: dict[str, int] = {}
    for fitting, count in split.counts.get(output, {}).items():
        name = next((name for place, name in enumerate(classes) if fitting >> place & 1), OTHER)
        ends.setdefault(name, []).append(split.copies[output][fitting])
        counts[name] = counts.get(name, 0) + count
    order = [name for name in classes if name in ends]
    jacobians = {
        name: _total([jacobian(end, new_wrt) for end in ends[name]]) for name in [*order, OTHER] if name in ends
    }
    if OTHER not in jacobians:
        jacobians[OTHER] = jacobian(stop_gradient(new_output), new_wrt)
    return Ledger(jacobians, {name: counts.get(name, 0) for name in jacobians}, rewritten.graph)


class _Split:
    """Copies of the nodes between `wrt` and `output`, one for each set of classes that paths up to there fit into.

    A set is an integer with a bit for each class. The copy of a node for a set has the node's value, and the
    derivative of the paths of that set alone.
    """

    def __init__(self, nodes: list[Node], output: Node, wrt: Node, conditions: list[Callable[[Node], bool]]) -> None:
        self.wrt = wrt
        self.all = (1 << len(conditions)) - 1
        self.counts: dict[Node, dict[int, int]] = {wrt: {self.all: 1}}
        self.fitting: dict[Node, int] = {}
        self.copies: dict[Node, dict[int, Node]] = {}
        for node in nodes:
            sources = [arg for arg in _sources(node) if arg in self.counts]
            if node is wrt or not sources:
                continue
            free = node is output or not node.label
            flags = self.all if free else sum(bool(fits(node)) << place for place, fits in enumerate(conditions))
            self.fitting[node] = flags
            self.counts[node] = {}
            for arg in sources:
                for fitting, count in self.counts[arg].items():
                    self.counts[node][fitting & flags] = self.counts[node].get(fitting & flags, 0) + count

    def copy(self, node: Node, args: tuple[Node, ...]) -> None:
        """The rule of the rebuilding; the node itself is copied as it is, for values."""
        if node in self.fitting:
            self.copies[node] = {
                fitting: node.op.apply(args[0].graph, self._operands(node, args, fitting), node.attrs)
                for fitting in self.counts[node]
            }

    def _operands(self, node: Node, args: tuple[Node, ...], fitting: int) -> tuple[Node, ...]:
        return tuple(
            self._operand(old, new, self.fitting[node], fitting) for old, new in zip(node.args, args, strict=True)
        )

    def _operand(self, old: Node, new: Node, flags: int, fitting: int) -> Node:
        """The operand's value, with the derivative of those of its paths that come into the set here."""
        if old.kind != "real" or old not in self.counts:
            return new
        copies = {self.all: new} if old is self.wrt else self.copies[old]
        wanted = [copy for found, copy in copies.items() if found & flags == fitting]
        if len(wanted) == 1:
            return wanted[0]
        value = stop_gradient(new)
        return add([value, *(copy - value for copy in wanted)]) if wanted else value


def _sources(node: Node) -> list[Node]:
    """The operands from which a derivative flows into `node`, one that is used twice twice."""
    if node.kind != "real":
        return []
    return [arg for place, arg in enumerate(node.args) if arg.kind == "real" and node.op.rule(place) is not None]


def _total(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else add(parts)


def _nodes(output: Node, wrt: Node) -> list[Node]:
    for node in (output, wrt):
        expect(node, Node, "paths run between nodes")
    if output.graph is not wrt.graph:
        raise GraphError("paths run on one tape", [output.describe(), wrt.describe()])
    return cone([output])
