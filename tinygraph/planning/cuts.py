"""Cuts: large matrices in blocks, for products with the few vectors of one step.

BLAS copies a large matrix into a form of its own at each product, which a few rows of vectors do not repay.
Products of up to a million multiplications OpenBLAS does without that copy (its small-matrix kernels, since 0.3.17);
elsewhere a cut costs next to nothing. So the matrix is laid out once in a run:

    (in, out)  ->  (pieces, blocks, in / pieces, width)        each block stands in a row
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

SMALL = 10**6  # multiplications that BLAS does without copies
BLOCK = 1 << 19  # multiplications for which it then is fastest
MOST = 64  # rows beyond which the copy is repaid
WIDTHS = (64, 32)  # columns of a block: whole vectors of every processor


class Cut(NamedTuple):
    """How many pieces the inner axis has, and how many columns a block."""

    pieces: int
    width: int

    def form(self, inner: int, columns: int) -> tuple[int, ...]:
        """The shape of a matrix that is laid out so."""
        return self.pieces, columns // self.width, inner // self.pieces, self.width

    def blocks(self, matrix: Array) -> Array:
        """A matrix as it has to be laid out."""
        pieces, blocks, inner, width = self.form(*matrix.shape)
        return matrix.reshape(pieces, inner, blocks, width).swapaxes(1, 2)


def cut_of(rows: int, inner: int, columns: int) -> Cut | None:
    """For the product of (rows, inner) and (inner, columns); None where it is better done as it is.

    The results of several pieces have to be added up: a block has fewer columns if there is one piece then.
    """
    if not 1 < rows <= MOST or rows * inner * columns <= SMALL:
        return None
    found = [
        Cut(pieces, width)
        for width in WIDTHS
        if columns % width == 0
        for pieces in [-(-rows * inner * width // BLOCK)]
        if inner % pieces == 0
    ]
    return min(found, key=lambda cut: cut.pieces > 1, default=None)
