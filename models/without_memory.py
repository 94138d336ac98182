"""Nets without memory, that see only a window of the past: the baseline that a recurrent net is compared with.

    h_t = tanh(W [x_{t-K+1}; ...; x_t] + b)

Over words this is the neural language model; layer upon layer, each with a window of its own, a time-delay net.
With hidden-to-hidden edges, U h_{t-1} in the bracket, each of them is the recurrent net.
"""

from __future__ import annotations

from typing import Annotated

from tinygraph.cells import Cell, Input, Param, State, cell
from tinygraph.errors import UsageError
from tinygraph.graph import Graph, Node, Steps
from tinygraph.ops.index import gather
from tinygraph.ops.nonlinear import tanh
from tinygraph.ops.structure import concatenate
from tinygraph.shapes import as_size
from tinygraph.unrolling import Unrolled, unroll

from .heads import readout, softmax_cross_entropy
from .mappings import Mapped


@cell
def memoryless(
    x: Annotated[Node, Input["I"]],
    h: Annotated[Node, State["H"]],
    W: Annotated[Node, Param["H I"]],
    b: Annotated[Node, Param["H"]],
) -> Node:
    """One layer that forgets: the simple recurrent network without its recurrence.

    References: Bengio, Ducharme, Vincent and Jauvin 2003, A neural probabilistic language model, JMLR 3.
    """
    return tanh(W @ x + b)


def windows(x: Steps, width: int, *, before: Node | None = None) -> Steps:
    """The last `width` vectors joined, oldest first, at each step.

    Steps before the first have the vector `before`; without one only whole windows count, and step t of the
    result is the window that begins at step t: there are length - width + 1. Raises `UsageError`.
    """
    size = as_size(width, "width of a window")
    if size == 0 or (before is None and size > len(x)):
        raise UsageError(f"no window of {size} fits {len(x)} steps", fix="a width from 1 to the number of steps")
    nodes = [x[t] for t in sorted(x)]
    nodes = nodes if before is None else [before] * (size - 1) + nodes
    found = Steps(x.name)
    for t in range(1, len(nodes) - size + 2):
        with nodes[0].graph.at(step=t):
            found[t] = concatenate(nodes[t - 1 : t - 1 + size]) if size > 1 else nodes[t - 1]
    return found


def neural_language_model(
    steps: int, *, symbols: int, context: int, embedding: int, hidden: int, cell: Cell = memoryless
) -> Mapped:
    """The next symbol from the last `context` symbols: fed "x" and "y" (T, B) of integers.

    Each symbol is looked up in the table C, whose last row stands for what was before the first. The tanh layer
    reads the vectors side by side, the readout scores the symbols: V h + c, without the direct edges that the
    paper offers as a choice. `cell=elman` adds the hidden-to-hidden edges, and is the recurrent language model.

    Reference: Bengio, Ducharme, Vincent and Jauvin 2003, JMLR 3, eq. 1 with W = 0.
    """
    graph = Graph()
    x = graph.sequence("x", steps, (), kind="integer")
    C = graph.parameter("C", (symbols + 1, embedding), initial="uniform")
    vectors = Steps("x")
    for t, symbol in x.items():
        with graph.at(step=t):
            vectors[t] = gather(C, symbol)
    inputs = {next(iter(cell.inputs)): windows(vectors, context, before=C[symbols])}
    net = unroll(cell, steps, inputs=inputs, sizes={name: hidden for name in cell.sizes if name != "I"})
    scores = readout(net, symbols)
    return Mapped(net, scores, softmax_cross_entropy(scores))


def time_delay(x: Steps, layers: list[tuple[int, int]], *, scope: str = "delay") -> list[Unrolled]:
    """Layers of tanh units, each over windows in time of the one below: `[(width, units), ...]`, from the bottom.

    A layer of width w over T steps has T - w + 1: step t reads what stands below at t..t+w-1. The weights are
    shared by all steps. Parameters are `delay/layer1/W`. Reference: Waibel, Hanazawa, Hinton, Shikano and Lang
    1989, doi:10.1109/29.21701.
    """
    made, below = list[Unrolled](), x
    for number, (width, units) in enumerate(layers, start=1):
        seen = windows(below, width)
        made.append(unroll(memoryless, len(seen), inputs={"x": seen}, H=units, scope=f"{scope}/layer{number}"))
        below = made[-1].output
    if not made:
        raise UsageError("a time-delay net has at least one layer", fix="[(3, 8)]: width 3, 8 units")
    return made
