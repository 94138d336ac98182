"""Lyapunov exponents: the rates at which small differences between two runs grow, step after step.

With Q_0 orthogonal and J_t Q_{t-1} = Q_t R_t by QR, the exponents along a trajectory are

    lambda_i = 1/T sum_t log|R_t[i, i]|        (Benettin et al. 1980, doi:10.1007/BF02128236),

and since |det J_t| = prod_i |R_t[i, i]| at every step, their sum is the mean of log|det J_t|, whatever
the cell and however short the trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ShapeError, ValueRangeError
from ..shapes import as_size
from .products import Array, LogProduct, as_factors, as_matrix, log_diagonals


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The Lyapunov spectrum of a trajectory, in natural logarithms per step.

    exponents       shape (S,), largest first; -inf where a direction is lost
    growth          shape (T, S): log|R_t[i, i]| of each step in the order of `exponents`, whose mean they are
    mean_log_det    the mean of log|det J_t| over the same steps, computed without the QR
    """

    exponents: Array
    growth: Array
    mean_log_det: float

    @property
    def largest(self) -> float:
        """The largest exponent: above 0, nearby runs part (chaos)."""
        return float(self.exponents[0])

    @property
    def sum_rule_gap(self) -> float:
        """The sum of the exponents less the mean of log|det J_t|: rounding errors; 0 where both are -inf."""
        total = float(np.sum(self.exponents))
        return 0.0 if total == self.mean_log_det else total - self.mean_log_det


def lyapunov_spectrum(jacobians: Any, *, discard: int = 0) -> Spectrum:
    """All S exponents from the step Jacobians (T, S, S) of a trajectory.

    The first `discard` steps turn the frame towards the directions of growth, and are not counted.
    Along a finite trajectory the exponents are estimates: their error falls as 1/T for a fixed point, and
    as 1/sqrt(T) in chaos. The frame starts as the identity, so nothing is random.

    Raises `ValueRangeError` if no step is left, `ShapeError`, `NonFiniteError`, `UsageError`.
    """
    factors = as_factors(jacobians)
    skipped = as_size(discard, "number of steps to discard")
    if skipped >= len(factors):
        raise ValueRangeError(
            f"of {len(factors)} steps {skipped} are discarded", fix=f"discard at most {len(factors) - 1}"
        )
    frame = LogProduct(factors.shape[1])
    growth = log_diagonals(np.array([frame.push(factor) for factor in factors]))[skipped:]
    exponents = growth.mean(axis=0)
    order = np.argsort(-exponents, kind="stable")
    log_dets = np.linalg.slogdet(factors[skipped:])[1]
    return Spectrum(exponents[order], growth[:, order], float(np.mean(log_dets)))


def elman_mean_log_det(U: Any, states: Any) -> float:
    """What the exponents of an Elman net sum to: log|det U| + the mean over t of sum_i log(1 - h_{t,i}^2).

    From J_t = diag(1 - h_t^2) U. `states` are the new states h_1..h_T, shape (T, H). It is -inf where
    U is singular, and also where a float h_t is exactly 1: there 1 - h^2 has lost its value (at
    activations of 19 and more), and the true sum is finite.

    Raises `ShapeError`, `NonFiniteError`, `UsageError`.
    """
    matrix, h = as_matrix(U, "U"), np.asarray(states, dtype=float)
    if h.ndim != 2 or h.shape[1] != len(matrix) or not len(h):
        raise ShapeError(
            f"states of shape {h.shape} with U of shape {matrix.shape}",
            fix=f"the new states at t = 1..T: (T, {len(matrix)})",
        )
    if not np.all(np.abs(h) <= 1):
        raise ValueRangeError("a state of a tanh net lies outside -1..1", fix="give the states, not the activations")
    with np.errstate(divide="ignore"):
        slopes = np.log((1 - h) * (1 + h))  # keeps the digits that 1 - h*h would lose near 1
    return float(np.linalg.slogdet(matrix)[1] + slopes.sum(axis=1).mean())
