"""Layers within one step: a deep cell, which is a cell like any other.

    h1_t = cell(x_t, h1_{t-1})
    h2_t = cell(h1_t, h2_{t-1})          with skips: cell([h1_t; x_t], h2_{t-1}), and all layers are the output

`stack` unrolls layer after layer, each over all steps, and shows them apart; here all layers of a step stand
together, as they must where a step reads what the top layer said at the step before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tinygraph.cells import Cell, Role, State, let
from tinygraph.errors import UsageError
from tinygraph.graph import Node
from tinygraph.ops.structure import concatenate
from tinygraph.shapes import as_size

from .wrapping import derive, documented, joined_roles, only_input, step_inside


def layered(base: Cell, layers: int, *, skips: bool = False) -> Cell:
    """`layers` layers of `base` as one cell, each reading the output of the one below.

    The arguments of layer k are those of `base` with k behind: h1, W1, h2, W2. The output is that of the top
    layer. With `skips` every layer reads x besides, and the output is the state `said`, [h1; h2; ...].
    References: Graves, Mohamed and Hinton 2013, arXiv:1303.5778; for the skips Graves 2013, arXiv:1308.0850, 2.

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
    groups: list[Mapping[str, Role]] = [{name: role}, {"said": State.of(f"{count}*{out.text}")} if skips else {}]
    groups += [{f"{state}{k}": r for state, r in base.states.items()} for k in numbers]
    for k in numbers:
        read = size.name if k == 1 else f"{out.text}+{size.name}" if skips else out.text
        taken = {n: replace(p, dims=p.dims.replaced(size.name, read)) for n, p in base.parameters.items()}
        groups.append({f"{n}{k}": p for n, p in taken.items()})
    roles = joined_roles("a deep cell", *groups)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        x, below, new, outputs = given[name], given[name], list[Node](), list[Node]()
        for k in numbers:
            own = {n: given[f"{n}{k}"] for n in (*base.states, *base.parameters)}
            with below.graph.at(scope=f"layer{k}"):
                read = concatenate([below, x]) if skips and k > 1 else below
                made = step_inside(base, {name: read, **own}, {state: f"{state}{k}" for state in base.states})
            below = made[list(base.states).index(base.output)]
            outputs.append(below)
            new += made
        return [let("said", concatenate(outputs)), *new] if skips else new

    source = "Graves 2013, arXiv:1308.0850" if skips else "Graves, Mohamed and Hinton 2013, arXiv:1303.5778"
    summary = f"{count} layers: {base.summary[:1].lower()}{base.summary[1:]}"
    doc = documented(base, summary, "in layers", source)
    full = f"{base.name}_{count}_layers{'_with_skips' if skips else ''}"
    return derive(full, doc, roles, equations, output="said" if skips else f"{base.output}{count}")
