"""Every cell by name. A cell is its equations and its reference, a family a file."""

from __future__ import annotations

from tinygraph.cells import Cell

from .ablations import GREFF, lstm_peephole
from .branching import recursive, rntn
from .conditioned import captioner, captioner_first
from .depth import highway, recurrent_highway
from .found import mut1, mut2, mut3, nas
from .gated import gru, gru_new, gru_reset_after, mgu
from .memory import lstm, lstm_coupled, lstm_peephole_full
from .output_recurrence import jordan
from .simple import elman, elman_fused, elman_linear, elman_relu, elman_sigmoid, elman_step, irnn, leaky, linear

__all__ = ["CELLS", "GREFF"]

CELLS: dict[str, Cell] = {
    made.name: made
    for made in (
        *(elman, elman_sigmoid, elman_relu, elman_linear, elman_step, elman_fused),
        *(linear, leaky, irnn, jordan),
        *(lstm, lstm_peephole, lstm_peephole_full, lstm_coupled),
        *(variant for variant in GREFF.values() if variant is not lstm),
        *(gru, gru_new, gru_reset_after, mgu, mut1, mut2, mut3, nas),
        *(highway, recurrent_highway, captioner, captioner_first, recursive, rntn),
    )
}
