"""Unrolling: a cell's equations written out for T steps on one tape, with shared parameters.

Steps count 1..T as in the lectures; step 0 holds the initial state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .cells import Cell
from .collection import no_garbage_collection
from .errors import CellError, UsageError, expect, nearest
from .given import Given
from .graph.node import Node
from .graph.steps import Steps
from .graph.tape import Graph
from .initialisers import Initialiser, initialise
from .ops.arithmetic import identity
from .ops.choice import where
from .shapes import Shape, as_size


class Unrolled:
    """A cell unrolled over time: `net.x[t]`, `net.h[t]`, gates such as `net.f[t]`, `net.graph`, `net.parameters`.

    `output` has the cell's output for t = 1..T, and `times` the steps in the order of reading. `parameters`
    maps the cell's own names to nodes; readouts add theirs. `mask`, where there is one, has the boolean node
    of each step.
    """

    def __init__(
        self, cell: Cell, graph: Graph, steps: int, sizes: Mapping[str, int], scope: str, reverse: bool = False
    ) -> None:
        self.cell = cell
        self.graph = graph
        self.steps = steps
        self.times = range(steps, 0, -1) if reverse else range(1, steps + 1)
        self.sizes = dict(sizes)
        self.scope = scope
        self.parameters: dict[str, Node] = {}
        self.contexts: dict[str, Node] = {}
        self.series: dict[str, Steps] = {}
        self.mask: Steps | None = None

    @property
    def layers(self) -> tuple[Unrolled, ...]:
        """The layers of the net: this one alone."""
        return (self,)

    @property
    def output(self) -> Steps:
        """The cell's output at t = 1..T."""
        states = self.series[self.cell.output]
        return Steps(self.cell.output, ((t, states[t]) for t in range(1, self.steps + 1)))

    @property
    def final(self) -> dict[str, Node]:
        """Each state after all is read, by name."""
        return {state: self.series[state][self.times[-1]] for state in self.cell.states}

    def before(self, t: int) -> int:
        """The step that is read before step t; before the first one stands the initial state."""
        return t - self.times.step

    def initial(
        self, seed: int = 0, how: str | Mapping[str, str | Initialiser] | None = None
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Initial values of all parameters of the tape, by name; see `tinygraph.initialise`."""
        return initialise(self.graph.parameters, seed, how)

    init_parameters = initial

    def __getattr__(self, name: str) -> Any:
        series: dict[str, Steps] = self.__dict__.get("series", {})
        contexts: dict[str, Node] = self.__dict__.get("contexts", {})
        if name in series:
            return series[name]
        if name in contexts:
            return contexts[name]
        raise AttributeError(f"the net has no {name!r}; {nearest(name, [*series, *contexts])}")

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        return f"<{self.cell.name} unrolled over {self.steps} steps, {sizes}, {len(self.graph)} nodes on the tape>"


@no_garbage_collection()
def unroll(
    cell: Cell,
    steps: int,
    *,
    graph: Graph | None = None,
    inputs: Mapping[str, Steps] | None = None,
    contexts: Mapping[str, Node] | None = None,
    parameters: Mapping[str, Node] | None = None,
    initial: str | Mapping[str, str | Node] = "zeros",
    mask: bool | Steps = False,
    forced: Mapping[str, Steps] | None = None,
    reverse: bool = False,
    scope: str = "",
    sizes: Mapping[str, int] | None = None,
    **named_sizes: int,
) -> Unrolled:
    """Unroll `cell` over `steps` steps: `unroll(lstm, steps=5, I=3, H=4)`.

    graph       the tape to build on; a new one without it (or that of the nodes given)
    inputs      nodes by step for inputs that are not fed, such as the outputs of a layer below
    contexts    nodes for contexts that are not fed
    parameters  shared ones, by the cell's names: `parameters=other.parameters`
    initial     the state before step 1: "zeros", "learned" (parameters h_0, ...), "fed" (inputs h_0, ...),
                or a dict from state to one of these or to a node
    mask        variable lengths: True feeds "mask" (boolean, per step); where it is false the state is
                kept, so after its end a sequence repeats its last state
    forced      nodes by step that the next step reads in place of a state, such as targets: teacher
                forcing, which leaves no path between steps through that state
    reverse     read from T to 1: h[t] then follows h[t+1], and the initial state is h[T+1]
    scope       prefix for names, needed when several nets share one tape
    sizes       the cell's sizes, as a dict or by name; those that given nodes determine may be left out

    Raises `UsageError`, `ShapeError`, `UnknownNameError`, `NameTakenError`, `CellError`.
    """
    if not isinstance(cell, Cell):
        raise UsageError(f"unroll takes a cell, not {cell!r:.60}", fix="decorate its equations with @tinygraph.cell")
    expect(graph, (Graph, type(None)), "graph is a tape to build on", "tg.Graph()")
    expect(scope, str, "a scope is a string")
    expect(reverse, bool, "reverse is true or false")
    count = as_size(steps, "number of steps")
    if count == 0:
        raise UsageError("a net is unrolled over at least one step", fix="steps=1 or more")
    given = Given(cell, inputs or {}, contexts or {}, parameters or {}, initial, mask, forced or {})
    given.check(count)
    tape = graph if graph is not None else given.graph()
    tape = Graph() if tape is None else tape
    known = given.sizes({**(sizes or {}), **named_sizes})
    net = Unrolled(cell, tape, count, known, scope, reverse)
    shapes, start = cell.shapes(known), net.before(net.times[0])
    with tape.at(scope=scope):
        _make_leaves(net, given, shapes)
        for state in cell.states:
            net.series[state] = Steps(state, [(start, _initial_state(net, given, state, shapes[state]))])
        for t in net.times:
            with tape.at(step=t):
                _trace_step(net, given, t, shapes)
    return net


def _make_leaves(net: Unrolled, given: Given, shapes: Mapping[str, Shape]) -> None:
    """Parameters, contexts, inputs and the mask: taken where given, else made."""
    cell, graph = net.cell, net.graph
    for name, param in cell.parameters.items():
        if name in given.parameters:
            net.parameters[name] = given.parameters[name]
        else:
            net.parameters[name] = graph.parameter(_name(net, name), shapes[name], initial=param.initial)
    for name in cell.contexts:
        if name in given.contexts:
            net.contexts[name] = given.contexts[name]
        else:
            net.contexts[name] = graph.input(_name(net, name), shapes[name], kind=cell.contexts[name].kind)
    for name, role in cell.inputs.items():
        nodes = given.inputs.get(name)
        if nodes is None:
            nodes = graph.sequence(_name(net, name), net.steps, shapes[name], kind=role.kind)
        net.series[name] = Steps(name, ((t, nodes[t]) for t in net.times))
    if given.mask is True:
        given.mask = graph.sequence(_name(net, "mask"), net.steps, (), kind="boolean")
    if isinstance(given.mask, dict):
        net.mask = Steps("mask", ((t, given.mask[t]) for t in net.times))


def _initial_state(net: Unrolled, given: Given, state: str, shape: Shape) -> Node:
    how, name = given.initial.get(state, "zeros"), _name(net, f"{state}_0")
    with net.graph.at(step=net.before(net.times[0])):
        if isinstance(how, Node):
            return how
        if how == "learned":
            key = f"{state}_0"
            net.parameters[key] = given.parameters[key] if key in given.parameters else net.graph.parameter(name, shape)
            return net.parameters[key]
        return net.graph.input(name, shape) if how == "fed" else net.graph.constant(state, zeros=shape)


def _trace_step(net: Unrolled, given: Given, t: int, shapes: Mapping[str, Shape]) -> None:
    """The cell's equations at step t; its labelled values become series of the net."""
    cell, graph = net.cell, net.graph
    made: dict[str, Node] = {}
    graph.new_state = {state: _state_maker(net, t, state, shapes[state], made) for state in cell.states}
    start = len(graph)
    try:
        previous = {state: _read_state(net, given, state, t) for state in cell.states}
        inputs = {name: net.series[name][t] for name in cell.inputs}
        returned = cell(**{n: (inputs | previous | net.contexts | net.parameters)[n] for n in cell.roles})
        for state, node in zip(cell.states, returned, strict=True):
            net.series[state][t] = made[state] if made.get(state) is node else graph.new_state[state](node, "")
    finally:
        graph.new_state = {}
    for node in graph.nodes[start:]:
        if node.label and node.step == t and not node.op.leaf and node.label not in cell.states:
            net.series.setdefault(node.label, Steps(node.label))[t] = node


def _read_state(net: Unrolled, given: Given, state: str, t: int) -> Node:
    """What step t reads as the state: the one before it, or what is forced upon it."""
    forced = t != net.times[0] and state in given.forced
    return given.forced[state][net.before(t)] if forced else net.series[state][net.before(t)]


def _state_maker(net: Unrolled, t: int, state: str, shape: Shape, made: dict[str, Node]) -> Any:
    """What turns the value of a state's equation into the new state: masked, and a node of its own."""

    def make(node: Node, latex: str) -> Node:
        if node.kind != "real":
            what = f"cell {net.cell.name}: the new state {state!r} is {node.kind}"
            raise CellError(what, [node.describe()], "a state is real: tg.real(...)")
        if node.shape != shape:
            raise CellError(
                f"cell {net.cell.name}: the new state {state!r} has shape {node.shape}, declared {shape}",
                [node.describe()],
            )
        if state in made:
            raise CellError(f"cell {net.cell.name} makes state {state!r} twice in one step", [made[state].describe()])
        if net.mask is not None:
            node = where(net.mask[t], node, net.series[state][net.before(t)])
        made[state] = net.graph.relabel(identity(node), state, latex)
        return made[state]

    return make


def _name(net: Unrolled, name: str) -> str:
    """The name under which a leaf is fed: prefixed by the net's scope."""
    return f"{net.scope}/{name}" if net.scope else name
