"""What one row of the table of operations holds, and how applying it makes a node.

Adding an operation means adding one row (`define(...)`) in one file of `tinygraph.ops`:
executors, differentiation, text, LaTeX, messages and the tests over the table follow from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GraphError, KindError, NameTakenError, ShapeError, TinygraphError, UsageError
from ..shapes import Shape
from .node import Kind, Node
from .table import OPS

if TYPE_CHECKING:
    from .tape import Graph

# Binding strength in printed formulas, weakest first. An operand that binds weaker than its
# place allows gets parentheses; the arguments of an ATOM stand in brackets of their own.
SUM, PRODUCT, PREFIX, POWER, ATOM = 1, 2, 3, 4, 9

NO_ATTRS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Form:
    """How a row is printed: a template with {0}, {1}, ... or a function of the node and its operands.

    `level` is the binding strength of the whole, `inner` the one that operands need to go without
    parentheses; without it, infix forms take the left operand at their own level.
    """

    template: str | Callable[[Node, list[str]], str]
    level: int = ATOM
    inner: int | None = None

    def needs(self, index: int) -> int:
        """The binding strength that operand `index` needs to stand without parentheses."""
        if self.inner is not None:
            return self.inner
        return 0 if self.level == ATOM else self.level + (index > 0)

    def write(self, node: Node, operands: list[str]) -> str:
        if callable(self.template):
            return self.template(node, operands)
        return self.template.format(*operands)


@dataclass(frozen=True)
class Domain:
    """Where an operation is defined and smooth, for each real operand.

    Values between `low` and `high` are allowed test points, except within `margin` of a kink.
    `distinct` asks for entries that differ (for a maximum). `analytic` says that the operation
    extends to complex arguments, so that the complex step applies; `why_not` explains where not.
    """

    low: float = -2.0
    high: float = 2.0
    kinks: tuple[float, ...] = ()
    margin: float = 0.05
    distinct: bool = False
    analytic: bool = True
    why_not: str = ""


@dataclass(frozen=True)
class Limits:
    """What bounds are proved from: every entry of the value lies in [low, high], and |slope| is at most `slope`."""

    low: float = -inf
    high: float = inf
    slope: Fraction | float = inf


@dataclass(frozen=True)
class Example:
    """Operand shapes (and attributes) that the tests try for a row that is not elementwise."""

    shapes: tuple[Shape, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


Vjp = Callable[..., Node]


@dataclass(frozen=True, eq=False)
class Op:
    """One row of the table.

    name      what users call it: `tg.<name>`
    doc       one or two lines: meaning, shapes, source
    arity     number of operands; None for any number (given as a list or one by one)
    shape     shape(*operands, **attrs): the per-example shape of the result
    run       run(xp, node, *values): the value, over an array protocol (tinygraph.execute.arrays).
              A value may have one leading batch axis, so per-example axes are counted from the end.
    vjp       one rule per operand, rule(g, y, *operands): the cotangent of that operand from the
              cotangent g of the output y, in the table's own operations; None where it is zero.
              Undoing a broadcast is left to the accumulator. With arity None: one rule(i, g, y, *operands).
    words     the local Jacobian as matrix words (see `letters`), one rule per operand, None where it is zero;
              empty if it has none. rule(y, *operands) gives the diagonal as a `Polynomial` of polynomials if
              the row is elementwise, else a sum of words of nodes. With arity None: one rule(i, y, *operands).
    why_no_words  for a row with a derivative and without words: why not
    attrs     attrs(*operands, ...): the attributes from the user's further arguments
    takes     kinds allowed, one entry for all operands or one each: a kind, "number" or "any"
    gives     kind of the result: a kind, or "same" for that of the operands
    batching  whether the result is batched, from whether the operands are
    elementwise  operands broadcast; the executor aligns them behind the batch axis
    leaf      an input, a parameter or a constant
    intern    an equal application made before is used again (its value has no place in time)
    text, latex  printed forms; the default is a call, name(operands, attributes)
    domain    see Domain; limits: see Limits; examples: see Example
    pitfall   what to do when the operation gives a value that is not finite
    """

    name: str
    doc: str
    arity: int | None
    shape: Callable[..., Shape]
    run: Callable[..., Any]
    vjp: tuple[Vjp | None, ...] | Vjp = ()
    words: tuple[Callable[..., Any] | None, ...] | Callable[..., Any] = ()
    why_no_words: str = ""
    attrs: Callable[..., dict[str, Any]] | None = None
    takes: str | tuple[str, ...] = "real"
    gives: str = "real"
    batching: Callable[[Sequence[bool]], bool] = any
    elementwise: bool = False
    leaf: bool = False
    intern: bool = False
    text: Form | None = None
    latex: Form | None = None
    domain: Domain = Domain()
    limits: Limits = Limits()
    examples: tuple[Example, ...] = ()
    pitfall: str = "look at the size of the operands"

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # per row, so that help() and notebooks show it
        return self.doc

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __call__(self, *given: Any, name: str = "", **options: Any) -> Node:
        """Apply the operation: a new node on the operands' tape, labelled `name` if one is given."""
        operands, extras = self._split(given)
        graph = tape_of(operands, self.name)
        nodes = tuple(self._lift(graph, i, operand, operands) for i, operand in enumerate(operands))
        node = self.apply(graph, nodes, self._attributes(nodes, extras, options))
        return graph.relabel(node, name) if name else node

    def apply(self, graph: Graph, nodes: tuple[Node, ...], attrs: Mapping[str, Any] = NO_ATTRS) -> Node:
        """Append the application to nodes of `graph`, with finished attributes."""
        return graph.append(self, nodes, attrs, *self.infer(nodes, attrs))

    def infer(self, nodes: tuple[Node, ...], attrs: Mapping[str, Any]) -> tuple[Shape, bool, Kind]:
        """Shape, batched-or-not and kind of the result; the checks of an application."""
        try:
            kind = self._result_kind(nodes)
            return self.shape(*nodes, **attrs), self.batching([n.batched for n in nodes]), kind
        except (ShapeError, KindError) as error:
            raise error.within(self.name, [n.describe() for n in nodes]) from None
        except TypeError as error:
            raise GraphError(f"{self.name} cannot have attributes {sorted(attrs)}: {error}") from None

    def rule(self, index: int) -> Vjp | None:
        """The VJP rule of one operand, called as rule(g, y, *operands)."""
        if callable(self.vjp):
            every = self.vjp
            return lambda g, y, *operands: every(index, g, y, *operands)
        return self.vjp[index] if index < len(self.vjp) else None

    @property
    def differentiable(self) -> bool:
        """Whether any operand has a derivative that is not zero."""
        return callable(self.vjp) or any(self.vjp)

    def _split(self, given: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        if self.arity is None:
            if len(given) >= 1 and isinstance(given[0], (list, tuple)):
                given, extras = tuple(given[0]), given[1:]
                if any(isinstance(extra, Node) for extra in extras):
                    shown = ", ".join(f"{g!r:.60}" for g in (list(given), *extras))
                    raise UsageError(f"{self.name} takes its operands in one list or one by one, not both: {shown}")
            else:
                extras = ()
            if not given:
                raise UsageError(f"{self.name} needs at least one operand")
            return given, extras
        if len(given) < self.arity:
            raise UsageError(
                f"{self.name} takes {self.arity} operand{'s' * (self.arity != 1)}, got {len(given)}", fix=self.doc
            )
        return given[: self.arity], given[self.arity :]

    def _attributes(
        self, nodes: tuple[Node, ...], extras: tuple[Any, ...], options: dict[str, Any]
    ) -> Mapping[str, Any]:
        if self.attrs is None:
            if extras or options:
                extra = [repr(e) for e in extras] + [f"{k}={v!r}" for k, v in options.items()]
                raise UsageError(f"{self.name} takes no further argument: {', '.join(extra)}", fix=self.doc)
            return NO_ATTRS
        try:
            attrs = self.attrs(*nodes, *extras, **options)
        except TinygraphError as error:
            raise error.within(self.name, [n.describe() for n in nodes]) from None
        except (TypeError, ValueError) as error:
            problem = re.sub(r"[\w<>]+\(\)", "it", str(error))  # the name of the rule inside
            raise UsageError(f"{self.name}: {problem}", [n.describe() for n in nodes], self.doc) from None
        return MappingProxyType(attrs)

    def _takes(self, index: int) -> str:
        return self.takes if isinstance(self.takes, str) else self.takes[min(index, len(self.takes) - 1)]

    def _lift(self, graph: Graph, index: int, operand: Any, operands: tuple[Any, ...]) -> Node:
        """A node from an operand: numbers and arrays become constants of the kind that is wanted."""
        if isinstance(operand, Node):
            return operand
        kind = self._takes(index)
        if kind in ("number", "any"):
            kind = next(
                (o.kind for i, o in enumerate(operands) if isinstance(o, Node) and self._takes(i) == kind), "real"
            )
        if isinstance(operand, (int, float, Fraction, np.number, np.bool_)):
            return graph.number(operand, kind)  # type: ignore[arg-type]  # a kind by now
        if isinstance(operand, np.ndarray):
            return graph.constant("", operand, kind=kind)  # type: ignore[arg-type]  # a kind by now
        raise UsageError(
            f"{self.name}: operand {index + 1} is {operand!r:.60}, which is no node, number or array",
            [o.describe() for o in operands if isinstance(o, Node)],
        )

    def _result_kind(self, nodes: tuple[Node, ...]) -> Kind:
        kinds: list[Kind] = []
        for index, node in enumerate(nodes):
            wanted = self._takes(index)
            allowed = {"number": ("real", "integer"), "any": ("real", "integer", "boolean")}.get(wanted, (wanted,))
            if node.kind not in allowed:
                raise KindError(
                    f"operand {index + 1} is {node.kind}, not {' or '.join(allowed)}", fix=_kind_fix(node.kind, wanted)
                )
            if wanted in ("number", "any"):
                kinds.append(node.kind)
        if len(set(kinds)) > 1:
            raise KindError(f"operands of different kinds: {', '.join(kinds)}", fix="make them real with tg.real")
        return kinds[0] if self.gives == "same" else self.gives  # type: ignore[return-value]  # checked by the table's tests


def _kind_fix(kind: Kind, wanted: str) -> str:
    if wanted == "real":
        return "turn symbols into vectors with tg.one_hot or tg.gather, flags and counts into numbers with tg.real"
    if wanted == "number":
        return "turn flags into numbers with tg.real"
    if wanted == "boolean":
        return "make a condition with a comparison, such as x > 0"
    return f"declare the input with kind={wanted!r}" if wanted in ("integer", "boolean") else ""


def tape_of(operands: Sequence[Any], asked_by: str) -> Graph:
    """The one tape of the nodes among `operands`. Raises `UsageError` or `GraphError`."""
    graph: Graph | None = None
    for operand in operands:
        if isinstance(operand, Node):
            if graph is None:
                graph = operand.graph
            elif operand.graph is not graph:
                nodes = [o.describe() for o in operands if isinstance(o, Node)]
                raise GraphError(f"{asked_by}: nodes of different tapes", nodes, "build all of them on one tg.Graph()")
    if graph is None:
        shown = ", ".join(f"{operand!r:.40}" for operand in operands)
        raise UsageError(
            f"{asked_by} needs a node, got {shown or 'nothing'}", fix="make one with graph.input or graph.parameter"
        )
    return graph


def define(name: str, doc: str, **columns: Any) -> Op:
    """Add a row to the table; see `Op` for the columns."""
    if name in OPS:
        raise NameTakenError(f"the table has an operation {name!r} already")
    arity = columns.pop("arity", 1)
    OPS[name] = Op(name, " ".join(doc.split()), arity, **columns)
    return OPS[name]
