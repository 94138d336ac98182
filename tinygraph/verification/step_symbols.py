"""The values of a step as SymPy matrices, to write a claim with: `v.U`, `v.h[t]`.

Vectors are columns. Each output of a nonlinearity is a symbol of its own, so a formula is a polynomial of
its symbols, and of two formulas the difference can be expanded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from ..cells import Cell
from ..errors import UsageError, expect
from ..shapes import size
from ..symbolic.elementwise import OwnSymbols, is_zero, symbols_of
from ..symbolic.words import Block
from .named_values import Named
from .step_points import StepPoint


class StepSymbols:
    """A step over SymPy's symbols; the same cell and sizes give the same symbols."""

    def __init__(self, point: StepPoint) -> None:
        self.point, self.xp = point, OwnSymbols()
        self.fed = point.draw(symbols_of, np.random.default_rng(0))
        self.run = point.run(self.xp, self.fed)
        self.values: Named = point.named(lambda node: _matrix(self.run[node.id]))

    def jacobian(self, block: Block) -> Any:
        """A block, differentiated by SymPy: an object array."""
        new, old = self.point.ends[block[0]], self.point.start[block[1]]
        entries = np.ravel(self.run[new.id])
        columns = [self.xp.derivatives(entries, symbol) for symbol in np.ravel(self.fed[old.id])]
        return np.array(columns, dtype=object).reshape(size(old.shape), size(new.shape)).T

    def agrees(self, matrix: Any, block: Block) -> bool:
        """Whether a matrix is that block, entry by entry as polynomials."""
        right = self.jacobian(block)
        return all(is_zero(matrix[i, j] - right[i, j]) for i, j in np.ndindex(right.shape))

    def check(self, matrix: Any) -> None:
        """Raise `UsageError` for a matrix with symbols of its own."""
        known = set(self._symbols)
        foreign = sorted(str(symbol) for symbol in sympy.Matrix(matrix).free_symbols - known)
        if foreign:
            raise UsageError(
                f"the claim has symbols that the step does not: {', '.join(foreign[:6])}",
                fix="write it with the symbols of tg.symbols(cell)",
            )

    def numbers(self, matrix: Any, run: Mapping[int, Any]) -> Any:
        """A matrix of these symbols at the values of a run in floats."""
        point = {symbol: sympy.Float(float(run[i][index])) for symbol, (i, index) in self._symbols.items()}
        return np.array(sympy.Matrix(matrix).xreplace(point).evalf().tolist(), dtype=float)

    @cached_property
    def _symbols(self) -> dict[sympy.Symbol, tuple[int, tuple[int, ...]]]:
        """Each symbol, with the node and the entry that it is."""
        return {
            entry: (node.id, index)
            for node in self.point.nodes
            if node.kind == "real"
            for index, entry in np.ndenumerate(self.run[node.id])
            if isinstance(entry, sympy.Symbol)
        }


def symbols(cell: Cell, *, steps: int = 1, n: int = 2) -> tuple[Named, int]:
    """The values of a cell's step as SymPy matrices, by name, and the step t of its new states.

    `v, t = tg.symbols(models.elman)`, then `v.U`, `v.h[t - 1]`. `n` is the size of each state.
    Raises `UsageError` for what is no cell, and what `unroll` raises.
    """
    expect(cell, Cell, "symbols are those of a cell's step", "such as models.lstm")
    point = StepPoint(cell, steps, n)
    return StepSymbols(point).values, point.time


def _matrix(value: Any) -> Any:
    """Vectors as columns, matrices as they are, scalars as themselves; tensors stay arrays."""
    data = np.asarray(value)
    if data.ndim == 0:
        return data[()]
    return sympy.Matrix(data.tolist()) if data.ndim <= 2 else data
