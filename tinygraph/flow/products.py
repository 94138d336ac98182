"""Products of step Jacobians over thousands of steps, held in logarithms.

The gradient flows back through J_t J_{t-1} ... J_{s+1}, whose norm leaves the range of floats within a
few hundred steps. `LogProduct` keeps such a product as

    A_k ... A_1 = Q diag(exp(l)) N,

Q orthogonal, N with rows of norm 1: each new factor is multiplied into Q and split by QR, and the
triangular factor updates the rows, each with a scale of its own. Nothing overflows, and a singular
value of e^-3000 beside one of e^40 keeps its digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import NonFiniteError, ShapeError, UsageError, ValueRangeError
from ..shapes import as_size

Array = np.ndarray[Any, Any]

SWEEPS = 12  # of QR over the factors, and of Jacobi rotations over the rows; a few are the rule


def as_factors(jacobians: Any, what: str = "the step Jacobians") -> Array:
    """Square matrices as one float array (T, S, S). Raises `ShapeError`, `NonFiniteError`, `UsageError`."""
    try:
        found = np.asarray(jacobians, dtype=float)
    except (TypeError, ValueError):
        raise UsageError(f"{what} are not an array of numbers", fix="trajectory(...).jacobians") from None
    if found.ndim != 3 or found.shape[1] != found.shape[2] or 0 in found.shape:
        raise ShapeError(f"{what} have shape {found.shape}", fix="(T, S, S) is wanted, with T and S at least 1")
    bad = np.flatnonzero(~np.isfinite(found).all(axis=(1, 2)))
    if bad.size:
        raise NonFiniteError(f"{what} are not all finite: first at step {bad[0] + 1}", fix="look at the trajectory")
    return found


def as_matrix(matrix: Any, what: str = "the matrix") -> Array:
    """One square matrix of finite floats. Raises as `as_factors`."""
    if np.ndim(matrix) != 2:
        raise ShapeError(f"{what} has shape {np.shape(matrix)}", fix="a square matrix is wanted")
    found: Array = as_factors([matrix], what)[0]
    return found


class LogProduct:
    """A product that grows to the left, A_k ... A_1, of matrices (S, S); the identity before any factor."""

    def __init__(self, size: int) -> None:
        self.size = as_size(size, "size of a product")
        self._frame = np.eye(self.size)
        self._scales = np.zeros(self.size)
        self._rows = np.eye(self.size)

    def push(self, factor: Array) -> Array:
        """Multiply by `factor` from the left; the triangular factor of its QR step."""
        self._frame, triangle = np.linalg.qr(factor @ self._frame)
        with np.errstate(divide="ignore"):
            exponents = np.log(np.abs(triangle)) + self._scales
        top = exponents.max(axis=1)
        shifts = np.where(np.isfinite(top), top, 0)
        mixed = (np.sign(triangle) * np.exp(exponents - shifts[:, None])) @ self._rows
        self._scales, self._rows = _unit_rows(mixed, shifts)
        return np.asarray(triangle)

    @property
    def log_norm(self) -> float:
        """The log of the spectral norm; -inf for a product that is zero."""
        top = float(self._scales.max())
        if top == -np.inf:
            return top
        return top + float(np.log(np.linalg.norm(np.exp(self._scales - top)[:, None] * self._rows, 2)))

    def log_singular_values(self) -> Array:
        """The logs of the singular values (S,), largest first, by Jacobi rotations of the rows."""
        return _jacobi(self._scales.copy(), self._rows.copy())


def log_singular_values(jacobians: Any) -> Array:
    """The logs of the singular values of J_T ... J_1, shape (S,), largest first.

    A singular value of exactly 0 shows as -inf, or as what rounding leaves of it: far below the others.

    One sweep of QR gives triangular factors whose product is R_T ... R_1. A sweep over their transposes,
    last to first, brings it nearer to a diagonal; once its diagonal falls, one-sided Jacobi rotations
    of scaled rows finish. The method of Demmel and Veselic 1992, doi:10.1137/0613074, in logarithms.
    Each step adds an error of about 1e-16 times the condition number of its factor to the logs of the
    smaller values, so that a factor of condition 1e16 and more says nothing of its smallest direction.
    Raises as `as_factors`.
    """
    factors = as_factors(jacobians)
    for _ in range(SWEEPS):
        product = LogProduct(factors.shape[1])
        triangles = np.array([product.push(factor) for factor in factors])
        diagonal = log_diagonals(triangles).sum(axis=0)
        if np.all(diagonal[1:] <= diagonal[:-1] + 1e-9 * len(factors)):
            break
        factors = triangles[::-1].transpose(0, 2, 1)
    return product.log_singular_values()


def log_diagonals(triangles: Array) -> Array:
    """log|R_ii| of each triangular factor, shape (T, S)."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.abs(np.diagonal(triangles, axis1=1, axis2=2))))


def log_norms_from_last(jacobians: Any) -> Array:
    """log ||J_T ... J_{T-d+1}|| for all distances d = 1..T, shape (T,): entry d - 1 reaches back d steps.

    The norm is the spectral one, the largest factor by which a gradient can grow. Where a product is
    exactly zero, it is -inf, or what rounding leaves: about 1e-16 of the last norm with each further step.
    Raises as `as_factors`.
    """
    return _log_norms(np.swapaxes(as_factors(jacobians)[::-1], 1, 2))


