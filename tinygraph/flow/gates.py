"""The classes of paths through a cell, by the gates that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..cells import Cell
from ..errors import expect
from ..graph.node import Node
from ..graph.tape import cone
from ..symbolic.words import net_of_steps
from .paths import Classes

DIRECT = "direct"  # from state to state, through no gate


def gate_classes(cell: Cell) -> Classes:
    """For `path_ledger`: one class for each set of gates (`let`) that a path through one step takes.

    An LSTM has "direct" (from cell to cell: the highway), "i", "f", "g" and "o"; a GRU "direct", "z", "c"
    and "r, c". Over several steps a path belongs to a class if it takes no other gates than these.
    """
    expect(cell, Cell, "gate_classes takes a cell", "such as models.lstm")
    return {_name(gates): _only(gates | set(cell.states)) for gates in gate_sets(cell)}


def gate_sets(cell: Cell) -> list[frozenset[str]]:
    """The sets of gates on the paths of one step, from old states to new ones, the smallest first."""
    net = net_of_steps(cell, 1, dict.fromkeys(cell.sizes, 2))
    ends = [net.series[state].last for state in cell.states]
    found: dict[int, set[frozenset[str]]] = {net.series[s][0].id: {frozenset()} for s in cell.states}
    for node in cone(ends):
        if node.id in found:
            continue
        own = {node.label} if node.label and node.label not in cell.states else set()
        through = {gates | own for arg in _sources(node) for gates in found.get(arg.id, ())}
        if through:
            found[node.id] = through
    every = {gates for end in ends for gates in found.get(end.id, ())}
    order = _first_seen(cone(ends))
    return sorted(every, key=lambda gates: (len(gates), sorted(order[gate] for gate in gates)))


def _sources(node: Node) -> Iterable[Node]:
    return (arg for place, arg in enumerate(node.args) if arg.kind == "real" and node.op.rule(place) is not None)


def _first_seen(nodes: Iterable[Node]) -> dict[str, int]:
    order: dict[str, int] = {}
    for node in nodes:
        order.setdefault(node.label, len(order))
    return order


def _name(gates: frozenset[str]) -> str:
    return ", ".join(sorted(gates)) or DIRECT


def _only(labels: set[str] | frozenset[str]) -> Callable[[Node], bool]:
    return lambda node: node.label in labels
