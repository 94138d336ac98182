"""The Jacobian of one step of a cell, along a trajectory.

All states of a cell, joined into one vector s_t of size S in the order of its signature, make one map
s_t = F(s_{t-1}, x_t), and the step Jacobian is

    J_t = d s_t / d s_{t-1},   shape (S, S).

It is read from a graph of a single step, built once: each new state is differentiated by each old
one. Only old states are differentiated by, so a path inside the step (an LSTM's c_t feeds its h_t)
counts as it should. The time axis then stands where a batch would, and T steps are one evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cells import Cell
from ..differentiate import jacobian
from ..errors import FeedError, ShapeError, UnknownNameError, UsageError, expect, nearest
from ..execute.interpreter import evaluate
from ..shapes import as_size, size
from ..unrolling import Unrolled, unroll

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The states that a cell went through, and the Jacobian of each of its steps.

    states      by name, shape (T + 1, *shape): entry 0 is the initial state
    jacobians   shape (T, S, S): `jacobians[t - 1]` is J_t = d s_t / d s_{t-1}
    blocks      where each state stands in the joined one: `J[blocks["h"], blocks["c"]]` is d h_t / d c_{t-1}
    """

    states: dict[str, Array]
    jacobians: Array
    blocks: dict[str, slice]

    @property
    def steps(self) -> int:
        """T."""
        return len(self.jacobians)

    @property
    def joined(self) -> Array:
        """The joined states, shape (T + 1, S)."""
        return np.concatenate([v.reshape(len(v), -1) for v in self.states.values()], axis=1)


class StepMap:
    """One step of a cell as a map of its states: `StepMap(lstm, I=3, H=4)`.

    Raises what `unroll` raises.
    """

    def __init__(self, cell: Cell, sizes: Mapping[str, int] | None = None, **named_sizes: int) -> None:
        self.net = unroll(cell, 1, initial="fed", sizes={**(sizes or {}), **named_sizes})
        self.cell = cell
        self.shapes = {state: self.net.series[state][0].shape for state in cell.states}
        ends = np.cumsum([size(shape) for shape in self.shapes.values()])
        self.size = int(ends[-1])
        self.blocks = {
            state: slice(int(end) - size(shape), int(end))
            for (state, shape), end in zip(self.shapes.items(), ends, strict=True)
        }
        series = self.net.series
        # d new / d old of the step as nodes, by (new, old)
        self.block_nodes = {
            (new, old): jacobian(series[new][1], series[old][0]) for new in cell.states for old in cell.states
        }

    def run(
        self, parameters: Mapping[str, Any], given: Mapping[str, Array], initial: Mapping[str, Any], steps: int
    ) -> dict[str, Array]:
        """The states at 0..T by name, step after step; `given` has inputs and contexts with time in front."""
        current = {state: self.initial_state(initial, state) for state in self.cell.states}
        found = {state: [value] for state, value in current.items()}
        new = {state: self.net.series[state][1] for state in self.cell.states}
        for t in range(steps):
            feeds = {name: value[t : t + 1] if name in self.cell.inputs else value[t] for name, value in given.items()}
            feeds |= {**parameters} | {f"{state}_0": value for state, value in current.items()}
            current = evaluate(new, feeds)
            for state, value in current.items():
                found[state].append(value)
        return {state: np.stack(values) for state, values in found.items()}

    def jacobians(
        self,
        parameters: Mapping[str, Any],
        given: Mapping[str, Array],
        states: Mapping[str, Array],
        digits: int | None = None,
    ) -> Array:
        """The step Jacobians (T, S, S) at the states (T + 1, *shape), in one evaluation over all steps.

        In floats 1 - h^2 is exactly 0 wherever |a| is 19 or more, though the derivative of tanh there is
        1.3e-16 and less. With `digits` each entry is computed with that many decimal digits at the same
        float states, then rounded once: 40 digits hold the derivative to 16 digits up to |a| of about 25,
        100 up to 95. This costs about 40 times the time. A float constant in a cell's equations has
        only its own 16 digits.
        """
        steps = len(next(iter(states.values()))) - 1
        feeds: dict[str, Any] = {
            name: np.asarray(value)[None] if name in self.cell.inputs else value for name, value in given.items()
        }
        feeds |= {**parameters} | {f"{state}_0": values[:steps] for state, values in states.items()}
        if digits is None:
            found = evaluate(self.block_nodes, feeds)
        else:
            found = evaluate(self.block_nodes, _in_digits(feeds, digits), dtype="sympy")
        result = np.zeros((steps, self.size, self.size))
        for (new, old), block in found.items():
            rows, columns = self.blocks[new], self.blocks[old]
            shape = (rows.stop - rows.start, columns.stop - columns.start)
            batch = block.shape[: np.ndim(block) - len(self.shapes[new]) - len(self.shapes[old])]
            result[:, rows, columns] = np.asarray(block, dtype=float).reshape(*batch, *shape)
        return result

    def initial_state(self, initial: Mapping[str, Any], state: str) -> Array:
        """The state at step 0, zeros where it is not given. Raises `ShapeError`."""
        value = _array(f"the initial {state}", initial.get(state, np.zeros(self.shapes[state])))
        if value.shape != self.shapes[state]:
            raise ShapeError(
                f"the initial {state!r} has shape {value.shape}",
                fix=f"give it shape {self.shapes[state]}; a trajectory has no batch axis",
            )
        return value


