"""Running a tape over any array protocol, one example at a time; the values of all nodes are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..execute.arrays import NumpyArrays
from ..graph.node import Node
from ..graph.tape import cone


def run_tape(xp: NumpyArrays, roots: Iterable[Node], fed: Mapping[int, Any]) -> dict[int, Any]:
    """The value of each node that `roots` depend on, by node id; `fed` has those of inputs and parameters.

    There is no batch axis, so operands align by NumPy's own rule.
    """
    values: dict[int, Any] = {}
    for node in cone(roots):
        if node.id in fed:
            values[node.id] = xp.array(fed[node.id], node.kind)
        else:
            values[node.id] = np.asarray(node.op.run(xp, node, *(values[arg.id] for arg in node.args)))
    return values


def leaf_values(roots: Iterable[Node], real: Callable[[Node], Any], rng: np.random.Generator) -> dict[int, Any]:
    """A value for each input and parameter: `real(node)`, else whole numbers 0 and 1 or truth values at random."""
    found: dict[int, Any] = {}
    for node in cone(roots):
        if node.op.leaf and "value" not in node.attrs:
            whole = np.asarray(rng.integers(0, 2, node.shape), bool if node.kind == "boolean" else int)
            found[node.id] = real(node) if node.kind == "real" else whole
    return found
