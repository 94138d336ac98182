r"""LaTeX of graphs and cells, driven by the forms of the table.

A label `W_i` at time step 3 becomes W_{i,3}; a cotangent `dh` becomes \bar{h}. For a cell, step 1
is written t and step 0 is written t-1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from ..cells import Cell
from ..errors import UsageError
from ..graph.formula import Style, equations
from ..graph.node import COTANGENT, Node
from ..graph.tape import Graph, cone
from ..nest import leaves
from ..unrolling import Unrolled
from .notation import Notation, labels_of, state_label, word
from .steps import cell_labels, relative_time, step_equations


class Latex(str):
    """LaTeX text that a notebook shows as a formula."""

    __slots__ = ()

    def _repr_latex_(self) -> str:
        return f"$$\n{self}\n$$"


def latex(what: Any, *, notation: Mapping[str, str] | None = None) -> Latex:
    r"""The equations of a cell, a net, a graph, or of what nodes depend on, as an `aligned` environment.

    `notation` replaces symbols, label by label: `latex(elman, notation={"U": "W_{hh}"})`.
    Raises `UsageError` for anything else, `UnknownNameError` for a notation of what is not there.
    """
    if isinstance(what, Cell):
        found = step_equations(what, style(Notation(notation, cell_labels(what)), relative_time))
    else:
        nodes = list(_nodes(what))
        found = equations(nodes, style(Notation(notation, labels_of(nodes)), str))
    return aligned(f"{e.name} &= {e.right}" for e in found if e.right)


def aligned(lines: Iterable[str]) -> Latex:
    """Lines with `&=` as an `aligned` environment."""
    return Latex("\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}")


def style(notation: Notation, time: Callable[[int], str]) -> Style:
    """The LaTeX style: `time` writes a time step."""
    return Style(
        name=lambda node, scope, identifier: symbol(node, notation, time, scope, identifier),
        form=lambda op: op.latex,
        call=_call,
        number=_number,
        group=r"\left({}\right)",
        longest=200,
    )


def symbol(
    node: Node, notation: Notation, time: Callable[[int], str], scope: bool = False, identifier: bool = False
) -> str:
    """The symbol of a node: its label with subscripts, a bar for a cotangent, scope and id where asked for."""
    where = node.where
    if not where.label:
        return f"v_{{{node.id}}}"
    barred = where.backward and where.label.startswith(COTANGENT)
    label = where.label[len(COTANGENT) :] if barred else state_label(node)
    within, _, name = label.rpartition("/") if "name" in node.attrs else (where.scope if scope else "", "", label)
    found = notation.symbol(name, notation.find(label, where.latex))
    if barred:
        found = found._replace(base=rf"\bar{{{found.base}}}")
    timed = where.step is not None and (node.op.name != "parameter" or label != where.label)
    step = time(where.step) if timed and where.step is not None else ""
    raised = [word(within)] * bool(within) + [str(node.id)] * identifier
    return found.write([step], [f"({','.join(raised)})"] if raised else [])


def _number(number: int | float | Fraction) -> str:
    if isinstance(number, Fraction):
        return rf"\tfrac{{{number.numerator}}}{{{number.denominator}}}"
    return str(number)


def _call(node: Node, operands: list[str]) -> str:
    name = node.op.name.replace("_", r"\_")
    return rf"\operatorname{{{name}}}({', '.join(operands)})"


def _nodes(what: Any) -> Iterable[Node]:
    if isinstance(what, Graph):
        return what.nodes
    if isinstance(what, Unrolled):
        return cone([what.series[state].last for state in what.cell.states])
    roots = leaves(what)
    if not roots or not all(isinstance(root, Node) for root in roots):
        raise UsageError(f"LaTeX is written of cells, nets, graphs and nodes, not of {what!r:.60}")
    return cone(roots)
