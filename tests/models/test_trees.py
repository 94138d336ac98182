"""Recursive networks over trees: against recursion in plain NumPy, and gradients at every node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close, central

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import GraphError, ShapeError, UsageError
from tinygraph.models.trees import compose

H = 3
CELLS = ["recursive", "rntn"]


def random_tree(rng: np.random.Generator, leaves: list[Any]) -> Any:
    """A binary tree over the leaves in their order, cut at random places."""
    if len(leaves) == 1:
        return leaves[0]
    cut = int(rng.integers(1, len(leaves)))
    return random_tree(rng, leaves[:cut]), random_tree(rng, leaves[cut:])


def by_recursion(p: dict[str, Any], tree: Any, values: dict[str, Any]) -> list[Any]:
    """The states of all nodes in post-order; the last is the tree's own."""
    if not isinstance(tree, tuple):
        return [values[tree.name]]
    left, right = (by_recursion(p, part, values) for part in tree)
    s = np.concatenate([left[-1], right[-1]])
    a = p["tree/W"] @ s + p["tree/b"]
    if "tree/V" in p:
        a = a + np.array([s @ form @ s for form in p["tree/V"]])
    return [*left, *right, np.tanh(a)]


def words(graph: tg.Graph, count: int) -> list[tg.Node]:
    return [graph.input(f"w{k}", (H,)) for k in range(count)]


def values_of(graph: tg.Graph, seed: int = 0, batch: tuple[int, ...] = ()) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found = {name: 0.5 * rng.standard_normal(p.shape) for name, p in graph.parameters.items()}
    leaves = {name: node for name, node in graph.inputs.items() if name != "label"}
    return found | {name: rng.standard_normal(batch + node.shape) for name, node in leaves.items()}


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CELLS)
def test_against_recursion(name, seed, count):
    graph = tg.Graph()
    tree = random_tree(np.random.default_rng(seed), words(graph, count))
    net = compose(models.CELLS[name], tree)
    values = values_of(graph)
    expected = by_recursion(values, tree, values)
    found = tg.evaluate(list(net.phrases), values)
    assert len(found) == len(expected) == 2 * count - 1
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, 1e-14)
    tg.validate(graph)


@pytest.mark.parametrize("name", CELLS)
def test_gradient_with_a_label_at_every_node(name):
    """The loss of all sub-phrases, by parameters and leaves, against central differences; batched."""
    graph = tg.Graph()
    net = compose(models.CELLS[name], random_tree(np.random.default_rng(1), words(graph, 6)))
    V = graph.parameter("V", (2, H))
    labels = graph.sequence("label", len(net.phrases), (), kind="integer")
    losses = [
        tg.cross_entropy(score, label) for score, label in zip(net.label(lambda p: V @ p), labels.values(), strict=True)
    ]
    loss = tg.sum_batch(tg.add(losses))
    rng = np.random.default_rng(2)
    feeds = values_of(graph, 0, (4,)) | {"V": rng.standard_normal((2, H)), "label": rng.integers(0, 2, (11, 4))}
    leaves = {**graph.parameters, **{n: node for n, node in graph.inputs.items() if n != "label"}}
    gradients = tg.evaluate(tg.grad(loss, leaves), feeds)
    for key, gradient in gradients.items():
        v = rng.standard_normal(gradient.shape)
        assert_close(np.sum(gradient * v), central(lambda at: tg.evaluate(loss, at), feeds, {key: v}), 1e-7, what=key)


def test_the_tree_that_leans_to_the_left_is_the_cell_over_time():
    graph = tg.Graph()
    a, b, c = words(graph, 3)
    net = compose(models.CELLS["rntn"], ((a, b), c))
    values = values_of(graph)
    chain = tg.unroll(models.CELLS["rntn"], 2, H=H, initial="fed")
    fed = {key: values[f"tree/{key}"] for key in chain.parameters}
    fed |= {"l_0": values["w0"], "r": np.stack([values["w1"], values["w2"]])}
    assert_close(tg.evaluate(net.root, values), tg.evaluate(chain.output[2], fed), 1e-15)


def test_another_form_of_the_tree_is_another_value():
    graph = tg.Graph()
    a, b, c = words(graph, 3)
    left = compose(models.CELLS["recursive"], ((a, b), c))
    right = compose(models.CELLS["recursive"], (a, (b, c)), parameters=left.parameters, scope="other")
    assert set(graph.parameters) == {"tree/W", "tree/b"}
    one, other = tg.evaluate([left.root, right.root], values_of(graph))
    assert np.max(np.abs(one - other)) > 1e-3


def test_places_and_depths():
    graph = tg.Graph()
    a, b, c = words(graph, 3)
    net = compose(models.CELLS["recursive"], (a, (b, c)))
    assert net.parts == (None, None, None, (1, 2), (0, 3))
    assert [phrase.step for phrase in net.phrases[3:]] == [1, 2]
    assert net.root is net.phrases[4]


def test_a_tree_of_any_depth():
    """Nothing recurses: 5,000 words in a row."""
    graph = tg.Graph()
    tree, *rest = words(graph, 5000)
    for word in rest:
        tree = (tree, word)
    assert compose(models.CELLS["recursive"], tree).root.step == 4999


def test_wrong_input():
    graph = tg.Graph()
    a, b = words(graph, 2)
    made = models.CELLS["recursive"]
    with pytest.raises(UsageError, match="gru is not one of two children"):
        compose(models.gru, (a, b))
    with pytest.raises(UsageError, match="a pair of trees, not"):
        compose(made, (a, b, a))
    with pytest.raises(UsageError, match="a pair of trees, not 'cat'"):
        compose(made, (a, "cat"))
    with pytest.raises(ShapeError, match=r"the leaf long has shape \(4,\)"):
        compose(made, (a, graph.input("long", (4,))))
    with pytest.raises(GraphError, match="different tapes"):
        compose(made, (a, tg.Graph().input("far", (H,))))
    other = compose(made, tuple(words(tg.Graph(), 2)))
    with pytest.raises(GraphError, match="another tape"):
        compose(made, (a, b), parameters=other.parameters)
