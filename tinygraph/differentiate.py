"""Derivatives, graph to graph: reverse sweeps that append the gradient to the same tape.

A sweep walks the nodes between the roots and what is differentiated, from the last to the first.
Each application sends its operands a contribution by the rule of its row; a node's cotangent is
the sum of its contributions, one n-ary sum, so that the gradient through each use of a shared
weight stays visible as a term of its own. Since gradients are nodes, they can be differentiated
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .collection import no_garbage_collection
from .errors import DifferentiationError, GraphError, ShapeError, UsageError
from .graph.node import COTANGENT, Node, Provenance
from .graph.op import tape_of
from .graph.tape import Graph, cone
from .nest import leaves, map_nest
from .ops.arithmetic import add
from .ops.batch import spread, sum_batch, zeros_like
from .ops.reduce import sum as sum_entries
from .ops.structure import broadcast_to, reshape, stack, sum_to
from .shapes import broadcast

BACKWARD = Provenance(backward=True)


def grad(loss: Node, wrt: Any) -> Any:
    """The gradient of a scalar with respect to a node, or any nesting of nodes: the same structure.

    Each gradient is a node of the same shape on the same tape. For a batched `loss` it is the
    gradient of its sum over the batch. A node that `loss` does not depend on has gradient zero.

    Raises `DifferentiationError` if `loss` is not a real scalar, or `wrt` holds a node that is not real.
    """
    _check_nodes([loss])
    if loss.shape != ():
        raise DifferentiationError(
            "the gradient of a value that is not a scalar",
            [loss.describe()],
            "sum it first (tg.sum), or use tg.vjp or tg.jacobian",
        )
    return vjp(loss, wrt, 1)


def vjp(outputs: Any, wrt: Any, cotangents: Any) -> Any:
    """Vector-Jacobian product: sum over outputs of cotangent^T (d output / d wrt), structured as `wrt`.

    `cotangents` has the structure of `outputs`; each entry is a node or an array of the output's shape.
    Where an unbatched node is reached from batched ones, its cotangent is summed over the batch.
    """
    roots, targets, given = leaves(outputs), leaves(wrt), leaves(cotangents)
    graph = _check_nodes(roots, targets)
    _check_count("outputs", roots, "cotangents", given)
    with graph.stamped(BACKWARD):
        seeds = [(root, _seed(root, value, "cotangent")) for root, value in zip(roots, given, strict=True)]
        found = _sweep(seeds, targets)
    return map_nest(lambda node: found[node.id], wrt)


def jvp(outputs: Any, wrt: Any, tangents: Any) -> Any:
    """Jacobian-vector product (forward mode): the derivative of `outputs` along `tangents`.

    `tangents` has the structure of `wrt`. The cotangents u of a reverse sweep enter it linearly, so
    differentiating u -> vjp(u) gives the forward sweep with no rules of its own
    (Townsend 2017, "A new trick for calculating Jacobian vector products").
    """
    roots, targets, directions = leaves(outputs), leaves(wrt), leaves(tangents)
    graph = _check_nodes(roots, targets)
    _check_count("nodes", targets, "tangents", directions)
    with graph.stamped(BACKWARD):
        anchors = [_anchor(root) for root in roots]
        found = _sweep(list(zip(roots, anchors, strict=True)), targets)
        pairs = [(found[node.id], _seed(node, d, "tangent")) for node, d in zip(targets, directions, strict=True)]
        result = _sweep(pairs, anchors)
    by_root = {root.id: result[anchor.id] for root, anchor in zip(roots, anchors, strict=True)}
    return map_nest(lambda node: by_root[node.id], outputs)


def hvp(loss: Node, wrt: Any, vectors: Any) -> Any:
    """Hessian-vector product of a scalar, structured as `wrt`: the gradient of <gradient, vectors>."""
    gradients, directions = leaves(grad(loss, wrt)), leaves(vectors)
    _check_count("nodes", gradients, "vectors", directions)
    with loss.graph.stamped(BACKWARD):
        products = [_inner(g, _seed(g, v, "vector")) for g, v in zip(gradients, directions, strict=True)]
        total = products[0] if len(products) == 1 else add(products)
    return grad(total, wrt)


def jacobian(output: Node, wrt: Node) -> Node:
    """The Jacobian d output / d wrt of one example: a node of shape output.shape + wrt.shape.

    Entry [i, j] is the derivative of output i by wrt j, through all paths of the tape between the
    two nodes. What is not on such a path is held fixed: `jacobian(net.h[5], net.h[2])` of an LSTM
    holds c[2] fixed and is one block of the Jacobian of the whole state. With respect to a
    parameter it is per example too, not summed over the batch.

    Raises `DifferentiationError` for a path through a sum or mean over the batch.
    """
    graph = _check_nodes([output], [wrt])
    path = _between([output], [wrt])
    on_path = {node.id for node in path}
    for node in path:
        if node is not wrt and not node.batched and any(arg.batched and arg.id in on_path for arg in node.args):
            raise DifferentiationError(
                "a Jacobian is that of one example, but the path crosses the batch",
                [node.describe()],
                "take the Jacobian of a value before the batch sum or mean",
            )
    rows = []
    with graph.stamped(BACKWARD), graph.sharing():
        for unit in np.eye(prod(output.shape)):
            seed = _seed(output, unit.reshape(output.shape), "cotangent")
            rows.append(_sweep([(output, seed)], [wrt], path, keep_batched=True)[wrt.id])
        if not rows:
            return graph.constant("", zeros=output.shape + wrt.shape)
        return reshape(stack(rows), output.shape + wrt.shape)


Seeds = Sequence[tuple[Node, Node]]


@no_garbage_collection()
def _sweep(
    seeds: Seeds, targets: Sequence[Node], path: Sequence[Node] | None = None, keep_batched: bool = False
) -> dict[int, Node]:
    """Cotangents of `targets` by node id, from (root, cotangent) pairs, along `path` between them.

    What an earlier sweep from the same seeds found is used again. With `keep_batched`, an unbatched
    node keeps one cotangent per example.
    """
    graph = targets[0].graph if targets else seeds[0][0].graph
    if path is None:
        path = _between([root for root, _ in seeds], targets)
    key = (tuple((root.id, seed.id) for root, seed in seeds), keep_batched)
    known: dict[int, Node] = graph.memo.setdefault(key, {})
    contributions: dict[int, list[Node]] = {node.id: [] for node in path if node.id not in known}
    for root, seed in seeds:
        if root.id in contributions:
            contributions[root.id].append(seed)
    for node in reversed(path):
        where = node.where
        with graph.stamped(Provenance(where.step, where.scope, backward=True)):
            if node.id not in known and contributions[node.id]:
                known[node.id] = _accumulate(node, contributions.pop(node.id), keep_batched)
            if node.id in known:
                _contribute(node, known[node.id], contributions)
    return {node.id: known[node.id] if node.id in known else zeros_like(node) for node in targets}


def _contribute(node: Node, cotangent: Node, contributions: dict[int, list[Node]]) -> None:
    """Send the operands of `node` their shares of its cotangent, where a sweep wants them."""
    for index, arg in enumerate(node.args):
        if arg.id in contributions:
            rule = node.op.rule(index)
            if rule is not None:
                contributions[arg.id].append(rule(cotangent, node, *node.args))


def _accumulate(node: Node, parts: list[Node], keep_batched: bool) -> Node:
    """The sum of the contributions to `node`; broadcasts over axes and over the batch are undone here, once."""
    groups: dict[tuple[Any, bool], list[Node]] = {}
    for part in parts:
        groups.setdefault((part.shape, part.batched), []).append(part)
    total = _sum([_fit(node, _sum(group), keep_batched) for group in groups.values()])
    if node.label and total.backward and not (total.label or total.op.leaf or total.op.intern):
        where = total.where if node.step is None else node.where
        named = Provenance(where.step, where.scope, COTANGENT + node.label, node.where.latex, True)
        node.graph.provenance[total.id] = named
    return total


def _sum(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else add(parts)


def _fit(node: Node, part: Node, keep_batched: bool) -> Node:
    """A contribution in the shape of `node`, and batched as it is."""
    if part.shape != node.shape:
        wider = broadcast(part.shape, node.shape) == part.shape
        part = sum_to(part, node.shape) if wider else broadcast_to(part, node.shape)
    if part.batched and not node.batched and not keep_batched:
        return sum_batch(part)
    return spread(part) if node.batched and not part.batched else part


def _between(roots: Sequence[Node], targets: Sequence[Node]) -> list[Node]:
    """The real nodes on any path from a target up to a root, both included, in ascending order."""
    reached = {node.id for node in targets}
    path = []
    for node in cone(roots):
        if node.id in reached or (node.kind == "real" and any(arg.id in reached for arg in node.args)):
            reached.add(node.id)
            path.append(node)
    return path


def _seed(node: Node, value: Any, what: str) -> Node:
    """A cotangent or tangent for `node`: a node or an array of its shape, spread over the batch if need be."""
    given = value
    if not isinstance(value, Node):
        value = node.graph.number(value) if np.ndim(value) == 0 else node.graph.constant("", np.asarray(value))
    if value.graph is not node.graph:
        raise GraphError(f"a {what} on another tape", [node.describe(), value.describe()])
    if value.shape != node.shape or value.kind != "real" or (value.batched and not node.batched):
        shown = value.describe() if isinstance(given, Node) else f"array of shape {value.shape}"
        raise ShapeError(f"a {what} does not fit its node", [node.describe(), shown], f"give it shape {node.shape}")
    return spread(value) if node.batched and not value.batched else value


def _anchor(root: Node) -> Node:
    """A node of the shape of `root` that nothing else uses, to differentiate by."""
    zeros = root.graph.constant("u", zeros=root.shape)
    return spread(zeros) if root.batched else zeros


def _inner(a: Node, b: Node) -> Node:
    """The sum of a * b over all entries and examples."""
    product = a * b
    total = sum_entries(product) if product.ndim else product
    return sum_batch(total) if total.batched else total


def _check_count(what: str, nodes: Sequence[Any], given_what: str, given: Sequence[Any]) -> None:
    if len(nodes) != len(given):
        raise UsageError(f"{len(nodes)} {what} need as many {given_what}, not {len(given)}")


def _check_nodes(roots: Sequence[Any], targets: Sequence[Any] = ()) -> Graph:
    """The common tape. Raises for what is no node, not real, or of another tape."""
    for node in (*roots, *targets):
        if not isinstance(node, Node):
            raise UsageError(f"derivatives are taken of nodes, not of {node!r:.60}")
        if node.kind != "real":
            raise DifferentiationError(
                f"a derivative needs real values, and this is {node.kind}",
                [node.describe()],
                "differentiate by the table or matrix that the symbol selects from",
            )
    return tape_of((*roots, *targets), "a derivative")
