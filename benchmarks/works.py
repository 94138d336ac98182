"""The works: unrolled recurrent nets, of which the loss and the gradient by all parameters are wanted.

Each layer reads all inputs of its cell's gates in one matrix, rows times matrix, gates side by side in the order of
torch (lstm i f g o, gru r z n); readout V, c; softmax cross-entropy, mean over steps and batch:

    x_t W + h_{t-1} U + b        W (I, G H), U (H, G H), b (G H), and b_U (H) of a gru's candidate
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph import models

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

CELLS = {"elman": models.elman, "lstm": models.lstm, "gru": models.gru_reset_after}
GATES = {"elman": ("",), "lstm": ("_i", "_f", "_g", "_o"), "gru": ("_r", "_z", "")}  # as our parameters end


@dataclass(frozen=True)
class Work:
    """Sizes of a net; `inputs` are dense vectors, `outputs` is the number of classes."""

    cell: str
    inputs: int
    hidden: int
    steps: int
    batch: int
    layers: int = 1
    outputs: int = 65

    @property
    def gates(self) -> int:
        return len(GATES[self.cell])

    def cut(self, steps: int, hidden: int) -> Work:
        """The same work, smaller."""
        return replace(self, steps=steps, hidden=hidden)


WORKS = {
    "char": Work("elman", 65, 100, 25, 1),
    "rnn_mid": Work("elman", 64, 128, 50, 32),
    "rnn_long": Work("elman", 16, 64, 1000, 8, outputs=10),
    "lstm_small": Work("lstm", 32, 64, 32, 16),
    "lstm_mid": Work("lstm", 64, 256, 100, 32),
    "gru_mid": Work("gru", 64, 256, 100, 32),
    "lstm3_512": Work("lstm", 65, 512, 50, 32, layers=3),
}


@dataclass(frozen=True)
class Problem:
    """A work with its numbers, float32: parameters by name ("layer1/W", ..., "V", "c"), inputs and targets."""

    work: Work
    parameters: Arrays
    x: Array  # (T, B, I)
    y: Array  # (T, B)

    def layers(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Parameters, or anything that stands for them, by layer and by name in the layer."""
        return [
            {name.removeprefix(f"layer{k}/"): value for name, value in values.items() if name.startswith(f"layer{k}/")}
            for k in range(1, self.work.layers + 1)
        ]


def problem(work: Work, seed: int = 0) -> Problem:
    """The work with random numbers."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> Array:
        return (0.08 * rng.standard_normal(shape)).astype(np.float32)

    made: Arrays = {}
    wide = work.gates * work.hidden
    for k in range(1, work.layers + 1):
        made[f"layer{k}/W"] = weights(work.inputs if k == 1 else work.hidden, wide)
        made[f"layer{k}/U"] = weights(work.hidden, wide)
        made[f"layer{k}/b"] = weights(wide)
        if work.cell == "gru":
            made[f"layer{k}/b_U"] = weights(work.hidden)
    made |= {"V": weights(work.hidden, work.outputs), "c": weights(work.outputs)}
    x = rng.standard_normal((work.steps, work.batch, work.inputs)).astype(np.float32)
    return Problem(work, made, x, rng.integers(0, work.outputs, (work.steps, work.batch)))


# The same net in tinygraph
def roots(work: Work) -> list[Any]:
    """The loss and its gradients by name, as nodes of a new tape."""
    net = models.stack(CELLS[work.cell], work.steps, layers=work.layers, I=work.inputs, H=work.hidden)
    loss = models.softmax_cross_entropy(models.readout(net, work.outputs))
    return [loss, tg.grad(loss, net.graph.parameters)]


def feeds(given: Problem) -> Arrays:
    """The numbers of a problem under tinygraph's names: a matrix for each gate, matrix times column."""
    found = {"layer1/x": given.x, "y": given.y}
    gates = GATES[given.work.cell]
    for name, value in given.parameters.items():
        if name.endswith(("/W", "/U", "/b")):
            for gate, part in zip(gates, np.split(value, len(gates), axis=-1), strict=True):
                found[name + gate] = np.ascontiguousarray(part.T)
        else:
            found[name] = np.ascontiguousarray(value.T)
    return found


def gathered(given: Problem, gradients: Mapping[str, Array]) -> Arrays:
    """Gradients under tinygraph's names as those of the problem's parameters."""
    found: Arrays = {}
    for name in given.parameters:
        gates = GATES[given.work.cell] if name.endswith(("/W", "/U", "/b")) else ("",)
        found[name] = np.concatenate([gradients[name + gate].T for gate in gates], axis=-1)
    return found
