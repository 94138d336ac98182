"""What a gradient costs, counted on its graph: multiplications and memory, backwards and forwards in time.

    backpropagation through time   O(T p) multiplications     O(T S + p) numbers held
    real-time recurrent learning   O(T S^2 p)                 O(S p)

for T steps, a state of size S and p parameters, of one example (where most parameters are matrix entries that a
step uses once). Williams and Zipser 1995, "Gradient-based learning algorithms for recurrent networks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cells import Cell
from ..differentiate import grad
from ..errors import UsageError, expect
from ..graph.node import Node
from ..graph.tape import cone
from ..nest import leaves
from ..ops.arithmetic import add
from ..ops.reduce import sum as sum_entries
from ..shapes import as_size, size
from ..tables import text_table
from ..unrolling import unroll
from .real_time import rtrl

# Multiplications of one application, for those operations that are products; a function such as tanh counts none.
PRODUCTS: dict[str, Callable[[Node], int]] = {
    "mul": lambda node: size(node.shape),
    "div": lambda node: size(node.shape),
    "power": lambda node: size(node.shape),
    "outer": lambda node: size(node.shape),
    "dot": lambda node: size(node.args[0].shape),
    "matmul": lambda node: size(node.shape) * node.args[0].shape[-1],
    "bilinear": lambda node: size(node.args[1].shape) + size(node.args[1].shape[:-1]),
}


@dataclass(frozen=True)
class Cost:
    """For one example: multiplications and divisions, and the numbers held at most at one time.

    Held are the inputs from the start to their last use, and each value from where it is computed to its last use
    (results to the end); parameters and constants are not counted. `memory` is what running the tape as it stands
    takes: the gradient by a shared weight is one sum, whose terms, one for each use, all wait for it. `accumulated`
    is what it takes if each term is added to its sum at once.
    """

    multiplications: int
    memory: int
    accumulated: int


def cost_of(outputs: Any) -> Cost:
    """The cost of computing `outputs`, a node or any nesting of nodes, in the order of the tape."""
    roots = leaves(outputs)
    for root in roots:
        expect(root, Node, "a cost is that of nodes", "tg.grad(loss, net.parameters)")
    nodes = cone(roots)
    sums = _terms(nodes, roots)
    return Cost(multiplications(nodes), most_held(nodes, roots), most_held(nodes, roots, sums=sums))


def multiplications(nodes: Iterable[Node]) -> int:
    """Multiplications and divisions of one example."""
    return sum(PRODUCTS[node.op.name](node) for node in nodes if node.op.name in PRODUCTS)


def most_held(
    nodes: Sequence[Node], roots: Sequence[Node], *, sums: Mapping[Node, Node] | None = None, inputs: bool = True
) -> int:
    """The numbers held at most at one time, for one example, with the inputs or without.

    A term of `sums` is added to its sum as soon as it is there.
    """
    into = sums or {}
    last_use = {arg: node for node in nodes for arg in node.args}
    kept, begun = set(roots), set()
    sizes = {node: _held(node) if inputs or not node.op.leaf else 0 for node in nodes}
    held = highest = sum(sizes[node] for node in nodes if node.op.leaf)
    for node in nodes:
        if not node.op.leaf and node not in begun:
            held += sizes[node]
        highest = max(highest, held)
        if node in into:
            held -= sizes[node] if into[node] in begun else 0
            begun.add(into[node])
        free = (arg for arg in dict.fromkeys(node.args) if last_use[arg] is node and arg not in kept)
        held -= sum(sizes[arg] for arg in free if into.get(arg) is not node)
    return highest


def _terms(nodes: list[Node], roots: list[Node]) -> dict[Node, Node]:
    """The sum of each term that is read by it alone and has its shape."""
    readers: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for arg in node.args:
            readers[arg].append(node)
    wanted = set(roots)
    return {
        node: found[0]
        for node, found in readers.items()
        if len(found) == 1
        and found[0].op.name == "add"
        and node.shape == found[0].shape
        and not (node.op.leaf or node in wanted)
    }


def _held(node: Node) -> int:
    return 0 if node.op.name in ("parameter", "constant") else size(node.shape)


@dataclass(frozen=True)
class Costs:
    """Both gradients of a cell for several numbers of steps; printed as a table with its formulae.

    state, parameters   S and p
    backwards, forwards T -> cost of the gradient of the sum of a loss at each step
    """

    cell: str
    state: int
    parameters: int
    backwards: Mapping[int, Cost]
    forwards: Mapping[int, Cost]

    def __str__(self) -> str:
        S, p = self.state, self.parameters
        rows = [["T", "BPTT multiplications", "memory", "accumulated", "RTRL multiplications", "memory"]]
        for t, back in self.backwards.items():
            ahead = self.forwards[t]
            numbers = back.multiplications, back.memory, back.accumulated, ahead.multiplications, ahead.memory
            rows.append([str(t), *(f"{number:,}" for number in numbers)])
        rows.append(["order", "T p", "T p", "T S + p", "T S^2 p", "S p"])
        rows.append(["T = 1", *(f"{number:,}" for number in (p, p, S + p, S * S * p, S * p))])
        head = f"{self.cell}: state S = {S}, parameters p = {p}, one example"
        return "\n".join([head, *text_table(rows, range(6))])


def compare_costs(
    cell: Cell, steps: int | Iterable[int] = (1, 10, 100), sizes: Mapping[str, int] | None = None, **named_sizes: int
) -> Costs:
    """The cost of the gradient by backpropagation through time and by real-time recurrent learning.

    Both are counted on their graphs, with the loss sum(h_t^2) at each step; RTRL runs the graph of one step T times.
    Raises `UsageError` and what `unroll` raises.

    >>> print(tg.compare_costs(models.gru, (1, 10, 100), I=8, H=16))
    """
    expect(cell, Cell, "costs are those of a cell", "models.gru")
    counts = [as_size(t, "number of steps") for t in (steps if isinstance(steps, Iterable) else [steps])]
    if not counts or min(counts) < 1:
        raise UsageError("costs are counted for at least one step", fix="steps=(1, 10, 100)")
    known = {**(sizes or {}), **named_sizes}
    net = unroll(cell, 1, initial="fed", sizes=known)
    online = rtrl(net, sum_entries(net.output[1] * net.output[1]))
    once = cost_of([online.loss, online.gradient, online.states, online.influence])
    return Costs(
        cell.name,
        online.influence.shape[0],
        sum(size(node.shape) for node in net.parameters.values()),
        {t: _through_time(cell, t, known) for t in counts},
        {t: Cost(t * once.multiplications, once.memory, once.accumulated) for t in counts},
    )


def _through_time(cell: Cell, steps: int, sizes: Mapping[str, int]) -> Cost:
    net = unroll(cell, steps, initial="fed", sizes=sizes)
    loss = add([sum_entries(h * h) for h in net.output.values()])
    return cost_of([loss, grad(loss, net.parameters)])