@dataclass(frozen=True, eq=False)
class GivenSteps:
    """What a cell is run on, checked: the map of one step, and the values for it.

    series     inputs and contexts by name, with time in front: (T, *shape)
    initial    the states at step 0 that were given
    """

    step: StepMap
    parameters: dict[str, Array]
    series: dict[str, Array]
    initial: dict[str, Any]
    count: int


def given_steps(
    cell: Cell,
    parameters: Mapping[str, Any],
    inputs: Any = None,
    *,
    initial: Mapping[str, Any] | None = None,
    contexts: Mapping[str, Any] | None = None,
    steps: int | None = None,
    sizes: Mapping[str, int] | None = None,
) -> GivenSteps:
    """The arguments of `trajectory`, checked, and the sizes of the cell inferred from them. Raises as `trajectory`."""
    expect(cell, Cell, "a trajectory is that of a cell", "of an unrolled net: trajectory_of(net, feeds)")
    start = _known("state", initial or {}, cell.states, cell.name)
    series = _series(cell, inputs)
    count = _count(cell, series, steps)
    constant = {n: _array(n, v) for n, v in _known("context", contexts or {}, cell.contexts, cell.name).items()}
    values = {n: _array(n, v) for n, v in _known("parameter", parameters, cell.parameters, cell.name).items()}
    shapes = {n: v.shape for n, v in (values | constant).items()} | {n: v.shape[1:] for n, v in series.items()}
    shapes |= {state: np.shape(value) for state, value in start.items()}
    known = cell.own_sizes({name: as_size(value, f"size {name}") for name, value in (sizes or {}).items()})
    for name, shape in shapes.items():
        cell.roles[name].dims.infer(shape, known, f"the value of {name!r}")
    all_series = series | {name: np.broadcast_to(value, (count, *value.shape)) for name, value in constant.items()}
    return GivenSteps(StepMap(cell, known), values, all_series, start, count)


def trajectory(
    cell: Cell,
    parameters: Mapping[str, Any],
    inputs: Any = None,
    *,
    initial: Mapping[str, Any] | None = None,
    contexts: Mapping[str, Any] | None = None,
    steps: int | None = None,
    sizes: Mapping[str, int] | None = None,
    digits: int | None = None,
) -> Trajectory:
    """Run a cell over T steps of one example: its states and its step Jacobians.

    parameters  by the cell's own names
    inputs      (T, *shape) for a cell with one input, else a dict from input to such an array
    initial     states at step 0 by name; those left out are zero
    contexts    by name, each of its per-example shape
    steps       T, needed only where the cell has no input
    sizes       those of the cell's sizes that the values do not tell
    digits      decimal digits in which the Jacobians are computed; floats without it, see `StepMap.jacobians`

    Raises `ShapeError`, `FeedError`, `UnknownNameError`, `UsageError`.
    """
    given = given_steps(cell, parameters, inputs, initial=initial, contexts=contexts, steps=steps, sizes=sizes)
    step, feeds = given.step, given.series
    states = step.run(given.parameters, feeds, given.initial, given.count)
    return Trajectory(states, step.jacobians(given.parameters, feeds, states, digits), step.blocks)


