"""All statements checked: each must hold, and each of its failing versions must fail for the stated reason.

A failing version is the same function with one argument changed. That it fails is not enough: the reason it
gives must be the stated one, and an exception is no reason.
"""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cells import Cell
from ..errors import TinygraphError, UnknownNameError, expect, nearest
from ..tables import html_table, text_table
from . import (
    certainty,
    cuts,
    exponents,
    induction,
    meanings,
    memory_cells,
    path_sums,
    small_sizes,
    step_formulas,
    vanishing,
    wide_nets,
)
from .statement import Evidence, Failing, Named, Theorem

FAMILIES = (
    induction, step_formulas, memory_cells, path_sums, cuts, meanings, vanishing, exponents, certainty, wide_nets,
    small_sizes,
)  # fmt: skip
THEOREMS: dict[str, Theorem] = {theorem.key: theorem for family in FAMILIES for theorem in family.THEOREMS}

SHOWN = 100  # characters of evidence in the table of a terminal
WIDTH = 110  # characters of a line of a statement in words


@dataclass(frozen=True)
class Failed:
    """What a failing version did: `ok` if it failed for the stated reason; `outcome` is the reason it gave."""

    changed: str
    stated: str
    outcome: str
    ok: bool


@dataclass(frozen=True)
class Checked:
    """One statement with its evidence, its failing versions and the seconds that all of them took."""

    theorem: Theorem
    evidence: Evidence
    failed: tuple[Failed, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """It holds, and has failing versions that fail as stated."""
        return self.evidence.holds and bool(self.failed) and all(one.ok for one in self.failed)

    @property
    def verdict(self) -> str:
        if not self.evidence.holds:
            return "FALSE"
        return "holds" if self.ok else "CANNOT FAIL"

    def to_dict(self) -> dict[str, Any]:
        """The row as plain data."""
        theorem = self.theorem
        told = {name: getattr(theorem, name) for name in ("key", "number", "title", "statement", "latex", "kind")}
        failed = [vars(one) for one in self.failed]
        found = {"evidence": self.evidence.numbers, "reason": self.evidence.reason, "failing": failed}
        return {**told, "verdict": self.verdict, "ok": self.ok, **found, "seconds": self.seconds}


@dataclass(frozen=True)
class TheoremReport:
    """What `check_theorems` found: `ok`, and a row for each statement."""

    rows: tuple[Checked, ...]

    @property
    def ok(self) -> bool:
        return bool(self.rows) and all(row.ok for row in self.rows)

    @property
    def seconds(self) -> float:
        return sum(row.seconds for row in self.rows)

    def to_json(self) -> str:
        """The report as JSON text."""
        fields = {"ok": self.ok, "seconds": self.seconds}
        return json.dumps({**fields, "statements": [row.to_dict() for row in self.rows]}, indent=2)

    def __str__(self) -> str:
        lines = text_table(_line(row) for row in self.rows)
        details = [
            line
            for row, head in zip(self.rows, lines, strict=True)
            for line in (head, *_statement(row.theorem), *_details(row))
        ]
        return "\n".join([self._head(), *details])

    def _repr_html_(self) -> str:
        rows = [
            [*_line(row), f"$${row.theorem.latex}$$", "; ".join(map(str.strip, _details(row)))] for row in self.rows
        ]
        head = ("no.", "statement", "kind", "verdict", "time", "formula", "evidence, and how it fails")
        return f"<div><p>{self._head()}</p>{html_table(rows, head)}</div>"

    def _head(self) -> str:
        failing = sum(len(row.failed) for row in self.rows)
        verdict = "all hold, and fail as stated where they must" if self.ok else "NOT all hold"
        return f"{len(self.rows)} statements, {failing} failing versions, {self.seconds:.1f} s: {verdict}"


def _line(row: Checked) -> tuple[str, ...]:
    theorem = row.theorem
    return theorem.number, theorem.title, theorem.kind, row.verdict, f"{row.seconds:.2f} s"


def _statement(theorem: Theorem) -> list[str]:
    """In words, wrapped, and in LaTeX."""
    words = textwrap.wrap(theorem.statement, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return [*words, f"    {theorem.latex}"]


def _details(row: Checked) -> list[str]:
    found = _short(row.evidence.reason or row.evidence.numbers)
    verdicts = ["fails" if one.ok else "MUST FAIL" for one in row.failed]
    failed = [f"{v} with {one.changed}: {_short(one.outcome)}" for v, one in zip(verdicts, row.failed, strict=True)]
    return [f"    {line}" for line in (found, *failed)]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def check_theorems(cells: Mapping[str, Cell], keys: str | Iterable[str] = ()) -> TheoremReport:
    """Check the statements, or those with these keys, for cells by name: `tg.check_theorems(models.CELLS)`.

    Statements about every cell run over all of them, so add your own to those of `models`; others are about cells
    by name, which must be among them.
    Raises `UnknownNameError` for a key or a cell that there is not, `UsageError` for what is no dict of cells.
    """
    expect(cells, Mapping, "cells are a dict by name", "models.CELLS")
    for name, cell in cells.items():
        expect(cell, Cell, f"{name!r} is to be a cell", "models.CELLS")
    chosen = [keys] if isinstance(keys, str) else list(keys) or list(THEOREMS)
    for key in chosen:
        if key not in THEOREMS:
            raise UnknownNameError(f"no statement {key!r}", fix=nearest(key, THEOREMS))
    for name in sorted({name for key in chosen for name in THEOREMS[key].named} - cells.keys()):
        raise UnknownNameError(f"the statements are also about the cell {name!r}", fix="models.CELLS | {'mine': mine}")
    return TheoremReport(tuple(_checked(THEOREMS[key], cells) for key in chosen))


def _checked(theorem: Theorem, cells: Mapping[str, Cell]) -> Checked:
    start = time.perf_counter()
    try:
        evidence = theorem.run(cells)
    except TinygraphError as error:  # of a cell that the check cannot take
        evidence = Evidence("", f"raises {type(error).__name__}: {error.what}")
    failed = tuple(_failed(theorem, failing, cells) for failing in theorem.failing)
    return Checked(theorem, evidence, failed, time.perf_counter() - start)


def _failed(theorem: Theorem, failing: Failing, cells: Mapping[str, Cell]) -> Failed:
    name, value = failing.changed
    shown = f"{name} = {_value(value)}"
    try:
        found = theorem.run(cells, {name: value})
    except TinygraphError as error:
        return Failed(shown, failing.because, f"raises {type(error).__name__}: {error.what}", False)
    if found.holds:
        return Failed(shown, failing.because, f"holds: {found.numbers}", False)
    return Failed(shown, failing.because, found.reason, failing.because in found.reason)


def _value(value: Any) -> str:
    if isinstance(value, (Cell, Named)):
        return value.name
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)
