"""The usual mistakes in a reverse sweep: one rule of the chain rule gone wrong, and everything downstream of it.

A rule sends the cotangent g of a value to one of its operands: W^T g through a product W x. A mistaken rule is
put into a copy of the operation's row, the graph is rebuilt with it, and the gradient is taken as always. So
the mistake is made where a person makes it, once in the loop over time, and has all its consequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..differentiate import vjp
from ..graph.formula import equations
from ..graph.node import Node
from ..graph.op import Op
from ..graph.tape import cone
from ..graph.text import TEXT
from ..ops.choice import where
from ..ops.index import one_hot
from ..ops.linear import outer
from ..ops.normalise import softmax
from ..passes.rebuilding import Rewritten, rebuild
from .findings import Mistake
from .named_values import label_in_time

Rule = Callable[..., Node]  # rule(g, y, *operands, find): the mistaken cotangent of one operand


@dataclass(frozen=True)
class Site:
    """One operand of the applications that play one part, step after step."""

    nodes: tuple[Node, ...]
    operand: int

    @property
    def shown(self) -> Node:
        """The application of the last step, which speaks for all."""
        return self.nodes[-1]


@dataclass(frozen=True)
class MistakenRule:
    """A mistake at a site: `rule(node)` is the rule that the application `node` has by mistake."""

    mistake: Mistake
    site: Site
    rule: Callable[[Node], Rule]


def sites(outputs: Sequence[Node], wrt: Sequence[Node]) -> list[Site]:
    """Where a derivative of `outputs` by `wrt` passes, the same part of each time step taken together."""
    reached = set(wrt)
    parts: dict[tuple[Any, ...], list[Node]] = {}
    count: dict[tuple[int | None, str], int] = {}
    nodes = cone(outputs)
    places: dict[Node, tuple[Any, ...]] = {}
    for node in nodes:
        if not node.op.leaf:
            at = node.step, node.scope
            count[at] = count.get(at, 0) + 1
            places[node] = node.scope, node.op.name, node.label or count[at]
    for node in nodes:
        if node.op.leaf or node.kind != "real":
            continue
        for operand, arg in enumerate(node.args):
            if arg in reached and node.op.rule(operand) is not None:
                reached.add(node)
                parts.setdefault((places[node], operand), []).append(node)
    return [Site(tuple(found), key[1]) for key, found in parts.items()]


def mistaken_rules(found: Sequence[Site], nodes: Sequence[Node]) -> Iterator[MistakenRule]:
    """The catalogue: for each site the mistakes that its operation invites. `nodes` are those of the graph."""
    siblings = _Siblings(nodes)
    for site in found:
        often = ", at every step" if len(site.nodes) > 1 else ""
        way = f", from {_name(site.shown)} to {_name(site.shown.args[site.operand])}{often}"
        for kind, text, rule in _general(site):
            yield MistakenRule(Mistake(kind, f"{text}{way}"), site, rule)
        special = _OF_OPERATION.get(site.shown.op.name)
        for kind, text, rule in special(site, siblings) if special else ():
            yield MistakenRule(Mistake(kind, f"{text}{way}"), site, rule)


def with_mistake(mistaken: MistakenRule, outputs: Sequence[Node], wrt: Sequence[Node]) -> Rewritten:
    """The graph of `outputs` and `wrt` on a new tape, on which the mistake is made. The same feeds fit."""
    site, graph = mistaken.site, outputs[0].graph
    wrong = set(site.nodes)
    moved: dict[Node, Node] = {}

    def copy(node: Node, args: tuple[Node, ...]) -> Node | None:
        moved.update(zip(node.args, args, strict=True))
        if node not in wrong:
            return None
        rule = mistaken.rule(node)
        row = _with_rule(node.op, site.operand, lambda g, y, *operands: rule(g, y, *operands, moved.__getitem__))
        return row.apply(args[0].graph, args, node.attrs)

    return rebuild((list(outputs), list(wrt), graph.parameters, graph.inputs), copy)


def mistaken_gradients(mistaken: MistakenRule, loss: Node, wrt: Sequence[Node]) -> list[Node]:
    """The gradients with the mistake, on a tape of their own."""
    outputs, targets = with_mistake(mistaken, [loss], wrt).roots[:2]
    found: list[Node] = vjp(outputs, targets, [1])
    return found


def _with_rule(op: Op, operand: int, rule: Callable[..., Node]) -> Op:
    """A copy of a row with another rule for one operand."""
    if callable(op.vjp):
        every = op.vjp
        return replace(op, vjp=lambda i, *given: rule(*given) if i == operand else every(i, *given))
    return replace(op, vjp=tuple(rule if i == operand else one for i, one in enumerate(op.vjp)))


# The catalogue
Entry = tuple[str, str, Callable[[Node], Rule]]


def _general(site: Site) -> Iterator[Entry]:
    """Mistakes that any rule invites."""

    def right(node: Node) -> Rule:
        rule = node.op.rule(site.operand)
        assert rule is not None
        return lambda g, y, *rest: rule(g, y, *rest[:-1])

    def times(number: Any) -> Callable[[Node], Rule]:
        return lambda node: lambda g, *rest: right(node)(g, *rest) * number

    yield "missing term", "nothing is passed on", times(0)
    yield "sign", "the sign is changed", times(-1)
    yield "scale", "twice as much is passed on", times(2)
    yield "scale", "half as much is passed on", lambda node: lambda g, *rest: right(node)(g, *rest) / 2


def _matmul(site: Site, siblings: _Siblings) -> Iterator[Entry]:
    left, right = site.shown.args
    if (left.ndim, right.ndim) == (1, 2):
        yield from _row(site, siblings)
    if (left.ndim, right.ndim) != (2, 1):
        return
    if site.operand == 1:
        name = _name(left)
        if left.shape[0] == left.shape[1]:
            yield "transpose", f"{name} in place of {name}.T", lambda node: lambda g, y, a, b, find: a @ g
        for other in siblings.matrices(left):
            text = f"{_name(other)}.T in place of {name}.T"
            yield "matrix", text, lambda node, m=other: lambda g, y, a, b, find: g @ find(m)  # type: ignore[misc]
            if left.shape[0] == left.shape[1]:
                text = f"{_name(other)} in place of {name}.T"
                yield "matrix", text, lambda node, m=other: lambda g, y, a, b, find: find(m) @ g  # type: ignore[misc]
        return
    if left.shape[0] == left.shape[1]:
        text = "the outer product transposed"
        yield "transpose", text, lambda node: lambda g, y, a, b, find: outer(b, g)
    yield from _replaced(site, siblings, 1, lambda g, y, a, b: outer(g, b))


def _row(site: Site, siblings: _Siblings) -> Iterator[Entry]:
    """A row times a matrix, x W."""
    right = site.shown.args[1]
    name, square = _name(right), right.shape[0] == right.shape[1]
    if site.operand == 0 and square:
        yield "transpose", f"{name} in place of {name}.T", lambda node: lambda g, y, a, b, find: g @ b
        for other in siblings.matrices(right):
            text = f"{_name(other)}.T in place of {name}.T"
            yield "matrix", text, lambda node, m=other: lambda g, y, a, b, find: find(m) @ g  # type: ignore[misc]
    if site.operand == 1:
        if square:
            text = "the outer product transposed"
            yield "transpose", text, lambda node: lambda g, y, a, b, find: outer(g, a)
        yield from _replaced(site, siblings, 0, lambda g, y, a, b: outer(a, g))


def _mul(site: Site, siblings: _Siblings) -> Iterator[Entry]:
    other = 1 - site.operand
    if site.shown.args[other].ndim == site.shown.ndim:
        name = _name(site.shown.args[other])
        yield "missing factor", f"the factor {name} is left out", lambda node: lambda g, *rest: g
    yield from _replaced(site, siblings, other, lambda g, y, *operands: g * operands[other])


def _div(site: Site, siblings: _Siblings) -> Iterator[Entry]:
    if site.operand == 0:
        name = _name(site.shown.args[1])
        yield "scale", f"the division by {name} is left out", lambda node: lambda g, *rest: g
        yield "scale", f"divided by {name} twice", lambda node: lambda g, y, a, b, find: g / b / b


def _smooth(
    right: Callable[[Node, Node], Node], others: Sequence[tuple[str, str, Callable[[Node, Node], Node]]]
) -> Any:
    """The mistakes of a nonlinearity with derivative `right(x, y)`; the others are (kind, text, derivative)."""

    def entries(site: Site, siblings: _Siblings) -> Iterator[Entry]:
        yield "missing factor", "the derivative is left out", lambda node: lambda g, *rest: g
        for kind, text, slope in others:
            yield kind, text, lambda node, s=slope: lambda g, y, x, find: g * s(x, y)  # type: ignore[misc]
        for lag in siblings.lags(site.nodes):

            def shifted(node: Node, lag: int = lag) -> Rule:
                other = siblings.at(node, lag)
                if other is None:
                    return lambda g, y, x, find: g * right(x, y)
                return lambda g, y, x, find: g * right(x, find(other))

            yield "time", f"the derivative at {siblings.shift(site.nodes, lag)}", shifted

    return entries


def _cross_entropy(site: Site, siblings: _Siblings) -> Iterator[Entry]:
    def marks(o: Node, target: Node) -> Node:
        return one_hot(target, o.shape[-1])

    text = "softmax with its target entry set to 1 in place of decreased by 1"
    yield "target", text, lambda node: lambda g, y, o, k, find: g * where(marks(o, k) > 0, 1, softmax(o))
    text = "softmax without 1 taken from its target entry"
    yield "missing term", text, lambda node: lambda g, y, o, k, find: g * softmax(o)
    text = "1 added to the target entry of softmax in place of taken from it"
    yield "sign", text, lambda node: lambda g, y, o, k, find: g * (softmax(o) + marks(o, k))


def _replaced(site: Site, siblings: _Siblings, operand: int, rule: Callable[..., Node]) -> Iterator[Entry]:
    """A rule that uses the operand's value of another step, or another value of the step."""
    used = [node.args[operand] for node in site.nodes]
    for lag in siblings.lags(used):

        def shifted(node: Node, lag: int = lag) -> Rule:
            other = siblings.at(node.args[operand], lag)

            def wrong(g: Node, y: Node, *rest: Any) -> Node:
                operands, find = list(rest[:-1]), rest[-1]
                operands[operand] = operands[operand] * 0 if other is None else find(other)
                return rule(g, y, *operands)

            return wrong

        yield "time", siblings.shift(used, lag), shifted
    for label in siblings.labels(used):

        def swapped(node: Node, label: str = label) -> Rule:
            other = siblings.named(label, node.args[operand])

            def wrong(g: Node, y: Node, *rest: Any) -> Node:
                operands, find = list(rest[:-1]), rest[-1]
                operands[operand] = find(other) if other is not None else operands[operand]
                return rule(g, y, *operands)

            return wrong

        yield "value", f"{label} in place of {_name(used[-1])}", swapped


