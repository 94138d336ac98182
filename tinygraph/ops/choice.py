"""Comparisons, choices between values, and the bridge between kinds. Complex runs compare real parts."""

from __future__ import annotations

from ..graph.node import Node
from ..graph.op import ATOM, SUM, Domain, Form, Op, define
from .arithmetic import elementwise


def _comparison(name: str, doc: str, text: str, latex: str) -> Op:
    return define(
        name,
        doc,
        arity=2,
        shape=elementwise,
        run=lambda xp, y, a, b: getattr(xp, name)(a, b),
        takes="number",
        gives="boolean",
        elementwise=True,
        text=Form(f"({{0}} {text} {{1}})", SUM),
        latex=Form(f"[{{0}} {latex} {{1}}]", SUM),
    )


greater = _comparison("greater", "Whether a > b, elementwise: a boolean.", ">", ">")
greater_equal = _comparison("greater_equal", "Whether a >= b, elementwise: a boolean.", ">=", r"\ge")
less = _comparison("less", "Whether a < b, elementwise: a boolean.", "<", "<")
less_equal = _comparison("less_equal", "Whether a <= b, elementwise: a boolean.", "<=", r"\le")
equal = _comparison("equal", "Whether a equals b, elementwise: a boolean (== compares nodes by identity).", "==", "=")


def _chosen(g: Node, y: Node, condition: Node, a: Node, b: Node) -> Node:
    return where(condition, g, 0)


def _not_chosen(g: Node, y: Node, condition: Node, a: Node, b: Node) -> Node:
    return where(condition, 0, g)


where = define(
    "where",
    "a where the condition holds, else b, elementwise.",
    arity=3,
    shape=elementwise,
    run=lambda xp, y, condition, a, b: xp.where(condition, a, b),
    vjp=(None, _chosen, _not_chosen),
    words=(None, lambda y, condition, a, b: condition, lambda y, condition, a, b: 1 - condition),
    takes=("boolean", "any", "any"),
    gives="same",
    elementwise=True,
    latex=Form(r"\left({0} \mathbin{{?}} {1} : {2}\right)", ATOM),
)
real = define(
    "real",
    "An integer or boolean value as a real number: true is 1, false is 0.",
    shape=elementwise,
    run=lambda xp, y, x: xp.real(x),
    vjp=(lambda g, y, x: g,),
    words=(lambda y, x: 1,),
    takes="any",
    elementwise=True,
    latex=Form("{0}"),
)
stop_gradient = define(
    "stop_gradient",
    "The value itself; no gradient passes.",
    shape=elementwise,
    run=lambda xp, y, x: x,
    vjp=(None,),
    takes="any",
    gives="same",
    elementwise=True,
    latex=Form(r"\operatorname{{stop}}({0})"),
    domain=Domain(analytic=False, why_not="its derivative is 0 by decree"),
)
