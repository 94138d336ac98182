r"""LaTeX of graphs and cells, driven by the forms of the table.

A label `W_i` at time step 3 becomes W_{i,3}; a cotangent `dh` becomes \bar{h}. For a cell, step 1
is written t and step 0 is written t-1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from ..cells import Cell
from ..errors import UsageError, expect
from ..graph.formula import Style, equations
from ..graph.node import COTANGENT, Node
from ..graph.tape import Graph, cone
from ..nest import leaves
from ..unrolling import Unrolled
from .steps import relative_time, step_equations

GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
)  # fmt: skip
_ESCAPES = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\hat{}", "~": r"\sim{}",
}  # fmt: skip


class Latex(str):
    """LaTeX text that a notebook shows as a formula."""

    __slots__ = ()

    def _repr_latex_(self) -> str:
        return f"$$\n{self}\n$$"


def latex(what: Any, *, notation: Mapping[str, str] | None = None) -> Latex:
    r"""The equations of a cell, a net, a graph, or of what nodes depend on, as an `aligned` environment.

    `notation` replaces symbols, label by label: `latex(elman, notation={"U": "W_{hh}"})`.
    Raises `UsageError` for anything else.
    """
    if isinstance(what, Cell):
        found = step_equations(what, style(notation, relative_time))
    else:
        found = equations(_nodes(what), style(notation, str))
    lines = [f"{e.name} &= {e.right}" for e in found if e.right]
    return Latex("\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}")


def style(notation: Mapping[str, str] | None, time: Callable[[int], str]) -> Style:
    """The LaTeX style: `time` writes a time step."""
    names = notation or {}
    expect(names, Mapping, "notation is a dict from label to LaTeX")
    return Style(
        name=lambda node, scope, identifier: symbol(node, names, time, scope, identifier),
        form=lambda op: op.latex,
        call=_call,
        number=_number,
        group=r"\left({}\right)",
        longest=200,
    )


def symbol(
    node: Node,
    notation: Mapping[str, str],
    time: Callable[[int], str],
    scope: bool = False,
    identifier: bool = False,
) -> str:
    """The symbol of a node: its label with subscripts, a bar for a cotangent, scope and id where asked for."""
    where = node.where
    if not where.label:
        return f"v_{{{node.id}}}"
    barred = where.backward and where.label.startswith(COTANGENT)
    label = where.label[len(COTANGENT) :] if barred else where.label
    within, _, name = label.rpartition("/") if "name" in node.attrs else (where.scope if scope else "", "", label)
    base, subscript = _split(where.latex or notation.get(label, ""), name)
    if barred:
        base = rf"\bar{{{base}}}"
    step = time(where.step) if where.step is not None and node.op.name != "parameter" else ""
    raised = [_word(within)] * bool(within) + [str(node.id)] * identifier
    subscripts = [s for s in (subscript, step) if s]
    above = f"^{{({','.join(raised)})}}" if raised else ""
    below = f"_{{{','.join(subscripts)}}}" if subscripts else ""
    return f"{base}{above}{below}"


def _split(given: str, name: str) -> tuple[str, str]:
    """Base and subscript of a symbol; `given` is LaTeX and stands as it is."""
    if given:
        base, _, subscript = given.partition("_")
        return base, subscript.removeprefix("{").removesuffix("}")
    base, _, subscript = name.partition("_")
    if not base or not subscript:
        return _word(name), ""
    return _word(base), _word(subscript)


def _word(text: str) -> str:
    if text in GREEK:
        return f"\\{text}"
    if (len(text) == 1 and text.isalpha()) or text.isdigit():
        return text
    escaped = "".join(_ESCAPES.get(c, c) if c.isprintable() else f"<{ord(c):x}>" for c in text)
    return rf"\mathrm{{{escaped}}}"


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
