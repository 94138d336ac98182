"""Derivatives of whole expressions: grad, vjp, jvp and hvp, with parameters used batched and unbatched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy
from helpers.compare import assert_close, central, complex_step, inner
from helpers.net import B, H, Net, normal

import tinygraph as tg

FIRST, SECOND, EXACT, SAME = 1e-6, 1e-5, 1e-10, 1e-12
LOSSES = list(Net().losses())


def value_of(node: Any, dtype: str = "float64") -> Any:
    """The value of a node as a function of feeds."""
    return lambda feeds: tg.evaluate(node, feeds, dtype=dtype)


def summed(node: Any, dtype: str = "float64") -> Any:
    """What `grad` differentiates: the value, summed over the batch."""
    return lambda feeds: np.sum(tg.evaluate(node, feeds, dtype=dtype))


# First order
@pytest.mark.parametrize("name", LOSSES)
def test_gradient(name):
    """By each parameter and by the batched input, along random directions."""
    net = Net()
    loss = net.losses()[name]
    gradients = tg.evaluate(tg.grad(loss, net.everything), net.feeds)
    for seed, key in enumerate(net.everything):
        v = {key: normal(net.feeds[key].shape, 10 + seed)}
        found, terms = inner(gradients, v)
        assert_close(found, central(summed(loss), net.feeds, v), FIRST, terms, key)
        assert_close(found, complex_step(summed(loss, "complex128"), net.feeds, v), EXACT, terms, key)


@pytest.mark.parametrize("name", list(Net().per_example()))
def test_a_batched_gradient_is_the_sum_over_single_examples(name):
    net = Net()
    loss = net.losses()[name]
    outputs = [loss, tg.grad(loss, net.everything)]
    value, gradients = tg.evaluate(outputs, net.feeds)
    singles = [tg.evaluate(outputs, net.feeds | {"x": x}) for x in net.feeds["x"]]
    assert_close(value, np.stack([v for v, _ in singles]), SAME)
    assert_close(gradients["x"], np.stack([g["x"] for _, g in singles]), SAME)
    for key in net.parameters:
        assert_close(gradients[key], np.sum([g[key] for _, g in singles], axis=0), SAME, what=key)


def test_gradient_of_a_linear_loss_by_its_bias():
    """d/db sum over examples of sum(W x + b) is B in each entry; for the mean it is 1."""
    net = Net()
    linear = tg.sum(net.W @ net.x + net.b)
    found = tg.evaluate([tg.grad(linear, net.b), tg.grad(tg.mean_batch(linear), net.b)], net.feeds)
    np.testing.assert_array_equal(found[0], np.full(H, B))
    np.testing.assert_allclose(found[1], np.ones(H), rtol=1e-15)


def test_gradient_of_a_batched_input_is_per_example():
    """d/dx_b of the sum over examples concerns example b alone."""
    net = Net()
    gradient = tg.evaluate(tg.grad(tg.sum(net.x * net.x), net.x), net.feeds)
    np.testing.assert_array_equal(gradient, 2 * net.feeds["x"])


# Vector-Jacobian and Jacobian-vector products
def test_vjp_of_several_outputs_is_the_sum_over_them():
    """Structured as what it differentiates by, with arrays or nodes as cotangents."""
    net = Net()
    outputs = {"h": net.h, "square": tg.sum(net.h * net.h)}
    u = normal((H,), 5)
    node = net.graph.input("u", (H,))
    found = tg.vjp(outputs, [net.W, {"b": net.b}], {"h": u, "square": 2})
    same = tg.vjp(outputs, [net.W, {"b": net.b}], {"h": node, "square": 2})
    feeds = net.feeds | {"u": np.tile(u, (B, 1))}
    expected = tg.grad(tg.sum(net.h * u) + 2 * outputs["square"], [net.W, {"b": net.b}])
    values = tg.evaluate([found, same, expected], feeds)
    for i, pick in enumerate((lambda nest: nest[0], lambda nest: nest[1]["b"])):
        assert_close(pick(values[0]), pick(values[2]), SAME, what=i)
        assert_close(pick(values[1]), pick(values[2]), SAME, what=i)


@pytest.mark.parametrize("name", LOSSES)
def test_jvp_is_the_derivative_along_the_tangents(name):
    """By all parameters and the input at once; batched losses give one derivative per example."""
    net = Net()
    outputs = [net.losses()[name], net.h]
    directions = {key: normal(net.feeds[key].shape, 30 + i) for i, key in enumerate(net.everything)}
    tangents = {key: net.graph.input(f"v_{key}", n.shape, batched=n.batched) for key, n in net.everything.items()}
    feeds = net.feeds | {f"v_{key}": v for key, v in directions.items()}
    found = tg.jvp(outputs, net.everything, tangents)
    for node, output in zip(found, outputs, strict=True):
        assert (node.shape, node.batched) == (output.shape, output.batched)
        along = tg.evaluate(node, feeds)
        assert_close(along, central(value_of(output), feeds, directions), FIRST)
        assert_close(along, complex_step(value_of(output, "complex128"), feeds, directions), EXACT)


def test_jvp_of_what_does_not_depend_is_zero():
    net = Net()
    found = tg.jvp([net.b * 2, net.h], {"W": net.W}, {"W": np.ones((H, H))})
    zero, moved = tg.evaluate(found, net.feeds)
    np.testing.assert_array_equal(zero, np.zeros(H))
    assert np.all(moved != 0)


# Higher order
@pytest.mark.parametrize("name", LOSSES)
def test_second_and_third_order(name):
    """Each order is the derivative of the one below, along a direction."""
    net = Net()
    loss = net.losses()[name]
    along = {key: net.graph.input(f"v_{key}", p.shape, batched=False) for key, p in net.parameters.items()}
    directions = {key: normal(p.shape, 20) for key, p in net.parameters.items()}
    feeds = net.feeds | {f"v_{key}": v for key, v in directions.items()}
    first = tg.grad(loss, net.parameters)
    second = tg.hvp(loss, net.parameters, along)
    inner_product = tg.add([tg.sum(second[key] * along[key]) for key in second])
    third = tg.grad(inner_product, net.parameters)
    for lower, upper in ((first, second), (second, third)):
        for key in net.parameters:
            found = tg.evaluate(upper[key], feeds)
            assert_close(found, central(value_of(lower[key]), feeds, directions), SECOND, what=key)
            exact = complex_step(value_of(lower[key], "complex128"), feeds, directions)
            assert_close(found, exact, EXACT, what=key)


def test_hvp_is_symmetric():
    """<u, H v> = <v, H u>."""
    net = Net()
    loss = net.across_the_batch()["total, product, mean"]
    u, v = ({key: normal(p.shape, seed) for key, p in net.parameters.items()} for seed in (40, 41))
    by_v, by_u = tg.evaluate([tg.hvp(loss, net.parameters, v), tg.hvp(loss, net.parameters, u)], net.feeds)
    left, terms = inner(by_v, u)
    assert_close(left, inner(by_u, v)[0], SAME, terms)


SCALAR_FUNCTIONS = {
    "tanh": lambda x: tg.tanh(x * x),
    "quotient": lambda x: tg.sin(x) / (1 + tg.exp(x)),
    "logistic": lambda x: tg.sigmoid(x) * tg.softplus(x) - x**3,
    "root": lambda x: tg.sqrt(1 + x * x) + tg.log(2 + tg.cos(x)),
}


@pytest.mark.parametrize("name", SCALAR_FUNCTIONS)
def test_derivatives_up_to_the_fourth_against_sympy(name):
    """The nth gradient node equals SymPy's nth derivative of the formula that the graph evaluates to."""
    graph = tg.Graph()
    x = graph.parameter("x")
    symbol = sympy.Symbol("x", real=True)
    node = SCALAR_FUNCTIONS[name](x)
    formula = tg.evaluate(node, {"x": symbol}, dtype="sympy")
    for _ in range(4):
        node, formula = tg.grad(node, x), sympy.diff(formula, symbol)
        for at in (-1.25, 0.5, 2.0):
            assert_close(tg.evaluate(node, {"x": at}), float(formula.subs(symbol, at)), 1e-12, what=name)


