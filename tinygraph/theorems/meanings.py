"""The four meanings of truncated backpropagation through time, and training over chunks, which is none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cells import Cell
from ..differentiate import vjp
from ..execute.interpreter import evaluate
from ..flow.truncation_bias import bias_of_truncation
from ..graph.node import Node
from ..ops.linear import dot
from ..passes.truncation import truncate
from ..unrolling import Unrolled, unroll
from .feeding import normal_feeds
from .statement import Evidence, Failing, Named, Theorem

STEPS = 6
TOLERANCE = 1e-12
MEANINGS: dict[str, dict[str, int]] = {
    "chunk": {"k1": 3},
    "sliding": {"k2": 3},
    "k1_k2": {"k1": 2, "k2": 3},
    "last": {"k2": 3},
}


def four_meanings(cell: Cell, *, reach: int = STEPS) -> Evidence:
    """Which pairs each meaning keeps, its bias for every parameter; and with windows of `reach` steps, none."""
    net, losses, feeds = _net(cell, STEPS)
    kept, shown = [], []
    for mode, numbers in MEANINGS.items():
        kept.append(truncate(losses, net.parameters, mode=mode, **numbers).kept)
        rows = bias_of_truncation(losses, net.parameters, feeds, mode=mode, **numbers)
        biases = ", ".join(f"{name} {row.bias:.3g} (cosine {row.cosine:.3f})" for name, row in rows.items())
        shown.append(f"{mode} keeps {len(kept[-1])}, bias {biases}")
        longest = {**numbers, "k1" if mode == "chunk" else "k2": reach}
        whole = bias_of_truncation(losses, net.parameters, feeds, mode=mode, **longest)
        worst = max(row.bias / row.full for row in whole.values())
        if worst > TOLERANCE:
            return Evidence("", f"{mode} over {reach} of {STEPS} steps is biased by {worst:.1g}")
    if any(a == b for i, a in enumerate(kept) for b in kept[:i]):
        return Evidence("", "two meanings keep the same pairs")
    return Evidence("; ".join(shown))


def carried_state(cell: Cell, *, rate: float = 0.1) -> Evidence:
    """The second chunk's gradient in training, where its first state comes from the parameters before the update.

    It stands against the static truncation with the parameters after the update, and with those before.
    """
    half, losses, feeds = _net(cell, STEPS // 2)
    whole, all_losses, all_feeds = _net(cell, STEPS)
    inputs = {name: all_feeds[name] for name in cell.inputs}
    before = {name: feeds[name] for name in half.parameters}
    start = {f"{state}_0": np.zeros(half.series[state][0].shape) for state in cell.states}
    first = {name: value[: STEPS // 2] for name, value in inputs.items()}
    second = {name: value[STEPS // 2 :] for name, value in inputs.items()}
    gradients = vjp(list(losses.values()), half.parameters, [1] * len(losses))
    last = {f"{state}_0": half.series[state].last for state in cell.states}
    learned, carried = evaluate([gradients, last], {**before, **first, **start})
    after = {name: value - rate * learned[name] for name, value in before.items()}
    trained = evaluate(gradients, {**after, **second, **carried})
    late = {t: loss for t, loss in all_losses.items() if t > STEPS // 2}
    cut = truncate(late, whole.parameters, mode="chunk", k1=STEPS // 2).gradients
    gaps = []
    for values in (after, before):
        static = evaluate(cut, {**values, **inputs, **start})
        gaps.append(max(_relative(trained[name] - static[name], static[name]) for name in trained))
    numbers = f"it differs by {gaps[0]:.2g} from the truncation after the update, by {gaps[1]:.2g} from that before"
    return Evidence(numbers, "" if min(gaps) > 1e-6 else f"a static truncation equals it to {min(gaps):.0e}")


def _net(cell: Cell, steps: int) -> tuple[Unrolled, dict[int, Node], Mapping[str, Any]]:
    """A net of two units, its state's square as the loss of each step, and numbers for it."""
    net = unroll(cell, steps, initial="fed", sizes=dict.fromkeys(cell.sizes, 2))
    losses = {}
    for t, state in net.output.items():
        with net.graph.at(step=t):
            losses[t] = dot(state, state)
    return net, losses, normal_feeds(net.graph, np.random.default_rng(0))


def _relative(difference: Any, value: Any) -> float:
    return float(np.linalg.norm(difference) / np.linalg.norm(value))


THEOREMS = (
    Theorem(
        key="meanings",
        number="truncation",
        title="Four meanings of truncated BPTT",
        statement="chunk, sliding, k1_k2 and last keep different pairs of loss and step, with different biases; over"
        " windows as long as the sequence each is the full gradient.",
        latex=r"g_{\text{trunc}} = \sum_t \sum_{s = \text{first}(t)}^{t} G_{t,s}, \quad \text{first} = 1"
        r" \Rightarrow g_{\text{trunc}} = g",
        kind="numeric",
        check=four_meanings,
        given={"cell": Named("elman")},
        failing=(Failing(("reach", STEPS - 1), "is biased by"),),
    ),
    Theorem(
        key="carried",
        number="truncation, training",
        title="Training over chunks is none of them",
        statement="Training over chunks carries a state that was computed with the parameters before the update, so"
        " no static truncation has its gradient.",
        latex=r"\nabla_\theta L_2\big(\theta_1, h_k(\theta_0)\big) \ne \nabla_\theta L_2\big(\theta_1,"
        r" h_k(\theta_1)\big)",
        kind="numeric",
        check=carried_state,
        given={"cell": Named("lstm")},
        failing=(Failing(("rate", 0.0), "a static truncation equals it"),),
    ),
)
