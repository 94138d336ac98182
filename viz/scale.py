"""The scale of a gradient: norms as widths and colours, by their log10."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, log10

from .style import FLOW_DECADES, FLOW_WIDTH, Theme

STEPS = 5  # samples in the legend


@dataclass(frozen=True)
class Scale:
    """Log10 of the weakest and the strongest norm that are told apart."""

    low: float
    high: float

    def place(self, norm: float) -> float:
        """From 0, weakest, to 1, strongest. Zero is the weakest, and what is not finite the strongest."""
        if norm == 0:
            return 0.0
        if not isfinite(norm):
            return 1.0
        return min(max((log10(norm) - self.low) / (self.high - self.low), 0.0), 1.0)

    def width(self, norm: float) -> float:
        """The width of a line."""
        thin, thick = FLOW_WIDTH
        return thin + (thick - thin) * self.place(norm)

    def colour(self, norm: float, theme: Theme) -> str:
        """The colour of a line."""
        return theme.flow[min(int(self.place(norm) * len(theme.flow)), len(theme.flow) - 1)]

    def samples(self) -> list[float]:
        """Norms for a legend, from the weakest to the strongest."""
        return [10 ** (self.low + (self.high - self.low) * i / (STEPS - 1)) for i in range(STEPS)]


def scale_of(norms: Iterable[float]) -> Scale | None:
    """The scale on which these norms differ; None if there are none above zero."""
    logs = [log10(norm) for norm in norms if norm > 0 and isfinite(norm)]
    if not logs:
        return None
    most, least = FLOW_DECADES
    return Scale(min(max(min(logs), max(logs) - most), max(logs) - least), max(logs))