@dataclass(frozen=True, eq=False)
class Transient:
    """How the powers of one matrix grow before their rate shows.

    radius      the spectral radius: ||U^k||^(1/k) tends to it
    log_norms   log ||U^k|| for k = 1..K
    """

    radius: float
    log_norms: Array

    @property
    def peak(self) -> tuple[int, float]:
        """The power k of the largest norm, and the log of that norm."""
        k = int(np.argmax(self.log_norms))
        return k + 1, float(self.log_norms[k])


def transient(matrix: Any, powers: int) -> Transient:
    """Spectral radius and norms of the powers 1..`powers` of a matrix.

    The radius tells how powers behave in the end, not on the way: for [[.9, 5], [0, .9]] it is 0.9, and the
    norm at k = 10 is 19.4. Trefethen and Embree 2005, "Spectra and Pseudospectra", chapter 14.
    Raises as `as_factors`.
    """
    found, count = as_matrix(matrix), as_size(powers, "number of powers")
    if count == 0:
        raise ValueRangeError("a transient takes at least one power", fix="powers=1 or more")
    return Transient(spectral_radius(found), _log_norms(found for _ in range(count)))


def spectral_radius(matrix: Any) -> float:
    """The largest absolute value of an eigenvalue. Raises as `as_factors`."""
    return float(np.max(np.abs(np.linalg.eigvals(as_matrix(matrix)))))


def pair_products(jacobians: Any, pairs: Iterable[tuple[int, int]]) -> Mapping[tuple[int, int], Array]:
    """d s_t / d s_s = J_t ... J_{s+1} for each asked pair (t, s), 0 <= s <= t <= T: floats (S, S).

    The derivative is total and by the joined state: `[h, c]` of an LSTM holds h_s fixed. In contrast,
    `tg.jacobian(net.h[t], net.c[s])` also follows c_s into the h_s of the same step for s >= 1; it is
    `[h, c] + [h, h] @ (d h_s / d c_s)`. Far pairs may overflow or vanish: `log_norms_from_last`.

    Raises `ValueRangeError` for a pair out of order or range, and as `as_factors`.
    """
    factors = as_factors(jacobians)
    asked = list(dict.fromkeys(pairs))
    for t, s in asked:
        if not 0 <= as_size(s, "time step") <= as_size(t, "time step") <= len(factors):
            raise ValueRangeError(
                f"no product from step {s} to step {t}", fix=f"pairs (t, s) with 0 <= s <= t <= {len(factors)}"
            )
    found = {}
    for start in sorted({s for _, s in asked}):
        ends = {t for t, s in asked if s == start}
        product = np.eye(factors.shape[1])
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for t in range(start, max(ends) + 1):
                product = factors[t - 1] @ product if t > start else product
                if t in ends:
                    found[t, start] = product
    return {pair: found[pair] for pair in asked}


def _log_norms(factors: Iterable[Array]) -> Array:
    """The log norms of the running products A_1, A_2 A_1, ..."""
    product: LogProduct | None = None
    norms = []
    for factor in factors:
        product = product or LogProduct(len(factor))
        product.push(factor)
        norms.append(product.log_norm)
    return np.array(norms)


def _unit_rows(rows: Array, scales: Array) -> tuple[Array, Array]:
    """The same rows, of norm 1, with what they lost added to their log scales; -inf for a zero row."""
    norms = np.linalg.norm(rows, axis=-1)
    with np.errstate(divide="ignore"):
        logs = np.log(norms)
    return scales + logs, rows / np.where(norms > 0, norms, 1)[..., None]


def _jacobi(scales: Array, rows: Array) -> Array:
    """Log singular values of diag(exp(scales)) rows, for rows of norm 1: rotate pairs until all are at right angles."""
    for _ in range(SWEEPS):
        order = np.argsort(-scales, kind="stable")
        scales, rows = scales[order], rows[order]
        worst = 0.0
        for p in range(len(scales) - 1):
            for q in range(p + 1, len(scales)):
                worst = max(worst, _rotate(scales, rows, p, q))
        if worst < 1e-15 * len(scales):
            break
    return np.sort(scales)[::-1]


def _rotate(scales: Array, rows: Array, p: int, q: int) -> float:
    """Bring rows p and q to a right angle; the cosine between them before."""
    if scales[q] > scales[p]:
        p, q = q, p
    cosine = float(rows[p] @ rows[q])
    if scales[q] == -np.inf or abs(cosine) < 1e-16:
        return 0.0
    ratio = float(np.exp(scales[q] - scales[p]))  # 0 when far apart; the tangent is `slope * ratio`
    # tan(2 theta) = 2 c r / (1 - r^2); the small root, divided by r so that it stays finite as r -> 0
    gap = (1 - ratio) * (1 + ratio)
    slope = 2 * cosine / (gap + np.hypot(gap, 2 * cosine * ratio))
    cos = 1 / np.hypot(1, slope * ratio)
    pair = np.stack([rows[p] + slope * ratio * ratio * rows[q], rows[q] - slope * rows[p]]) * cos
    scales[[p, q]], rows[[p, q]] = _unit_rows(pair, scales[[p, q]])
    return abs(cosine)
