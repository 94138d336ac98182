"""Cells made of cells: equations written around those of any other cell, in the one form that all cells have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tinygraph.cells import Cell, Input, Param, Role, cell, let
from tinygraph.errors import CellError, UsageError, expect
from tinygraph.graph import Graph, Node

Equations = Callable[[Mapping[str, Node]], Sequence[Node]]


def derive(name: str, doc: str, roles: Mapping[str, Role], equations: Equations, *, output: str = "") -> Cell:
    """A cell whose arguments are known only now: `equations` takes nodes by name and gives the new states in order."""

    def function(*nodes: Node) -> tuple[Node, ...]:
        return tuple(equations(dict(zip(roles, nodes, strict=True))))

    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    arguments = [inspect.Parameter(argument, plain, annotation=role) for argument, role in roles.items()]
    function.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]  # what inspect reads
    function.__doc__ = doc
    return cell(name=name, output=output)(function)


def step_inside(
    base: Cell, given: Mapping[str, Node], names: Mapping[str, str] | None = None, *, behind: str = ""
) -> list[Node]:
    """One step of `base` within the equations of another cell: its new states, in order.

    `names` has the name that a state of `base` bears outside, where that differs; `behind` stands behind the labels
    of its gates. While `base` is traced, only its own states are made by `let`: a gate that it calls o is no state o
    of the cell around it.
    """
    graph = next(iter(given.values())).graph
    around, made = graph.new_state, dict[str, Node]()

    def maker(state: str, make: Callable[[Node, str], Node]) -> Callable[[Node, str], Node]:
        def make_once(node: Node, latex: str) -> Node:
            made[state] = make(node, latex)
            return made[state]

        return make_once

    outside = {state: (names or {}).get(state, state) for state in base.states}
    makers = {state: maker(state, around[name]) for state, name in outside.items() if name in around}
    graph.new_state = _Makers(makers, graph, behind) if behind else makers
    try:
        returned = base(**given)
    finally:
        graph.new_state = around
    found = zip(outside.items(), returned, strict=True)
    return [node if made.get(state) is node else let(name, node) for (state, name), node in found]


class _Makers(dict[str, Callable[[Node, str], Node]]):
    """What `let` makes of a label: the states that there are, and all else with something behind its label."""

    def __init__(self, makers: Mapping[str, Callable[[Node, str], Node]], graph: Graph, behind: str) -> None:
        super().__init__(makers)
        self.graph, self.behind = graph, behind

    def get(self, label: str, default: Any = None) -> Any:
        return super().get(label) or (lambda node, latex: self.graph.relabel(node, f"{label}{self.behind}", latex))


def only_input(base: Cell, what: str, *, contexts: bool = False) -> tuple[str, Input]:
    """The name and role of the one vector that `base` reads at each step.

    Raises `UsageError` if it reads anything else, contexts too unless they are allowed.
    """
    expect(base, Cell, f"{what} is made around a cell", "such as models.gru")
    if len(base.inputs) == 1 and (contexts or not base.contexts):
        ((name, role),) = base.inputs.items()
        if isinstance(role, Input) and role.kind == "real" and len(role.dims.dims) == 1:
            return name, role
    problem = f"{what} is made around a cell that reads one vector and no more, which {base.name} does not"
    raise UsageError(problem, fix="take one such as models.gru")


def documented(base: Cell, summary: str, what: str, source: str) -> str:
    """The docstring of a cell around `base`: its own source stands behind that of `base`."""
    return f"{summary}\n\nReferences: {base.reference.rstrip('.')}; {what}: {source}."


def output_size(base: Cell, what: str) -> str:
    """The size of the output, as text. Raises `UsageError` for a cell whose output is no vector of a named size."""
    expect(base, Cell, f"{what} is made around a cell", "such as models.gru")
    dims = base.states[base.output].dims
    if len(dims.dims) != 1 or not dims.dims[0].name:
        raise UsageError(f"{what} needs an output that is a vector, and that of {base.name} is {dims.text!r}")
    return dims.dims[0].name


def with_wider_input(base: Cell, extra: str, what: str) -> dict[str, Param]:
    """The parameters of `base` for an input that is longer by the size `extra`.

    Raises `UsageError` for a cell whose input must have the size of its state.
    """
    _, role = only_input(base, what)
    (size,) = role.dims.dims
    if not size.name or base.equal_sizes or any(size.name in state.dims.names for state in base.states.values()):
        fix = "take a cell whose input has a size of its own, such as models.gru"
        raise UsageError(
            f"{what} makes the input longer, and cell {base.name} ties it to the size of its state", fix=fix
        )
    wider = f"{size.name}+{extra}"
    return {n: replace(param, dims=param.dims.replaced(size.name, wider)) for n, param in base.parameters.items()}


def joined_roles(what: str, *groups: Mapping[str, Role]) -> dict[str, Role]:
    """Roles by name. Raises `CellError` where a name stands for two arguments."""
    found: dict[str, Role] = {}
    for group in groups:
        for name, role in group.items():
            if name in found:
                raise CellError(f"{what} would have two arguments {name!r}", fix="rename the one of your own cell")
            found[name] = role
    return found
