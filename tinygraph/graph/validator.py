"""The validator: a tape is well formed, and every node is what its row says. Run after each pass and on loading."""

from __future__ import annotations

from ..errors import GraphError, TinygraphError, expect
from .node import KINDS, Node
from .steps import Steps
from .table import OPS
from .tape import Graph


def validate(graph: Graph) -> None:
    """Check the whole tape. Raises `GraphError` naming the first node that is wrong.

    Ids are places on the tape, operands come earlier (so there is no cycle), operations are rows of
    the table, shapes, kinds and batching are what the row infers, and names lead to their leaves.
    """
    expect(graph, Graph, "the validator takes a graph", "node.graph is the tape of a node")
    if len(graph.provenance) != len(graph.nodes):
        raise GraphError(f"{len(graph.nodes)} nodes, but {len(graph.provenance)} provenances")
    for place, node in enumerate(graph.nodes):
        if node.id != place or node.graph is not graph:
            raise GraphError(f"the node at place {place} has id {node.id} or belongs to another tape")
        if OPS.get(node.op.name) is not node.op:
            raise GraphError(f"{node.op.name!r} is no row of the table of operations", [node.describe()])
        for arg in node.args:
            if arg.graph is not graph or arg.id >= place or graph.nodes[arg.id] is not arg:
                raise GraphError("an operand does not come earlier on the same tape", [node.describe()])
        if node.kind not in KINDS:
            raise GraphError(f"{node.kind!r} is no kind", [node.describe()])
        if not node.op.leaf:
            _check_inferred(node)
    _check_names(graph)


def _check_inferred(node: Node) -> None:
    if node.op.arity is not None and len(node.args) != node.op.arity:
        raise GraphError(f"{node.op.name} takes {node.op.arity} operands, not {len(node.args)}", [node.describe()])
    try:
        inferred = node.op.infer(node.args, node.attrs)
    except TinygraphError as error:
        raise GraphError(error.what, error.where, error.fix) from None
    if inferred != (node.shape, node.batched, node.kind):
        raise GraphError(f"{node.op.name} gives {inferred}", [node.describe()])


def _check_names(graph: Graph) -> None:
    """Each name leads to its leaves, and each input and parameter is led to by its name."""
    led: dict[int, tuple[str, int | None]] = {id(node): (name, None) for name, node in graph.parameters.items()}
    for name, entry in graph.inputs.items():
        if isinstance(entry, Steps):
            led |= {id(node): (name, step) for step, node in entry.items()}
        else:
            led[id(entry)] = (name, None)
    leaves = [node for node in graph.nodes if node.op.name in ("input", "parameter")]
    for node in leaves:
        if led.get(id(node)) != (node.attrs.get("name"), node.attrs.get("index")):
            raise GraphError("a leaf that its name does not lead to", [node.describe()])
        if (node.attrs["name"] in graph.parameters) != (node.op.name == "parameter"):
            raise GraphError("an input stands among the parameters, or the reverse", [node.describe()])
    if len(led) != len(leaves):
        raise GraphError(f"{len(led)} names lead to {len(leaves)} leaves")
