"""The project's own errors: each says what is wrong, where, with which shapes, and how to mend it.

Every error that a user can cause is a `TinygraphError`. Where Python has a matching built-in
(`TypeError` for a wrong kind, `ValueError` for a wrong shape, `KeyError` for an unknown name),
the error is one of those too, so that ordinary `except` clauses keep working.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class TinygraphError(Exception):
    """Base of all errors of this package.

    `what` is one line; `where` lists the nodes or values concerned, one line each;
    `fix` says what to do instead.
    """

    def __init__(self, what: str, where: Iterable[str] = (), fix: str = "") -> None:
        self.what = what
        self.where = tuple(where)
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what, *(f"  {line}" for line in self.where)]
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    def within(self, context: str, where: Iterable[str] = ()) -> TinygraphError:
        """The same error, told from further out: `context` goes in front, `where` is added."""
        return type(self)(f"{context}: {self.what}", (*self.where, *where), self.fix)


class ShapeError(TinygraphError, ValueError):
    """Shapes, axes or sizes that do not fit."""


class KindError(TinygraphError, TypeError):
    """A real, integer or boolean node where another kind is needed."""


class UsageError(TinygraphError, TypeError):
    """A call that the interface does not have: `if node:`, a missing operand, an unknown option."""


class GraphError(TinygraphError, ValueError):
    """A tape that is not well formed, or nodes of two tapes in one expression."""


class NameTakenError(TinygraphError, ValueError):
    """A name that an input or a parameter of the tape has already."""


class UnknownNameError(TinygraphError, KeyError):
    """A name that nothing has; the message offers the nearest one."""

    __str__ = TinygraphError.__str__  # KeyError would show the repr of the message


class FeedError(TinygraphError, ValueError):
    """A value that is missing, or that does not fit the input or parameter it is fed to."""


class ValueRangeError(TinygraphError, ValueError):
    """A value outside what the operation allows, such as an index past the end of a table."""


class NonFiniteError(TinygraphError, ArithmeticError):
    """A NaN or an infinity, found by the tracer."""


class DifferentiationError(TinygraphError, ValueError):
    """A derivative that does not exist, or that is asked for in a way that has no meaning."""


class CellError(TinygraphError, ValueError):
    """A cell whose signature or equations cannot be read."""


class FileFormatError(TinygraphError, ValueError):
    """A file that is damaged, foreign, or of a newer version."""


class DrawingError(TinygraphError, ValueError):
    """A picture that cannot be drawn as asked."""


def expect(value: object, kind: type | tuple[type, ...], what: str, fix: str = "") -> None:
    """Raise `UsageError` unless `value` is of the kind; `what` names what it is given for."""
    if not isinstance(value, kind):
        shown = f"{value!r:.60}" if not isinstance(value, type) else value.__name__
        raise UsageError(f"{what}, not {shown}", fix=fix)


def nearest(name: object, names: Iterable[str]) -> str:
    """A hint such as `did you mean 'lstm'?`, or the list of names when nothing is near."""
    known = sorted(names)
    close = get_close_matches(str(name), known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if not known:
        return "there are none"
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"choose from: {shown}"
