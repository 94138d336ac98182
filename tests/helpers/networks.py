"""A cell unrolled and stacked, with a softmax cross-entropy at every step, and feeds for it.

The loss is a batched scalar: for each example the sum over its steps (those that the mask keeps).
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph import models
from tinygraph.cells import Cell
from tinygraph.graph import Node, Steps

HIDDEN, WIDTH, CLASSES = 3, 2, 4
SIZES = {"I": WIDTH}  # every other size of a cell is HIDDEN, equal to the batch, so that misalignment shows
SYMBOLS = 2  # integers fed to cells that take some


class Network:
    """`layers` layers of a cell with a readout V h_t + c; its loss, parameters and real inputs."""

    def __init__(self, cell: Cell, steps: int, layers: int = 1, mask: bool = False, initial: str = "zeros") -> None:
        sizes = {name: SIZES.get(name, HIDDEN) for name in cell.sizes}
        if layers == 1:
            net: Any = tg.unroll(cell, steps, mask=mask, initial=initial, **sizes)
            self.layers = (net,)
        else:
            net = models.stack(cell, steps, layers=layers, mask=mask, initial=initial, **sizes)
            self.layers = net.layers
        self.steps, self.graph, self.output, self.mask = steps, net.graph, net.output, net.mask
        self.loss = self._loss()
        self.parameters = dict(self.graph.parameters)
        self.inputs = {name: node for name, node in self.graph.inputs.items() if _first(node).kind == "real"}

    def _loss(self) -> Node:
        V = self.graph.parameter("readout/V", (CLASSES, *self.output[1].shape))
        c = self.graph.parameter("readout/c", (CLASSES,))
        target = self.graph.sequence("target", self.steps, (), kind="integer")
        losses = [tg.cross_entropy(V @ self.output[t] + c, target[t]) for t in range(1, self.steps + 1)]
        if self.mask is not None:
            losses = [tg.where(self.mask[t], loss, 0) for t, loss in enumerate(losses, start=1)]
        return tg.add(losses)

    @property
    def final(self) -> list[Node]:
        """The states of all layers after the last step."""
        return [layer.series[state].last for layer in self.layers for state in layer.cell.states]

    @property
    def gradients(self) -> dict[str, Any]:
        """By every parameter, and by every real input (for each step)."""
        return {name: tg.grad(self.loss, node) for name, node in {**self.parameters, **self.inputs}.items()}

    def feeds(self, seed: int, batch: int | None, lengths: Any = None) -> dict[str, Any]:
        """Random values for all parameters and inputs; the mask keeps the first `lengths` steps of each example."""
        rng = np.random.default_rng(seed)
        values: dict[str, Any] = {
            name: (0.7 if p.ndim < 3 else 0.2) * rng.standard_normal(p.shape)  # a tensor is summed over two axes
            for name, p in self.parameters.items()
        }
        for name, entry in self.graph.inputs.items():
            node, time = _first(entry), (self.steps,) if isinstance(entry, Steps) else ()
            shape = time + (() if batch is None else (batch,)) + node.shape
            values[name] = self._draw(name, node, shape, rng, lengths)
        return values

    def _draw(self, name: str, node: Node, shape: Any, rng: np.random.Generator, lengths: Any) -> Any:
        if name == "mask":
            kept = self.steps if lengths is None else np.asarray(lengths)
            return np.broadcast_to(np.arange(self.steps).reshape((-1,) + (1,) * (len(shape) - 1)) < kept, shape)
        if node.kind == "integer":
            return rng.integers(0, CLASSES if name == "target" else SYMBOLS, shape)
        return rng.random(shape) < 0.5 if node.kind == "boolean" else rng.standard_normal(shape)

    def example(self, feeds: dict[str, Any], b: int, length: int | None = None) -> dict[str, Any]:
        """The feeds of example b alone, without a batch axis, up to `length` steps."""
        alone = dict(feeds)
        for name, entry in self.graph.inputs.items():
            alone[name] = feeds[name][:length, b] if isinstance(entry, Steps) else feeds[name][b]
        return alone


def _first(entry: Node | Steps) -> Node:
    return entry if isinstance(entry, Node) else entry[1]


def stacked_in_time(gradients: dict[str, Any]) -> dict[str, Any]:
    """Values of gradients, those of a sequence as one array with time in front."""
    return {name: np.stack(list(g.values())) if isinstance(g, dict) else g for name, g in gradients.items()}
