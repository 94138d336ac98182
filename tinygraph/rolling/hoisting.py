"""Hoisting: what a cycle reads and does not make is added up, or multiplied, before the cycle begins.

before -> after: h = tanh((W x + U h') + b) -> tanh((W x + b) + U h')
                 da = (dh * o) * s          -> dh * (o * s)

where h' and dh come from the cycle. Then W x + b and o * s of all steps depend on no path between them,
and the cycle itself is shorter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from ..graph.node import Node
from ..nest import leaves
from ..ops.arithmetic import add, mul
from ..passes.dead import eliminate_dead
from ..passes.rebuilding import Rewritten, rebuild
from .rerolling import roll
from .rolled import Rolled


def _product(factors: Sequence[Node]) -> Node:
    return reduce(mul, factors)


JOIN: dict[str, Callable[[Sequence[Node]], Node]] = {"add": add, "mul": _product}


def hoist(roots: Any) -> Rewritten:
    """The early operands of the sums and products of each cycle as one operand each; exact but for rounding.

    A sum within a sum, read nowhere else and without a label, is taken apart. `roll` gives the cycles.
    """
    rolled = roll(roots)
    terms = _Terms(rolled)
    new: dict[Node, Node] = {}  # the operands met, on the new tape

    def regroup(node: Node, args: tuple[Node, ...]) -> Node | None:
        new.update(zip(node.args, args, strict=True))
        if node.op.name not in JOIN or not terms.is_outermost(node):
            return None
        early, late = terms.of(node)
        if len(early) < 2:
            return None
        join = JOIN[node.op.name]
        return join([*(new[term] for term in late), join([new[term] for term in early])])

    return rebuild(roots, regroup).then(eliminate_dead)


class _Terms:
    """The operands of sums and products on cycles, those of inner ones included, and which are early."""

    def __init__(self, rolled: Rolled) -> None:
        self.rolled = rolled
        self.late = {(c.number, slot) for c in rolled.classes for read in rolled.late(c) for slot in read.slots}
        uses = Counter(arg for c in rolled.classes for node in c.members for arg in node.args)
        uses.update(leaves(rolled.roots))
        self.inner: set[Node] = set()  # sums read once, late, by a sum; products likewise
        for c in rolled.classes:
            for node in c.members if c.op.name in JOIN else ():
                self.inner |= {
                    arg
                    for slot, arg in enumerate(node.args)
                    if (c.number, slot) in self.late and arg.op is node.op and uses[arg] == 1 and not arg.label
                }

    def is_outermost(self, node: Node) -> bool:
        """Whether a sum or product on a cycle is part of no other one."""
        return self.rolled.of(node)[0].cyclic and node not in self.inner

    def of(self, node: Node) -> tuple[list[Node], list[Node]]:
        """The early and the late terms, in their order."""
        early: list[Node] = []
        late: list[Node] = []
        pending = [(node, slot) for slot in reversed(range(len(node.args)))]
        while pending:
            one, slot = pending.pop()
            arg = one.args[slot]
            if arg in self.inner:
                pending += [(arg, inner) for inner in reversed(range(len(arg.args)))]
            else:
                (late if (self.rolled.of(one)[0].number, slot) in self.late else early).append(arg)
        return early, late
