"""How a gradient fades or grows with distance in time, and what an initialisation or a bias does to it.

    decays[d] = log || d s_T / d s_{T-d} ||,    d = 1..T

the largest factor, in the spectral norm, by which a gradient at the joined state s_T can have grown d steps before.
A sweep is a dict from a label to parameter values; `decays` runs the cell with each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log
from typing import Any

import numpy as np

from ..cells import Cell
from ..errors import UnknownNameError, UsageError, expect, nearest
from ..graph.node import Node
from ..initialisers import Initialiser, initialise
from ..tables import text_table
from ..unrolling import unroll
from .products import log_norms_from_last, spectral_radius
from .step_jacobians import trajectory

Array = np.ndarray[Any, Any]
Values = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Decays:
    """`rows` by label: the logs of the norms at distances 1..T, shape (T,). Printed at some of the distances."""

    cell: str
    rows: Mapping[str, Array]

    @property
    def rates(self) -> dict[str, float]:
        """By label the mean growth of the log norm a step, over all T; below 0 the gradient vanishes."""
        return {label: float(row[-1]) / len(row) for label, row in self.rows.items()}

    def __str__(self) -> str:
        shown = distances(len(next(iter(self.rows.values()))))
        rows = [["distance", *map(str, shown)]]
        rows += [[label, *(number(row[d - 1]) for d in shown)] for label, row in self.rows.items()]
        head = f"{self.cell}: the largest growth of a gradient over a distance in time"
        return "\n".join([head, *text_table(rows, range(1, len(shown) + 1))])


def distances(steps: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... below `steps`, and `steps`: the columns of a table."""
    round_numbers = (m * 10**k for k in range(len(str(steps))) for m in (1, 2, 5))
    return [d for d in round_numbers if d < steps] + [steps]


def number(logarithm: float) -> str:
    """exp(logarithm) in three digits, also where it is no float: "1.23e-4567"."""
    if not isfinite(logarithm):
        return "0" if logarithm < 0 else str(float(logarithm))
    exponent = floor(logarithm / log(10))
    if abs(exponent) < 100:
        return f"{float(np.exp(logarithm)):.3g}"
    digits = f"{float(np.exp(logarithm - exponent * log(10))):.2f}"
    return f"{digits}e{exponent:+d}" if digits != "10.00" else f"1.00e{exponent + 1:+d}"


def decays(cell: Cell, sweep: Mapping[str, Values], inputs: Any = None, **options: Any) -> Decays:
    """The decay of each setting along the trajectory that it gives on the same inputs.

    sweep    label -> parameter values by name, such as `sweep_bias(values, "b_f", (-2, 0, 2))`
    inputs   (T, *shape) for one example; this and `options` (initial, contexts, steps, sizes) as in `trajectory`

    >>> print(tg.decays(models.lstm, tg.sweep_bias(values, "b_f", (-2, 0, 2)), x))

    Raises `UsageError` and what `trajectory` raises.
    """
    expect(cell, Cell, "decays are those of a cell", "models.lstm")
    expect(sweep, Mapping, "a sweep is a dict from label to values", "{'as it is': values}")
    if not sweep:
        raise UsageError("a sweep has at least one setting", fix="{'as it is': values}")
    found = {label: trajectory(cell, values, inputs, **options).jacobians for label, values in sweep.items()}
    return Decays(cell.name, {label: log_norms_from_last(jacobians) for label, jacobians in found.items()})


def sweep_bias(values: Values, name: str, biases: Iterable[float]) -> dict[str, Values]:
    """The values with all entries of a bias set to each of `biases`.

    A forget gate of large bias stays open and lets the gradient pass: Gers et al. 2000,
    doi:10.1162/089976600300015015; Jozefowicz et al. 2015.
    """
    _check(values, [name])
    return {f"{name} = {bias:g}": {**values, name: np.full(np.shape(values[name]), float(bias))} for bias in biases}


def sweep_radius(values: Values, names: str | Sequence[str], radii: Iterable[float]) -> dict[str, Values]:
    """The values with the named recurrent matrices scaled so that each has this spectral radius.

    Jaeger 2001, "The 'echo state' approach", GMD report 148. Raises `UsageError` for a matrix of radius 0.
    """
    names = [names] if isinstance(names, str) else list(names)
    _check(values, names)
    own = {name: spectral_radius(values[name]) for name in names}
    for name, radius in own.items():
        if radius == 0:
            raise UsageError(f"{name!r} has spectral radius 0, which no factor changes", fix="another matrix")
    return {
        f"radius {radius:g}": {**values, **{name: np.asarray(values[name]) * (radius / own[name]) for name in names}}
        for radius in radii
    }


def sweep_initialisers(
    cell: Cell,
    how: Iterable[str] | Mapping[str, Initialiser] = ("orthogonal", "gaussian"),
    seed: int = 0,
    sizes: Mapping[str, int] | None = None,
    **named_sizes: int,
) -> dict[str, Values]:
    """Initial values in which every recurrent matrix (square, of one size of the state) is drawn in each of these ways.

    Orthogonal matrices keep norms, Gaussian ones of the same mean square do so only on average, and their products
    fall apart: Saxe et al. 2014, arXiv:1312.6120. `how` has names, or functions by label.
    Raises `UsageError`, `UnknownNameError` and what `unroll` raises.
    """
    expect(cell, Cell, "initial values are those of a cell", "models.elman")
    parameters = unroll(cell, 1, initial="fed", sizes={**(sizes or {}), **named_sizes}).parameters
    sizes_of_states = {name for role in cell.states.values() for name in role.dims.names}
    recurrent = [
        name
        for name, role in cell.parameters.items()
        if _square(parameters[name]) and sizes_of_states.issuperset(role.dims.names)
    ]
    if not recurrent:
        raise UsageError(f"cell {cell.name} has no recurrent matrix", fix="give a sweep of your own")
    ways = dict(how) if isinstance(how, Mapping) else {name: name for name in how}
    return {label: initialise(parameters, seed, dict.fromkeys(recurrent, way)) for label, way in ways.items()}


def _square(node: Node) -> bool:
    return node.ndim == 2 and node.shape[0] == node.shape[1]


def _check(values: object, names: Sequence[str]) -> None:
    expect(values, Mapping, "values are a dict by parameter name", "net.initial(seed=0)")
    for name in names:
        if name not in values:  # type: ignore[operator]  # a mapping, as checked
            raise UnknownNameError(f"no value for a parameter {name!r:.60}", fix=nearest(name, values))  # type: ignore[arg-type]  # the same
