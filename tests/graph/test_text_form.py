"""The text form: aligned equations that say every labelled value, and mean what the graph computes.

The printed right-hand sides are read back by Python's own parser and computed by a few lines of NumPy, so that
parentheses, signs and orders are proved on random expressions and not by eye.
"""

from __future__ import annotations

import ast
import operator
import re
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from graph.samples import each_net, every_row, random_feeds, trained
from helpers.zoo import SELECTING
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygraph as tg
from tinygraph import models
from tinygraph.symbolic.steps import cell_text

LINE = re.compile(r"\s*(?:(?P<step>-?\d+)  )?(?P<name>\S+)\s+= (?P<right>.+?)\s{2,}(?P<shape>\(.*)")
BINARY = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: np.float_power, ast.MatMult: operator.matmul,
}  # fmt: skip
CALLS = {
    "tanh": np.tanh,
    "sin": np.sin,
    "sum": np.sum,
    "relu": lambda x: np.maximum(x, 0),
    "step": lambda x: (x > 0).astype(float),
}


def lines(text: str) -> list[tuple[str, str]]:
    """Name and right-hand side of each equation of a printed graph."""
    return [(m["name"], m["right"]) for m in map(LINE.fullmatch, text.splitlines()) if m]


def compute(text: str, values: dict[str, np.ndarray]) -> np.ndarray:
    """The value of a printed formula."""
    return _compute(ast.parse(_identifiers(text), mode="eval").body, values)


def _identifiers(text: str) -> str:
    return re.sub(r"%(\d+)", r"node_\1", text)


