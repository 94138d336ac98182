r"""How the gradient of one cell travels: norms by distance, rates of growth, and the gates it goes through.

All along one trajectory of the cell, from its own initial parameters and random inputs.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, log
from typing import Any

import numpy as np

from ..cells import Cell
from ..dims import Dims
from ..errors import ShapeError, ValueRangeError, expect
from ..execute.interpreter import evaluate
from ..graph.node import Kind
from ..shapes import as_size
from ..symbolic.words import net_of_steps
from ..tables import html_table, text_table
from ..unrolling import unroll
from .gates import DIRECT, gate_classes
from .lyapunov import Spectrum, lyapunov_spectrum
from .paths import OTHER, path_ledger
from .products import Array
from .step_jacobians import Trajectory, trajectory

LN10 = log(10)
LONGEST_LEDGER = 5  # steps: the number of paths grows exponentially, their values need not be shown further


@dataclass(frozen=True, eq=False)
class Setting:
    """What a flow was measured with: T steps, sizes by name, the factor on recurrent matrices, the seed."""

    steps: int
    sizes: Mapping[str, int]
    gain: float
    seed: int


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """The measured flow of a cell's gradient through time.

    log_norms   by state s: log ||d s_T / d s_{T-d}|| for d = 1..T, shape (T,), natural logarithms
    spectrum    the Lyapunov exponents of the joined states
    ledger      by state s and class of path: ||the part of d s_T / d s_{T-d} by these paths||, d = 1..D
    paths       by state and class: the number of paths at these distances
    """

    cell: str
    setting: Setting
    log_norms: Mapping[str, Array]
    spectrum: Spectrum
    ledger: Mapping[str, Mapping[str, Array]]
    paths: Mapping[str, Mapping[str, tuple[int, ...]]]
    trajectory: Trajectory = field(repr=False)

    def to_json(self) -> str:
        """The flow as JSON text; a norm of exactly 0 has the log10 null."""
        fields = {
            "cell": self.cell,
            "steps": self.setting.steps,
            "sizes": dict(self.setting.sizes),
            "gain": self.setting.gain,
            "seed": self.setting.seed,
            "log10_norms": {state: [_finite(v / LN10) for v in norms] for state, norms in self.log_norms.items()},
            "exponents": [_finite(v) for v in self.spectrum.exponents],
            "ledger": {s: {name: list(map(float, v)) for name, v in parts.items()} for s, parts in self.ledger.items()},
            "paths": {s: {name: list(v) for name, v in parts.items()} for s, parts in self.paths.items()},
        }
        return json.dumps(fields, indent=2, allow_nan=False)

    def __str__(self) -> str:
        blocks = [[self._head()], *(["", title, *text_table(rows, range(1, 99))] for title, rows in self._tables())]
        return "\n".join(line for block in blocks for line in block)

    def _repr_html_(self) -> str:
        tables = (f"<p>{html.escape(title)}</p>{html_table(rows[1:], rows[0])}" for title, rows in self._tables())
        return f"<div><p>{html.escape(self._head())}</p>{''.join(tables)}</div>"

    def _head(self) -> str:
        sizes = ", ".join(f"{name} = {size}" for name, size in self.setting.sizes.items())
        where = f"{self.setting.steps} steps, {sizes}, gain {self.setting.gain:g}, seed {self.setting.seed}"
        return f"{self.cell}: the gradient through {where}"

    def _tables(self) -> list[tuple[str, list[list[str]]]]:
        distances = _doubling(self.setting.steps)
        norms = [["distance d", *map(str, distances)]]
        norms += [[f"d {s}[T] / d {s}[T-d]", *(_power(v[d - 1]) for d in distances)] for s, v in self.log_norms.items()]
        exponents = self.spectrum.exponents
        shown = exponents if len(exponents) <= 8 else [*exponents[:4], *exponents[-3:]]
        rates = [[f"{v:.3f}" for v in shown]]
        if len(exponents) > 8:
            rates[0].insert(4, "...")
        found = [("Norms of the Jacobian by distance (0 is exactly zero)", norms)]
        found.append((f"Growth per step: {len(exponents)} Lyapunov exponents, largest first", rates))
        for state, parts in self.ledger.items():
            reach = len(next(iter(parts.values()), ()))  # no parts: a derivative that is zero everywhere
            rows = [["gates", *(f"d = {d}" for d in range(1, reach + 1)), "paths"]]
            rows += [
                [class_title(name), *(f"{v:.2g}" for v in values), ", ".join(map(str, self.paths[state][name]))]
                for name, values in parts.items()
            ]
            found.append((f"d {state}[T] / d {state}[T-d] by the gates on the path (norms; the parts sum to it)", rows))
        return found


def gradient_flow(
    cell: Cell, steps: int = 100, *, size: int = 16, gain: float = 1.0, seed: int = 0, reach: int = LONGEST_LEDGER
) -> GradientFlow:
    """Measure the flow of the gradient along T `steps` of `cell`, with its own initial parameters.

    size    of every named size of the cell (H, I, ...)
    gain    multiplies the recurrent matrices: those that are applied to something of a state's size
    reach   the longest distance for which the paths are told apart

    Raises `UsageError`, `ShapeError`, `ValueRangeError`.
    """
    expect(cell, Cell, "gradient_flow takes a cell", "such as models.lstm")
    if not (isinstance(gain, (int, float)) and isfinite(gain)):
        raise ValueRangeError(f"a gain is a finite number, not {gain!r:.40}", fix="gain=1.0")
    count = as_size(steps, "number of steps")
    if count == 0:
        raise ShapeError("a gradient flows through at least one step", fix="steps=1")
    sizes = dict.fromkeys(cell.sizes, as_size(size, "size"))
    first = unroll(cell, 1, sizes=sizes).initial(seed)
    rng = np.random.default_rng([seed, 1])  # apart from that of the parameters
    parameters = {name: value * gain if is_recurrent(cell, name) else value for name, value in first.items()}
    shapes = cell.shapes(sizes)
    inputs = {name: _drawn(role.kind, (count, *shapes[name]), rng) for name, role in cell.inputs.items()}
    contexts = {name: _drawn(role.kind, shapes[name], rng) for name, role in cell.contexts.items()}
    path = trajectory(cell, parameters, inputs, contexts=contexts, steps=count, sizes=sizes)
    last = {name: value[-reach:] for name, value in inputs.items()} | contexts | parameters
    ledger, paths = _ledger(cell, sizes, last, path, min(reach, count))
    return GradientFlow(
        cell.name,
        Setting(count, sizes, float(gain), seed),
        {state: _log_norms(path, state) for state in cell.states},
        lyapunov_spectrum(path.jacobians),
        ledger,
        paths,
        path,
    )


def class_title(name: str) -> str:
    """What tables and charts call a class of paths."""
    return {OTHER: "several kinds", DIRECT: "none (direct)"}.get(name, name)


def is_recurrent(cell: Cell, parameter: str) -> bool:
    """Whether a parameter is a matrix that is applied to something of a state's size, by the names of the sizes."""
    of_states = {name for role in cell.states.values() for name in role.dims.names}
    dims: Dims = cell.parameters[parameter].dims
    return len(dims.dims) > 1 and dims.names[-1] in of_states


