"""Enclosures: two numbers between which the norm of a product of step Jacobians lies, with certainty.

The graph of one step, states and Jacobian alike, runs in interval arithmetic (`execute.interval_arrays`); the
intervals of the states feed the next step, and those of the Jacobians are multiplied. The norm of the
product's midpoint is then enclosed by exact certificates (`bounds`), and the radii are added:

    ||M|| - ||R||_1 <= ||J_T ... J_1|| <= ||M|| + ||R||_1,      ||R||_1 the sum of all radii.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..cells import Cell
from ..execute.arrays import Value
from ..execute.feeds import bind
from ..graph.tape import cone
from ..symbolic.running import run_tape
from .bounds import certified_sigma_max, certify
from .step_jacobians import GivenSteps, given_steps

Interval = tuple[Fraction, Fraction]


def enclose_product(
    cell: Cell,
    parameters: Mapping[str, Any],
    inputs: Any = None,
    *,
    initial: Mapping[str, Any] | None = None,
    contexts: Mapping[str, Any] | None = None,
    steps: int | None = None,
    sizes: Mapping[str, int] | None = None,
    digits: int = 40,
) -> Interval:
    """Two numbers between which ||J_T ... J_1|| of a cell lies, with certainty; J_t is that of the joined state.

    The arguments are those of `trajectory`; each entry (int, float or Fraction) is exactly the number given.
    Intervals of `digits` decimal digits widen step by step, and more digits make them narrow again: a
    saturated tanh takes 0.87 |a| digits for the 1 - y^2 of an activation a. For small nets.

    Raises as `trajectory`, `ValueRangeError` for digits under 16, and `UsageError` or `ValueRangeError` for an
    operation that intervals do not have or a comparison that they do not decide.
    """
    given = given_steps(cell, parameters, inputs, initial=initial, contexts=contexts, steps=steps, sizes=sizes)
    return enclose_norm(interval_product(given, digits))


def interval_product(given: GivenSteps, digits: int) -> list[list[Interval]]:
    """The ends of the intervals around the entries of J_T ... J_1, shape (S, S)."""
    from ..execute.interval_arrays import IntervalArrays, ends  # brings mpmath, 0.1 s

    step, net, xp = given.step, given.step.net, IntervalArrays(digits=digits)
    new = {state: net.series[state][1] for state in step.cell.states}
    nodes = cone([*new.values(), *step.block_nodes.values()])
    states = {state: step.initial_state(given.initial, state) for state in new}
    product = xp.array(np.eye(step.size, dtype=int), "real")
    for t in range(given.count):
        feeds = {name: v[t : t + 1] if name in step.cell.inputs else v[t] for name, v in given.series.items()}
        feeds |= given.parameters | {f"{state}_0": value for state, value in states.items()}
        values = run_tape(xp, nodes, bind(net.graph, feeds, nodes, "fiuO").values)
        states = {state: values[node.id] for state, node in new.items()}
        product = xp.matmul(_joined(given, values), product)
    return [[ends(entry) for entry in row] for row in xp.array(product, "real")]


def _joined(given: GivenSteps, values: Mapping[int, Any]) -> Value:
    """The blocks of one step as one matrix (S, S)."""
    step = given.step
    joined = np.zeros((step.size, step.size), dtype=object)
    for (new, old), node in step.block_nodes.items():
        part = joined[step.blocks[new], step.blocks[old]]
        part[...] = values[node.id].reshape(part.shape)
    return joined


def enclose_norm(entries: Sequence[Sequence[Interval]]) -> Interval:
    """Between which numbers the spectral norm of every matrix within the intervals lies."""
    largest = max(abs(end) for row in entries for ends in row for end in ends)
    if largest == 0:
        return Fraction(0), Fraction(0)
    # A power of two brings the midpoints into the range of floats, where their norm is guessed.
    scale = Fraction(2) ** (largest.numerator.bit_length() - largest.denominator.bit_length())
    middle = [[Fraction(float((low + high) / 2 / scale)) for low, high in row] for row in entries]
    radius = sum(
        max(abs(low / scale - m), abs(high / scale - m))
        for row, centres in zip(entries, middle, strict=True)
        for (low, high), m in zip(row, centres, strict=True)
    )
    above = certified_sigma_max(middle).bound
    below, shrink = above, Fraction(1, 10**12)
    while certify(middle, below).holds:
        below, shrink = max(Fraction(0), above * (1 - shrink)), shrink * 4
        if below == 0:
            break
    return max(Fraction(0), below - radius) * scale, (above + radius) * scale
