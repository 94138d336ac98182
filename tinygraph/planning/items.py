"""Items: what a plan computes, one entry each, in an order in which operands come first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..graph.node import Kind, Node
from ..shapes import Shape

# Operations of items that are no rows of the table.
SUM = "sum of terms"  # attrs: the sign of each operand
PRODUCT = "product of factors"
APPLY = "matrix times vector"  # operands: matrix, vector; attrs: (transposed, scale)
JOINED = "sum of matrices times vectors"  # operands: matrix, vector, ...; attrs: (transposed, scale) of each
PLUS = "term plus matrices times vectors"  # operands: term, matrix, vector, ...; attrs: (transposed, scale) of each
SCALED = "scaled"  # attrs: the factor
SPREAD = "one for each example"
FIRST = "first example"
OUTERS = "sum of outer products"  # operands d_1, x_1, d_2, x_2, ...: the sum of d_i x_i^T over i and the batch
TOTALS = "sum over the batch"  # operands d_1, d_2, ...: their sum, and over the batch
PRODUCTS = (APPLY, JOINED, PLUS)
CHOSEN = "entry of a vector"  # operands: vectors along the last axis, integers
HALF_SIGMOID = "sigmoid of twice"  # 1 / (1 + exp(-2 a))


@dataclass(slots=True, eq=False)
class Item:
    """One value: the operation, its operands as places in the list, and the node whose value it is.

    `batched` tells whether it has a batch axis in the plan: an initial state may, where its node has none.
    `label` is that of a node with the same value, such as a state that a nameless product becomes.
    """

    op: str
    attrs: Any  # hashable
    args: tuple[int, ...]
    shape: Shape
    batched: bool
    kind: Kind
    node: Node
    label: str = ""

    @property
    def read_slots(self) -> range:
        """The operands that one call reads where they stand: no matrices, which are made ready apart, and no terms."""
        if self.op in (APPLY, JOINED):
            return range(1, len(self.args), 2)
        if self.op == PLUS:
            return range(0, len(self.args), 2)
        return range(0 if self.op in (OUTERS, TOTALS) else len(self.args))

    @property
    def matrices(self) -> list[tuple[int, bool, Any]]:
        """Of a product, or a sum of products: each matrix, whether it is transposed, and its scale."""
        ways = [self.attrs] if self.op == APPLY else self.attrs
        return [(number, *way) for number, way in zip(self.args[self.op == PLUS :: 2], ways, strict=True)]

    @property
    def leaf(self) -> bool:
        return not self.args and self.node.op.leaf and self.op == self.node.op.name


def as_it_is(transposed: bool, scale: Any) -> bool:
    """Whether the matrix of such a product, by its attrs, stands on the right as it is: x^T M, the same as M^T x."""
    return transposed and scale == 1


def like(one: Item, other: Item) -> bool:
    """Whether their values have one size and kind."""
    return (one.shape, one.batched, one.kind) == (other.shape, other.batched, other.kind)
