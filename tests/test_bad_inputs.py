"""Bad inputs, one table: each is answered by an error of the project's own family, with what, where and a remedy.

A row is a call on a `World` of nodes, the class of its error, words that the message must hold (labels, shapes,
names) and the hint: a `fix:` line unless the first line says itself what would be right.
"""

from __future__ import annotations

import copy
import math
import operator
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cases import cases, wanted
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygraph as tg
from tinygraph import Context, Input, Param, State, models
from tinygraph.errors import (
    CellError,
    DifferentiationError,
    FeedError,
    FileFormatError,
    GraphError,
    KindError,
    NameTakenError,
    NonFiniteError,
    ShapeError,
    TinygraphError,
    UnknownNameError,
    UsageError,
    ValueRangeError,
)
from tinygraph.graph.node import KINDS
from tinygraph.passes import PASSES, simplify

T, SIZES = 3, {"I": 2, "H": 4}
INFINITE = float("inf")
LIST = [1, 2, 3]


class World:
    """Nodes of every sort on one tape, a node of another tape, and a net."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.g = g = tg.Graph()
        self.x, self.y, self.s = g.input("x", (3,)), g.input("y", (4,)), g.input("s")
        self.e, self.A = g.input("e", (0,)), g.input("A", (2, 3, 4))
        self.n, self.k = g.input("n", kind="integer"), g.input("k", (3,), kind="integer")
        self.flag, self.flags = g.input("flag", kind="boolean"), g.input("flags", (3,), kind="boolean")
        self.W, self.U = g.parameter("W", (4, 3)), g.parameter("U", (4, 4))
        self.z = tg.Graph().input("z", (3,))

    @cached_property
    def net(self) -> tg.Unrolled:
        return tg.unroll(models.elman, T, **SIZES)

    @property
    def loss(self) -> tg.Node:
        return tg.sum(self.net.h[T], name="loss")

    @property
    def values(self) -> dict[str, Any]:
        return self.net.initial(seed=0)

    def run(self, node: Any, **options: Any) -> Any:
        """Evaluate a node of the tape `g`, fed with ones but for `options`."""
        plain = {"x": np.ones(3), "y": np.ones(4), "s": 1.0, "n": 1, "k": np.ones(3, int), "flag": True}
        plain |= {"W": np.ones((4, 3)), "U": np.ones((4, 4)), "A": np.ones((2, 3, 4)), "flags": np.ones(3, bool)}
        return tg.evaluate(node, plain | options)

    def unroll(self, cell: Any = models.elman, steps: Any = T, **options: Any) -> tg.Unrolled:
        return tg.unroll(cell, steps, **(SIZES | options))

    def feed(self, **changes: Any) -> Any:
        """Evaluate the net with good feeds, changed by name; None takes a feed away."""
        feeds = self.values | {"x": np.ones((T, 5, 2))} | changes
        return tg.evaluate(self.net.h[T], {name: v for name, v in feeds.items() if v is not None})

    def traced(self, node: Any, **feeds: Any) -> Any:
        return tg.evaluate(node, feeds, check_finite=True)

    def file(self, text: str) -> Any:
        path = self.folder / "broken.json"
        path.write_text(text)
        return tg.load(path)


@dataclass(frozen=True)
class Bad:
    name: str
    call: Callable[[World], Any]
    error: type[TinygraphError]
    words: tuple[str, ...] = ()
    hint: str = "fix:"


def bad(name: str, call: Callable[[World], Any], error: type[TinygraphError], *words: str, hint: str = "fix:") -> Bad:
    return Bad(name, call, error, words, hint)


SHAPES = [
    bad("add", lambda w: w.W + w.y, ShapeError, "add", "W", "y", "(4, 3)", "(4,)"),
    bad("add of three", lambda w: tg.add(w.x, w.s, w.y), ShapeError, "x", "y", "(3,)", "(4,)"),
    bad("an array is added", lambda w: w.x + np.ones(5), ShapeError, "x", "(3,)", "(5,)"),
    bad("comparison", lambda w: w.x > w.y, ShapeError, "greater", "(3,)", "(4,)"),
    bad("where", lambda w: tg.where(w.flag, w.x, w.y), ShapeError, "where", "x", "y", "(3,)", "(4,)"),
    bad("matmul", lambda w: w.W @ w.y, ShapeError, "W", "y", "(4, 3)", "(4,)", "a.T @ b", hint="transpose"),
    bad("matmul of a row", lambda w: w.x @ w.W, ShapeError, "x", "W", "(3,)", "(4, 3)"),
    bad("matmul of a scalar", lambda w: w.W @ w.s, ShapeError, "W", "s", "rank 2 and 0", "*"),
    bad("matmul of a tensor", lambda w: w.A @ w.y, ShapeError, "A", "(2, 3, 4)", "reshape"),
    bad("matmul with an array", lambda w: np.ones((2, 2)) @ w.x, ShapeError, "x", "(2, 2)", "(3,)"),
    bad("outer", lambda w: tg.outer(w.W, w.x), ShapeError, "outer", "W", "(4, 3)", hint="two vectors"),
    bad("dot", lambda w: tg.dot(w.x, w.y), ShapeError, "x", "y", "(3,)", "(4,)", hint="different sizes"),
    bad("dot of a matrix", lambda w: tg.dot(w.W, w.x), ShapeError, "W", "(4, 3)", hint="two vectors"),
    bad("bilinear of scalars", lambda w: tg.bilinear(w.s, w.W, w.x), ShapeError, "s", "W", "(4, 3)"),
    bad("bilinear", lambda w: tg.bilinear(w.x, w.W, w.y), ShapeError, "W", "(4, 3)", "(3,)", "(4,)"),
    bad(
        "transpose twice an axis", lambda w: tg.transpose(w.W, (0, 0)), ShapeError, "W", "(0, 0)", hint="order of the 2"
    ),
    bad("transpose too few", lambda w: tg.transpose(w.A, (0, 1)), ShapeError, "A", "(0, 1)", hint="order of the 3"),
    bad("transpose axis", lambda w: tg.transpose(w.W, (0, 2)), ShapeError, "W", "axis 2", "rank 2"),
    bad("transpose of one axis", lambda w: tg.transpose(w.W, 1), TinygraphError, "W", "axes", hint="axes"),
    bad("reshape", lambda w: tg.reshape(w.x, (2, 2)), ShapeError, "x", "3 entries", "(2, 2)", hint="cannot become"),
    bad("reshape twice -1", lambda w: tg.reshape(w.x, (-1, -1)), ShapeError, "x", "-1", hint="one"),
    bad("reshape -1 of 0", lambda w: tg.reshape(w.x, (-1, 0)), ShapeError, "x", "(-1, 0)", hint="cannot become"),
    bad("reshape to a float", lambda w: tg.reshape(w.x, (1.5, 2)), ShapeError, "x", "1.5", hint="whole number"),
    bad("reshape to text", lambda w: tg.reshape(w.x, "3"), TinygraphError, "x", "'3'", hint="size"),
    bad("broadcast_to", lambda w: tg.broadcast_to(w.x, (2,)), ShapeError, "x", "(3,)", "(2,)"),
    bad(
        "broadcast_to narrower", lambda w: tg.broadcast_to(w.x, (1,)), ShapeError, "x", "(3,)", "(1,)", hint="broadcast"
    ),
    bad("sum_to wider", lambda w: tg.sum_to(w.x, (4, 3)), ShapeError, "x", "(3,)", "(4, 3)", hint="sum to"),
    bad("concatenate", lambda w: tg.concatenate([w.W, w.U]), ShapeError, "W", "U", "(4, 3)", "(4, 4)", hint="axis"),
    bad("concatenate scalars", lambda w: tg.concatenate([w.s, w.s]), ShapeError, "s", "tg.stack"),
    bad("concatenate ranks", lambda w: tg.concatenate([w.x, w.W]), ShapeError, "x", "W", "(3,)", "(4, 3)", hint="axis"),
    bad("concatenate axis", lambda w: tg.concatenate([w.x, w.y], axis=1), ShapeError, "x", "axis 1"),
    bad("stack", lambda w: tg.stack([w.x, w.y]), ShapeError, "x", "y", "(3,)", "(4,)", hint="different shapes"),
    bad("stack axis", lambda w: tg.stack([w.x, w.x], axis=2), ShapeError, "x", "axis 2"),
    bad("sum axis", lambda w: tg.sum(w.x, axis=1), ShapeError, "sum", "x", "axis 1", "batch"),
    bad("sum axis twice", lambda w: tg.sum(w.W, axis=(0, -2)), ShapeError, "W", "(0, -2)", hint="twice"),
    bad("sum axis of text", lambda w: tg.sum(w.W, axis="rows"), ShapeError, "W", "'rows'", hint="whole number"),
    bad("mean of nothing", lambda w: tg.mean(w.e), ShapeError, "mean", "e", "(0,)", hint="no entries"),
    bad("max of nothing", lambda w: tg.max(w.e), ShapeError, "max", "e", "(0,)", hint="no entries"),
    bad("logsumexp of nothing", lambda w: tg.logsumexp(w.e), ShapeError, "e", "(0,)", hint="no entries"),
    bad("argmax of nothing", lambda w: tg.argmax(w.e), ShapeError, "argmax", "e", "(0,)", hint="no entry"),
    bad("argmax of a scalar", lambda w: tg.argmax(w.s), ShapeError, "argmax", "s", "rank 0"),
    bad("softmax of nothing", lambda w: tg.softmax(w.e), ShapeError, "softmax", "e", "(0,)", hint="no entry"),
    bad("softmax of a scalar", lambda w: tg.softmax(w.s), ShapeError, "softmax", "s", "rank 0"),
    bad("log_softmax axis", lambda w: tg.log_softmax(w.x, axis=2), ShapeError, "x", "axis 2"),
    bad("softmax axis twice", lambda w: tg.softmax(w.W, axis=(0, -2)), ShapeError, "W", "(0, -2)", hint="twice"),
    bad("cross_entropy of one-hot", lambda w: tg.cross_entropy(w.x, w.k), ShapeError, "x", "k", "(3,)", "one-hot"),
    bad("cross_entropy of a scalar", lambda w: tg.cross_entropy(w.s, w.n), ShapeError, "s", "n", "()"),
    bad("cross_entropy, no classes", lambda w: tg.cross_entropy(w.e, w.n), ShapeError, "e", "(0,)", hint="no classes"),
    bad("gather from a scalar", lambda w: tg.gather(w.s, w.n), ShapeError, "gather", "s"),
    bad("scatter_add", lambda w: tg.scatter_add(w.y, w.k, 9), ShapeError, "y", "k", "(4,)", "(3,)", hint="begin with"),
    bad("scatter_add size", lambda w: tg.scatter_add(w.x, w.k, -1), ShapeError, "x", "-1", hint="0 or more"),
    bad("one_hot size", lambda w: tg.one_hot(w.n, -1), ShapeError, "n", "-1", hint="0 or more"),
    bad("one_hot axis", lambda w: tg.one_hot(w.n, 3, axis=1), ShapeError, "n", "axis 1"),
    bad("slice of a scalar", lambda w: w.s[0], ShapeError, "s", "()"),
    bad("too many indices", lambda w: w.x[0, 0], ShapeError, "x", "(3,)", "batch"),
    bad("index past the end", lambda w: w.x[3], ShapeError, "x", "index 3", "size 3", hint="out of range"),
    bad("index before the start", lambda w: w.x[-4], ShapeError, "x", "index -4", "size 3", hint="out of range"),
    bad(
        "place", lambda w: tg.place(w.x, index=(0,), shape=(4,)), ShapeError, "x", "(3,)", "(4,)", hint="does not fill"
    ),
    bad("place axes", lambda w: tg.place(w.x, index=(0,), shape=(4, 3)), ShapeError, "x", "(4, 3)"),
    bad(
        "place past the end", lambda w: tg.place(w.s, index=(4,), shape=(4,)), ShapeError, "s", "index 4", hint="range"
    ),
]

KIND = [
    bad("integer into matmul", lambda w: w.W @ w.k, KindError, "matmul", "k", "integer", "tg.one_hot"),
    bad("boolean into add", lambda w: w.x + w.flag, KindError, "add", "flag", "boolean", "tg.real"),
    bad("integer into tanh", lambda w: tg.tanh(w.n), KindError, "tanh", "n", "integer"),
    bad("sum of integers", lambda w: tg.sum(w.k), KindError, "sum", "k", "integer", "tg.real"),
    bad("float for an index", lambda w: tg.gather(w.W, w.s), KindError, "gather", "s", "real", "kind='integer'"),
    bad("float number for an index", lambda w: tg.cross_entropy(w.x, 1.5), KindError, "1.5", hint="integer"),
    bad("float array for an index", lambda w: tg.gather(w.W, np.ones(2)), KindError, "float64", "round"),
    bad("one_hot of reals", lambda w: tg.one_hot(w.x, 3), KindError, "one_hot", "x", "real"),
    bad("real as a condition", lambda w: tg.where(w.x, w.x, 0), KindError, "where", "x", "real", "x > 0"),
    bad("integer as a condition", lambda w: tg.where(w.n, w.x, 0), KindError, "where", "n", "integer"),
    bad("a choice of two kinds", lambda w: tg.where(w.flag, w.s, w.n), KindError, "s", "n", "real, integer", "tg.real"),
    bad("comparison of booleans", lambda w: tg.greater(w.flag, w.flag), KindError, "greater", "flag", "boolean"),
    bad("comparison of two kinds", lambda w: w.s > w.n, KindError, "s", "n", "real, integer", "tg.real"),
    bad("integer beside float", lambda w: w.n > 0.5, KindError, "0.5", hint="integer"),
    bad("joined kinds", lambda w: tg.concatenate([w.x, w.k]), KindError, "x", "k", "real, integer", "tg.real"),
    bad("misspelt kind", lambda w: w.g.input("q", kind="interger"), KindError, "'interger'", "'integer'"),
    bad("kind of a constant", lambda w: w.g.constant("q", [1.5], kind="integer"), KindError, "float64", "round"),
    bad("boolean constant", lambda w: w.g.constant("q", [1, 0], kind="boolean"), KindError, "int64", "> 0"),
    bad("constant of text", lambda w: w.g.constant("q", ["a"]), KindError, "'a'", hint="numbers"),
    bad("constant of complex", lambda w: w.g.constant("q", [1j]), KindError, "complex128", hint="numbers"),
    bad("constant of objects", lambda w: w.x + np.array([None] * 3), KindError, "object", hint="numbers"),
]

CALLS = [
    bad("no operand", lambda w: tg.tanh(), UsageError, "tanh", "1 operand"),
    bad("one operand of two", lambda w: tg.matmul(w.W), UsageError, "matmul", "2 operands"),
    bad("nothing to add", lambda w: tg.add([]), UsageError, "add", hint="at least one"),
    bad("text as operand", lambda w: tg.tanh("x"), UsageError, "tanh", "'x'", "graph.input"),
    bad("numbers alone", lambda w: tg.add(1, 2), UsageError, "add", "1, 2", "graph.input"),
    bad("text beside a node", lambda w: w.x + "a", UsageError, "add", "'a'", "x", hint="number or array"),
    bad("list beside a node", lambda w: w.x + LIST, UsageError, "[1, 2, 3]", "x", hint="number or array"),
    bad("list before a node", lambda w: LIST + w.x, UsageError, "[1, 2, 3]", "x", hint="one by one"),
    bad("None beside a node", lambda w: w.x * None, UsageError, "mul", "None", "x", hint="number or array"),
    bad("complex number", lambda w: w.x * 1j, UsageError, "1j", "x", hint="number or array"),
    bad("unknown option", lambda w: tg.tanh(w.x, axis=0), UsageError, "tanh", "axis=0"),
    bad("misspelt option", lambda w: tg.sum(w.x, axes=0), UsageError, "sum", "'axes'", "axis"),
    bad("missing attribute", lambda w: tg.one_hot(w.n), UsageError, "one_hot", "n", "size"),
    bad("too many attributes", lambda w: tg.softmax(w.x, 0, 1), UsageError, "softmax", "x"),
    bad("label that is no text", lambda w: tg.tanh(w.x, name=3), UsageError, "3", hint="string"),
    bad("node as exponent", lambda w: w.x**w.s, UsageError, "power", "x", "s", "tg.exp"),
    bad("text as exponent", lambda w: w.x ** "2", UsageError, "power", "x", "'2'"),
    bad("complex exponent", lambda w: w.x**1j, UsageError, "power", "x", "1j"),
    bad("no exponent", lambda w: tg.power(w.x), UsageError, "power", "x", "exponent"),
    bad("number to a node", lambda w: 2**w.x, UsageError, "x", "tg.exp"),
    bad("modulo", lambda w: w.x % 2, UsageError, "x", "remainder"),
    bad("floor division", lambda w: w.x // 2, UsageError, "x", "division"),
    bad("absolute value", lambda w: abs(w.x), UsageError, "x", "tg.where"),
    bad("formatted as a number", lambda w: f"{w.s:.3f}", UsageError, "s", "tg.evaluate"),
    bad("entry set", lambda w: operator.setitem(w.x, 0, 1), UsageError, "x", "tg.where"),
    bad("backward slice", lambda w: w.x[::-1], UsageError, "-1", "tg.stack"),
    bad("slice that stands still", lambda w: w.x[::0], TinygraphError, "x", "0", hint="step"),
    bad("slice bounds", lambda w: w.x["a":], UsageError, "x", "'a'", hint="whole numbers"),
    bad("float index", lambda w: w.x[0.5], UsageError, "x", "0.5", "tg.gather"),
    bad("node as index", lambda w: w.x[w.n], UsageError, "x", "n", "tg.gather"),
    bad("array as index", lambda w: w.x[np.array([0, 1])], UsageError, "x", "array([0, 1])", "tg.gather"),
    bad("boolean index", lambda w: w.x[True], UsageError, "x", "True"),
    bad("new axis", lambda w: w.x[None], UsageError, "x", "None", "tg.reshape"),
    bad("let of a number", lambda w: tg.let("r", 3), UsageError, "'r'", "3", hint="node"),
    bad("let without a name", lambda w: tg.let("", w.x), UsageError, "x", "''", hint="not empty"),
]

PYTHON = [
    bad("if node", lambda w: bool(w.x > 0), UsageError, "tg.where"),
    bad("and", lambda w: (w.x > 0) and w.x, UsageError, "tg.where"),
    bad("max()", lambda w: max(w.x, w.y[:3]), UsageError, "tg.where"),
    bad("for in node", lambda w: list(w.x), UsageError, "x", "(3,)", "range"),
    bad("unpacking", lambda w: operator.setitem({}, 0, [*w.x]), UsageError, "x", "range"),
    bad("len", lambda w: len(w.x), UsageError, "x", "node.shape"),
    bad("in", lambda w: 3 in w.x, UsageError, "x", "tg.equal"),
    bad("float", lambda w: float(w.s), UsageError, "s", "tg.evaluate"),
    bad("int", lambda w: int(w.n), UsageError, "n", "tg.evaluate"),
    bad("complex", lambda w: complex(w.s), UsageError, "s", "tg.evaluate"),
    bad("range", lambda w: range(w.n), UsageError, "n", "tg.evaluate"),
    bad("math.sin", lambda w: math.sin(w.s), UsageError, "s", "tg.evaluate"),
    bad("np.asarray", lambda w: np.asarray(w.x), UsageError, "x", "tg.evaluate"),
    bad("np.array of a list", lambda w: np.array([w.x, w.x]), UsageError, "x", "tg.evaluate"),
    bad("np.dot", lambda w: np.dot(np.ones(3), w.x), UsageError, "x", "tg.evaluate"),
    bad("copy", lambda w: copy.copy(w.x), UsageError, "x", "tg.save"),
    bad("deepcopy", lambda w: copy.deepcopy({"a": [w.x]}), UsageError, "x", "tg.save"),
    bad("pickle", lambda w: pickle.dumps(w.x), UsageError, "x", "tg.save"),
    bad("copy of a graph", lambda w: copy.copy(w.g), UsageError, "graph", "tg.save"),
    bad("deepcopy of a net", lambda w: copy.deepcopy(w.net), UsageError, "graph", "tg.save"),
    bad("pickle of a graph", lambda w: pickle.dumps(w.g), UsageError, "graph", "tg.save"),
]

TAPE = [
    bad("name taken by an input", lambda w: w.g.input("x", (3,)), NameTakenError, "'x'", "an input"),
    bad("name taken by a parameter", lambda w: w.g.sequence("W", 2), NameTakenError, "'W'", "a parameter"),
    bad("empty name", lambda w: w.g.input("", (3,)), UsageError, "''", hint="not empty"),
    bad("name that is no text", lambda w: w.g.parameter(3, (3,)), UsageError, "3", hint="name"),
    bad("constant of no text", lambda w: w.g.constant(3, 3), UsageError, "3", hint="string"),
    bad("negative size", lambda w: w.g.parameter("q", (3, -1)), ShapeError, "-1", hint="0 or more"),
    bad("size that is not whole", lambda w: w.g.input("q", (2.5,)), ShapeError, "2.5", hint="whole number"),
    bad("boolean size", lambda w: w.g.input("q", (True,)), ShapeError, "True", hint="0 or more"),
    bad("shape of text", lambda w: w.g.input("q", "34"), ShapeError, "'34'", hint="(4, 3)"),
    bad("no shape", lambda w: w.g.input("q", None), ShapeError, "None", hint="(4, 3)"),
    bad("nested shape", lambda w: w.g.input("q", ((1, 2), 3)), ShapeError, "(1, 2)", hint="whole number"),
    bad("sequence of no steps", lambda w: w.g.sequence("q", 0), UsageError, "'q'", "steps=1"),
    bad("sequence of -1 steps", lambda w: w.g.sequence("q", -1), ShapeError, "-1", hint="steps"),
    bad("constant of nothing", lambda w: w.g.constant("q"), UsageError, "'q'", hint="exactly one"),
    bad("constant of two", lambda w: w.g.constant("q", 1, zeros=(3,)), UsageError, "'q'", hint="exactly one"),
    bad("ragged constant", lambda w: w.g.constant("q", [[1, 2], [3]]), UsageError, "[[1, 2], [3]]", hint="lengths"),
    bad(
        "integer too large", lambda w: w.run(w.g.constant("q", 2**80, kind="integer")), TinygraphError, hint="too large"
    ),
    bad("number of text", lambda w: w.g.number("a"), UsageError, "'a'", hint="number"),
    bad("step that is not whole", lambda w: w.g.at(step=1.5).__enter__(), UsageError, "1.5", hint="whole number"),
    bad("scope that is no text", lambda w: w.g.at(scope=3).__enter__(), UsageError, "3", hint="string"),
    bad("unknown label", lambda w: w.net.graph["hh"], UnknownNameError, "'hh'", "'h'"),
    bad("ambiguous label", lambda w: w.net.graph["h"], UnknownNameError, "'h'", "h_1", "h_2", "graph[label, step]"),
    bad("unknown step of a label", lambda w: w.net.graph["h", 9], UnknownNameError, "'h'", "9", "3"),
    bad("label of three parts", lambda w: w.net.graph["h", 1, 2], TinygraphError, "'h'", hint="label, step"),
    bad("step that does not exist", lambda w: w.net.h[T + 1], UnknownNameError, "h[4]", "0 to 3"),
    bad("last of no steps", lambda w: tg.Steps("o").last, UnknownNameError, "o", "no steps"),
    bad("two tapes added", lambda w: w.x + w.z, GraphError, "x", "z", "tg.Graph()"),
    bad("two tapes concatenated", lambda w: tg.concatenate([w.x, w.z]), GraphError, "x", "z", "tg.Graph()"),
    bad("two tapes evaluated", lambda w: tg.evaluate([w.x, w.z], {}), GraphError, "x", "z", hint="tapes"),
    bad("two tapes differentiated", lambda w: tg.grad(w.s, w.z), GraphError, "s", "z", "tg.Graph()"),
    bad("text of another tape", lambda w: w.g.text([w.z]), GraphError, "z", hint="tape"),
    bad("networkx of another tape", lambda w: w.g.to_networkx([w.z]), GraphError, "z", hint="tape"),
    bad("text of a number", lambda w: w.g.text([3]), UsageError, "3", hint="node"),
    bad("relabelled on another tape", lambda w: w.g.relabel(w.z, "q"), GraphError, "z", hint="tape"),
    bad("LaTeX of a number", lambda w: tg.latex(3), UsageError, "3", hint="cells, nets, graphs and nodes"),
    bad("notation of text", lambda w: tg.latex(models.elman, notation="U"), UsageError, "notation", hint="dict"),
    bad("validate a node", lambda w: tg.validate(w.x), UsageError, "x", hint="graph"),
    *(bad(f"{name} of a number", lambda w, p=p: p(3), UsageError, "3") for name, p in PASSES.items()),
    bad("gone in a pass", lambda w: simplify(w.s).of(w.W), UsageError, "W", hint="nothing for this node"),
    bad("text in a pass", lambda w: simplify(w.s).of("W"), UsageError, "'W'", hint="node"),
]

DERIVATIVES = [
    bad("gradient of a vector", lambda w: tg.grad(w.x, w.W), DifferentiationError, "x", "(3,)", "tg.jacobian"),
    bad("gradient of an integer", lambda w: tg.grad(w.n, w.W), DifferentiationError, "n", "integer"),
    bad("gradient of a boolean", lambda w: tg.grad(w.s > 0, w.s), DifferentiationError, "boolean"),
    bad("gradient by an integer", lambda w: tg.grad(w.s, [w.W, w.n]), DifferentiationError, "n", "integer", "table"),
    bad("gradient of a number", lambda w: tg.grad(3.0, w.W), UsageError, "3.0", hint="nodes"),
    bad("gradient by a name", lambda w: tg.grad(w.s, "W"), UsageError, "'W'", hint="nodes"),
    bad("gradient by None", lambda w: tg.grad(w.s, {"W": None}), UsageError, "None", hint="nodes"),
    bad("gradient of a list", lambda w: tg.grad([w.s, w.s], w.s), UsageError, "s", hint="nodes"),
    bad("cotangent shape", lambda w: tg.vjp(w.x, w.x, np.ones(4)), ShapeError, "x", "(4,)", "(3,)"),
    bad("cotangent kind", lambda w: tg.vjp(w.x, w.x, w.k), ShapeError, "x", "k", "integer"),
    bad("cotangent count", lambda w: tg.vjp([w.x, w.s], w.x, [1.0]), UsageError, "2 outputs", "1", hint="as many"),
    bad("cotangent of text", lambda w: tg.vjp(w.s, w.s, "a"), UsageError, "'a'", hint="number"),
    bad("cotangent of objects", lambda w: tg.vjp(w.x, w.x, np.array([None] * 3)), KindError, "object", hint="numbers"),
    bad("cotangent of another tape", lambda w: tg.vjp(w.x, w.x, w.z), GraphError, "x", "z", hint="another tape"),
    bad("batched cotangent", lambda w: tg.vjp(w.W[0], w.W, w.x), ShapeError, "x", "(3,)"),
    bad("tangent shape", lambda w: tg.jvp(w.x, w.W, np.ones(4)), ShapeError, "W", "(4,)", "(4, 3)"),
    bad("tangent count", lambda w: tg.jvp(w.x, [w.W, w.U], [np.ones((4, 3))]), UsageError, "2 nodes", hint="as many"),
    bad("vector of an hvp", lambda w: tg.hvp(tg.sum(w.W), w.W, np.ones(4)), ShapeError, "(4,)", "(4, 3)"),
    bad("vectors of an hvp", lambda w: tg.hvp(tg.sum(w.W), [w.W], []), UsageError, "1 nodes", hint="as many"),
    bad("jacobian of a number", lambda w: tg.jacobian(1, w.x), UsageError, "1", hint="nodes"),
    bad("jacobian by a list", lambda w: tg.jacobian(w.x, [w.x]), UsageError, "x", hint="nodes"),
    bad("jacobian of symbols", lambda w: tg.jacobian(w.x, w.k), DifferentiationError, "k", "integer"),
    bad(
        "jacobian through a batch sum",
        lambda w: tg.jacobian(w.x - tg.sum_batch(tg.tanh(w.x, name="h"), name="total"), w.x),
        DifferentiationError,
        "total",
        "batch",
    ),
]

FEEDS = [
    bad("missing parameter", lambda w: w.feed(U=None), FeedError, "'U'", "(4, 4)", "net.initial"),
    bad("missing input", lambda w: w.feed(x=None), FeedError, "'x'", "x_1", "add it"),
    bad("nothing fed", lambda w: tg.evaluate(w.net.h[1]), FeedError, "'W'", "'x'"),
    bad("misspelt feed", lambda w: w.feed(WW=1), UnknownNameError, "'WW'", "'W'"),
    bad("unknown feed", lambda w: w.feed(temperature=1), UnknownNameError, "'temperature'", "choose from"),
    bad("feed under a number", lambda w: tg.evaluate(w.x, {3: 1}), UnknownNameError, "3"),
    bad("wrong T", lambda w: w.feed(x=np.ones((T + 1, 5, 2))), FeedError, "'x'", "(4, 5, 2)", "(3, B, 2)"),
    bad("wrong input size", lambda w: w.feed(x=np.ones((T, 3))), FeedError, "'x'", "(3, 3)", "(3, 2)"),
    bad("batch before time", lambda w: w.feed(x=np.ones((5, T, 2))), FeedError, "'x'", "(5, 3, 2)", "(3, B, 2)"),
    bad("wrong parameter shape", lambda w: w.feed(W=np.ones((2, 4))), FeedError, "'W'", "(2, 4)", "(4, 2)"),
    bad("wrong vector shape", lambda w: w.feed(b=np.ones(5)), FeedError, "'b'", "(5,)", "feed shape (4,)"),
    bad("batched parameter", lambda w: w.feed(U=np.ones((5, 4, 4))), FeedError, "'U'", "(5, 4, 4)", "(4, 4)"),
    bad("scalar for a vector", lambda w: w.run(w.x, x=1.0), FeedError, "'x'", "()", "(3,) or"),
    bad("text", lambda w: w.run(w.s, s="1"), FeedError, "'s'", "real", "<U1"),
    bad("objects", lambda w: w.run(w.x, x=[1, None, 2]), FeedError, "'x'", "object"),
    bad("complex", lambda w: w.run(w.s, s=1j), FeedError, "'s'", "complex128"),
    bad("boolean for a real", lambda w: w.run(w.s, s=True), FeedError, "'s'", "bool", "astype(float)"),
    bad("float for an integer", lambda w: w.run(w.n, n=1.0), FeedError, "'n'", "integer", "float64", "astype(int)"),
    bad("boolean for an integer", lambda w: w.run(w.n, n=True), FeedError, "'n'", "integer", "bool"),
    bad("integer for a boolean", lambda w: w.run(w.flag, flag=1), FeedError, "'flag'", "boolean", "int64", "> 0"),
    bad("huge integer", lambda w: w.run(w.n, n=2**80), FeedError, "'n'", "object"),
    bad("unsigned overflow", lambda w: w.run(w.n, n=np.uint64(2**63)), FeedError, "'n'", hint="64"),
    bad("ragged lists", lambda w: w.run(w.x, x=[[1, 2, 3], [1, 2]]), FeedError, "'x'", "(3,)", "mask"),
    bad("a node", lambda w: w.run(w.s, s=w.x), FeedError, "'s'", "tg.evaluate"),
    bad("a list of nodes", lambda w: w.run(w.x, x=[w.s] * 3), TinygraphError, "s", "tg.evaluate"),
    bad("fed to an interior node", lambda w: tg.evaluate(w.x + 1, {w.x * 2: 1}), FeedError, "mul", "input"),
    bad("fed to a constant", lambda w: tg.evaluate(w.x, {w.g.constant("q", 1): 1}), FeedError, "q", "input"),
    bad("fed to another tape", lambda w: tg.evaluate(w.x, {w.z: np.ones(3)}), GraphError, "z", hint="another tape"),
    bad("two batch sizes", lambda w: w.run(w.x + w.s, x=np.ones((5, 3)), s=np.ones(6)), FeedError, "x", "5", "s", "6"),
    bad("batch and none", lambda w: w.run(w.x + w.s, x=np.ones((5, 3)), s=1.0), FeedError, "x", "5", "no batch"),
    bad("a list of feeds", lambda w: tg.evaluate(w.x, [1]), UsageError, "list", hint="dict"),
    bad("objects for SymPy", lambda w: _symbolic(w, None), FeedError, "'s'", "None", hint="neither"),
    bad("code for SymPy", lambda w: _symbolic(w, "1 + 1"), FeedError, "'s'", "1 + 1", hint="neither"),
]


def _symbolic(w: World, entry: Any) -> Any:
    """Evaluate with SymPy what may hold expressions and numbers, but is fed `entry`."""
    return tg.evaluate(tg.tanh(w.s), {"s": np.array(entry, dtype=object)}, dtype="sympy")


RUNS = [
    bad("unknown dtype", lambda w: tg.evaluate(w.s, {"s": 1}, dtype="float46"), UsageError, "'float46'", "'float64'"),
    bad("dtype of a number", lambda w: tg.evaluate(w.s, {"s": 1}, dtype=3), UsageError, "3", "float32"),
    bad("outputs that are text", lambda w: tg.evaluate("h", {}), UsageError, "'h'", hint="nodes"),
    bad("outputs that are numbers", lambda w: tg.evaluate([w.s, 3], {"s": 1}), UsageError, "3", hint="nodes"),
    bad("outputs that are a net", lambda w: tg.evaluate(w.net, {}), UsageError, "elman", hint="nodes"),
    bad(
        "gather past the end", lambda w: w.run(tg.gather(w.W, w.k), k=[0, 4, 1]), ValueRangeError, "gather", "4", "0..3"
    ),
    bad("gather before the start", lambda w: w.run(tg.gather(w.W, w.n), n=-1), ValueRangeError, "gather", "-1", "0..3"),
    bad("one_hot past the end", lambda w: w.run(tg.one_hot(w.n, 3), n=3), ValueRangeError, "one_hot", "3", "0..2"),
    bad("one_hot before the start", lambda w: w.run(tg.one_hot(w.n, 3), n=-1), ValueRangeError, "-1", "0..2"),
    bad("target past the end", lambda w: w.run(tg.cross_entropy(w.x, w.n), n=3), ValueRangeError, "cross_entropy", "3"),
    bad("target of -1", lambda w: w.run(tg.cross_entropy(w.x, w.n), n=-1), ValueRangeError, "-1", "0..2"),
    bad("scatter_add", lambda w: w.run(tg.scatter_add(w.x, w.k, 2), k=[0, 1, 2]), ValueRangeError, "2", "0..1"),
    bad(
        "one bad index of a batch",
        lambda w: tg.evaluate(tg.gather(w.W, w.k), {"W": np.ones((4, 3)), "k": [[0, 1, 2], [3, 2, 7]]}),
        ValueRangeError,
        "7",
        "(1, 2)",
    ),
    bad("NaN in a feed", lambda w: w.traced(w.s * 2, s=math.nan), NonFiniteError, "feed of s", "1 of 1"),
    bad("Inf in a sequence", lambda w: _infinite_feed(w), NonFiniteError, "feed of x_2", "step 2", "inf"),
    bad("NaN in a parameter", lambda w: w.traced(w.W[0], W=np.full((4, 3), math.nan)), NonFiniteError, "W", "12 of 12"),
    bad("NaN in a constant", lambda w: w.traced(w.g.constant("q", [math.nan])), NonFiniteError, "constant", "q"),
    bad(
        "overflow",
        lambda w: _traced(w, tg.exp, 1000.0),
        NonFiniteError,
        "burst_7",
        "exp",
        "step 7",
        "from s",
        "1000",
        "softmax",
    ),
    bad("log of 0", lambda w: _traced(w, tg.log, 0.0), NonFiniteError, "burst_7", "step 7", "from s", "tg.log_softmax"),
    bad("division by 0", lambda w: _traced(w, lambda s: 1 / s, 0.0), NonFiniteError, "burst_7", "div", "divisor"),
    bad("root of -1", lambda w: _traced(w, tg.sqrt, -1.0), NonFiniteError, "burst_7", "sqrt", "-1", "negative"),
    bad("negative power of 0", lambda w: _traced(w, lambda s: s**-1, 0.0), NonFiniteError, "burst_7", "power"),
]


def _infinite_feed(w: World) -> Any:
    x = np.ones((T, 2))
    x[1, 0] = INFINITE
    return tg.evaluate(w.net.h[T], w.values | {"x": x}, check_finite=True)


def _traced(w: World, function: Callable[[tg.Node], tg.Node], s: float) -> Any:
    """A value labelled `burst` at time step 7, from a feed that makes it infinite or NaN."""
    with w.g.at(step=7):
        burst = w.g.relabel(function(w.s), "burst")
    return w.traced(burst + 1, s=s)


UNROLL = [
    bad("not a cell", lambda w: w.unroll("elman"), UsageError, "'elman'", "@tinygraph.cell"),
    bad("no steps", lambda w: w.unroll(steps=0), UsageError, "at least one step", "steps=1"),
    bad("negative steps", lambda w: w.unroll(steps=-2), ShapeError, "-2", hint="steps"),
    bad("steps that are not whole", lambda w: w.unroll(steps=2.5), ShapeError, "2.5", hint="steps"),
    bad("missing size", lambda w: tg.unroll(models.elman, T, I=2), UsageError, "elman", "H", "H=4"),
    bad("unknown size", lambda w: w.unroll(hidden=3), UnknownNameError, "elman", "'hidden'", "H"),
    bad("negative size", lambda w: w.unroll(H=-4), ShapeError, "size H", "-4", hint="0 or more"),
    bad("size of text", lambda w: w.unroll(H="4"), ShapeError, "size H", "'4'", hint="whole number"),
    bad("unknown input", lambda w: w.unroll(inputs={"X": w.net.x}), UnknownNameError, "elman", "'X'", "x"),
    bad("input of too few steps", lambda w: w.unroll(steps=T + 1, inputs={"x": w.net.x}), ShapeError, "'x'", "1 to 4"),
    bad("input of arrays", lambda w: w.unroll(inputs={"x": np.ones((T, 2))}), ShapeError, "'x'", "from step to node"),
    bad("input of numbers", lambda w: w.unroll(inputs={"x": {1: 1, 2: 1, 3: 1}}), TinygraphError, "'x'", "node"),
    bad(
        "input of another size", lambda w: w.unroll(inputs={"x": w.net.h}), ShapeError, "'x'", "(4,)", "I=2", hint="'I'"
    ),
    bad("late input of another size", lambda w: _late_input(w), ShapeError, "x2", "(4,)"),
    bad("input of another kind", lambda w: _symbols(w), KindError, "x_1", "integer"),
    bad("unknown context", lambda w: w.unroll(contexts={"a": w.x}), UnknownNameError, "elman", "'a'", "none"),
    bad("unknown parameters", lambda w: w.unroll(parameters={"W_i": w.W}), UnknownNameError, "elman", "W"),
    bad(
        "parameters of another shape",
        lambda w: w.unroll(parameters={"W": w.U}),
        ShapeError,
        "'W'",
        "(4, 4)",
        hint="'H I'",
    ),
    bad(
        "parameters of two tapes",
        lambda w: w.unroll(parameters={"W": w.W[:, :2], "b": w.z}),
        GraphError,
        "z",
        "tg.Graph",
    ),
    bad("parameters that are arrays", lambda w: w.unroll(parameters=w.values), UsageError, "'W'", "node"),
    bad("parameters in a list", lambda w: w.unroll(parameters=[w.W]), UsageError, "parameters", "dict"),
    bad("unknown initial", lambda w: w.unroll(initial="random"), UsageError, "'random'", "learned"),
    bad("initial of no state", lambda w: w.unroll(initial={"c": "fed"}), UnknownNameError, "elman", "'c'", "h"),
    bad("initial of another shape", lambda w: w.unroll(initial={"h": w.x}), ShapeError, "'h'", "(3,)", hint="'H'"),
    bad("initial array", lambda w: w.unroll(initial={"h": np.zeros(4)}), UsageError, "'h'", "node"),
    bad("mask of text", lambda w: w.unroll(mask="yes"), UsageError, "mask", "'yes'"),
    bad("mask of arrays", lambda w: w.unroll(mask=np.ones(T, bool)), UsageError, "mask"),
    bad("mask of one node", lambda w: w.unroll(mask=w.flag), UsageError, "mask", "flag"),
    bad("mask of reals", lambda w: _mask(w, dict.fromkeys(range(1, T + 1), w.s)), KindError, "s", "boolean"),
    bad("mask of too few steps", lambda w: _mask(w, {1: w.flag}), ShapeError, "'mask'", "1 to 3"),
    bad("two nets without scopes", lambda w: w.unroll(graph=w.net.graph), NameTakenError, "'W'"),
    bad("scope of a number", lambda w: w.unroll(scope=3), UsageError, "3", hint="string"),
    bad("graph of a number", lambda w: w.unroll(graph=3), UsageError, "3", "tg.Graph()"),
]


def _late_input(w: World) -> Any:
    """An input whose second step has another shape than the first."""
    g = tg.Graph()
    return w.unroll(inputs={"x": {1: g.input("x1", (2,)), 2: g.input("x2", (4,)), 3: g.input("x3", (2,))}})


def _symbols(w: World) -> Any:
    g = tg.Graph()
    return w.unroll(inputs={"x": g.sequence("x", T, (2,), kind="integer")})


def _mask(w: World, mask: Any) -> Any:
    return w.unroll(mask=mask, graph=w.g, scope="new")


def _cell(signature: str, body: str = "h") -> tg.Cell:
    """A cell from the text of its signature and of what it returns."""
    names: dict[str, Any] = {
        "Input": Input, "State": State, "Param": Param, "Context": Context, "tg": tg, "np": np,
    }  # fmt: skip
    exec(f"def odd({signature}):\n    return {body}", names)
    return tg.cell(names["odd"])


STATE = 'h: State["H"]'


def _run_cell(body: str, signature: str = STATE, steps: int = 2) -> Any:
    return tg.unroll(_cell(signature, body), steps, H=3)


CELLS = [
    bad("no role", lambda w: _cell(f"x, {STATE}"), CellError, "odd", "'x'", "Input"),
    bad("role without a shape", lambda w: _cell(f"x: Input, {STATE}"), CellError, "odd", "'x'", 'Input["I"]'),
    bad("type for a role", lambda w: _cell(f"x: int, {STATE}"), CellError, "odd", "'x'", "Input"),
    bad("unknown name in a role", lambda w: _cell(f"x: 'Inptu', {STATE}"), CellError, "odd", "'x'", "Input"),
    bad("size with a comma", lambda w: _cell('h: State["H,I"]'), CellError, "'H,I'", "apart by blanks"),
    bad("size with a minus", lambda w: _cell('h: State["H-1"]'), CellError, "'H-1'", "2*H"),
    bad("size with an open product", lambda w: _cell('h: State["2*"]'), CellError, "'2*'", "2*H"),
    bad("size with an open sum", lambda w: _cell('h: State["H+"]'), CellError, "'H+'", "2*H"),
    bad("size of a number", lambda w: _cell("h: State[4]"), CellError, "4", hint="'H I'"),
    bad("no state", lambda w: _cell('x: Input["I"]', "x"), CellError, "odd", "no state", "State"),
    bad("star argument", lambda w: _cell('*h: State["H"]'), CellError, "odd", "'h'", hint="plain argument"),
    bad("keyword argument", lambda w: _cell('*, h: State["H"]'), CellError, "odd", "'h'", hint="plain argument"),
    bad("unknown initialiser", lambda w: _cell(f'W: Param["H", "glorrot"], {STATE}'), UnknownNameError, "'glorot'"),
    bad(
        "initialiser of a state",
        lambda w: _cell('h: State["H", "zeros"]'),
        CellError,
        "State",
        "'zeros'",
        hint="option",
    ),
    bad("unknown kind", lambda w: _cell(f'x: Input["", "int"], {STATE}'), CellError, "'int'", "'integer'"),
    bad("three options", lambda w: _cell('h: Param["H", "ones", "x"]'), CellError, "Param", hint="option"),
    bad("unknown output", lambda w: tg.cell(output="y")(models.elman.function), CellError, "elman", "'y'", hint="h"),
    bad("cell of a number", lambda w: tg.cell(3), CellError, "3", hint="function"),
    bad("too few new states", lambda w: _run_cell("h", STATE + ', c: State["H"]'), CellError, "odd", "1", "h, c"),
    bad("too many new states", lambda w: _run_cell("(h, h)"), CellError, "odd", "2", "h"),
    bad("new state that is no node", lambda w: _run_cell("3"), CellError, "odd", "node"),
    bad("new states in a list", lambda w: _run_cell("[h]"), CellError, "odd", "node"),
    bad("no new state", lambda w: _run_cell("None"), CellError, "odd", "node"),
    bad("shape of a new state", lambda w: _run_cell("h[:2]"), CellError, "odd", "'h'", "(2,)", "(3,)", hint="declared"),
    bad(
        "kind of a new state",
        lambda w: _run_cell("h > 0", steps=1),
        TinygraphError,
        "odd",
        "'h'",
        "boolean",
        hint="real",
    ),
    bad("state made twice", lambda w: _run_cell("tg.let('h', tg.let('h', h))"), CellError, "odd", "'h'", hint="twice"),
    bad("error in the equations", lambda w: _run_cell("h + np.ones(2)"), ShapeError, "h_0", "(3,)", "(2,)"),
    bad("called with too few nodes", lambda w: models.elman(w.x), UsageError, "elman", "x, h, W, U, b"),
    bad(
        "called with unknown names", lambda w: models.elman(w.x, w.y, w.W, w.U, w.y, V=w.W), UsageError, "elman", "'V'"
    ),
    bad("called with numbers", lambda w: models.elman(1, 2, 3, 4, 5), UsageError, "elman", hint="node"),
]

MODELS = [
    bad("unknown activation", lambda w: models.readout(w.net, 3, activation="sofmax"), UnknownNameError, "'softmax'"),
    bad("negative readout", lambda w: models.readout(w.net, -3), ShapeError, "-3", hint="0 or more"),
    bad(
        "second readout",
        lambda w: [models.readout(w.net, 3), models.readout(w.net, 5)],
        ShapeError,
        "'V'",
        "(3, 4)",
        hint="(5, 4)",
    ),
    bad("readout of a cell", lambda w: models.readout(models.elman, 3), UsageError, "elman", "unroll"),
    bad("readout of a node", lambda w: models.readout(w.x, 3), UsageError, "x", "unroll"),
    bad("loss of a node", lambda w: models.softmax_cross_entropy(w.x), UsageError, "x", "step"),
    bad("loss of a net", lambda w: models.softmax_cross_entropy(w.net), UsageError, "elman", "readout"),
    bad("loss of no steps", lambda w: models.softmax_cross_entropy(tg.Steps("o")), TinygraphError, "o", "no steps"),
    bad("loss of later steps", lambda w: _loss_of({2: w.net.h[2]}), UsageError, "[2]", hint="1..T"),
    bad("targets of too few steps", lambda w: _loss_of(w.net.output, {1: w.n}), ShapeError, "3", hint="targets"),
    bad("targets of reals", lambda w: models.softmax_cross_entropy(w.net.output, w.net.output), TinygraphError, "h_1"),
    bad("targets of arrays", lambda w: _loss_of(w.net.output, np.zeros(3, int)), TinygraphError, "targets", "node"),
    bad(
        "targets of a shape",
        lambda w: models.mean_square(w.net.output, w.net.x),
        ShapeError,
        "h_1",
        "x_1",
        "(4,)",
        "(2,)",
    ),
    bad("two losses", lambda w: [models.mean_square(w.net.output) for _ in "12"], NameTakenError, "'y'"),
    bad("mask of a loss", lambda w: models.mean_square(w.net.output, mask=[1, 1, 1]), TinygraphError, "mask"),
    bad("mask of a loss, too short", lambda w: _masked(w, 2), UnknownNameError, "m[3]", "1 to 2"),
    bad("mask of a loss, reals", lambda w: models.mean_square(w.net.output, mask=w.net.output), KindError, "boolean"),
    bad("no layers", lambda w: _stack(layers=0), UsageError, hint="at least one layer"),
    bad("layers and cells", lambda w: _stack([models.elman], layers=2), UsageError, "1", "2", hint="layers"),
    bad("layers that are not whole", lambda w: _stack(layers=1.5), TinygraphError, "1.5", hint="whole number"),
    bad("stack of text", lambda w: _stack(["elman"]), UsageError, "'elman'", "cell"),
    bad("stack of one name", lambda w: _stack("elman"), UsageError, "'elman'", "cell"),
    bad("stack size", lambda w: _stack(K=3), UnknownNameError, "'K'", "H"),
    bad("stack without sizes", lambda w: models.stack(models.elman, T), UsageError, "elman", "H"),
    bad("stack parameters", lambda w: _stack(parameters=w.net.parameters), UnknownNameError, "W", "layer1/W"),
    bad("stack steps", lambda w: models.stack(models.elman, 0, **SIZES), UsageError, "steps=1"),
    bad("online of a cell", lambda w: models.Online(models.elman, {}), UsageError, "elman", "unroll"),
    bad("online without values", lambda w: models.Online(w.net, {}), FeedError, "W, U, b", "net.initial"),
    bad("online input size", lambda w: _online(w).step(np.ones(7)), FeedError, "'x'", "7", "(1, 2)"),
    bad("online ragged input", lambda w: _online(w).step([[1, 2], [3]]), FeedError, "'x'"),
    bad("online input of text", lambda w: _online(w).step("ab"), FeedError, "'x'", "real"),
    bad("online input of a node", lambda w: _online(w).step(w.x), TinygraphError, "x", "tg.evaluate"),
    bad("online unknown state", lambda w: _online(w).step(np.ones(2), {"hh": 1}), UnknownNameError, "'hh'", "'h'"),
    bad("online missing state", lambda w: _online(w).step(np.ones(2), {}), FeedError, "h_0"),
    bad("online state size", lambda w: _online(w).step(np.ones(2), {"h": np.ones(3)}), FeedError, "h_0", "(3,)"),
    bad("online batch", lambda w: _online(w).zero_state(-1), ShapeError, "-1", hint="batch"),
    bad("learning rate", lambda w: models.Adagrad(0), UsageError, "0", hint="above 0"),
    bad("learning rate of text", lambda w: models.Adagrad("0.1"), UsageError, "'0.1'", hint="above 0"),
    bad("learning rate of NaN", lambda w: models.Adagrad(math.nan), UsageError, "nan", hint="above 0"),
    bad("epsilon", lambda w: models.Adagrad(epsilon=-1), UsageError, "-1", hint="epsilon"),
    bad("gradient of no value", lambda w: _adagrad(V=np.ones(2)), UnknownNameError, "'V'", "W"),
    bad(
        "gradient of another shape", lambda w: _adagrad(W=np.ones(3)), ShapeError, "'W'", "(3,)", "(2, 2)", hint="shape"
    ),
    bad(
        "gradient that broadcasts", lambda w: _adagrad(W=np.ones(2)), ShapeError, "'W'", "(2,)", "(2, 2)", hint="shape"
    ),
    bad(
        "negative threshold",
        lambda w: models.clip_by_global_norm({"W": np.ones(2)}, -1),
        UsageError,
        "-1",
        hint="above 0",
    ),
    bad(
        "threshold of NaN",
        lambda w: models.clip_by_global_norm({"W": np.ones(2)}, math.nan),
        UsageError,
        "nan",
        hint="above 0",
    ),
    bad("threshold of text", lambda w: models.clip_by_value({"W": np.ones(2)}, "1"), UsageError, "'1'", hint="above 0"),
    bad("negative bound", lambda w: models.clip_by_value({"W": np.ones(2)}, -1), UsageError, "-1", hint="above 0"),
    bad("seed", lambda w: w.net.initial(seed=-1), UsageError, "-1", hint="0 or more"),
    bad("seed of a float", lambda w: w.net.initial(seed=1.5), UsageError, "1.5", hint="whole number"),
    bad("initialiser", lambda w: w.net.initial(how="glorrot"), UnknownNameError, "'glorrot'", "'glorot'"),
    bad("initialiser of a parameter", lambda w: w.net.initial(how={"w": "zeros"}), UnknownNameError, "'w'", "W"),
    bad("initialiser of a number", lambda w: w.net.initial(how=3), UsageError, "3"),
    bad("initialiser of W", lambda w: w.net.initial(how={"W": 3}), UsageError, "W", "3"),
    bad("initialiser shape", lambda w: _initialised(w, lambda s, r: np.ones(7)), ShapeError, "W", "(7,)", "(4, 2)"),
    bad("identity of a vector", lambda w: w.net.initial(how={"b": "identity"}), UsageError, "(4,)", hint="matrices"),
    bad(
        "unknown character",
        lambda w: models.Vocabulary.of("ab").encode("abz"),
        ValueRangeError,
        "'z'",
        hint="vocabulary",
    ),
    bad("unknown symbol", lambda w: models.Vocabulary.of("ab").decode([0, 2]), ValueRangeError, "2", hint="0..1"),
    bad("negative symbol", lambda w: models.Vocabulary.of("ab").decode([-1]), ValueRangeError, "-1", hint="0..1"),
    bad("text too short", lambda w: _batches(4, 5, 2), UsageError, "4 symbols", "5 steps"),
    bad("streams of no steps", lambda w: _batches(9, 0, 2), UsageError, "0", hint="steps"),
    bad("no streams", lambda w: _batches(9, 2, 0), UsageError, "0", hint="stream"),
]


def _loss_of(steps: Any, targets: Any = None) -> Any:
    outputs = steps if isinstance(steps, tg.Steps) else tg.Steps("o", steps.items())
    targets = tg.Steps("y", targets.items()) if isinstance(targets, dict) else targets
    return models.softmax_cross_entropy(outputs, targets)


def _masked(w: World, steps: int) -> Any:
    mask = w.net.graph.sequence("m", steps, kind="boolean")
    return models.mean_square(w.net.output, mask=mask)


def _stack(cells: Any = models.elman, **options: Any) -> Any:
    return models.stack(cells, T, **(SIZES | options))


def _online(w: World) -> models.Online:
    return models.Online(w.net, w.values)


def _adagrad(**gradients: Any) -> None:
    models.Adagrad().update({"W": np.ones((2, 2))}, gradients)


def _initialised(w: World, function: Any) -> Any:
    return w.net.initial(how={"W": function})


def _batches(count: int, steps: int, batch: int) -> Any:
    return list(models.contiguous_batches(np.arange(count), steps, batch))


FILES = [
    bad("save what is no graph", lambda w: tg.save(w.net, w.folder / "a.json"), UsageError, "elman", "net.graph"),
    bad("save a node", lambda w: tg.save(w.x, w.folder / "a.json"), UsageError, "x", hint="graph"),
    bad("empty file", lambda w: w.file(""), FileFormatError, "broken.json", "JSON", "tinygraph.save"),
    bad("text file", lambda w: w.file("hello"), FileFormatError, "broken.json", "JSON", "tinygraph.save"),
    bad("other JSON", lambda w: w.file("[1, 2]"), FileFormatError, "broken.json", "tinygraph.save"),
    bad("half a file", lambda w: w.file('{"format":"tinygraph graph","ver'), FileFormatError, "broken.json", "JSON"),
]

SECTIONS = {
    "shapes": SHAPES, "kinds": KIND, "calls": CALLS, "python": PYTHON, "tape": TAPE, "derivatives": DERIVATIVES,
    "feeds": FEEDS, "runs": RUNS, "unroll": UNROLL, "cells": CELLS, "models": MODELS, "files": FILES,
}  # fmt: skip
ALL = {f"{section}: {row.name}": row for section, rows in SECTIONS.items() for row in rows}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("row", ALL.values(), ids=ALL)
def test_a_bad_input_is_answered(world, row):
    with pytest.raises(TinygraphError) as caught:
        row.call(world)
    message = str(caught.value)
    assert isinstance(caught.value, row.error), message
    assert [word for word in row.words if not says(message, word)] == [], message
    assert row.hint in message, message
    assert not re.search(r"<lambda>|\b_\w+\(", message), f"tells the insides: {message}"


def says(message: str, word: str) -> bool:
    """Whether the message holds the word as a whole: `x` is not found in `axis`."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", message) is not None


