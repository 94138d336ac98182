"""Local simplification: rows of rewrites that look at one node and its operands.

Each rule is exact in real arithmetic for finite values. What replaces a node has its shape, and is
batched if it is.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ..graph.constants import Array
from ..graph.node import Node
from ..ops.arithmetic import add, neg
from ..ops.batch import spread
from ..ops.structure import reshape
from .dead import eliminate_dead
from .rebuilding import Rewritten, fitted, rebuild

Operands = tuple[Node, ...]


def simplify(roots: Any) -> Rewritten:
    """x * 1, x + 0, 0 * x, -(-x), x ** 1, transposes of transposes, ... -> x, x, 0, x, x, x, ..."""
    return rebuild(roots, _simpler).then(eliminate_dead)


def _simpler(node: Node, args: Operands) -> Node | None:
    rule = RULES.get(node.op.name)
    found = rule(node, args) if rule else None
    return None if found is None else fitted(found, node)


def fill(node: Node) -> int | float | Fraction | None:
    """The number that fills a constant, also through a spread or a broadcast; else None."""
    while node.op.name in ("spread", "broadcast_to"):
        node = node.args[0]
    value = node.attrs.get("value") if node.op.name == "constant" else None
    return None if isinstance(value, Array) else value


def _zero(node: Node, args: Operands) -> Node:
    zeros = args[0].graph.constant("", zeros=node.shape)
    return spread(zeros) if node.batched else zeros


def _add(node: Node, args: Operands) -> Node | None:
    rest = [arg for arg in args if fill(arg) != 0]
    if len(rest) == len(args):
        return rest[0] if len(rest) == 1 else None
    if not rest:
        return _zero(node, args)
    return rest[0] if len(rest) == 1 else add(rest)


def _sub(node: Node, args: Operands) -> Node | None:
    if fill(args[1]) == 0:
        return args[0]
    if args[0] is args[1]:
        return _zero(node, args)
    return neg(args[1]) if fill(args[0]) == 0 else None


def _mul(node: Node, args: Operands) -> Node | None:
    for one, other in (args, args[::-1]):
        number = fill(one)
        if number == 0:
            return _zero(node, args)
        if number == 1:
            return other
        if number == -1:
            return neg(other)
    return None


def _div(node: Node, args: Operands) -> Node | None:
    if fill(args[1]) == 1:
        return args[0]
    return _zero(node, args) if fill(args[0]) == 0 else None


def _neg(node: Node, args: Operands) -> Node | None:
    if args[0].op.name == "neg":
        return args[0].args[0]
    return _zero(node, args) if fill(args[0]) == 0 else None


def _power(node: Node, args: Operands) -> Node | None:
    return args[0] if node.attrs["exponent"] == 1 else None


def _product(node: Node, args: Operands) -> Node | None:
    return _zero(node, args) if any(fill(arg) == 0 for arg in args) else None


def _transpose(node: Node, args: Operands) -> Node | None:
    axes, inner = node.attrs["axes"], args[0]
    if list(axes) == sorted(axes):
        return inner
    if inner.op.name == "transpose" and all(inner.attrs["axes"][a] == k - len(axes) for k, a in enumerate(axes)):
        return inner.args[0]
    return None


def _reshape(node: Node, args: Operands) -> Node | None:
    inner = args[0].args[0] if args[0].op.name == "reshape" else args[0]
    if inner.shape == node.shape:
        return inner
    return reshape(inner, node.shape) if inner is not args[0] else None


def _same_shape(node: Node, args: Operands) -> Node | None:
    return args[0] if args[0].shape == node.shape else None


def _identity(node: Node, args: Operands) -> Node | None:
    return None if node.label else args[0]


def _where(node: Node, args: Operands) -> Node | None:
    return args[1] if args[1] is args[2] else None


def _spread(node: Node, args: Operands) -> Node | None:
    return args[0] if args[0].batched else None


RULES: dict[str, Callable[[Node, Operands], Node | None]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "power": _power,
    "matmul": _product,
    "outer": _product,
    "dot": _product,
    "transpose": _transpose,
    "reshape": _reshape,
    "broadcast_to": _same_shape,
    "sum_to": _same_shape,
    "identity": _identity,
    "where": _where,
    "spread": _spread,
}
