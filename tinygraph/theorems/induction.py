r"""Statement 1: what holds for one step holds for every T.

The state at t, all its parts joined into one node, stands on every path from the past to the future (dominators), and
each step is a copy of the first. So the Jacobian over d steps is the product of d step Jacobians, for every d:

    d s_{t+d} / d s_t = J_{t+d} ... J_{t+1}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cells import Cell
from ..graph.node import Node
from ..graph.tape import Graph
from ..ops.arithmetic import identity
from ..ops.structure import concatenate, reshape
from ..shapes import size
from ..verification.comparisons import ends_of, field_and_adjoint, words_and_field
from .statement import EVERY, Evidence, Failing, Theorem

PAST = "the past"
LONG = 20  # steps over which the product is multiplied out


def every_length(
    cells: Mapping[str, Cell], *, steps: int = 4, skip: bool = False, odd: int = 0, joined: bool = True
) -> Evidence:
    """Separation and isomorphism of `steps` steps of each cell; for the first cell the product itself, in the field.

    With `skip` a step also reads the state of two steps ago, the `odd` step reads twice the state, and without
    `joined` the first part of a state is taken for the whole of it.
    """
    separators = 0
    for cell in cells.values():
        chain = _chain(cell, steps, skip, odd, joined)
        reason = _goes_past(chain) or _odd_step(chain)
        if reason:
            return Evidence("", f"{cell.name}: {reason}")
        separators += steps - 1
    first = next(iter(cells.values()))
    adjoint = field_and_adjoint(ends_of(first, 4, LONG), seed=0)
    differs = words_and_field(first, 4, LONG, seed=0).differs or adjoint.differs
    numbers = f"{len(cells)} cells, {separators} states separate; {first.name}, {LONG} steps: product = adjoint mod p"
    return Evidence(numbers, differs)


@dataclass(frozen=True)
class _Chain:
    """Steps written one by one: the nodes of the states at 0..T, and what is taken for the state."""

    graph: Graph
    parts: list[list[Node]]
    states: list[Node]


def _chain(cell: Cell, steps: int, skip: bool, odd: int, joined: bool) -> _Chain:
    graph, shapes = Graph(), cell.shapes(dict.fromkeys(cell.sizes, 2))
    shared = {name: graph.parameter(name, shapes[name]) for name in cell.parameters}
    shared |= {n: graph.input(n, shapes[n], kind=role.kind) for n, role in cell.contexts.items()}
    with graph.at(step=0):
        first = [graph.relabel(graph.input(f"{state}_0", shapes[state]), state) for state in cell.states]
        chain = _Chain(graph, [first], [_joined(graph, first) if joined else first[0]])
    for t in range(1, steps + 1):
        with graph.at(step=t):
            given = {n: graph.input(f"{n}_{t}", shapes[n], kind=role.kind) for n, role in cell.inputs.items()}
            old = _parts(chain, t - 1, shapes, cell, joined)
            if skip and t > 1:
                old[0] = old[0] + _parts(chain, t - 2, shapes, cell, joined)[0]
            if t == odd:
                old[0] = old[0] * 2
            made = cell(**dict(zip(cell.states, old, strict=True)), **given, **shared)
            new = [graph.relabel(identity(node), state) for state, node in zip(cell.states, made, strict=True)]
            chain.parts.append(new)
            chain.states.append(_joined(graph, new) if joined else new[0])
    return chain


def _joined(graph: Graph, parts: list[Node]) -> Node:
    """All parts of a state as one vector."""
    flat = [reshape(part, (size(part.shape),)) for part in parts]
    return graph.relabel(concatenate(flat) if len(flat) > 1 else flat[0], "s")


def _parts(chain: _Chain, t: int, shapes: Mapping[str, Any], cell: Cell, joined: bool) -> list[Node]:
    """The parts of the state at t, read from the joined node."""
    if not joined:
        return list(chain.parts[t])
    ends = np.cumsum([size(shapes[state]) for state in cell.states])
    return [
        reshape(chain.states[t][int(end) - size(shapes[state]) : int(end)], shapes[state])
        for state, end in zip(cell.states, ends, strict=True)
    ]


def _goes_past(chain: _Chain) -> str:
    """The first edge by which the past reaches step t + 1 without the state at t, in words; empty if there is none."""
    import networkx  # takes 0.1 s

    paths = networkx.DiGraph(chain.graph.to_networkx())
    paths.add_edges_from((PAST, part.id) for part in chain.parts[0])
    later = networkx.descendants(paths, PAST)
    above = networkx.immediate_dominators(paths.subgraph(later | {PAST}), PAST)
    for t, state in enumerate(chain.states[:-1]):
        for node in chain.graph.nodes:
            if t and node.id in later and node.step == t + 1 and not _dominates(above, state.id, node.id):
                rest = paths.subgraph(set(paths) - {state.id})
                path = networkx.shortest_path(rest, PAST, node.id)[1:]
                reader = next(i for i, id in enumerate(path) if (chain.graph.nodes[id].step or 0) > t)
                read = chain.graph.nodes[path[reader - 1]]
                return f"step {t + 1} reads {read.name}, which goes past {state.name}"
    return ""


def _dominates(above: Mapping[Any, Any], state: int, node: Any) -> bool:
    """Whether the state stands on all paths from the past to the node: up the tree of dominators."""
    while node not in (PAST, state):
        node = above[node]
    return bool(node == state)


def _odd_step(chain: _Chain) -> str:
    """The first step that is no copy of step 1 under the renaming by position; empty if all are."""
    first = _form(chain, 1)
    for t in range(2, len(chain.states)):
        if _form(chain, t) != first:
            return f"step {t} is no copy of step 1"
    return ""


def _form(chain: _Chain, t: int) -> list[Any]:
    """The nodes of step t with operands by their place in it; the state before and what is shared are named."""
    own = [node for node in chain.graph.nodes if node.step == t]
    places: dict[Node, Any] = {chain.states[t - 1]: "the state before"}
    places |= {part: f"part {k} of it" for k, part in enumerate(chain.parts[t - 1]) if part not in places}
    places |= {node: place for place, node in enumerate(own)}
    operands = {node: [places.get(arg, ("shared", arg.id)) for arg in node.args] for node in own}
    return [
        (node.op.name, node.shape, node.kind, None if node.op.leaf else sorted(node.attrs.items()), operands[node])
        for node in own
    ]


THEOREMS = (
    Theorem(
        key="induction",
        number="1",
        title="For every T by induction",
        statement="The joined state at t stands on every path from the past to the future and all steps are copies"
        " of one, so the Jacobian over d steps is the product of d step Jacobians, for every d.",
        latex=r"\frac{\partial s_{t+d}}{\partial s_t} = J_{t+d} \cdots J_{t+1} \quad \text{for all } d",
        kind="exact",
        check=every_length,
        given={"cells": EVERY},
        failing=(
            Failing(("skip", True), "step 2 reads s_0, which goes past s_1"),
            Failing(("odd", 3), "step 3 is no copy of step 1"),
            Failing(("joined", False), "step 2 reads c_1, which goes past h_1"),
        ),
    ),
)
