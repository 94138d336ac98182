"""Elementwise functions, in forms that stay finite for large arguments."""

from __future__ import annotations

from fractions import Fraction
from math import inf

from ..graph.op import Domain, Form, Limits, Op, define
from .arithmetic import elementwise

tanh = define(
    "tanh",
    "Hyperbolic tangent.",
    shape=elementwise,
    run=lambda xp, y, x: xp.tanh(x),
    vjp=(lambda g, y, x: g * (1 - y * y),),
    words=(lambda y, x: 1 - y * y,),
    elementwise=True,
    limits=Limits(-1, 1, Fraction(1)),
    latex=Form(r"\tanh({0})"),
)
sigmoid = define(
    "sigmoid",
    "Logistic function 1 / (1 + exp(-x)); accurate and finite for any x.",
    shape=elementwise,
    run=lambda xp, y, x: xp.sigmoid(x),
    vjp=(lambda g, y, x: g * (y * (1 - y)),),
    words=(lambda y, x: y * (1 - y),),
    elementwise=True,
    limits=Limits(0, 1, Fraction(1, 4)),  # 1/4 - y(1 - y) = (1/2 - y)^2
    latex=Form(r"\sigma({0})"),
)
relu = define(
    "relu",
    "max(x, 0); the derivative at 0 is taken as 0.",
    shape=elementwise,
    run=lambda xp, y, x: xp.relu(x),
    vjp=(lambda g, y, x: g * step(x),),
    words=(lambda y, x: x.mapped("step"),),
    elementwise=True,
    limits=Limits(0, inf, Fraction(1)),
    latex=Form(r"\operatorname{{relu}}({0})"),
    domain=Domain(kinks=(0.0,)),
)
step: Op = define(
    "step",
    "Hard threshold: 1 for x > 0, else 0 (so 0 at the boundary x = 0). Its derivative is 0.",
    shape=elementwise,
    run=lambda xp, y, x: xp.step(x),
    vjp=(None,),
    elementwise=True,
    limits=Limits(0, 1, Fraction(0)),
    latex=Form(r"\mathbf{{1}}[{0} > 0]"),
    domain=Domain(kinks=(0.0,)),
)
exp = define(
    "exp",
    "Exponential.",
    shape=elementwise,
    run=lambda xp, y, x: xp.exp(x),
    vjp=(lambda g, y, x: g * y,),
    words=(lambda y, x: y,),
    elementwise=True,
    limits=Limits(low=0),
    latex=Form(r"\exp({0})"),
    pitfall="its operand is too large: tg.softmax, tg.logsumexp and tg.softplus stay finite",
)
log = define(
    "log",
    "Natural logarithm, for x > 0.",
    shape=elementwise,
    run=lambda xp, y, x: xp.log(x),
    vjp=(lambda g, y, x: g / x,),
    words=(lambda y, x: x**-1,),
    elementwise=True,
    latex=Form(r"\log({0})"),
    domain=Domain(low=0.5, high=2.0),
    pitfall="its operand must be above 0: tg.log_softmax, or tg.log(x + epsilon)",
)
sqrt = define(
    "sqrt",
    "Square root, for x > 0.",
    shape=elementwise,
    run=lambda xp, y, x: xp.sqrt(x),
    vjp=(lambda g, y, x: g / (2 * y),),
    words=(lambda y, x: (2 * y) ** -1,),
    elementwise=True,
    limits=Limits(low=0),
    latex=Form(r"\sqrt{{{0}}}"),
    domain=Domain(low=0.5, high=2.0),
    pitfall="its operand must not be negative, and its gradient at 0 is infinite",
)
softplus = define(
    "softplus",
    "log(1 + exp(x)); equals x for large x without overflow.",
    shape=elementwise,
    run=lambda xp, y, x: xp.softplus(x),
    vjp=(lambda g, y, x: g * sigmoid(x),),
    words=(lambda y, x: x.mapped("sigmoid"),),
    elementwise=True,
    limits=Limits(0, inf, Fraction(1)),
    latex=Form(r"\operatorname{{softplus}}({0})"),
)
sin = define(
    "sin",
    "Sine.",
    shape=elementwise,
    run=lambda xp, y, x: xp.sin(x),
    vjp=(lambda g, y, x: g * cos(x),),
    words=(lambda y, x: x.mapped("cos"),),
    elementwise=True,
    limits=Limits(-1, 1, Fraction(1)),
    latex=Form(r"\sin({0})"),
)
cos: Op = define(
    "cos",
    "Cosine.",
    shape=elementwise,
    run=lambda xp, y, x: xp.cos(x),
    vjp=(lambda g, y, x: -(g * sin(x)),),
    words=(lambda y, x: -x.mapped("sin"),),
    elementwise=True,
    limits=Limits(-1, 1, Fraction(1)),
    latex=Form(r"\cos({0})"),
)
