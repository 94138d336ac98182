r"""Small formulas as trees: what a written recursion is made of.

A symbol stands at a time, a tree is compared by its structure, and a tree moved in time is the same
equation at another step. Trees are small by construction (what is large gets a symbol of its own), so
recursion over them is safe. The constructors keep one form for equal formulas: products are flat, numbers
stand in front, signs outside, and v^T W is W^T v, since vectors are columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

from ..graph.op import Op
from ..graph.table import OPS
from ..shapes import Shape, broadcast, size

Key = tuple[str, bool]  # the name of a symbol, and whether it stands in time
Options = tuple[tuple[str, Any], ...]  # attributes, sorted by name


class Moment(NamedTuple):
    """A step of the whole sequence: `offset`, or T + `offset` if counted from the end."""

    offset: int
    from_end: bool = False

    def step(self, steps: int) -> int:
        """The step when T is `steps`."""
        return self.offset + steps * self.from_end


@dataclass(frozen=True)
class Number:
    """A number that fills a value of any shape."""

    value: int | float | Fraction
    shape: Shape = ()

    @property
    def ndim(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class Symbol:
    """A value with a name, `bar` for its cotangent; `time` is a step, or an offset to t. `indices` name an entry."""

    name: str
    shape: Shape = ()
    time: int | None = None
    bar: bool = False
    indices: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.name, self.time is not None

    @property
    def ndim(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class Apply:
    """An operation of the table, applied. It can be printed by the row as a node can."""

    op: Op
    args: tuple[Expression, ...]
    shape: Shape
    options: Options = ()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def attrs(self) -> Mapping[str, Any]:
        return MappingProxyType(dict(self.options))


@dataclass(frozen=True)
class Total:
    """The sum of `body` over an index of entries, or over t from `first` to `last`, where its times are relative."""

    body: Expression
    index: str
    first: Moment | None = None
    last: Moment | None = None

    @property
    def shape(self) -> Shape:
        return self.body.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class Entry:
    """One entry of a value that has no formula entry by entry."""

    body: Expression
    indices: tuple[str, ...]
    shape: Shape = ()

    @property
    def ndim(self) -> int:
        return 0


@dataclass(frozen=True)
class Slope:
    """The derivative of an elementwise operation at a value, entry by entry: phi'(z)."""

    op: Op
    body: Expression
    shape: Shape

    @property
    def ndim(self) -> int:
        return len(self.shape)


Expression = Number | Symbol | Apply | Total | Entry | Slope


def parts(expression: Expression) -> tuple[Expression, ...]:
    """The operands."""
    match expression:
        case Apply(args=args):
            return args
        case Total(body=body) | Entry(body=body) | Slope(body=body):
            return (body,)
    return ()


def with_parts(expression: Expression, found: tuple[Expression, ...]) -> Expression:
    """The same with other operands."""
    match expression:
        case Apply():
            return replace(expression, args=found)
        case Total() | Entry() | Slope():
            return replace(expression, body=found[0])
    return expression


def symbols(expression: Expression) -> list[Symbol]:
    """All symbols from left to right."""
    if isinstance(expression, Symbol):
        return [expression]
    return [symbol for part in parts(expression) for symbol in symbols(part)]


def renewed(expression: Expression, rule: Callable[[Symbol], Expression]) -> Expression:
    """Each symbol replaced by a rule."""
    if isinstance(expression, Symbol):
        return rule(expression)
    return with_parts(expression, tuple(renewed(part, rule) for part in parts(expression)))


def moved(expression: Expression, by: int) -> Expression:
    """The same formula `by` steps later."""
    return renewed(expression, lambda s: s if s.time is None else replace(s, time=s.time + by))


def is_cotangent(expression: Expression) -> bool:
    """Whether a cotangent stands in it, in which every term of a gradient is linear."""
    return any(symbol.bar for symbol in symbols(expression))


# Constructors
def apply(name: str, args: tuple[Expression, ...], shape: Shape, options: Options = ()) -> Expression:
    """An operation in normal form."""
    rule = _FORMS.get(name)
    return rule(args, shape) if rule else Apply(OPS[name], args, shape, options)


def _is(expression: Expression, name: str) -> bool:
    return isinstance(expression, Apply) and expression.op.name == name


def _neg(args: tuple[Expression, ...], shape: Shape) -> Expression:
    (x,) = args
    if isinstance(x, Number):
        return Number(-x.value, shape)
    return parts(x)[0] if _is(x, "neg") else Apply(OPS["neg"], (x,), shape)


