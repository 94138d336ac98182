"""Words taken apart, and words changed: a factor replaced, left out, or moved past its neighbour."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from ..graph.letters import (
    Atom,
    Diagonal,
    Letter,
    Matrix,
    Monomial,
    Polynomial,
    Word,
    Words,
    compose,
    diagonals,
    monomial_product,
    normal,
)
from ..symbolic.words import SLOPE

MOST_FACTORS = 6  # of a diagonal whose parts are tried

Part = Letter | Atom  # what words share: a letter, or a factor of a diagonal
Change = Callable[[Word], Words | None]  # a changed word; None where the change has no meaning


def heads(word: Word) -> list[Word]:
    """What a product may keep when a factor on its right is left out; of a diagonal, any of its own factors."""
    return [word[:place] + kept for place, one in enumerate(word) for kept in _kept(one)]


def tails(word: Word) -> list[Word]:
    """What a product may keep when a factor on its left is left out."""
    return [kept + word[place + 1 :] for place, one in enumerate(word) for kept in _kept(one)]


def _kept(one: Letter) -> list[Word]:
    """A letter, or a diagonal with some of its factors."""
    if not isinstance(one, Diagonal) or len(one.factors) > MOST_FACTORS:
        return [(one,)]
    counts = range(1, len(one.factors) + 1)
    return [(Diagonal(some),) for count in counts for some in combinations(one.factors, count)]


def parts_of(word: Word) -> list[Part]:
    found: list[Part] = []
    for one in word:
        found += [atom for atom, _ in one.factors] if isinstance(one, Diagonal) else [one]
    return list(dict.fromkeys(found))


def operations(word: Word) -> list[str]:
    """The operations whose derivatives stand in a word."""
    found = [part.node.op.name for part in parts_of(word) if isinstance(part, Atom) and part.how.startswith(SLOPE)]
    return list(dict.fromkeys(found))


def single(atom: Atom) -> Polynomial:
    return Polynomial({((atom, 1),): 1})


def _without(factors: Monomial, atom: Atom) -> Monomial:
    return monomial_product(factors, ((atom, -1),))


def with_atom(atom: Atom, polynomial: Polynomial) -> Change:
    """One factor of a diagonal replaced."""

    def change(word: Word) -> Words | None:
        sums: list[Words] = []
        for one in word:
            if isinstance(one, Diagonal) and atom in dict(one.factors):
                rest = Polynomial({_without(one.factors, atom): 1})
                sums.append(diagonals(rest * polynomial))
            else:
                sums.append({(one,): 1})
        return compose(*sums)

    return change


def with_letter(letter: Letter, replaced: Word) -> Change:
    return lambda word: {normal(tuple(new for one in word for new in (replaced if one == letter else (one,)))): 1}


def moved(part: Part, side: int, far: bool) -> Change:
    """A part moved past its neighbour on one side, or to that end of the word; None where it stands there already."""

    def change(word: Word) -> Words | None:
        letters = list(word)
        place = next(i for i, one in enumerate(letters) if one == part or part in parts_of((one,)))
        one = letters[place]
        if isinstance(part, Atom):
            assert isinstance(one, Diagonal)
            rest = _without(one.factors, part)
            letters[place : place + 1] = [Diagonal(rest)] if rest else []
            moving: Letter = Diagonal(((part, 1),))
            new = place + 1 + bool(rest) if side > 0 else place - 1
        else:
            del letters[place]
            moving, new = one, place + side
        if far:
            new = len(letters) if side > 0 else 0
        if not 0 <= new <= len(letters):
            return None
        letters.insert(new, moving)
        found = normal(tuple(letters))
        return None if found == word else {found: 1}

    return change


def reversed_transpose(word: Word) -> Words:
    """The transpose of the product: its factors transposed, in reversed order."""
    flipped = (Matrix(one.node, not one.transposed) if isinstance(one, Matrix) else one for one in reversed(word))
    return {tuple(flipped): 1}
