r"""Statements 6 and 7: truncation through time as factors on what flows back, all in fractions.

Put a factor kappa on each pair of a loss and a boundary between two steps. The gradient is then

    g(kappa) = sum over t, and over s <= t, of kappa_{t,s+1} ... kappa_{t,t} G[t, s],

full where every kappa is 1, truncated where those of the cuts are 0. G[t, s] are the contributions of the
graph, and the truncated gradient is that of the pass: neither is computed from the formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..differentiate import vjp
from ..execute.interpreter import evaluate
from ..flow.per_use import contributions
from ..flow.truncation_bias import randomise
from ..graph.node import Node
from ..graph.tape import Graph
from ..ops.linear import dot
from ..passes.truncation import truncate
from .statement import Evidence, Failing, Theorem

Pair = tuple[int, int]  # (s, t): the loss at t through the use at s

FEEDS = {"U": np.array([[Fraction(1, 2), Fraction(1, 3)], [Fraction(-1, 4), Fraction(2)]], dtype=object)}
CHANCE = Fraction(1, 3)

# The meanings of truncation at T = 6, and how many of the 21 pairs each keeps.
CUTS: tuple[tuple[str, dict[str, int], int], ...] = (
    ("chunk", {"k1": 1}, 6),
    ("chunk", {"k1": 2}, 9),
    ("chunk", {"k1": 3}, 12),
    ("sliding", {"k2": 3}, 15),
    ("k1_k2", {"k1": 2, "k2": 3}, 13),
    ("last", {"k2": 3}, 6),
)


def _losses(steps: int) -> dict[int, Node]:
    """A net whose numbers stay fractions: h_t = U h_{t-1} - h_{t-1} h_{t-2} / 4 + x, with the loss h_t . h_t."""
    graph = Graph()
    U, x = graph.parameter("U", (2, 2)), graph.constant("x", np.array([1, 2]))
    states, losses = [graph.constant("h0", zeros=(2,))], {}
    for t in range(1, steps + 1):
        with graph.at(step=t):
            older = states[-2] if t > 1 else x
            states.append(U @ states[-1] - states[-1] * older / 4 + x)
            losses[t] = dot(states[-1], states[-1])
    return losses


def factors_on_boundaries(*, shared: tuple[str, ...] = ("chunk", "last"), steps: int = 6) -> Evidence:
    """The gradient in free kappas, and each meaning of truncation as its value with the kappas of the cuts at 0.

    For the `shared` meanings one factor serves all losses that cross a boundary.
    """
    losses = _losses(steps)
    U = losses[1].graph.parameters["U"]
    terms: dict[Pair, Any] = {}
    for t in losses:
        found, reason = _terms(losses, t)
        if reason:
            return Evidence("", reason)
        terms.update(found)
    kept = []
    for mode, numbers, count in CUTS:
        cut = truncate(losses, U, mode=mode, k1=numbers.get("k1"), k2=numbers.get("k2"))
        pairs = _kept(cut.first, steps, mode if mode in shared else "")
        left = sum(terms[pair] for pair in pairs)
        truncated, lost = evaluate(cut.gradients, FEEDS, dtype="sympy"), sum(terms.values()) - left
        if sorted(pairs) != cut.kept or not np.all(left == truncated):
            also = sorted(set(cut.kept) - set(pairs))
            return Evidence("", f"{mode}: a factor that is shared between losses also cuts {also}")
        if len(pairs) != count or not np.any(lost != 0):
            return Evidence("", f"{mode}: {len(pairs)} pairs are kept, not {count}")
        kept.append(f"{mode} {', '.join(map(str, numbers.values()))}: {len(pairs)}")
    return Evidence(f"of {len(terms)} pairs are kept, exactly: " + "; ".join(kept))


def _terms(losses: Mapping[int, Node], t: int) -> tuple[dict[Pair, Any], str]:
    """The coefficients of g_t as a polynomial of its kappas, each the contribution G[t, s]; or what is wrong."""
    import sympy  # takes 0.2 s

    U = losses[1].graph.parameters["U"]
    kappas = sympy.symbols(f"kappa1:{t + 1}")
    random = randomise({t: losses[t]}, U)
    found = evaluate(random.gradients, {**FEEDS, "flow": np.array(kappas, dtype=object)}, dtype="sympy")
    polynomials = [sympy.Poly(entry, *kappas) for entry in np.ravel(found)]
    if any(degree > 1 for polynomial in polynomials for powers in polynomial.monoms() for degree in powers):
        return {}, f"the gradient of L_{t} is not affine in each factor"
    G, terms = contributions(losses, U), {}
    for s in range(1, t + 1):
        crossed = prod(kappas[s:t], start=sympy.Integer(1))
        terms[s, t] = np.array([p.coeff_monomial(crossed) for p in polynomials], dtype=object).reshape(U.shape)
        if not np.all(evaluate(G[t, s], FEEDS, dtype="sympy") == terms[s, t]):
            return {}, f"the factor of {crossed} is not the contribution of step {s} to L_{t}"
    total = sum(int(coefficient != 0) for polynomial in polynomials for coefficient in polynomial.coeffs())
    written = sum(int(np.count_nonzero(term)) for term in terms.values())
    return terms, "" if total == written else f"the gradient of L_{t} has words that are no contribution"


def _kept(first: Mapping[int, int], steps: int, shared: str) -> list[Pair]:
    """The pairs that cross no cut. A shared cut stands for all losses, and in "last" for those before it too."""
    boundaries = set(first.values())

    def crosses(s: int, t: int) -> bool:
        if not shared:
            return s < first[t]
        return any(s < boundary <= (steps if shared == "last" else t) for boundary in boundaries)

    return [(s, t) for t in first for s in range(1, t + 1) if not crosses(s, t)]


def randomised(*, through: Fraction = 1 / (1 - CHANCE), steps: int = 4) -> Evidence:
    """The mean over all ways to cut, with the factor `through` where nothing is cut, against the full gradient."""
    losses = _losses(steps)
    U = losses[1].graph.parameters["U"]
    random, mean = randomise(losses, U), Fraction(0)
    for cuts in product((True, False), repeat=steps - 1):
        chance = prod(CHANCE if cut else 1 - CHANCE for cut in cuts)
        flow = np.array([Fraction(1), *(Fraction(0) if cut else through for cut in cuts)], dtype=object)
        value = evaluate(random.gradients, {**FEEDS, "flow": flow}, dtype="sympy")
        mean = mean + value * chance.numerator / chance.denominator
    full = evaluate(vjp(list(losses.values()), U, [1] * steps), FEEDS, dtype="sympy")
    shown = f"entry (0, 0): mean {mean[0, 0]}, gradient {full[0, 0]}"  # type: ignore[index]  # an array by now
    return Evidence(f"over {2 ** (steps - 1)} ways to cut, {shown}", "" if np.all(mean == full) else f"biased: {shown}")


THEOREMS = (
    Theorem(
        key="factors",
        number="6",
        title="Truncation sets factors to zero",
        statement="With a factor for each loss and each boundary that it crosses, the gradient is affine in every"
        " factor; truncation sets the factors of the cuts to 0, and its bias is the words that cross a cut. Only chunk"
        " and last can share factors between losses.",
        latex=r"g(\kappa) = \sum_{s \le t} \kappa_{t,s+1} \cdots \kappa_{t,t} \, G_{t,s}",
        kind="exact",
        check=factors_on_boundaries,
        given={},
        failing=(
            Failing(("shared", ("chunk", "last", "sliding")), "sliding: a factor that is shared"),
            Failing(("shared", ("chunk", "last", "k1_k2")), "k1_k2: a factor that is shared"),
        ),
    ),
    Theorem(
        key="randomised",
        number="7",
        title="Reweighted random truncation is unbiased",
        statement="If each boundary is cut with probability p and what passes is divided by 1 - p, the mean of the"
        " truncated gradients is the gradient (Tallec and Ollivier 2017, arXiv:1705.08209).",
        latex=r"\mathbb{E}\left[g(\kappa)\right] = g(1), \quad \kappa_b = \begin{cases} 0 & p \\"
        r" 1/(1-p) & 1-p \end{cases}",
        kind="exact",
        check=randomised,
        given={},
        failing=(Failing(("through", Fraction(1)), "biased"),),
    ),
)
