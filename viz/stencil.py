"""Stencils: text that stands in many columns, with holes for the numbers that differ from column to column.

Whatever is drawn is written by functions that take `across`, which writes the places across (those up and down are the
same in all columns). `number` writes a place as it is; `Holes` leaves a hole for it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

from .marks import number


class Stencil(NamedTuple):
    """Text with `%s` for each place of `places`, which are measured from the left of a column."""

    text: str
    places: tuple[float, ...]

    def at(self, x: float) -> str:
        """The text for a column that begins at `x`."""
        return self.text % tuple([number(x + place) for place in self.places])


class Holes:
    """Leaves a hole for each place that it is given, and remembers the place from `left` on."""

    def __init__(self, left: float) -> None:
        self.left = left
        self.places: list[float] = []

    def __call__(self, x: float) -> str:
        self.places.append(x - self.left)
        return "%s"


class Stencils:
    """Writes what looks alike with one stencil."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Stencil] = {}

    def write(self, alike: Hashable, left: float, first: Callable[[Holes], str]) -> str:
        """The text of something in the column that begins at `left`.

        `first(across)` writes the first of those that are `alike`, its places in the order of the text. It holds
        nothing that a user wrote, and so no %.
        """
        stencil = self._known.get(alike)
        if stencil is None:
            holes = Holes(left)
            text = first(holes)
            stencil = self._known[alike] = Stencil(text, tuple(holes.places))
        return stencil.at(left)
