"""Cases over the table of operations: operand shapes, which operands have a batch axis, values to try.

Everything is driven by the row: elementwise rows share the shapes below, the others bring their own
`examples`; `takes` says what to draw for each operand, `domain` where real numbers are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph.graph import Kind, Node, Op
from tinygraph.graph.op import Domain
from tinygraph.shapes import Shape

BATCH = 3  # also the size of most axes, so that an axis that meets the batch by accident shows

# Shapes for elementwise rows, by arity: scalars, sizes 0 and 1, broadcasting either way, equal sizes.
SHAPES: dict[int, tuple[tuple[Shape, ...], ...]] = {
    1: tuple(
        (s,) for s in ((), (0,), (1,), (2,), (3,), (1, 3), (3, 1), (3, 3), (2, 3), (0, 3), (3, 0), (2, 3, 2), (3, 3, 3))
    ),
    2: (
        ((), ()), ((), (3,)), ((3,), ()), ((3,), (3,)), ((1,), (3,)), ((3,), (1,)), ((3, 3), (3,)), ((3,), (3, 3)),
        ((3, 3), (3, 3)), ((3, 1), (1, 3)), ((2, 3), (3,)), ((0,), (1,)), ((0,), (0,)), ((), (0, 3)),
        ((2, 1, 3), (4, 1)),
    ),
    3: (
        ((), (), ()), ((3,), (3,), (3,)), ((), (3,), (3,)), ((3,), (), (3,)), ((3,), (3,), ()), ((3,), (), ()),
        ((3, 3), (3,), (3, 1)), ((3,), (3, 3), (1, 3)), ((3, 3), (3, 3), (3, 3)), ((1,), (3,), (1,)),
        ((0,), (0,), (1,)), ((2, 1), (3,), ()), ((3, 1), (3,), (3, 3)),
    ),
}  # fmt: skip

# Attributes for elementwise rows that need some. A new row puts them in its `examples`, whose shapes are
# then not used; `power` stands here because its row has no examples.
ATTRIBUTES: dict[str, tuple[dict[str, Any], ...]] = {
    "power": tuple({"exponent": e} for e in (2, 3, 0, 1, -1, -2, Fraction(1, 2), Fraction(-3, 2), 1.7)),
}

# Below what an integer operand must stay, from shapes and attributes.
INDEX_RANGE = {"gather": lambda shapes: shapes[0][0], "cross_entropy": lambda shapes: shapes[0][-1]}


@dataclass(frozen=True)
class Case:
    """A row with operand shapes, attributes, kinds, and which operands are batched."""

    op: Op
    shapes: tuple[Shape, ...]
    batched: tuple[bool, ...]
    kinds: tuple[Kind, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def real(self) -> list[int]:
        """The places of the real operands."""
        return [i for i, kind in enumerate(self.kinds) if kind == "real"]

    def __str__(self) -> str:
        parts = zip(self.kinds, self.shapes, self.batched, strict=True)
        operands = [f"{kind}{shape}{' batched' * b}" for kind, shape, b in parts]
        return f"{self.op.name}({', '.join([*operands, *(f'{k}={v}' for k, v in self.attrs.items())])})"


def wanted(op: Op, index: int) -> str:
    """What the row takes as operand `index`."""
    return op.takes if isinstance(op.takes, str) else op.takes[min(index, len(op.takes) - 1)]


def general_kinds(op: Op) -> tuple[Kind, ...]:
    """The kinds for which an operand that is "any" or "number" can stand."""
    takes = {op.takes} if isinstance(op.takes, str) else set(op.takes)
    if "any" in takes:
        return ("real", "integer", "boolean")
    return ("real", "integer") if "number" in takes else ("real",)


def kinds_of(op: Op, count: int, general: Kind = "real") -> tuple[Kind, ...]:
    """The kinds of `count` operands, with `general` for "any" and "number"."""
    takes = [wanted(op, i) for i in range(count)]
    return tuple(general if kind in ("any", "number") else kind for kind in takes)  # type: ignore[misc]


def shapes_and_attrs(op: Op) -> Iterator[tuple[tuple[Shape, ...], Mapping[str, Any]]]:
    """What to try for a row: the shared shapes if it is elementwise, else its own examples."""
    if not op.elementwise:
        yield from ((example.shapes, example.attrs) for example in op.examples)
        return
    arities = (op.arity,) if op.arity is not None else (1, 2, 3)
    attributes = [e.attrs for e in op.examples] or ATTRIBUTES.get(op.name, ({},))
    for arity in arities:
        yield from product(SHAPES[arity], attributes)


def cases(op: Op, general: Kind = "real") -> list[Case]:
    """All cases of a row: every example with every choice of which operands are batched."""
    found = []
    for shapes, attrs in shapes_and_attrs(op):
        kinds = kinds_of(op, len(shapes), general)
        found += [Case(op, shapes, flags, kinds, attrs) for flags in product((False, True), repeat=len(shapes))]
    return found


def rows(*, leaves: bool = False) -> list[str]:
    """The names of all rows that have operands (and of the others too if asked for)."""
    return [name for name, op in tg.OPS.items() if leaves or op.arity != 0]


def smooth(op: Op) -> bool:
    """Whether derivatives of the row can be held against differences.

    A row without rules must have derivative zero, except where its domain says otherwise (`stop_gradient`).
    """
    real_result = op.gives == "real" or (op.gives == "same" and "real" in general_kinds(op))
    real_operand = "real" in kinds_of(op, op.arity if op.arity is not None else 1)
    return bool(op.arity != 0 and real_result and real_operand and (op.differentiable or op.domain.analytic))


def smooth_rows() -> list[str]:
    """The names of the rows whose derivatives are checked."""
    return [name for name, op in tg.OPS.items() if smooth(op)]


def crosses_the_batch(op: Op) -> bool:
    """Whether the result is unbatched though an operand is batched."""
    return not op.batching([True] * (op.arity or 1))


# Values
def draw(case: Case, rng: np.random.Generator, batch: int = BATCH) -> list[np.ndarray]:
    """One value per operand, with a batch axis where the operand is batched."""
    full = [(batch,) * b + shape for shape, b in zip(case.shapes, case.batched, strict=True)]
    return [_draw(case, kind, shape, rng) for kind, shape in zip(case.kinds, full, strict=True)]


def _draw(case: Case, kind: Kind, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    if kind == "real":
        return reals(case.op.domain, shape, rng)
    if kind == "boolean":
        return rng.random(shape) < 0.5
    low, high = index_range(case)
    return np.asarray(rng.integers(low, high, shape))


def index_range(case: Case) -> tuple[int, int]:
    """Where integers are drawn: any sign if they are plain numbers, else indices that are in range.

    The range of an index is the attribute `size`, or what INDEX_RANGE says of the row, or else the
    smallest axis of the real operands, which is safe for any row.
    """
    if "integer" not in {wanted(case.op, i) for i in range(len(case.shapes))}:
        return -3, 4
    if "size" in case.attrs:
        return 0, case.attrs["size"]
    if case.op.name in INDEX_RANGE:
        return 0, INDEX_RANGE[case.op.name](case.shapes)
    return 0, min((size for i in case.real for size in case.shapes[i]), default=1)


def reals(domain: Domain, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Random numbers of the domain, away from its kinks, and apart from each other if it asks for that."""
    if domain.distinct:
        count = prod(shape)
        gap = (domain.high - domain.low) / (count + 1)
        places = domain.low + gap * (1 + rng.permutation(count) + rng.uniform(-0.25, 0.25, count))
        return places.reshape(shape)
    x = rng.uniform(domain.low, domain.high, shape)
    for kink in domain.kinks:
        near = np.abs(x - kink) < domain.margin
        x = np.where(near, kink + np.where(x < kink, -1, 1) * (domain.margin + np.abs(x - kink)), x)
    return np.asarray(x)


# Applying
def build(case: Case) -> tuple[list[Node], Node]:
    """The row applied to inputs x0, x1, ... of a new tape: operands and output."""
    graph = tg.Graph()
    operands = [
        graph.input(f"x{i}", shape, kind=kind, batched=b)
        for i, (shape, kind, b) in enumerate(zip(case.shapes, case.kinds, case.batched, strict=True))
    ]
    return operands, case.op(*operands, **case.attrs)
