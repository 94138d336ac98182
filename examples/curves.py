"""Lines in one chart, for the examples that end in numbers over time or over length."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from tinygraph import viz


def curves(lines: Mapping[str, tuple[Any, Any]], *, title: str, x: str, y: str, log: bool = False) -> viz.Chart:
    """A chart of lines by name, each given as (places, values); `x` and `y` say what the axes are.

    With `log`, the axis of values is logarithmic. The same numbers give the same bytes.
    """
    return viz.Chart(lambda kind: _render(lines, title, x, y, log, kind), title)


def _render(lines: Mapping[str, tuple[Any, Any]], title: str, x: str, y: str, log: bool, kind: str) -> bytes:
    import matplotlib  # takes 0.3 s
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "tinygraph", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for (name, (places, values)), dashes in zip(lines.items(), ("-", "--", ":", "-.") * len(lines), strict=False):
            axes.plot(places, values, dashes, linewidth=1.8, label=name)
        axes.set(title=title, xlabel=x, ylabel=y, yscale="log" if log else "linear")
        axes.grid(linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        out = io.BytesIO()
        figure.savefig(out, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return out.getvalue()
