"""Nets whose weights are set by hand: they need no training, and they are exact.

running_sum     h_t = h_{t-1} + x_t
larger_total    h_t = h_{t-1} + x_t - x'_t,  y_t = sigma(5 h_t): above 1/2 where x has the larger total
parity          y_t = XOR(x_t, y_{t-1}) = OR and not AND, with a hidden unit for each
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.cells import Cell
from tinygraph.errors import ValueRangeError
from tinygraph.execute.interpreter import evaluate
from tinygraph.graph import Steps
from tinygraph.ops.nonlinear import sigmoid, step
from tinygraph.unrolling import Unrolled, unroll

from .cells.output_recurrence import jordan
from .cells.simple import linear
from .heads import readout

threshold_parity = jordan.variant(
    "threshold_parity", "Output recurrence of threshold units.", activation=step, output_activation=step
)
logistic_parity = jordan.variant(
    "logistic_parity", "Output recurrence of logistic units.", activation=sigmoid, output_activation=sigmoid
)


@dataclass(frozen=True, eq=False)
class HandSet:
    """An unrolled net with its weights: `run(x)`, and `output` by step, to be drawn or differentiated."""

    net: Unrolled
    output: Steps
    weights: Mapping[str, Any]

    def run(self, x: Any) -> np.ndarray[Any, Any]:
        """The outputs (steps, O) or (steps, batch, O) for inputs (steps, I) or (steps, batch, I).

        Raises `FeedError` for other shapes.
        """
        return np.stack(evaluate(list(self.output.values()), {**self.weights, "x": x}))


def running_sum(steps: int) -> HandSet:
    """h_t = x_1 + ... + x_t of numbers (steps, 1): a linear net with all weights 1."""
    net = unroll(linear, steps, I=1, H=1)
    return HandSet(net, net.output, {"W": [[1]], "U": [[1]]})


def larger_total(steps: int) -> HandSet:
    """Whether the first of two inputs (steps, 2) has the larger total so far: above 1/2 yes, below no, 1/2 equal."""
    net = unroll(linear, steps, I=2, H=1)
    return HandSet(net, readout(net, 1, activation="sigmoid"), {"W": [[1, -1]], "U": [[1]], "V": [[5]], "c": [0]})


def parity(steps: int, *, sharpness: float | None = None) -> HandSet:
    """Whether the number of ones among the bits x_1..x_t (steps, 1) is odd: 1 or 0.

    Hidden units are AND, x + y > 3/2, and OR, x + y > 1/2; the output is their XOR, OR - AND > 1/2.
    With a `sharpness` the thresholds are logistic units with weights that much larger; then outputs are
    above or below 1/2. From 10 on an error of the last output shrinks from step to step.

    Raises `ValueRangeError` for a sharpness below 10.
    """
    if sharpness is not None and not sharpness >= 10:
        raise ValueRangeError(f"logistic units with weights of {sharpness!r:.40} may lose count", fix="sharpness=20")
    cell: Cell = threshold_parity if sharpness is None else logistic_parity
    net = unroll(cell, steps, I=1, H=2, O=1)
    weights = {"W": [[1], [1]], "R": [[1], [1]], "b": [-3 / 2, -1 / 2], "V": [[-1, 1]], "c": [-1 / 2]}
    scale = 1 if sharpness is None else sharpness
    return HandSet(net, net.output, {name: scale * np.array(value, float) for name, value in weights.items()})
