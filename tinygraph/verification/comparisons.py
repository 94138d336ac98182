r"""The comparisons of a verification: a derivative on two sides, each by rules of its own.

Forward derivatives in the finite field follow the rules of `symbolic.field`, words the column `words` of
the table, adjoints its column `vjp`, and SymPy and differences know neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..cells import Cell
from ..differentiate import vjp
from ..errors import DifferentiationError
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.steps import Steps
from ..graph.tape import Graph, cone
from ..shapes import size
from ..symbolic.field import Element, FieldArrays, P, element, tangent_array, tangents, values, without_tangents
from ..symbolic.running import leaf_values, run_tape
from ..symbolic.words import StepWords, act, net_of_steps, step_words
from ..unrolling import Unrolled
from .step_points import sizes_of

Ends = Mapping[str, Node]  # what is differentiated, by name, on a tape that may grow

CENTRAL_STEP, COMPLEX_STEP = 1e-5, 1e-10
CENTRAL_TOLERANCE, COMPLEX_TOLERANCE = 1e-7, 1e-11


@dataclass(frozen=True)
class Found:
    """The outcome of one comparison: see `Row` for `error`; `differs` is empty if the sides agree."""

    error: float = 0.0
    differs: str = ""


# Words against SymPy
def words_and_sympy(cell: Cell, n: int) -> Found:
    """Every entry of the Jacobian of one step, as polynomials."""
    from ..symbolic.elementwise import mismatches  # brings SymPy, 0.2 s

    wrong = mismatches(step_words(cell, sizes=dict.fromkeys(cell.sizes, n)))
    if not wrong:
        return Found()
    first = wrong[0]
    where = f"entry {first.entry} of d {first.block[0]} / d {first.block[1]}"
    return Found(differs=f"{where}: the words are {first.difference:.120} more than SymPy's derivative")


# The finite field
def words_and_field(cell: Cell, n: int, steps: int, seed: int) -> Found:
    """The product of step Jacobians applied to a random v, against the forward derivative along v."""
    sizes = sizes_of(cell, n)
    step = step_words(cell, sizes=sizes)
    net = net_of_steps(cell, steps, sizes)
    xp = FieldArrays(seed)
    start = {net.series[state][0].id for state in cell.states}
    every = [node for state in cell.states for node in net.series[state].values()]  # one may be read by no step
    fed = leaf_values(every, lambda node: xp.draw(node.shape), xp.rng)
    fed = {i: v if i in start or v.dtype != object else without_tangents(v) for i, v in fed.items()}
    run = run_tape(xp, every, fed)
    product = {state: tangent_array(run[net.series[state][0].id]).reshape(-1, 1) for state in cell.states}
    for t in range(1, steps + 1):
        product = _one_step(step, _at_step(step, net, run, t, xp), product, xp)
        for state in cell.states:
            if values(product[state]) != tangents(run[net.series[state][t].id]):
                return Found(differs=_wrong_block(step, net, run, t, xp) or f"state {state} at step {t}")
    rises = [e.rise for state in cell.states for e in np.ravel(run[net.series[state].last.id])]
    degrees = [element(e).degree for column in product.values() for e in np.ravel(column)]
    return Found(xp.error_bound(max([*rises, *degrees])))


def _one_step(step: StepWords, at: Mapping[int, Any], right: Mapping[str, Any], xp: FieldArrays) -> dict[str, Any]:
    """The Jacobian of one step times `right`, block by block."""
    states, rows = step.net.cell.states, {s: size(step.net.series[s][0].shape) for s in step.net.cell.states}
    return {new: sum(act(step.compact[new, old], at, xp, right[old], rows[new]) for old in states) for new in states}


def _at_step(step: StepWords, net: Unrolled, run: Mapping[int, Any], t: int, xp: FieldArrays) -> dict[int, Any]:
    """The values of the step's nodes where the unrolled net is at step t."""
    fed = {}
    for name in step.net.cell.roles:
        ours, theirs = (_leaf(n, name, 1 if n is step.net else t) for n in (step.net, net))
        if theirs.id in run:
            value = run[theirs.id]
            fed[ours.id] = without_tangents(value) if ours.kind == "real" else value
    return run_tape(xp, step.roots, fed)


