"""Real-time recurrent learning: the gradient carried forwards with the state, instead of backwards through time.

With all states joined into s_t (size S) and all parameters that they depend on into theta (size p), the influence
matrix P_t = d s_t / d theta, of shape (S, p), follows from that of the step before:

    P_t = J_t P_{t-1} + D_t,          J_t = d s_t / d s_{t-1},   D_t = d s_t / d theta at fixed s_{t-1}
    dL_t/dtheta = (d L_t / d s_{t-1}) P_{t-1} + d L_t / d theta at fixed s_{t-1}

The graph is that of one step, whatever the number of steps: nothing is kept of the past but s and P. The gradient
at each step is the one that backpropagation through all steps so far gives for the loss of that step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..differentiate import grad, jacobian
from ..errors import DifferentiationError, FeedError, UsageError, expect
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.steps import Steps
from ..graph.tape import Graph, cone
from ..ops.batch import sum_batch
from ..ops.structure import concatenate, reshape
from ..shapes import as_size, size
from ..unrolling import Unrolled

Array = np.ndarray[Any, Any]

INFLUENCE = "influence"  # the name under which P_{t-1} is fed


class Net(Protocol):
    """An unrolled net or a stack of them."""

    @property
    def layers(self) -> tuple[Unrolled, ...]: ...


class Carried(NamedTuple):
    """What goes from one step to the next: the states, by the names that feed them, and P."""

    states: dict[str, Array]
    influence: Array


class Update(NamedTuple):
    """What a step gives: its loss, and the gradient of that loss through all steps so far, by parameter."""

    loss: Any
    gradient: dict[str, Array]


@dataclass(frozen=True, eq=False)
class RealTime:
    """One step of real-time recurrent learning, as nodes of the step's tape.

    loss       the loss of the step
    gradient   its gradient by every parameter of the tape, by name
    states     the new states, under the names that feed the old ones
    influence  P_t, shape (S, p) per example; P_{t-1} is fed as "influence"
    columns    where each parameter stands in theta: `P[:, columns["U"]]`; those that no state reads are not in it
    """

    loss: Node
    gradient: dict[str, Node]
    states: dict[str, Node]
    influence: Node
    columns: dict[str, slice]

    @property
    def graph(self) -> Graph:
        """The tape of the one step."""
        return self.loss.graph

    def start(self, batch: int | None = None) -> Carried:
        """The zero state, which no parameter influences."""
        front = () if batch is None else (as_size(batch, "batch"),)
        states = {name: np.zeros(front + node.shape) for name, node in self.states.items()}
        return Carried(states, np.zeros(front + self.influence.shape))

    def step(self, feeds: Mapping[str, Any], carried: Carried) -> tuple[Update, Carried]:
        """One step: `feeds` has parameters and the inputs of this step, a sequence with a time axis of 1 in front."""
        expect(carried, Carried, "a step goes on from what the last one gave", "net.start(batch) at first")
        wanted = [self.loss, self.gradient, self.states, self.influence]
        loss, gradient, states, influence = evaluate(wanted, {**feeds, **carried.states, INFLUENCE: carried.influence})
        return Update(loss, gradient), Carried(states, influence)

    def run(self, feeds: Mapping[str, Any], carried: Carried | None = None) -> Iterator[Update]:
        """Steps 1..T, one after the other, from feeds as a net of T steps takes them; they hold no state.

        The gradients add up to that of the sum of the losses. Raises `FeedError`.
        """
        timed = {name: np.asarray(feeds[name]) for name in self._sequences if name in feeds}
        lengths = {name: len(value) if value.ndim else 0 for name, value in timed.items()}
        if not timed or len(set(lengths.values())) != 1:
            shown = [f"{name}: {length} steps" for name, length in lengths.items()]
            raise FeedError("the sequences do not tell one number of steps", shown, "feed them with time in front")
        rest = {name: value for name, value in feeds.items() if name not in timed}
        carried = self.start(self._batch(timed)) if carried is None else carried
        for t in range(next(iter(lengths.values()))):
            update, carried = self.step({**rest, **{n: v[t : t + 1] for n, v in timed.items()}}, carried)
            yield update

    @property
    def _sequences(self) -> dict[str, Node]:
        inputs = self.graph.inputs.items()
        return {name: next(iter(entry.values())) for name, entry in inputs if isinstance(entry, Steps)}

    def _batch(self, timed: Mapping[str, Array]) -> int | None:
        """The batch of the first sequence that can have one."""
        for name, node in self._sequences.items():
            if node.batched and name in timed and timed[name].ndim == node.ndim + 2:
                return int(timed[name].shape[1])
        return None


def rtrl(net: Net, loss: Node) -> RealTime:
    """Real-time recurrent learning of `loss` with a net of one step, whose initial state is fed.

    >>> net = tg.unroll(models.lstm, 1, initial="fed", I=3, H=4)
    >>> loss = models.softmax_cross_entropy(models.readout(net, 5))
    >>> for update in tg.rtrl(net, loss).run(feeds):  # feeds as for a net of T steps
    ...     update.loss, update.gradient

    Layers and several states are joined into one. Costs O(S^2 p) multiplications a step and O(S p) memory, against
    O(p) and O(S) a step for backpropagation through time: see `compare_costs`.
    Raises `UsageError`, `DifferentiationError`, `NameTakenError`.

    References: Williams and Zipser 1989, doi:10.1162/neco.1989.1.2.270.
    """
    before, after = _ends(net)
    expect(loss, Node, "a loss is a node of the net's tape", "tg.sum(net.h[1] ** 2)")
    if loss.shape != () or loss.kind != "real":
        raise DifferentiationError("the loss of a step is a real scalar", [loss.describe()], "sum it first (tg.sum)")
    graph = loss.graph
    joined = _joined(after.values())
    reach = set(cone(after.values()))
    learned = {name: node for name, node in graph.parameters.items() if node in reach}
    columns = dict(zip(learned, _slices(learned.values()), strict=True))
    width = sum(size(node.shape) for node in learned.values())
    old = graph.input(INFLUENCE, (*joined.shape, width))
    step, direct = _jacobian(joined, before.values()), _jacobian(joined, learned.values())
    gradient: dict[str, Node] = grad(loss, dict(graph.parameters))
    past = _joined(grad(loss, list(before.values()))) @ old
    past = sum_batch(past) if past.batched else past
    for name, part in columns.items():
        gradient[name] = gradient[name] + reshape(past[part], learned[name].shape)
    return RealTime(loss, gradient, after, step @ old + direct, columns)


def _ends(net: Net) -> tuple[dict[str, Node], dict[str, Node]]:
    """The old and the new states, under the names by which the old ones are fed."""
    layers = getattr(net, "layers", ())
    if not layers or not all(isinstance(layer, Unrolled) for layer in layers):
        raise UsageError(f"real-time learning takes a net, not {net!r:.60}", fix="tg.unroll(cell, 1, initial='fed')")
    before, after = {}, {}
    for layer in layers:
        for state in layer.cell.states:
            start = layer.series[state][0]
            if layer.steps != 1 or start.op.name != "input":
                raise UsageError(
                    f"real-time learning takes a net of one step whose initial state {state!r} is fed",
                    [repr(net), start.describe()],
                    "tg.unroll(cell, 1, initial='fed', ...)",
                )
            before[start.name], after[start.name] = start, layer.series[state][1]
    return before, after


def _joined(nodes: Any) -> Node:
    return concatenate([reshape(node, (-1,)) for node in nodes])


def _jacobian(joined: Node, wrt: Any) -> Node:
    """d joined / d wrt as one matrix, a column for each entry of `wrt`."""
    blocks = [reshape(jacobian(joined, node), (*joined.shape, size(node.shape))) for node in wrt]
    return concatenate(blocks, axis=1)


def _slices(nodes: Any) -> list[slice]:
    ends = list(accumulate(size(node.shape) for node in nodes))
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
