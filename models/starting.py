"""How a net starts: states from a vector or from a step before the first, biases of its own, the symbol before all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinygraph.cells import Cell, Input, Param, Role
from tinygraph.errors import UsageError, expect
from tinygraph.graph import Graph, Node, Steps
from tinygraph.ops.choice import where
from tinygraph.ops.nonlinear import tanh
from tinygraph.shapes import as_size

from .wrapping import derive, joined_roles, only_input, step_inside

Nodes = dict[str, Node]


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


def dummy_step(graph: Graph, cell: Cell, sizes: Mapping[str, int], scope: str = "") -> tuple[Nodes, Nodes]:
    """The cell's parameters, and the states after a step before the first: from zeros it reads a trained vector BOS.

    For `unroll(cell, T, graph=graph, parameters=parameters, initial=states)`, whose step 1 follows on this step 0.
    Raises `UsageError` for a cell that does not read one vector; what `Cell.shapes` raises.
    """
    expect(graph, Graph, "a dummy step stands on a tape", "tg.Graph()")
    name, _ = only_input(cell, "a dummy step")
    missing = [size for size in cell.sizes if size not in sizes]
    if missing:
        raise UsageError(f"cell {cell.name} needs sizes {', '.join(missing)}", fix=f"{missing[0]}=4")
    front, shapes = f"{scope}/" if scope else "", cell.shapes(sizes)
    parameters = {n: graph.parameter(f"{front}{n}", shapes[n], initial=p.initial) for n, p in cell.parameters.items()}
    with graph.at(step=-1, scope=scope):
        zeros = {state: graph.constant(state, zeros=shapes[state]) for state in cell.states}
    with graph.at(step=0, scope=scope):
        first = graph.parameter(f"{front}BOS", shapes[name], initial="uniform")
        made = cell(**{name: first, **zeros, **parameters})
        states = {state: graph.relabel(node, state) for state, node in zip(cell.states, made, strict=True)}
    return parameters, states


def first_biases(base: Cell) -> Cell:
    """`base` with other biases at the first step: instead of a state h_0 it learns what h_0 would add there.

    Where the boolean input `first` is true, which `at_first` makes, b_0 stands for b, and so for every bias.
    From zeros, with U h_0 + b as b_0, it is `base` from h_0. Raises `UsageError` for a cell without biases.
    """
    expect(base, Cell, "biases of the first step are those of a cell", "such as models.gru")
    biases = {n: p for n, p in base.parameters.items() if n.startswith("b") and len(p.dims.dims) == 1}
    if not biases:
        raise UsageError(f"cell {base.name} has no biases", fix='initial="learned"')
    own = {f"{name}_0": Param.of(role.dims.text) for name, role in biases.items()}
    first: dict[str, Role] = {"first": Input.of("", "boolean")}
    roles = joined_roles("a cell with biases of its first step", base.roles, first, own)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        chosen = {name: where(given["first"], given[f"{name}_0"], given[name]) for name in biases}
        return step_inside(base, {**{name: given[name] for name in base.roles}, **chosen})

    doc = f"{base.name} with biases of its own at the first step.\n\nReferences: {base.reference}"
    return derive(f"{base.name}_first_biases", doc, roles, equations, output=base.output)


def at_first(graph: Graph, steps: int) -> Steps:
    """Whether a step is the first, as constants: an input for `first_biases` and `models.captioner_first`."""
    flags = ((t, graph.number(t == 1, "boolean")) for t in range(1, as_size(steps, "number of steps") + 1))
    return Steps("first", flags)


def read_before(y: Steps, beginning: int) -> Steps:
    """What is read before each of y_1..y_T is said: the symbol at the beginning, then y_1..y_{T-1}.

    That symbol is the number above all that have a score: it cannot be said.
    """
    first = y.last.graph.number(beginning, "integer", name="BOS")
    return Steps("symbol", [(1, first), *((t + 1, y[t]) for t in range(1, len(y)))])
