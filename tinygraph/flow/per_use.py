"""Contributions: what the loss at step t learns from the use of a parameter at step s.

The parameter is written once per time step, W_s = W, so that each step has its own copy to differentiate by:

    G[t, s] = dL_t / dW_s,        dL/dW = sum over all t and s of G[t, s]

A use is the first time-stamped node after the parameter; what stands between the two (W * 2, a row of an
embedding) is written once per step too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..differentiate import grad, vjp
from ..errors import DifferentiationError, UnknownNameError, UsageError, expect
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.steps import Steps
from ..graph.tape import Graph
from ..ops.arithmetic import identity
from ..passes.rebuilding import rebuild
from ..passes.truncation import Moments, check_losses

Step = int | None


class Contributions:
    """The contributions of one parameter: `G[t, s]`, `G.uses`, `G.pairs`, `G.norms(feeds)`.

    losses   the losses by step, on the tape of the contributions, `graph` (it takes the same feeds)
    uses     the parameter as each step uses it, by step; None holds uses without a step, such as in a weight decay
    """

    def __init__(self, losses: Steps, uses: Mapping[Step, Node], parameter: Node) -> None:
        self.losses = losses
        self.uses = dict(uses)
        self.parameter = parameter
        self.graph: Graph = losses.last.graph
        self._weighted: tuple[list[Node], list[Node]] | None = None

    def __getitem__(self, pair: tuple[int, Step]) -> Node:
        """G[t, s]: the gradient of the loss at t through the use at s, of the parameter's shape.

        Built when asked for; zero where the loss does not depend on that use. For a batched loss it is the
        sum over the batch. Raises `UnknownNameError`, `UsageError`.
        """
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise UsageError(f"contributions are asked for as G[t, s], not G[{pair!r:.60}]")
        t, s = pair
        loss = self.losses[t]
        if s not in self.uses:
            known = ", ".join(str(step) for step in list(self.uses)[:12])
            raise UnknownNameError(
                f"{self.parameter.name} has no use at step {s!r:.20}", fix=f"uses: {known or 'none'}"
            )
        gradient: Node = grad(loss, self.uses[s])
        return gradient

    @property
    def pairs(self) -> list[tuple[int, Step]]:
        """All (t, s) for which the loss at t depends on the use at s; t ascending, then s, None last."""
        order = list(self.uses)
        reach = {node: 1 << place for place, node in enumerate(self.uses.values())}
        needed: dict[Node, int] = {}
        for node in self.graph.nodes[: max(loss.id for loss in self.losses.values()) + 1]:
            found = reach.get(node, 0)
            for arg in node.args:
                found |= needed.get(arg, 0)
            if found and node.kind == "real":
                needed[node] = found
        flags = ((t, needed.get(loss, 0)) for t, loss in self.losses.items())
        return [(t, s) for t, found in flags for place, s in enumerate(order) if found >> place & 1]

    def norms(self, feeds: Mapping[Any, Any]) -> np.ndarray[Any, Any]:
        """Frobenius norms |G[t, s]| for these feeds, (T, T) at [t - 1, s - 1]; zero where there is no such pair.

        T is the last step of a loss or a use. Uses at step 0 or without a step are not in the table. One run
        per loss, in which the gradients of that loss alone are held.
        """
        size = max([*self.losses, *(s for s in self.uses if s is not None)])
        table = np.zeros((size, size))
        columns = [s for s in self.uses if s is not None and s > 0]
        for t, values in self._rows(feeds, columns):
            for s, value in zip(columns, values, strict=True):
                table[t - 1, s - 1] = np.linalg.norm(value)
        return table

    def _rows(self, feeds: Mapping[Any, Any], columns: list[int]) -> Iterator[tuple[int, list[Any]]]:
        """For each t the values of G[t, s] for these s. The graph is one gradient, linear in the losses' weights."""
        if self._weighted is None:
            ends = list(self.losses.values())
            weights = [self.graph.input(f"contributions/{len(self.graph)}", (), batched=False) for _ in ends]
            found: list[Node] = vjp(ends, [self.uses[s] for s in columns], weights)
            self._weighted = weights, found
        weights, gradients = self._weighted
        off = dict.fromkeys(weights, 0.0)
        for t, weight in zip(self.losses, weights, strict=True):
            yield t, evaluate(gradients, {**feeds, **off, weight: 1.0})

    def __repr__(self) -> str:
        return f"<contributions of {self.parameter.name}: {len(self.losses)} losses, {len(self.uses)} uses>"


