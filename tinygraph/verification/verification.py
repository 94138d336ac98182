r"""The verification of a cell: matrix words, finite field, SymPy, the graph's own gradient and plain numbers agree.

    words = SymPy           entry by entry, one step, n = 2 and 3
    words = finite field    J_T ... J_1 v against forward derivatives of the unrolled graph, to T = 50
    finite field = adjoint  u^T J v = <adjoint of u, v> over all leaves, parameters included
    adjoint = differences   central, and the complex step, in float64

Each line is computed on two sides from rules written apart, so that a mistake on either side shows.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from ..cells import Cell
from ..errors import DifferentiationError, UsageError, expect
from ..graph.node import Node
from ..graph.tape import cone
from ..nest import leaves
from ..passes.rebuilding import rebuild
from ..symbolic.notation import Notation
from ..symbolic.steps import cell_labels
from ..symbolic.word_formulas import words_latex
from ..symbolic.words import step_words
from ..tables import html_table, text_table
from .comparisons import (
    Ends,
    Found,
    adjoint_and_central_differences,
    adjoint_and_complex_step,
    ends_of,
    field_and_adjoint,
    words_and_field,
    words_and_sympy,
)
from .diagnosis import wrong_adjoint, wrong_words

WORDS_SYMPY = "words = SymPy"
WORDS_FIELD = "words = finite field"
FIELD_ADJOINT = "finite field = adjoint"
ADJOINT_CENTRAL = "adjoint = central differences"
ADJOINT_COMPLEX = "adjoint = complex step"
ADJOINTS: dict[str, Callable[[Ends, int], Found]] = {
    FIELD_ADJOINT: field_and_adjoint,
    ADJOINT_CENTRAL: adjoint_and_central_differences,
    ADJOINT_COMPLEX: adjoint_and_complex_step,
}
NEEDED = (FIELD_ADJOINT, ADJOINT_CENTRAL)  # for every cell; the others where they apply


@dataclass(frozen=True)
class Row:
    """One comparison: its size, whether the two sides agree, and how sure that is.

    `error` is the largest relative difference of a numeric comparison, the probability that wrong
    sides agree by chance of one in the finite field, and 0 of an exact one. `detail` says where the
    sides differ, or why the comparison does not apply to the cell.
    """

    what: str
    size: str
    applies: bool
    agrees: bool
    error: float
    seconds: float
    detail: str = ""

    @property
    def verdict(self) -> str:
        return ("agree" if self.agrees else "DIFFER") if self.applies else "not applicable"


@dataclass(frozen=True)
class Report:
    """What `verify` found: `ok`, the rows, and the Jacobian of a step as LaTeX where it has matrix words."""

    cell: str
    rows: tuple[Row, ...]
    latex: str
    words: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Every comparison that applies agrees, and those with the field and with numbers apply."""
        needed = {row.what for row in self.rows if row.applies}
        return needed.issuperset(NEEDED) and all(row.agrees for row in self.rows if row.applies)

    def to_json(self) -> str:
        """The report as JSON text."""
        fields = {"cell": self.cell, "ok": self.ok, "words": dict(self.words), "latex": self.latex}
        return json.dumps({**fields, "rows": [asdict(row) for row in self.rows]}, indent=2)

    def __str__(self) -> str:
        counts = ", ".join(f"{block} {count}" for block, count in self.words.items())
        head = f"{self.cell}: {'verified' if self.ok else 'NOT VERIFIED'}"
        return "\n".join([head, *(["words: " + counts] if counts else []), *text_table(map(_cells, self.rows))])

    def _repr_html_(self) -> str:
        latex = f"<div>$$\n{html.escape(self.latex)}\n$$</div>" if self.latex else ""
        head = html.escape(str(self).split("\n")[0])
        return f"<div><p>{head}</p>{html_table(map(_cells, self.rows))}{latex}</div>"


def _cells(row: Row) -> tuple[str, ...]:
    error = f"{row.error:.1e}" if row.applies else ""
    return row.what, row.size, row.verdict, error, f"{row.seconds:.2f} s", row.detail