def _drawn(kind: Kind, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if kind == "real":
        return rng.normal(size=shape)
    return rng.integers(2, size=shape) if kind == "integer" else rng.random(shape) < 0.5


def _log_norms(path: Trajectory, state: str) -> Array:
    """log ||d s_T / d s_{T-d}||, from the rows of the state alone, scaled at each step."""
    rows, columns = np.eye(path.jacobians.shape[1])[path.blocks[state]], path.blocks[state]
    found, log_scale = [], 0.0
    for jacobian in path.jacobians[::-1]:
        rows = rows @ jacobian
        scale = float(np.max(np.abs(rows), initial=0)) or 1.0
        rows, log_scale = rows / scale, log_scale + log(scale)
        with np.errstate(divide="ignore"):
            found.append(log_scale + np.log(np.linalg.norm(rows[:, columns], 2)))
    return np.array(found)


def _ledger(
    cell: Cell, sizes: Mapping[str, int], feeds: Mapping[str, Any], path: Trajectory, reach: int
) -> tuple[dict[str, dict[str, Array]], dict[str, dict[str, tuple[int, ...]]]]:
    """The last steps of the trajectory again, each distance on a graph of its own that starts that much earlier."""
    classes = gate_classes(cell)
    norms: dict[str, dict[str, list[float]]] = {state: {} for state in cell.states}
    paths: dict[str, dict[str, list[int]]] = {state: {} for state in cell.states}
    for distance in range(1, reach + 1):
        net = net_of_steps(cell, distance, sizes)
        start = {state: path.states[state][-1 - distance] for state in cell.states}
        fed = {name: v[-distance:] if name in cell.inputs else v for name, v in feeds.items()} | start
        for state in cell.states:
            found = path_ledger(net.series[state].last, net.series[state][0], classes)
            for name, value in evaluate(dict(found.jacobians), _used(found.graph, fed)).items():
                before = [0] * (distance - 1)
                norms[state].setdefault(name, [*map(float, before)]).append(_norm(value))
                paths[state].setdefault(name, list(before)).append(found.counts[name])
    seen = {s: [name for name in (*classes, OTHER) if any(parts.get(name, ()))] for s, parts in paths.items()}
    return (
        {s: {name: np.array(norms[s][name]) for name in names} for s, names in seen.items()},
        {s: {name: tuple(paths[s][name]) for name in names} for s, names in seen.items()},
    )


def _used(graph: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in feeds.items() if name in graph.inputs or name in graph.parameters}


def _norm(jacobian: Any) -> float:
    return float(np.linalg.norm(np.atleast_2d(jacobian), 2))


def _doubling(last: int) -> list[int]:
    """1, 2, 4, ... up to the last, which is among them."""
    found = [1]
    while found[-1] * 2 < last:
        found.append(found[-1] * 2)
    return found if found[-1] == last else [*found, last]


def _power(log_norm: float) -> str:
    """A norm of any size as 1.2e-345."""
    if log_norm == -np.inf:
        return "0"
    exponent, rest = divmod(log_norm / LN10, 1)
    return f"{10**rest:.1f}e{int(exponent):+03d}" if not -3 <= exponent < 3 else f"{10 ** (log_norm / LN10):.3g}"


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None
