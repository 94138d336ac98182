"""A sheet of charts in the style of the pictures: panels in rows, drawn by matplotlib, the same bytes each time."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygraph.errors import DrawingError

from .output import write_file
from .style import FONT, Theme, rail_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (4.3, 3.4)  # inches: three panels fill a slide's width at 10 pt text
MINIMUM = 10  # points, of all text
LINES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
FORMATS = (".svg", ".png")

Panel = Callable[["Axes", Theme], None]  # draws one chart on its axes


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


def make_sheet(panels: Sequence[Panel], theme: Theme, description: str) -> Chart:
    """A chart of some panels, at most three in a row."""
    return Chart(lambda kind: _render(panels, theme, kind), description)


def _render(panels: Sequence[Panel], theme: Theme, kind: str) -> bytes:
    import matplotlib  # takes 0.3 s
    from matplotlib.figure import Figure

    fonts = [font.strip() for font in FONT.split(",")][:1]
    look: dict[Any, Any] = {
        "svg.hashsalt": "tinygraph",
        "svg.fonttype": "none",
        "font.family": fonts,
        "font.size": MINIMUM,
        "image.composite_image": False,
    }
    with matplotlib.rc_context(look):
        columns = len(panels) if len(panels) < 3 else 2 if len(panels) == 4 else 3
        rows = -(-len(panels) // columns)
        size = PANEL[0] * columns, PANEL[1] * rows
        figure: Figure = Figure(figsize=size, facecolor=theme.background, layout="constrained")
        for place, panel in enumerate(panels, 1):
            axes = figure.add_subplot(rows, columns, place)
            _paint(axes, theme)
            panel(axes, theme)
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


def add_legend(axes: Axes, theme: Theme) -> None:
    """Below the panel, where it covers no line."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False, labelcolor=theme.text)


def looks(theme: Theme) -> Iterator[tuple[Any, Any, Any]]:
    """Colours, and dashes and marks beside them, so that lines differ in grey too."""
    colours = (rail_colour(theme, index)[0] for index in cycle(range(len(theme.rail))))
    return zip(colours, cycle(LINES), cycle(MARKS), strict=False)


def add_heat(
    axes: Axes, theme: Theme, table: Any, ends: tuple[float, float], words: str, first: tuple[int, int] = (1, 1)
) -> None:
    """A heat map of a table (rows upwards), from pale to strong between two `ends`; what is not finite stays empty.

    `words` name the scale; `first` are the numbers of the first column and row.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import MaxNLocator

    colours = LinearSegmentedColormap.from_list("flow", theme.flow)
    values = np.ma.masked_invalid(table)
    rows, columns = values.shape
    extent = (first[0] - 0.5, first[0] + columns - 0.5, first[1] - 0.5, first[1] + rows - 0.5)
    axes.grid(visible=False)
    drawn = axes.pcolormesh(
        np.linspace(extent[0], extent[1], columns + 1),
        np.linspace(extent[2], extent[3], rows + 1),
        values,
        cmap=colours,
        vmin=ends[0],
        vmax=ends[1],
        rasterized=values.size > VECTORS,
    )
    assert axes.figure is not None  # a panel is drawn on a figure's axes
    bar = axes.figure.colorbar(drawn, ax=axes)
    bar.set_label(words, color=theme.text)
    bar.ax.tick_params(colors=theme.quiet)
    bar.outline.set_edgecolor(theme.lane_line)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


VECTORS = 4096  # cells of a heat map drawn one by one; a larger one is an image in the picture
