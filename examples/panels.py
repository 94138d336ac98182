"""Charts for the examples: images, where a net looks, tables of shares, and lines."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygraph import viz

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def images(rows: Sequence[Sequence[Any]], titles: Sequence[Sequence[str]], *, title: str) -> viz.Chart:
    """Grey images (height, width), in rows, ink dark; each below its title. All on one scale."""
    every = [np.asarray(image) for row in rows for image in row]
    high, (height, width) = max(float(image.max()) for image in every), every[0].shape
    wide = max(0.9 * width / height, 0.075 * max(len(word) for words in titles for word in words))

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(rows), max(map(len, rows)), squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for shown, row, words in zip(grid, rows, titles, strict=True):
            for axes, image, word in zip(shown, row, words, strict=False):
                axes.axis("on")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_color("lightgrey")
                axes.imshow(image, cmap="Greys", vmin=0, vmax=high)
                axes.set_title(word, fontsize=8)

    return _chart(draw, title, (0.2 + wide * max(map(len, rows)), 0.4 + 1.15 * len(rows)))


def attention(weights: Any, *, read: Sequence[str], said: Sequence[str], title: str) -> viz.Chart:
    """Where a net looks while it speaks: weights (said, read), a row for each symbol that is said."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(read)), read)
        axes.set_yticks(range(len(said)), said)
        axes.set(xlabel="read", ylabel="said")

    return _chart(draw, title, (1.1 + 0.2 * len(read), 1.0 + 0.2 * len(said)))


def table(values: Any, rows: Sequence[str], columns: Sequence[str], *, title: str) -> viz.Chart:
    """Shares from 0 to 1 as a table (rows, columns), darker where they are larger."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.imshow(values, cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        for row, shares in enumerate(values):
            for column, share in enumerate(shares):
                axes.text(
                    column, row, f"{share:.0%}", ha="center", va="center", color="white" if share > 0.7 else "black"
                )

    return _chart(draw, title, (1.4 + 0.9 * len(columns), 0.9 + 0.35 * len(rows)))


def curves(
    lines: Mapping[str, tuple[Any, Any]], *, title: str, x: str, y: str, limits: tuple[float, float] | None = None
) -> viz.Chart:
    """Lines by name, each given as (places, values); `x` and `y` say what the axes are, `limits` how far y goes."""

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_subplot()
        for (name, (places, values)), dashes in zip(lines.items(), cycle(("-", "--", ":", "-.")), strict=False):
            axes.plot(places, values, dashes, linewidth=1.8, label=name)
        axes.set(xlabel=x, ylabel=y, ylim=limits)
        if all(np.asarray(places).dtype.kind == "i" for places, _ in lines.values()):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)

    return _chart(draw, title, (7.5, 3.4))


def _chart(draw: Callable[[Figure], None], title: str, size: tuple[float, float]) -> viz.Chart:
    """A chart whose bytes depend on what is drawn alone."""

    def render(kind: str) -> bytes:
        import matplotlib  # takes 0.3 s
        from matplotlib.figure import Figure

        with matplotlib.rc_context({"svg.hashsalt": "tinygraph", "svg.fonttype": "none", "font.size": 9}):
            figure = Figure(figsize=size, layout="constrained")
            draw(figure)
            figure.suptitle(title, fontsize=10)
            out = io.BytesIO()
            figure.savefig(out, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {"Software": None})
        return out.getvalue()

    return viz.Chart(render, title)
