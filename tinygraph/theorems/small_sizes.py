r"""The small-n lemma: from which size on agreement at one size is agreement at all, and why no smaller one will do.

Words of at most k generic matrices (or transposes) and generic diagonals that differ are linearly independent at
n = k + 1. At n = k the Vandermonde word vanishes, in which x_0 .. x_k are the diagonal D at the k + 1 places between
the matrices:

    sum over permutations p of sign(p) D^p(0) U D^p(1) U ... U D^p(k)   <->   prod_{i<j} (x_j - x_i).

The proof is in docs/small-n-lemma.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import permutations, product
from typing import Any

import numpy as np

from ..cells import Cell
from ..graph.letters import Atom, Diagonal, Letter, Matrix, Word, Words, normal
from ..graph.node import Node
from ..graph.tape import Graph
from ..symbolic.field import FieldArrays, P, values
from ..symbolic.running import leaf_values, run_tape
from ..symbolic.words import NoWordsError, act, step_words
from .statement import EVERY, Evidence, Failing, Theorem


def agreement_at(*, n: int = 3, letters: int = 2, powers: Sequence[int] = (0, 1, 2)) -> Evidence:
    """The rank of all words of up to `letters` letters U or U^T and such `powers` of D between, at size n mod p.

    Full rank at random numbers proves that no combination vanishes; a deficit shows one that does.
    """
    graph = Graph()
    U, D = graph.parameter("U", (n, n)), graph.parameter("D", (n,))
    matrices = [Matrix(U), Matrix(U, True)]
    words = [
        _word(D, between, chosen)
        for count in range(letters + 1)
        for chosen in product(matrices, repeat=count)
        for between in product(powers, repeat=count + 1)
    ]
    xp = FieldArrays(0)
    points = [_drawn(xp, [U, D]) for _ in range(len(words) // max(1, n * (n - 1)) + 3)]  # enough off the diagonal
    rows = np.array(
        [[e for point in points for e in _entries({word: 1}, point, xp, n)] for word in words], dtype=object
    )
    rank = _rank(rows)
    numbers = f"{len(words)} words of up to {letters} matrices have rank {rank} at n = {n}"
    return Evidence(numbers, f"{len(words) - rank} combinations vanish at n = {n}" if rank < len(words) else "")


def vandermonde(*, more: int = 0, most: int = 4) -> Evidence:
    """The Vandermonde word of k = 1 .. `most` letters, at n = k + `more`: it vanishes at n = k."""
    for k in range(1, most + 1):
        n = k + more
        graph = Graph()
        U, D = graph.parameter("U", (n, n)), graph.parameter("D", (n,))
        words: Words = {_word(D, powers, [Matrix(U)] * k): _sign(powers) for powers in permutations(range(k + 1))}
        if not _vanishes(words, [U, D], n):
            return Evidence("", f"the word of {k} letters does not vanish at n = {n}")
    return Evidence(f"words of 1 to {most} letters vanish at n = 1 to {most}")


def standard_polynomial(*, n: int = 2) -> Evidence:
    """s_4 = sum of sign(p) A_p(1) A_p(2) A_p(3) A_p(4), at size n."""
    graph = Graph()
    A = [graph.parameter(name, (n, n)) for name in "ABCD"]
    words: Words = {tuple(Matrix(A[i]) for i in order): _sign(order) for order in permutations(range(4))}
    zero = _vanishes(words, A, n)
    return Evidence(f"its {len(words)} words cancel at n = {n}", "" if zero else f"s_4 does not vanish at n = {n}")


def wrong_formulas(cells: Mapping[str, Cell], *, n: int = 2) -> Evidence:
    """How many wrong step Jacobians agree with the right ones at size n.

    In each, one word is dropped or has another sign, one letter is transposed, or two neighbours are exchanged.
    """
    wrong = passed = 0
    for cell in cells.values():
        try:
            step = step_words(cell, sizes=dict.fromkeys(cell.sizes, n))
        except NoWordsError:
            continue
        xp = FieldArrays(0)
        fed = leaf_values(step.roots, lambda node, xp=xp: xp.draw(node.shape), xp.rng)  # type: ignore[misc]  # the xp of this cell
        found = run_tape(xp, step.roots, fed)
        for words in step.expanded.values():
            for word, coefficient in words.items():
                for instead in _mistakes(word):
                    change = {w: c for w, c in ((word, -coefficient), (instead[0], instead[1] * coefficient)) if c}
                    wrong += 1
                    passed += not any(values(act(change, found, xp, xp.real(np.eye(n, dtype=int)), n)))
    numbers = f"of {wrong} wrong formulas {passed} pass at n = {n}"
    return Evidence(numbers, numbers if passed else "")


def _mistakes(word: Word) -> Iterator[tuple[Word, int]]:
    """Words that stand wrongly for this one, with a factor: none (dropped), the negative, and changed letters."""
    if not all(_generic(one) for one in word):
        return
    yield (*word, *word), 0
    yield word, -1
    for place, one in enumerate(word):
        if isinstance(one, Matrix):
            yield (*word[:place], Matrix(one.node, not one.transposed), *word[place + 1 :]), 1
    for place in range(len(word) - 1):
        changed = normal((*word[:place], word[place + 1], word[place], *word[place + 2 :]))
        if changed != word:
            yield changed, 1


def _generic(one: Letter) -> bool:
    """A matrix, or a diagonal of values: not one of slopes that are 0 or 1, nor one that moves entries."""
    return isinstance(one, Matrix) or (isinstance(one, Diagonal) and not any(atom.how for atom, _ in one.factors))


def _word(D: Node, powers: Sequence[int], matrices: Sequence[Letter]) -> Word:
    """D^powers[0] M_1 D^powers[1] M_2 ... as a word."""
    diagonals = [(Diagonal(((Atom(D), power),)),) if power else () for power in powers]
    return normal((*diagonals[0], *(one for m, d in zip(matrices, diagonals[1:], strict=True) for one in (m, *d))))


def _drawn(xp: FieldArrays, leaves: Sequence[Node]) -> dict[int, Any]:
    return {node.id: xp.draw(node.shape) for node in leaves}


def _entries(words: Words, found: Mapping[int, Any], xp: FieldArrays, n: int) -> list[int]:
    return values(act(words, found, xp, xp.real(np.eye(n, dtype=int)), n))


def _vanishes(words: Words, leaves: Sequence[Node], n: int) -> bool:
    """At random numbers mod p: false is certain, true is so but for a probability of degree / p."""
    xp = FieldArrays(0)
    return not any(_entries(words, _drawn(xp, leaves), xp, n))


def _sign(order: Sequence[int]) -> int:
    """Of a permutation: -1 for each pair out of order."""
    return reduce(lambda sign, pair: -sign, (1 for i, a in enumerate(order) for b in order[:i] if b > a), 1)


def _rank(rows: Any) -> int:
    """Of a matrix mod p, by elimination."""
    rank = 0
    for column in range(rows.shape[1]):
        below = np.flatnonzero(rows[rank:, column])
        if not below.size:
            continue
        rows[[rank, rank + below[0]]] = rows[[rank + below[0], rank]]
        rows[rank] = rows[rank] * pow(int(rows[rank, column]), -1, P) % P
        rows[rank + 1 :] = (rows[rank + 1 :] - rows[rank + 1 :, column, None] * rows[rank]) % P
        rank += 1
        if rank == len(rows):
            break
    return rank


THEOREMS = (
    Theorem(
        key="small-n",
        number="small n",
        title="Agreement at n = k + 1 is agreement at every n",
        statement="Two sums of words of at most k generic matrices (or transposes) and generic diagonals that agree at"
        " n = k + 1 agree at every n. Here: all 129 words of up to 2 letters are independent at n = 3.",
        latex=r"\sum_w c_w \, w = 0 \text{ at } n = k + 1 \;\Rightarrow\; c_w = 0 \text{ for all } w",
        kind="exact",
        check=agreement_at,
        given={},
        failing=(Failing(("n", 2), "combinations vanish at n = 2"), Failing(("n", 1), "combinations vanish at n = 1")),
    ),
    Theorem(
        key="small-n-sharp",
        number="small n, sharp",
        title="n = k is not enough",
        statement="For each k a sum of words of k letters vanishes at n = k: the Vandermonde word.",
        latex=r"\sum_{\pi} \operatorname{sign}(\pi) \, D^{\pi(0)} U D^{\pi(1)} \cdots U D^{\pi(k)} = 0"
        r" \text{ at } n = k",
        kind="exact",
        check=vandermonde,
        given={},
        failing=(Failing(("more", 1), "does not vanish at n = 2"),),
    ),
    Theorem(
        key="standard-polynomial",
        number="small n, s_4",
        title="n = 2 is not enough without diagonals either",
        statement="The standard polynomial of four matrices vanishes at n = 2 (Amitsur and Levitzki 1950).",
        latex=r"s_4 = \sum_{\pi} \operatorname{sign}(\pi) \, A_{\pi(1)} A_{\pi(2)} A_{\pi(3)} A_{\pi(4)} = 0"
        r" \text{ at } n = 2",
        kind="exact",
        check=standard_polynomial,
        given={},
        failing=(Failing(("n", 3), "does not vanish at n = 3"),),
    ),
    Theorem(
        key="wrong-formulas",
        number="small n, n = 1",
        title="n = 1 is worthless",
        statement="Of the wrong step Jacobians of all cells (a word dropped, its sign, a transpose, an order) none"
        " agrees with the right one at n = 2; at n = 1 many do.",
        latex=r"n = 1: \quad U D = D U, \; U^\top = U",
        kind="exact",
        check=wrong_formulas,
        given={"cells": EVERY},
        failing=(Failing(("n", 1), "pass at n = 1"),),
    ),
)
