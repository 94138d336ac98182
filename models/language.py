"""A language model: layers of a cell over symbols, with a readout of the next symbol's scores.

What it is (cell, sizes, vocabulary) stands here, apart from the values of its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinygraph.cells import Cell
from tinygraph.differentiate import grad
from tinygraph.errors import UnknownNameError, UsageError, nearest
from tinygraph.execute.interpreter import evaluate
from tinygraph.graph import Graph, Node, Steps
from tinygraph.ops.index import gather, one_hot

from .cells import CELLS
from .heads import cross_entropies, mean_over_time, readout
from .stacking import Stack, stack
from .text import UNITS, Vocabulary

Arrays = dict[str, np.ndarray[Any, Any]]


def find_cell(name: str) -> Cell:
    """The cell of that name. Raises `UnknownNameError` with the nearest one."""
    if name not in CELLS:
        raise UnknownNameError(f"no cell {name!r:.60}", fix=nearest(name, CELLS))
    return CELLS[name]


def reads_symbols(cell: Cell) -> bool:
    """Whether a sequence of symbols is all that the cell needs: one input, and no context."""
    return len(cell.inputs) == 1 and not cell.contexts


def has_own_width(cell: Cell) -> bool:
    """Whether the size of the input is not that of a state too."""
    (role,) = cell.inputs.values()
    return not any(set(role.dims.names) & set(state.dims.names) for state in cell.states.values())


@dataclass(frozen=True)
class LanguageModel:
    """Scores for the next symbol from those before it.

    Symbols enter as one-hot vectors, or through a table of `embedding` columns if that is above 0.
    """

    vocabulary: Vocabulary
    cell: str = "lstm"
    hidden: int = 128
    layers: int = 1
    embedding: int = 0

    def __post_init__(self) -> None:
        cell = find_cell(self.cell)
        if not reads_symbols(cell):
            raise UsageError(f"cell {cell.name} needs more than a sequence of symbols", fix="take one such as lstm")
        for name, least in (("hidden", 1), ("layers", 1), ("embedding", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UsageError(f"{name} is a whole number of {least} or more, not {value!r:.60}")
        if len(self.vocabulary) < 2:
            raise UsageError("a text with a single symbol has nothing to predict", fix="give a text with at least two")
        if not has_own_width(cell) and self.embedding != self.hidden:
            what = f"cell {cell.name} takes inputs of the size of its state, {self.hidden}"
            raise UsageError(what, fix=f"an embedding of {self.hidden} columns")

    def unroll(self, steps: int, *, new: int | None = None, mask: bool = False) -> Unfolded:
        """The model over `steps` steps, on a tape of its own; for `new` and `mask` see `Unfolded`."""
        return Unfolded(self, steps, new, mask)

    def describe(self) -> dict[str, Any]:
        """The model as JSON data."""
        return asdict(self)

    @classmethod
    def from_description(cls, data: Mapping[str, Any]) -> LanguageModel:
        """The model that `describe` gave. Raises `UsageError` or `UnknownNameError` for anything else."""
        try:
            given = dict(data)
            vocabulary = given.pop("vocabulary")
            symbols = vocabulary["symbols"]
            if vocabulary["unit"] not in UNITS or not all(isinstance(s, str) and s for s in symbols):
                raise UsageError("a damaged vocabulary")
            return cls(Vocabulary(tuple(symbols), vocabulary["unit"]), **given)
        except (KeyError, TypeError, AttributeError) as error:
            if isinstance(error, (UsageError, UnknownNameError)):
                raise
            raise UsageError(f"this describes no language model: {error}") from None


class Unfolded:
    """A language model unrolled on a tape: feeds "x" and "y" (steps, batch) of integers, and the state.

    Only the losses of the `new` last steps count (all without it). With a mask, the feed "mask" (steps, batch)
    says which steps there are; at the others the state stays what it is.
    """

    def __init__(self, model: LanguageModel, steps: int, new: int | None = None, mask: bool = False) -> None:
        size, graph = len(model.vocabulary), Graph()
        self.model = model
        self.new = steps if new is None else new
        self.graph = graph
        self.symbols = graph.sequence("x", steps, (), kind="integer")
        cell = find_cell(model.cell)
        ((name, role),) = cell.inputs.items()
        self.net: Stack = stack(
            cell,
            steps,
            layers=model.layers,
            graph=graph,
            inputs={name: self._vectors(size)},
            initial="fed",
            mask=mask,
            sizes={size: model.hidden for size in cell.sizes if size not in role.dims.names},
        )
        self.scores = readout(self.net, size)

    def _vectors(self, size: int) -> Steps:
        """The symbols as vectors: one-hot, or rows of a table C."""
        width = self.model.embedding
        table = self.graph.parameter("C", (size, width), initial="uniform") if width else None
        vectors = Steps("x")
        for t, symbol in self.symbols.items():
            with self.graph.at(step=t):
                vectors[t] = one_hot(symbol, size) if table is None else gather(table, symbol)
        return vectors

    @cached_property
    def losses(self) -> Steps:
        """The cross-entropy of the next symbol, in nats, at each step that counts."""
        every = cross_entropies(self.scores)
        return Steps(every.name, ((t, every[t]) for t in list(every)[-self.new :]))

    @cached_property
    def loss(self) -> Node:
        """Mean of the losses over steps and batch."""
        return mean_over_time(self.losses)

    @cached_property
    def gradients(self) -> dict[str, Node]:
        """The gradient of the loss by every parameter, by name."""
        return grad(self.loss, self.graph.parameters)  # type: ignore[no-any-return]  # structured as what it is given

    @cached_property
    def state(self) -> dict[str, Node]:
        """The state after the last step, under the names that feed it to the first."""
        return self.state_at(self.net.steps)

    def state_at(self, step: int) -> dict[str, Node]:
        """The state after a step, under the names that feed it to the first."""
        return {
            f"{layer.scope}/{name}_0": layer.series[name][step]
            for layer in self.net.layers
            for name in layer.cell.states
        }

    def zero_state(self, batch: int | None = None) -> Arrays:
        """The state of zeros, to be fed."""
        front = () if batch is None else (batch,)
        return {name: np.zeros(front + node.shape) for name, node in self.state.items()}

    def next_scores(self, values: Mapping[str, Any], symbol: int, state: Mapping[str, Any]) -> tuple[Any, Arrays]:
        """For a model of one step: the scores (V,) of what follows `symbol`, and the new state."""
        feeds = {**values, **state, "x": np.array([symbol])}
        scores, after = evaluate([self.scores[1], self.state], feeds)
        return scores, after
