"""The chart of G[t, s], the gradient of the loss at t through the use of a parameter at s, as a heat map of norms."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygraph.flow.per_use import Contributions

from .labels import clean
from .sheet import Chart, add_heat, make_sheet
from .style import FLOW_DECADES, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_contributions(parts: Contributions, feeds: Mapping[Any, Any], theme: Theme) -> Chart:
    """The norms of `tg.contributions` for these feeds. Raises what `evaluate` raises."""
    norms = parts.norms(feeds)
    name = clean(parts.parameter.name)
    return make_sheet([partial(_pairs, norms, name)], theme, f"contributions of {name} over {len(norms)} steps")


def _pairs(norms: np.ndarray[Any, Any], name: str, axes: Axes, theme: Theme) -> None:
    with np.errstate(divide="ignore"):
        logs = np.log10(norms)  # a pair that does not exist has norm 0, and stays empty
    found = logs[np.isfinite(logs)]
    most, least = FLOW_DECADES
    high = float(found.max()) if found.size else 0.0
    low = min(max(float(found.min()), high - most), high - least) if found.size else -least
    add_heat(axes, theme, np.maximum(logs, low, where=np.isfinite(logs), out=logs), (low, high), "log10 of the norm")
    axes.set_title(f"Gradient through each use of {name}")
    axes.set_xlabel("use at step s")
    axes.set_ylabel("loss at step t")
