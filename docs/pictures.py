"""Draws the pictures that the README and the docs show: python docs/pictures.py"""

from pathlib import Path

from tinygraph import viz
from tinygraph.demo import build_hello


def pictures() -> dict[str, str]:
    """The SVG text of each picture, by file name."""
    hello = build_hello()
    return {
        "hello.svg": viz.draw(hello.loss).svg,
        "hello-gradient.svg": viz.draw([hello.loss, hello.gradients], backward=True).svg,
    }


if __name__ == "__main__":
    for name, svg in pictures().items():
        (Path(__file__).parent / name).write_text(svg, encoding="utf-8")
