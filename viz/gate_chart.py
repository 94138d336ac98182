"""The chart of what the gates of a net do: the value of each unit at each step, a panel for each gate.

Gates are the named values between 0 and 1: results of a sigmoid or, as the weights of attention, of a softmax.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygraph.errors import DrawingError
from tinygraph.execute.interpreter import evaluate
from tinygraph.unrolling import Unrolled

from .labels import clean
from .sheet import Chart, add_heat, make_sheet
from .style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SQUASHED = ("sigmoid", "softmax")


def plot_gates(net: Unrolled, feeds: Mapping[Any, Any], theme: Theme) -> Chart:
    """The gates of a net for these feeds, means over the examples of a batch.

    Raises `DrawingError` for a net without gates, and what `evaluate` raises.
    """
    gates = {
        name: [steps[t] for t in range(1, net.steps + 1)] for name, steps in net.series.items() if _squashed(steps)
    }
    if not gates:
        raise DrawingError(
            f"{net.cell.name} has no gates: no named value is a sigmoid or a softmax",
            fix="draw a cell such as models.lstm",
        )
    panels = []
    for name, values in evaluate(gates, feeds).items():
        ranked = zip(values, [node.ndim for node in gates[name]], strict=True)
        means = [np.mean(value, axis=0) if np.ndim(value) > rank else value for value, rank in ranked]
        panels.append(partial(_activity, clean(name), np.array([np.ravel(mean) for mean in means]).T))
    return make_sheet(panels, theme, f"gates of {net.cell.name} over {net.steps} steps: {', '.join(map(clean, gates))}")


def _squashed(steps: Any) -> bool:
    return all(node.op.name in SQUASHED for t, node in steps.items() if t > 0)


def _activity(name: str, values: np.ndarray[Any, Any], axes: Axes, theme: Theme) -> None:
    add_heat(axes, theme, values, (0.0, 1.0), "value, from 0 (closed) to 1 (open)")
    axes.set_title(name)
    axes.set_xlabel("step")
    axes.set_ylabel("unit")
