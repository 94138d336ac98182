"""Every pass keeps what counts: values, labels, time steps, shapes, batches, feeds; a second run changes nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from graph.samples import BATCH, Sample, each_net, every_row, random_feeds, trained
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import UsageError
from tinygraph.graph import Node, cone
from tinygraph.nest import leaves
from tinygraph.passes import PASSES, Rewritten, rebuild

PASS = pytest.mark.parametrize("name", PASSES)


def assert_same_values(sample: Sample, after: Rewritten, tolerance: float = 1e-13) -> None:
    """The gate: equal values, shapes and dtypes of all roots, from the same feeds."""
    before = leaves(tg.evaluate(sample.roots, sample.feeds))
    found = leaves(tg.evaluate(after.roots, needed(after.graph, sample.feeds)))
    assert len(before) == len(found)
    for old, new in zip(before, found, strict=True):
        assert (np.shape(old), np.asarray(old).dtype) == (np.shape(new), np.asarray(new).dtype)
        np.testing.assert_allclose(new, old, rtol=tolerance, atol=tolerance)


def needed(graph: tg.Graph, feeds: Any) -> dict[str, Any]:
    """The feeds that the new tape still has."""
    return {name: value for name, value in feeds.items() if name in graph.parameters or name in graph.inputs}


def assert_provenance(sample: Sample, after: Rewritten) -> None:
    """Each labelled node of the cone has its place, and each root its shape, kind and batching."""
    for old in cone(leaves(sample.roots)):
        if old.label and not old.op.leaf and old in after.map:
            new = after.of(old)
            assert (new.label, new.step, new.scope, new.backward) == (old.label, old.step, old.scope, old.backward)
    for old, new in zip(leaves(sample.roots), leaves(after.roots), strict=True):
        assert (new.shape, new.batched, new.kind) == (old.shape, old.batched, old.kind)
        assert after.of(old) is new


def check(name: str, sample: Sample) -> Rewritten:
    after = PASSES[name](sample.roots)
    tg.validate(after.graph)
    assert_same_values(sample, after)
    assert_provenance(sample, after)
    return after


@cache
def net(cell: str, how: str) -> Sample:
    return trained(cell, how)


@PASS
@each_net("cell", "how")
def test_a_trained_cell_keeps_its_values(name, cell, how):
    sample = net(cell, how)
    after = check(name, sample)
    anchors = {*models.CELLS[cell].states, "o", "L", "loss"}
    labelled = [node for node in cone(leaves(sample.roots)) if node.label in anchors and not node.backward]
    assert [node for node in labelled if not node.op.leaf and node not in after.map] == []
    if name != "simplify":  # where c_0 = 0, the forget gate f_1 in f_1 * c_0 is no longer needed
        assert [node for node in cone(leaves(sample.roots)) if node.label and node not in after.map] == []
    again = PASSES[name](after.roots)
    assert len(again.graph) == len(after.graph), "a second run changes no node"


@PASS
def test_every_row_keeps_its_value(name):
    """All rows of the table in their examples, one by one, so that a rule cannot lean on another."""
    sample = every_row(stride=2)
    for root in sample.roots:
        one = Sample(root, sample.graph, {node.name: sample.feeds[node.name] for node in cone([root]) if node.op.leaf})
        check(name, one)


@PASS
def test_every_row_on_one_tape(name):
    check(name, every_row(stride=5))


@PASS
def test_the_structure_of_the_roots_is_kept(name):
    h = tg.unroll(models.elman, 2, I=2, H=2).h
    roots = {"a": [h[1], (h[2], h[1])], "b": h[0]}
    after = PASSES[name](roots).roots
    assert (list(after), type(after["a"]), type(after["a"][1])) == (["a", "b"], list, tuple)
    assert after["a"][0] is after["a"][1][1]
    assert isinstance(PASSES[name](h[1]).roots, Node)


@PASS
def test_a_sequence_of_inputs_stays_whole(name):
    """It is one feed, so all its steps go along even if one is needed."""
    unrolled = tg.unroll(models.elman, 3, I=2, H=4)
    after = PASSES[name](unrolled.h[1])
    feeds = needed(after.graph, unrolled.initial(seed=0) | {"x": np.ones((3, 5, 2))})
    assert list(after.graph.inputs["x"]) == [1, 2, 3]
    np.testing.assert_array_equal(
        tg.evaluate(after.roots, feeds), tg.evaluate(unrolled.h[1], random_feeds(unrolled.graph) | feeds)
    )
    assert [after.graph.inputs["x"][t].where for t in (1, 2, 3)] == [unrolled.x[t].where for t in (1, 2, 3)]


@PASS
def test_the_old_tape_is_left_alone(name):
    sample = trained("elman", "plain")
    before = [(node, node.where) for node in sample.graph]
    PASSES[name](sample.roots)
    assert [(node, node.where) for node in sample.graph] == before


@PASS
def test_what_the_roots_do_not_need_is_refused(name):
    unrolled = tg.unroll(models.elman, 2, I=2, H=2)
    with pytest.raises(UsageError, match="h_2"):
        PASSES[name](unrolled.h[1]).of(unrolled.h[2])


@PASS
def test_a_rewritten_graph_can_be_differentiated(name):
    """The gradient taken after a pass is the gradient taken before it."""
    unrolled = tg.unroll(models.lstm, 3, I=2, H=3)
    loss = tg.sum(unrolled.h[3] ** 2)
    after = PASSES[name](loss)
    feeds = random_feeds(unrolled.graph)
    expected = tg.evaluate(tg.grad(loss, unrolled.parameters), feeds)
    found = tg.evaluate(tg.grad(after.roots, after.graph.parameters), feeds)
    assert list(found) == list(expected)
    for key, value in found.items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-12, atol=1e-13)


@PASS
def test_passes_can_follow_each_other(name):
    sample = net("gru", "masked")
    for following in PASSES.values():
        after = PASSES[name](sample.roots).then(following)
        tg.validate(after.graph)
        assert_same_values(sample, after)
        assert_provenance(sample, after)


@PASS
def test_a_long_chain(name):
    """Nothing recurses."""
    graph = tg.Graph()
    h = graph.input("x", (1,))
    for _ in range(3000):
        h = tg.tanh(h) + 0
    after = PASSES[name](h)
    assert tg.evaluate(after.roots, {"x": [0.0]}) == 0


# Random graphs
STEPS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=14)
CONSTANTS = [0, 1, -1, 2, np.zeros(3), np.ones((3, 3)), -1.5]


def random_graph(steps: Any) -> list[Node]:
    """A graph grown by drawn steps, from scalars, vectors and matrices, batched and not, with 0 and 1 among them."""
    g = tg.Graph()
    nodes = [
        g.input("x", (3,)), g.input("s"), g.parameter("b", (3,)), g.parameter("r"), g.parameter("A", (3, 3)),
        g.input("M", (3, 3)), g.constant("k", zeros=(3,)), tg.spread(g.number(0)),
        tg.spread(g.constant("", ones=(3, 3))),
    ]  # fmt: skip
    for kind, i, j in steps:
        with g.at(step=kind):
            a, b = nodes[i % len(nodes)], nodes[j % len(nodes)]
            nodes.append(grown(g, kind, a, b, j))
    return [nodes[0], *nodes[-4:]]  # a batched input stays, or nothing would tell the size of the batch


def grown(g: tg.Graph, kind: int, a: Node, b: Node, j: int) -> Node:
    """One more node, of a kind that a rule of simplification might look at."""
    fits = len({a.shape, b.shape} - {()}) < 2 or {a.shape, b.shape} == {(3,), (3, 3)}
    b = b if fits else tg.sum(b)
    match kind:
        case 0 | 1 | 2:
            return (a + b, a - b, a * b)[kind]
        case 3:
            return a / (b * b + 1)
        case 4:
            return -a
        case 5:
            return (a + CONSTANTS[j % 7], a * CONSTANTS[j % 7], CONSTANTS[j % 7] - a)[j % 3]
        case 6:
            return tg.add([a, b, a])
        case 7:
            return a @ b if a.ndim and b.ndim else tg.tanh(a)
        case 8:
            return a.T if a.ndim == 2 else tg.reshape(a, (*a.shape, 1))[..., 0]
        case 9:
            return g.relabel(a, f"v{j % 3}")
        case 10:
            return tg.where(tg.sum(a) > 0, a, b)
        case _:
            return (a**1, a**0, a - a, tg.spread(a), tg.identity(a), tg.broadcast_to(tg.sum(a), (3,)))[j % 6]


@PASS
@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps=STEPS, seed=st.integers(0, 99))
def test_random_graphs(name, steps, seed):
    roots = random_graph(steps)
    graph = roots[0].graph
    sample = Sample(roots, graph, random_feeds(graph, seed))
    after = PASSES[name](roots)
    tg.validate(after.graph)
    assert_provenance(sample, after)
    assert len(PASSES[name](after.roots).graph) == len(after.graph)
    assert_close(tg.evaluate(roots, sample.feeds), tg.evaluate(after.roots, needed(after.graph, sample.feeds)))


def assert_close(before: list[Any], after: list[Any]) -> None:
    """Values as such where they are finite: a rule such as 0 * x -> 0 is exact for finite values alone."""
    for old, new in zip(before, after, strict=True):
        assert np.shape(old) == np.shape(new)
        usual = np.isfinite(old) & (np.abs(old) < 1e12)
        scale = max(1.0, float(np.max(np.abs(old[usual]), initial=0.0)))
        np.testing.assert_allclose(np.asarray(new)[usual], np.asarray(old)[usual], rtol=1e-10, atol=1e-12 * scale)


# The gate can fail
def drop_a_term(roots: Any) -> Rewritten:
    """a + b -> a: wrong on purpose."""
    return rebuild(roots, lambda node, args: args[0] if node.op.name == "add" and args[0].shape == node.shape else None)


def forget_labels(roots: Any) -> Rewritten:
    """Loses what makes h_3 findable: wrong on purpose."""
    after = rebuild(roots)
    for i, where in enumerate(after.graph.provenance):
        after.graph.provenance[i] = where._replace(label="", step=None)
    return after


@pytest.mark.parametrize("cell", models.CELLS)
def test_a_pass_that_drops_a_term_is_caught(cell):
    sample = net(cell, "plain")
    after = drop_a_term(sample.roots)
    tg.validate(after.graph)
    with pytest.raises(AssertionError, match="Not equal"):
        assert_same_values(sample, after)


def test_a_pass_that_forgets_labels_is_caught():
    sample = net("elman", "plain")
    after = forget_labels(sample.roots)
    assert_same_values(sample, after)
    with pytest.raises(AssertionError):
        assert_provenance(sample, after)


def test_a_pass_that_is_off_by_a_millionth_is_caught():
    sample = net("elman", "plain")
    after = rebuild(sample.roots, lambda node, args: tg.tanh(args[0]) * (1 + 1e-6) if node.op.name == "tanh" else None)
    with pytest.raises(AssertionError, match="Not equal"):
        assert_same_values(sample, after)


def test_the_batch_is_not_the_size_of_a_scalar():
    assert BATCH > 1
