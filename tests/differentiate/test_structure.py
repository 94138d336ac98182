"""What gradients look like on the tape: their structure, memoisation, and the uses of a shared weight."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers.compare import assert_close
from helpers.net import B, H, Net, T, normal

import tinygraph as tg
from tinygraph import models
from tinygraph.graph import Node, cone


class Pair(NamedTuple):
    """A structure with names."""

    left: Any
    right: Any


def shape_of(nest: Any) -> Any:
    """The structure, with shapes in place of nodes."""
    if isinstance(nest, dict):
        return {key: shape_of(value) for key, value in nest.items()}
    if isinstance(nest, Pair):
        return Pair(*map(shape_of, nest))
    if isinstance(nest, (list, tuple)):
        return type(nest)(map(shape_of, nest))
    return ("node", nest.shape, nest.batched)


STRUCTURES = {
    "a node": lambda n: n.W,
    "dict": lambda n: n.parameters,
    "list": lambda n: [n.W, n.b],
    "tuple": lambda n: (n.W, n.x),
    "nested": lambda n: {"layers": [{"W": n.W}, (n.b, [n.x])], "again": n.W},
    "named tuple": lambda n: Pair(n.W, {"b": n.b}),
    "empty": lambda n: {"none": [], "b": n.b},
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_gradient_has_the_structure_that_is_given(name):
    """Each gradient also has its node's shape, and is batched as it is."""
    net = Net()
    wrt = STRUCTURES[name](net)
    found = tg.grad(tg.sum(net.h), wrt)
    assert shape_of(found) == shape_of(wrt)
    assert type(found) is type(wrt)


def test_a_gradient_stands_on_the_same_tape_and_is_marked():
    net = Net()
    loss = tg.sum(net.h)
    before = len(net.graph)
    gradients = tg.grad(loss, net.parameters)
    assert all(node.graph is net.graph and node.backward for node in gradients.values())
    made = [node for node in net.graph.nodes[before:] if node.op.name != "constant"]
    assert made
    assert all(node.backward for node in made)
    assert not any(node.backward for node in net.graph.nodes[:before])


def test_a_node_that_nothing_depends_on_has_gradient_zero():
    """Of its own shape, batched if it is; also in second order."""
    net = Net()
    idle, fed = net.graph.parameter("idle", (2, 5)), net.graph.input("fed", (4,))
    found = tg.grad(tg.sum(net.h), {"idle": idle, "fed": fed, "b": net.b})
    values = tg.evaluate(found, net.feeds)
    np.testing.assert_array_equal(values["idle"], np.zeros((2, 5)))
    np.testing.assert_array_equal(values["fed"], np.zeros((B, 4)))
    assert np.any(values["b"] != 0)
    np.testing.assert_array_equal(tg.evaluate(tg.hvp(tg.sum(net.b * 3), net.b, np.ones(H)), net.feeds), np.zeros(H))


def test_the_gradient_of_a_node_by_itself_is_one():
    graph = tg.Graph()
    x = graph.input("x", ())
    np.testing.assert_array_equal(tg.evaluate(tg.grad(x, x), {"x": np.zeros(B)}), np.ones(B))


# Memoisation
def test_asking_twice_gives_the_same_nodes():
    net = Net()
    loss = tg.sum(net.h)
    first = tg.grad(loss, net.parameters)
    length = len(net.graph)
    again = tg.grad(loss, net.parameters)
    assert len(net.graph) == length
    assert all(again[key] is first[key] for key in first)


@pytest.mark.parametrize("name", list(Net().losses()))
@pytest.mark.parametrize("order", ["W b", "b W", "x W", "h W", "W h", "h x", "W h b"])
def test_asking_one_after_the_other_agrees_with_asking_at_once(name, order):
    """Whatever an earlier request left behind on the tape."""
    one, both = Net(), Net()
    nodes = [{**n.everything, "h": n.h} for n in (one, both)]
    losses = [n.losses()[name] for n in (one, both)]
    separate = {key: tg.grad(losses[0], nodes[0][key]) for key in order.split()}
    together = tg.grad(losses[1], {key: nodes[1][key] for key in order.split()})
    found, expected = tg.evaluate(separate, one.feeds), tg.evaluate(together, both.feeds)
    for key in order.split():
        assert_close(found[key], expected[key], 1e-14, what=key)


