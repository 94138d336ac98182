"""Claims about a gradient: nodes, a NumPy function, or a whole backward pass in NumPy, held against `grad`.

Nodes are compared in the finite field, for one example, and in floats over a batch; functions in floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..differentiate import grad
from ..errors import DifferentiationError, GraphError, UnknownNameError, UsageError, expect, nearest
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.tape import cone
from ..symbolic.field import FieldArrays, values
from ..symbolic.gradient_formulas import backward_latex
from ..symbolic.running import leaf_values, run_tape
from .findings import Finding, Mistake, Verdict, counterexample
from .gradient_mistakes import explain_gradients
from .named_values import Named, named, named_nodes

TOLERANCE = 1e-8  # of floats that are equal in exact arithmetic
BATCH = 2  # examples on which nodes are compared

Arrays = dict[str, Any]


def lint_gradient(loss: Node, claim: Any, wrt: Any, feeds: Any, batch: int | None, seed: int) -> Verdict:
    """The findings of a claimed gradient, one for each name; see `lint`."""
    targets = _targets(wrt)
    if callable(claim):
        at = feeds or draw_feeds(loss, targets, batch, seed)
        given = claim(values_of(loss, at))
        claimed = _by_name(given, targets, lambda value: np.asarray(value, float))
        exact: dict[str, bool] = {}
    else:
        nodes = _by_name(claim, targets, lambda node: _node(node, loss))
        at = feeds or draw_feeds([loss, *nodes.values()], targets, BATCH if batch is None else batch, seed)
        claimed = evaluate(nodes, at)
        exact = _exactly(nodes, grad(loss, targets), seed)
    right = evaluate(grad(loss, {name: targets[name] for name in claimed}), at)
    wrong = {name for name in claimed if not (exact.get(name, True) and close(claimed[name], right[name]))}
    mistakes = explain_gradients(loss, targets, claimed, right, wrong, at) if wrong else {}
    return Verdict(tuple(_finding(loss, name, claimed, right, mistakes.get(name), targets) for name in claimed))


def _finding(
    loss: Node, name: str, claimed: Arrays, right: Arrays, mistakes: tuple[Mistake, ...] | None, targets: Any
) -> Finding:
    title = f"gradient of {loss.name} by {name}"
    if mistakes is None:
        return Finding(title, True)
    fits = np.shape(claimed[name]) == np.shape(right[name])
    seen = counterexample(claimed[name], right[name]) if fits else None
    return Finding(title, False, mistakes, seen, backward_latex(grad(loss, targets[name])))


def close(a: Any, b: Any) -> bool:
    """Whether two arrays of floats are one, up to rounding."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        return False
    largest = np.abs(b).max(initial=0)
    return bool(np.abs(a - b).max(initial=0) <= TOLERANCE * (largest or 1.0))


# What a claim is given, and what it gives
def draw_feeds(loss: Any, targets: Mapping[str, Node], batch: int | None, seed: int) -> dict[str, Any]:
    """Random numbers for all that the loss depends on; whole numbers are 0 and 1. None: one example, no batch axis."""
    roots = [*(loss if isinstance(loss, list) else [loss]), *targets.values()]
    needed = set(cone(roots))
    graph, rng = roots[0].graph, np.random.default_rng(seed)
    feeds: dict[str, Any] = {}
    for name, target in {**graph.parameters, **graph.inputs}.items():
        nodes = [target] if isinstance(target, Node) else list(target.values())
        if not any(node in needed for node in nodes):
            continue
        one = nodes[0]
        time = () if isinstance(target, Node) else (len(nodes),)
        shape = time + ((batch,) if batch is not None and one.batched else ()) + one.shape
        whole = rng.integers(0, 2, shape)
        drawn = rng.uniform(-1, 1, shape).round(2)
        feeds[name] = {"real": drawn, "integer": whole, "boolean": whole.astype(bool)}[one.kind]
    return feeds


def feeds_by_name(feeds: Any) -> dict[str, Any] | None:
    """Given feeds with names for keys, so that they fit a rebuilt tape too; None if none are given."""
    expect(feeds, (Mapping, type(None)), "feeds are a dict from name or node to array")
    if feeds is None:
        return None
    return {key.attrs.get("name", key) if isinstance(key, Node) else key: value for key, value in feeds.items()}


def values_of(loss: Node, feeds: Mapping[Any, Any]) -> Named:
    """The values of the forward pass by name, those of time steps by step: `v.U`, `v.h[t]`."""
    needed = set(cone([loss]))
    names: dict[str, Any] = {}
    for name, one in named_nodes(loss.graph).items():
        if isinstance(one, Node):
            names.update({name: one} if one in needed else {})
        elif any(node in needed for node in one.values()):
            names[name] = {t: node for t, node in one.items() if node in needed}
    nodes = [node for one in names.values() for node in ([one] if isinstance(one, Node) else one.values())]
    found = dict(zip(nodes, evaluate(nodes, feeds), strict=True))
    return named(names, lambda node: np.array(found[node]))


def _targets(wrt: Any) -> dict[str, Node]:
    if isinstance(wrt, Node):
        return {wrt.name: wrt}
    expect(wrt, Mapping, "a gradient is taken by a node or a dict of nodes", "wrt=net.parameters")
    for name, node in wrt.items():
        expect(node, Node, f"wrt[{name!r}] is a node")
    return dict(wrt)


def _by_name(given: Any, targets: Mapping[str, Node], read: Callable[[Any], Any]) -> dict[str, Any]:
    """A claim by name; one that stands alone is that of the only target."""
    if not isinstance(given, Mapping):
        if len(targets) > 1:
            raise UsageError(f"a claim about {len(targets)} gradients is a dict by name", fix=", ".join(targets))
        given = {next(iter(targets)): given}
    for name in given:
        if name not in targets:
            raise UnknownNameError(f"the claim gives a gradient of {name!r}", fix=nearest(name, targets))
    for name in targets:
        if name not in given:
            raise UnknownNameError(f"the claim gives no gradient of {name!r}", fix=f"wrt without {name!r}")
    return {name: read(value) for name, value in given.items()}


def _node(claim: Any, loss: Node) -> Node:
    expect(claim, Node, "a claimed gradient is a node of the loss's tape, or a function of values")
    if claim.graph is not loss.graph:
        raise GraphError("a claim on another tape", [loss.describe(), claim.describe()])
    found: Node = claim
    return found


def _exactly(claimed: Mapping[str, Node], right: Mapping[str, Node], seed: int) -> dict[str, bool]:
    """For each name, whether both are one in the finite field; empty where the graph has no values there."""
    xp = FieldArrays(seed)
    roots = [*claimed.values(), *right.values()]
    try:
        run = run_tape(xp, roots, leaf_values(roots, lambda node: xp.draw(node.shape), xp.rng))
    except DifferentiationError:
        return {}
    return {name: values(run[node.id]) == values(run[right[name].id]) for name, node in claimed.items()}
