"""Layer E: the Jacobian of one small step, entry by entry, differentiated by SymPy.

Each output y_k = f(a_k) of a nonlinearity is a symbol of its own, so entries stay polynomials:
d s / d h = partial s / partial h + sum over k of (partial s / partial y_k) f'(a_k) (d a_k / d h),
where SymPy finds the partial derivatives and f' in terms of y (1 - y^2 for tanh). An entry agrees with
the matrix words if the expanded difference is zero; the structure of two expressions says nothing.
Agreement at n = k + 1 is agreement at every n, for words of at most k matrices: docs/small-n-lemma.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy

from ..errors import DifferentiationError
from ..execute.arrays import Value
from ..execute.symbolic_arrays import SymbolicArrays
from ..graph.node import Node
from .running import leaf_values, run_tape
from .words import StepWords, act

_S, _Y, _Z = sympy.symbols("s y z")

# Each nonlinearity as SymPy writes it at s; what its derivative holds, by y; and what z stands for there.
_FUNCTIONS: dict[str, tuple[sympy.Expr, dict[Any, Any], str]] = {
    "tanh": (sympy.tanh(_S), {sympy.tanh(_S): _Y}, ""),
    "sigmoid": (1 / (1 + sympy.exp(-_S)), {sympy.exp(-_S): 1 / _Y - 1}, ""),
    "exp": (sympy.exp(_S), {sympy.exp(_S): _Y}, ""),
    "log": (sympy.log(_S), {}, ""),
    "sqrt": (sympy.sqrt(_S), {1 / sympy.sqrt(_S): 1 / _Y}, ""),
    "softplus": (sympy.log(1 + sympy.exp(_S)), {sympy.exp(_S): _Z / (1 - _Z)}, "sigmoid"),
    "sin": (sympy.sin(_S), {sympy.cos(_S): _Z}, "cos"),
    "cos": (sympy.cos(_S), {sympy.sin(_S): _Z}, "sin"),
}


@cache
def _slope(name: str) -> Any:
    """The derivative of a nonlinearity as a rational function of s, y and z."""
    function, replaced, _ = _FUNCTIONS[name]
    return sympy.cancel(sympy.diff(function, _S).xreplace(replaced))


class OwnSymbols(SymbolicArrays):
    """SymPy arrays in which each output of a nonlinearity is a symbol of its own, the same for the same argument."""

    def __init__(self) -> None:
        super().__init__("sympy")
        self.known: dict[tuple[str, Any], sympy.Symbol] = {}

    def __getattribute__(self, name: str) -> Any:
        if name in _FUNCTIONS:
            return lambda x: self._each(name, x)
        if name in ("relu", "step", "greater", "greater_equal", "less", "less_equal", "equal", "max", "max_pool"):
            raise DifferentiationError(f"{name} is not smooth: SymPy does not differentiate it")
        return super().__getattribute__(name)

    def _each(self, name: str, x: Value) -> Value:
        return np.asarray(np.frompyfunc(lambda a: self.symbol(name, a), 1, 1)(x), dtype=object)

    def symbol(self, name: str, argument: Any) -> sympy.Symbol:
        """The symbol of a nonlinearity at an argument."""
        key = name, sympy.sympify(argument)
        if key not in self.known:
            self.known[key] = sympy.Symbol(f"{name}_{len(self.known)}")
        return self.known[key]

    def derivatives(self, entries: Iterable[Any], wrt: sympy.Symbol) -> list[Any]:
        """The derivative of each entry by one symbol, by SymPy and the chain rule over the own symbols."""
        found: dict[sympy.Symbol, Any] = {}
        for (name, argument), symbol in list(self.known.items()):
            inner = _total(argument, wrt, found)
            if inner != 0:
                helper = _FUNCTIONS[name][2]
                given = {_S: argument, _Y: symbol, _Z: self.symbol(helper, argument) if helper else _Z}
                found[symbol] = _slope(name).xreplace(given) * inner
        return [_total(sympy.sympify(entry), wrt, found) for entry in entries]


def _total(expression: Any, wrt: sympy.Symbol, slopes: Mapping[sympy.Symbol, Any]) -> Any:
    parts = [sympy.diff(expression, wrt)]
    inside = sorted(expression.free_symbols & slopes.keys(), key=str)
    parts += [sympy.diff(expression, symbol) * slopes[symbol] for symbol in inside]
    return sympy.Add(*parts)


def is_zero(expression: Any) -> bool:
    """Whether a rational expression is zero, decided by expanding its numerator."""
    expanded = sympy.expand(expression)
    if expanded == 0:
        return True
    return bool(sympy.expand(sympy.numer(sympy.together(expanded))) == 0)


@dataclass(frozen=True)
class Mismatch:
    """An entry of a block on which the words and SymPy differ."""

    block: tuple[str, str]
    entry: tuple[int, int]
    difference: str


def mismatches(step: StepWords) -> list[Mismatch]:
    """The entries on which the matrix words of a step and SymPy's derivative differ; none if they agree.

    The sizes are those of `step`: 2 or 3, since the number of terms grows with them.
    Raises `DifferentiationError` for a step with an operation that SymPy cannot differentiate.
    """
    xp = OwnSymbols()
    values = run_tape(xp, step.roots, leaf_values(step.roots, symbols_of, np.random.default_rng(0)))
    cell, net = step.net.cell, step.net
    found = []
    for old in cell.states:
        start = net.series[old][0]
        columns = np.ravel(values[start.id])
        unit = xp.array(np.eye(len(columns)), "real")
        blocks = {
            new: act(step.compact[new, old], values, xp, unit, int(np.prod(net.series[new].last.shape)))
            for new in cell.states
        }
        for j, symbol in enumerate(columns):
            for new in cell.states:
                entries = np.ravel(values[net.series[new].last.id])
                for i, derivative in enumerate(xp.derivatives(entries, symbol)):
                    difference = blocks[new][i, j] - derivative
                    if not is_zero(difference):
                        found.append(Mismatch((new, old), (i, j), str(sympy.expand(difference))))
    return found


def symbols_of(node: Node) -> Any:
    out = np.empty(node.shape, dtype=object)
    for index in np.ndindex(node.shape):
        out[index] = sympy.Symbol("_".join(map(str, (node.name, node.id, *index))))
    return out
