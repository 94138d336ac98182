r"""Statements 13 and 14: numbers that are proved, and what plain floats lose."""

from __future__ import annotations

from fractions import Fraction
from math import cosh, exp, log

import numpy as np

from ..cells import Cell
from ..flow.bounds import certified_sigma_max, certify, log_tightness
from ..flow.enclosure import enclose_product
from ..flow.products import log_norms_from_last
from ..flow.step_jacobians import trajectory
from ..unrolling import unroll
from .feeding import normal_feeds
from .statement import Evidence, Failing, Named, Theorem

MARGIN = Fraction(1, 10**7)


def certificate(cell: Cell, *, lowered: Fraction = Fraction(0), steps: int = 40) -> Evidence:
    """sigma_max(U) <= s proved by LDL^T in fractions, for the s found or one `lowered`; and products below s^d."""
    rng = np.random.default_rng(0)
    U, x = rng.standard_normal((4, 4)), 0.3 * rng.standard_normal((steps, 4))
    s = certified_sigma_max(U).bound * (1 - lowered)
    found = certify(U, s)
    if not found.holds:
        return Evidence("", f"refuted: pivot {len(found.pivots)} of the LDL^T is {float(found.pivots[-1]):.1e}")
    tightness = log_tightness(trajectory(cell, {"W": np.eye(4), "U": U, "b": np.zeros(4)}, x).jacobians, found)
    numbers = (
        f"sigma_max(U) <= {float(s):.9g}, the last pivot {float(found.pivots[-1]):.1e}; product / bound:"
        f" {exp(tightness[0]):.2g} after 1 step, {exp(tightness[-1]):.1g} after {steps}"
    )
    return Evidence(numbers, "" if np.all(tightness <= 1e-12) else "a product exceeds s^d")


def enclosure(cell: Cell, *, drive: float = 1.0, steps: int = 10) -> Evidence:
    """The norm of a product from floats, against its enclosure widened by rounding; inputs are normal * `drive`."""
    net = unroll(cell, steps, initial="fed", sizes=dict.fromkeys(cell.sizes, 2))
    feeds = normal_feeds(net.graph, np.random.default_rng(3))
    parameters = {name: feeds[name] for name in cell.parameters}
    inputs = {name: drive * feeds[name] for name in cell.inputs}
    low, high = enclose_product(cell, parameters, inputs, digits=200)
    floats = float(log_norms_from_last(trajectory(cell, parameters, inputs).jacobians)[-1])
    logs = [log(end.numerator) - log(end.denominator) if end else -np.inf for end in (low, high)]
    numbers = f"{cell.name}: e^{logs[0]:.12g}, relative width {float((high - low) / high):.0e}; floats e^{floats:.12g}"
    if high - low > high * Fraction(1, 10**10):
        return Evidence(numbers, "the enclosure is wide")
    outside = not logs[0] - 1e-9 <= floats <= logs[1] + 1e-9
    return Evidence(numbers, f"floats lie outside: e^{floats:.3g} for e^{logs[0]:.3g}" if outside else "")


def floats_lose_slopes(*, activation: float = 19.0) -> Evidence:
    """1 - tanh(a)^2 and s (1 - s) in floats, against sech^2(a) and s(a) s(-a)."""
    y, s = np.tanh(activation), 1 / (1 + np.exp(-2 * activation))
    lost, kept = 1 - y * y, cosh(activation) ** -2
    other = s / (1 + np.exp(2 * activation))
    numbers = f"a = {activation:g}: 1 - tanh^2 = {lost:.1g}, sech^2 = {kept:.3g}; at 2a, s(a) s(-a) = {other:.3g}"
    if abs(4 * other / kept - 1) > 1e-12:
        return Evidence(numbers, "sech^2(a) is not 4 s(2a) s(-2a)")
    return Evidence(numbers, "" if lost == 0 else f"1 - tanh^2 is still {lost:.1e}")


THEOREMS = (
    Theorem(
        key="certificate",
        number="13",
        title="A certified norm",
        statement="sigma_max(U) <= s is proved by an exact LDL^T of s^2 I - U^T U, and bounds the product over d steps"
        " by s^d; an s that is 1e-7 too small is refuted.",
        latex=r"s^2 I - U^\top U \succeq 0 \;\Rightarrow\; \| J_{t+d} \cdots J_{t+1} \| \le s^d",
        kind="rigorous",
        check=certificate,
        given={"cell": Named("elman")},
        failing=(Failing(("lowered", MARGIN), "refuted: pivot"),),
    ),
    Theorem(
        key="enclosure",
        number="14",
        title="An enclosed product",
        statement="Interval arithmetic over the graph of a step encloses the norm of the product of Jacobians; floats"
        " lie inside, until a saturated gate has lost its slope.",
        latex=r"\underline{m} \le \| J_T \cdots J_1 \| \le \overline{m}, \quad \tanh a = 1 - \frac{2}{e^{2a} + 1}",
        kind="rigorous",
        check=enclosure,
        given={"cell": Named("elman")},
        failing=(Failing(("drive", 30.0), "floats lie outside"),),
    ),
    Theorem(
        key="enclosure-lstm",
        number="14, LSTM",
        title="An enclosed product of an LSTM",
        statement="The same for the joined state of an LSTM.",
        latex=r"\underline{m} \le \left\| \prod_t \frac{\partial (h_t, c_t)}{\partial (h_{t-1}, c_{t-1})} \right\|"
        r" \le \overline{m}",
        kind="rigorous",
        check=enclosure,
        given={"cell": Named("lstm")},
        failing=(Failing(("drive", 1000.0), "floats lie outside"),),
    ),
    Theorem(
        key="saturation",
        number="trap: saturation",
        title="Floats show false zeros",
        statement="From an activation of 19 on, 1 - tanh^2 is exactly 0 in floats; the derivative is not.",
        latex=r"\operatorname{fl}(1 - \tanh^2 19) = 0 \ne \operatorname{sech}^2 19 = 1.3 \cdot 10^{-16}",
        kind="numeric",
        check=floats_lose_slopes,
        given={},
        failing=(Failing(("activation", 18.0), "1 - tanh^2 is still"),),
    ),
)