def test_gradient_as_formula_of_a_matrix_product():
    """SymPy differentiates sum(sin(W x)) entry by entry; the gradient's own formula is the same."""
    graph = tg.Graph()
    W, x = graph.parameter("W", (2, 2)), graph.input("x", (2,))
    loss = tg.sum(tg.sin(W @ x))
    feeds = {"W": np.array(sympy.symbols("w:4")).reshape(2, 2), "x": np.array(sympy.symbols("x:2"))}
    formula, gradient = tg.evaluate([loss, tg.grad(loss, W)], feeds, dtype="sympy")
    for at in np.ndindex(2, 2):
        assert sympy.simplify(gradient[at] - sympy.diff(formula, feeds["W"][at])) == 0


# Where derivatives stop, or share
def test_stop_gradient():
    """The value passes, the derivative does not; other paths keep theirs."""
    graph = tg.Graph()
    x = graph.parameter("x", (3,))
    y = tg.sum(x * tg.stop_gradient(x * x))
    at = np.array([1.0, -2.0, 3.0])
    value, gradient, second = tg.evaluate([y, tg.grad(y, x), tg.hvp(y, x, np.ones(3))], {"x": at})
    assert value == np.sum(at**3)
    np.testing.assert_array_equal(gradient, at**2)
    np.testing.assert_array_equal(second, np.zeros(3))
    np.testing.assert_array_equal(tg.evaluate(tg.jvp(tg.stop_gradient(x), x, np.ones(3))), np.zeros(3))


