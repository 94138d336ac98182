"""The bias of truncation: how far the truncated gradient is from the full one, and whether it points the same way.

bias = |g_trunc - g|,        cosine = <g_trunc, g> / (|g_trunc| |g|)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differentiate import vjp
from ..errors import NameTakenError, UsageError, expect
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.steps import Steps
from ..graph.tape import Graph
from ..nest import leaves
from ..ops.arithmetic import mul
from ..ops.choice import stop_gradient
from ..passes.rebuilding import rebuild
from ..passes.truncation import Moments, check_losses, check_order, truncate
from ..shapes import as_size


@dataclass(frozen=True)
class Bias:
    """One parameter's row: Frobenius norms of the truncated gradient less the full one, and of both; their cosine.

    The cosine is NaN where one of the two is zero.
    """

    bias: float
    truncated: float
    full: float
    cosine: float


def bias_of_truncation(
    losses: Mapping[int, Node], parameters: Mapping[str, Node], feeds: Mapping[Any, Any], *, mode: str = "chunk",
    k1: int | None = None, k2: int | None = None,
) -> dict[str, Bias]:  # fmt: skip
    """For each parameter the bias of truncation for these feeds, in the order of `parameters`.

    Modes and numbers are those of `truncate`. Feeds are by name. Raises what `truncate` and `evaluate` raise.
    """
    check_losses(losses)
    if not isinstance(parameters, Mapping) or not parameters:
        raise UsageError(f"parameters are a dict from name to node, not {parameters!r:.60}", fix="give net.parameters")
    cut = truncate(losses, dict(parameters), mode=mode, k1=k1, k2=k2)
    full = vjp(list(losses.values()), dict(parameters), [1] * len(losses))
    found, expected = evaluate(cut.gradients, feeds), evaluate(full, feeds)
    return {name: _compare(np.ravel(found[name]), np.ravel(expected[name])) for name in parameters}


def _compare(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> Bias:
    norms = float(np.linalg.norm(found)), float(np.linalg.norm(expected))
    cosine = float(found @ expected) / (norms[0] * norms[1]) if all(norms) else float("nan")
    return Bias(float(np.linalg.norm(found - expected)), *norms, cosine)


@dataclass(frozen=True)
class Randomised:
    """`losses` by step, and `gradients` that are linear in each factor of `flow`, fed as an array (T,) by its name."""

    losses: Steps
    gradients: Any
    flow: Steps

    @property
    def graph(self) -> Graph:
        """The new tape; besides the flow it has the names of the old one."""
        return self.flow.last.graph


def randomise(losses: Mapping[int, Node], parameters: Any, *, name: str = "flow") -> Randomised:
    """The gradient of the sum of `losses`, with a factor on all that flows from each step back to the one before.

    `flow` of ones gives the full gradient, zeros at the starts of chunks that of chunks, and `draw_flow`
    unbiased randomised truncation. flow[1] is not used: nothing is cut before the first step. A value that
    is read some steps later has the product of the factors between.

    Raises `UsageError`, `DifferentiationError`, `NameTakenError`.

    References: Tallec and Ollivier 2017, arXiv:1705.08209.
    """
    check_losses(losses)
    moments = Moments(losses.values())
    check_order(losses, moments)
    graph = next(iter(losses.values())).graph
    if name in graph.parameters or name in graph.inputs:
        raise NameTakenError(f"the tape has a name {name!r} already", fix="name='keep', for example")
    for node in leaves(parameters):
        expect(node, Node, "a gradient is taken of parameters", "give net.parameters")
        if not node.op.leaf:
            raise UsageError("a randomised gradient is one of parameters or inputs", [node.describe()])
    weighted = _Weighted(moments, name, max(losses))
    made, targets = rebuild((dict(losses), parameters, graph.parameters, graph.inputs), weighted.copy).roots[:2]
    ends = Steps(getattr(losses, "name", "L"), ((t, made[t]) for t in sorted(losses)))
    return Randomised(ends, vjp(list(made.values()), targets, [1] * len(made)), weighted.flow(ends.last.graph))


def draw_flow(steps: int, cut: float, rng: int | np.random.Generator) -> np.ndarray[Any, Any]:
    """Factors for `randomise`, of shape (steps,): 0 with probability `cut`, else 1 / (1 - cut). Raises `UsageError`."""
    if isinstance(cut, bool) or not isinstance(cut, (int, float)) or not 0 <= cut < 1:
        raise UsageError(f"a probability of cutting is at least 0 and below 1, not {cut!r:.40}")
    expect(rng, (int, np.integer, np.random.Generator), "randomness is a seed or a numpy Generator", "rng=0")
    kept = np.random.default_rng(rng).random(as_size(steps, "number of steps")) >= cut
    return kept / (1 - cut)


class _Weighted:
    """The rule of the rebuilding: what a step reads of earlier ones has its value, and its derivative a factor."""

    def __init__(self, moments: Moments, name: str, steps: int) -> None:
        self.moments, self.name, self.steps = moments, name, steps
        self.made: Steps | None = None
        self.factors: dict[tuple[int, int], Node] = {}
        self.read: dict[tuple[Node, int], Node] = {}

    def flow(self, graph: Graph) -> Steps:
        if self.made is None:
            self.made = graph.sequence(self.name, self.steps, (), batched=False)
        return self.made

    def copy(self, node: Node, args: tuple[Node, ...]) -> Node | None:
        if not self.moments.timed(node) or node in self.moments.heads:
            return None
        operands = tuple(self._operand(old, new, node) for old, new in zip(node.args, args, strict=True))
        return node.op.apply(operands[0].graph, operands, node.attrs)

    def _operand(self, old: Node, new: Node, reader: Node) -> Node:
        if old.kind != "real" or not self.moments.timed(old):
            return new
        here, before = self.moments.latest[reader], self.moments.latest[old]
        factor = self._factor(new.graph, before, here)
        if factor is None:
            return new
        if (old, here) not in self.read:
            value = stop_gradient(new)
            self.read[old, here] = value + factor * (new - value)
        return self.read[old, here]

    def _factor(self, graph: Graph, before: int, here: int) -> Node | None:
        """The product of the factors of the steps after `before` up to `here`; None where there is none."""
        product: Node | None = None
        for step in range(max(2, before + 1), here + 1):
            if (before, step) not in self.factors:
                factor = self.flow(graph)[step]
                self.factors[before, step] = factor if product is None else mul(product, factor)
            product = self.factors[before, step]
        return product
