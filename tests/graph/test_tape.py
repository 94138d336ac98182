"""The tape: leaves, labels, time steps, scopes, what is shared, operators beside NumPy, and the cone."""

from __future__ import annotations

import operator
from fractions import Fraction

import numpy as np
import pytest
from graph.samples import every_row

import tinygraph as tg
from tinygraph.graph import cone

X = np.array([0.5, -1.5, 2.0])
BINARY = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
OTHERS = [
    np.array([1.0, 2.0, -3.0]), np.array(2.0), np.float64(1.5), np.float32(0.5), np.int64(2), 2, 0.5, Fraction(1, 2),
]  # fmt: skip


@pytest.fixture
def g() -> tg.Graph:
    return tg.Graph()


@pytest.fixture
def x(g) -> tg.Node:
    return g.input("x", (3,))


def value(node: tg.Node, **feeds):
    return tg.evaluate(node, {"x": X} | feeds)


# Operators
@pytest.mark.parametrize("symbol", BINARY)
@pytest.mark.parametrize("other", OTHERS, ids=lambda other: type(other).__name__ + str(np.shape(other)))
def test_operators_beside_numbers_and_arrays(x, symbol, other):
    """On either side a node wins, and its value is NumPy's."""
    act, number = BINARY[symbol], float(other) if isinstance(other, Fraction) else other
    for node, expected in ((act(x, other), act(X, number)), (act(other, x), act(number, X))):
        assert isinstance(node, tg.Node)
        np.testing.assert_array_equal(value(node), expected)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (3, 2), (3, 3)])
def test_matmul_beside_arrays(g, x, shape):
    A = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    if shape[-1] == 3:
        np.testing.assert_allclose(value(A @ x), A @ X, rtol=1e-15)
    if shape[0] == 3:
        np.testing.assert_allclose(value(x @ A), X @ A, rtol=1e-15)


def test_adding_to_a_number_in_place_gives_a_node(x):
    total = 0
    for i in range(3):
        total += x[i]
    assert value(total) == X.sum()


def test_an_array_cannot_hold_a_node(x):
    """NumPy refuses to add a node into an array, and leaves the array alone."""
    array = np.ones(3)
    with pytest.raises(TypeError, match=r"(?i)node"):
        array += x
    assert array.tolist() == [1, 1, 1]


def test_unary_operators_powers_and_slices(x):
    np.testing.assert_array_equal(value(-x), -X)
    np.testing.assert_array_equal(value(x**2), X**2)
    np.testing.assert_array_equal(value(x[1:]), X[1:])
    assert value(x[-1]) == X[-1]


def test_nodes_are_compared_by_identity(g, x):
    other = x + 0
    assert x == x
    assert x != other
    assert {x: 1, other: 2}[x] == 1
    assert x not in [other]


def test_a_node_is_frozen(x):
    with pytest.raises(AttributeError):
        x.shape = (4,)
    with pytest.raises((AttributeError, TypeError)):  # in Python 3.11, super() of a class with slots fails
        x.colour = "red"
    with pytest.raises(TypeError):
        tg.sum(x).attrs["keepdims"] = True


# What is shared
def test_equal_numbers_are_one_node(g, x):
    with g.at(step=4, scope="here"):
        two = (x * 2).args[1]
    assert (2 + x).args[0] is two
    assert (x * 2.0).args[1] is two
    assert (two.step, two.scope) == (None, ""), "a number stands outside time"
    assert (x * Fraction(1, 2)).args[1] is g.number(Fraction(2, 4))


def test_numbers_that_differ_are_apart(g):
    nodes = [g.number(n) for n in (0, 1, -1, 0.1, Fraction(1, 10), 2**60, -0.0)]
    nodes += [g.number(0, "integer"), g.number(0, "boolean")]
    assert len(set(nodes)) == len(nodes)


def test_equal_arrays_are_one_node_until_they_are_named(g, x):
    first = (x + np.ones(3)).args[1]
    assert (x - np.ones(3)).args[1] is first
    assert (x - np.array([1.0, 1.0, 2.0])).args[1] is not first
    assert g.constant("k", np.ones(3)) is not g.constant("k", np.ones(3))


def test_a_constant_is_a_copy(g):
    array = np.ones(3)
    node = g.constant("k", array)
    array[:] = 7
    assert tg.evaluate(node).tolist() == [1, 1, 1]


def test_equal_transposes_are_one_node(g, x):
    W = g.parameter("W", (4, 3))
    with g.at(step=1):
        first = W.T
    with g.at(step=2):
        assert W.T is first
    assert first.step is None, "it belongs where its operand does"
    assert tg.tanh(W) is not tg.tanh(W), "nothing else is shared unasked"


