"""Layer M: the Jacobian of a step as a sum of matrix words, for any dimension.

One forward sweep over the tape of a step, d(y) = sum over operands of (local words) d(operand), where
the local words are the `words` column of the table. Two forms: compact, with the derivative y' of a
nonlinearity and the value 1 - z as one letter each, to be read; expanded, with these multiplied out,
to be compared, since equal sums of words are then equal dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from ..cells import Cell
from ..errors import DifferentiationError, UsageError
from ..graph.letters import (
    IDENTITY,
    Atom,
    Contraction,
    Diagonal,
    Letter,
    Matrix,
    Monomial,
    Ones,
    Polynomial,
    Selection,
    Words,
    as_polynomial,
    compose,
    diagonals,
    letter,
    total,
)
from ..graph.node import Node
from ..graph.table import OPS
from ..graph.tape import Graph, cone
from ..shapes import as_size, size
from ..unrolling import Unrolled, unroll

LONGEST_PRODUCT = 3  # steps; the number of words grows exponentially, so beyond this they are only counted
MOST_WORDS = 10_000
SLOPE = "'"

Block = tuple[str, str]  # (new state, old state)


class NoWordsError(DifferentiationError):
    """A Jacobian that is no sum of matrix words, with the reason."""


@dataclass(frozen=True)
class StepWords:
    """The blocks d(new state) / d(old state) of one or more steps of a cell, in compact form.

    The new states are the last of `net`, the old ones those at step `since`.
    """

    net: Unrolled
    compact: Mapping[Block, Words]
    since: int = 0

    @cached_property
    def expanded(self) -> dict[Block, Words]:
        """The same blocks, derivatives and values multiplied out: the form to compare."""
        polynomials = value_polynomials(self.roots)
        return {block: expand(words, polynomials) for block, words in self.compact.items()}

    @property
    def roots(self) -> list[Node]:
        """The nodes of the new states, and of the old ones, which not every new state reads."""
        series = [self.net.series[state] for state in self.net.cell.states]
        return [*(steps.last for steps in series), *(steps[self.since] for steps in series)]

    def count(self, steps: int = 1) -> dict[Block, int]:
        """Compact words per block in the product of `steps` such Jacobians, not expanded.

        It is the number of paths in the graph from the old state to the new one, since a path through
        each step is one word of it. Raises `ShapeError` for a number of steps that is not whole.
        """
        states = list(self.net.cell.states)
        counts = np.array([[len(self.compact[new, old]) for old in states] for new in states], dtype=object)
        product = np.array([[int(a == b) for b in states] for a in states], dtype=object)
        for _ in range(as_size(steps, "number of steps")):
            product = counts @ product
        return {(a, b): int(product[i, j]) for i, a in enumerate(states) for j, b in enumerate(states)}


def step_words(cell: Cell, steps: int = 1, *, sizes: Mapping[str, int] | None = None, since: int = 0) -> StepWords:
    """The Jacobian of `steps` steps of a cell as matrix words, block by block.

    Words do not depend on `sizes` (all 2 without them), but for those that select entries. With `since`
    the net has that many steps before, so that its nodes have values at earlier times too.
    Raises `NoWordsError` where a Jacobian is no sum of words, and `UsageError` beyond 3 steps,
    where the words are counted but not written.
    """
    if as_size(steps, "number of steps") > LONGEST_PRODUCT:
        raise UsageError(
            f"the words of {steps} steps are too many to write", fix="step_words(cell).count(steps) counts them"
        )
    net = net_of_steps(cell, since + steps, sizes or dict.fromkeys(cell.sizes, 2))
    start = [net.series[state][since] for state in cell.states]
    blocks: dict[Block, Words] = {}
    for old, wrt in zip(cell.states, start, strict=True):
        found = words_of([net.series[new].last for new in cell.states], wrt, fixed=start)
        blocks.update(((new, old), words) for new, words in zip(cell.states, found, strict=True))
    return StepWords(net, blocks, since)


def net_of_steps(cell: Cell, steps: int, sizes: Mapping[str, int]) -> Unrolled:
    """The cell unrolled from a state that is fed, and named as the state itself at step 0."""
    graph, shapes = Graph(), cell.shapes(sizes)
    with graph.at(step=0):
        initial = {state: graph.input(state, shapes[state]) for state in cell.states}
    return unroll(cell, steps, graph=graph, initial=initial, sizes=sizes)


def words_of(outputs: Sequence[Node], wrt: Node, fixed: Sequence[Node] = ()) -> list[Words]:
    """The Jacobian of each output by `wrt` in compact words, other `fixed` nodes held. Raises `NoWordsError`."""
    _vector(wrt)
    held = {wrt.id, *(node.id for node in fixed)}
    found: dict[int, Words] = {wrt.id: dict(IDENTITY)}
    for node in cone(outputs):
        if node.id in held:
            continue
        parts = [
            compose(local_words(node, index), found[arg.id]) for index, arg in enumerate(node.args) if arg.id in found
        ]
        words = total(*parts)
        if len(words) > MOST_WORDS:
            raise NoWordsError(f"more than {MOST_WORDS} words", [node.describe()])
        if words:
            found[node.id] = words
    return [found.get(output.id, {}) for output in outputs]


def local_words(node: Node, index: int) -> Words:
    """The Jacobian of an application by one operand, by the `words` column of its row. Raises `NoWordsError`."""
    op, arg = node.op, node.args[index]
    if not op.differentiable:
        return {}
    _vector(node)
    rule = _rule(node, index)
    if rule is None:
        return {}
    if not op.elementwise:
        return dict(rule(node, *node.args))
    found = slope(node, index)
    plain = len(found.terms) <= 1 and all(not atom.how for term in found.terms for atom, _ in term)
    words = diagonals(found if plain else Polynomial.of(node, f"{SLOPE}{index}"))
    repeated = size(arg.shape) != size(node.shape)
    return compose(words, letter(Ones(node.shape[0], 1))) if repeated else words


def slope(node: Node, index: int) -> Polynomial:
    """The derivative of an elementwise application by one operand, entry by entry."""
    rule = _rule(node, index)
    if rule is None:
        return as_polynomial(0)
    return as_polynomial(rule(Polynomial.of(node), *(Polynomial.of(arg) for arg in node.args)))


def _rule(node: Node, index: int) -> Callable[..., Any] | None:
    every = node.op.words
    if callable(every):
        return lambda y, *operands: every(index, y, *operands)
    if not every:
        raise NoWordsError(f"{node.op.name} has no matrix words: {node.op.why_no_words}", [node.describe()])
    return every[index]


def _vector(node: Node) -> None:
    if node.ndim > 1:
        raise NoWordsError(f"{node.name} is of rank {node.ndim}, and depends on a state", [node.describe()])


# The expanded form
class _NoPolynomial(Exception):
    """An operation that is no sum or product."""


class _Entries:
    """The array protocol over one general entry: what is no sum or product is left as a symbol."""

    def add(self, *values: Polynomial) -> Polynomial:
        return sum(values[1:], values[0])

    def subtract(self, a: Polynomial, b: Polynomial) -> Polynomial:
        return a - b

    def multiply(self, a: Polynomial, b: Polynomial) -> Polynomial:
        return a * b

    def negative(self, x: Polynomial) -> Polynomial:
        return -x

    def power(self, x: Polynomial, exponent: Any) -> Polynomial:
        if isinstance(exponent, int) and exponent >= 0:
            return x**exponent
        raise _NoPolynomial

    def __getattr__(self, name: str) -> NoReturn:
        raise _NoPolynomial


def value_polynomials(roots: Sequence[Node]) -> dict[int, Polynomial]:
    """The entry of each elementwise value as a polynomial of leaves and outputs of nonlinearities."""
    found: dict[int, Polynomial] = {}
    for node in cone(roots):
        found[node.id] = Polynomial.of(node)
        if node.op.elementwise:
            with suppress(_NoPolynomial):
                found[node.id] = node.op.run(_Entries(), node, *(found[arg.id] for arg in node.args))
    return found


def expand(words: Words, polynomials: Mapping[int, Polynomial]) -> Words:
    """The words with slopes and values multiplied out: the normal form."""
    sums = []
    for word, coefficient in words.items():
        factors = [
            diagonals(_expanded(one.factors, polynomials)) if isinstance(one, Diagonal) else letter(one) for one in word
        ]
        sums.append(compose({(): coefficient}, *factors))
    return total(*sums)


def _expanded(monomial: Monomial, polynomials: Mapping[int, Polynomial]) -> Polynomial:
    result = as_polynomial(1)
    for atom, exponent in monomial:
        value = _expanded_atom(atom, polynomials)
        opaque = exponent < 0 and len(value.terms) != 1
        result = result * (Polynomial({((atom, exponent),): 1}) if opaque else value**exponent)
    return result


def _expanded_atom(atom: Atom, polynomials: Mapping[int, Polynomial]) -> Polynomial:
    if not atom.how:
        return polynomials[atom.node.id]
    if not atom.how.startswith(SLOPE):
        return Polynomial({((atom, 1),): 1})
    found = slope(atom.node, int(atom.how[1:]))  # of values and functions of values: one level, not more
    return sum((c * _expanded(term, polynomials) for term, c in found.terms.items()), as_polynomial(0))


# Values
def act(words: Words, values: Mapping[int, Any], xp: Any, right: Any, rows: int) -> Any:
    """The words times the matrix `right` (old size, k), over the protocol `xp`: a matrix (rows, k).

    `values` has the values of the step's nodes, by id.
    """
    result = np.zeros((rows, right.shape[1]), dtype=np.asarray(right).dtype)
    for word, coefficient in words.items():
        product = right
        for one in reversed(word):
            product = apply_letter(one, product, values, xp)
        result = result + product * xp.full((), coefficient, "real")
    return result


def apply_letter(one: Letter, right: Any, values: Mapping[int, Any], xp: Any) -> Any:
    """One letter times the matrix `right`."""
    match one:
        case Diagonal(factors):
            for atom, exponent in factors:
                value = atom_value(atom, values, xp)
                right = np.asarray(_powered(value, exponent, xp))[..., None] * right
            return right
        case Matrix(node, transposed):
            return (values[node.id].T if transposed else values[node.id]) @ right
        case Ones(n, _):
            return np.repeat(right, n, 0) if n != 1 else np.sum(right, axis=0, keepdims=True)
        case Selection(indices, full, transposed):
            chosen = np.eye(full, dtype=int)[list(indices)].astype(right.dtype)
            return (chosen.T if transposed else chosen) @ right
        case Contraction(tensor, vector, axis):
            by = values[vector.id] if axis == -1 else values[vector.id][:, None]
            return np.sum(values[tensor.id] * by, axis=axis).reshape(-1, right.shape[0]) @ right


def atom_value(atom: Atom, values: Mapping[int, Any], xp: Any) -> Any:
    """The entries that an atom puts on a diagonal."""
    value = values[atom.node.id]
    if not atom.how:
        return xp.real(value) if atom.node.kind != "real" else value
    if not atom.how.startswith(SLOPE):
        return np.asarray(OPS[atom.how].run(xp, atom.node, value))
    result = xp.full((), 0, "real")
    for term, coefficient in slope(atom.node, int(atom.how[1:])).terms.items():
        product = xp.full((), coefficient, "real")
        for inner, exponent in term:
            product = xp.multiply(product, _powered(atom_value(inner, values, xp), exponent, xp))
        result = xp.add(result, product)
    return result


def _powered(value: Any, exponent: int, xp: Any) -> Any:
    return value if exponent == 1 else xp.power(value, exponent)
