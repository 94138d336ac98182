"""The table of operations: one row each, all that is known of an operation in one place.

Importing this package fills `OPS`, from name to row. A row is also the function that users call:
`tinygraph` offers each one as `tg.<name>`, so adding a row is all that it takes to add an operation.
"""

from __future__ import annotations

from ..graph.table import OPS
from . import (
    arithmetic,
    batch,
    choice,
    convolution,
    index,
    leaves,
    linear,
    nonlinear,
    normalise,
    order,
    reduce,
    structure,
)

__all__ = [
    "OPS",
    "arithmetic",
    "batch",
    "choice",
    "convolution",
    "index",
    "leaves",
    "linear",
    "nonlinear",
    "normalise",
    "order",
    "reduce",
    "structure",
]
