"""Reading in both directions: a net from the left and one from the right, their states joined at each step.

output_t = [forward_t; backward_t]      forward_t has seen x_1..x_t, backward_t has seen x_t..x_T
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygraph.cells import Cell
from tinygraph.errors import UnknownNameError, UsageError, expect
from tinygraph.graph import Graph, Node, Steps
from tinygraph.initialisers import Initialiser, initialise
from tinygraph.ops.structure import concatenate
from tinygraph.unrolling import Unrolled, unroll


class Bidirectional:
    """Two nets over the same inputs: `net.forward.h[t]`, `net.backward.h[t]`, and `net.output[t]` of both."""

    def __init__(self, forward: Unrolled, backward: Unrolled, output: Steps) -> None:
        self.forward = forward
        self.backward = backward
        self.output = output
        self.layers = (forward, backward)
        self.graph = forward.graph
        self.steps = forward.steps
        self.mask = forward.mask
        self.parameters = {f"{net.scope}/{name}": node for net in self.layers for name, node in net.parameters.items()}

    @property
    def x(self) -> Steps:
        """The input."""
        return self.forward.series[next(iter(self.forward.cell.inputs))]

    def initial(
        self, seed: int = 0, how: str | Mapping[str, str | Initialiser] | None = None
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Initial values of all parameters of the tape, by name."""
        return initialise(self.graph.parameters, seed, how)

    init_parameters = initial

    def __repr__(self) -> str:
        return f"<{self.forward.cell.name} in both directions over {self.steps} steps>"


def bidirectional(
    cell: Cell,
    steps: int,
    *,
    graph: Graph | None = None,
    inputs: Mapping[str, Steps] | None = None,
    parameters: Mapping[str, Node] | None = None,
    initial: str = "zeros",
    mask: bool | Steps = False,
    scope: str = "",
    sizes: Mapping[str, int] | None = None,
    **named_sizes: int,
) -> Bidirectional:
    """Unroll `cell` in both directions, each with its own parameters: `bidirectional(lstm, 5, I=3, H=4)`.

    Parameters are fed as `forward/W` and `backward/W`, behind `scope`; `parameters` are shared ones by
    these names. Another layer reads the output of this one: `inputs={"x": below.output}, scope="layer2"`.
    With a mask the backward net keeps its initial state until the example begins, seen from its end.
    For the rest see `unroll`. Reference: Schuster and Paliwal 1997, doi:10.1109/78.650093.

    Raises `UsageError` for a cell without an input, and what `unroll` raises.
    """
    expect(cell, Cell, "a net in both directions is made of a cell", "such as models.lstm")
    if not cell.inputs:
        raise UsageError(f"cell {cell.name} has no input that could be read in both directions", fix="unroll it alone")
    front = f"{scope}/" if scope else ""
    scopes = [f"{front}forward", f"{front}backward"]
    for name in parameters or {}:
        if not name.startswith(tuple(f"{one}/" for one in scopes)):
            raise UnknownNameError(f"no direction has a parameter {name!r}", fix=f"such as {scopes[0]}/W")
    made: list[Unrolled] = []
    for one in scopes:
        first = made[0] if made else None
        made.append(
            unroll(
                cell,
                steps,
                graph=first.graph if first else graph,
                inputs={name: first.series[name] for name in cell.inputs} if first else inputs,
                contexts=first.contexts if first else None,
                parameters={n.removeprefix(f"{one}/"): p for n, p in (parameters or {}).items() if n.startswith(one)},
                initial=initial,
                mask=first.mask if first and first.mask is not None else mask,
                reverse=first is not None,
                scope=one,
                sizes=first.sizes if first else {**(sizes or {}), **named_sizes},
            )
        )
    forward, backward = made
    output = Steps(cell.output)
    for t in range(1, forward.steps + 1):
        with forward.graph.at(step=t, scope=f"{front}both"):
            both = concatenate([forward.output[t], backward.output[t]])
            output[t] = forward.graph.relabel(both, cell.output)
    return Bidirectional(forward, backward, output)
