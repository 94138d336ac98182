"""The card of a cell or of a net made of cells: what is known of it on one page, as Markdown or as plain HTML."""

from __future__ import annotations

import html
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinygraph import models, viz
from tinygraph.viz.svg import size_of

from .cells import Cell
from .errors import DrawingError
from .files import write_atomically
from .flow.summary import GradientFlow, class_title, gradient_flow
from .flow.word_bounds import step_bound
from .rolling import roll
from .shapes import size
from .symbolic.formulas import latex
from .symbolic.words import NoWordsError
from .tables import html_table
from .unrolling import unroll
from .verification.verification import Report, verify, verify_graph

PICTURED_STEPS = 3
FLOW_STEPS = 50
LEGIBLE = 0.75  # of a picture's own size, to which it shrinks at most; beyond that it scrolls

Table = Sequence[Sequence[str]]  # the first row is the head


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it: words, formulas (LaTeX, one equation each), a table, plain text."""

    title: str
    words: str = ""
    formulas: tuple[str, ...] = ()
    table: Table = ()
    plain: str = ""


@dataclass(frozen=True)
class Card:
    """The page of one cell or net; `picture` is SVG text."""

    name: str
    summary: str
    reference: str
    picture: str
    sections: tuple[Section, ...]
    verified: bool

    def markdown(self, picture: str = "") -> str:
        """The page as Markdown with LaTeX; `picture` is the address of the picture, left out without one."""
        parts = [f"# {self.name}", self.summary, f"*{self.reference}*"]
        parts += [f"![{self.name} unrolled over {PICTURED_STEPS} steps]({picture})"] * bool(picture)
        for section in self.sections:
            parts.append(f"## {section.title}")
            parts += [section.words] * bool(section.words)
            parts += ["$$\n" + _aligned(section.formulas) + "\n$$"] * bool(section.formulas)
            if section.table:
                parts.append(_markdown_table(section.table))
            parts += [f"```text\n{section.plain}\n```"] * bool(section.plain)
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """The page as one HTML file: formulas in MathML, the picture inside."""
        parts = [f"<h1>{_text(self.name)}</h1><p>{_text(self.summary)}</p><p><em>{_text(self.reference)}</em></p>"]
        parts.append(f"<figure>{self.picture}</figure>")
        for section in self.sections:
            parts.append(f"<h2>{_text(section.title)}</h2>")
            parts += [f"<p>{_text(section.words)}</p>"] * bool(section.words)
            parts += [f"<div class='formula'>{_mathml(formula)}</div>" for formula in section.formulas]
            if section.table:
                parts.append(html_table(section.table[1:], section.table[0]))
            parts += [f"<pre>{_text(section.plain)}</pre>"] * bool(section.plain)
        return _PAGE.format(
            title=_text(self.name), body="\n".join(parts), least=round(LEGIBLE * size_of(self.picture)[0])
        )

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write `.html`, or `.md` with the picture beside it; the paths. Raises `DrawingError`, `OSError`."""
        target = Path(path)
        if target.suffix.lower() == ".html":
            write_atomically(target, self.html().encode("utf-8"))
            return [target]
        if target.suffix.lower() != ".md":
            raise DrawingError(f"cannot save a card as {str(path)!r:.200}", fix="a name that ends in .md or .html")
        picture = target.with_suffix(".svg")
        write_atomically(picture, self.picture.encode("utf-8"))
        write_atomically(target, self.markdown(picture.name).encode("utf-8"))
        return [target, picture]


def make_card(cell: Cell) -> Card:
    """Compose the card of a cell: equations, sizes, step Jacobian, bound, paths, picture, verification."""
    net = unroll(cell, PICTURED_STEPS, sizes=dict.fromkeys(cell.sizes, 4))
    report = verify(cell)
    sections = (
        Section("Equations", formulas=equation_lines(latex(cell))),
        _parameters(cell),
        *_jacobian(cell, report),
        _paths(gradient_flow(cell, FLOW_STEPS)),
        _verification(report),
    )
    return Card(cell.name, cell.summary, cell.reference, viz.draw(net).svg, sections, report.ok)


def make_system_card(system: models.System) -> Card:
    """Compose the card of a system that is made of cells: equations, parameters, picture, verification."""
    built = system.build(PICTURED_STEPS)
    report = verify_graph(built.outputs, name=system.name)
    if system.cell is None:
        first = (_net_equations(built), _net_parameters(built))
    else:
        first = (Section("Equations", formulas=equation_lines(latex(system.cell))), _parameters(system.cell))
    picture = viz.draw(list(built.outputs)).svg
    return Card(system.name, system.summary, system.reference, picture, (*first, _verification(report)), report.ok)


def _net_equations(built: models.Built) -> Section:
    """The step that all steps are, as the tape is rolled up."""
    words = "One equation for each step that repeats; t tells for which steps it holds."
    return Section("Equations", words, plain=str(roll([list(built.outputs), built.loss])))


def _net_parameters(built: models.Built) -> Section:
    parameters = built.graph.parameters
    rows = [("parameter", "shape"), *((name, str(node.shape)) for name, node in parameters.items())]
    count = sum(size(node.shape) for node in parameters.values())
    return Section("Parameters", f"{count} numbers in all, of the small net that is shown.", table=rows)


def equation_lines(aligned: str) -> tuple[str, ...]:
    """The equations of an `aligned` environment, one by one and not aligned."""
    body = re.sub(r"\\(begin|end)\{aligned\}", "", aligned).strip()
    return tuple(line.strip().replace("&", "") for line in body.split("\\\\\n") if line.strip())