_ONE_MINUS_SQUARE = [
    ("missing factor", "1 - y in place of 1 - y**2", lambda x, y: 1 - y),
    ("derivative", "y in place of 1 - y**2", lambda x, y: y),
    ("sign", "1 + y**2 in place of 1 - y**2", lambda x, y: 1 + y * y),
    ("derivative", "y * (1 - y), the derivative of sigmoid, in place of 1 - y**2", lambda x, y: y * (1 - y)),
]
_Y_TIMES_ONE_MINUS = [
    ("missing factor", "y in place of y * (1 - y)", lambda x, y: y),
    ("missing factor", "1 - y in place of y * (1 - y)", lambda x, y: 1 - y),
    ("sign", "y * (1 + y) in place of y * (1 - y)", lambda x, y: y * (1 + y)),
    ("derivative", "1 - y**2, the derivative of tanh, in place of y * (1 - y)", lambda x, y: 1 - y * y),
]
_OF_OPERATION: Mapping[str, Callable[[Site, _Siblings], Any]] = {
    "matmul": _matmul,
    "mul": _mul,
    "div": _div,
    "tanh": _smooth(lambda x, y: 1 - y * y, _ONE_MINUS_SQUARE),
    "sigmoid": _smooth(lambda x, y: y * (1 - y), _Y_TIMES_ONE_MINUS),
    "cross_entropy": _cross_entropy,
}