def _leaf(net: Unrolled, name: str, t: int) -> Node:
    """The node that an argument of the cell is at step t: a state is that of the step before."""
    if name in net.parameters:
        return net.parameters[name]
    if name in net.contexts:
        return net.contexts[name]
    return net.series[name][t - 1 if name in net.cell.states else t]


def _wrong_block(step: StepWords, net: Unrolled, run: Mapping[int, Any], t: int, xp: FieldArrays) -> str:
    """The first entry of a block of step t that the words get wrong, by forward derivatives along unit vectors."""
    at = _at_step(step, net, run, t, xp)
    leaves = {node.id: at[node.id] for node in cone(step.roots) if node.op.leaf and "value" not in node.attrs}
    for old in step.net.cell.states:
        start = step.net.series[old][0]
        n = size(start.shape)
        for new in step.net.cell.states:
            rows = size(step.net.series[new].last.shape)
            block = act(step.compact[new, old], at, xp, xp.real(np.eye(n, dtype=int)), rows)
            for j in range(n):
                unit = [Element(e.value, int(i == j), e.degree, 1) for i, e in enumerate(np.ravel(at[start.id]))]
                moved = run_tape(xp, step.roots, {**leaves, start.id: np.array(unit).reshape(start.shape)})
                column = tangents(moved[step.net.series[new].last.id])
                for i, (ours, theirs) in enumerate(zip(values(block[:, j]), column, strict=True)):
                    if ours != theirs:
                        return f"entry {(i, j)} of d {new} / d {old} at step {t}"
    return ""


def field_and_adjoint(ends: Ends, seed: int) -> Found:
    """<u, J v> by forward derivatives against <adjoint of u, v>, over all real leaves of `ends`."""
    leaves, adjoints, seeds = _adjoint(ends)
    xp = FieldArrays(seed)
    fed = leaf_values(ends.values(), lambda node: xp.draw(node.shape), xp.rng)
    forward = run_tape(xp, ends.values(), fed)
    cotangents = {node.id: without_tangents(xp.draw(node.shape)) for node in seeds.values()}
    constant = {i: without_tangents(v) if v.dtype == object else v for i, v in fed.items()}
    backward = run_tape(xp, adjoints.values(), {**constant, **cotangents})
    left = _inner((cotangents[seeds[end].id], forward[node.id]) for end, node in ends.items())
    right = _inner((backward[adjoints[name].id], forward[node.id]) for name, node in leaves.items())
    degrees = [e.degree for node in adjoints.values() for e in np.ravel(backward[node.id]) if isinstance(e, Element)]
    rises = [e.rise for node in ends.values() for e in np.ravel(forward[node.id])]
    if left != right:
        return Found(differs=f"<u, J v> is {left}, <adjoint of u, v> is {right} mod 2^61 - 1")
    return Found(xp.error_bound(1 + max([*degrees, *rises], default=0)))


def _inner(pairs: Iterable[tuple[Any, Any]]) -> int:
    """The sum of values times derivatives, in the field."""
    return sum(a * b for x, y in pairs for a, b in zip(values(x), tangents(y), strict=True)) % P


def _adjoint(ends: Ends) -> tuple[dict[str, Node], dict[str, Node], dict[str, Node]]:
    """The real leaves by name, their adjoints, and the cotangents of the ends, fed by name."""
    graph = next(iter(ends.values())).graph
    seeds = {end: graph.input(f"cotangent of {end}", node.shape, batched=node.batched) for end, node in ends.items()}
    leaves = {
        f"{node.name} ({node.id})": node
        for node in cone(ends.values())
        if node.op.leaf and "value" not in node.attrs and node.kind == "real"
    }
    return leaves, vjp(list(ends.values()), leaves, list(seeds.values())), seeds


