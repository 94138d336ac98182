"""A cell's equations for one step, in any style: step 1 is written t, step 0 is written t-1."""

from __future__ import annotations

from dataclasses import replace

from ..cells import Cell
from ..graph.formula import Equation, Style, equations
from ..graph.node import Node
from ..graph.tape import cone
from ..graph.text import TEXT, write_name
from ..unrolling import unroll
from .notation import labels_of


def step_equations(cell: Cell, style: Style) -> list[Equation]:
    """The equations of one step in order, without leaves."""
    return [equation for equation in equations(_step(cell), style) if equation.right]


def cell_labels(cell: Cell) -> set[str]:
    """All labels of a step, which a notation may rename."""
    return labels_of(_step(cell))


def _step(cell: Cell) -> list[Node]:
    """The nodes of one step. Sizes do not show in formulas, so any will do."""
    net = unroll(cell, 1, sizes=dict.fromkeys(cell.sizes, 2))
    return cone([net.series[state].last for state in cell.states])


def relative_time(step: int, now: str = "t") -> str:
    """`t` for step 1, `t-1` for step 0; `now` is what step 1 is called."""
    return now if step == 1 else f"{now}{step - 1:+d}"


def cell_text(cell: Cell) -> str:
    """The equations of a cell as plain text: `h[t] = tanh(W @ x[t] + U @ h[t-1] + b)`."""
    found = step_equations(cell, replace(TEXT, name=_name))
    width = max(len(equation.name) for equation in found)
    return "\n".join(f"{equation.name:<{width}} = {equation.right}" for equation in found)


def _name(node: Node, scope: bool, identifier: bool) -> str:
    where = node.where
    if node.op.name == "parameter" or where.step is None or not where.label:
        return write_name(node, scope, identifier)
    prefix, suffix = f"{where.scope}/" * (scope and bool(where.scope)), f"%{node.id}" * identifier
    return f"{prefix}{where.label}[{relative_time(where.step)}]{suffix}"