def _compute(tree: ast.expr, values: dict[str, np.ndarray]) -> np.ndarray:
    match tree:
        case ast.Constant(value=number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_compute(operand, values)
        case ast.BinOp(left=left, op=op, right=right):
            return BINARY[type(op)](_compute(left, values), _compute(right, values))
        case ast.Attribute(value=matrix, attr="T"):
            return _compute(matrix, values).T
        case ast.Subscript(value=array, slice=index):
            return _compute(array, values)[_index(index)]
        case ast.Call(func=ast.Name(id=name), args=args):
            return CALLS[name](*(_compute(arg, values) for arg in args))
    raise AssertionError(f"no formula: {ast.dump(tree)}")


def _index(tree: ast.expr) -> object:
    match tree:
        case ast.Constant(value=place):
            return place
        case ast.Tuple(elts=entries):
            return tuple(map(_index, entries))
        case ast.Slice(lower=ast.Constant(value=start), upper=ast.Constant(value=stop)):
            return slice(start, stop)
    raise AssertionError(f"no index: {ast.dump(tree)}")


def read_back(graph: tg.Graph, roots: list[tg.Node], feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The values of all printed equations, computed from the text alone."""
    values = dict(feeds)
    for name, right in lines(graph.text(roots)):
        values[_identifiers(name)] = compute(right, values)
    return values


# Random expressions
LEAVES = {"x": (3,), "y": (3,), "A": (3, 3), "B": (3, 3), "s": (), "r": ()}
NUMBERS = [0, 1, 2, -1, -3, Fraction(1, 2), Fraction(-2, 3), 0.25, -1.5, 1e-7]
EXPONENTS = [2, 3, -1, 0, 1, Fraction(1, 2), Fraction(-1, 3), -2.5]


class Builder:
    """Expressions as functions of a graph's leaves, each of a known rank."""

    leaf = st.sampled_from(sorted(LEAVES)).map(lambda name: ("leaf", name))
    number = st.sampled_from(NUMBERS).map(lambda number: ("number", number))

    @staticmethod
    def inner(children):
        pair = st.tuples(children, children)
        return st.one_of(
            st.tuples(st.sampled_from("+-*/@"), pair),
            st.tuples(st.just("add"), st.lists(children, min_size=1, max_size=4)),
            st.tuples(st.sampled_from(["neg", "tanh", "sin", "relu", "T", "sum", "first", "twice"]), children),
            st.tuples(st.just("power"), st.tuples(children, st.sampled_from(EXPONENTS))),
        )


TREES = st.recursive(Builder.leaf | Builder.number, Builder.inner, max_leaves=14)
UNARY = {
    "neg": operator.neg, "tanh": tg.tanh, "sin": tg.sin, "relu": tg.relu, "sum": tg.sum,
    "T": lambda x: x.T if x.ndim == 2 else x,
    "first": lambda x: x[0] if x.ndim else x,
    "twice": lambda x: x * x,
}  # fmt: skip


def build(tree, leaves: dict[str, tg.Node]) -> tg.Node:
    """The node of a drawn expression; where shapes do not allow an operation, the sum stands in."""
    kind, what = tree
    if kind == "leaf":
        return leaves[what]
    if kind == "number":
        return leaves["s"].graph.number(what)
    if kind == "power":
        return build(what[0], leaves) ** what[1]
    if kind == "add":
        return tg.add([build(child, leaves) for child in what])
    if kind in UNARY:
        return UNARY[kind](build(what, leaves))
    a, b = (build(child, leaves) for child in what)
    if kind == "@":
        return a @ b if a.ndim and b.ndim else a * b
    return {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[kind](a, b)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(tree=TREES, label=st.booleans())
def test_the_text_means_what_the_graph_computes(tree, label):
    graph = tg.Graph()
    leaves = {name: graph.parameter(name, shape) for name, shape in LEAVES.items()}
    root = graph.relabel(build(tree, leaves), "root")
    rng = np.random.default_rng(0)
    feeds = {name: rng.uniform(0.5, 2, shape) for name, shape in LEAVES.items()}
    with np.errstate(all="ignore"):
        found = read_back(graph, [root], feeds)["root"]
    expected = tg.evaluate(root, feeds)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=graph.text([root]))


@pytest.mark.parametrize("name", [name for name in models.CELLS if name not in {*SELECTING, "captioner_first"}])
def test_the_text_of_a_cell_means_what_it_computes(name):
    """For cells whose equations are products and elementwise functions."""
    cell = models.CELLS[name]
    net = tg.unroll(cell, 2, sizes=dict.fromkeys(cell.sizes, 3))
    feeds = random_feeds(net.graph, batch=None)
    known = feeds | {f"{name}_{t}": feeds[name][t - 1] for name in cell.inputs for t in (1, 2)}
    known |= {f"{s}_0": np.zeros(net.series[s][0].shape) for s in cell.states}
    known |= {name: float(value) for name, value in cell.options.items() if isinstance(value, Fraction)}
    roots = [net.series[state][2] for state in cell.states]
    try:
        CALLS["sigmoid"] = lambda x: 1 / (1 + np.exp(-x))
        values = read_back(net.graph, roots, known)
    finally:
        del CALLS["sigmoid"]
    for state in cell.states:
        expected = tg.evaluate(net.series[state][2], feeds)
        np.testing.assert_allclose(values[f"{state}_2"], expected, rtol=1e-13)


def test_the_reader_would_see_a_wrong_formula():
    """So that the comparison above can fail: parentheses lost, an order changed."""
    values = {"a": np.float64(2), "b": np.float64(3), "c": np.float64(5)}
    assert compute("a - (b - c)", values) == 4
    assert compute("a - b - c", values) == -6
    assert compute("(-a)**2", values) == 4
    assert compute("-a**2", values) == -4


# What is shown, and how
@each_net("name", "how")
def test_every_labelled_value_of_a_cell_has_its_equation(name, how):
    sample = trained(name, how)
    text = sample.graph.text()
    shown = {found for found, _ in lines(text)}
    labelled = [node for node in sample.graph if node.label and not node.op.leaf]
    assert [node for node in labelled if not shown & spellings(node)] == []
    assert [leaf.name for leaf in sample.graph if "name" in leaf.attrs and f" {leaf.name} " not in text] == []


def spellings(node: tg.Node) -> set[str]:
    """How a node may be named: where others have its name too, its scope or its place tells it from them."""
    names = {node.name, f"{node.scope}/{node.name}"}
    return names | {f"{name}%{node.id}" for name in names}


@each_net("name", "how")
def test_no_two_equations_define_the_same_name(name, how):
    """Or `h_1 = tanh(W @ h_1)` would stand where a layer reads the layer below."""
    sample = trained(name, how)
    defined = [found for found, _ in lines(sample.graph.text([sample.roots["loss"]]))]
    assert sorted(name for name, count in Counter(defined).items() if count > 1) == []


def test_the_table_is_aligned():
    net = tg.unroll(models.lstm, 12, I=2, H=3)
    head, *body = net.graph.text([net.h[12]]).splitlines()
    assert head.split() == ["step", "node", "equation", "shape"]
    equals = {line.index("= ") for line in body if " = " in line}
    assert len(equals) == 1
    start = head.index("shape")
    shapes = {line[start:] for line in body}
    assert shapes == {"(3,)", "(3,) per example", "(2,) per example", "(3, 2)", "(3, 3)"}
    assert all(line == line.rstrip() for line in body)


def test_the_text_of_the_elman_network():
    net = tg.unroll(models.elman, 1, I=2, H=4)
    assert ("h_1", "tanh(W @ x_1 + U @ h_0 + b)") in lines(str(net.graph))


@pytest.mark.parametrize("name", models.CELLS)
def test_the_text_of_one_step_names_every_state(name):
    cell = models.CELLS[name]
    text = cell_text(cell)
    for state in cell.states:
        assert re.search(rf"^{state}\[t\] += ", text, re.MULTILINE)
        assert f"{state}[t-1]" in text
    assert all(parameter in text for parameter in cell.parameters)


def test_every_row_is_printed_without_insides():
    text = every_row().graph.text()
    assert not re.search(r"<|object at|lambda|mappingproxy|slice\(", text.replace(" < ", "").replace(" <= ", ""))


def test_what_is_used_twice_is_printed_once():
    graph = tg.Graph()
    x = graph.input("x", (2,))
    a = tg.tanh(x)
    text = graph.text([a * a])
    assert text.count("tanh") == 1
    assert f"%{a.id} * %{a.id}" in text


def test_a_long_formula_is_broken_into_equations():
    graph = tg.Graph()
    x = graph.input("x")
    total = x
    for _ in range(200):
        total = total + tg.sin(total)
    assert max(map(len, graph.text([total]).splitlines())) < 160


def test_no_nodes():
    assert tg.Graph().text() == "(empty graph)"
