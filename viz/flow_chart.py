"""The chart of a gradient's flow: norms by distance, the gates on its paths, and the rates of growth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tinygraph.flow.summary import LN10, GradientFlow, class_title

from .sheet import Chart, Panel, add_legend, looks, make_sheet
from .spectrum_chart import exponents_panel
from .style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_flow(flow: GradientFlow, theme: Theme) -> Chart:
    """What `tg.gradient_flow` measured."""
    panels: list[Panel] = [
        partial(_norms, flow),
        *(partial(_ledger, flow, state) for state in flow.ledger),
        partial(exponents_panel, flow.spectrum),
    ]
    return make_sheet(panels, theme, f"gradient of {flow.cell} over {flow.setting.steps} steps")


def _norms(flow: GradientFlow, axes: Axes, theme: Theme) -> None:
    distances = np.arange(1, flow.setting.steps + 1)
    for state, (colour, dashes, _) in zip(flow.log_norms, looks(theme), strict=False):
        values = flow.log_norms[state] / LN10
        shown = np.isfinite(values)
        axes.plot(distances[shown], values[shown], color=colour, linestyle=dashes, linewidth=2, label=_jacobian(state))
    axes.axhline(0, color=theme.quiet, linewidth=0.8)
    axes.set_title("Norm by distance")
    axes.set_xlabel("distance d")
    axes.set_ylabel("log10 of the norm")
    add_legend(axes, theme)


def _ledger(flow: GradientFlow, state: str, axes: Axes, theme: Theme) -> None:
    names = dict.fromkeys(name for parts in flow.ledger.values() for name in parts)  # one look in all panels
    for name, (colour, dashes, mark) in zip(names, looks(theme), strict=False):
        if name not in flow.ledger[state]:
            continue
        values = flow.ledger[state][name]
        distances = np.flatnonzero(values) + 1
        axes.semilogy(
            distances, values[distances - 1], color=colour, linestyle=dashes, marker=mark, label=class_title(name)
        )
    reach = len(next(iter(flow.ledger[state].values()), ()))
    axes.set_xticks(range(1, reach + 1))
    axes.set_title(f"{_jacobian(state)} by gates on the path")
    axes.set_xlabel("distance d")
    axes.set_ylabel("norm of the part")
    add_legend(axes, theme)


def _jacobian(state: str) -> str:
    return rf"$\partial {state}_T / \partial {state}_{{T-d}}$"
