"""Truncation through time: the gradient of which each loss reaches back only so far.

before -> after: the losses of all steps -> the same values on a new tape, on which the loss at t reaches
the steps s with first(t) <= s <= t:

    g_trunc = sum over t, and over s from first(t) to t, of the gradient of L_t through the uses at step s

A mode is its rule `first`. Losses that reach back to the same step share one window, from that step to
the last of them. Each window has its own copy of its steps, and what enters it from before stands behind
a `stop_gradient`; then one reverse sweep over all windows gives the gradient. So every mode is the same
construction, the cuts can be seen and drawn, and the gradient of one new loss is truncated like the sum.
Windows that do not overlap (`chunk`, `last`) need no second copy; otherwise a step has k2 / k1 of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differentiate import vjp
from ..errors import DifferentiationError, UnknownNameError, UsageError, expect, nearest
from ..graph.node import Node
from ..graph.steps import Steps
from ..graph.tape import Graph, cone
from ..nest import leaves
from ..ops.choice import stop_gradient
from .rebuilding import Rewritten, rebuild

# first(t, T, k1, k2): the first step that the loss at t reaches; below 1 means all, above t none.
MODES: dict[str, Callable[[int, int, int, int], int]] = {
    "chunk": lambda t, T, k1, k2: t - (t - 1) % k1,
    "sliding": lambda t, T, k1, k2: t - k2 + 1,
    "k1_k2": lambda t, T, k1, k2: min(T, t + -t % k1) - k2 + 1,
    "last": lambda t, T, k1, k2: T - k2 + 1,
}


@dataclass(frozen=True)
class Truncated:
    """What `truncate` returns.

    `losses` by step and `gradients` are nodes of the new tape; `first` is the first step that each loss
    reaches. `of(node)` is where a node of the old tape went: of several copies, the labelled one.
    """

    losses: Steps
    gradients: Any
    first: Mapping[int, int]
    rewritten: Rewritten

    @property
    def graph(self) -> Graph:
        """The new tape; it has all names of the old one, so the same feeds fit."""
        return self.rewritten.graph

    @property
    def kept(self) -> list[tuple[int, int]]:
        """The pairs (s, t), sorted: the loss at t reaches step s. The initial state goes with step 1."""
        return sorted((s, t) for t, first in self.first.items() for s in range(first, t + 1))

    def of(self, node: Node) -> Node:
        """What became of a node of the old tape. Raises `UsageError` if the losses do not need it."""
        return self.rewritten.of(node)


def truncate(
    losses: Mapping[int, Node], parameters: Any, *, mode: str = "chunk", k1: int | None = None, k2: int | None = None
) -> Truncated:
    """The truncated gradient of the sum of `losses` with respect to `parameters`, on a new tape.

    losses      step -> real scalar, for steps from 1; T is the last of them (steps may be left out)
    parameters  a parameter or input, or any nesting of them; the gradients have its structure and shapes
    mode        "chunk": cut every k1 steps; gradients stop at the start of the chunk
                "sliding": every loss reaches back k2 steps, its own included
                "k1_k2": at every k1 steps, and at T, the losses since the last time run back k2 >= k1 steps from there
                "last": only the last k2 steps of the whole sequence; earlier losses give nothing
    k1, k2      the modes with one number take it under either name (sliding also with k1=1)

    Time is what the tape says (`graph.at(step=...)`): a node without a step that later steps read counts to
    the latest step that it depends on; one that only losses read is part of the loss, and never cut.

    Raises `UsageError` (numbers, steps, a tape without time or with time running backwards, as in a
    bidirectional net), `UnknownNameError`, `DifferentiationError`.

    References: Williams and Peng 1990, doi:10.1162/neco.1990.2.4.490 (k1_k2);
    Williams and Zipser 1995, "Gradient-based learning algorithms for recurrent networks".
    """
    check_losses(losses)
    for node in leaves(parameters):
        expect(node, Node, "a gradient is taken of parameters", "give net.parameters")
        if not node.op.leaf:
            raise UsageError(
                "a truncated gradient is one of parameters or inputs", [node.describe()], "a state has several copies"
            )
    rule, numbers = _rule(mode, k1, k2)
    last = max(losses)
    first = {t: max(1, rule(t, last, *numbers)) for t in sorted(losses)}
    moments = Moments(losses.values())
    check_order(losses, moments)
    windows = Windows(losses, first, moments)
    graph = next(iter(losses.values())).graph
    rewritten = rebuild((dict(losses), parameters, graph.parameters, graph.inputs), windows.copy)
    made, targets = rewritten.roots[:2]
    ends = [windows.copies[first[t]].get(loss, made[t]) for t, loss in losses.items() if first[t] <= t]
    named = Steps(getattr(losses, "name", "L"), ((t, made[t]) for t in sorted(losses)))
    return Truncated(named, vjp(ends, targets, [1] * len(ends)), first, rewritten)


class Moments:
    """To which time step each node belongs, among those that `roots` depend on.

    A node is timed if it is stamped with a step or reads a timed one; leaves never are. `latest` has the step
    of each timed node, for one without a stamp the latest that it reads. `heads` are the nodes
    without a stamp that no stamped one depends on, such as a loss written outside of `graph.at`.
    """

    def __init__(self, roots: Any) -> None:
        self.nodes = cone(roots)
        self.latest: dict[Node, int] = {}
        followed: set[Node] = set()
        for node in reversed(self.nodes):
            if node in followed or (node.step is not None and not node.op.leaf):
                followed.update(node.args)
        for node in self.nodes:
            if node.op.leaf:
                continue
            if node.step is not None:
                self.latest[node] = node.step
            elif any(arg in self.latest for arg in node.args):
                self.latest[node] = max(self.latest[arg] for arg in node.args if arg in self.latest)
        self.heads = {node for node in self.latest if node.step is None and node not in followed}

    def timed(self, node: Node) -> bool:
        return node in self.latest

    def step(self, node: Node) -> int | None:
        """The step of a timed node; None for a head."""
        return None if node in self.heads else self.latest[node]


class Windows:
    """The copies of steps that the losses differentiate, by the step at which their window starts."""

    def __init__(self, losses: Mapping[int, Node], first: Mapping[int, int], moments: Moments) -> None:
        self.moments = moments
        self.copies: dict[int, dict[Node, Node]] = {}
        self.stops: dict[Node, Node] = {}
        self.wanted: dict[Node, list[int]] = {}
        groups: dict[int, list[Node]] = {}
        for t, start in first.items():
            if start <= t:
                groups.setdefault(start, []).append(losses[t])
        for start in sorted(groups):
            self.copies[start] = {}
            for node in self._inside(groups[start], start):
                self.wanted.setdefault(node, []).append(start)

    def _inside(self, roots: list[Node], start: int) -> Iterator[Node]:
        """The timed nodes that `roots` depend on without leaving the window. Iterative."""
        seen: set[Node] = set()
        stack = [root for root in roots if self.moments.timed(root)]
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                yield node
                stack += [arg for arg in node.args if self.moments.timed(arg) and not self._before(arg, start)]

    def _before(self, node: Node, start: int) -> bool:
        """Whether a timed node lies before the window that starts there; before the first step nothing does."""
        return start > 1 and node not in self.moments.heads and self.moments.latest[node] < start

    def copy(self, node: Node, args: tuple[Node, ...]) -> Node | None:
        """The rule of the rebuilding: a copy for each window that wants the node; the first stands for it."""
        starts = self.wanted.get(node, [])
        for start in starts:
            operands = tuple(self._operand(old, new, start) for old, new in zip(node.args, args, strict=True))
            self.copies[start][node] = node.op.apply(operands[0].graph, operands, node.attrs)
        return self.copies[starts[0]][node] if starts else None

    def _operand(self, old: Node, new: Node, start: int) -> Node:
        """What a copy reads: the window's own, or what stands before it, behind a stop."""
        if not self.moments.timed(old):
            return new
        if not self._before(old, start):
            return self.copies[start][old]
        if old.kind != "real":
            return new
        if old not in self.stops:
            self.stops[old] = stop_gradient(new)
        return self.stops[old]