class _Siblings:
    """Nodes of the same part at other steps, and other nodes of the same step and shape. All are older on the tape."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.made: dict[int, list[Node]] = {}
        self.labelled: dict[tuple[str, str, int], Node] = {}
        self.weights = [node for node in nodes if node.op.name == "parameter"]
        for node in nodes:
            if node.step is not None and not node.backward:
                if not node.op.leaf:
                    self.made.setdefault(node.step, []).append(node)
                if node.label:
                    self.labelled[label_in_time(node), node.scope, node.step] = node
        self.place = {node: i for found in self.made.values() for i, node in enumerate(found)}
        self.becomes = {n.args[0]: n for n in nodes if n.op.name == "identity" and n.label}

    def at(self, node: Node, lag: int) -> Node | None:
        """The same value `lag` steps later, if it is known when the rule of `node` is applied."""
        if node.step is None:
            return None
        shown = self.becomes.get(node, node)
        if shown.label:
            return self.labelled.get((label_in_time(shown), shown.scope, node.step + lag))
        there, here = self.made.get(node.step + lag, []), self.made[node.step]
        return there[self.place[node]] if len(there) == len(here) and node in self.place else None

    def lags(self, nodes: Sequence[Node]) -> list[int]:
        """By how many steps values may be shifted."""
        return [lag for lag in (-1, 1) if any(self.at(node, lag) is not None for node in nodes)]

    def shift(self, nodes: Sequence[Node], lag: int) -> str:
        """What a shift does to the latest value that it finds: `h_4 in place of h_3`."""
        node, other = next((node, other) for node in reversed(nodes) if (other := self.at(node, lag)) is not None)
        return f"{_name(other)} in place of {_name(self.becomes.get(node, node))}"

    def labels(self, nodes: Sequence[Node]) -> list[str]:
        """Other values of the step, of the same shape."""
        node = nodes[-1]
        return [
            label
            for (label, _, step), other in self.labelled.items()
            if step == node.step and other.shape == node.shape and label != node.label and other.kind == "real"
        ]

    def named(self, label: str, node: Node) -> Node | None:
        """The value of that label at the node's step."""
        return next((n for (name, _, step), n in self.labelled.items() if name == label and step == node.step), None)

    def matrices(self, node: Node) -> list[Node]:
        """Other parameters of the same shape."""
        return [one for one in self.weights if one.shape == node.shape and one is not node]


def _name(node: Node) -> str:
    """The name of a value, or its formula."""
    if node.label or node.op.leaf:
        return node.name
    inside, rest = {node.id: node}, [node]
    while rest:
        for arg in rest.pop().args:
            if arg.id not in inside and ("value" in arg.attrs or not (arg.label or arg.op.leaf)):
                inside[arg.id] = arg
                rest.append(arg)
    return equations([inside[i] for i in sorted(inside)], TEXT)[-1].right
