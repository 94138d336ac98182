r"""Statements 12 and 15: Lyapunov exponents along a trajectory, and those of wide random nets."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import numpy as np

from ...cells import Cell
from ...unrolling import unroll
from ..lyapunov import elman_mean_log_det, lyapunov_spectrum
from ..mean_field import random_nets, tanh_mean_field
from ..step_jacobians import trajectory, trajectory_of
from .feeding import normal_feeds
from .statement import EVERY, Evidence, Failing, Named, Theorem

TOLERANCE = 1e-10
STEPS, UNITS = 50, 3
LOST = -30.0  # a mean log of a slope below this is a direction that floats have lost

# Gain, exponent and variance in the limit of many units, and C of the deficit C/n of nets with n of them.
MEAN_FIELD: tuple[tuple[float, float, float, float], ...] = (
    (2, 0.154724, 2.121474, 1.3),
    (3, 0.310249, 6.305391, 2.3),
    (5, 0.532428, 20.699367, 4.2),
    (10, 0.856435, 91.705131, 9.0),
)


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


def mean_field_values(*, shift: float = 0.0) -> Evidence:
    """The variance and the exponent at four gains, against the values to six digits; at other gains they differ."""
    shown = []
    for gain, exponent, variance, _ in MEAN_FIELD:
        found = tanh_mean_field(gain + shift)
        if round(found.exponent, 6) != exponent or round(found.variance, 6) != variance:
            return Evidence("", f"g = {gain:g}: lambda {found.exponent:.6f}, not {exponent}")
        shown.append(f"g = {gain:g}: lambda {found.exponent:.6f}, q {found.variance:.6f}")
    return Evidence("; ".join(shown))


def finite_nets(*, gain: float = 3.0, size: int = 80, nets: int = 24, steps: int = 500, band: float = 4.0) -> Evidence:
    """The mean largest exponent of random nets of gain 3, against mean field at `gain` less C/n, in standard errors."""
    deficit = MEAN_FIELD[1][3] / size
    found = random_nets(3.0, size, nets=nets, steps=steps, discard=100, rng=0)
    expected = tanh_mean_field(gain).exponent - deficit
    off = abs(found.mean - expected) / found.standard_error
    numbers = (
        f"{nets} nets of {size} units: {found.mean:.4f} +- {found.standard_error:.4f}, expected {expected:.4f}"
        f" ({expected + deficit:.4f} less {deficit:.4f})"
    )
    return Evidence(numbers, f"{off:.1f} standard errors off" if off > band else "")


def transition(*, gain: float = 0.8) -> Evidence:
    """Silent below g = 1, chaotic above: the signs of the mean exponent at `gain` and at 1.8."""
    below, above = (random_nets(g, 60, nets=6, steps=300, discard=200, rng=2).mean for g in (gain, 1.8))
    numbers = f"mean exponent {below:.3f} at g = {gain:g}, {above:.3f} at g = 1.8"
    return Evidence(numbers, "" if below < 0 < above else f"the exponent is {below:.3f} at g = {gain:g}: not silent")


def radius_below_one(*, against: str = "radius") -> Evidence:
    """Small nets with g = 1/2: each exponent is the log of its net's own spectral radius, and not log g."""
    found = random_nets(0.5, 20, nets=10, steps=2500, discard=500, rng=0)
    expected = np.log(found.radii) if against == "radius" else np.full(len(found.radii), log(0.5))
    gap = float(np.max(np.abs(found.exponents - expected)))
    numbers = f"{len(found.radii)} nets of 20 units: exponents {min(found.exponents):.3f} to {max(found.exponents):.3f}"
    return Evidence(f"{numbers}, at most {gap:.0e} from log of the radius", f"{gap:.2g} off" if gap > 1e-3 else "")


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
    Theorem(
        key="mean-field",
        number="15, mean field",
        title="Wide random nets: mean field",
        statement="h' = tanh(g J h) with J ~ N(0, 1/n) has in the limit of many units a variance q and a largest"
        " exponent lambda (Sompolinsky et al. 1988, Molgedey et al. 1992).",
        latex=r"q = g^2 \, \mathbb{E}[\tanh^2(\sqrt q z)], \quad \lambda = \tfrac12 \log\left(g^2 \,"
        r" \mathbb{E}[\tanh'(\sqrt q z)^2]\right)",
        kind="numeric",
        check=mean_field_values,
        given={},
        failing=(Failing(("shift", 0.001), "not 0.154724"),),
    ),
    Theorem(
        key="finite-nets",
        number="15",
        title="Wide random nets: samples",
        statement="Random nets of n units lie below mean field by about C/n, within four standard errors.",
        latex=r"\lambda_n \approx \lambda - C / n",
        kind="statistical",
        check=finite_nets,
        given={},
        failing=(Failing(("gain", 4.0), "standard errors off"),),
    ),
    Theorem(
        key="transition",
        number="15, transition",
        title="Chaos begins at g = 1",
        statement="Random tanh nets fall silent for g < 1 and are chaotic for g > 1.",
        latex=r"\lambda < 0 \text{ for } g < 1, \quad \lambda > 0 \text{ for } g > 1",
        kind="statistical",
        check=transition,
        given={},
        failing=(Failing(("gain", 2.5), "not silent"),),
    ),
    Theorem(
        key="silent-nets",
        number="15, g < 1",
        title="Below the transition",
        statement="For g < 1 the exponent of a net is the log of the spectral radius of its own g J, not log g.",
        latex=r"g < 1: \quad \lambda = \log \rho(g J)",
        kind="numeric",
        check=radius_below_one,
        given={},
        failing=(Failing(("against", "gain"), "off"),),
    ),
)
