"""The tape: an append-only list of nodes, which is the graph.

A node's id is its place on the tape and its operands have smaller ids, so ascending ids are a
topological order and nothing ever recurses. Names of inputs and parameters are unique on a tape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import GraphError, KindError, NameTakenError, UnknownNameError, UsageError, expect, nearest
from ..shapes import Shape, as_shape, as_size
from .constants import Array, Number, as_constant, exact
from .export import to_networkx
from .node import KINDS, Kind, Node, Provenance
from .op import NO_ATTRS, Op
from .steps import Steps
from .table import OPS
from .text import write_text

NOWHERE = Provenance()


class Graph:
    """A tape of nodes with its parameters and inputs by name.

    >>> g = Graph()
    >>> W = g.parameter("W", (4, 3))
    >>> with g.at(step=1, scope="encoder"):
    ...     h = tg.tanh(W @ g.input("x_1", (3,)), name="h")
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.provenance: list[Provenance] = []
        self.parameters: dict[str, Node] = {}
        self.inputs: dict[str, Node | Steps] = {}
        self.memo: dict[Any, Any] = {}  # what differentiation has computed already
        self.new_state: dict[str, Callable[[Node, str], Node]] = {}  # while a cell is traced: what makes its states
        self._here = NOWHERE
        self._interned: dict[Any, Node] = {}
        self._shared: dict[Any, Node] | None = None

    # Leaves
    def input(self, name: str, shape: Any = (), *, kind: Kind = "real", batched: bool = True) -> Node:
        """A value fed under `name`: per-example `shape`, one value per example unless `batched=False`."""
        node = self._leaf("input", {"name": self._new_name(name)}, as_shape(shape), batched, kind, name)
        self.inputs[name] = node
        return node

    def sequence(
        self, name: str, steps: int, shape: Any = (), *, kind: Kind = "real", batched: bool = True, first: int = 1
    ) -> Steps:
        """One feed bound to `steps` input nodes, for t = 1..T; it is fed as (time, batch, *shape).

        `first` is the time step at which the first of them stands, such as the last one for a single target.
        """
        length = as_size(steps, "number of steps")
        if length == 0:
            raise UsageError(f"sequence {name!r} needs at least one step", fix="steps=1 or more")
        self._new_name(name)
        sequence = Steps(name)
        for t in range(1, length + 1):
            with self.at(step=first - 1 + t):
                attrs = {"name": name, "index": t}
                sequence[t] = self._leaf("input", attrs, as_shape(shape), batched, kind, name)
        self.inputs[name] = sequence
        return sequence

    def parameter(self, name: str, shape: Any = (), *, initial: str = "") -> Node:
        """A trained value shared by all its uses. `initial` names its initialiser."""
        attrs = {"name": self._new_name(name), "initial": initial}
        node = self._leaf("parameter", attrs, as_shape(shape), False, "real", name)
        self.parameters[name] = node
        return node

    def constant(
        self, name: str, value: Any = None, *, zeros: Any = None, ones: Any = None, kind: Kind = "real"
    ) -> Node:
        """A fixed value, the same for every example: `value`, or zeros or ones of a shape.

        Constants with an empty name stand outside time, and equal ones are one node.
        """
        if sum(v is not None for v in (value, zeros, ones)) != 1:
            raise UsageError(f"constant {name!r} takes exactly one of value, zeros=shape, ones=shape")
        self._check_kind(kind)
        stored, shape = as_constant(value, kind) if value is not None else (int(zeros is None), ())
        if value is None:
            shape = as_shape(zeros if zeros is not None else ones)
        if name:
            return self._leaf("constant", {"value": stored}, shape, False, kind, name)
        return self._outside_time(stored, shape, kind, "")

    def number(
        self, value: int | float | Fraction | np.number[Any] | np.bool_, kind: Kind = "real", *, name: str = ""
    ) -> Node:
        """A scalar constant outside time, shown as the number or by its name; equal ones are one node."""
        number = exact(value, kind)
        return self._outside_time(number, (), kind, name or str(number))

    def _outside_time(self, value: Number | Array, shape: Shape, kind: Kind, label: str) -> Node:
        """A constant that belongs to no step; equal ones are one node."""
        key = ("constant", type(value), value, shape, kind, label)
        if key not in self._interned:
            with self.stamped(NOWHERE):
                self._interned[key] = self._leaf("constant", {"value": value}, shape, False, kind, label)
        return self._interned[key]

    # Time, scope and labels
    @contextmanager
    def at(self, *, step: int | None = None, scope: str | None = None) -> Iterator[None]:
        """Nodes made inside belong to this time step and scope; scopes nest as `outer/inner`."""
        if step is not None and (isinstance(step, bool) or not isinstance(step, (int, np.integer))):
            raise UsageError(f"a time step is a whole number, not {step!r}")
        if scope is not None and not isinstance(scope, str):
            raise UsageError(f"a scope is a string, not {scope!r}")
        here = self._here
        inner = here.scope if not scope else f"{here.scope}/{scope}" if here.scope else scope
        with self.stamped(here._replace(step=here.step if step is None else int(step), scope=inner)):
            yield

    @contextmanager
    def stamped(self, provenance: Provenance) -> Iterator[None]:
        """Nodes made inside get just this provenance (for differentiation and passes)."""
        here, self._here = self._here, provenance
        try:
            yield
        finally:
            self._here = here

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """An application made twice inside is one node."""
        shared = self._shared
        self._shared = {} if shared is None else shared
        try:
            yield
        finally:
            self._shared = shared

    def relabel(self, node: Node, label: str, latex: str = "") -> Node:
        """Label `node`. One that has a label already, or is a leaf, gets an identity that carries it."""
        if not isinstance(label, str) or not label:
            raise UsageError(f"a label is a string that is not empty, not {label!r}", [node.describe()])
        if node.graph is not self:
            raise GraphError(f"a node of another tape is labelled {label!r}", [node.describe()])
        if node.label or node.op.leaf:
            node = OPS["identity"](node)
        self.provenance[node.id] = node.where._replace(label=label, latex=latex)
        return node

    # Growing
    def append(
        self, op: Op, args: tuple[Node, ...], attrs: Mapping[str, Any], shape: Shape, batched: bool, kind: Kind
    ) -> Node:
        """Append one application; `Op.apply` has checked it. Shared or interned ones are found again."""
        here = self._here
        found = self._interned if op.intern else self._shared
        if found is not None and not op.leaf:
            key = (op.name, args, tuple(sorted(attrs.items())))
            if key in found:
                return found[key]
            if op.intern and args:
                here = args[0].where._replace(label="", latex="", backward=here.backward)
        node = Node(self, len(self.nodes), op, args, attrs, shape, batched, kind)
        self.nodes.append(node)
        self.provenance.append(here)
        if found is not None and not op.leaf:
            found[key] = node
        return node

    def _leaf(self, op: str, attrs: dict[str, Any], shape: Shape, batched: bool, kind: Kind, label: str) -> Node:
        self._check_kind(kind)
        if not isinstance(label, str):
            raise UsageError(f"a name is a string, not {label!r}")
        with self.stamped(self._here._replace(label=label)):
            return self.append(OPS[op], (), attrs or NO_ATTRS, shape, bool(batched), kind)

    def _new_name(self, name: str) -> str:
        if not isinstance(name, str) or not name:
            raise UsageError(f"an input or a parameter needs a name that is not empty, not {name!r}")
        if name in self.parameters or name in self.inputs:
            what = "a parameter" if name in self.parameters else "an input"
            raise NameTakenError(
                f"{name!r} is {what} of this tape already", fix="use the node that exists, or another name"
            )
        return name

    def _check_kind(self, kind: object) -> None:
        if kind not in KINDS:
            raise KindError(f"{kind!r} is no kind", fix=nearest(kind, KINDS))

    # Looking
    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __getitem__(self, label: str | tuple[str, int]) -> Node:
        """The node with this label, and time step if given: `g["loss"]`, `g["h", 3]`."""
        if not isinstance(label, str) and not (isinstance(label, tuple) and len(label) == 2):
            raise UsageError(f"nodes are found by label or (label, step), not by {label!r:.60}")
        wanted, step = label if isinstance(label, tuple) else (label, None)
        found = [
            self.nodes[i]
            for i, w in enumerate(self.provenance)
            if w.label == wanted and (step is None or w.step == step)
        ]
        if len(found) == 1:
            return found[0]
        if not found:
            steps = sorted({w.step for w in self.provenance if w.label == wanted and w.step is not None})
            known = {w.label for w in self.provenance if w.label}
            fix = f"{wanted!r} has steps {steps[0]} to {steps[-1]}" if steps else nearest(wanted, known)
            raise UnknownNameError(f"no node is labelled {label!r}", fix=fix)
        lines = [node.describe() for node in found[:6]]
        raise UnknownNameError(
            f"{len(found)} nodes are labelled {label!r}", lines, "name the step too: graph[label, step]"
        )

    def describe(self, node: Node) -> str:
        """One line for messages: name, operation, shape, time step and scope."""
        where = self.provenance[node.id]
        shape = f"shape {node.shape}{' per example' if node.batched else ''}"
        kind = "" if node.kind == "real" else f", {node.kind}"
        step = "" if where.step is None else f", step {where.step}"
        scope = f", scope {where.scope}" if where.scope else ""
        return f"{node.name} = {node.op.name}, {shape}{kind}{step}{scope}, node {node.id}"

    def text(self, roots: Iterable[Node] | None = None) -> str:
        """Aligned equations with time steps and shapes: of the whole tape, or of what `roots` depend on."""
        return write_text(self._asked_for(roots))

    def to_networkx(self, roots: Iterable[Node] | None = None) -> Any:
        """A `networkx.MultiDiGraph` of the whole tape, or of what `roots` depend on."""
        return to_networkx(self._asked_for(roots))

    def _asked_for(self, roots: Iterable[Node] | None) -> list[Node]:
        nodes = self.nodes if roots is None else cone(roots)
        if nodes and nodes[0].graph is not self:
            raise GraphError("nodes of another tape", [nodes[0].describe()])
        return nodes

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Graph: {len(self.nodes)} nodes, {len(self.parameters)} parameters, {len(self.inputs)} inputs>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise UsageError("a graph cannot be pickled or copied", fix="tg.save(graph, path) and tg.load(path)")


def cone(roots: Iterable[Node]) -> list[Node]:
    """All nodes that `roots` depend on, themselves included, in ascending order. Iterative."""
    expect(roots, Iterable, "nodes are given as a list")
    roots = list(roots)
    for root in roots:
        expect(root, Node, "roots are nodes")
    if not roots:
        return []
    graph = roots[0].graph
    for root in roots:
        if root.graph is not graph:
            raise GraphError("nodes of different tapes", [roots[0].describe(), root.describe()])
    wanted = {root.id for root in roots}
    found: list[Node] = []
    for node in reversed(graph.nodes[: max(wanted) + 1]):
        if node.id in wanted:
            found.append(node)
            wanted.update([arg.id for arg in node.args])
    found.reverse()
    return found
