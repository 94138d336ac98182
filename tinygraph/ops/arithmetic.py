"""Arithmetic, elementwise with broadcasting: sums, products, quotients, powers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import UsageError
from ..graph.constants import Number, exact
from ..graph.letters import Polynomial, as_polynomial
from ..graph.node import Node
from ..graph.op import ATOM, POWER, PREFIX, PRODUCT, SUM, Domain, Form, Op, define
from ..shapes import Shape, broadcast


def elementwise(*nodes: Node) -> Shape:
    """The shape rule of every elementwise row."""
    return broadcast(*(node.shape for node in nodes))


def _exponent(x: Node, exponent: Any) -> dict[str, Any]:
    if isinstance(exponent, Node) or not isinstance(exponent, (int, float, Fraction, np.number)):
        raise UsageError(f"the exponent must be a number, not {exponent!r:.60}", fix="tg.exp(y * tg.log(x)) for x > 0")
    return {"exponent": exact(exponent, "real")}


def _power_vjp(g: Node, y: Node, x: Node) -> Node:
    n: Number = y.attrs["exponent"]
    if n in (0, 1):
        return g * n
    return g * (n * (x if n == 2 else power(x, n - 1)))


def _power_words(y: Polynomial, x: Polynomial) -> Polynomial:
    n: Number = y.node.attrs["exponent"]  # type: ignore[union-attr]  # y is the value of a node
    whole = isinstance(n, int)
    return Fraction(n) * (x ** (int(n) - 1) if whole else y * x**-1) if n else as_polynomial(0)


identity = define(
    "identity",
    "The value itself: an anchor with a name of its own, such as a new state.",
    shape=elementwise,
    run=lambda xp, y, x: x,
    vjp=(lambda g, y, x: g,),
    words=(lambda y, x: 1,),
    takes="any",
    gives="same",
    elementwise=True,
    text=Form("{0}", ATOM),
    latex=Form("{0}", ATOM),
)
add = define(
    "add",
    "Sum of two or more values, elementwise: add(a, b, ...) or a + b.",
    arity=None,
    shape=elementwise,
    run=lambda xp, y, *values: xp.add(*values),
    vjp=lambda i, g, y, *operands: g,
    words=lambda i, y, *operands: 1,
    elementwise=True,
    text=Form(lambda node, operands: " + ".join(operands), SUM, inner=SUM),
    latex=Form(lambda node, operands: " + ".join(operands), SUM, inner=SUM),
)
sub = define(
    "sub",
    "Difference a - b, elementwise.",
    arity=2,
    shape=elementwise,
    run=lambda xp, y, a, b: xp.subtract(a, b),
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g),
    words=(lambda y, a, b: 1, lambda y, a, b: -1),
    elementwise=True,
    text=Form("{0} - {1}", SUM),
    latex=Form("{0} - {1}", SUM),
)
mul = define(
    "mul",
    "Product a * b, elementwise.",
    arity=2,
    shape=elementwise,
    run=lambda xp, y, a, b: xp.multiply(a, b),
    vjp=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    words=(lambda y, a, b: b, lambda y, a, b: a),
    elementwise=True,
    text=Form("{0} * {1}", PRODUCT),
    latex=Form(
        lambda node, operands: r" \odot ".join(operands) if all(a.ndim for a in node.args) else r" \, ".join(operands),
        PRODUCT,
    ),
)
div = define(
    "div",
    "Quotient a / b, elementwise.",
    arity=2,
    shape=elementwise,
    run=lambda xp, y, a, b: xp.divide(a, b),
    vjp=(lambda g, y, a, b: g / b, lambda g, y, a, b: -(g * y / b)),
    words=(lambda y, a, b: b**-1, lambda y, a, b: -y * b**-1),
    elementwise=True,
    text=Form("{0} / {1}", PRODUCT),
    latex=Form(r"\frac{{{0}}}{{{1}}}", ATOM),
    domain=Domain(low=0.5, high=2.0),
    pitfall="its divisor must not be 0",
)
neg = define(
    "neg",
    "The negative, -x.",
    shape=elementwise,
    run=lambda xp, y, x: xp.negative(x),
    vjp=(lambda g, y, x: -g,),
    words=(lambda y, x: -1,),
    elementwise=True,
    text=Form("-{0}", PREFIX),
    latex=Form("-{0}", PREFIX),
)
power: Op = define(
    "power",
    "x ** exponent, elementwise, for a fixed exponent: power(x, 2) or x ** 2.",
    attrs=_exponent,
    shape=lambda x, *, exponent: x.shape,
    run=lambda xp, y, x: xp.power(x, y.attrs["exponent"]),
    vjp=(_power_vjp,),
    words=(_power_words,),
    elementwise=True,
    text=Form(lambda node, operands: f"{operands[0]}**{_grouped(node.attrs['exponent'])}", POWER, inner=ATOM),
    latex=Form(lambda node, operands: f"{operands[0]}^{{{node.attrs['exponent']}}}", POWER, inner=ATOM),
    domain=Domain(low=0.5, high=2.0),
)


def _grouped(exponent: object) -> str:
    plain = isinstance(exponent, int) and exponent >= 0
    return str(exponent) if plain else f"({exponent})"