def test_gradients_of_two_losses_do_not_mix():
    """A sweep from one loss must not take what a sweep from another has found."""
    net = Net()
    a, b = tg.sum(net.h), tg.sum(net.h * net.h)
    apart = tg.evaluate([tg.grad(a, net.W), tg.grad(b, net.W)], net.feeds)
    both = tg.evaluate(tg.grad(a + b, net.W), net.feeds)
    assert_close(apart[0] + apart[1], both, 1e-14)


def test_jacobian_after_grad_and_the_reverse():
    """Sweeps that keep the batch and sweeps that sum over it share no results."""
    first, second = Net(), Net()
    loss_a, loss_b = tg.sum(first.h), tg.sum(second.h)
    a = [tg.grad(loss_a, first.b), tg.jacobian(loss_a, first.b)]
    b = [tg.jacobian(loss_b, second.b), tg.grad(loss_b, second.b)]
    gradient, jacobian = tg.evaluate(a, first.feeds)
    jacobian_first, gradient_last = tg.evaluate(b, second.feeds)
    assert jacobian.shape == (B, H)
    assert_close(jacobian, jacobian_first, 1e-14)
    assert_close(gradient, gradient_last, 1e-14)
    assert_close(gradient, jacobian.sum(axis=0), 1e-14)


# The uses of a shared weight
def last_loss(net: tg.Unrolled) -> Node:
    return tg.sum(net.h[T] * net.h[T])


def uses_of(gradient: Node) -> list[Node]:
    """The terms of the gradient: what stands under its sums over uses and over the batch, which have no step."""
    waiting, found = [gradient], []
    while waiting:
        node = waiting.pop()
        if node.step is None:
            assert node.op.name in ("add", "sum_batch", "identity"), "only sums gather the uses"
            waiting.extend(node.args)
        else:
            found.append(node)
    return found


@pytest.mark.parametrize("name", ["W", "U", "b"])
def test_the_gradient_of_a_shared_weight_is_a_sum_over_its_uses(name):
    """A term per time step, each of which carries its step; the batched terms are summed together."""
    net = tg.unroll(models.elman, steps=T, I=2, H=H)
    uses = uses_of(tg.grad(last_loss(net), net.parameters)[name])
    assert sorted(use.step for use in uses) == list(range(1, T + 1))
    assert all(use.backward for use in uses)


@pytest.mark.parametrize("name", ["W", "U", "b"])
def test_each_term_is_the_gradient_through_that_use_alone(name):
    """Held against a net in which every step has a weight of its own."""
    shared = tg.unroll(models.elman, steps=T, I=2, H=H)
    gradient = tg.grad(last_loss(shared), shared.parameters)[name]
    uses = {use.step: use for use in uses_of(gradient)}
    feeds = shared.initial(0) | {"x": normal((T, B, 2))}
    total, terms = tg.evaluate([gradient, uses], feeds)
    apart, own = with_own_weights(shared, name)
    copies = {f"{name}_{t}": feeds[name] for t in own}
    expected = tg.evaluate(tg.grad(apart, own), {k: v for k, v in feeds.items() if k != name} | copies)
    for t in own:
        term = np.sum(terms[t], axis=0) if uses[t].batched else terms[t]
        assert_close(term, expected[t], 1e-13, what=t)
    assert_close(np.sum([expected[t] for t in own], axis=0), total, 1e-13)


def with_own_weights(shared: tg.Unrolled, name: str) -> tuple[Node, dict[int, Node]]:
    """The elman net written by hand, with a parameter of its own for `name` at each step."""
    graph = tg.Graph()
    weights = {key: graph.parameter(key, node.shape) for key, node in shared.parameters.items() if key != name}
    own = {t: graph.parameter(f"{name}_{t}", shared.parameters[name].shape) for t in range(1, T + 1)}
    x, h = graph.sequence("x", T, (2,)), graph.constant("h_0", zeros=(H,))
    for t in own:
        p = {**weights, name: own[t]}
        h = tg.tanh(p["W"] @ x[t] + p["U"] @ h + p["b"])
    return tg.sum(h * h), own


def test_a_gradient_does_not_touch_what_is_beside_its_path():
    """Asking for b alone makes no product with the transposed input weights."""
    net = tg.unroll(models.elman, steps=T, I=2, H=H)
    gradient = tg.grad(last_loss(net), net.parameters["b"])
    made = [node for node in cone([gradient]) if node.backward]
    assert not any(net.parameters["W"] in node.args for node in made)


def test_the_cotangent_of_a_labelled_node_is_labelled():
    """The cotangent of h_2 is dh_2."""
    net = tg.unroll(models.elman, steps=T, I=2, H=H)
    gradient = tg.grad(last_loss(net), net.h[2])
    assert gradient.name == "dh_2"