def test_sharing_within_a_block(g, x):
    with g.sharing():
        assert tg.tanh(x) is tg.tanh(x)
    assert tg.tanh(x) is not tg.tanh(x)


# Time, scopes, labels
def test_at_nests(g):
    with g.at(step=3, scope="layer1"):
        with g.at(scope="forward"):
            inner = g.input("a")
        with g.at(step=4):
            later = g.input("b")
    outside = g.input("c")
    assert [(n.step, n.scope) for n in (inner, later, outside)] == [(3, "layer1/forward"), (4, "layer1"), (None, "")]


def test_at_ends_after_an_error(g):
    with pytest.raises(ZeroDivisionError), g.at(step=3, scope="a"):
        raise ZeroDivisionError
    assert g.input("x").where == tg.Graph().input("x").where


def test_a_step_may_be_numpys(g):
    with g.at(step=np.int64(2)):
        node = g.input("x")
    assert node.step == 2
    assert type(node.step) is int


def test_a_label_names_the_value(g, x):
    with g.at(step=2):
        h = tg.tanh(x, name="h")
    assert (h.name, h.label, h.op.name) == ("h_2", "h", "tanh")
    assert g["h"] is h
    assert g["h", 2] is h


def test_a_second_label_is_an_identity(g, x):
    """A leaf or a labelled node keeps its own name."""
    h = tg.tanh(x, name="h")
    again = g.relabel(h, "k")
    leaf = g.relabel(x, "y")
    assert [(n.op.name, n.args) for n in (again, leaf)] == [("identity", (h,)), ("identity", (x,))]
    assert (h.label, x.label, again.label, leaf.label) == ("h", "x", "k", "y")


def test_names_of_leaves(g):
    W, xs = g.parameter("W", (2,)), g.sequence("x", 3, (2,))
    assert [W.name, *(node.name for node in xs.values())] == ["W", "x_1", "x_2", "x_3"]
    assert g.parameters == {"W": W}
    assert g.inputs == {"x": xs}


def test_a_node_without_a_label_is_named_by_its_place(g, x):
    node = x * x
    assert node.name == f"%{node.id}"


# Leaves
def test_shapes_may_be_lists_or_one_size(g):
    shapes = [g.input(f"x{i}", shape).shape for i, shape in enumerate([(), 3, [2, 3], (np.int64(4),), (0,)])]
    assert shapes == [(), (3,), (2, 3), (4,), (0,)]


def test_a_sequence_counts_from_one(g):
    xs = g.sequence("x", 4, (2,), kind="integer", batched=False)
    assert list(xs) == [1, 2, 3, 4]
    assert xs.last is xs[4]
    assert {(n.step, n.shape, n.kind, n.batched) for n in xs.values()} == {
        (t, (2,), "integer", False) for t in range(1, 5)
    }


def test_constants_of_a_shape(g):
    zeros, ones = g.constant("a", zeros=(2, 2)), g.constant("b", ones=3)
    assert tg.evaluate([zeros, ones])[0].tolist() == [[0, 0], [0, 0]]
    assert tg.evaluate(ones).tolist() == [1, 1, 1]


def test_numbers_stay_exact(g):
    third = g.number(Fraction(1, 3))
    assert third.attrs["value"] == Fraction(1, 3)
    assert type(g.number(2.0).attrs["value"]) is int
    assert tg.evaluate(third) == 1 / 3


# Looking
def test_ids_are_places_and_operands_come_earlier():
    graph = every_row(stride=3).graph
    assert [node.id for node in graph] == list(range(len(graph)))
    assert all(arg.id < node.id for node in graph for arg in node.args)


def test_the_cone_is_what_the_roots_need(g, x):
    unused = g.input("unused")
    a = x * 2
    b = tg.tanh(a)
    dead = b + unused
    c = a - b
    assert cone([c]) == [x, a.args[1], a, b, c]
    assert cone([c, a]) == cone([c])
    assert dead not in cone([c])
    assert cone([]) == []


def test_describe_says_all(g):
    with g.at(step=3, scope="decoder"):
        n = g.input("n", (2,), kind="integer")
    text = n.describe()
    assert repr(n) == f"<{text}>"
    assert all(
        word in text for word in ("n = input", "(2,)", "per example", "integer", "step 3", "scope decoder", "node 0")
    )
    assert "2 parameters, 1 inputs" in repr(_with_parameters(g))


def _with_parameters(g):
    g.parameter("W", (2,))
    g.parameter("U", (2,))
    return g
