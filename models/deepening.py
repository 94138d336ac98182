"""Depth around one recurrent step: layers from state to state, layers behind the state, a way past the cell.

    deep transition   h_t = layer_L( ... layer_2(cell(x_t, h_{t-1})))
    deep output       out_t = tanh(V_out h_t + c_out)
    residual          y_t = x_t + h_t

Each makes a cell of cells, so that they go together: `deep_output(deep_transition(elman, tanh_layer))`.
Layers above one another are `stack` and `layered`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from tinygraph.cells import Cell, Input, Param, Role, State, cell, let
from tinygraph.errors import UsageError, expect
from tinygraph.graph import Node
from tinygraph.ops.nonlinear import tanh

from .wrapping import derive, documented, joined_roles, only_input, output_size, step_inside

PASCANU = "Pascanu, Gulcehre, Cho and Bengio 2014, arXiv:1312.6026"


@cell
def tanh_layer(
    h: Annotated[Node, State["H"]],
    U: Annotated[Node, Param["H H", "orthogonal"]],
    b: Annotated[Node, Param["H"]],
) -> Node:
    """One tanh layer, a step over depth.

    References: Pascanu, Gulcehre, Cho and Bengio 2014, arXiv:1312.6026.
    """
    return tanh(U @ h + b)


def deep_transition(base: Cell, *layers: Cell) -> Cell:
    """`base`, whose output goes through `layers` before it is the new state.

    A layer is a cell of one state and at most one input. One without an input, such as `tanh_layer`, reads what is
    below it; one with an input, such as `elman`, reads the old state through it besides: a shortcut past the layers
    below. Layer k has k behind the names of its parameters, the first being layer 2: U2, b2. The recurrent highway
    network of depth 3 is `deep_transition(recurrent_highway, highway, highway)`.

    References: Pascanu, Gulcehre, Cho and Bengio 2014, arXiv:1312.6026, 3.2; Zilly et al. 2017, arXiv:1607.03474, 4.

    Raises `UsageError` without a layer or for one that does not fit, `CellError` where two arguments share a name.
    """
    size = output_size(base, "a deep transition")
    if not layers:
        raise UsageError("a deep transition has a layer at least", fix="models.tanh_layer")
    numbered = list(enumerate(layers, start=2))
    groups = [{f"{n}{k}": role for n, role in _parameters(layer, size).items()} for k, layer in numbered]
    roles = joined_roles("a deep transition", base.roles, *groups)
    place = list(base.states).index(base.output)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        old = given[base.output]
        new = step_inside(base, {name: given[name] for name in base.roles}, {base.output: f"{base.output}1"})
        for k, layer in numbered:
            own = {name: given[f"{name}{k}"] for name in layer.parameters} | dict.fromkeys(layer.inputs, old)
            label = base.output if k == len(layers) + 1 else f"{base.output}{k}"
            given_layer = {layer.output: new[place], **own}
            (new[place],) = step_inside(layer, given_layer, {layer.output: label}, behind=str(k))
        return new

    names = "_".join(layer.name for layer in layers)
    doc = documented(base, f"{base.name} with {len(layers) + 1} layers from state to state.", "in depth", PASCANU)
    return derive(f"{base.name}_then_{names}", doc, roles, equations, output=base.output)


def deep_output(base: Cell, layers: int = 1) -> Cell:
    """`base` with tanh layers behind its output, which no step reads: the states `out1`, `out2`, ..., all (D,).

    Its output is the last of them, on which a readout stands. Parameters V_out1, c_out1, ...
    Reference: Pascanu, Gulcehre, Cho and Bengio 2014, arXiv:1312.6026, 3.3. Raises `UsageError`, `CellError`.
    """
    size = output_size(base, "a deep output")
    if isinstance(layers, bool) or not isinstance(layers, int) or layers < 1:
        raise UsageError(f"a deep output has one layer or more, not {layers!r:.40}", fix="layers=1")
    if "D" in base.sizes:
        raise UsageError(f"cell {base.name} has a size D, which a deep output needs", fix="rename it")
    numbers = range(1, layers + 1)
    states = {f"out{k}": State.of("D") for k in numbers}
    widths = dict.fromkeys(numbers, "D") | {1: size}
    added = {f"V_out{k}": Param.of(f"D {widths[k]}") for k in numbers} | {f"c_out{k}": Param.of("D") for k in numbers}
    roles = joined_roles("a deep output", base.roles, states, added)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        new = step_inside(base, {name: given[name] for name in base.roles})
        said, outputs = new[list(base.states).index(base.output)], list[Node]()
        for k in numbers:
            said = let(f"out{k}", tanh(given[f"V_out{k}"] @ said + given[f"c_out{k}"]))
            outputs.append(said)
        return [*new, *outputs]

    behind = "a tanh layer" if layers == 1 else f"{layers} tanh layers"
    doc = documented(base, f"{base.name} with {behind} behind its output.", "deep output", PASCANU)
    return derive(f"{base.name}_deep_output_{layers}", doc, roles, equations, output=f"out{layers}")


def residual(base: Cell) -> Cell:
    """`base` with a way past it: the output is the state y_t = x_t + h_t, so that the input is as wide as h.

    In a stack each layer then adds to what the layers below say. References: He, Zhang, Ren and Sun 2016,
    arXiv:1512.03385; over recurrent layers: Wu et al. 2016, arXiv:1609.08144, 3.1. Raises `UsageError`, `CellError`.
    """
    size = output_size(base, "a residual")
    name, role = only_input(base, "a residual")
    (own,) = role.dims.dims
    if not own.name:
        raise UsageError(f"cell {base.name} reads a vector of {role.dims.text!r}", fix="take one such as models.gru")
    read = Input.of(f"{own.name}={size}") if own.name != size else role
    parameters = {n: replace(p, dims=p.dims.replaced(own.name, size)) for n, p in base.parameters.items()}
    roles = joined_roles("a residual", {name: read}, {"y": State.of(size)}, base.states, parameters)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        new = step_inside(base, {n: given[n] for n in base.roles})
        return [let("y", given[name] + new[list(base.states).index(base.output)]), *new]

    sources = "He, Zhang, Ren and Sun 2016, arXiv:1512.03385; Wu et al. 2016, arXiv:1609.08144"
    doc = documented(base, f"{base.name} with a way past it.", "the way past", sources)
    return derive(f"{base.name}_residual", doc, roles, equations, output="y")


def _parameters(layer: Cell, size: str) -> dict[str, Role]:
    """The parameters of a layer between states of that size. Raises `UsageError` for a cell that is no such layer."""
    expect(layer, Cell, "a layer of a deep transition is a cell", "such as models.tanh_layer")
    fits = len(layer.states) == 1 and len(layer.inputs) <= 1 and not layer.contexts and not layer.children
    vectors = [*layer.states.values(), *layer.inputs.values()]
    if not fits or any(len(role.dims.dims) != 1 or role.dims.dims[0].name == "" for role in vectors):
        fix = "take one such as models.tanh_layer, models.highway or models.elman"
        raise UsageError(f"cell {layer.name} is no layer between two vectors of one size", fix=fix)
    found: dict[str, Role] = {}
    for name, param in layer.parameters.items():
        dims = param.dims
        for own in layer.sizes:
            dims = dims.replaced(own, size)
        found[name] = replace(param, dims=dims)
    return found