def trajectory_of(net: Unrolled, feeds: Mapping[Any, Any], *, digits: int | None = None) -> Trajectory:
    """The states and step Jacobians of an unrolled net, or of one layer of a stack, for one example.

    A layer is taken by itself: its Jacobian holds the layer below fixed, as its input. Where a mask is
    false the state is kept, and J_t is the identity. Raises `FeedError` for feeds with a batch axis.
    """
    expect(net, Unrolled, "a trajectory is that of an unrolled net", "take one layer of a stack: net.layers[0]")
    cell, series = net.cell, net.series
    wanted = {
        "states": {state: list(series[state].values()) for state in cell.states},
        "inputs": {name: list(series[name].values()) for name in cell.inputs},
        "contexts": {name: [net.contexts[name]] * net.steps for name in cell.contexts},
        "parameters": {name: net.parameters[name] for name in cell.parameters},
        "mask": [] if net.mask is None else list(net.mask.values()),
    }
    values = evaluate(wanted, feeds)
    step = StepMap(cell, net.sizes)
    states = {state: values["states"][state] for state in cell.states}
    for state, seen in states.items():
        if any(np.shape(value) != step.shapes[state] for value in seen):
            raise FeedError(
                "a trajectory is that of one example, but the feeds have a batch axis",
                [f"{state}: {np.shape(seen[-1])} where one example has {step.shapes[state]}"],
                "take one example: inputs of shape (steps, *shape)",
            )
    given = {name: np.stack(v) for name, v in (values["inputs"] | values["contexts"]).items()}
    stacked = {state: np.stack(seen) for state, seen in states.items()}
    jacobians = step.jacobians(values["parameters"], given, stacked, digits)
    if net.mask is not None:
        jacobians = np.where(np.array(values["mask"])[:, None, None], jacobians, np.eye(step.size))
    return Trajectory(stacked, jacobians, step.blocks)


def _series(cell: Cell, inputs: Any) -> dict[str, Array]:
    """The inputs by name, each with time in front."""
    if inputs is None:
        inputs = {}
    if not isinstance(inputs, Mapping):
        if len(cell.inputs) != 1:
            raise UsageError(
                f"cell {cell.name} has {len(cell.inputs)} inputs, and one array is given",
                fix=f"a dict with {', '.join(cell.inputs)}" if cell.inputs else "steps=T instead of inputs",
            )
        inputs = {next(iter(cell.inputs)): inputs}
    missing = [name for name in cell.inputs if name not in inputs]
    if missing:
        raise FeedError(f"no values for input {missing[0]!r} of cell {cell.name}", fix="give it as (T, *shape)")
    found = {name: _array(name, v) for name, v in _known("input", inputs, cell.inputs, cell.name).items()}
    for name, value in found.items():
        text = cell.roles[name].dims.text
        if value.ndim != len(cell.roles[name].dims.dims) + 1:
            raise ShapeError(
                f"the input {name!r} has shape {value.shape}",
                fix=f"one example over time is wanted: (T, {text})" if text else "one number for each step: (T,)",
            )
    return found


def _count(cell: Cell, series: Mapping[str, Array], steps: int | None) -> int:
    """T, from the inputs or as given; at least 1."""
    counts = {name: len(value) for name, value in series.items()}
    if steps is not None:
        counts["steps"] = as_size(steps, "number of steps")
    if not counts:
        raise UsageError(f"cell {cell.name} has no input that tells the number of steps", fix="steps=100")
    if len(set(counts.values())) > 1:
        raise ShapeError("different numbers of steps", [f"{name}: {count}" for name, count in counts.items()])
    count = next(iter(counts.values()))
    if count == 0:
        raise ShapeError("a trajectory has at least one step", fix="inputs with time in front")
    return count


def _known(what: str, values: Mapping[str, Any], names: Mapping[str, Any], cell_name: str) -> dict[str, Any]:
    expect(values, Mapping, f"the {what}s of a trajectory are a dict by name")
    for name in values:
        if name not in names:
            raise UnknownNameError(f"cell {cell_name} has no {what} {name!r}", fix=nearest(name, names))
    return dict(values)


def _array(name: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except ValueError:
        raise FeedError(f"the values of {name} have different lengths", fix="give a rectangular array") from None


def _in_digits(feeds: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """The same floats as SymPy numbers that carry `digits` digits through all that follows."""
    import sympy  # takes 0.2 s

    if as_size(digits, "number of digits") < 16:
        raise UsageError(f"{digits} digits are fewer than a float has", fix="digits=40")
    each = np.frompyfunc(lambda value: sympy.Float(float(value), digits), 1, 1)
    return {
        name: np.asarray(each(value), dtype=object) if np.asarray(value).dtype.kind == "f" else np.asarray(value)
        for name, value in feeds.items()
    }
