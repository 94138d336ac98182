"""Stencils: text that stands in many columns, with holes for the numbers that differ from column to column.

Whatever is drawn is written by functions that take `across`, which writes the places across (those up and down are the
same in all columns): `number` writes a place as it is, `Holes` leaves a hole for it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

from .marks import hundredths


class Stencil(NamedTuple):
    """Text with a hole for the whole part of each place; the places begin `whole` units from the left of a column."""

    text: str
    whole: tuple[int, ...]

    def at(self, left: int) -> str:
        """The text for a column that begins at `left`."""
        return self.text % tuple([left + whole for whole in self.whole])


class Holes:
    """Leaves a hole for each place that it is given, but for the part that all columns have, as they begin at units."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.whole: list[int] = []

    def __call__(self, x: float) -> str:
        whole, part = hundredths(x - self.left)
        self.whole.append(whole)
        return f"%d{part}"


class Stencils:
    """Writes what looks alike with one stencil."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Stencil] = {}

    def write(self, alike: Hashable, left: float, draw: Callable[[Holes], str]) -> str:
        """The text of something in the column that begins at `left`, a whole number.

        `draw(across)` writes the first of those that are `alike`, its places in the order of the text. It holds
        nothing that a user wrote, and so no %.
        """
        x = int(left)
        stencil = self._known.get(alike)
        if stencil is None:
            holes = Holes(x)
            text = draw(holes)
            stencil = self._known[alike] = Stencil(text, tuple(holes.whole))
        return stencil.at(x)
