"""Layers within one step: a deep cell, which is a cell like any other.

    h1_t = cell(x_t, h1_{t-1})
    h2_t = cell(h1_t, h2_{t-1})

`stack` unrolls layer after layer, each over all steps, and shows them apart; here all layers of a step stand
together, as they must where a step reads what the top layer said at the step before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tinygraph.cells import Cell, Role
from tinygraph.errors import UsageError
from tinygraph.graph import Node
from tinygraph.shapes import as_size

from .wrapping import derive, joined_roles, only_input, step_inside


def layered(base: Cell, layers: int) -> Cell:
    """`layers` layers of `base` as one cell, each reading the output of the one below.

    The arguments of layer k are those of `base` with k behind: h1, W1, h2, W2. The output is that of the top
    layer. Reference: Graves, Mohamed and Hinton 2013, arXiv:1303.5778, without its links past layers.

    Raises `UsageError` for a cell that does not read one vector, or for no layers.
    """
    name, role = only_input(base, "a deep cell")
    count = as_size(layers, "number of layers")
    if count == 0:
        raise UsageError("a deep cell needs at least one layer")
    if count == 1:
        return base
    (size,), out = role.dims.dims, base.states[base.output].dims
    if not size.name or len(out.dims) != 1:
        raise UsageError(f"a layer of {base.name} cannot read the one below", fix="take a cell such as models.gru")
    numbers = range(1, count + 1)
    groups: list[Mapping[str, Role]] = [{name: role}]
    groups += [{f"{state}{k}": r for state, r in base.states.items()} for k in numbers]
    for k in numbers:
        read = size.name if k == 1 else out.text
        taken = {n: replace(p, dims=p.dims.replaced(size.name, read)) for n, p in base.parameters.items()}
        groups.append({f"{n}{k}": p for n, p in taken.items()})
    roles = joined_roles("a deep cell", *groups)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        below, new = given[name], list[Node]()
        for k in numbers:
            own = {n: given[f"{n}{k}"] for n in (*base.states, *base.parameters)}
            with below.graph.at(scope=f"layer{k}"):
                made = step_inside(base, {name: below, **own}, {state: f"{state}{k}" for state in base.states})
            below = made[list(base.states).index(base.output)]
            new += made
        return new

    doc = f"{count} layers: {base.summary[:1].lower()}{base.summary[1:]}\n\nReferences: {base.reference}"
    return derive(f"{base.name}_{count}_layers", doc, roles, equations, output=f"{base.output}{count}")