def test_the_table_is_large_and_its_names_differ():
    assert len(ALL) >= 120
    assert len(ALL) == sum(map(len, SECTIONS.values()))


def test_a_good_input_would_fail_the_check(world):
    """So that the check above can fail."""
    row = bad("good", lambda w: w.W @ w.x, ShapeError)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_a_bad_input_is_answered(world, row)


def test_an_error_without_its_words_would_fail_the_check(world):
    row = bad("wordless", lambda w: w.W @ w.y, ShapeError, "no such word")
    with pytest.raises(AssertionError, match="no such word"):
        test_a_bad_input_is_answered(world, row)


def test_a_constant_that_is_not_finite_is_not_called_a_feed(world):
    with pytest.raises(NonFiniteError) as caught:
        world.traced(world.s + world.g.constant("q", [math.nan]), s=1.0)
    assert "feed" not in str(caught.value)


@pytest.mark.parametrize("function", [np.sin, np.exp, np.sum, lambda x: np.add(np.ones(3), x), np.negative])
def test_numpy_functions_refuse_nodes(world, function):
    """NumPy itself refuses, since nodes opt out of its functions (`__array_ufunc__ = None`), and names the class."""
    with pytest.raises(TypeError, match=r"(?i)node"):
        function(world.x)


@pytest.mark.parametrize("act", [tg.save, lambda graph, path: tg.load(path)], ids=["save", "load"])
def test_a_missing_folder_is_named(world, act):
    """The operating system's own error, with the path or the folder that was given and no other."""
    path = world.folder / "missing" / "net.json"
    with pytest.raises(OSError, match=r"missing(.net\.json)?'") as caught:
        act(world.g, path)
    assert str(caught.value.filename) in (str(path), str(path.parent))


