"""One step at a time: a net that keeps its state between calls, as the lectures' `rnn.step(x)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygraph.errors import FeedError, UnknownNameError, expect, nearest
from tinygraph.execute.interpreter import evaluate
from tinygraph.graph import Steps
from tinygraph.shapes import as_size
from tinygraph.unrolling import Unrolled, unroll

from .stacking import Stack, stack

State = dict[str, np.ndarray[Any, Any]]


class Online:
    """A net of one step with values for its parameters, and for its contexts if it has any.

    >>> model = Online(net, values)
    >>> y, state = model.step(x)          # from the zero state
    >>> y, state = model.step(x, state)
    """

    def __init__(
        self,
        net: Unrolled | Stack,
        values: Mapping[str, Any],
        *,
        head: Callable[[Unrolled | Stack], Steps] | None = None,
    ) -> None:
        """`head` builds what is returned on top of the net, such as a readout; without it, the net's output."""
        expect(net, (Unrolled, Stack), "a net is run", "tg.unroll(...) or models.stack(...)")
        self.net = _one_step(net)
        self.output = (head(self.net) if head else self.net.output)[1]
        self.layers = self.net.layers
        contexts = [_scoped(layer, name) for layer in self.layers for name in layer.contexts]
        wanted = [*self.net.graph.parameters, *contexts]
        missing = [name for name in wanted if name not in values]
        if missing:
            raise FeedError(
                f"no value is given for {', '.join(missing[:6])}", fix="net.initial(seed=0), or trained values"
            )
        self.values = {name: values[name] for name in wanted}

    def zero_state(self, batch: int | None = None) -> State:
        """The state of zeros, by name such as `h` or `layer1/c`."""
        front = () if batch is None else (as_size(batch, "batch"),)
        return {name: np.zeros(front + node.shape) for name, node in self._states().items()}

    def step(self, x: Any, state: State | None = None) -> tuple[Any, State]:
        """One step from `state` (zeros without it): the output and the new state.

        x has shape (I,) or (batch, I). Raises `FeedError`, `UnknownNameError`.
        """
        try:
            data = np.asarray(x)
        except ValueError:
            raise FeedError("the rows of 'x' have different lengths", fix="x has shape (I,) or (batch, I)") from None
        first = self.layers[0]
        name, role = next(iter(first.cell.inputs.items()))
        batch = data.shape[0] if data.ndim == len(role.dims.dims) + 1 else None
        state = self.zero_state(batch) if state is None else state
        for given in state:
            if given not in self._states():
                raise UnknownNameError(f"the net has no state {given!r}", fix=nearest(given, self._states()))
        feeds = self.values | {_scoped(first, name): data[None]} | {f"{key}_0": v for key, v in state.items()}
        output, new = evaluate([self.output, self._states(step=1)], feeds)
        return output, new

    def _states(self, step: int = 0) -> dict[str, Any]:
        return {_scoped(layer, s): layer.series[s][step] for layer in self.layers for s in layer.cell.states}


def _scoped(layer: Unrolled, name: str) -> str:
    return f"{layer.scope}/{name}" if layer.scope else name


def _one_step(net: Unrolled | Stack) -> Unrolled | Stack:
    """The same cells and sizes over one step, from a state that is fed."""
    if isinstance(net, Unrolled):
        return unroll(net.cell, 1, initial="fed", scope=net.scope, sizes=net.sizes)
    sizes = {name: size for layer in reversed(net.layers) for name, size in layer.sizes.items()}
    return stack([layer.cell for layer in net.layers], 1, initial="fed", sizes=sizes)