@pytest.mark.parametrize(
    ("values", "shares"),
    [([1, 2, 2], [0, 0.5, 0.5]), ([5, 5, 5], [1 / 3, 1 / 3, 1 / 3]), ([3, 1, 2], [1, 0, 0])],
    ids=str,
)
def test_entries_that_tie_for_the_maximum_share_its_derivative(values, shares):
    graph = tg.Graph()
    x = graph.parameter("x", (3,))
    top = tg.max(x)
    found = tg.evaluate([tg.grad(top, x), tg.grad(tg.max(tg.stack([x, x], axis=0)), x)], {"x": values})
    np.testing.assert_allclose(found[0], shares, rtol=1e-15)
    np.testing.assert_allclose(found[1], shares, rtol=1e-15)  # both rows tie: the shares add up again


def test_where_sends_the_derivative_to_the_chosen_side_alone():
    """At a tie of the comparison the second side is chosen, and gets the derivative."""
    graph = tg.Graph()
    a, b = graph.parameter("a", (3,)), graph.parameter("b", (3,))
    y = tg.sum(tg.where(a > b, a * a, tg.sin(b)))
    feeds = {"a": [1.0, 2.0, 3.0], "b": [0.0, 2.0, 4.0]}
    by_a, by_b = tg.evaluate(tg.grad(y, [a, b]), feeds)
    np.testing.assert_array_equal(by_a, [2, 0, 0])
    np.testing.assert_array_equal(by_b, [0, np.cos(2.0), np.cos(4.0)])


def test_relu_and_step_at_their_kink():
    """At 0 both are 0, and so is the derivative; the docs say so."""
    graph = tg.Graph()
    x = graph.parameter("x", (3,))
    at = {"x": [-1.0, 0.0, 1.0]}
    values = tg.evaluate([tg.relu(x), tg.step(x), tg.grad(tg.sum(tg.relu(x)), x), tg.grad(tg.sum(tg.step(x)), x)], at)
    for found, wanted in zip(values, ([0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]), strict=True):
        np.testing.assert_array_equal(found, wanted)


# What has no derivative
def bad_requests(graph: tg.Graph) -> dict[str, Any]:
    x, n = graph.input("x", (3,)), graph.input("n", (), kind="integer")
    other = tg.Graph().input("y", ())
    errors = tg.errors
    return {
        "gradient of a vector": (errors.DifferentiationError, "not a scalar", lambda: tg.grad(x, x)),
        "gradient by an integer": (errors.DifferentiationError, "integer", lambda: tg.grad(tg.sum(x), n)),
        "gradient of an integer": (errors.DifferentiationError, "integer", lambda: tg.grad(n, x)),
        "gradient of a condition": (errors.DifferentiationError, "boolean", lambda: tg.grad(x[0] > 0, x)),
        "gradient of no node": (errors.UsageError, "not of 3", lambda: tg.grad(3, x)),
        "gradient by no node": (errors.UsageError, "not of 'W'", lambda: tg.grad(tg.sum(x), "W")),
        "two tapes": (errors.GraphError, "different tapes", lambda: tg.grad(tg.sum(x), other)),
        "cotangent of another shape": (errors.ShapeError, "cotangent", lambda: tg.vjp(x, x, np.ones(4))),
        "tangent of another shape": (errors.ShapeError, "tangent", lambda: tg.jvp(x, x, np.ones((3, 3)))),
        "too few cotangents": (errors.UsageError, "2 outputs", lambda: tg.vjp([x, x * 2], x, [np.ones(3)])),
        "too few vectors": (errors.UsageError, "vectors", lambda: tg.hvp(tg.sum(x), [x], [])),
        "cotangent of another tape": (errors.GraphError, "another tape", lambda: tg.vjp(tg.sum(x), x, other)),
        "batched tangent of a parameter": (
            errors.ShapeError, "tangent", lambda: tg.jvp(graph.parameter("W", (3,)) * 2, graph.parameters["W"], x),
        ),
        "jacobian by an integer": (errors.DifferentiationError, "integer", lambda: tg.jacobian(x, n)),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(bad_requests(tg.Graph())))
def test_bad_requests_are_refused_by_name(name):
    error, message, request = bad_requests(tg.Graph())[name]
    with pytest.raises(error, match=message):
        request()
