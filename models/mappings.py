"""Mappings between sequences: a net, what it answers, and the loss to train it by.

one to one    any of these over one step of `without_memory.memoryless`: a plain feed-forward net
many to many  `tagger`       y_1..y_T from x_1..x_T, a class at each step
many to one   `classifier`   a class from x_1..x_T; `forecaster`: numbers, such as the next value of a series
one to many   `generator`    symbols from features, such as a caption from an image
out of step   `seq2seq.SequenceToSequence`; next symbol: `language.LanguageModel`

A net with a mask answers for sequences of different lengths in one batch: each example as if it were alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinygraph.cells import Cell
from tinygraph.differentiate import grad
from tinygraph.errors import UsageError, expect
from tinygraph.graph import Graph, Node, Steps
from tinygraph.initialisers import initialise
from tinygraph.ops.structure import concatenate
from tinygraph.shapes import as_size
from tinygraph.unrolling import Unrolled, unroll

from .directions import Bidirectional
from .heads import Net, mean_square, readout, readout_of, softmax_cross_entropy
from .speakers import speaking
from .starting import read_before, states_from


@dataclass(frozen=True)
class Mapped:
    """A net with its answers and its loss: `outputs` by step (one step for a single answer), fed targets "y"."""

    net: Net
    outputs: Steps
    loss: Node

    @property
    def graph(self) -> Graph:
        return self.net.graph

    @cached_property
    def gradients(self) -> dict[str, Node]:
        """The gradient of the loss by every parameter, by name."""
        return grad(self.loss, self.graph.parameters)  # type: ignore[no-any-return]  # structured as what it is given

    def initial(self, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
        """Initial values of all parameters, by name."""
        return initialise(self.graph.parameters, seed)


def last_output(net: Net) -> Node:
    """What a net says after all is read; of both directions, both, joined. With a mask, each example's own last."""
    expect(net, (Unrolled, *Net.__args__), "a mapping is made of a net", "tg.unroll(...) or models.stack(...)")
    ends = net.layers if isinstance(net, Bidirectional) else net.layers[-1:]
    finals = [layer.final[layer.cell.output] for layer in ends]
    if len(finals) == 1:
        return finals[0]
    with net.graph.at(scope="both"):
        return net.graph.relabel(concatenate(finals), "last")


def tagger(net: Net, classes: int, *, asked: bool = False) -> Mapped:
    """A class for each step: scores (classes,), trained on integers "y" (T, B) where the mask is true.

    With `asked` it is trained where the boolean feed "asked" (T, B) is true, which may be at some steps only.
    """
    scores = readout(net, classes)
    counted = net.graph.sequence("asked", net.steps, kind="boolean") if asked else net.mask
    return Mapped(net, scores, softmax_cross_entropy(scores, mask=counted))


def classifier(net: Net, classes: int) -> Mapped:
    """A class for the whole sequence from the last output: scores (classes,), trained on integers "y" (1, B)."""
    scores = Steps("o", [(1, readout_of(net, last_output(net), classes))])
    return Mapped(net, scores, softmax_cross_entropy(scores))


def forecaster(net: Net, size: int = 1, *, activation: str = "linear") -> Mapped:
    """Numbers (size,) from the last output, such as the next value: trained on "y" (1, B, size) by their squares."""
    outputs = Steps("o", [(1, readout_of(net, last_output(net), size, activation=activation))])
    return Mapped(net, outputs, mean_square(outputs))


def generator(
    cell: Cell,
    steps: int,
    *,
    features: int,
    symbols: int,
    embedding: int = 16,
    sizes: Mapping[str, int] | None = None,
    **named_sizes: int,
) -> Mapped:
    """Symbols from features: `generator(lstm, 8, features=64, symbols=30, H=32)`.

    A cell with a context, such as `models.captioner`, sees the features (features,) at every step; any other
    starts from them, each state from tanh(W v + b). Symbols are numbered 0..symbols-1, then the one that ends a
    sequence; the one that stands at the beginning is read and never said. Fed are the features "v" (B, features),
    "y" (T, B) with the end behind each, and "y_mask".

    Raises `UsageError`, and what `unroll` raises.
    """
    count, graph = as_size(steps, "number of steps"), Graph()
    if count == 0:
        raise UsageError("a generator says at least one symbol", fix="steps=1 or more")
    if len(cell.contexts) > 1:
        raise UsageError(f"cell {cell.name} has {len(cell.contexts)} contexts for one vector of features")
    v = graph.input("v", (as_size(features, "number of features"),))
    y = graph.sequence("y", count, (), kind="integer")
    mask = graph.sequence("y_mask", count, (), kind="boolean")
    speaker = speaking(cell)
    own_sizes = {**(sizes or {}), **named_sizes}
    ((_, role),) = cell.inputs.items()
    net = unroll(
        speaker,
        count,
        graph=graph,
        inputs={"symbol": read_before(y, symbols + 1)},
        contexts=dict.fromkeys(cell.contexts, v),
        initial="zeros" if cell.contexts else states_from(cell, v, own_sizes),
        sizes={**dict.fromkeys(role.dims.names, embedding), **own_sizes, "R": symbols + 2, "V": symbols + 1},
    )
    return Mapped(net, net.output, softmax_cross_entropy(net.output, y, mask=mask))
