"""`chart`: of what a chart can be made, and by which file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tinygraph.errors import UsageError
from tinygraph.flow.lyapunov import Spectrum
from tinygraph.flow.per_use import Contributions
from tinygraph.flow.summary import GradientFlow
from tinygraph.unrolling import Unrolled

from .contribution_chart import plot_contributions
from .flow_chart import plot_flow
from .gate_chart import plot_gates
from .loss_chart import plot_losses, read_metrics
from .sheet import Chart
from .spectrum_chart import plot_spectrum
from .style import theme_named


def chart(what: Any, *, feeds: Mapping[Any, Any] | None = None, theme: str = "light") -> Chart:
    """Plot what was measured, in the style of the pictures; `theme` is "light" or "dark".

    tg.gradient_flow(cell)          norms by distance, the gates on the way, the rates of growth
    tg.lyapunov_spectrum(J)         the rates alone, and how they settle
    tg.contributions(losses, p)     a heat map of |G[t, s]|, for these `feeds`
    tg.unroll(cell, ...)            a heat map of each gate over time, for these `feeds`
    records, or a run's folder      the loss by update: dicts, reports, or the path of a `metrics.jsonl`

    Raises `UsageError` for anything else or without the feeds, `DrawingError`, and what `evaluate` raises.
    """
    paint = theme_named(theme)
    if isinstance(what, GradientFlow):
        return plot_flow(what, paint)
    if isinstance(what, Spectrum):
        return plot_spectrum(what, paint)
    if isinstance(what, (str, os.PathLike)):
        return plot_losses(read_metrics(what), paint)
    if isinstance(what, (list, tuple)):
        return plot_losses(what, paint)
    if isinstance(what, Contributions):
        return plot_contributions(what, _given(feeds), paint)
    if isinstance(what, Unrolled):
        return plot_gates(what, _given(feeds), paint)
    raise UsageError(f"no chart is made of {what!r:.80}", fix="viz.chart(tg.gradient_flow(models.lstm))")


def _given(feeds: Mapping[Any, Any] | None) -> Mapping[Any, Any]:
    if not isinstance(feeds, Mapping):
        raise UsageError("this chart needs values", fix="viz.chart(net, feeds=net.initial(seed=0) | {'x': x})")
    return feeds