def contributions(losses: Mapping[int, Node], parameter: Node) -> Contributions:
    """The gradient of each loss through each use of `parameter`: G[t, s].

    `losses` maps steps to real scalars; `parameter` is a parameter, or an input with several uses. To see the
    share of a gate, ask for its matrix, such as `net.parameters["U_i"]`. All pairs sum to the gradient of the
    sum of the losses. Raises `UsageError`, `DifferentiationError`.
    """
    check_losses(losses)
    expect(parameter, Node, "contributions are those of a parameter", "net.parameters['U']")
    if not parameter.op.leaf:
        raise UsageError("contributions are those of a parameter or an input", [parameter.describe()])
    if parameter.kind != "real":
        raise DifferentiationError(
            f"a derivative needs real values, and this is {parameter.kind}", [parameter.describe()]
        )
    uses = _Uses(losses, parameter)
    graph = parameter.graph
    rewritten = rebuild((dict(losses), parameter, graph.parameters, graph.inputs), uses.copy)
    made: dict[int, Node] = rewritten.roots[0]
    ends = Steps(getattr(losses, "name", "L"), ((t, uses.version(losses[t], made[t], None)) for t in sorted(losses)))
    steps = sorted(uses.first, key=lambda s: (s is None, s or 0))
    return Contributions(ends, {s: uses.first[s] for s in steps}, rewritten.of(parameter))


class _Uses:
    """The rule of the rebuilding: each time step reads its own copy of the parameter and of what is made of it alone.

    `wanted` has, for each node between the parameter and its uses, the steps that read it.
    """

    def __init__(self, losses: Mapping[int, Node], parameter: Node) -> None:
        self.parameter = parameter
        self.moments = moments = Moments(losses.values())
        self.first: dict[Step, Node] = {}
        self.copies: dict[tuple[Node, Step], Node] = {}
        between = {parameter}
        for node in moments.nodes:
            if not moments.timed(node) and any(arg in between for arg in node.args):
                between.add(node)
        self.wanted: dict[Node, dict[Step, None]] = {node: {} for node in between}
        for loss in losses.values():
            if loss in between:
                self.wanted[loss][None] = None
        for node in reversed(moments.nodes):
            steps = {moments.step(node): None} if moments.timed(node) else self.wanted.get(node, {})
            for arg in node.args:
                if arg in between:
                    self.wanted[arg].update(steps)

    def copy(self, node: Node, args: tuple[Node, ...]) -> Node | None:
        """A timed node reads the copies of its step; one between the parameter and its uses is written for each."""
        if self.moments.timed(node):
            return self._applied(node, args, self.moments.step(node))
        steps = list(self.wanted.get(node, {}))
        for step in steps:
            self.copies[node, step] = self._applied(node, args, step)
        return self.copies[node, steps[0]] if steps else None

    def version(self, old: Node, new: Node, step: Step) -> Node:
        """The copy of `old` for this step; `new`, what became of it, if it does not depend on the parameter alone."""
        if old is self.parameter:
            if step not in self.first:
                self.first[step] = new.graph.relabel(identity(new), self.parameter.label)
            return self.first[step]
        return self.copies.get((old, step), new)

    def _applied(self, node: Node, args: tuple[Node, ...], step: Step) -> Node:
        operands = tuple(self.version(old, new, step) for old, new in zip(node.args, args, strict=True))
        return node.op.apply(operands[0].graph, operands, node.attrs)