def test_a_failed_application_leaves_no_node(world):
    """After an error the tape is as it was, but for constants, and still valid."""
    before = [node for node in world.g if not node.op.leaf]
    for call in (lambda: world.W @ world.y, lambda: world.x + world.flag, lambda: tg.sum(world.x, axis=4)):
        with pytest.raises(TinygraphError):
            call()
    assert [node for node in world.g if not node.op.leaf] == before
    tg.validate(world.g)


@pytest.mark.parametrize("error", [getattr(tg.errors, name) for name in dir(tg.errors) if name.endswith("Error")])
def test_every_error_is_of_the_family(error):
    assert issubclass(error, TinygraphError)
    told = error("what is wrong", ["a node"], "the remedy").within("further out", ["another"])
    assert type(told) is error
    assert str(told) == "further out: what is wrong\n  a node\n  another\n  fix: the remedy"


# Random applications: a node that validates, or an error of the family, and nothing else
ODD: tuple[Any, ...] = (
    None, "a", -1, 0, 1, 2, 3, 1.5, True, (), (0,), (1, 0), (3,), (-1,), (2, 3), (0, 0), [3], [0, 1], slice(None),
    slice(1, 3), slice(None, None, -1), slice(0, 2, 0), ..., (..., 0), (slice(None), 1), ((0, 1, 1),), ((0, 2, 1), 0),
    Fraction(1, 2), -2.5, math.nan, INFINITE, 1j, {}, np.int64(2), np.ones(3), np.array(2), 2**70, b"a", print,
)  # fmt: skip
SHAPE = st.lists(st.integers(0, 3), max_size=3).map(tuple)
OPERANDS = st.one_of(
    st.tuples(st.just("input"), SHAPE, st.sampled_from(KINDS), st.booleans()),
    st.tuples(st.just("odd"), st.integers(0, len(ODD) - 1)),
)
KEYWORDS = st.sampled_from(["axis", "axes", "keepdims", "shape", "index", "size", "exponent", "name", "nonsense"])