def terms(formula: str) -> list[str]:
    """A formula cut before each + and - that stands in no bracket: a browser breaks no line inside MathML."""
    found: list[str] = []
    for part in re.split(r" (?=[+-] )", formula):
        inside = found and sum(found[-1].count(c) for c in "({") > sum(found[-1].count(c) for c in ")}")
        if inside:
            found[-1] += " " + part
        else:
            found.append(part)
    return found


def parameter_count(cell: Cell) -> str:
    """The number of parameters in the cell's own sizes, such as 4 H I + 4 H H + 4 H."""
    found: Counter[tuple[str, ...]] = Counter()
    for role in cell.parameters.values():
        terms: Counter[tuple[str, ...]] = Counter({(): 1})
        for dim in role.dims.dims:
            product: Counter[tuple[str, ...]] = Counter()
            for names, count in terms.items():
                for factor, name in dim.terms:
                    product[tuple(sorted((*names, *[name] * bool(name))))] += count * factor
            terms = product
        found.update(terms)
    ordered = sorted(found.items(), key=lambda item: (-len(item[0]), item[0]))
    return " + ".join(_monomial(count, names) for names, count in ordered) or "0"


def _monomial(count: int, names: tuple[str, ...]) -> str:
    powers = [name if n == 1 else f"{name}^{n}" for name, n in Counter(names).items()]
    return " ".join([*([] if count == 1 and powers else [str(count)]), *powers])


def _parameters(cell: Cell) -> Section:
    by_shape: dict[str, list[str]] = {}
    for name, role in cell.parameters.items():
        by_shape.setdefault(role.dims.text or "scalar", []).append(name)
    rows = [("shape", "parameters"), *((shape, ", ".join(names)) for shape, names in by_shape.items())]
    states = ", ".join(f"{name} ({role.dims.text})" for name, role in cell.states.items())
    return Section(
        "Parameters", f"{parameter_count(cell)} numbers in all; the states carried are {states}.", table=rows
    )


def _jacobian(cell: Cell, report: Report) -> tuple[Section, ...]:
    if not report.latex:
        reason = next((row.detail for row in report.rows if not row.applies), "")
        return (Section("Jacobian of a step", f"It has no matrix words: {reason}."),)
    counts = ", ".join(f"{block}: {count}" for block, count in report.words.items())
    found = [Section("Jacobian of a step", f"Words in each block: {counts}.", equation_lines(report.latex))]
    try:
        bound = step_bound(cell)
    except NoWordsError:
        return tuple(found)
    inside = " and ".join(bound.within)
    kept = f" The entries of {inside} stay between -1 and 1." if inside else ""
    words = f"Spectral norms, whatever the input.{kept} A bound above 1 allows explosion, it does not tell of it."
    return (*found, Section("Bound on the Jacobian", words, tuple(bound.latex(block) for block in bound.terms)))


def _paths(flow: GradientFlow) -> Section:
    rows: list[Sequence[str]] = []
    for state, parts in flow.ledger.items():
        for name, norms in parts.items():
            shown = [f"{norm:.2g} ({count})" for norm, count in zip(norms, flow.paths[state][name], strict=True)]
            rows.append([f"d {state} / d {state}", class_title(name), *shown])
    reach = max((len(row) for row in rows), default=2) - 2
    setting = flow.setting
    words = (
        "The Jacobian over d steps, split by the gates that its paths go through: the norm of each part, and the "
        f"number of paths. Random inputs, sizes of {max(setting.sizes.values())}, seed {setting.seed}."
    )
    return Section("Paths", words, table=[["block", "gates", *(f"d = {d}" for d in range(1, reach + 1))], *rows])


def _verification(report: Report) -> Section:
    rows = [("compared", "size", "verdict", "error", "note")]
    rows += [
        (row.what, row.size, row.verdict, f"{row.error:.1e}" if row.applies else "", row.detail) for row in report.rows
    ]
    verdict = "Verified" if report.ok else "NOT VERIFIED"
    words = (
        f"{verdict}: derivatives computed in independent ways. The error is exactly 0, the largest relative "
        "difference, or the probability that a wrong formula passes."
    )
    return Section("Verification", words, table=rows)


def _aligned(formulas: Sequence[str]) -> str:
    lines = [re.sub(r" (=|\\le) ", r" &\1 ", formula, count=1) for formula in formulas]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _mathml(formula: str) -> str:
    from latex2mathml.converter import convert  # takes 0.1 s

    first, *rest = terms(formula)
    return " ".join([convert(first), *(convert(f"{{}} {term}") for term in rest)])  # {}: a sign between two terms


def _markdown_table(table: Table) -> str:
    width = max(len(row) for row in table)
    full = [[*row, *[""] * (width - len(row))] for row in table]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in full]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _text(text: str) -> str:
    return html.escape(text)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
body {{ font: 16px/1.5 "DejaVu Sans", Helvetica, Arial, sans-serif; max-width: 62em; margin: 2em auto;
  padding: 0 1em; overflow-wrap: anywhere; }}
figure {{ margin: 1em calc(50% - 50vw + 1.5em); overflow-x: auto; text-align: center; }}
figure svg {{ min-width: {least}px; max-width: 100%; height: auto; }}
.formula {{ margin: .5em 0; line-height: 2.2; overflow-x: auto; }} math {{ font-size: 115%; }}
pre {{ overflow-x: auto; font-size: 85%; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
th, td {{ text-align: left; padding: .2em .9em .2em 0; border-bottom: 1px solid #d5dae1; }}
</style></head><body>
{body}
</body></html>
"""
