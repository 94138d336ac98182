r"""Statement 2: the Jacobian of a step is the textbook's formula, word for word.

Both sides, the formula written by hand in `formulas` and the words derived from the equations, are multiplied out,
and are then equal or different as dicts of words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..cells import Cell
from ..graph.letters import Atom, Contraction, Diagonal, Letter, Matrix, Word, Words, normal, total
from ..graph.node import Node
from .formulas import TEXTBOOK, Formula, Step
from .statement import EVERY, Evidence, Failing, Theorem


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


def _compared(cell: Cell, formula_of: Callable[[Step], Formula], mistake: str) -> tuple[int, str]:
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
    """The words with the values of the step before replaced by those of this step."""
    now = {old: new for new, old in step.before.items()}
    return total(*({normal(tuple(_renamed(one, now) for one in word)): c} for word, c in words.items()))


def _renamed(one: Letter, now: Mapping[Node, Node]) -> Letter:
    match one:
        case Diagonal(factors):
            return Diagonal(tuple((Atom(now.get(atom.node, atom.node), atom.how), e) for atom, e in factors))
        case Contraction(tensor, vector, axis):
            return Contraction(tensor, now.get(vector, vector), axis)
    return one


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
