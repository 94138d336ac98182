"""Equations from nodes: one printer for plain text and LaTeX, driven by the forms of the table.

A node gets an equation of its own if it has a name worth showing: it is labelled, used more than
once, or a result. All others are written into the equation that uses them, unless that gets long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from .constants import Array
from .node import Node
from .op import ATOM, PREFIX, PRODUCT, Form, Op


@dataclass(frozen=True)
class Style:
    """How names, operations and parentheses are written.

    `name(node, scope, id)` writes a symbol; `scope` and `id` ask for more of it, where two nodes would
    otherwise have the same (unless `distinct` is false). A right side longer than `longest` is not
    written into another.
    """

    name: Callable[[Node, bool, bool], str]
    form: Callable[[Op], Form | None]
    call: Callable[[Node, list[str]], str]
    number: Callable[[int | float | Fraction], str]
    group: str = "({})"
    longest: int = 80
    distinct: bool = True


@dataclass(frozen=True)
class Equation:
    """`name = right`; `right` is empty for a leaf."""

    node: Node
    name: str
    right: str


def equations(nodes: Iterable[Node], style: Style) -> list[Equation]:
    """The equations of `nodes` (ascending, closed under operands or not), in their order. Iterative."""
    nodes = list(nodes)
    uses: dict[int, int] = {}
    for node in nodes:
        for arg in node.args:
            uses[arg.id] = uses.get(arg.id, 0) + 1
    names = distinct_names(nodes, style)
    written: dict[int, tuple[str, int]] = {}
    found = []
    for node in nodes:
        plain = plain_number(node)
        if plain is not None:
            written[node.id] = style.number(plain), _number_level(plain)
            continue
        right, level = _right_side(node, written, style)
        inlined = not node.op.leaf and not node.label and uses.get(node.id) == 1 and len(right) <= style.longest
        if inlined:
            written[node.id] = right, level
        else:
            written[node.id] = names[node.id], ATOM
            found.append(Equation(node, names[node.id], right))
    return found


def distinct_names(nodes: Iterable[Node], style: Style) -> dict[int, str]:
    """A name for each node: the short one where no other node has it, else with its scope, else with its id."""
    names: dict[int, str] = {}
    rest = list(nodes)
    if not style.distinct:
        return {node.id: style.name(node, False, False) for node in rest}
    for scope, identifier in ((False, False), (True, False), (True, True)):
        groups: dict[str, list[Node]] = {}
        for node in rest:
            groups.setdefault(style.name(node, scope, identifier), []).append(node)
        names |= {group[0].id: name for name, group in groups.items() if len(group) == 1}
        rest = [node for group in groups.values() if len(group) > 1 for node in group]
    return names


def plain_number(node: Node) -> int | float | Fraction | None:
    """The value of an unnamed scalar constant, which is written as a number; else None."""
    value = node.attrs.get("value") if node.op.leaf else None
    if value is None or isinstance(value, Array) or node.shape or node.label != str(value):
        return None
    number: int | float | Fraction = value
    return number


def _right_side(node: Node, written: dict[int, tuple[str, int]], style: Style) -> tuple[str, int]:
    if node.op.leaf:
        return "", ATOM
    operands = [written.get(arg.id) or (style.name(arg, False, False), ATOM) for arg in node.args]
    form = style.form(node.op)
    if form is None:
        return style.call(node, [text for text, _ in operands]), ATOM
    if form.template == "{0}":  # shows nothing of its own, such as an identity
        return operands[0]
    grouped = [
        style.group.format(text) if level < form.needs(index) else text for index, (text, level) in enumerate(operands)
    ]
    return form.write(node, grouped), form.level


def _number_level(number: int | float | Fraction) -> int:
    if number < 0:
        return PREFIX
    return PRODUCT if isinstance(number, Fraction) else ATOM