def check_losses(losses: object) -> None:
    """Raise unless `losses` are real scalars of one tape by time step."""
    fix = "give {t: loss of step t}"
    if not isinstance(losses, Mapping) or not losses:
        raise UsageError(f"losses are a dict from step to node, not {losses!r:.60}", fix=fix)
    for t, node in losses.items():
        if isinstance(t, bool) or not isinstance(t, (int, np.integer)) or t < 1:
            raise UsageError(f"losses stand at steps 1..T, not at {t!r:.60}", fix=fix)
        expect(node, Node, f"the loss of step {t} is a node", fix)
        if node.shape != () or node.kind != "real":
            raise DifferentiationError(
                f"the loss of step {t} is not a real scalar", [node.describe()], "sum it first (tg.sum)"
            )


def _rule(mode: object, k1: object, k2: object) -> tuple[Callable[[int, int, int, int], int], tuple[int, int]]:
    """The rule of a mode, and its two numbers. Raises `UnknownNameError`, `UsageError`."""
    if mode not in MODES:
        raise UnknownNameError(f"no truncation mode {mode!r:.60}", fix=nearest(mode, MODES))
    for name, k in (("k1", k1), ("k2", k2)):
        if k is not None and (isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1):
            raise UsageError(f"{name} is a number of steps, 1 or more, not {k!r:.60}")
    given = [int(k) for k in (k1, k2) if isinstance(k, (int, np.integer))]
    if mode == "k1_k2":
        if len(given) < 2 or given[1] < given[0]:
            raise UsageError(f"k1_k2 takes k2 >= k1, not k1={k1}, k2={k2}", fix="k1=2, k2=3, for example")
        return MODES[mode], (given[0], given[1])
    if mode == "sliding" and len(given) == 2 and given[0] == 1:
        given = given[1:]
    if len(set(given)) != 1:
        raise UsageError(f"{mode} takes one number of steps, not k1={k1}, k2={k2}", fix="k1=3, for example")
    return MODES[str(mode)], (given[0], given[0])


def check_order(losses: Mapping[int, Node], moments: Moments) -> None:
    """Raise `UsageError` unless the tape has time, and all of it runs forwards."""
    if not any(node.step is not None for node in moments.latest):
        raise UsageError("the losses depend on no node with a time step", fix="build it inside graph.at(step=t)")
    fix = "truncation is for nets that read only the past, so not for a bidirectional one"
    for node, step in moments.latest.items():
        for arg in node.args:
            if moments.latest.get(arg, step) > step:
                raise UsageError("time runs backwards on this tape", [node.describe(), f"reads {arg.describe()}"], fix)
    for t, loss in losses.items():
        if moments.latest.get(loss, t) > t:
            where = [loss.describe(), f"depends on step {moments.latest[loss]}"]
            raise UsageError(f"the loss of step {t} depends on a later step", where, fix)
