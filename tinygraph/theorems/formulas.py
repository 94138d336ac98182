r"""The Jacobians of one step as textbooks write them: derivatives in the values of the gates, such as diag(1 - h^2) U.

Each is written by hand from the cell's equations, and knows nothing of the rules by which `symbolic.words` derives
the same: `step_formulas` holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from ..cells import Cell
from ..errors import expect
from ..graph.letters import (
    Contraction,
    Matrix,
    Polynomial,
    Selection,
    Words,
    as_polynomial,
    compose,
    diagonals,
    letter,
    total,
)
from ..graph.node import Node
from ..symbolic.words import Block, StepWords, expand, step_words, value_polynomials
from ..unrolling import Unrolled, unroll


@dataclass(frozen=True)
class Sum:
    """A sum of words that is written as in formulas: `D(z) + D(1 - z) @ U`."""

    words: Words

    def __add__(self, other: Sum) -> Sum:
        return Sum(total(self.words, other.words))

    def __matmul__(self, other: Sum) -> Sum:
        return Sum(compose(self.words, other.words))


def D(polynomial: Polynomial) -> Sum:
    """diag of a value."""
    return Sum(diagonals(polynomial))


class Step:
    """One step of a cell, and the step before it, whose values a `shifted` formula takes.

    before   of each value of the step, the one at t - 1
    """

    def __init__(self, cell: Cell, *, shifted: bool = False) -> None:
        self.words: StepWords = step_words(cell)
        self.net: Unrolled = self.words.net
        graph, shapes, scope = self.net.graph, cell.shapes(self.net.sizes), "before"
        start = {state: graph.input(f"{scope} {state}", shapes[state]) for state in cell.states}
        shared = {"parameters": self.net.parameters, "contexts": self.net.contexts, "sizes": self.net.sizes}
        unroll(cell, 1, graph=graph, initial=start, scope=scope, **shared)  # type: ignore[arg-type]
        made = [node for node in graph.nodes if node.step == 1 and not node.op.leaf]
        here, there = ([node for node in made if node.scope == where] for where in ("", scope))
        self.before = dict(zip(here, there, strict=True))
        self.shifted = shifted
        self.polynomials = value_polynomials(made)

    def __getattr__(self, label: str) -> Polynomial:
        """The value labelled so at t."""
        return self._value(self.net.series[label][1])

    def old(self, state: str) -> Polynomial:
        """The state at t - 1."""
        return Polynomial.of(self.net.series[state][0])

    def parameter(self, name: str) -> Polynomial:
        """The entries of a vector of parameters."""
        return Polynomial.of(self.net.parameters[name])

    def M(self, name: str) -> Sum:
        """A matrix by the name of its parameter."""
        return Sum(letter(Matrix(self.net.parameters[name])))

    def forms(self, name: str, vector: str) -> Sum:
        """The derivative of v^T V v by v, for a tensor of parameters and a labelled vector."""
        V, v = self.net.parameters[name], self.net.series[vector][1]
        v = self.before[v] if self.shifted else v
        return Sum(letter(Contraction(V, v, -1))) + Sum(letter(Contraction(V, v, -2)))

    def first(self, state: str) -> Sum:
        """The columns that place a state at the head of a vector that joins it with others."""
        joined = next(node for node in self.before if node.op.name == "concatenate")
        size = self.net.series[state][0].shape[0]
        return Sum(letter(Selection(tuple(range(size)), joined.shape[0], True)))

    def inside(self, label: str, *places: int) -> Polynomial:
        """The operand of the labelled value at the first place, its operand at the second, and so on."""
        node = self.net.series[label][1]
        for place in places:
            node = node.args[place]
        return self._value(node)

    def made(self, op: str, *operands: str) -> Polynomial:
        """The last value that `op` makes of operands with these names among them, such as tanh of c."""
        found = [n for n in self.before if n.op.name == op and {a.label for a in n.args}.issuperset(operands)]
        expect(found[-1] if found else None, Node, f"the formula speaks of a {op} of {', '.join(operands)}")
        return self._value(found[-1])

    def expanded(self, words: Words) -> Words:
        return expand(words, self.polynomials)

    def _value(self, node: Node) -> Polynomial:
        return Polynomial.of(self.before[node] if self.shifted else node)


Formula = dict[Block, Sum]
Slope = Callable[[Polynomial], Sum]
NOTHING = Sum({})


def tanh_slope(y: Polynomial) -> Sum:
    """diag(1 - y^2)."""
    return D(1 - y * y)


def sigmoid_slope(s: Polynomial) -> Sum:
    """diag(s (1 - s))."""
    return D(s * (1 - s))


def no_slope(y: Polynomial) -> Sum:
    """The identity, of what is not bent."""
    return D(as_polynomial(1))


# Simple networks
def _tanh(t: Step) -> Formula:
    return {("h", "h"): tanh_slope(t.h) @ t.M("U")}


def _logistic(t: Step) -> Formula:
    return {("h", "h"): sigmoid_slope(t.h) @ t.M("U")}


def _linear(t: Step) -> Formula:
    return {("h", "h"): t.M("U")}


def _rectified(t: Step) -> Formula:
    return {("h", "h"): D(t.made("add", "b").mapped("step")) @ t.M("U")}


def _leaky(t: Step) -> Formula:
    a = as_polynomial(Fraction(1, 2))
    return {("h", "h"): D(1 - a) + D(a) @ tanh_slope(t.made("tanh")) @ t.M("U")}


def _jordan(t: Step) -> Formula:
    return {("o", "o"): t.M("V") @ tanh_slope(t.h) @ t.M("R")}


def _threshold(t: Step) -> Formula:
    return {("h", "h"): NOTHING}


def _fused(t: Step) -> Formula:
    return {("h", "h"): tanh_slope(t.h) @ t.M("W") @ t.first("h")}


# Trees, by their first child
def _recursive(t: Step) -> Formula:
    return {("l", "l"): tanh_slope(t.l) @ t.M("W") @ t.first("l")}


def _tensor(t: Step) -> Formula:
    return {("l", "l"): tanh_slope(t.l) @ (t.forms("V", "s") + t.M("W")) @ t.first("l")}


# Long short-term memory, whole and with parts left out
def _lstm(
    t: Step,
    gates: str = "ifo",
    peephole: Callable[[Step, str], Sum] | None = None,
    coupled: bool = False,
    input_slope: Slope = tanh_slope,
    shown: bool = True,
) -> Formula:
    """c' = f c + i g and h' = o tanh(c'), or o c' if it is not `shown` by a tanh.

    A gate that is left out is 1. `peephole` is how a gate sees the memory: the output gate the new one.
    """
    f, i, o = (getattr(t, gate) if gate in gates else as_polynomial(1) for gate in "fio")
    i = 1 - f if coupled else i
    moved = {"f": t.old("c") - t.g if coupled else t.old("c"), "i": t.g}
    seen = t.made("tanh", "c") if shown else t.c
    by_gate = {gate: D(value) @ _slope_of(t, gate) for gate, value in moved.items() if gate in gates}
    by_output = D(seen) @ _slope_of(t, "o") if "o" in gates else NOTHING
    memory = D(f)
    through_h = D(i) @ input_slope(t.g) @ t.M("U_g")
    out = D(o) @ (tanh_slope(seen) if shown else D(as_polynomial(1)))
    for gate, slope in by_gate.items():
        through_h = through_h + slope @ t.M(f"U_{gate}")
        memory = memory + slope @ peephole(t, gate) if peephole else memory
    out = out + by_output @ peephole(t, "o") if peephole and "o" in gates else out
    read = by_output @ t.M("U_o") if "o" in gates else NOTHING
    return {
        ("c", "c"): memory,
        ("c", "h"): through_h,
        ("h", "c"): out @ memory,
        ("h", "h"): read + out @ through_h,
    }


def _slope_of(t: Step, gate: str) -> Sum:
    return sigmoid_slope(getattr(t, gate))


def _diagonal(t: Step, gate: str) -> Sum:
    return D(t.parameter(f"p_{gate}"))


def _full(t: Step, gate: str) -> Sum:
    return t.M(f"V_{gate}")


_peephole = partial(_lstm, peephole=_diagonal)


def _full_gate_recurrence(t: Step) -> Formula:
    """All gates also see the gates i, f and o of the step before, which are states."""

    def by(gate: str, state: str) -> Sum:
        if state == "c":
            return _slope_of(t, gate) @ _diagonal(t, gate) if gate != "o" else NOTHING
        return _slope_of(t, gate) @ t.M(f"U_{gate}" if state == "h" else f"R_{gate}{state}")

    seen = t.made("tanh", "c")
    found: Formula = {}
    for state in "hcifo":
        memory = D(t.old("c")) @ by("f", state) + D(t.g) @ by("i", state)
        memory = memory + D(t.f) if state == "c" else memory
        memory = memory + D(t.i) @ tanh_slope(t.g) @ t.M("U_g") if state == "h" else memory
        output = by("o", state) + _slope_of(t, "o") @ _diagonal(t, "o") @ memory
        shown = D(seen) @ output + D(t.o) @ tanh_slope(seen) @ memory
        new = {"h": shown, "c": memory, "i": by("i", state), "f": by("f", state), "o": output}
        found |= {(name, state): right for name, right in new.items()}
    return found


# Gated recurrent units
def _gate(t: Step, name: str) -> Sum:
    """d (gate) / d h."""
    return _slope_of(t, name) @ t.M(f"U_{name}")


def _reset(t: Step, y: Polynomial, gate: str = "r") -> Sum:
    """d y / d h for y = tanh(U (gate h) + ...)."""
    return tanh_slope(y) @ t.M("U") @ (D(getattr(t, gate)) + D(t.old("h")) @ _gate(t, gate))


def _gru(t: Step) -> Formula:
    return {("h", "h"): D(t.z) + D(t.old("h") - t.c) @ _gate(t, "z") + D(1 - t.z) @ _reset(t, t.c)}


def _gru_new(t: Step) -> Formula:
    return {("h", "h"): D(1 - t.z) + D(t.c - t.old("h")) @ _gate(t, "z") + D(t.z) @ _reset(t, t.c)}


def _gru_reset_after(t: Step) -> Formula:
    candidate = tanh_slope(t.c) @ (D(t.r) @ t.M("U") + D(t.made("add", "b_U")) @ _gate(t, "r"))
    return {("h", "h"): D(t.z) + D(t.old("h") - t.c) @ _gate(t, "z") + D(1 - t.z) @ candidate}


def _mgu(t: Step) -> Formula:
    return {("h", "h"): D(1 - t.f) + D(t.c - t.old("h")) @ _gate(t, "f") + D(t.f) @ _reset(t, t.c, "f")}


def _mut1(t: Step) -> Formula:
    return {("h", "h"): D(1 - t.z) + D(t.z) @ _reset(t, t.made("tanh"))}


def _mut2(t: Step) -> Formula:
    y = t.made("tanh")
    return {("h", "h"): D(1 - t.z) + D(y - t.old("h")) @ _gate(t, "z") + D(t.z) @ _reset(t, y)}


def _mut3(t: Step) -> Formula:
    y, bent = t.made("tanh"), tanh_slope(t.made("tanh", "h"))
    return {("h", "h"): D(1 - t.z) + D(y - t.old("h")) @ _gate(t, "z") @ bent + D(t.z) @ _reset(t, y)}


def _nas(t: Step) -> Formula:
    """c' = m q and h' = tanh(c' n), where m = tanh(p + c) and n = tanh(r + s)."""
    m, n = t.inside("c", 0, 0), t.inside("h", 0, 0, 1)
    sigmoid_0, relu_1 = t.inside("p", 0, 0), t.inside("p", 0, 1)
    tanh_4, sigmoid_5 = t.inside("r", 0, 0), t.inside("r", 0, 1)
    step_1, step_3 = (D(t.inside(*path).mapped("step")) for path in (("p", 0, 1, 0), ("q", 0, 1, 0)))
    p = D(relu_1) @ sigmoid_slope(sigmoid_0) @ t.M("U_0") + D(sigmoid_0) @ step_1 @ t.M("U_1")
    q = sigmoid_slope(t.inside("q", 0, 0)) @ t.M("U_2") + step_3 @ D(t.inside("q", 0, 1, 0, 0)) @ t.M("U_3")
    r = D(sigmoid_5) @ tanh_slope(tanh_4) @ t.M("U_4") + D(tanh_4) @ sigmoid_slope(sigmoid_5) @ t.M("U_5")
    s = tanh_slope(t.inside("s", 0, 0)) @ t.M("U_6") + sigmoid_slope(t.inside("s", 0, 1)) @ t.M("U_7")
    kept, joined = D(t.q) @ tanh_slope(m), tanh_slope(t.r) @ r + sigmoid_slope(t.s) @ s
    written = kept @ tanh_slope(t.p) @ p + D(m) @ tanh_slope(t.q) @ q
    out = tanh_slope(t.h)
    return {
        ("c", "c"): kept,
        ("c", "h"): written,
        ("h", "c"): out @ D(n) @ kept,
        ("h", "h"): out @ (D(n) @ written + D(t.c) @ tanh_slope(n) @ joined),
    }


# Highways
def _highway(t: Step, letter: str = "W") -> Formula:
    y = t.made("tanh")
    gate = D(y - t.old("h")) @ sigmoid_slope(t.t) @ t.M(f"{letter}_t")
    return {("h", "h"): D(1 - t.t) + gate + D(t.t) @ tanh_slope(y) @ t.M(letter)}


def _recurrent_highway(t: Step) -> Formula:
    return _highway(t, "U")


# By the cell's name. Another cell is left out, and said to be.
TEXTBOOK: dict[str, Callable[[Step], Formula]] = {
    **dict.fromkeys(("elman", "captioner", "captioner_first"), _tanh),
    **dict.fromkeys(("elman_relu", "irnn"), _rectified),
    **dict.fromkeys(("elman_linear", "linear"), _linear),
    "elman_sigmoid": _logistic,
    "leaky": _leaky,
    "jordan": _jordan,
    "elman_step": _threshold,
    "elman_fused": _fused,
    "recursive": _recursive,
    "rntn": _tensor,
    "lstm": _lstm,
    "lstm_coupled": partial(_lstm, gates="fo", coupled=True),
    "lstm_peephole": _peephole,
    "lstm_peephole_full": partial(_lstm, peephole=_full),
    "lstm_no_input_gate": partial(_peephole, gates="fo"),
    "lstm_no_forget_gate": partial(_peephole, gates="io"),
    "lstm_no_output_gate": partial(_peephole, gates="if"),
    "lstm_no_input_activation": partial(_peephole, input_slope=no_slope),
    "lstm_no_output_activation": partial(_peephole, shown=False),
    "lstm_full_gate_recurrence": _full_gate_recurrence,
    "lstm_peephole_coupled": partial(_peephole, gates="fo", coupled=True),
    "gru": _gru,
    "gru_new": _gru_new,
    "gru_reset_after": _gru_reset_after,
    "mgu": _mgu,
    "nas": _nas,
    "mut1": _mut1,
    "mut2": _mut2,
    "mut3": _mut3,
    "highway": _highway,
    "recurrent_highway": _recurrent_highway,
}
