r"""Statement 12: what the Lyapunov exponents of a trajectory sum to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..cells import Cell
from ..flow.lyapunov import elman_mean_log_det, lyapunov_spectrum
from ..flow.step_jacobians import trajectory, trajectory_of
from ..unrolling import unroll
from .feeding import normal_feeds
from .statement import EVERY, Evidence, Failing, Named, Theorem

TOLERANCE = 1e-10
STEPS, UNITS = 50, 3
LOST = -30.0  # a mean log of a slope below this is a direction that floats have lost


def sum_rule(cells: Mapping[str, Cell], *, late: int = 0) -> Evidence:
    """The exponents of each cell's trajectory against log|det J_t| of its steps, from `late` steps on."""
    worst, lost = 0.0, []
    for name, cell in cells.items():
        net = unroll(cell, STEPS, initial="fed", sizes=dict.fromkeys(cell.sizes, UNITS))
        jacobians = trajectory_of(net, normal_feeds(net.graph, np.random.default_rng(0))).jacobians
        total = float(np.sum(lyapunov_spectrum(jacobians).exponents))
        expected = float(np.mean(np.linalg.slogdet(jacobians[late:])[1]))
        if not expected > LOST * UNITS:
            lost.append(name)
            if total > LOST * UNITS:
                return Evidence("", f"{name}: the determinants vanish, and the exponents sum to {total:.3g}")
            continue
        gap = abs(total - expected) / max(1, abs(expected))
        if gap > TOLERANCE:
            return Evidence("", f"{name}: the sum is {total:.9g}, the mean of log|det| {expected:.9g}")
        worst = max(worst, gap)
    rest = f"; both sides are lost in floats for {', '.join(lost)}" if lost else ""
    return Evidence(f"{len(cells) - len(lost)} cells, {STEPS} steps: a gap of at most {worst:.0e}{rest}")


def sum_rule_of_elman(cell: Cell, *, states: str = "new") -> Evidence:
    """log|det U| + the mean of sum log(1 - h_t^2), from the states alone: the new ones, or the "old" by mistake."""
    rng = np.random.default_rng(1)
    U, x = rng.standard_normal((4, 4)), rng.standard_normal((200, 4))
    run = trajectory(cell, {"W": np.eye(4), "U": U, "b": np.zeros(4)}, x)
    total = float(np.sum(lyapunov_spectrum(run.jacobians).exponents))
    by_hand = elman_mean_log_det(U, run.states["h"][1:] if states == "new" else run.states["h"][:-1])
    gap = abs(total - by_hand)
    numbers = f"the exponents sum to {total:.9g}, the formula gives {by_hand:.9g}"
    return Evidence(numbers, f"they differ by {gap:.1g}" if gap > TOLERANCE else "")


THEOREMS = (
    Theorem(
        key="sum-rule",
        number="12",
        title="Exponents sum to log det",
        statement="Along every trajectory the Lyapunov exponents sum to the mean of log|det J_t|, for any cell.",
        latex=r"\sum_i \lambda_i = \frac{1}{T} \sum_{t=1}^{T} \log |\det J_t|",
        kind="numeric",
        check=sum_rule,
        given={"cells": EVERY},
        failing=(Failing(("late", 1), "the mean of log|det|"),),
    ),
    Theorem(
        key="sum-rule-elman",
        number="12, Elman",
        title="The sum of an Elman net's exponents",
        statement="For an Elman net the sum follows from the states alone.",
        latex=r"\sum_i \lambda_i = \log |\det U| + \frac{1}{T} \sum_{t=1}^{T} \sum_i \log(1 - h_{t,i}^2)",
        kind="numeric",
        check=sum_rule_of_elman,
        given={"cell": Named("elman")},
        failing=(Failing(("states", "old"), "they differ by"),),
    ),
)
