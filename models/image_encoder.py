"""A small image encoder: banks of filters, each followed by max-pooling, then one layer of features and a class.

It is trained as a classifier first. Its last layer is then taken off: `encoder.features`, evaluated and fed to a
net that speaks of the image, stays as it is while that net learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from tinygraph.differentiate import grad
from tinygraph.errors import ShapeError, UsageError
from tinygraph.execute.interpreter import evaluate
from tinygraph.graph import Graph, Node
from tinygraph.initialisers import initialise
from tinygraph.ops.batch import mean_batch
from tinygraph.ops.convolution import convolve, max_pool
from tinygraph.ops.nonlinear import relu, tanh
from tinygraph.ops.normalise import cross_entropy
from tinygraph.ops.structure import reshape
from tinygraph.shapes import as_shape, as_size


class ImageEncoder:
    """The encoder on a tape: fed are images "x" (B, channels, *size) and classes "y" (B,).

    features  tanh (features,) of what the banks see: what is left when the last layer is taken off
    scores    (classes,) of the last layer
    loss      the mean cross-entropy, and `gradients` by every parameter
    """

    def __init__(
        self,
        image: Sequence[int],
        *,
        features: int,
        classes: int,
        banks: Sequence[int] = (16, 32),
        width: int = 3,
        pool: int = 2,
    ) -> None:
        """`image` is (channels, height, width), or with one axis or three behind the channels.

        Each bank of filters of size `width` along each axis is followed by ReLU and a maximum over `pool` entries
        along each; both leave length - width + 1. Raises `ShapeError` if the image becomes too small.
        """
        shape = as_shape(tuple(image))
        if len(shape) not in (2, 3, 4):
            raise ShapeError(f"an image has channels and one to three axes, not shape {shape}", fix="(1, 8, 8)")
        if not banks:
            raise UsageError("an image encoder has at least one bank of filters", fix="banks=(16, 32)")
        self.graph = Graph()
        self.x = value = self.graph.input("x", shape)
        rank = len(shape) - 1
        for number, filters in enumerate(banks, start=1):
            with self.graph.at(scope=f"bank{number}"):
                value = self._bank(value, as_size(filters), (width,) * rank, (pool,) * rank, f"bank{number}")
        flat = reshape(value, (prod(value.shape),))
        W = self.graph.parameter("W", (as_size(features), *flat.shape))
        self.features = self.graph.relabel(tanh(W @ flat + self.graph.parameter("b", (features,))), "features")
        V = self.graph.parameter("V", (as_size(classes), features))
        self.scores = self.graph.relabel(V @ self.features + self.graph.parameter("c", (classes,)), "scores")
        y = self.graph.input("y", (), kind="integer")
        self.loss = mean_batch(cross_entropy(self.scores, y), name="loss")

    def _bank(self, value: Node, filters: int, widths: tuple[int, ...], pools: tuple[int, ...], name: str) -> Node:
        W = self.graph.parameter(f"{name}/W", (filters, value.shape[0], *widths))
        b = self.graph.parameter(f"{name}/b", (filters, *(1 for _ in widths)))
        return max_pool(relu(convolve(value, W) + b), pools)

    @cached_property
    def gradients(self) -> dict[str, Node]:
        """The gradient of the loss by every parameter, by name."""
        return grad(self.loss, self.graph.parameters)  # type: ignore[no-any-return]  # structured as what it is given

    def initial(self, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
        """Initial values of all parameters, by name; biases are zero."""
        biases = {name: "zeros" for name in self.graph.parameters if name.endswith("/b")}
        return initialise(self.graph.parameters, seed, biases)

    def see(self, values: dict[str, Any], images: Any) -> np.ndarray[Any, Any]:
        """The features (B, features) of images (B, channels, *size), with the parameters as they are."""
        used = {name: value for name, value in values.items() if name in self.graph.parameters}
        return np.asarray(evaluate(self.features, used | {"x": images}))
