"""How a net that speaks starts: states from a vector, and the symbol that stands before the first."""

from __future__ import annotations

from collections.abc import Mapping

from tinygraph.cells import Cell
from tinygraph.errors import UsageError
from tinygraph.graph import Node, Steps
from tinygraph.ops.nonlinear import tanh


def states_from(cell: Cell, v: Node, sizes: Mapping[str, int], scope: str = "") -> dict[str, Node]:
    """Initial states of a cell from a vector v: tanh(W v + b), with parameters W_h_0 and b_h_0 for a state h.

    Raises `UsageError` if a size of a state is missing.
    """
    front, graph, found = f"{scope}/" if scope else "", v.graph, dict[str, Node]()
    for state, role in cell.states.items():
        missing = [name for name in role.dims.names if name not in sizes]
        if missing:
            raise UsageError(f"cell {cell.name} needs sizes {', '.join(missing)}", fix=f"{missing[0]}=4")
        shape = role.dims.shape(sizes)
        with graph.at(step=0, scope=scope):
            W = graph.parameter(f"{front}W_{state}_0", (*shape, *v.shape))
            b = graph.parameter(f"{front}b_{state}_0", shape)
            found[state] = graph.relabel(tanh(W @ v + b), state)
    return found


def read_before(y: Steps, symbols: int) -> Steps:
    """What is read before each of y_1..y_T is said: the symbol at the beginning, then y_1..y_{T-1}.

    Symbols are numbered 0..symbols-1, then the one that ends a sequence, then the one at the beginning, which is
    larger than any that has a score: it cannot be said.
    """
    first = y.last.graph.number(symbols + 1, "integer", name="BOS")
    return Steps("symbol", [(1, first), *((t + 1, y[t]) for t in range(1, len(y)))])
