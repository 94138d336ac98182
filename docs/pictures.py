"""Draws the pictures that the README and the docs show: python docs/pictures.py"""

from pathlib import Path

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.demo import build_hello


def pictures() -> dict[str, str]:
    """The SVG text of each picture, by file name."""
    hello = build_hello()
    return {
        "hello.svg": viz.draw(hello.loss).svg,
        "hello-gradient.svg": viz.draw([hello.loss, hello.gradients], backward=True).svg,
    }


def charts() -> dict[str, str]:
    """The same of charts, whose bytes depend on the version of matplotlib and on rounding."""
    return {"flow.svg": viz.chart(tg.gradient_flow(models.lstm, 100)).svg}


if __name__ == "__main__":
    for name, svg in (pictures() | charts()).items():
        (Path(__file__).parent / name).write_text(svg, encoding="utf-8")
