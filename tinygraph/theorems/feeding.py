"""Random numbers for a net, where a statement needs some."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.node import Node
from ..graph.tape import Graph


def normal_feeds(graph: Graph, rng: np.random.Generator, scale: float = 1.0) -> dict[str, Any]:
    """Normal numbers for all parameters and inputs of one example; whole numbers are 0 or 1."""
    feeds: dict[str, Any] = {}
    for name, leaf in {**graph.parameters, **graph.inputs}.items():
        node, time = (leaf, ()) if isinstance(leaf, Node) else (leaf.last, (len(leaf),))
        shape = (*time, *node.shape)
        whole = rng.integers(0, 2, shape, dtype=np.int64)
        feeds[name] = {"real": scale * rng.standard_normal(shape), "boolean": whole > 0}.get(node.kind, whole)
    return feeds
