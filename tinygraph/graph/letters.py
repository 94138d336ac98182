r"""The letters in which a row of the table writes its local Jacobian, and the sums of words made of them.

A word is a product of matrices, such as diag(o c') U_f diag(h): a tuple of letters, read from left
to right. Diagonals that meet are one letter, a monomial of entries, so a word is a normal form. Scalars
stand in front. A sum of words is a dict {word: coefficient}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from .node import Node

Coefficient = int | Fraction


class Atom(NamedTuple):
    """What stands on a diagonal: the value of a node, entry by entry.

    `how` is empty for the value itself, "'0" for its derivative by operand 0, else the name of an
    elementwise operation that is applied to the value.
    """

    node: Node
    how: str = ""

    @property
    def key(self) -> tuple[int, str]:
        """By this monomials are sorted."""
        return self.node.id, self.how


Monomial = tuple[tuple[Atom, int], ...]  # each atom with its exponent


def monomial_product(a: Monomial, b: Monomial) -> Monomial:
    """The product: exponents added, atoms in the order of the tape."""
    exponents = dict(a)
    for atom, exponent in b:
        exponents[atom] = exponents.get(atom, 0) + exponent
    return tuple(sorted(((f, e) for f, e in exponents.items() if e), key=lambda factor: factor[0].key))


@dataclass(frozen=True, eq=False)
class Polynomial:
    """A polynomial of atoms: {monomial: coefficient}. `node` is the one whose value it is, if it is one."""

    terms: Mapping[Monomial, Coefficient]
    node: Node | None = None

    @classmethod
    def of(cls, node: Node, how: str = "") -> Polynomial:
        """The value of a node; whole numbers and ratios are themselves."""
        value = node.attrs.get("value") if node.op.leaf and not how else None
        if isinstance(value, (int, Fraction)):
            return cls({(): value} if value else {}, node)
        return cls({((Atom(node, how), 1),): 1}, node)

    def mapped(self, operation: str) -> Polynomial:
        """Another elementwise operation applied to the node's value, such as "step". Raises `ValueError`."""
        if self.node is None:
            raise ValueError(f"{operation} is applied to the value of a node")
        return Polynomial({((Atom(self.node, operation), 1),): 1})

    def __add__(self, other: Polynomial | Coefficient) -> Polynomial:
        total = dict(self.terms)
        for monomial, coefficient in as_polynomial(other).terms.items():
            total[monomial] = total.get(monomial, 0) + coefficient
        return Polynomial({m: c for m, c in total.items() if c})

    __radd__ = __add__

    def __neg__(self) -> Polynomial:
        return Polynomial({m: -c for m, c in self.terms.items()})

    def __sub__(self, other: Polynomial | Coefficient) -> Polynomial:
        return self + -as_polynomial(other)

    def __rsub__(self, other: Polynomial | Coefficient) -> Polynomial:
        return -self + other

    def __mul__(self, other: Polynomial | Coefficient) -> Polynomial:
        total: dict[Monomial, Coefficient] = {}
        for a, p in self.terms.items():
            for b, q in as_polynomial(other).terms.items():
                product = monomial_product(a, b)
                total[product] = total.get(product, 0) + p * q
        return Polynomial({m: c for m, c in total.items() if c})

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Polynomial:
        """A whole power; a negative one of a single term alone. Raises `ValueError`."""
        if exponent < 0:
            if len(self.terms) != 1:
                raise ValueError("a sum has no inverse that is a polynomial")
            ((monomial, coefficient),) = self.terms.items()
            inverse = Polynomial({tuple((a, -e) for a, e in monomial): 1 / Fraction(coefficient)})
            return inverse ** (-exponent)
        result = Polynomial({(): 1})
        for _ in range(exponent):
            result = result * self
        return result


def as_polynomial(value: Polynomial | Coefficient) -> Polynomial:
    """Numbers as constant polynomials."""
    return value if isinstance(value, Polynomial) else Polynomial({(): value} if value else {})


@dataclass(frozen=True)
class Diagonal:
    """diag of a monomial; of scalars alone, their product times the identity."""

    factors: Monomial


@dataclass(frozen=True)
class Matrix:
    """The value of a matrix node, or its transpose."""

    node: Node
    transposed: bool = False


@dataclass(frozen=True)
class Ones:
    """A row or a column of ones: a sum of entries, or one number repeated."""

    rows: int
    columns: int


@dataclass(frozen=True)
class Selection:
    """The rows `indices` of the identity of this size, or the transpose of that."""

    indices: tuple[int, ...]
    size: int
    transposed: bool = False


@dataclass(frozen=True)
class Contraction:
    """A tensor (k, m, n), or a matrix (m, n) with k = 1, summed with a vector over axis -1 or -2."""

    tensor: Node
    vector: Node
    axis: int


Letter = Diagonal | Matrix | Ones | Selection | Contraction
Word = tuple[Letter, ...]
Words = dict[Word, Coefficient]

IDENTITY: Mapping[Word, Coefficient] = {(): 1}


def diagonal(value: Node) -> Words:
    """diag(value) of a node's value."""
    return diagonals(Polynomial.of(value))


def diagonals(polynomial: Polynomial) -> Words:
    """diag of a polynomial, one word for each term."""
    return {((Diagonal(monomial),) if monomial else ()): c for monomial, c in polynomial.terms.items()}


def letter(one: Letter) -> Words:
    """The word of one letter."""
    return {(one,): 1}


def total(*sums: Mapping[Word, Coefficient]) -> Words:
    """The sum; what cancels is gone."""
    found: Words = {}
    for words in sums:
        for word, coefficient in words.items():
            found[word] = found.get(word, 0) + coefficient
    return {word: c for word, c in found.items() if c}


def compose(*factors: Mapping[Word, Coefficient]) -> Words:
    """The product of sums, in this order, in normal form."""
    result: Words = dict(IDENTITY)
    for factor in factors:
        found: Words = {}
        for left, p in result.items():
            for right, q in factor.items():
                word = normal(left + right)
                found[word] = found.get(word, 0) + p * q
        result = {word: c for word, c in found.items() if c}
    return result


def normal(word: Word) -> Word:
    """Diagonals that meet are merged, and scalars go to the front."""
    scalars: Monomial = ()
    found: list[Letter] = []
    for one in word:
        if not isinstance(one, Diagonal):
            found.append(one)
            continue
        scalars = monomial_product(scalars, tuple(f for f in one.factors if f[0].node.shape == ()))
        entries = tuple(f for f in one.factors if f[0].node.shape != ())
        if found and isinstance(found[-1], Diagonal):
            last = found.pop()
            assert isinstance(last, Diagonal)
            entries = monomial_product(last.factors, entries)
        if entries:
            found.append(Diagonal(entries))
    if scalars and found and isinstance(found[0], Diagonal):
        found[0] = Diagonal(monomial_product(scalars, found[0].factors))
    elif scalars:
        found.insert(0, Diagonal(scalars))
    return tuple(found)
