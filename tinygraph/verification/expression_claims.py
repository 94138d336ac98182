"""Claims about a value: a node that is said to be equal to another, such as an expansion of a recurrence.

The mistake is found by mending: which single change makes the claim right, or the right formula the claim?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..errors import DifferentiationError, GraphError, TinygraphError
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.tape import cone
from ..ops.linear import transpose
from ..passes.rebuilding import rebuild
from ..symbolic.field import FieldArrays, values
from ..symbolic.gradient_formulas import equation_latex
from ..symbolic.running import leaf_values, run_tape
from .findings import Finding, Mistake, Verdict, counterexample
from .gradient_claims import BATCH, close, draw_feeds

MOST_CHANGES = 3000  # that are tried
UNKNOWN = Mistake("unknown", "no single usual change makes the two equal")

Change = Callable[[tuple[Node, ...], Callable[[Node], Node]], Node]  # from the new operands, and where nodes went


def lint_value(right: Node, claim: Node, feeds: Any, seed: int) -> Verdict:
    """The finding of a claimed value; see `lint`."""
    if claim.graph is not right.graph:
        raise GraphError("a claim on another tape", [right.describe(), claim.describe()])
    title = f"the value of {right.name}"
    if claim.shape != right.shape:
        text = f"shape {claim.shape} in place of {right.shape}"
        return Verdict((Finding(title, False, (Mistake("shape", text),), corrected=equation_latex(right)),))
    at = feeds or draw_feeds([right, claim], {}, BATCH, seed)
    claimed, expected = evaluate([claim, right], at)
    if _equal_exactly(claim, right, seed) and close(claimed, expected):
        return Verdict((Finding(title, True),))
    changed = islice(_changes(claim, right, claimed, expected), MOST_CHANGES)
    mistake = next((one.mistake for one in changed if close(one.value(at), one.wanted)), UNKNOWN)
    seen = counterexample(claimed, expected) if np.shape(claimed) == np.shape(expected) else None
    return Verdict((Finding(title, False, (mistake,), seen, equation_latex(right)),))


def _equal_exactly(claim: Node, right: Node, seed: int) -> bool:
    """Whether both are one in the finite field; true where they have no values there."""
    xp = FieldArrays(seed)
    try:
        run = run_tape(xp, [claim, right], leaf_values([claim, right], lambda node: xp.draw(node.shape), xp.rng))
    except DifferentiationError:
        return True
    return values(run[claim.id]) == values(run[right.id])


@dataclass(frozen=True)
class _Changed:
    """A formula in which one application is changed by a mistake, or mended; `wanted` is what it should give."""

    start: Node
    others: Node
    node: Node
    mistake: Mistake
    change: Change
    wanted: Any

    def value(self, feeds: Any) -> Any:
        """The value of the changed formula; NaN if the change has no meaning."""
        graph, moved = self.start.graph, dict[Node, Node]()

        def copy(old: Node, args: tuple[Node, ...]) -> Node | None:
            moved.update(zip(old.args, args, strict=True))
            return self.change(args, moved.__getitem__) if old is self.node else None

        earlier = [n for n in cone([self.start, self.others]) if n.id < self.node.id and n.label]
        try:
            return evaluate(rebuild((earlier, self.start, graph.parameters, graph.inputs), copy).roots[1], feeds)
        except (TinygraphError, KeyError):  # shapes that do not fit, or a value that is not known there
            return np.nan


def _changes(claim: Node, right: Node, claimed: Any, expected: Any) -> Iterator[_Changed]:
    """The claim with one mistake mended, then the right formula with one mistake made, from the result backwards."""
    for start, other, wanted, changes in ((claim, right, expected, _slips), (right, claim, claimed, _losses)):
        for node in reversed(cone([start])):
            for mistake, change in changes(node):
                yield _Changed(start, other, node, mistake, change, wanted)


def _slips(node: Node) -> Iterator[tuple[Mistake, Change]]:
    """What a claim may have by mistake, undone: another time, another layer, a sign, a transpose, an order."""
    for place, arg in enumerate(node.args):
        for kind, other in _elsewhere(arg):
            mistake = Mistake(kind, f"{_shown(arg)} in place of {_shown(other)}")
            yield mistake, lambda args, find, i=place, o=other: _apply(node, (*args[:i], find(o), *args[i + 1 :]))  # type: ignore[misc]
        if arg.ndim == 2 and arg.shape[0] == arg.shape[1]:
            mistake = Mistake("transpose", f"{_shown(arg)} in place of its transpose")
            yield mistake, lambda args, find, i=place: _apply(node, (*args[:i], transpose(args[i]), *args[i + 1 :]))  # type: ignore[misc]
    if node.op.name == "add":
        for place, arg in enumerate(node.args):
            mistake = Mistake("sign", f"the sign of {_shown(arg)}")
            yield mistake, lambda args, find, i=place: _apply(node, (*args[:i], -args[i], *args[i + 1 :]))  # type: ignore[misc]
    if node.op.name == "sub":
        yield Mistake("sign", f"the sign of {_shown(node.args[1])}"), lambda args, find: args[0] + args[1]
    if node.op.name == "matmul":
        a, b = (_shown(arg) for arg in node.args)
        yield Mistake("order", f"{a} @ {b} in place of {b} @ {a}"), lambda args, find: args[1] @ args[0]
    if node.op.name in ("mul", "div", "add", "sub", "matmul") and len(node.args) == 2:
        for place, arg in enumerate(node.args):
            if place == 1 or node.op.name not in ("div", "sub"):
                yield Mistake("extra", f"{_shown(arg)} is too much"), lambda args, find, i=place: args[1 - i]  # type: ignore[misc]


def _losses(node: Node) -> Iterator[tuple[Mistake, Change]]:
    """What the right formula has and a claim may lack: a term, a factor, a function."""
    count = len(node.args)
    if count == 1 and node.op.elementwise and node.op.name not in ("identity", "neg"):
        yield Mistake("function", f"{node.op.name} is left out"), lambda args, find: args[0]
    if node.op.name in ("add", "sub", "mul", "div", "matmul") and count > 1:
        kind = "missing term" if node.op.name in ("add", "sub") else "missing factor"
        for place, arg in enumerate(node.args):
            rest = [i for i in range(count) if i != place]
            if node.op.name in ("sub", "div") and place == 0:
                continue
            yield (
                Mistake(kind, f"{_shown(arg)} is left out"),
                lambda args, find, r=rest: (  # type: ignore[misc]
                    args[r[0]] if len(r) == 1 else _apply(node, tuple(args[i] for i in r))
                ),
            )


def _elsewhere(arg: Node) -> Iterator[tuple[str, Node]]:
    """The value of the same name of other steps, and of other scopes at the same step."""
    if not arg.label or arg.step is None:
        return
    found = [n for n in arg.graph.nodes if n.label == arg.label and n is not arg and n.shape == arg.shape]
    in_time = [n for n in found if n.scope == arg.scope and n.step is not None]
    yield from (("time", n) for n in sorted(in_time, key=lambda n: abs((n.step or 0) - (arg.step or 0))))
    yield from (("layer", n) for n in found if n.scope != arg.scope and n.step == arg.step)


def _apply(node: Node, args: tuple[Node, ...]) -> Node:
    return node.op.apply(args[0].graph, args, node.attrs)


def _shown(node: Node) -> str:
    name = node.name if node.label or node.op.leaf else f"{node.op.name}(...)"
    return f"{node.scope}/{name}" if node.scope and node.label else name
