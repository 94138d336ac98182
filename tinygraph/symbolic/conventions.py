r"""One recursion in the conventions of lectures: columns or rows, one example or a batch, numbers, entries.

columns   a vector is a column, U (H, H) acts from the left: z = U h
rows      a vector is a row, and each weight is the transpose of ours: z = h U. A batch is a matrix with a
          row an example, so state and output products read H V, and weight gradients H^T R
batch     the sum over examples is a product too: Z H^T with columns, H^T Z with rows
scalar    every variable is one number: no transposes, and products commute
entries   each entry with its indices and sums: z_i = sum over k of U_ik h_k
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain

from ..errors import UsageError
from ..graph.table import OPS
from ..shapes import Shape
from .expressions import Apply, Entry, Expression, Number, Slope, Symbol, Total, apply, parts, symbols, with_parts
from .recurrences import Line, Recurrence

INDICES = "ijklmnpqrs"


def in_columns(found: Recurrence, *, batch: bool) -> Recurrence:
    """With columns; for a batch, sums over examples as products."""
    return _each_line(found, lambda line: _line(found, line, lambda e: e, batch)) if batch else found


def in_rows(found: Recurrence, *, batch: bool) -> Recurrence:
    """With rows. Raises `UsageError` for what is neither vector nor matrix."""
    return _each_line(found, lambda line: _line(found, line, lambda e: _rows(_products(e)), batch))


def of_numbers(found: Recurrence) -> Recurrence:
    """Every variable a number."""
    return _each_line(found, lambda line: replace(line, left=replace(line.left, shape=()), right=_number(line.right)))


def by_entries(found: Recurrence) -> Recurrence:
    """Every equation entry by entry."""
    taken = {s.name.rpartition("/")[2] for line in (*found.lines, *found.definitions) for s in _all_symbols(line)}
    free = [letter for letter in INDICES if letter not in taken]

    def entry(line: Line) -> Line:
        mine = tuple(free[: line.left.ndim])
        fresh = chain(free[line.left.ndim :], (f"k_{n}" for n in range(1, 100)))
        return replace(line, left=replace(line.left, shape=(), indices=mine), right=_entry(line.right, mine, fresh))

    return _each_line(found, entry)


def _each_line(found: Recurrence, change: Callable[[Line], Line]) -> Recurrence:
    return replace(found, lines=tuple(map(change, found.lines)), definitions=tuple(map(change, found.definitions)))


def _all_symbols(line: Line) -> list[Symbol]:
    return [line.left, *symbols(line.right)]


# Columns and rows
def _line(found: Recurrence, line: Line, turned: Callable[[Expression], Expression], batch: bool) -> Line:
    right = line.right
    if batch:
        for part in _all_parts(right):
            if isinstance(part, Apply) and (part.op.name in ("dot", "bilinear") or part.ndim > 2):
                raise _refused(f"{part.op.name} of a batch is no product of matrices")
        if line.left.bar and line.left.key in found.shared:
            right = _over_batch(right, found)
    left = turned(line.left)
    assert isinstance(left, Symbol)
    return replace(line, left=left, right=turned(right))


def _all_parts(expression: Expression) -> Iterator[Expression]:
    yield expression
    for part in parts(expression):
        yield from _all_parts(part)


def _refused(why: str) -> UsageError:
    return UsageError(why, fix='form="example" writes one example, form="entries" each entry')


def _over_batch(expression: Expression, found: Recurrence) -> Expression:
    """The sum over examples of what is linear in a cotangent; that of an outer product is a product of matrices."""
    match expression:
        case Total():
            return replace(expression, body=_over_batch(expression.body, found))
        case Apply(op=op) if op.name in ("add", "neg"):
            return with_parts(expression, tuple(_over_batch(part, found) for part in expression.args))
        case Apply(op=op) if op.name == "outer":
            return _product(expression.args, expression.shape)
        case Number(value=0):
            return expression
        case Number():
            raise _refused("a number is summed over a batch")
    if all(symbol.key in found.shared for symbol in symbols(expression)):
        raise _refused("a term that is the same for every example is summed over a batch")
    if expression.ndim > 1:
        raise _refused("a matrix of each example is summed over a batch")
    return Apply(OPS["sum_batch"], (expression,), expression.shape)


def _products(expression: Expression) -> Expression:
    """Outer products a b^T as products of matrices."""
    found = tuple(_products(part) for part in parts(expression))
    if isinstance(expression, Apply) and expression.op.name == "outer":
        return _product(found, expression.shape)
    return with_parts(expression, found)


def _product(args: tuple[Expression, ...], shape: Shape) -> Expression:
    """a b^T."""
    a, b = args
    return Apply(OPS["matmul"], (a, apply("transpose", (b,), b.shape)), shape)


def _rows(expression: Expression) -> Expression:
    """The transposed formula, for weights that are transposed too."""
    if isinstance(expression, Symbol):
        if expression.ndim > 2:
            raise UsageError(f"{expression.name} of rank {expression.ndim} has no rows", fix='convention="columns"')
        return replace(expression, shape=expression.shape[::-1])
    turned = tuple(_rows(part) for part in parts(expression))
    if not isinstance(expression, Apply):
        return with_parts(expression, turned)
    shape = expression.shape[::-1]
    return replace(expression, args=turned[::-1] if expression.op.name == "matmul" else turned, shape=shape)


# Numbers
def _number(expression: Expression) -> Expression:
    """The formula for values of one entry each."""
    found = tuple(_number(part) for part in parts(expression))
    match expression:
        case Number() | Symbol():
            return replace(expression, shape=())
        case Apply(op=op) if op.name in ("matmul", "outer", "dot"):
            return apply("mul", found, ())
        case Apply(op=op) if op.name in ("transpose", "sum", "mean", "sum_to", "broadcast_to", "reshape"):
            return found[0]
        case Apply():
            return apply(expression.op.name, found, (), expression.options)
        case Slope():
            return Slope(expression.op, found[0], ())
    return with_parts(expression, found)


# Entries
def _entry(expression: Expression, at: tuple[str, ...], fresh: Iterator[str]) -> Expression:
    """The entry at these indices; sums run over fresh ones."""
    match expression:
        case Number():
            return replace(expression, shape=())
        case Symbol():
            return replace(expression, shape=(), indices=at)
        case Total():
            return replace(expression, body=_entry(expression.body, at, fresh))
        case Slope(op=op, body=body):
            return Slope(op, _entry(body, at, fresh), ())
        case Apply(op=op, args=args) if op.elementwise:
            found = tuple(_entry(arg, _aligned(arg, at), fresh) for arg in args)
            return apply(op.name, found, (), expression.options)
        case Apply(op=op, args=args):
            rule = _ENTRIES.get(op.name)
            return rule(args, at, fresh) if rule else Entry(expression, at)
    return expression


def _aligned(arg: Expression, at: tuple[str, ...]) -> tuple[str, ...]:
    """The indices of an operand that is broadcast."""
    return at[len(at) - arg.ndim :] if arg.ndim else ()


def _matrix_product(args: tuple[Expression, ...], at: tuple[str, ...], fresh: Iterator[str]) -> Expression:
    a, b = args
    k = next(fresh)
    rows, columns = (at[: a.ndim - 1], at[a.ndim - 1 :])
    product = apply("mul", (_entry(a, (*rows, k), fresh), _entry(b, (k, *columns), fresh)), ())
    return Total(product, k)


def _outer_product(args: tuple[Expression, ...], at: tuple[str, ...], fresh: Iterator[str]) -> Expression:
    return apply("mul", (_entry(args[0], at[:1], fresh), _entry(args[1], at[1:], fresh)), ())


def _sum_of_entries(args: tuple[Expression, ...], at: tuple[str, ...], fresh: Iterator[str]) -> Expression:
    if args[0].ndim != 1 or at:
        return Entry(Apply(OPS["sum"], args, ()), at)
    k = next(fresh)
    return Total(_entry(args[0], (k,), fresh), k)


_ENTRIES: dict[str, Callable[[tuple[Expression, ...], tuple[str, ...], Iterator[str]], Expression]] = {
    "matmul": _matrix_product,
    "dot": _matrix_product,
    "outer": _outer_product,
    "transpose": lambda args, at, fresh: _entry(args[0], at[::-1], fresh) if len(at) == 2 else Entry(args[0], at),
    "broadcast_to": lambda args, at, fresh: _entry(args[0], _aligned(args[0], at), fresh),
    "sum": _sum_of_entries,
}
