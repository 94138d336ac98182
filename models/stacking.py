"""Stacking: layers of cells over one time axis, each reading the output of the one below.

Layer k stands in scope `layer<k>`, and its parameters are fed as `layer<k>/W`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygraph.cells import Cell
from tinygraph.errors import UnknownNameError, UsageError, expect, nearest
from tinygraph.graph import Graph, Node, Steps
from tinygraph.initialisers import Initialiser, initialise
from tinygraph.shapes import as_size
from tinygraph.unrolling import Unrolled, unroll


class Stack:
    """Unrolled layers: `net.layers[k].h[t]`, `net.output`, `net.parameters` by full name."""

    def __init__(self, layers: Sequence[Unrolled]) -> None:
        self.layers = tuple(layers)
        self.graph = layers[0].graph
        self.steps = layers[0].steps
        self.mask = layers[0].mask
        self.parameters = {f"{layer.scope}/{name}": node for layer in layers for name, node in layer.parameters.items()}

    @property
    def output(self) -> Steps:
        """The output of the top layer at t = 1..T."""
        return self.layers[-1].output

    @property
    def x(self) -> Steps:
        """The input of the bottom layer."""
        return self.layers[0].series[next(iter(self.layers[0].cell.inputs))]

    def initial(
        self, seed: int = 0, how: str | Mapping[str, str | Initialiser] | None = None
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Initial values of all parameters of the tape, by name."""
        return initialise(self.graph.parameters, seed, how)

    init_parameters = initial

    def __repr__(self) -> str:
        return f"<{len(self.layers)} layers: {', '.join(layer.cell.name for layer in self.layers)}, {self.steps} steps>"


def stack(
    cells: Cell | Sequence[Cell],
    steps: int,
    *,
    layers: int | None = None,
    graph: Graph | None = None,
    inputs: Mapping[str, Steps] | None = None,
    parameters: Mapping[str, Node] | None = None,
    initial: str = "zeros",
    mask: bool | Steps = False,
    sizes: Mapping[str, int] | None = None,
    **named_sizes: int,
) -> Stack:
    """Unroll layers over `steps` steps: `stack(lstm, steps=5, layers=2, I=3, H=4)` or `stack([gru, lstm], ...)`.

    The sizes hold for all layers; the input size of each higher layer is the output size of the one
    below. `parameters` are shared ones, by full name: `parameters=other.parameters`. For `initial`
    and `mask` see `unroll`. Raises `UsageError` and what `unroll` raises.
    """
    layers = None if layers is None else as_size(layers, "number of layers")
    if isinstance(cells, Cell):
        cells = [cells] * (2 if layers is None else layers)
    elif layers is not None and layers != len(cells):
        raise UsageError(f"{len(cells)} cells are not {layers} layers")
    if not cells:
        raise UsageError("a stack needs at least one layer")
    for cell in cells:
        expect(cell, Cell, f"a stack is made of cells, {cells!r:.40} has", "take a cell such as models.CELLS['lstm']")
        if not cell.inputs:
            raise UsageError(f"cell {cell.name} has no input that could read the layer below", fix="unroll it alone")
    for name in parameters or {}:
        if not name.startswith(tuple(f"layer{number}/" for number in range(1, len(cells) + 1))):
            raise UnknownNameError(f"no layer has a parameter {name!r}", fix="full names are wanted, such as layer1/W")
    all_sizes = {**(sizes or {}), **named_sizes}
    for name in all_sizes:
        if not any(name in _sizes(cell) for cell in cells):
            known = {size for cell in cells for size in _sizes(cell)}
            raise UnknownNameError(f"no layer has a size {name!r}", fix=nearest(name, known))
    tape = graph if graph is not None else _tape(inputs, parameters)
    if mask is True:
        mask = tape.sequence("mask", steps, (), kind="boolean")
    made: list[Unrolled] = []
    for number, cell in enumerate(cells, start=1):
        scope = f"layer{number}"
        own = {n.removeprefix(f"{scope}/"): p for n, p in (parameters or {}).items() if n.startswith(f"{scope}/")}
        feed = {next(iter(cell.inputs)): made[-1].output} if made else inputs
        determined = _determined(cell, feed)
        own_sizes = {name: size for name, size in all_sizes.items() if name in _sizes(cell) and name not in determined}
        made.append(
            unroll(
                cell,
                steps,
                graph=tape,
                inputs=feed,
                parameters=own,
                initial=initial,
                mask=mask,
                scope=scope,
                sizes=own_sizes,
            )
        )
    return Stack(made)


def _sizes(cell: Cell) -> list[str]:
    """The sizes that a caller may give."""
    return [*cell.sizes, *cell.equal_sizes]


def _determined(cell: Cell, inputs: Mapping[str, Steps] | None) -> set[str]:
    """The sizes of `cell` that given inputs determine."""
    dims = [cell.inputs[given].dims for given in inputs or {} if given in cell.inputs]
    return {name for one in dims for name in (*one.names, *one.equal)}


def _tape(inputs: Mapping[str, Steps] | None, parameters: Mapping[str, Node] | None) -> Graph:
    nodes = [nodes.last for nodes in (inputs or {}).values()] + list((parameters or {}).values())
    return nodes[0].graph if nodes else Graph()
