r"""Statement 2: the Jacobian of a step is the textbook's formula, word for word.

The formulas are written here by hand, in the textbook's way: derivatives in the values of the gates, such as
diag(1 - h^2) U. Both sides are multiplied out, and are then equal or different as dicts of words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...cells import Cell
from ...errors import expect
from ...graph.letters import (
    Atom,
    Diagonal,
    Matrix,
    Polynomial,
    Word,
    Words,
    compose,
    diagonals,
    letter,
    normal,
    total,
)
from ...graph.node import Node
from ...graph.tape import cone
from ...symbolic.words import Block, StepWords, expand, step_words, value_polynomials
from ...unrolling import Unrolled, unroll
from .statement import EVERY, Evidence, Failing, Theorem


@dataclass(frozen=True)
class Sum:
    """A sum of words that is written as in formulas: `D(z) + D(1 - z) @ U`."""

    words: Words

    def __add__(self, other: Sum) -> Sum:
        return Sum(total(self.words, other.words))

    def __matmul__(self, other: Sum) -> Sum:
        return Sum(compose(self.words, other.words))


def D(polynomial: Polynomial) -> Sum:
    """diag of a value."""
    return Sum(diagonals(polynomial))


class Step:
    """One step of a cell, and the step before it, whose values a wrong formula may take."""

    def __init__(self, cell: Cell, *, shifted: bool = False) -> None:
        self.words: StepWords = step_words(cell)
        self.net: Unrolled = self.words.net
        graph, shapes = self.net.graph, cell.shapes(self.net.sizes)
        start = {s: graph.input(f"earlier {s}", shapes[s]) for s in cell.states}
        self.earlier = unroll(
            cell, 1, graph=graph, initial=start, parameters=self.net.parameters, contexts=self.net.contexts,
            scope="earlier", sizes=self.net.sizes,
        )  # fmt: skip
        self.shifted = shifted
        self.before = [self.earlier.series[s].last for s in cell.states]
        self.polynomials = value_polynomials([*self.words.roots, *self.before])

    def __getattr__(self, label: str) -> Polynomial:
        """The value labelled so at t; in a shifted step the one at t - 1."""
        states = self.net.cell.states
        if not self.shifted:
            return Polynomial.of(self.net.series[label][1])
        return Polynomial.of(self.net.series[label][0] if label in states else self.earlier.series[label][1])

    def old(self, state: str) -> Polynomial:
        """The state at t - 1."""
        return Polynomial.of(self.net.series[state][0])

    def M(self, name: str) -> Sum:
        """A matrix by the name of its parameter."""
        return Sum(letter(Matrix(self.net.parameters[name])))

    def made(self, op: str, *operands: str) -> Polynomial:
        """The value without a label that `op` makes of something with these names among it, such as tanh of c."""
        roots = self.before if self.shifted else self.words.roots
        found = [n for n in cone(roots) if n.op.name == op and {a.label for a in n.args}.issuperset(operands)]
        expect(found[0] if found else None, Node, f"the cell has one {op} of {', '.join(operands)}")
        return Polynomial.of(found[0])

    def expanded(self, words: Words) -> Words:
        return expand(words, self.polynomials)


def tanh_slope(y: Polynomial) -> Sum:
    """diag(1 - y^2)."""
    return D(1 - y * y)


def sigmoid_slope(s: Polynomial) -> Sum:
    """diag(s (1 - s))."""
    return D(s * (1 - s))


def _elman(t: Step) -> dict[Block, Sum]:
    return {("h", "h"): tanh_slope(t.h) @ t.M("U")}


def _lstm(t: Step) -> dict[Block, Sum]:
    memory = D(t.f)
    gates = (
        D(t.old("c")) @ sigmoid_slope(t.f) @ t.M("U_f")
        + D(t.g) @ sigmoid_slope(t.i) @ t.M("U_i")
        + D(t.i) @ tanh_slope(t.g) @ t.M("U_g")
    )
    seen = t.made("tanh", "c")
    out = D(t.o) @ tanh_slope(seen)
    return {
        ("c", "c"): memory,
        ("c", "h"): gates,
        ("h", "c"): out @ memory,
        ("h", "h"): D(seen) @ sigmoid_slope(t.o) @ t.M("U_o") + out @ gates,
    }


def _gru(t: Step) -> dict[Block, Sum]:
    candidate = tanh_slope(t.c) @ t.M("U") @ (D(t.r) + D(t.old("h")) @ sigmoid_slope(t.r) @ t.M("U_r"))
    return {("h", "h"): D(t.z) + D(t.old("h") - t.c) @ sigmoid_slope(t.z) @ t.M("U_z") + D(1 - t.z) @ candidate}


def _gru_reset_after(t: Step) -> dict[Block, Sum]:
    inner = t.made("add", "b_U")
    candidate = tanh_slope(t.c) @ (D(t.r) @ t.M("U") + D(inner) @ sigmoid_slope(t.r) @ t.M("U_r"))
    return {("h", "h"): D(t.z) + D(t.old("h") - t.c) @ sigmoid_slope(t.z) @ t.M("U_z") + D(1 - t.z) @ candidate}


# The formulas by the cell's name. Another cell is left out, and said to be.
TEXTBOOK: dict[str, Callable[[Step], dict[Block, Sum]]] = {
    "elman": _elman,
    "lstm": _lstm,
    "gru": _gru,
    "gru_reset_after": _gru_reset_after,
}


def _reversed(words: Words) -> Words:
    return {normal(word[::-1]): c for word, c in words.items()}


def _transposed(words: Words) -> Words:
    def turned(word: Word) -> Word:
        return tuple(Matrix(one.node, not one.transposed) if isinstance(one, Matrix) else one for one in word)

    return {turned(word): c for word, c in words.items()}


def _negated(words: Words) -> Words:
    return {word: -c for word, c in words.items()}


# Mistakes of formulas. Each is its own inverse but the dropped term, so that it can be recognised.
MISTAKES: dict[str, Callable[[Words], Words]] = {
    "the order is reversed": _reversed,
    "a matrix is transposed": _transposed,
    "a sign is wrong": _negated,
}
DROPPED, SHIFTED = "a term is dropped", "the time is shifted"


def textbook(cells: Mapping[str, Cell], *, mistake: str = "") -> Evidence:
    """Each formula against the words of its cell, block by block; with a `mistake` that the formulas then have."""
    known = [name for name in cells if name in TEXTBOOK]
    found = {name: _compared(cells[name], TEXTBOOK[name], mistake) for name in known}
    others = [name for name in cells if name not in TEXTBOOK]
    left_out = f"; no formula here for {', '.join(others)}" if others else ""
    numbers = f"{', '.join(known)}: {sum(count for count, _ in found.values())} words equal{left_out}"
    wrong = "; ".join(f"{name}, {differs}" for name, (_, differs) in found.items() if differs)
    return Evidence(numbers, wrong if known else "no cell has a formula")


def _compared(cell: Cell, formula_of: Callable[[Step], dict[Block, Sum]], mistake: str) -> tuple[int, str]:
    """The number of words, and what is wrong with the first block that differs."""
    step = Step(cell, shifted=mistake == SHIFTED)
    words = 0
    for block, right in formula_of(step).items():
        formula, jacobian = step.expanded(_with(mistake, right.words)), step.words.expanded[block]
        if formula != jacobian:
            return words, f"d {block[0]} / d {block[1]}: {_diagnosis(step, jacobian, formula)}"
        words += len(jacobian)
    return words, ""


def _with(mistake: str, words: Words) -> Words:
    if mistake == DROPPED:
        return dict(list(words.items())[1:])
    return MISTAKES[mistake](words) if mistake in MISTAKES else words


def _diagnosis(step: Step, jacobian: Words, formula: Words) -> str:
    """Which mistake turns the Jacobian into the formula."""
    missing = {word: c for word, c in jacobian.items() if formula.get(word) != c}
    extra = {word: c for word, c in formula.items() if jacobian.get(word) != c}
    if not extra:
        return DROPPED
    for name, undo in MISTAKES.items():
        if undo(extra) == missing:
            return name
    if step.expanded(_at_this_time(step, formula)) == jacobian:
        return SHIFTED
    return f"{len(missing)} words are missing and {len(extra)} are too many"


def _at_this_time(step: Step, words: Words) -> Words:
    """The words with values of the step before replaced by those of this step; if there are none, old states."""
    made = [node for node in step.net.graph.nodes if node.step == 1 and not node.op.leaf]
    earlier = [node for node in made if node.scope == step.earlier.scope]
    now = dict(zip(earlier, (node for node in made if not node.scope), strict=True))
    used = {node for word in words for one in word if isinstance(one, Diagonal) for (node, _), _ in one.factors}
    if not used & now.keys():
        now = {step.net.series[s][0]: step.net.series[s][1] for s in step.net.cell.states}

    def moved(word: Word) -> Word:
        return normal(
            tuple(
                Diagonal(tuple((Atom(now.get(a.node, a.node), a.how), e) for a, e in one.factors))
                if isinstance(one, Diagonal)
                else one
                for one in word
            )
        )

    return total(*({moved(word): c} for word, c in words.items()))


THEOREMS = (
    Theorem(
        key="textbook",
        number="2",
        title="The step Jacobian is the textbook's formula",
        statement="The Jacobian of a step, derived by the rules of the operations, equals the formula of the"
        " textbook word for word, for any dimension.",
        latex=r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2) \, U"
        r" \quad \text{(Elman; and each cell's own)}",
        kind="exact",
        check=textbook,
        given={"cells": EVERY},
        failing=tuple(Failing(("mistake", name), name) for name in (*MISTAKES, DROPPED, SHIFTED)),
    ),
)
