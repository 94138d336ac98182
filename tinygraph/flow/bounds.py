"""Bounds that hold with certainty: exact certificates, and what follows from them.

With |phi'| <= gamma and sigma_max(U) <= s, each step Jacobian diag(phi'(a_t)) U has a norm of at most gamma s, so

    ||J_t ... J_{s+1}|| <= (gamma s)^(t - s)        (Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063, eq. 7).

That sigma_max(U) <= s is proved, not computed: s^2 I - U^T U is positive semidefinite exactly if its
LDL^T factorisation in fractions has no negative pivot. sigma_max < 1/gamma suffices for vanishing;
sigma_max > 1/gamma is only necessary for explosion. The eigenvalues of U decide neither when the net is
nonlinear and driven by inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log, nextafter
from typing import Any

import numpy as np

from ..errors import NonFiniteError, ShapeError, UnknownNameError, UsageError, ValueRangeError, nearest
from ..graph.table import OPS
from ..shapes import as_size
from .products import Array, log_norms_from_last

Exact = tuple[tuple[Fraction, ...], ...]

# The largest slope of each nonlinearity, from the table of operations.
SLOPES: dict[str, Fraction] = {
    "linear": Fraction(1),
    **{op.name: op.limits.slope for op in OPS.values() if isinstance(op.limits.slope, Fraction) and op.limits.slope},
}


@dataclass(frozen=True)
class Certificate:
    """The outcome of the exact test of sigma_max(U) <= s.

    bound       s
    pivots      of the LDL^T of s^2 I - U^T U, up to the first that fails
    holds       sigma_max(U) <= s, proved; where it is false, sigma_max(U) > s is proved
    strict      sigma_max(U) < s, proved
    """

    bound: Fraction
    pivots: tuple[Fraction, ...]
    holds: bool
    strict: bool


@dataclass(frozen=True)
class Condition:
    """What the singular values of U say of gradients through diag(phi') U with |phi'| <= gamma.

    certificate         of sigma_max(U) against 1/gamma
    vanishing_certain   sigma_max < 1/gamma: sufficient, products shrink geometrically whatever the inputs
    explosion_possible  sigma_max > 1/gamma: necessary for products to grow without bound, not sufficient
    """

    gamma: Fraction
    certificate: Certificate

    @property
    def vanishing_certain(self) -> bool:
        return self.certificate.strict

    @property
    def explosion_possible(self) -> bool:
        return not self.certificate.holds


def certify(U: Any, bound: Any) -> Certificate:
    """Prove or refute sigma_max(U) <= bound in exact arithmetic. U may be rectangular.

    Entries and bound are ints, Fractions or floats; a float is taken for exactly the number it is. The
    cost grows as n^3 fractions of ever more digits: made for n up to about 30.

    Raises `ShapeError`, `UsageError`, `NonFiniteError`, and `ValueRangeError` for a negative bound.
    """
    rows, s = exact_matrix(U), _exact(bound)
    if s < 0:
        raise ValueRangeError(f"sigma_max is not below {bound}, nor is any norm", fix="a bound of 0 or more")
    pivots, semidefinite = ldl_pivots(_complement(rows, s * s))
    return Certificate(s, pivots, semidefinite, semidefinite and all(pivot > 0 for pivot in pivots))


def certified_sigma_max(U: Any) -> Certificate:
    """A certificate that holds and is tight to about 12 digits: the computed sigma_max, rounded up until it is proved.

    Raises as `certify`.
    """
    rows = exact_matrix(U)
    try:
        computed = float(np.linalg.norm(np.array(rows, dtype=float), 2))
    except OverflowError:
        raise ValueRangeError("an entry is beyond the range of floats", fix="scale the matrix") from None
    excess = 1e-12
    while True:
        found = certify(rows, nextafter(computed * (1 + excess), np.inf))
        if found.holds:
            return found
        excess *= 4


def ldl_pivots(matrix: Sequence[Sequence[Fraction]]) -> tuple[tuple[Fraction, ...], bool]:
    """The pivots D of the LDL^T of a symmetric matrix, and whether it is positive semidefinite.

    A negative pivot refutes it, and so does a zero pivot with anything but zeros beneath it; then the
    pivots end there. Without exchange of rows, which exact arithmetic does not need.
    """
    rest = [list(row) for row in matrix]
    pivots: list[Fraction] = []
    for k in range(len(rest)):
        pivot = rest[k][k]
        pivots.append(pivot)
        below = range(k + 1, len(rest))
        if pivot < 0 or (pivot == 0 and any(rest[i][k] for i in below)):
            return tuple(pivots), False
        if pivot == 0:
            continue
        for i in below:
            factor = rest[i][k] / pivot
            if factor:
                for j in range(i, len(rest)):
                    rest[i][j] -= factor * rest[k][j]
                    rest[j][i] = rest[i][j]
    return tuple(pivots), True


def condition(U: Any, gamma: Any = "tanh") -> Condition:
    """The two conditions of Pascanu et al. 2013 (arXiv:1211.5063, section 2.1), each decided exactly.

    `gamma` is the largest slope, or the name of a nonlinearity in `SLOPES`. At sigma_max = 1/gamma neither
    holds. Raises as `certify`, and `ValueRangeError` for a slope that is not above 0.
    """
    slope = _slope(gamma)
    return Condition(slope, certify(U, 1 / slope))


def norm_bound(certificate: Certificate, gamma: Any, distance: int) -> Fraction:
    """(gamma s)^d, exactly: no product of d step Jacobians diag(phi') U is larger in norm.

    Raises `ValueRangeError` for a certificate that does not hold, and as `condition`.
    """
    if not certificate.holds:
        raise ValueRangeError(
            f"sigma_max(U) <= {float(certificate.bound):.9g} was refuted", fix="certified_sigma_max(U)"
        )
    return (_slope(gamma) * certificate.bound) ** as_size(distance, "distance")


def log_tightness(jacobians: Any, certificate: Certificate, gamma: Any = "tanh") -> Array:
    """log(actual / bound) for all distances d = 1..T from the last step, shape (T,): at most 0, up to rounding.

    Near 0 the bound tells the truth; far below, saturation or directions that never meet make it loose.
    -inf where the product is zero. Raises as `norm_bound` and `log_norms_from_last`.
    """
    rate = norm_bound(certificate, gamma, 1)
    norms = log_norms_from_last(jacobians)
    if rate == 0:  # U = 0: both sides are zero
        return np.zeros_like(norms)
    distances = np.arange(1, len(norms) + 1)
    return np.asarray(norms - distances * (log(rate.numerator) - log(rate.denominator)))


def exact_matrix(matrix: Any) -> Exact:
    """The entries as fractions, each exactly the number that was given.

    Raises `ShapeError`, `UsageError`, `NonFiniteError`.
    """
    try:
        array = np.asarray(matrix, dtype=object)
    except ValueError:
        raise ShapeError("the rows of a matrix have different shapes", fix="rows of numbers") from None
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"shape {array.shape} is not that of a matrix", fix="rows of numbers, at least one by one")
    return tuple(tuple(_exact(entry) for entry in row) for row in array)


def _exact(value: Any) -> Fraction:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float, Fraction)):
        raise UsageError(f"{value!r:.40} is not a number that is exact", fix="an int, a float or a Fraction")
    if isinstance(value, float) and not np.isfinite(value):
        raise NonFiniteError(f"{value} is not a finite number")
    return Fraction(value)


def _slope(gamma: Any) -> Fraction:
    if isinstance(gamma, str):
        if gamma not in SLOPES:
            raise UnknownNameError(f"no nonlinearity {gamma!r} has a known slope", fix=nearest(gamma, SLOPES))
        return SLOPES[gamma]
    slope = _exact(gamma)
    if slope <= 0:
        raise ValueRangeError(f"the largest slope is above 0, not {gamma}")
    return slope


def _complement(rows: Exact, square: Fraction) -> list[list[Fraction]]:
    """square I - U^T U."""
    columns = list(zip(*rows, strict=True))
    product = [[-sum((a * b for a, b in zip(p, q, strict=True)), Fraction(0)) for q in columns] for p in columns]
    for i, row in enumerate(product):
        row[i] += square
    return product
