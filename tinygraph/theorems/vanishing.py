r"""Statements 8 to 11: what eigenvalues and singular values say of vanishing and explosion, and what they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import exp, sqrt
from typing import Any

import numpy as np

from ..cells import Cell
from ..flow.bounds import SLOPES, certify, condition
from ..flow.enclosure import enclose_product
from ..flow.products import Array, log_norms_from_last, spectral_radius, transient
from ..flow.step_jacobians import Trajectory, trajectory
from ..graph.tape import Graph
from ..ops.nonlinear import sigmoid, tanh
from ..symbolic.words import slope
from .statement import Evidence, Failing, Named, Theorem

Matrix = list[list[Fraction]]

NILPOTENT = ((2, 2), (-2, -2))
HELD = (0.0, 0.999)
NO_CLAIM: Mapping[str, Fraction] = {}


def eigenvalues_decide_nothing(cell: Cell, *, driven: bool = True, steps: int = 40) -> Evidence:
    """A net of spectral radius 0 whose product of Jacobians is large if its states are held near (0, .999).

    The norm is enclosed with certainty, for just these inputs; errors of their last digit grow 2^40 times. With the
    state exactly there, J = diag(1, e) U with e = 1 - .999^2, and ||J^T|| = (2 - 2e)^(T-1) ||u|| ||v|| for J = u v^T.
    """
    U = np.array(NILPOTENT, float)
    x = _holding(U, HELD, steps) if driven else np.zeros((steps, 2))
    low, high = enclose_product(cell, {"W": np.eye(2), "U": U, "b": np.zeros(2)}, x, digits=60)
    run = _elman(cell, U, x)
    e = 1 - HELD[1] ** 2
    closed = (2 - 2 * e) ** (steps - 1) * sqrt(4 + 4 * e**2) * sqrt(2)
    norm, bound = exp(log_norms_from_last(run.jacobians)[-1]), 4.0**steps
    numbers = (
        f"spectral radius {spectral_radius(U):.0e}, product of {steps} steps {norm:.4g} (certainly {float(low):.6g} to"
        f" {float(high):.6g}; {closed:.4g} with the states exactly at {HELD}), sigma_max 4, bound {bound:.2g}"
    )
    if not certify(NILPOTENT, 4).holds or high > 4**steps:
        return Evidence(numbers, "the bound by singular values is exceeded")
    if low <= 1:
        return Evidence(numbers, f"the product's norm is {float(high):.1g}: nothing grows")
    return Evidence(numbers, "" if abs(float(low) / closed - 1) < 1e-3 else "it is far from the closed form")


def explosion_needs_more(cell: Cell, *, U: Sequence[Sequence[int]] = ((0, 10), (0, 0))) -> Evidence:
    """sigma_max above 1/gamma, and yet two steps are exactly zero."""
    found = condition(U)
    norms = np.exp(log_norms_from_last(_elman(cell, np.array(U, float), np.zeros((5, len(U)))).jacobians))
    numbers = f"sigma_max > 1: {found.explosion_possible}; norms over 1 to 5 steps: {_short(norms)}"
    if not found.explosion_possible:
        return Evidence(numbers, "sigma_max is not above 1")
    return Evidence(numbers, "" if norms[-1] == 0 else f"it does explode: {norms[-1]:.3g} after 5 steps")


def orthogonal_keeps_norms(*, error: Fraction = Fraction(0), steps: int = 20) -> Evidence:
    """P^T P = I in fractions for the product P of linear steps with a Cayley matrix; `error` spoils an entry of it."""
    Q = cayley()
    Q[0][0] += error
    P = Q
    for _ in range(steps - 1):
        P = _times(Q, P)
    gram = _times([list(column) for column in zip(*P, strict=True)], P)
    identity = [[Fraction(int(i == j)) for j in range(len(Q))] for i in range(len(Q))]
    off = max(abs(a - b) for row, other in zip(gram, identity, strict=True) for a, b in zip(row, other, strict=True))
    numbers = f"{steps} steps, denominators of {len(str(P[0][0].denominator))} digits, P^T P = I"
    return Evidence(numbers, f"P^T P is {float(off):.0e} off I" if off else "")


def tanh_only_shrinks(cell: Cell, *, scale: float = 1.0, steps: int = 20) -> Evidence:
    """The same matrix with tanh: norms 1 at h = 0, and never growing from step to step once the state moves."""
    U = scale * np.array(cayley(), float)
    still = np.exp(log_norms_from_last(_elman(cell, U, np.zeros((steps, 3))).jacobians))
    moved = np.exp(log_norms_from_last(_elman(cell, U, np.random.default_rng(0).standard_normal((steps, 3))).jacobians))
    numbers = f"at h = 0 the norm stays {still[-1]:.12g}; driven, it is {moved[0]:.3g}, then {moved[-1]:.3g}"
    largest = max(still.max(), moved.max())
    if largest > 1 + 1e-12:
        return Evidence(numbers, f"a norm grows to {largest:.3g}")
    return Evidence(numbers, "" if abs(still[-1] - 1) < 1e-12 and moved[-1] < 1 else "equality is not at h = 0")


def slopes_are_bounded(*, claimed: Mapping[str, Fraction] = NO_CLAIM) -> Evidence:
    """bound - y' of tanh and sigmoid as a square of y, from the derivative in the table of operations.

    The bounds are those of the table, or others that are `claimed`.
    a - b y + y^2 = (y - b/2)^2 + (a - b^2/4), so the bound holds if a >= b^2/4, and is reached at equality.
    """
    shown, bounds = [], {**SLOPES, **claimed}
    for op in (tanh, sigmoid):
        y = op(Graph().input("a"))
        terms = {sum(e for _, e in monomial): Fraction(c) for monomial, c in slope(y, 0).terms.items()}
        b, rest = terms.get(1, Fraction(0)), bounds[op.name] - terms.get(0, Fraction(0))
        spare = rest - b * b / 4
        if terms.get(2) != -1 or set(terms) - {0, 1, 2}:
            return Evidence("", f"the slope of {op.name} is not c + b y - y^2")
        if spare:
            how = "exceeded" if spare < 0 else "not reached"
            return Evidence("", f"{op.name}: the bound {bounds[op.name]} is {how} at y = {b / 2}, by {abs(spare)}")
        shown.append(f"{bounds[op.name]} - {op.name}' = ({op.name} - {b / 2})^2")
    return Evidence(", ".join(shown))


def growth_before_decay(*, matrix: Sequence[Sequence[float]] = ((0.9, 5.0), (0.0, 0.9))) -> Evidence:
    """The norms of powers of a matrix of radius .9: a peak far above 1 on the way to zero."""
    found = transient(matrix, 400)
    norms = np.exp(found.log_norms)
    k, peak = found.peak
    at = f"{norms[9]:.3g} at k = 10, {exp(peak):.3g} at k = {k} (the peak), {norms[-1]:.1g} at k = {len(norms)}"
    numbers = f"radius {found.radius:.3g}; norms {at}"
    return Evidence(numbers, "" if found.radius < 1 < norms[9] else f"no growth: the norm at k = 10 is {norms[9]:.3g}")


def cayley() -> Matrix:
    """(I - A)(I + A)^-1 for A = [[0, 1/2, -1], [-1/2, 0, 2/3], [1, -2/3, 0]]: orthogonal, and rational.

    With a the vector of A (A v = a x v): I + 2 (A^2 - A) / (1 + |a|^2), by A^3 = -|a|^2 A.
    """
    half, third = Fraction(1, 2), Fraction(2, 3)
    A = [[Fraction(0), half, Fraction(-1)], [-half, Fraction(0), third], [Fraction(1), -third, Fraction(0)]]
    factor = 2 / (1 + half**2 + third**2 + 1)
    square = _times(A, A)
    return [[int(i == j) + factor * (square[i][j] - A[i][j]) for j in range(3)] for i in range(3)]


def _times(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    return [[sum((x * y for x, y in zip(row, column, strict=True)), Fraction(0)) for column in columns] for row in a]


def _elman(cell: Cell, U: Array, x: Any) -> Trajectory:
    """With W = I and b = 0, so that x is added to the activations."""
    return trajectory(cell, {"W": np.eye(len(U)), "U": U, "b": np.zeros(len(U))}, x)


def _holding(U: Array, target: Sequence[float], steps: int) -> Array:
    """Inputs that hold the state of an Elman net at `target`: x_t = atanh(target) - U h_{t-1}."""
    h, found = np.zeros(len(U)), []
    for _ in range(steps):
        found.append(np.arctanh(target) - U @ h)
        h = np.tanh(U @ h + found[-1])
    return np.array(found)


def _short(values: Any) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


THEOREMS = (
    Theorem(
        key="eigenvalues",
        number="8",
        title="Eigenvalues decide nothing",
        statement="A spectral radius below 1 does not make gradients vanish in a nonlinear net that inputs drive:"
        " with radius 0 they grow by 10^12 in 40 steps. Only a linear net, such as one at h = 0, decays in the end at"
        " that rate. Singular values do bound them (Pascanu et al. 2013, arXiv:1211.5063).",
        latex=r"\rho(U) = 0, \quad \Big\| \prod_{t=1}^{40} \operatorname{diag}(1 - h_t^2) \, U \Big\| > 10^{12}",
        kind="rigorous",
        check=eigenvalues_decide_nothing,
        given={"cell": Named("elman")},
        failing=(Failing(("driven", False), "the product's norm is 0: nothing grows"),),
    ),
    Theorem(
        key="explosion",
        number="9",
        title="A large singular value is not enough",
        statement="sigma_max > 1/gamma is necessary for explosion, not sufficient: [[0, 10], [0, 0]] squared is 0.",
        latex=r"\sigma_{\max}(U) = 10 > 1, \quad U^2 = 0",
        kind="exact",
        check=explosion_needs_more,
        given={"cell": Named("elman")},
        failing=(
            Failing(("U", ((0, 10), (10, 0))), "it does explode"),
            Failing(("U", ((0, 1), (0, 0))), "sigma_max is not above 1"),
        ),
    ),
    Theorem(
        key="orthogonal",
        number="10",
        title="Orthogonal and linear keeps norms",
        statement="With an orthogonal U and a linear activation the product of any number of steps keeps all norms,"
        " exactly.",
        latex=r"U^\top U = I \;\Rightarrow\; (U^T)^\top U^T = I",
        kind="exact",
        check=orthogonal_keeps_norms,
        given={},
        failing=(Failing(("error", Fraction(1, 10**9)), "off I"),),
    ),
    Theorem(
        key="orthogonal-tanh",
        number="10, tanh",
        title="Orthogonal with tanh never grows",
        statement="With an orthogonal U and tanh norms never grow; they stay 1 at h = 0 and shrink elsewhere.",
        latex=r"\| \operatorname{diag}(1 - h^2) \, U v \| \le \| v \|, \quad = \text{ for all } v \text{ at } h = 0",
        kind="numeric",
        check=tanh_only_shrinks,
        given={"cell": Named("elman")},
        failing=(Failing(("scale", 1.01), "a norm grows to"),),
    ),
    Theorem(
        key="slopes",
        number="11",
        title="The largest slopes",
        statement="sigma' is at most 1/4 and tanh' at most 1, and both are reached.",
        latex=r"\tfrac14 - s(1-s) = (\tfrac12 - s)^2, \quad 1 - (1 - y^2) = y^2",
        kind="exact",
        check=slopes_are_bounded,
        given={},
        failing=(
            Failing(("claimed", {"sigmoid": Fraction(1, 5)}), "exceeded at y = 1/2, by 1/20"),
            Failing(("claimed", {"tanh": Fraction(2)}), "not reached at y = 0, by 1"),
        ),
    ),
    Theorem(
        key="transient",
        number="trap: transients",
        title="Growth before decay",
        statement="The powers of a matrix that is not normal can grow before they decay: the rate is not the way.",
        latex=r"U = \begin{bmatrix} .9 & 5 \\ 0 & .9 \end{bmatrix}: \quad \rho(U) = .9, \; \| U^{10} \| = 19.4",
        kind="numeric",
        check=growth_before_decay,
        given={},
        failing=(Failing(("matrix", ((0.9, 0.0), (0.0, 0.9))), "no growth"),),
    ),
)
