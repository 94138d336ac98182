"""Wrong formulas for the Jacobian of a step, made from the right one by known mistakes.

The right formula is an expression tree that is read off the tape by the rules of matrix calculus, nested as
a person would write it. It knows nothing of matrix words. A mistake changes one place of the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph.cells import Cell
from tinygraph.graph import Node
from tinygraph.graph.tape import cone
from tinygraph.verification.step_points import sizes_of

SIZE = 3  # of each state; other sizes differ from it, as in the lint


class Unsupported(Exception):
    """An operation for which no rule is written here."""


@dataclass(frozen=True)
class Tree:
    """`kind` applied to `args`; a leaf is `value` (label, lag), `matrix` (name) or `number`."""

    kind: str
    args: tuple[Tree, ...] = ()
    leaf: Any = None

    def __str__(self) -> str:
        if not self.args:
            return "".join(map(str, self.leaf)) if isinstance(self.leaf, tuple) else str(self.leaf)
        return f"{self.kind}({', '.join(map(str, self.args))})"


@dataclass(frozen=True)
class Language:
    """How a tree is written: with nodes or with arrays."""

    diag: Callable[[Any], Any]
    functions: dict[str, Callable[[Any], Any]] = field(default_factory=dict)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


NODES = Language(tg.diag, {"tanh": tg.tanh, "sigmoid": tg.sigmoid, "relu": tg.relu, "step": tg.step})
ARRAYS = Language(
    lambda x: np.diag(np.ravel(x)),
    {"tanh": np.tanh, "sigmoid": sigmoid, "relu": lambda x: np.maximum(x, 0), "step": lambda x: (x > 0) * 1.0},
)


def write(tree: Tree, v: Any, t: int, language: Language) -> Any:
    """The tree with the values put in."""
    if tree.kind == "number":
        return tree.leaf
    if tree.kind == "matrix":
        return v[tree.leaf]
    if tree.kind == "value":
        label, lag = tree.leaf
        return v[label] if lag is None else v[label][t - lag]
    parts = [write(arg, v, t, language) for arg in tree.args]
    match tree.kind:
        case "add":
            return parts[0] + parts[1]
        case "sub":
            return parts[0] - parts[1]
        case "mul":
            return parts[0] * parts[1]
        case "matmul":
            return parts[0] @ parts[1]
        case "neg":
            return -parts[0]
        case "transpose":
            return parts[0].T
        case "diag":
            if tree.args[0].kind == "number":
                raise ValueError("a diagonal of a number has no size")
            return language.diag(parts[0])
    return language.functions[tree.kind](parts[0])


# The right formula
ONE = Tree("number", leaf=1)
SLOPES: dict[str, Callable[[Tree, Tree], Tree]] = {
    "tanh": lambda x, y: Tree("sub", (ONE, Tree("mul", (y, y)))),
    "sigmoid": lambda x, y: Tree("mul", (y, Tree("sub", (ONE, y)))),
    "relu": lambda x, y: Tree("step", (x,)),
}


class Reader:
    """The Jacobian of a step as a tree, read off the tape; paths through `blocked` nodes are left out."""

    def __init__(self, cell: Cell, new: str, old: str, blocked: str = "") -> None:
        sizes = sizes_of(cell, SIZE)
        self.net = tg.unroll(cell, 1, initial="fed", sizes=sizes)
        self.blocked = blocked
        self.names = {node: name for name, node in {**self.net.parameters, **self.net.contexts}.items()}
        self.start, end = self.net.series[old][0], self.net.series[new][1]
        self.states = {self.net.series[state][0]: state for state in cell.states}
        self.known: dict[Node, Tree | None] = {}
        self.shown: dict[Node, Tree] = {}
        for node in cone([end]):
            self.shown[node] = self._value(node)
        self.becomes = {node.args[0]: node for node in cone([end]) if node.op.name == "identity" and node.label}
        for node in cone([end]):
            self.known[node] = self._jacobian(node)
        self.tree = self.known[end]

    def _value(self, node: Node) -> Tree:
        if node in self.states:
            return Tree("value", leaf=(self.states[node], 1))
        if node in self.names:
            kind = "matrix" if node.ndim == 2 else "value"
            return Tree(kind, leaf=self.names[node] if kind == "matrix" else (self.names[node], None))
        if "value" in node.attrs:
            value = node.attrs["value"]
            return Tree("number", leaf=value)
        if "name" in node.attrs:
            return Tree("value", leaf=(node.attrs["name"], 0))
        if node.label:
            return Tree("value", leaf=(node.label, 0))
        if node.op.name == "identity":
            return self.shown[node.args[0]]
        return Tree(node.op.name, tuple(self.shown[arg] for arg in node.args))

    def _of(self, node: Node) -> Tree:
        """The value of a node as it would be written: by the name of the state that it becomes, if it does."""
        return self.shown[self.becomes.get(node, node)]

    def _jacobian(self, node: Node) -> Tree | None:
        if node is self.start:
            return Tree("eye")
        if node.op.leaf or (self.blocked and node.label == self.blocked and node.step == 1):
            return None
        parts = [self.known[arg] for arg in node.args]
        if all(part is None for part in parts):
            return None
        if node.ndim != 1:
            raise Unsupported(node.op.name)
        name, args = node.op.name, node.args
        if name == "identity":
            return parts[0]
        if name in SLOPES:
            return times(Tree("diag", (SLOPES[name](self._of(args[0]), self._of(node)),)), parts[0])
        if name in ("add", "sub", "mul") and any(arg.shape not in (node.shape, ()) for arg in args):
            raise Unsupported(f"{name} that broadcasts")
        if name == "add":
            return plus(parts)
        if name == "sub":
            return minus(*parts)
        if name == "neg":
            return minus(None, parts[0])
        if name == "mul":
            if any(arg.ndim == 0 for arg in args):
                raise Unsupported("a product with a scalar")
            a, b = args
            return plus([scaled(self._of(b), parts[0]), scaled(self._of(a), parts[1])])
        if name == "matmul" and args[0].ndim == 2 and parts[0] is None:
            return times(self._of(args[0]), parts[1])
        raise Unsupported(name)


def scaled(value: Tree, part: Tree | None) -> Tree | None:
    return None if part is None else times(Tree("diag", (value,)), part)


def times(left: Tree, right: Tree | None) -> Tree | None:
    if right is None:
        return None
    return left if right.kind == "eye" else Tree("matmul", (left, right))


def plus(parts: list[Tree | None]) -> Tree | None:
    found = [part for part in parts if part is not None]
    total = found[0] if found else None
    for part in found[1:]:
        total = Tree("add", (total, part))
    return total


def minus(a: Tree | None, b: Tree | None) -> Tree | None:
    if b is None:
        return a
    return Tree("neg", (b,)) if a is None else Tree("sub", (a, b))


def right_formula(cell: Cell, new: str, old: str) -> Tree | None:
    """The Jacobian of a block; None where it is zero or an identity alone. Raises `Unsupported`."""
    tree = Reader(cell, new, old).tree
    return None if tree is None or any(part.kind == "eye" for part, _ in places(tree)) else tree


# Mistakes
def places(tree: Tree) -> Iterator[tuple[Tree, Callable[[Tree], Tree]]]:
    """Each subtree, with what puts another in its place."""
    yield tree, lambda new: new
    for i, arg in enumerate(tree.args):
        for part, put in places(arg):
            yield (
                part,
                lambda new, i=i, put=put: Tree(tree.kind, (*tree.args[:i], put(new), *tree.args[i + 1 :]), tree.leaf),
            )


def is_matrix(tree: Tree) -> bool:
    if tree.kind in ("add", "sub", "neg", "mul"):
        return any(map(is_matrix, tree.args))
    return tree.kind in ("matrix", "diag", "matmul", "transpose")


def mistakes(tree: Tree, lags: dict[str, list[int]]) -> Iterator[tuple[str, Tree]]:
    """(kind, wrong tree), one for each mistake at each place. `lags` has the times at which a label has values."""
    for part, put in places(tree):
        a, b = (*part.args, part, part)[:2]
        if part.kind == "add":
            yield "missing term", put(a)
            yield "missing term", put(b)
            yield "sign", put(Tree("sub", (a, b)))
        if part.kind == "sub":
            yield "missing term", put(Tree("neg", (b,)))
            yield "missing term", put(a)
            yield "sign", put(Tree("add", (a, b)))
        if part.kind == "neg":
            yield "sign", put(a)
        if part.kind in ("mul", "matmul"):
            yield "missing factor", put(a)
            yield "missing factor", put(b)
        if part.kind == "matmul":
            yield "order", put(Tree("matmul", (b, a)))
        if part.kind == "matrix":
            yield "transpose", put(Tree("transpose", (part,)))
        if part.kind == "value":
            label, lag = part.leaf
            for other in lags.get(label, ()):
                if lag is not None and abs(other - lag) == 1:
                    yield "time", put(Tree("value", leaf=(label, other)))


def missing_paths(cell: Cell, new: str, old: str, labels: list[str]) -> Iterator[tuple[str, Tree]]:
    """The formula without the paths through one named value."""
    for label in labels:
        tree = Reader(cell, new, old, blocked=label).tree
        if tree is not None and not any(part.kind == "eye" for part, _ in places(tree)):
            yield "missing term", tree


@dataclass(frozen=True)
class Point:
    """Numbers for the values of a step and of the step before, computed by the interpreter."""

    values: dict[str, Any]
    time: int = 2

    @classmethod
    def of(cls, cell: Cell, seed: int) -> Point:
        rng = np.random.default_rng(seed)
        net = tg.unroll(cell, 1, initial="fed", sizes=sizes_of(cell, SIZE))
        nodes = {f"{name}": steps[1] for name, steps in net.series.items()}
        values: dict[str, Any] = {}
        for t in (1, 2):
            feeds: dict[str, Any] = {}
            for name, target in {**net.graph.parameters, **net.graph.inputs}.items():
                leaf = target if isinstance(target, Node) else target[1]
                lead = () if isinstance(target, Node) else (1,)
                drawn = rng.normal(size=lead + leaf.shape)
                whole = rng.integers(0, 2, lead + leaf.shape)
                feeds[name] = drawn if leaf.kind == "real" else whole.astype(bool if leaf.kind == "boolean" else int)
                if leaf.op.name == "parameter" or name in net.contexts:
                    feeds[name] = values.get(name, feeds[name])
                    values[name] = feeds[name]
            found = tg.evaluate(nodes, feeds)
            for name, value in found.items():
                values.setdefault(name, {})[t] = value
            for state in cell.states:  # the old state is free, and not that of the step before
                values[state][t - 1] = feeds[f"{state}_0"]
        return cls(values)

    def value(self, tree: Tree) -> Any:
        return np.asarray(write(tree, self.values, self.time, ARRAYS), float)

    @property
    def lags(self) -> dict[str, list[int]]:
        return {name: [self.time - t for t in v] for name, v in self.values.items() if isinstance(v, dict)}


@dataclass(frozen=True)
class Wrong:
    """A wrong formula, and the names of each mistake in it: one formula may come of several mistakes."""

    cell: Cell
    block: tuple[str, str]
    kinds: tuple[frozenset[str], ...]
    tree: Tree

    @property
    def single(self) -> bool:
        return len(self.kinds) == 1

    def claim(self, v: Any, t: int) -> Any:
        """The formula over nodes, as the lint takes it."""
        return write(self.tree, v, t, NODES)

    def array_claim(self, v: Any, t: int) -> Any:
        """The formula over arrays."""
        return write(self.tree, v, t, ARRAYS)

    def __str__(self) -> str:
        return f"{self.cell.name} {self.block} {[sorted(kinds) for kinds in self.kinds]}: {self.tree}"


def wrong_formulas(cell: Cell, pairs: int, seed: int = 0) -> Iterator[Wrong]:
    """All single mistakes in all blocks of a cell, then `pairs` of two at once in each block, at random.

    A formula that has the right one's value at a random point is not wrong, and one whose shape does not fit
    is not written; both are left out. Formulas of one value are one formula.
    """
    point, rng = Point.of(cell, seed), np.random.default_rng(seed)
    for new in cell.states:
        for old in cell.states:
            try:
                right = right_formula(cell, new, old)
            except Unsupported:
                continue
            if right is not None:
                yield from _wrong(cell, (new, old), right, point, pairs, rng)


def _wrong(
    cell: Cell, block: tuple[str, str], right: Tree, point: Point, pairs: int, rng: np.random.Generator
) -> Iterator[Wrong]:
    expected = point.value(right)

    def key(tree: Tree) -> bytes | None:
        """What formulas of one value share; None for a formula that is right, or that has no value."""
        try:
            value = point.value(tree)
        except (ValueError, KeyError):
            return None
        fits = value.shape == expected.shape and np.abs(value - expected).max() > 1e-6
        return (value.round(8) + 0.0).tobytes() if fits else None

    labels = [name for name in point.values if name not in cell.roles]
    single: dict[bytes, tuple[Tree, set[str]]] = {}
    for kind, tree in (*mistakes(right, point.lags), *missing_paths(cell, *block, labels)):
        found = key(tree)
        if found is not None:
            single.setdefault(found, (tree, set()))[1].add(kind)
    for tree, kinds in single.values():
        yield Wrong(cell, block, (frozenset(kinds),), tree)
    seen, ones = set(single), list(single.values())
    for _ in range(pairs if ones else 0):
        tree, kinds = ones[int(rng.integers(len(ones)))]
        others = list(mistakes(tree, point.lags))
        if others:
            kind, both = others[int(rng.integers(len(others)))]
            found = key(both)
            if found is not None and found not in seen:
                seen.add(found)
                yield Wrong(cell, block, (frozenset(kinds), frozenset([kind])), both)
