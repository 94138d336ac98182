"""Marks: what is written on an edge, such as the weight that multiplies what comes along, and where it stands.

An edge comes into its box from below, or level from the side; its marks stand side by side on that last piece, just
before the head.
"""

from __future__ import annotations

from .geometry import Point, Rectangle
from .labels import label_width
from .scene import Edge, Mark
from .style import ARROW, BEND, MARK_GAP, MARK_HEIGHT, MARK_PADDING, TAG_SCALE


def mark_width(mark: Mark) -> float:
    """The width of one mark with its frame."""
    plain, bold = label_width(mark.label), label_width(mark.label, bold=mark.weight is not None)
    return max(plain * TAG_SCALE + 2 * MARK_PADDING, bold * TAG_SCALE + MARK_PADDING)  # a long name comes nearer


def marks_width(edge: Edge) -> float:
    """The width of all marks of an edge, and of the gap behind each."""
    return sum(mark_width(mark) + MARK_GAP for mark in edge.marks)


def place_marks(index: int, edge: Edge, points: list[Point]) -> list[tuple[int, int, Rectangle]]:
    """Edge number, number of the mark, and rectangle of each mark of the edge that runs along `points`."""
    (x, y), width = points[-1], marks_width(edge) - MARK_GAP
    level = points[-2][1] == y
    beside = x + ARROW + MARK_GAP / 2 if points[-2][0] > x else x - ARROW - MARK_GAP / 2 - width
    left = beside if level else x - width / 2
    top = y - MARK_HEIGHT / 2 if level else y + ARROW + BEND / 2
    found = []
    for i, mark in enumerate(edge.marks):
        found.append((index, i, Rectangle(left, top, mark_width(mark), MARK_HEIGHT)))
        left += mark_width(mark) + MARK_GAP
    return found
