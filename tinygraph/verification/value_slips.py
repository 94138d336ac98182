"""Slips inside a value that has no name, so that a formula must write it out: tanh(W x + U h + b).

The value is built again with one part changed: a term or a factor left out, a sign, a transpose, another time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import TinygraphError
from ..graph.node import Node
from ..graph.tape import cone
from ..ops.linear import transpose

LARGEST = 12  # applications in a value that are varied

Slip = tuple[str, Node]  # the kind of the mistake, and the mistaken value


def slips_of(value: Node, in_time: Callable[[Node], list[Node]]) -> list[Slip]:
    """The mistaken forms of a value without a name, as nodes of its tape. `in_time` gives a value at other steps."""
    formula = _formula(value)
    if len(formula) > LARGEST:
        return []
    found = []
    for part in formula:
        for kind, changed in _changed(part, in_time):
            found.append((kind, _rebuilt(formula, part, changed)))
    return [(kind, node) for kind, node in found if node.shape == value.shape]


def _formula(value: Node) -> list[Node]:
    """The applications that a formula of the value writes out, in ascending order; none if it has a name."""
    if value.label or value.op.leaf:
        return []
    inside = {value.id}
    nodes = cone([value])
    for node in reversed(nodes):
        if node.id in inside:
            inside.update(arg.id for arg in node.args if not (arg.label or arg.op.leaf))
    return [node for node in nodes if node.id in inside]


def _changed(part: Node, in_time: Callable[[Node], list[Node]]) -> Iterator[Slip]:
    """One application, changed."""
    name, args = part.op.name, part.args
    for place, arg in enumerate(args):
        rest = args[:place] + args[place + 1 :]
        if name in ("add", "sub", "mul", "matmul") and len(rest) == 1 and rest[0].shape == part.shape:
            kind = "missing term" if name in ("add", "sub") else "missing factor"
            yield kind, -rest[0] if name == "sub" and place == 0 else rest[0]
        elif name == "add" and len(rest) > 1:
            yield "missing term", part.op(*rest)
        if name == "add" and place:
            yield "sign", part.op(*args[:place], -arg, *args[place + 1 :])
        if arg.ndim == 2 and arg.shape[0] == arg.shape[1]:
            yield "transpose", _applied(part, (*args[:place], transpose(arg), *args[place + 1 :]))
        if arg.label or arg.op.leaf:
            for other in in_time(arg):
                yield "time", _applied(part, (*args[:place], other, *args[place + 1 :]))
    if name == "sub":
        yield "sign", args[0] + args[1]


def _rebuilt(formula: list[Node], part: Node, changed: Node) -> Node:
    """The value with one of its parts replaced."""
    moved = {part: changed}
    try:
        for node in formula:
            if node is not part and any(arg in moved for arg in node.args):
                moved[node] = _applied(node, tuple(moved.get(arg, arg) for arg in node.args))
    except TinygraphError:  # a shape that does not fit: nobody can have written this
        return part
    return moved.get(formula[-1], changed)


def _applied(node: Node, args: tuple[Node, ...]) -> Node:
    return node.op.apply(node.graph, args, node.attrs)