def ends_of(cell: Cell, n: int, steps: int) -> dict[str, Node]:
    """The last states of a cell over `steps` steps, by name: all sizes of its states are n."""
    net = net_of_steps(cell, steps, sizes_of(cell, n))
    return dict(zip(cell.states, _ends(net), strict=True))


def _ends(net: Unrolled) -> list[Node]:
    return [net.series[state].last for state in net.cell.states]


# Numbers
def adjoint_and_central_differences(ends: Ends, seed: int) -> Found:
    """The adjoint of each leaf against (f(x + e) - f(x - e)) / 2e."""
    return _adjoint_and_numbers(ends, seed, _central, CENTRAL_TOLERANCE)


def adjoint_and_complex_step(ends: Ends, seed: int) -> Found:
    """The adjoint of each leaf against Im f(x + ie) / e. Raises `DifferentiationError` where f is not analytic."""
    for node in cone(ends.values()):
        if not node.op.leaf and not node.op.domain.analytic:
            raise DifferentiationError(f"{node.op.name} has no complex step: {node.op.domain.why_not}")
    return _adjoint_and_numbers(ends, seed, _complex, COMPLEX_TOLERANCE)


def _adjoint_and_numbers(ends: Ends, seed: int, slope: Callable[..., float], tolerance: float) -> Found:
    """For each leaf in turn: the derivative of the sum of <u, end> along a random direction of that leaf."""
    leaves, adjoints, seeds = _adjoint(ends)
    graph = next(iter(ends.values())).graph
    rng = np.random.default_rng(seed)
    fed = leaf_values(ends.values(), lambda node: rng.normal(size=node.shape), rng)
    given = {end: rng.normal(size=node.shape) for end, node in seeds.items()}
    found = evaluate(adjoints, _feeds(graph, {**fed, **{seeds[end].id: u for end, u in given.items()}}))
    worst, where = 0.0, ""
    for name, node in leaves.items():
        direction = rng.normal(size=node.shape)
        expected = slope(partial(_loss, ends, fed, given, node, direction))
        actual = float(np.sum(found[name] * direction))
        error = abs(actual - expected) / (1 + abs(expected))
        if not error <= worst:
            worst = error
            where = f"the adjoint of {node.name} along a random direction is {actual:.9g}, and not {expected:.9g}"
    return Found(worst, "" if worst <= tolerance else where)


def _loss(
    ends: Ends, fed: Mapping[int, Any], given: Mapping[str, Any], node: Node, direction: Any, step: Any, dtype: str
) -> Any:
    """The sum of <u, end> where one leaf is moved by step * direction."""
    moved = {**fed, node.id: fed[node.id] + step * direction}
    values = evaluate(dict(ends), _feeds(node.graph, moved), dtype=dtype)
    return sum(np.sum(u * values[end]) for end, u in given.items())


def _central(loss: Callable[..., Any]) -> float:
    return float(loss(CENTRAL_STEP, "float64") - loss(-CENTRAL_STEP, "float64")) / (2 * CENTRAL_STEP)


def _complex(loss: Callable[..., Any]) -> float:
    return float(np.imag(loss(1j * COMPLEX_STEP, "complex128"))) / COMPLEX_STEP


def _feeds(graph: Graph, values: Mapping[int, Any]) -> dict[str, Any]:
    """Values by node as feeds by name, sequences put together; a step that nothing uses is fed zeros."""
    feeds: dict[str, Any] = {}
    named: Sequence[tuple[str, Node | Steps]] = [*graph.inputs.items(), *graph.parameters.items()]
    for name, target in named:
        if isinstance(target, Node):
            if target.id in values:
                feeds[name] = values[target.id]
        elif any(node.id in values for node in target.values()):
            feeds[name] = np.stack([values.get(node.id, _zeros(node)) for node in target.values()])
    return feeds


def _zeros(node: Node) -> Any:
    return np.zeros(node.shape, {"real": float, "integer": int, "boolean": bool}[node.kind])