def _operand(graph: tg.Graph, drawn: Any) -> Any:
    if drawn[0] == "odd":
        return ODD[drawn[1]]
    _, shape, kind, batched = drawn
    return graph.input(f"x{len(graph)}", shape, kind=kind, batched=batched)


def _apply_or_refuse(op: Any, operands: list[Any], attributes: dict[str, Any], graph: tg.Graph) -> bool:
    """Whether the application was accepted; anything but an error of the family passes through."""
    try:
        node = op(*operands, **attributes)
    except TinygraphError:
        return False
    assert isinstance(node, tg.Node)
    assert node is graph.nodes[node.id]
    tg.validate(graph)
    return True


@pytest.mark.filterwarnings("error")
@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(tg.OPS)),
    operands=st.lists(OPERANDS, max_size=4),
    attributes=st.dictionaries(KEYWORDS, st.sampled_from(range(len(ODD))), max_size=2),
)
def test_any_application_gives_a_node_or_an_error_of_the_family(name, operands, attributes):
    graph = tg.Graph()
    given_operands = [_operand(graph, drawn) for drawn in operands]
    _apply_or_refuse(tg.OPS[name], given_operands, {key: ODD[i] for key, i in attributes.items()}, graph)


@pytest.mark.parametrize("name", [name for name, op in tg.OPS.items() if op.attrs])
def test_odd_attributes_of_good_operands(name):
    """Each example of the row with each of its attributes replaced, in turn, by every odd value."""
    op = tg.OPS[name]
    accepted = [
        _with_odd(op, case, key, odd) for case in cases(op)[::3] for key in (*case.attrs, "axis") for odd in ODD
    ]
    assert not all(accepted)


def _with_odd(op: Any, case: Any, key: str, odd: Any) -> bool:
    graph = tg.Graph()
    operands = [_operand(graph, ("input", s, k, True)) for s, k in zip(case.shapes, case.kinds, strict=True)]
    return _apply_or_refuse(op, operands, {**case.attrs, key: odd}, graph)


@pytest.mark.parametrize("name", [name for name, op in tg.OPS.items() if not op.leaf and op.arity != 0])
def test_every_row_refuses_every_odd_operand_or_makes_a_node(name):
    op = tg.OPS[name]
    case = cases(op)[0]
    for index in range(len(case.shapes)):
        for odd in ODD:
            graph = tg.Graph()
            operands = [_operand(graph, ("input", s, k, True)) for s, k in zip(case.shapes, case.kinds, strict=True)]
            operands[index] = odd
            accepted = _apply_or_refuse(op, operands, dict(case.attrs), graph)
            assert not (accepted and isinstance(odd, (str, bytes, dict, complex))), f"{wanted(op, index)}: {odd!r}"
