r"""A bound on the step Jacobian of any cell, word by word.

The norm of a sum of words is at most the sum of theirs, and a word is a product of diagonals and
matrices, so

    ||d c_t / d h_{t-1}|| <= 1/4 ||U_i|| + 1/4 max|c_{t-1}| ||U_f|| + ||U_g||     (an LSTM),

from what the table knows of each nonlinearity: its range and its largest slope. It generalises the
condition of Pascanu, Mikolov and Bengio 2013 (arXiv:1211.5063, section 2.1) from one tanh to every cell.
It holds for every input; a gated cell whose bound is above 1 need not explode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import inf, prod, sqrt
from typing import Any

import numpy as np

from ..cells import Cell
from ..errors import UnknownNameError, expect, nearest
from ..execute.arrays import NumpyArrays
from ..execute.interpreter import evaluate
from ..graph.letters import Atom, Contraction, Diagonal, Letter, Matrix, Monomial, Ones, Polynomial, Selection, Word
from ..graph.table import OPS
from ..symbolic.word_formulas import Names, number_latex
from ..symbolic.words import SLOPE, Block, StepWords, apply_letter, atom_value, step_words, value_polynomials

Range = tuple[float, float]

MOST_CORNERS = 12  # variables of a polynomial whose range is sought: it has 2^12 corners
UNKNOWN: Range = (-inf, inf)
UNIT: Range = (-1, 1)
_FLOATS = NumpyArrays(np.float64)


@dataclass(frozen=True)
class Term:
    """constant * product of the largest sizes of `entries` * product of the norms of `matrices`."""

    constant: Fraction
    entries: Monomial
    matrices: tuple[Letter, ...]


@dataclass(frozen=True)
class StepBound:
    """Upper bounds on the spectral norms of the blocks of a cell's step Jacobian.

    terms   by block, (new state, old state): the bound is their sum
    within  the states whose entries stay in [-1, 1] once they are there, as they are from zero
    """

    step: StepWords
    terms: Mapping[Block, tuple[Term, ...]]
    within: tuple[str, ...]

    def at(self, feeds: Mapping[Any, Any]) -> dict[Block, float]:
        """The bounds as numbers for one step; `feeds` are parameters, inputs and old states (`"h"`) by name.

        Raises what `evaluate` raises.
        """
        needed = {
            node.id: node
            for terms in self.terms.values()
            for term in terms
            for node in (*(a.node for a, _ in term.entries), *(n for m in term.matrices for n in _nodes(m)))
        }
        values = evaluate(needed, feeds) if needed else {}
        return {block: sum(_number(term, values) for term in terms) for block, terms in self.terms.items()}

    def latex(self, block: Block, *, notation: Mapping[str, str] | None = None) -> str:
        """The bound of one block as an inequality. Raises `UnknownNameError`."""
        if block not in self.terms:
            raise UnknownNameError(
                f"the Jacobian has no block {block!r}", fix=nearest(", ".join(block), map(", ".join, self.terms))
            )
        names = Names(self.step, notation)
        new, old = self.step.net.series[block[0]].last, self.step.net.series[block[1]][0]
        left = rf"\left\| \frac{{\partial {names.of(new)}}}{{\partial {names.of(old)}}} \right\|"
        return rf"{left} \le {' + '.join(_latex(term, names) for term in self.terms[block]) or '0'}"


def step_bound(cell: Cell, *, sizes: Mapping[str, int] | None = None) -> StepBound:
    """The bound of a cell, from its matrix words. `sizes` (all 2 without them) are needed by `StepBound.at` alone.

    Raises `NoWordsError` for a cell that has no words, `UsageError`, `ShapeError`.
    """
    expect(cell, Cell, "step_bound takes a cell", "such as models.lstm")
    step = step_words(cell, sizes=sizes)
    ranges = _Ranges(step)
    terms = {block: _collected(_term(w, c, ranges) for w, c in words.items()) for block, words in step.compact.items()}
    return StepBound(step, terms, ranges.within)


class _Ranges:
    """The range of each value of a step: of polynomials of leaves and of outputs of nonlinearities."""

    def __init__(self, step: StepWords) -> None:
        self.polynomials = value_polynomials(step.roots)
        starts = {state: step.net.series[state][0] for state in step.net.cell.states}
        kept = dict(starts)
        while True:  # states that leave [-1, 1] may take others with them
            self.assumed = {node.id: UNIT for node in kept.values()}
            found = {state: self.of(Atom(step.net.series[state].last)) for state in kept}
            held = {state: kept[state] for state, (low, high) in found.items() if low >= -1 and high <= 1}
            if len(held) == len(kept):
                break
            kept = held
        self.within = tuple(kept)

    def of(self, atom: Atom) -> Range:
        """[low, high] of one entry."""
        if atom.how.startswith(SLOPE):
            slope = atom.node.op.limits.slope if len(atom.node.args) == 1 else inf
            return -float(slope), float(slope)
        if atom.how:
            limits = OPS[atom.how].limits
            return limits.low, limits.high
        polynomial = self.polynomials.get(atom.node.id)
        if polynomial is None or _is_variable(polynomial, atom):
            return self._leaf(atom)
        return self._corners(polynomial)

    def _leaf(self, atom: Atom) -> Range:
        if atom.node.id in self.assumed:
            return self.assumed[atom.node.id]
        if isinstance(atom.node.attrs.get("value"), (int, Fraction)):
            value = float(atom.node.attrs["value"])
            return value, value
        return atom.node.op.limits.low, atom.node.op.limits.high

    def _corners(self, polynomial: Polynomial) -> Range:
        """The range where each variable is free: of a polynomial linear in each it is that of the corners."""
        variables = sorted({atom for monomial in polynomial.terms for atom, _ in monomial}, key=lambda a: a.key)
        linear = all(exponent == 1 for monomial in polynomial.terms for _, exponent in monomial)
        boxes = [self._leaf(atom) if not atom.how else self.of(atom) for atom in variables]
        if not linear or len(variables) > MOST_CORNERS or any(abs(end) == inf for box in boxes for end in box):
            return UNKNOWN
        values = [
            sum(float(c) * prod(at[a] for a, _ in monomial) for monomial, c in polynomial.terms.items())
            for at in (dict(zip(variables, corner, strict=True)) for corner in product(*boxes))
        ]
        return min(values), max(values)


def _is_variable(polynomial: Polynomial, atom: Atom) -> bool:
    return polynomial.terms == {((atom, 1),): 1}


def _term(word: Word, coefficient: int | Fraction, ranges: _Ranges) -> Term:
    constant, entries, matrices = abs(Fraction(coefficient)), [], []
    for one in word:
        if isinstance(one, Selection):
            continue  # of norm 1
        if not isinstance(one, Diagonal):
            matrices.append(one)
            continue
        for atom, exponent in one.factors:
            largest = max(map(abs, ranges.of(atom))) if exponent > 0 else inf
            if largest < inf:
                constant *= Fraction(largest) ** exponent
            else:
                entries.append((atom, exponent))
    return Term(constant, tuple(entries), tuple(matrices))


def _collected(terms: Any) -> tuple[Term, ...]:
    """Terms that differ by their constant alone, added up."""
    found: dict[tuple[Monomial, tuple[Letter, ...]], Fraction] = {}
    for term in terms:
        key = term.entries, term.matrices
        found[key] = found.get(key, Fraction(0)) + term.constant
    return tuple(Term(constant, *key) for key, constant in found.items() if constant)


def _nodes(letter: Letter) -> tuple[Any, ...]:
    match letter:
        case Matrix(node, _):
            return (node,)
        case Contraction(tensor, vector, _):
            return tensor, vector
    return ()


def _number(term: Term, values: Mapping[int, Any]) -> float:
    largest = [
        float(np.max(np.abs(atom_value(atom, values, _FLOATS)) ** float(exponent), initial=0))
        for atom, exponent in term.entries
    ]
    return float(term.constant) * prod(largest) * prod(_norm(letter, values) for letter in term.matrices)


def _norm(letter: Letter, values: Mapping[int, Any]) -> float:
    match letter:
        case Ones(rows, columns):
            return sqrt(rows * columns)
        case Matrix(node, _):
            return float(np.linalg.norm(values[node.id], 2))
        case Contraction(tensor, _, axis):
            columns = tensor.shape[-2 if axis == -1 else -1]
            return float(np.linalg.norm(apply_letter(letter, np.eye(columns), values, _FLOATS), 2))
    raise TypeError(f"{letter} has no norm of its own")


def _latex(term: Term, names: Names) -> str:
    factors = [rf"\max |{names.atom(atom, exponent)}|" for atom, exponent in term.entries]
    factors += [rf"\| {names.letter(letter)} \|" for letter in term.matrices]
    one = term.constant == 1 and factors
    return r" \, ".join([*([] if one else [number_latex(term.constant)]), *factors])
