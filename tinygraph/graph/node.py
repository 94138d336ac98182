"""A node: one value of the computation, written as an operation applied to earlier nodes.

A node is frozen and compared by identity. Its `id` is its place on the tape, its shape is that of
one example, and `batched` says whether the value has one entry per example. Where a node belongs
(time step, scope, label) is its provenance; it stands on the tape, beside the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

from ..errors import UsageError
from ..shapes import Shape
from .table import OPS

if TYPE_CHECKING:
    from .op import Op
    from .tape import Graph

Kind = Literal["real", "integer", "boolean"]
KINDS: tuple[Kind, ...] = ("real", "integer", "boolean")

COTANGENT = "d"  # the cotangent of a node labelled h is labelled dh


class Provenance(NamedTuple):
    """Where a node belongs: time step, scope such as `layer1/forward`, and label such as `i`.

    `latex` replaces the label in formulas. `backward` marks the nodes that differentiation made.
    """

    step: int | None = None
    scope: str = ""
    label: str = ""
    latex: str = ""
    backward: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    """One value on a tape. Made by operations and by the methods of `Graph`, never directly."""

    graph: Graph
    id: int
    op: Op
    args: tuple[Node, ...]
    attrs: Mapping[str, Any]
    shape: Shape
    batched: bool
    kind: Kind

    # NumPy must leave mixed arithmetic to the operators below.
    __array_ufunc__ = None

    @property
    def where(self) -> Provenance:
        """Time step, scope and label."""
        return self.graph.provenance[self.id]

    @property
    def step(self) -> int | None:
        return self.where.step

    @property
    def scope(self) -> str:
        return self.where.scope

    @property
    def label(self) -> str:
        return self.where.label

    @property
    def backward(self) -> bool:
        return self.where.backward

    @property
    def name(self) -> str:
        """What messages and equations call this node: `W`, `h_3`, or `%17` where it has no label."""
        if self.op.leaf and "name" in self.attrs:
            index = self.attrs.get("index")
            return self.attrs["name"] if index is None else f"{self.attrs['name']}_{index}"
        where = self.where
        if not where.label:
            return f"%{self.id}"
        return where.label if where.step is None else f"{where.label}_{where.step}"

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def T(self) -> Node:
        """The transpose of one example's value."""
        return OPS["transpose"](self)

    def describe(self) -> str:
        """One line for messages: name, operation, shape, time step and scope."""
        return self.graph.describe(self)

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    # Arithmetic: the table gives the operators their meaning.
    def __add__(self, other: Any) -> Node:
        return OPS["add"](self, other)

    def __radd__(self, other: Any) -> Node:
        return OPS["add"](other, self)

    def __sub__(self, other: Any) -> Node:
        return OPS["sub"](self, other)

    def __rsub__(self, other: Any) -> Node:
        return OPS["sub"](other, self)

    def __mul__(self, other: Any) -> Node:
        return OPS["mul"](self, other)

    def __rmul__(self, other: Any) -> Node:
        return OPS["mul"](other, self)

    def __truediv__(self, other: Any) -> Node:
        return OPS["div"](self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return OPS["div"](other, self)

    def __matmul__(self, other: Any) -> Node:
        return OPS["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Node:
        return OPS["matmul"](other, self)

    def __pow__(self, exponent: Any) -> Node:
        return OPS["power"](self, exponent)

    def __rpow__(self, base: Any) -> NoReturn:
        raise self._refuse(f"cannot be an exponent of {base!r}", "tg.exp(x * tg.log(base)), with a base above 0")

    def __mod__(self, other: Any) -> NoReturn:
        raise self._refuse("has no remainder or whole division", "these have no derivative; compute them outside")

    __floordiv__ = __rmod__ = __rfloordiv__ = __divmod__ = __mod__

    def __abs__(self) -> NoReturn:
        raise self._refuse("has no abs()", "tg.where(x > 0, x, -x), or tg.sqrt(x * x)")

    def __neg__(self) -> Node:
        return OPS["neg"](self)

    def __gt__(self, other: Any) -> Node:
        return OPS["greater"](self, other)

    def __ge__(self, other: Any) -> Node:
        return OPS["greater_equal"](self, other)

    def __lt__(self, other: Any) -> Node:
        return OPS["less"](self, other)

    def __le__(self, other: Any) -> Node:
        return OPS["less_equal"](self, other)

    def __getitem__(self, index: Any) -> Node:
        return OPS["slice"](self, index)

    # What a node has no value for. Each refusal says what to write instead.
    def __bool__(self) -> NoReturn:
        raise self._refuse("has no truth value while the graph is built", "choose by tg.where(condition, a, b)")

    def __iter__(self) -> NoReturn:
        raise self._refuse("cannot be iterated over", "index it: [node[i] for i in range(node.shape[0])]")

    def __len__(self) -> NoReturn:
        raise self._refuse("has no len()", "its per-example shape is node.shape")

    def __contains__(self, item: object) -> NoReturn:
        raise self._refuse("cannot be searched with `in`", "compare with tg.equal")

    def __float__(self) -> NoReturn:
        raise self._refuse("is not a number", "tg.evaluate(node, feeds) computes its value")

    __int__ = __index__ = __complex__ = __float__

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._refuse("is not an array", "tg.evaluate(node, feeds) computes its value")

    def __setitem__(self, index: object, value: object) -> NoReturn:
        raise self._refuse("cannot be changed", "build a new value with tg.concatenate, tg.stack or tg.where")

    def __format__(self, specification: str) -> str:
        if specification:
            raise self._refuse("is not a number to be formatted", "tg.evaluate(node, feeds) computes its value")
        return repr(self)

    def __copy__(self) -> NoReturn:
        raise self._refuse("cannot be copied or pickled away from its tape", "tg.save(node.graph, path)")

    def __deepcopy__(self, memo: object) -> NoReturn:
        self.__copy__()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__copy__()

    def _refuse(self, what: str, fix: str) -> UsageError:
        return UsageError(f"a node {what}", [self.describe()], fix)
