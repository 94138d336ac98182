r"""Statement 15: the largest Lyapunov exponent of wide random nets, in the limit and for nets of some units."""

from __future__ import annotations

from math import log

import numpy as np

from ..flow.mean_field import random_nets, tanh_mean_field
from .statement import Evidence, Failing, Theorem

BAND = 4.0  # standard errors
UNITS = 90  # products of larger matrices start BLAS threads, which cost more than they give

# Gain, exponent and variance in the limit of many units, and C of the deficit C/n of nets with n of them.
MEAN_FIELD: tuple[tuple[float, float, float, float], ...] = (
    (2, 0.154724, 2.121474, 1.3),
    (3, 0.310249, 6.305391, 2.3),
    (5, 0.532428, 20.699367, 4.2),
    (10, 0.856435, 91.705131, 9.0),
)


def mean_field_values(*, shift: float = 0.0) -> Evidence:
    """The variance and the exponent at four gains, against the values to six digits; at other gains they differ."""
    shown = []
    for gain, exponent, variance, _ in MEAN_FIELD:
        found = tanh_mean_field(gain + shift)
        if round(found.exponent, 6) != exponent or round(found.variance, 6) != variance:
            return Evidence("", f"g = {gain:g}: lambda {found.exponent:.6f}, not {exponent}")
        shown.append(f"g = {gain:g}: lambda {found.exponent:.6f}, q {found.variance:.6f}")
    return Evidence("; ".join(shown))


def finite_nets(*, shift: float = 0.0, size: int = UNITS, nets: int = 16, steps: int = 300) -> Evidence:
    """The mean largest exponents of random nets at four gains, against mean field at those plus `shift`, less C/n."""
    shown = []
    for gain, _, _, deficit in MEAN_FIELD:
        found = random_nets(gain, size, nets=nets, steps=steps, discard=100, rng=0)
        expected = tanh_mean_field(gain + shift).exponent - deficit / size
        off = abs(found.mean - expected) / found.standard_error
        text = f"g = {gain:g}: {found.mean:.4f} +- {found.standard_error:.4f} for {expected:.4f}"
        if off > BAND:
            return Evidence("", f"{text}, {off:.1f} standard errors off")
        shown.append(text)
    return Evidence(f"{nets} nets of {size} units, " + "; ".join(shown))


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
        failing=(Failing(("shift", 1.0), "standard errors off"),),
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