def verify(
    cell: Cell, *, steps: int = 50, size: int = 8, seed: int = 0, notation: Mapping[str, str] | None = None
) -> Report:
    """Compare the derivative of a cell computed in independent ways; see the module for which.

    Where two sides differ, the row names an entry, and the likeliest mistake if one step shows it.

    `steps` and `size` are those of the finite field: T, and n of each named size of the cell. `notation`
    gives LaTeX for labels, {"U": "W_{hh}"}, in the report's formulas and text.
    `ok` needs the finite field and central differences for every cell. A comparison that does not
    apply is listed with its reason.

    Raises `UsageError` for what is no cell or 0 steps, `ShapeError` for sizes that are not whole,
    `UnknownNameError` for a notation of what the cell does not have.
    """
    expect(cell, Cell, "verify takes a cell", "such as models.lstm")
    names = Notation(notation, cell_labels(cell))
    rows = [
        *(_timed(WORDS_SYMPY, f"n = {n}, T = 1", partial(words_and_sympy, cell, n)) for n in (2, 3)),
        *(
            _timed(WORDS_FIELD, f"n = {size}, T = {t}", partial(words_and_field, cell, size, t, seed))
            for t in (1, steps)
        ),
        *_adjoints(f"n = {size}, T = {steps}", partial(ends_of, cell, size, steps), seed, (FIELD_ADJOINT,)),
        *_adjoints("n = 4, T = 3", partial(ends_of, cell, 4, 3), seed, (ADJOINT_CENTRAL, ADJOINT_COMPLEX)),
    ]
    if not all(row.agrees for row in rows if row.applies):
        rows = [_explained(row, cell, seed) for row in rows]
    try:
        step = step_words(cell)
    except DifferentiationError:
        return Report(cell.name, tuple(rows), "", {})
    counts = {f"{names.text(new)}/{names.text(old)}": count for (new, old), count in step.count().items()}
    return Report(cell.name, tuple(rows), words_latex(step, notation=notation), counts)


def verify_graph(outputs: Any, *, name: str = "graph", seed: int = 0) -> Report:
    """Compare the derivative of any graph computed in independent ways: those of `verify` that need no cell.

    outputs  one node or any nesting of nodes, real ones, such as what a net says; the tape stays as it is
    name     what the report is of

    All real leaves are drawn at random, integers are 0 or 1, and there is one example. Raises `UsageError`.
    """
    nodes = [node for node in dict.fromkeys(leaves(outputs)) if isinstance(node, Node)]
    if not nodes or any(node.kind != "real" for node in nodes):
        raise UsageError("a graph is verified by real nodes, one or more", fix="net.output, or the scores of a readout")

    def ends() -> dict[str, Node]:
        return {f"output {k}": node for k, node in enumerate(rebuild(nodes).roots)}

    size = f"{len(cone(nodes))} nodes"
    rows = _adjoints(size, ends, seed, (FIELD_ADJOINT, ADJOINT_CENTRAL, ADJOINT_COMPLEX))
    return Report(name, tuple(rows), "", {})


def _adjoints(size: str, ends: Callable[[], Ends], seed: int, which: Iterable[str]) -> list[Row]:
    """The comparisons with the adjoint, each on a tape of its own, which `ends` makes."""
    return [_timed(what, size, partial(_compared, ADJOINTS[what], ends, seed)) for what in which]


def _compared(compare: Callable[[Ends, int], Found], ends: Callable[[], Ends], seed: int) -> Found:
    return compare(ends(), seed)


def _explained(row: Row, cell: Cell, seed: int) -> Row:
    """A row whose sides differ, with the likeliest mistake."""
    if row.agrees or not row.applies:
        return row
    why = wrong_words(cell, seed) if row.what in (WORDS_SYMPY, WORDS_FIELD) else wrong_adjoint(cell, seed)
    return replace(row, detail="; ".join(filter(None, (row.detail, why))))


def _timed(what: str, size: str, compare: Callable[[], Found]) -> Row:
    start = time.perf_counter()
    try:
        found = compare()
    except DifferentiationError as error:
        return Row(what, size, False, False, 0.0, time.perf_counter() - start, error.what)
    return Row(what, size, True, not found.differs, found.error, time.perf_counter() - start, found.differs)
