"""The chart of a gradient's flow: norms by distance, the gates on its paths, and the rates of growth."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygraph.errors import DrawingError, expect
from tinygraph.flow.summary import LN10, GradientFlow, class_title

from .output import write_file
from .style import FONT, Theme, rail_colour, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (4.3, 3.4)  # inches: three panels fill a slide's width at 10 pt text
LINES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
FORMATS = (".svg", ".png")


@dataclass(frozen=True, repr=False)
class Chart:
    """A chart. It shows itself in a notebook, and is saved as `.svg` or `.png`."""

    render: Callable[[str], bytes]
    description: str

    @property
    def svg(self) -> str:
        """The chart as SVG text."""
        return self.render("svg").decode("utf-8")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the chart, whole or not at all; the path. Raises `DrawingError`."""
        target = Path(path)
        if target.suffix.lower() not in FORMATS:
            raise DrawingError(f"cannot save a chart as {str(path)!r:.200}", fix="a name that ends in .svg or .png")
        return write_file(target, self.render(target.suffix.lower()[1:]))

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Chart: {self.description}>"


def chart(flow: GradientFlow, *, theme: str = "light") -> Chart:
    """Plot what `tg.gradient_flow` measured; `theme` is "light" or "dark". Raises `UsageError`, `DrawingError`."""
    expect(flow, GradientFlow, "a chart is made of a flow", "viz.chart(tg.gradient_flow(models.lstm))")
    paint = theme_named(theme)
    return Chart(lambda kind: _render(flow, paint, kind), f"gradient of {flow.cell} over {flow.setting.steps} steps")


def _render(flow: GradientFlow, theme: Theme, kind: str) -> bytes:
    import matplotlib  # takes 0.3 s
    from matplotlib.figure import Figure

    fonts = [font.strip() for font in FONT.split(",")][:1]
    look: dict[Any, Any] = {"svg.hashsalt": "tinygraph", "svg.fonttype": "none", "font.family": fonts, "font.size": 10}
    with matplotlib.rc_context(look):
        panels: list[Callable[[Axes], None]] = [
            lambda axes: _norms(axes, flow, theme),
            *(lambda axes, state=state: _ledger(axes, flow, state, theme) for state in flow.ledger),
            lambda axes: _exponents(axes, flow, theme),
        ]
        columns = 2 if len(panels) == 4 else 3
        rows = -(-len(panels) // columns)
        size = PANEL[0] * columns, PANEL[1] * rows
        figure: Figure = Figure(figsize=size, facecolor=theme.background, layout="constrained")
        for place, panel in enumerate(panels, 1):
            axes = figure.add_subplot(rows, columns, place)
            _paint(axes, theme)
            panel(axes)
        out = io.BytesIO()
        figure.savefig(out, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return out.getvalue()


def _paint(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.background)
    axes.tick_params(colors=theme.quiet)
    axes.grid(color=theme.lane_line, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(theme.lane_line)
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(theme.text)


def _norms(axes: Axes, flow: GradientFlow, theme: Theme) -> None:
    distances = np.arange(1, flow.setting.steps + 1)
    for state, (colour, dashes, _) in zip(flow.log_norms, _looks(theme), strict=False):
        values = flow.log_norms[state] / LN10
        shown = np.isfinite(values)
        axes.plot(distances[shown], values[shown], color=colour, linestyle=dashes, linewidth=2, label=_jacobian(state))
    axes.axhline(0, color=theme.quiet, linewidth=0.8)
    axes.set_title("Norm by distance")
    axes.set_xlabel("distance d")
    axes.set_ylabel("log10 of the norm")
    _legend(axes, theme)


def _ledger(axes: Axes, flow: GradientFlow, state: str, theme: Theme) -> None:
    names = dict.fromkeys(name for parts in flow.ledger.values() for name in parts)  # one look in all panels
    for name, (colour, dashes, mark) in zip(names, _looks(theme), strict=False):
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
    _legend(axes, theme)


def _exponents(axes: Axes, flow: GradientFlow, theme: Theme) -> None:
    values = flow.spectrum.exponents
    shown = np.isfinite(values)
    axes.plot(np.flatnonzero(shown) + 1, values[shown], "o", color=theme.carried, markersize=5)
    axes.axhline(0, color=theme.quiet, linewidth=0.8)
    axes.set_title("Growth per step")
    axes.set_xlabel("Lyapunov exponent, by rank")
    axes.set_ylabel("rate (natural log per step)")


def _legend(axes: Axes, theme: Theme) -> None:
    """Below the panel, where it covers no line."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False, labelcolor=theme.text)


def _jacobian(state: str) -> str:
    return rf"$\partial {state}_T / \partial {state}_{{T-d}}$"


def _looks(theme: Theme) -> Iterator[tuple[Any, Any, Any]]:
    """Colours, and dashes and marks beside them, so that lines differ in grey too."""
    colours = (rail_colour(theme, index)[0] for index in cycle(range(len(theme.rail))))
    return zip(colours, cycle(LINES), cycle(MARKS), strict=False)
