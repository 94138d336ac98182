r"""Statements 3 and 4: what the memory of an LSTM does, and for which cells it is not so."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import Any

from ..cells import Cell
from ..graph.letters import Diagonal, Matrix, Polynomial, Words, as_polynomial, compose, diagonals
from ..graph.node import Node
from ..ops.choice import stop_gradient
from ..symbolic.word_formulas import block_latex
from ..symbolic.words import expand, net_of_steps, step_words, value_polynomials
from ..unrolling import Unrolled
from .statement import Evidence, Failing, Named, Theorem


def highway(cell: Cell, *, cut: bool = True, steps: int = 3) -> Evidence:
    """d c_T / d c_0 of a cell whose recurrent h edges are cut, against the product of its forget gates."""
    step = step_words(_without(cell, "h") if cut else cell, steps)
    polynomials = value_polynomials(step.roots)
    gates = compose(*(diagonals(Polynomial.of(step.net.series["f"][t])) for t in range(steps, 0, -1)))
    expected, found = expand(gates, polynomials), step.expanded["c", "c"]
    if found != expected:
        more = {word: c for word, c in found.items() if word not in expected}
        return Evidence("", f"{len(more)} more words, through {', '.join(_parameters(more))}")
    leaks = step_words(cell, 2)
    count = len(leaks.compact["c", "c"]) - 1
    return Evidence(f"over {steps} steps one word; uncut, {count} leaks over 2: {block_latex(leaks, ('c', 'c'))}")


def _without(cell: Cell, state: str) -> Cell:
    """The cell whose equations hold the old value of one state fixed."""
    place = list(cell.roles).index(state)

    @wraps(cell.function)
    def equations(*nodes: Node, **options: Any) -> Any:
        return cell.function(*nodes[:place], stop_gradient(nodes[place]), *nodes[place + 1 :], **options)

    return replace(cell, name=f"{cell.name} without {state}", function=equations)


def _parameters(words: Words) -> list[str]:
    """The names of the parameters in words, sorted."""
    letters = [one for word in words for one in word]
    nodes = {one.node for one in letters if isinstance(one, Matrix)}
    nodes |= {atom.node for one in letters if isinstance(one, Diagonal) for atom, _ in one.factors}
    return sorted(node.name for node in nodes if node.op.name == "parameter")


def memory_as_sum(cell: Cell, *, initial: bool = True, steps: int = 4) -> Evidence:
    """c_T as a polynomial of the gates and of c_0, against the sum over all writes; without its `initial` term."""
    net = _memory(cell, steps)
    polynomials = value_polynomials([net.series["c"].last])
    value = {label: [polynomials[net.series[label][t].id] for t in range(1, steps + 1)] for label in ("f", "i", "g")}
    total, kept = as_polynomial(0), as_polynomial(1)
    for f, i, g in reversed(list(zip(*value.values(), strict=True))):
        total, kept = total + kept * i * g, kept * f
    total = total + kept * Polynomial.of(net.series["c"][0]) * int(initial)
    rest = polynomials[net.series["c"].last.id] - total
    numbers = f"c_{steps} has {len(total.terms)} terms, all equal"
    return Evidence(numbers, f"left over: {_text(rest)}" if rest.terms else "")


def weights_sum_to_one(cell: Cell, *, steps: int = 4) -> Evidence:
    """The weights of all writes and of c_0 in c_T: its polynomial with every g and c_0 set to 1."""
    net = _memory(cell, steps)
    found = value_polynomials([net.series["c"].last])[net.series["c"].last.id]
    ones = {net.series["c"][0], *(net.series["g"][t] for t in range(1, steps + 1))}
    total = as_polynomial(0)
    for monomial, coefficient in found.terms.items():
        total = total + Polynomial({tuple(f for f in monomial if f[0].node not in ones): coefficient})
    one = total.terms == {(): 1}
    return Evidence(f"the weights of {steps} writes and of c_0 sum to 1", "" if one else f"the sum is {_text(total)}")


def _memory(cell: Cell, steps: int) -> Unrolled:
    return net_of_steps(cell, steps, dict.fromkeys(cell.sizes, 2))


def _text(polynomial: Polynomial) -> str:
    """A polynomial of named values, such as f_2 c_0 + i_2 g_2."""

    def factor(name: str, exponent: int) -> str:
        return name if exponent == 1 else f"{name}^{exponent}"

    parts = []
    for monomial, coefficient in polynomial.terms.items():
        names = " ".join(factor(f"{a.node.label}_{a.node.step}", exponent) for (a, exponent) in monomial)
        parts.append(names if coefficient == 1 and names else f"{coefficient} {names}".strip())
    return " + ".join(parts)


THEOREMS = (
    Theorem(
        key="highway",
        number="3",
        title="The LSTM's highway",
        statement="With every recurrent h edge cut, the Jacobian of an LSTM's memory is exactly the product of its"
        " forget gates; uncut, the gates read h_{t-1} and leak more words.",
        latex=r"\left.\frac{\partial c_T}{\partial c_0}\right|_{h \text{ cut}} ="
        r" \prod_{t=1}^{T} \operatorname{diag}(f_t)",
        kind="exact",
        check=highway,
        given={"cell": Named("lstm")},
        failing=(
            Failing(("cell", Named("lstm_peephole")), "through p_f, p_i"),
            Failing(("cut", False), "through U_f, U_g, U_i"),
        ),
    ),
    Theorem(
        key="memory",
        number="4",
        title="The memory as a sum of writes",
        statement="The memory of an LSTM is the sum of all writes i g, each kept by the forget gates since, and of"
        " the initial memory kept by all of them.",
        latex=r"c_T = \sum_{t'=1}^{T} \Big(\prod_{t=t'+1}^{T} f_t\Big) \odot i_{t'} \odot g_{t'}"
        r" + \Big(\prod_{t=1}^{T} f_t\Big) \odot c_0",
        kind="exact",
        check=memory_as_sum,
        given={"cell": Named("lstm")},
        failing=(Failing(("initial", False), "left over: c_0 f_1 f_2 f_3 f_4"),),
    ),
    Theorem(
        key="weights",
        number="4, coupled",
        title="Coupled gates average",
        statement="With coupled gates, i = 1 - f, the weights of the writes and of the initial memory sum to 1; for"
        " the plain LSTM they do not.",
        latex=r"\sum_{t'=1}^{T} \Big(\prod_{t=t'+1}^{T} f_t\Big) (1 - f_{t'}) + \prod_{t=1}^{T} f_t = 1",
        kind="exact",
        check=weights_sum_to_one,
        given={"cell": Named("lstm_coupled")},
        failing=(Failing(("cell", Named("lstm")), "the sum is"),),
    ),
)
