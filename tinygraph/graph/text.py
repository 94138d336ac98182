"""The text form of a graph: aligned equations with time steps and shapes.

step  node   equation                        shape
      W      parameter                       (4, 3)
   1  h_1  = tanh(W @ x_1 + U @ h_0 + b)     (4,) per example
"""

from __future__ import annotations

from collections.abc import Iterable

from .formula import Equation, Style, equations
from .node import Node


def write_call(node: Node, operands: list[str]) -> str:
    """`name(operands, attribute=value)`, the default form of a row."""
    attributes = [f"{key}={value}" for key, value in node.attrs.items()]
    return f"{node.op.name}({', '.join([*operands, *attributes])})"


def write_name(node: Node, scope: bool, identifier: bool) -> str:
    """`h_3`, with its scope `layer1/h_3`, with its id `layer1/h_3%17`."""
    prefix = f"{node.scope}/" if scope and node.scope and "name" not in node.attrs else ""  # names have theirs
    suffix = f"%{node.id}" if identifier and node.name != f"%{node.id}" else ""
    return f"{prefix}{node.name}{suffix}"


TEXT = Style(name=write_name, form=lambda op: op.text, call=write_call, number=str)


def write_text(nodes: Iterable[Node]) -> str:
    """The equations of `nodes` as an aligned table."""
    lines = [_columns(equation) for equation in equations(nodes, TEXT)]
    if not lines:
        return "(empty graph)"
    names = max(min(len(name), 12) for _, name, _, _ in lines)
    rights = max(min(len(right), 72) for _, _, right, _ in lines)
    head = f"step  {'node':<{names}}   {'equation':<{rights}}  shape"
    body = [f"{step:>4}  {name:<{names}} {right:<{rights + 2}}  {shape}" for step, name, right, shape in lines]
    return "\n".join([head, *body])


def _columns(equation: Equation) -> tuple[str, str, str, str]:
    node = equation.node
    right = f"= {equation.right}" if equation.right else f"  {node.op.name}"
    shape = f"{node.shape}{' per example' if node.batched else ''}{'' if node.kind == 'real' else f' {node.kind}'}"
    return ("" if node.step is None else str(node.step)), equation.name, right, shape
