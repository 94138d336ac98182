"""How far gradients reach in a truncated net: which pairs are kept, and before which steps gradients are cut."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

CHART_LIMIT = 24  # steps; a larger chart would be larger than the net


@dataclass(frozen=True)
class Reach:
    """`first` has, for each step t of a loss, the first step that it reaches; above t none."""

    first: Mapping[int, int]

    @property
    def steps(self) -> int:
        """T, the last step of a loss."""
        return max(self.first)

    @property
    def cuts(self) -> set[int]:
        """The steps before which the gradient of some loss is cut."""
        return {first for first in self.first.values() if first > 1}

    @property
    def chunks(self) -> dict[int, int]:
        """The number of the chunk of each step that a loss reaches; empty if the losses' windows overlap."""
        starts = sorted({1} | self.cuts)
        own = {t: bisect_right(starts, t) for t in range(1, self.steps + 1)}
        reaching = {t: first for t, first in self.first.items() if first <= t}
        if any(max(first, 1) != starts[own[t] - 1] for t, first in reaching.items()):
            return {}
        last = {own[t]: t for t in sorted(reaching)}
        return {s: number for s, number in own.items() if s <= last.get(number, 0)}

    @property
    def charted(self) -> bool:
        """Whether the chart is small enough to be drawn."""
        return self.steps <= CHART_LIMIT

    @property
    def pairs(self) -> list[tuple[int, int, bool]]:
        """(s, t, whether the loss at t reaches step s), for all steps s up to each loss."""
        return [(s, t, self.keeps(s, t)) for t in sorted(self.first) for s in range(1, t + 1)]

    def keeps(self, s: int, t: int) -> bool:
        """Whether the loss at t reaches step s."""
        return t in self.first and self.first[t] <= s <= t
