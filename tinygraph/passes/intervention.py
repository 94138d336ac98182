"""Interventions: what the net would do, and its gradient would be, if a value of each step were another.

before -> after: f_t = sigmoid(...), c_t = f_t * c_{t-1} + ... -> f_t = 1, c_t = f_t * c_{t-1} + ...

Only what reads the value is another; the equations stay. The gradient follows when it is taken afterwards: a clamped
gate passes none to what it was computed from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import KindError, NameTakenError, ShapeError, UnknownNameError, UsageError, expect, nearest
from ..graph.node import Node
from ..graph.op import tape_of
from ..graph.tape import Graph, cone
from ..nest import leaves
from ..ops.arithmetic import identity
from .rebuilding import Rewritten, fitted, rebuild

RECORDED = "recorded"
KINDS_OF_CHANGE = "a number, an array, {step: number}, a function, or for a label 'recorded'"

Name = str | Node


def intervene(roots: Any, changes: Mapping[Any, Any]) -> Rewritten:
    """`roots` on a new tape, with other values for what is named in `changes`; the new tape takes the same feeds.

    A name is a label such as "f" (a gate at each step), with a scope if it has one, "layer1/f" (the label alone means
    all scopes), or that of a parameter or an input; where a computed value has the same label, the parameter is given
    as a node. What replaces the value is

        a number or an array   the same at every step, for every example
        {step: number}         at these steps; the others stay
        "recorded"             an input, fed as "recorded/f" with time in front: to freeze a gate at what it was in
                               another run, feed `np.stack(tg.evaluate(list(net.f.values()), feeds))`
        a function             of the node, on the new tape: `lambda U: 0.9 * U`, `tg.stop_gradient`

    Parameters and inputs stay as they are, and what reads them reads the replacement. Give losses, not gradients.

    >>> cut = tg.intervene(loss, {"f": 1})
    >>> grads = tg.grad(cut.roots, cut.graph.parameters)

    Raises `UnknownNameError`, `UsageError`, `ShapeError`, `KindError`, `NameTakenError`.

    References: the do-operator, Pearl 2009, "Causality", chapter 3.
    """
    expect(changes, Mapping, "changes are a dict from label to value", "{'f': 1.0}")
    graph = tape_of(leaves(roots), "an intervention")
    nodes = cone(leaves(roots))
    backward = next((node for node in nodes if node.backward), None)
    if backward is not None:
        fix = "intervene on the loss, then take tg.grad of the new one"
        raise UsageError("an intervention comes before the gradient", [backward.describe()], fix)
    wanted = _Replacements(graph, nodes, changes)
    rewritten = rebuild((roots, graph.parameters, graph.inputs), wanted.rule)
    return Rewritten(rewritten.roots[0], rewritten.graph, rewritten.map)


class _Replacements:
    """The rule of the rebuilding, and which name each node is changed under."""

    def __init__(self, graph: Graph, nodes: list[Node], changes: Mapping[Name, Any]) -> None:
        self.changes = changes
        self.named = find_named(nodes, changes)
        self.leaves: dict[Node, Node] = {}
        self.recorded: dict[Name, dict[int | None, Node]] = {}
        self.steps = {name: [n.step for n, key in self.named.items() if key == name] for name in changes}
        for name, change in changes.items():
            _check(name, change, self.steps[name])
            fed = f"{RECORDED}/{name}"
            if isinstance(change, str) and (fed in graph.inputs or fed in graph.parameters):
                raise NameTakenError(f"the tape has a name {fed!r} already", fix="record all in one intervention")

    def rule(self, node: Node, args: tuple[Node, ...]) -> Node | None:
        """A changed node becomes its replacement, and one that reads a changed parameter or input reads that."""
        operands = tuple(self._operand(old, new) for old, new in zip(node.args, args, strict=True))
        if node not in self.named and operands == args:
            return None
        copy = node.op.apply(operands[0].graph, operands, node.attrs)
        return self._replacement(node, copy) if node in self.named else copy

    def _operand(self, old: Node, new: Node) -> Node:
        """What a node reads: of a changed parameter or input the replacement, made once."""
        if not old.op.leaf or old not in self.named:
            return new
        if old not in self.leaves:
            with new.graph.stamped(old.where._replace(label="", latex="")):
                self.leaves[old] = self._replacement(old, new)
        return self.leaves[old]

    def _replacement(self, node: Node, copy: Node) -> Node:
        """What stands for `node`, whose copy on the new tape is `copy`: a node that is no leaf, fit for a label."""
        name = self.named[node]
        change = self.changes[name]
        if isinstance(change, Mapping) and node.step not in change:
            return copy
        if isinstance(change, str):
            found = self._input(copy.graph, name, node)
        elif callable(change):
            found = self._returned(change(copy), name, copy)
        else:
            value = change[node.step] if isinstance(change, Mapping) else change
            found = copy.graph.constant("", value, kind=node.kind)
        try:
            found = fitted(found, node)
        except ShapeError as error:
            raise error.within(f"the replacement of {name!r}", [node.describe()]) from None
        return identity(found) if found.op.leaf else found

    def _returned(self, found: object, name: Name, copy: Node) -> Node:
        """What a function gave, checked."""
        if not isinstance(found, Node) or found.graph is not copy.graph:
            shown = found.describe() if isinstance(found, Node) else f"{found!r:.60}"
            fix = "lambda f: 0.5 * f, for example"
            raise UsageError(f"the change of {name!r} did not give a node of the new tape", [shown], fix)
        if found.kind != copy.kind:
            raise KindError(f"{name!r} is {copy.kind}, its replacement {found.kind}", [copy.describe()])
        return found

    def _input(self, graph: Graph, name: Name, node: Node) -> Node:
        """The input for recorded values; all its steps are made at once."""
        if name not in self.recorded:
            fed = f"{RECORDED}/{name}"
            options: Any = {"kind": node.kind, "batched": node.batched}
            made: dict[int | None, Node] = {}
            with graph.stamped(node.where._replace(step=None, label="", latex="")):
                if node.step is None:
                    made[None] = graph.input(fed, node.shape, **options)
                else:
                    made.update(graph.sequence(fed, len(self.steps[name]), node.shape, **options).items())
            self.recorded[name] = made
        return self.recorded[name][node.step]


def find_named(nodes: Iterable[Node], names: Collection[Name]) -> dict[Node, Name]:
    """Those of `nodes` that go by one of `names`, in their order. Raises `UnknownNameError`, `UsageError`."""
    bearers: dict[Name, list[Node]] = {}
    for node in nodes:
        if not node.backward and node.op.name != "constant":
            own: list[Name] = [node]
            if node.label:
                own += [node.label, f"{node.scope}/{node.label}"] if node.scope else [node.label]
            for name in own:
                bearers.setdefault(name, []).append(node)
    found: dict[Node, Name] = {}
    for name in names:
        if name not in bearers:
            shown = name.describe() if isinstance(name, Node) else f"{name!r:.60}"
            known = [bearer for bearer in bearers if isinstance(bearer, str)]
            raise UnknownNameError(f"the roots depend on nothing named {shown}", fix=nearest(name, known))
        computed = [node for node in bearers[name] if not node.op.leaf]
        for node in computed or bearers[name]:
            if node in found:
                raise UsageError(f"{found[node]!r} and {name!r} are both this value", [node.describe()])
            found[node] = name
    return dict(sorted(found.items(), key=lambda pair: pair[0].id))


def _check(name: Name, change: object, steps: list[int | None]) -> None:
    """Raise unless `change` is one of the kinds that there are, and fits the steps of the nodes it is for."""
    if isinstance(change, Mapping):
        for step in change:
            if step not in steps:
                have = ", ".join(str(s) for s in steps[:12] if s is not None) or "none"
                raise UnknownNameError(f"{name!r} has no step {step!r:.20}", fix=f"steps: {have}")
    elif isinstance(change, str):
        if change != RECORDED or isinstance(name, Node):
            raise UsageError(f"{name!r} cannot be changed to {change!r:.40}", fix=KINDS_OF_CHANGE)
        if steps not in ([None], list(range(1, len(steps) + 1))):
            raise UsageError(f"{name!r} does not have one value at each of the steps 1..T", fix="name its scope too")
    elif not callable(change) and not isinstance(change, (int, float, np.number, np.ndarray, list, tuple)):
        raise UsageError(f"{name!r} cannot be changed to {change!r:.40}", fix=KINDS_OF_CHANGE)
