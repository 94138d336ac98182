"""The chart of a Lyapunov spectrum: the rate of each direction, and how the largest ones settle along the run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tinygraph.flow.lyapunov import Spectrum

from .sheet import Chart, add_legend, looks, make_sheet
from .style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLLOWED = 3  # exponents whose way is shown


def plot_spectrum(spectrum: Spectrum, theme: Theme) -> Chart:
    """What `tg.lyapunov_spectrum` found."""
    panels = [partial(exponents_panel, spectrum), partial(_settling, spectrum)]
    steps, states = spectrum.growth.shape
    return make_sheet(panels, theme, f"{states} Lyapunov exponents over {steps} steps")


def exponents_panel(spectrum: Spectrum, axes: Axes, theme: Theme) -> None:
    """The exponents by rank."""
    values = spectrum.exponents
    shown = np.isfinite(values)
    axes.plot(np.flatnonzero(shown) + 1, values[shown], "o", color=theme.carried, markersize=5)
    axes.axhline(0, color=theme.quiet, linewidth=0.8)
    axes.set_title("Growth per step")
    axes.set_xlabel("Lyapunov exponent, by rank")
    axes.set_ylabel("rate (natural log per step)")


def _settling(spectrum: Spectrum, axes: Axes, theme: Theme) -> None:
    """The running means of the growth, which end at the exponents."""
    steps = np.arange(1, len(spectrum.growth) + 1)
    means = np.cumsum(spectrum.growth, axis=0) / steps[:, None]
    for rank, (mean, (colour, dashes, _)) in enumerate(zip(means.T[:FOLLOWED], looks(theme), strict=False), 1):
        shown = np.isfinite(mean)
        axes.plot(steps[shown], mean[shown], color=colour, linestyle=dashes, linewidth=2, label=f"number {rank}")
    axes.axhline(0, color=theme.quiet, linewidth=0.8)
    axes.set_title("Mean growth so far")
    axes.set_xlabel("step")
    axes.set_ylabel("rate (natural log per step)")
    add_legend(axes, theme)
