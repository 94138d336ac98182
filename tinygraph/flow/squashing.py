"""Saturation: which share of the units and gates of a net stand near an end of their range, where no gradient passes.

A sigmoid is saturated below 0.1 and above 0.9, a tanh below -0.8 and above 0.8: within a margin of 0.1 of its range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UsageError, expect
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.tape import cone
from ..nest import leaves
from ..tables import text_table

Array = np.ndarray[Any, Any]

RANGES: dict[str, tuple[float, float]] = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


@dataclass(frozen=True, eq=False)
class Saturation:
    """The shares of entries, over units and batch, at each end of the range: by name such as "f" or "layer1/f".

    low, high   arrays (T,), a share for each step 1..T: entries within the margin of the lower and of the upper end
    """

    margin: float
    low: Mapping[str, Array]
    high: Mapping[str, Array]

    def __str__(self) -> str:
        rows = [["values", "low", "high", "worst step"]]
        for name, low in self.low.items():
            high, both = self.high[name], low + self.high[name]
            worst = f"{int(np.argmax(both)) + 1}: {np.max(both):.1%}"
            rows.append([name, f"{np.mean(low):.1%}", f"{np.mean(high):.1%}", worst])
        return "\n".join(text_table(rows, range(1, 4)))


def saturation(outputs: Any, feeds: Mapping[Any, Any], *, margin: float = 0.1) -> Saturation:
    """The shares of saturated values among all named sigmoids and tanhs that `outputs` depend on.

    outputs   nodes, or any nesting of them: `net.output`, a loss
    margin    the part of the range at each end that counts as saturated, above 0 and below 1/2

    A state that is such a value, as that of an Elman net, counts under its own name. Raises `UsageError` if there is
    none, and what `evaluate` raises.

    References: Karpathy, Johnson and Li 2015, arXiv:1506.02078 (gates saturated below 0.1 and above 0.9).
    """
    if isinstance(margin, bool) or not isinstance(margin, (int, float)) or not 0 < margin < 0.5:
        raise UsageError(f"a margin is above 0 and below 1/2, not {margin!r:.40}", fix="margin=0.1")
    series = _squashed(outputs)
    if not series:
        raise UsageError("the outputs depend on no named sigmoid or tanh", fix="name them with tinygraph.let")
    values = evaluate({name: [node for _, node in found] for name, found in series.items()}, feeds)
    low, high = {}, {}
    for name, found in series.items():
        start, end = RANGES[_source(found[0][1]).op.name]
        edge = margin * (end - start)
        low[name] = np.array([np.mean(value < start + edge) for value in values[name]])
        high[name] = np.array([np.mean(value > end - edge) for value in values[name]])
    return Saturation(margin, low, high)


def _squashed(outputs: Any) -> dict[str, list[tuple[int, Node]]]:
    """The labelled nodes of steps 1..T that are sigmoids or tanhs, by scope and label, in the order of time."""
    roots = leaves(outputs)
    for root in roots:
        expect(root, Node, "saturation is that of nodes", "net.output")
    found: dict[str, list[tuple[int, Node]]] = {}
    for node in cone(roots):
        if node.label and node.step and not node.backward and _source(node).op.name in RANGES:
            found.setdefault(f"{node.scope}/{node.label}" if node.scope else node.label, []).append((node.step, node))
    return {name: sorted(nodes, key=lambda pair: pair[0]) for name, nodes in found.items()}


def _source(node: Node) -> Node:
    """What an identity carries."""
    while node.op.name == "identity":
        node = node.args[0]
    return node
