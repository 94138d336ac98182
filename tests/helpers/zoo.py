"""Which cells a test runs over.

A cheap test takes all of CELLS. A dear one takes all in the slow run, and in the default run the few that
stand for the others: between them they have every operation, role and number of states.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tinygraph.cells import Cell
from tinygraph.models import CELLS
from tinygraph.models.language import has_own_width, reads_symbols

FEW = ("elman", "elman_step", "lstm", "gru", "leaky", "nas", "highway", "captioner_first", "rntn")

STACKABLE = [name for name, cell in CELLS.items() if cell.inputs]  # others have nothing to read a layer below with
FLAT = {"elman_step"}  # with a derivative of zero everywhere
LANGUAGE = [n for n, cell in CELLS.items() if reads_symbols(cell) and has_own_width(cell) and n not in FLAT]
KINKED = {"elman_relu", "elman_step", "irnn", "nas"}  # not smooth: SymPy has no derivative
SELECTING = {"elman_fused", "recursive", "rntn"}  # whose words select entries by number
RECTANGULAR = {*SELECTING, "jordan"}  # whose words hold matrices that are not square, so that no other order fits


def few(names: Iterable[str] = CELLS) -> list[Any]:
    """The cells as parameters of a test; those that stand for others in the default run too."""
    return [pytest.param(name, marks=[] if name in FEW else [pytest.mark.slow]) for name in names]


def sizes_of(cell: Cell, size: int = 3, **others: int) -> dict[str, int]:
    """One size for all of a cell's sizes but the `others`."""
    return {name: others.get(name, size) for name in cell.sizes}
