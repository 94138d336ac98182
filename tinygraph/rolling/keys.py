"""Keys: what a node is, apart from where it reads. Only nodes of equal key can be the same step of a rolled net.

    key = operation, attributes, shape, batching, kind, and for each operand: which weight it is, if it is one

A weight is a parameter or a constant, or what is made of them alone without a batch and in two or more axes
(a transpose, a concatenation; not a product, since a state can be one: A_t = U A_{t-1}).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ..graph.node import Node
from ..graph.op import Op

Args = Sequence[tuple[int, ...]]  # the operands of each node, by their places in the list of nodes

FREE = -1  # an operand that is no weight


@dataclass(frozen=True)
class Keys:
    """The key of each node as a number, which keys read weights, and the places of the weights.

    `strong` holds the keys of products with a matrix and of sums with a parameter (a bias): what has such a key
    plays one part in the net. `weak` holds those of other operations with a parameter: c * p in an equation and
    g * p in its gradient have one key.
    """

    of: list[int]
    strong: frozenset[int]
    weak: frozenset[int]
    weights: frozenset[int] = frozenset()


def keys_of(nodes: Sequence[Node], args: Args) -> Keys:
    """The keys of `nodes`, which are in ascending order and closed under operands."""
    numbers: dict[Hashable, int] = {}
    keys: list[int] = []
    weight: list[int] = []  # the key of a node that is a weight, else FREE
    strong: set[int] = set()
    weak: set[int] = set()
    for node, operands in zip(nodes, args, strict=True):
        op = node.op
        if op.leaf:
            key = numbers.setdefault(_leaf(node), len(numbers))
            fixed = op.name != "input"
        else:
            read = tuple([weight[i] for i in operands])
            attrs = tuple(sorted(node.attrs.items())) if node.attrs else ()
            key = numbers.setdefault((op.name, attrs, node.shape, node.batched, node.kind, read), len(numbers))
            fixed = not node.batched and len(node.shape) > 1 and op.name != "matmul" and FREE not in read
            weights = [nodes[i] for i, w in zip(operands, read, strict=True) if w != FREE]
            if any(_tells(weight, op) for weight in weights):
                strong.add(key)
            elif any(weight.op.name == "parameter" for weight in weights):
                weak.add(key)
        keys.append(key)
        weight.append(key if fixed else FREE)
    fixed_at = frozenset(i for i, key in enumerate(weight) if key != FREE)
    return Keys(keys, frozenset(strong), frozenset(weak), fixed_at)


def _leaf(node: Node) -> Hashable:
    """Inputs of one shape can stand for each other; each parameter is itself; constants are their values."""
    common: tuple[Any, ...] = (node.op.name, node.shape, node.batched, node.kind)
    if node.op.name == "input":
        return common
    if node.op.name == "parameter":
        return (*common, node.id)
    value = node.attrs["value"]
    return (*common, type(value), value)


def _tells(weight: Node, op: Op) -> bool:
    """Whether an operation with this weight has one part in the net.

    A vector may be a learned initial state, whose outer products are in the gradients of all gates.
    """
    if op.name == "add":
        return weight.op.name == "parameter"
    return weight.ndim > 1 and not op.elementwise
