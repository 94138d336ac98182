"""Output layers for large vocabularies: losses that look at a few rows of the readout instead of all.

hierarchical softmax   p(w) = prod_n sigma(turn_n (V_n . h + c_n)) over the inner nodes n on the way to w in a
                       binary tree; turns are 1 and -1, and the p(w) sum to 1
negative sampling      -log sigma(V_w . h + c_w) - sum_k log sigma(-(V_k . h + c_k)) with k drawn at random

References: Morin and Bengio 2005, AISTATS; Mikolov, Sutskever, Chen, Corrado and Dean 2013, arXiv:1310.4546.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.errors import UsageError, ValueRangeError
from tinygraph.graph import Node, Steps
from tinygraph.ops.choice import where
from tinygraph.ops.index import gather
from tinygraph.ops.nonlinear import softplus
from tinygraph.ops.reduce import sum as sum_entries
from tinygraph.shapes import as_size

from .heads import Net, mean_over_time, net_parameter

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SymbolTree:
    """The ways from the root to each symbol: `nodes` and `turns` (symbols, depth), of 1 and -1 and 0 behind the end."""

    nodes: Array
    turns: Array

    @classmethod
    def huffman(cls, counts: Sequence[float]) -> SymbolTree:
        """The tree with the shortest ways on average, by how often each symbol occurs. Huffman 1952.

        Raises `UsageError` for fewer than two symbols, or a count that is negative or not finite.
        """
        weights = np.asarray(counts, dtype=float)
        if weights.ndim != 1 or len(weights) < 2 or not np.all((weights >= 0) & (weights < np.inf)):
            raise UsageError(f"a tree is made of two counts or more, each 0 or more, not {counts!r:.60}")
        size = len(weights)
        open_ones = [(float(weight), symbol) for symbol, weight in enumerate(weights)]
        heapq.heapify(open_ones)
        parents = dict[int, tuple[int, int]]()  # inner nodes are numbered from `size`
        for inner in range(size, 2 * size - 1):
            (one, left), (other, right) = heapq.heappop(open_ones), heapq.heappop(open_ones)
            parents[left], parents[right] = (inner - size, 1), (inner - size, -1)
            heapq.heappush(open_ones, (one + other, inner))
        return cls._from(parents, size)

    @classmethod
    def _from(cls, parents: dict[int, tuple[int, int]], size: int) -> SymbolTree:
        ways: list[list[tuple[int, int]]] = []
        for symbol in range(size):
            way, at = [], symbol
            while at in parents:
                way.append(parents[at])
                at = parents[at][0] + size
            ways.append(way[::-1])
        depth = max(map(len, ways))
        table = np.array([way + [(0, 0)] * (depth - len(way)) for way in ways])
        return cls(table[..., 0], table[..., 1])

    def feeds(self, y: Any) -> dict[str, Array]:
        """The feeds "way" and "turns" for targets y (T, ...) of integers. Raises `ValueRangeError`."""
        targets = np.asarray(y)
        if targets.size and (targets.dtype.kind not in "iu" or targets.min() < 0 or targets.max() >= len(self.nodes)):
            raise ValueRangeError(f"symbols are integers from 0 to {len(self.nodes) - 1}, not {y!r:.60}")
        return {"way": self.nodes[targets], "turns": self.turns[targets].astype(float)}


def hierarchical_softmax(net: Net, tree: SymbolTree) -> Node:
    """The mean over steps and batch of -log p(target), in nats, by the way to each target: see `SymbolTree.feeds`.

    Adds the parameters V (symbols - 1, H) and c (symbols - 1,) to the net, a row for each inner node. Steps that
    the net's mask leaves out do not count.
    """
    symbols, depth = tree.nodes.shape
    graph, outputs = net.graph, net.output
    V, c = _rows(net, symbols - 1)
    way = graph.sequence("way", len(outputs), (depth,), kind="integer")
    turns = graph.sequence("turns", len(outputs), (depth,))
    losses = Steps("L")
    for t, h in outputs.items():
        with graph.at(step=t, scope="loss"):
            wrong = softplus(-turns[t] * (gather(V, way[t]) @ h + gather(c, way[t])))
            on_the_way = turns[t] * turns[t] > 0
            losses[t] = graph.relabel(sum_entries(where(on_the_way, wrong, 0)), "L")
    return mean_over_time(losses, net.mask)


def negative_sampling(net: Net, symbols: int, negatives: int) -> Node:
    """The mean over steps and batch of the loss of telling each target from `negatives` symbols drawn at random.

    Fed are "y" (T, B) and "negatives" (T, B, negatives), integers: see `draw_negatives`. Adds V (symbols, H) and
    c (symbols,) to the net, those of a `readout`. What it trains are no probabilities: they do not sum to 1.
    """
    graph, outputs = net.graph, net.output
    V, c = _rows(net, as_size(symbols))
    y = graph.sequence("y", len(outputs), (), kind="integer")
    others = graph.sequence("negatives", len(outputs), (as_size(negatives),), kind="integer")
    losses = Steps("L")
    for t, h in outputs.items():
        with graph.at(step=t, scope="loss"):
            right = softplus(-(gather(V, y[t]) @ h + gather(c, y[t])))
            wrong = softplus(gather(V, others[t]) @ h + gather(c, others[t]))
            losses[t] = graph.relabel(right + sum_entries(wrong), "L")
    return mean_over_time(losses, net.mask)


def draw_negatives(counts: Sequence[float], shape: Sequence[int], seed: int | np.random.Generator) -> Array:
    """Symbols drawn by count^(3/4), as word2vec draws them: integers of that shape. Raises `UsageError`."""
    weights = np.asarray(counts, dtype=float)
    if weights.ndim != 1 or not np.all((weights >= 0) & (weights < np.inf)) or not weights.sum() > 0:
        raise UsageError(f"counts are numbers of 0 or more, not all 0, not {counts!r:.60}")
    weights = weights**0.75
    return np.random.default_rng(seed).choice(len(weights), size=tuple(shape), p=weights / weights.sum())


def _rows(net: Net, count: int) -> tuple[Node, Node]:
    """A row of weights and a bias for each of `count` things to decide."""
    return net_parameter(net, "V", (count, *net.output.last.shape)), net_parameter(net, "c", (count,))
