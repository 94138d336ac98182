"""Numbers for a picture: the values of nodes, and how much gradient goes along each edge.

Each operand that a cotangent reaches is read through a copy of its own, so one sweep gives the share of every edge:

    d loss / d h = sum over the uses of h of their shares

The share of a parameter's use is what `tg.contributions` calls the sum of G[t, s] over t.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygraph.differentiate import vjp
from tinygraph.errors import DrawingError, expect
from tinygraph.execute.interpreter import evaluate
from tinygraph.graph import Node
from tinygraph.ops.arithmetic import identity
from tinygraph.passes.rebuilding import rebuild

from .labels import Span, clean
from .selection import Selection

BADGES = ("value", "norm", "gradient", "shape")
ENTRIES = 3  # of a vector, to be written out


@dataclass(frozen=True)
class Measures:
    """Values and gradients by node id, and Frobenius norms of the gradient's shares by (node id, operand).

    `slopes` are local derivatives between scalars, likewise; None if none are wanted.
    """

    values: Mapping[int, Any] = field(default_factory=dict)
    gradients: Mapping[int, Any] = field(default_factory=dict)
    shares: Mapping[tuple[int, int], float] = field(default_factory=dict)
    slopes: Mapping[tuple[int, int], float] | None = None


NO_MEASURES = Measures()


def measure(selection: Selection, feeds: Mapping[Any, Any]) -> Measures:
    """Run the nodes of a selection, and the gradient of the sum of its outputs if it has gradient edges.

    Norms are over all entries and all examples. Works on a copy of the tape. Raises what `evaluate` raises.
    """
    expect(feeds, dict, "feeds are a dict from name or node to array")
    graph = selection.nodes[0].graph
    shares: dict[tuple[int, int], Node] = {}

    def apart(node: Node, args: tuple[Node, ...]) -> Node:
        read = list(args)
        for index in range(len(args)):
            if (node.id, index) in selection.gradient:
                read[index] = shares[node.id, index] = identity(args[index])
        return node.op.apply(args[0].graph, tuple(read), node.attrs)

    rewritten = rebuild((selection.nodes, graph.parameters, graph.inputs), apart)
    made: list[Node] = rewritten.roots[0]
    known = [(node.id, new) for node, new in zip(selection.nodes, made, strict=True)]
    ends = [new for id, new in known if id in selection.outputs]
    carrying = {node.args[i].id for node in selection.nodes for i in range(len(node.args)) if (node.id, i) in shares}
    wanted = {id: new for id, new in known if id in carrying or id in selection.outputs}
    ones = [np.ones(end.shape) for end in ends]
    gradients, parts = vjp(ends, [wanted, shares], ones) if shares else ({}, {})
    moved = {rewritten.map.get(key, key) if isinstance(key, Node) else key: value for key, value in feeds.items()}
    values, found, norms = evaluate([dict(known), gradients, parts], moved)
    return Measures(values, found, {edge: float(np.linalg.norm(share)) for edge, share in norms.items()})


def badge(node: Node, which: tuple[str, ...], measures: Measures) -> tuple[Span, ...]:
    """What is written behind the label of a node, small."""
    words = [word for kind in which if (word := _badge(node, kind, measures))]
    return (Span(f"  {clean(' | '.join(words))}", 2),) if words else ()


def badges_named(badges: Any, measured: bool) -> tuple[str, ...]:
    """The badges asked for. Raises `DrawingError` for unknown ones, and for numbers without feeds."""
    which = (badges,) if isinstance(badges, str) else badges
    if not isinstance(which, (tuple, list)) or any(kind not in BADGES for kind in which):
        raise DrawingError(f"badges={badges!r:.60} are none", fix=f"some of {', '.join(BADGES)}")
    if not measured and set(which) - {"shape"}:
        raise DrawingError("badges with numbers need values", fix="give feeds, such as net.initial(seed=0) | {'x': x}")
    return tuple(which)


def _badge(node: Node, kind: str, measures: Measures) -> str:
    if kind == "shape":
        return f"({', '.join(map(str, node.shape))})"
    known = measures.gradients if kind == "gradient" else measures.values
    if node.id not in known or (kind == "norm" and node.kind != "real"):
        return ""
    value = np.asarray(known[node.id])
    if kind == "value" and value.size <= ENTRIES:
        return ", ".join(short(entry) for entry in value.ravel())
    if kind == "gradient" and value.size == 1:  # a number with its sign
        return f"∂ {short(value.item())}"
    norm = short(float(np.linalg.norm(value.astype(float))))
    return f"‖∂‖ {norm}" if kind == "gradient" else f"‖{norm}‖"


def short(value: Any) -> str:
    """A number in three significant digits: 0.462, -1.13, 3.1e-07; a whole one as it is."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    number = float(value)
    text = f"{number:.0f}" if abs(number) < 1e4 and number == round(number) else f"{number:.3g}"
    return text.replace("-", "−", 1) if number < 0 else text
