"""Reads written equations and does what they say, in plain NumPy: nothing of the engine's gradient is used.

A recurrence found at one T is read at any T. Values of labels come from a run of the net; cotangents come
from the lines alone, each looked up by its name and its step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygraph.execute.arrays import NumpyArrays
from tinygraph.symbolic.expressions import Apply, Entry, Expression, Number, Slope, Symbol, Total, symbols
from tinygraph.symbolic.recurrences import Line, Recurrence

Array = np.ndarray[Any, Any]

OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda *values: sum(values[1:], values[0]),
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "relu": lambda a: np.maximum(a, 0),
    "step": lambda a: np.where(a > 0, 1.0, 0.0),
    "exp": np.exp,
}


class Reader:
    """What the lines say at T steps, for values of labels {(name, step or None): array}."""

    def __init__(self, found: Recurrence, values: Mapping[tuple[str, int | None], Array], steps: int) -> None:
        self.values, self.steps = dict(values), steps
        self.lines: dict[tuple[str, bool], list[Line]] = {}
        for line in (*found.definitions, *found.lines):
            self.lines.setdefault((line.left.name, line.left.bar), []).append(line)

    def cotangent(self, name: str, time: int | None = None) -> Array:
        """The cotangent of a label at a step."""
        return self.known(Symbol(name, time=time, bar=True), 0)

    def known(self, symbol: Symbol, t: int) -> Array:
        time = None if symbol.time is None else symbol.time + t
        key = ("d" if symbol.bar else "") + symbol.name, time
        if key not in self.values:
            (line,) = [one for one in self.lines[symbol.name, symbol.bar] if self.holds(one, time)]
            self.values[key] = self.right(line, time or 0)
        return self.values[key]

    def holds(self, line: Line, time: int | None) -> bool:
        if line.first is None or line.last is None or time is None:
            return line.first is None and time is None
        return line.first.step(self.steps) <= time <= line.last.step(self.steps)

    def right(self, line: Line, t: int) -> Array:
        return np.broadcast_to(self.read(line.right, t), self.shape(line.left))

    def shape(self, left: Symbol) -> Any:
        return left.shape

    def read(self, e: Expression, t: int) -> Any:
        match e:
            case Number():
                return float(e.value)
            case Symbol():
                return self.known(e, t)
            case Total(first=first, last=last) if first is not None and last is not None:
                return sum(self.read(e.body, s) for s in range(first.step(self.steps), last.step(self.steps) + 1))
            case Slope():
                return self.slope(e.op.name, np.asarray(self.read(e.body, t)))
            case Apply():
                return self.apply(e, [self.read(arg, t) for arg in e.args])
        raise AssertionError(f"not read: {e}")

    def slope(self, name: str, x: Array) -> Any:
        """By the complex step."""
        return (x > 0).astype(float) if name == "relu" else OPERATIONS[name](x + 1e-30j).imag / 1e-30

    def apply(self, e: Apply, values: list[Any]) -> Any:
        name = e.op.name
        if name == "matmul" or name == "dot":
            return values[0] @ values[1]
        if name == "transpose" and e.ndim == 2:
            return values[0].T
        if name == "outer":
            return np.outer(*values)
        return self.entrywise(e, values)

    def entrywise(self, e: Apply, values: list[Any]) -> Any:
        if e.op.name == "power":
            return np.asarray(values[0]) ** float(e.attrs["exponent"])
        if e.op.name in OPERATIONS:
            return OPERATIONS[e.op.name](*values)
        return e.op.run(NumpyArrays(np.float64), e, *map(np.asarray, values))


class Matrices(Reader):
    """Of a batch, or of one example in rows: every value is a matrix, and numbers are (1, 1)."""

    def __init__(self, *given: Any, rows: bool) -> None:
        super().__init__(*given)
        self.rows = rows

    def right(self, line: Line, t: int) -> Array:
        return np.asarray(self.read(line.right, t))

    def apply(self, e: Apply, values: list[Any]) -> Any:
        name = e.op.name
        if name == "matmul":
            return values[0] @ values[1]
        if name == "transpose":
            return values[0].T
        if name == "sum_batch":
            return np.sum(values[0], axis=0 if self.rows else 1, keepdims=True)
        if name == "broadcast_to":
            return values[0]
        if self.rows:
            return self.entrywise(e, values)
        return np.asarray(self.entrywise(e, [np.asarray(value).T for value in values])).T


class Entries(Reader):
    """By entries: sums over indices are loops."""

    def __init__(self, *given: Any, shapes: Mapping[tuple[str, bool], Any]) -> None:
        super().__init__(*given)
        self.shapes = shapes
        self.at: dict[str, int] = {}

    def right(self, line: Line, t: int) -> Array:
        out = np.zeros(self.shapes[line.left.name, line.left.time is not None])
        for place in np.ndindex(*out.shape):
            self.at = dict(zip(line.left.indices, place, strict=True))
            out[place] = self.read(line.right, t)
        return out

    def known(self, symbol: Symbol, t: int) -> Any:
        kept, self.at = self.at, {}
        value = super().known(symbol, t)
        self.at = kept
        return value[tuple(self.at[i] for i in symbol.indices)]

    def read(self, e: Expression, t: int) -> Any:
        if isinstance(e, Total) and e.first is None:
            total = 0.0
            for k in range(self.size(e)):
                self.at[e.index] = k
                total += self.read(e.body, t)
            return total
        if isinstance(e, Entry):
            whole = np.asarray(super().read(e.body, t))
            return whole[tuple(self.at[i] for i in e.indices)]
        return super().read(e, t)

    def size(self, e: Total) -> int:
        """How many values the index of a sum has, by a symbol that has it."""
        symbol = next(s for s in symbols(e.body) if e.index in s.indices)
        return int(self.shapes[symbol.key][symbol.indices.index(e.index)])