def _add(args: tuple[Expression, ...], shape: Shape) -> Expression:
    flat = [part for arg in args for part in (parts(arg) if _is(arg, "add") else (arg,))]
    kept = [arg for arg in flat if not (isinstance(arg, Number) and arg.value == 0)]
    if len(kept) < 2:
        return kept[0] if kept else Number(0, shape)
    return Apply(OPS["add"], tuple(kept), shape)


def _sub(args: tuple[Expression, ...], shape: Shape) -> Expression:
    a, b = args
    if isinstance(b, Number) and b.value == 0:
        return a
    if isinstance(a, Number) and a.value == 0:
        return _neg((b,), shape)
    return Apply(OPS["sub"], (a, b), shape)


def _div(args: tuple[Expression, ...], shape: Shape) -> Expression:
    a, b = args
    exact = isinstance(b, Number) and not isinstance(b.value, float) and b.value != 0
    if exact and isinstance(b, Number):
        return _mul((Number(_whole(1 / Fraction(b.value))), a), shape)
    return Apply(OPS["div"], (a, b), shape)


def _whole(ratio: Fraction) -> int | Fraction:
    return int(ratio) if ratio.denominator == 1 else ratio


def factors(expression: Expression) -> list[Expression]:
    """The factors of an elementwise product."""
    if not _is(expression, "mul"):
        return [expression]
    return [factor for part in parts(expression) for factor in factors(part)]


def _mul(args: tuple[Expression, ...], shape: Shape) -> Expression:
    number: Any = 1
    kept: list[Expression] = []
    rest = list(reversed(args))
    while rest:
        factor = rest.pop()
        if _is(factor, "neg") or _is(factor, "mul") or _fills(factor, args, shape):
            number = -number if _is(factor, "neg") else number
            rest.extend(reversed(parts(factor)))
        elif isinstance(factor, Number):
            number = number * factor.value
        elif kept and kept[-1] == factor:
            kept[-1] = Apply(OPS["power"], (factor,), factor.shape, (("exponent", 2),))
        else:
            kept.append(factor)
    if number == 0 or not kept:
        return Number(number, shape)
    if abs(number) != 1:
        kept.insert(0, Number(abs(number)))
    product = kept[0]
    for factor in kept[1:]:
        product = Apply(OPS["mul"], (product, factor), broadcast(product.shape, factor.shape))
    return _neg((product,), shape) if number < 0 else product


def _fills(factor: Expression, args: tuple[Expression, ...], shape: Shape) -> bool:
    """Whether a factor is a scalar repeated, and another one has the shape of the product anyway."""
    return _is(factor, "broadcast_to") and size(parts(factor)[0].shape) == 1 and any(
        not _is(f, "broadcast_to") and f.shape == shape for arg in args for f in factors(arg)
    )  # fmt: skip


def _matmul(args: tuple[Expression, ...], shape: Shape) -> Expression:
    a, b = args
    if a.ndim == 1 and b.ndim == 2:
        a, b = _transpose((b,), b.shape[::-1]), a
    if _is(b, "neg"):
        return _neg((_matmul((a, parts(b)[0]), shape),), shape)
    if a.ndim == 1:
        return Apply(OPS["dot"], (a, b), shape)
    return Apply(OPS["matmul"], (a, b), shape)


def _outer(args: tuple[Expression, ...], shape: Shape) -> Expression:
    a, b = args
    if _is(a, "neg"):
        return _neg((_outer((parts(a)[0], b), shape),), shape)
    if _is(b, "neg"):
        return _neg((_outer((a, parts(b)[0]), shape),), shape)
    return Apply(OPS["outer"], (a, b), shape)


def _transpose(args: tuple[Expression, ...], shape: Shape) -> Expression:
    (x,) = args
    if _is(x, "transpose"):
        return parts(x)[0]
    if _is(x, "outer"):
        return Apply(OPS["outer"], parts(x)[::-1], shape)
    return Apply(OPS["transpose"], (x,), shape, (("axes", (-1, -2)),))


def _same(args: tuple[Expression, ...], shape: Shape) -> Expression:
    return args[0]


def _one_entry(name: str) -> Callable[[tuple[Expression, ...], Shape], Expression]:
    """A row that only changes the shape: it does not show where there is one entry, or nothing changes."""

    def rule(args: tuple[Expression, ...], shape: Shape) -> Expression:
        (x,) = args
        if x.shape == shape or size(shape) == 1 or (isinstance(x, Number) and x.value == 0):
            return x
        return Apply(OPS[name], (x,), shape, (("shape", shape),))

    return rule


_FORMS: dict[str, Callable[[tuple[Expression, ...], Shape], Expression]] = {
    "neg": _neg,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "matmul": _matmul,
    "outer": _outer,
    "identity": _same,
    "spread": _same,
    "real": _same,
    "reshape": _one_entry("reshape"),
    "broadcast_to": _one_entry("broadcast_to"),
}
