"""A statement, how it is checked, and how its check fails when one argument is changed.

A check is a function of keyword arguments that returns `Evidence`. It knows no cell by itself: an argument
`Named("lstm")` or `EVERY` stands for cells that the caller has, and gives when the statements are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..cells import Cell

Kind = Literal["exact", "rigorous", "numeric", "statistical"]


class Named(NamedTuple):
    """The cell of this name."""

    name: str


EVERY = Named("*")  # all cells that the caller has, by name


@dataclass(frozen=True)
class Evidence:
    """What a check found: in one line each, what was computed, and where it does not hold (empty where it does)."""

    numbers: str
    reason: str = ""

    @property
    def holds(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Failing:
    """One changed argument under which the check must fail, and a part of the reason that it must then give."""

    changed: tuple[str, Any]
    because: str


@dataclass(frozen=True)
class Theorem:
    """One statement.

    key, number   what it is asked for by, and its number in the list of statements
    kind          "exact" (symbols, fractions, a finite field), "rigorous" (certified bounds), "numeric" (floats and
                  a tolerance) or "statistical" (samples and a band)
    check         the function, and `given`, its arguments
    failing       each changes one argument
    """

    key: str
    number: str
    title: str
    statement: str
    latex: str
    kind: Kind
    check: Callable[..., Evidence]
    failing: tuple[Failing, ...]
    given: Mapping[str, Any]

    @property
    def named(self) -> list[str]:
        """The cells that it is about by name, in its failing versions too."""
        values = [*self.given.values(), *(failing.changed[1] for failing in self.failing)]
        return [value.name for value in values if isinstance(value, Named) and value != EVERY]

    def run(self, cells: Mapping[str, Cell], changed: Mapping[str, Any] | None = None) -> Evidence:
        """The check, with its arguments or with some of them changed. The cells must hold those that are `named`."""
        arguments = {**self.given, **(changed or {})}
        return self.check(**{name: _resolved(value, cells) for name, value in arguments.items()})


def _resolved(value: Any, cells: Mapping[str, Cell]) -> Any:
    if not isinstance(value, Named):
        return value
    return cells if value == EVERY else cells[value.name]
