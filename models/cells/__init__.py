"""Every cell by name. A cell is its equations and its reference, a family a file."""

from __future__ import annotations

from tinygraph.cells import Cell

from .gated import gru, gru_reset_after
from .memory import lstm
from .simple import elman

CELLS: dict[str, Cell] = {cell.name: cell for cell in (elman, lstm, gru, gru_reset_after)}
