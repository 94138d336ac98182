"""A small net worked by hand: forward, then backward, one row per equation, with the numbers put in.

t=1  h_1  = tanh(W @ x_1 + b)   = tanh(0.5 * 2 + 0.1)   = 0.8005
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any

import numpy as np

from ..differentiate import grad
from ..errors import UsageError, expect
from ..execute.feeds import Feeds
from ..execute.interpreter import evaluate
from ..graph.formula import equations
from ..graph.node import Node
from ..graph.tape import Graph, cone
from ..graph.text import TEXT
from ..nest import leaves
from ..passes.rebuilding import Rewritten
from ..passes.simplification import simplify
from ..symbolic.notation import Notation, labels_of


@dataclass(frozen=True)
class Row:
    """One equation: `name = equation`, the same with numbers, and its value. A fed value has no equation."""

    name: str
    step: int | None
    backward: bool
    equation: str
    numbers: str
    value: str


@dataclass(frozen=True)
class Walk:
    """The rows, forward ones first. Prints as a table, shows as HTML, and goes to JSON."""

    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        return "\n".join(line for title, rows in self._parts() for line in (title, *_aligned(rows), ""))

    def to_json(self) -> str:
        """The rows as a JSON list of objects."""
        return json.dumps([asdict(row) for row in self.rows], indent=1)

    def _repr_html_(self) -> str:
        head = "<tr><th>t</th><th></th><th>equation</th><th>with numbers</th><th>value</th></tr>"
        return "".join(
            f"<h4>{title}</h4><table>{head}{''.join(map(_html_row, rows))}</table>" for title, rows in self._parts()
        )

    def _parts(self) -> list[tuple[str, list[Row]]]:
        forward = [row for row in self.rows if not row.backward]
        backward = [row for row in self.rows if row.backward]
        return [("forward", forward), ("backward", backward)]


@dataclass(frozen=True)
class Working:
    """A walk with the simplified tape that it was worked on: `nodes` has the node of each row.

    `passed` has each forward node that the gradient passes, with the node of its cotangent, if simplifying left one.
    """

    rows: tuple[Row, ...]
    nodes: tuple[Node, ...]
    loss: Node
    gradients: list[Node]
    passed: Mapping[Node, Node | None]


def walk(
    loss: Node, feeds: Feeds, wrt: Any = None, *, digits: int = 4, notation: Mapping[str, str] | None = None
) -> Walk:
    """Work `loss` and its gradient through by hand, for one example.

    `feeds` are values without a batch axis; `wrt` is the nest of nodes to differentiate by (all
    parameters of the tape without it); `digits` is the number of digits shown; `notation` gives LaTeX for
    labels, {"u": "w_{hh}"}, which is spelled in plain characters.

    Raises `UsageError` if the feeds have a batch axis, `UnknownNameError` for a notation of what is not there,
    and what `grad` and `evaluate` raise.
    """
    return Walk(work(loss, feeds, wrt, digits, notation).rows)


def work(loss: Node, feeds: Feeds, wrt: Any, digits: int, notation: Mapping[str, str] | None) -> Working:
    """What `walk` shows, with the nodes behind it; it raises the same."""
    expect(loss, Node, "a walk needs a loss", "give the node of a scalar")
    wanted = loss.graph.parameters if wrt is None else wrt
    rewritten = simplify([loss, grad(loss, wanted)])
    roots = leaves(rewritten.roots)
    nodes = cone(roots)
    shown = [node for node in nodes if node.kind == "real"]
    values = dict(zip(shown, evaluate(shown, _moved(feeds, loss.graph, rewritten)), strict=True))
    for node, found in values.items():
        if np.shape(found) != node.shape:
            raise UsageError("a walk shows one example", [node.describe()], "feed values without a batch axis")

    def value(node: Node) -> str:
        return _number(values[node], digits) if node in values else ""

    def operand(node: Node, scope: bool, identifier: bool) -> str:
        number = value(node) or names.name(node)
        return f"({number})" if number.startswith("-") else number

    names = Notation(notation, labels_of(nodes))
    letters = replace(TEXT, longest=10**9, name=lambda node, scope, identifier: names.name(node, scope, identifier))
    figures = replace(letters, name=operand, distinct=False)
    lines = sorted(
        zip(equations(nodes, letters), equations(nodes, figures), strict=True), key=lambda pair: pair[0].node.backward
    )
    rows = tuple(Row(e.name, e.node.step, e.node.backward, e.right, f.right, value(e.node)) for e, f in lines)
    passed = {
        rewritten.map[node]: rewritten.map.get(cotangent)
        for node, cotangent in _cotangents(loss, leaves(wanted)).items()
        if node in rewritten.map
    }
    return Working(rows, tuple(e.node for e, _ in lines), roots[0], roots[1:], passed)


def _cotangents(loss: Node, wanted: list[Node]) -> dict[Node, Node]:
    """The nodes on the way from the loss to what is wanted, with their cotangents, which `grad` has found already."""
    reached: set[Node] = set(wanted)
    for node in cone([loss]):
        if node.kind == "real" and any(arg in reached for arg in node.args):
            reached.add(node)
    path = [node for node in cone([loss]) if node in reached]
    return dict(zip(path, grad(loss, path), strict=True))


def _moved(feeds: Feeds, old: Graph, rewritten: Rewritten) -> dict[Any, Any]:
    """Feeds for the rewritten tape: a node as key goes where the node went; what simplifying made needless is left."""
    expect(feeds, dict, "feeds are a dict from name or node to array")
    new = rewritten.graph
    gone: set[Any] = (old.parameters.keys() | old.inputs.keys()) - new.parameters.keys() - new.inputs.keys()
    gone |= {node for node in feeds if isinstance(node, Node) and node.graph is old and node not in rewritten.map}
    kept = {key: value for key, value in feeds.items() if key not in gone}
    return {rewritten.map.get(key, key) if isinstance(key, Node) else key: value for key, value in kept.items()}


def _number(value: Any, digits: int) -> str:
    return np.array2string(np.asarray(value), precision=digits, suppress_small=True, separator=" ").replace("\n", "")


def _aligned(rows: list[Row]) -> list[str]:
    steps = [f"t={row.step}" if row.step is not None else "" for row in rows]
    name, step = max((len(row.name) for row in rows), default=0), max(map(len, steps), default=0)
    return [
        f"  {t:<{step}}  {row.name:<{name}} = "
        + " = ".join(part for part in (row.equation, row.numbers, row.value) if part)
        for t, row in zip(steps, rows, strict=True)
    ]


def _html_row(row: Row) -> str:
    cells = ["" if row.step is None else str(row.step), row.name, row.equation, row.numbers, row.value]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
