"""Recomputation: the same values in O(sqrt T) memory, and two broken passes that are caught."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds, trained
from helpers.zoo import few
from hypothesis import given, settings
from hypothesis import strategies as st
from passes.test_values import STEPS, assert_close, random_graph
from rolling.nets import NETS

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import ShapeError, UsageError
from tinygraph.graph import Node, cone
from tinygraph.nest import leaves
from tinygraph.passes import recomputation
from tinygraph.passes.recomputation import TURNS, is_recomputed

FEW_NETS = ("lstm plain", "gru masked", "two layers", "bidirectional", "attention", "encoder_decoder", "tree", "alone")
EACH = [pytest.param(name, marks=[] if name in FEW_NETS else [pytest.mark.slow]) for name in NETS]


def with_gradient(net: Any) -> list[Any]:
    loss = models.softmax_cross_entropy(models.readout(net, 4), mask=net.mask)
    return [loss, tg.grad(loss, net.graph.parameters)]


def last_loss(steps: int) -> list[Any]:
    net = tg.unroll(models.gru, steps, I=2, H=3)
    loss = tg.mean_batch(tg.sum(net.h.last**2))
    return [loss, tg.grad(loss, net.parameters)]


def translator(steps: int) -> list[Any]:
    net = models.SequenceToSequence(source=6, targets=5, hidden=4, embedding=3, bidirectional=True).unroll(steps, steps)
    return [net.loss, net.gradients]


# By the number of steps
LONG: dict[str, Callable[[int], list[Any]]] = {
    "elman": lambda T: with_gradient(tg.unroll(models.elman, T, I=2, H=3)),
    "lstm, masked": lambda T: with_gradient(tg.unroll(models.lstm, T, I=2, H=3, mask=True)),
    "two layers": lambda T: with_gradient(models.stack(models.gru, T, layers=2, I=2, H=3)),
    "both directions": lambda T: with_gradient(models.bidirectional(models.elman, T, I=2, H=3)),
    "loss at the end": last_loss,
    "translator": translator,
}
QUICK = ("elman", "both directions")


def computed(roots: Any) -> list[Node]:
    return [node for node in cone(leaves(roots)) if not node.op.leaf]


def most_held(order: Iterable[Node], roots: Any) -> int:
    """The elements held at most, of one example, if nodes are computed in this order and freed after their last use.

    Leaves are not counted, nor what is an operand itself, under another name.
    """
    order = [node for node in order if not node.op.leaf]
    last = {arg: node for node in order for arg in node.args}
    kept, size = set(leaves(roots)), {n: 0 if n.op.name == "after" else prod(n.shape) for n in order}
    held = most = 0
    for node in order:
        held += size[node]
        most = max(most, held)
        held -= sum(size.get(arg, 0) for arg in set(node.args) if last[arg] is node and arg not in kept)
    return most


def values(roots: Any, feeds: Any) -> list[Any]:
    graph = leaves(roots)[0].graph
    return leaves(tg.evaluate(roots, {k: v for k, v in feeds.items() if k in graph.parameters | graph.inputs}))


def assert_same(roots: Any, after: Any, feeds: Any, tolerance: float = 1e-12) -> None:
    for a, b in zip(values(roots, feeds), values(after, feeds), strict=True):
        assert (np.shape(a), np.asarray(a).dtype) == (np.shape(b), np.asarray(b).dtype)
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * max(1.0, np.max(np.abs(a), initial=0)))


# Values
@pytest.mark.parametrize("how", ["plain", pytest.param("masked", marks=pytest.mark.slow)])
@pytest.mark.parametrize("cell", few())
def test_a_trained_cell_keeps_its_values(cell: str, how: str) -> None:
    """And each labelled node is found, where it was."""
    sample = trained(cell, how)
    for segments in (None, 3):
        lean = tg.recompute(sample.roots, segments)
        tg.validate(lean.graph)
        assert_same(sample.roots, lean.roots, sample.feeds)
        for old in cone(leaves(sample.roots)):
            if old.label and not old.op.leaf:
                new = lean.of(old)
                assert (new.label, new.step, new.scope) == (old.label, old.step, old.scope)
                assert (new.shape, new.batched, new.kind) == (old.shape, old.batched, old.kind)


@pytest.mark.parametrize("name", EACH)
def test_odd_nets_and_their_plans(name: str) -> None:
    """Trees, skips, both directions, attention, tapes without stamps; a plan of the new tape agrees too."""
    roots = NETS[name](7)
    feeds = random_feeds(leaves(roots)[0].graph)
    lean = tg.recompute(roots)
    tg.validate(lean.graph)
    assert_same(roots, lean.roots, feeds)
    assert mixed(lean.graph) <= mixed(leaves(roots)[0].graph), "a forward node that waits for a gradient"
    needed = {k: v for k, v in feeds.items() if k in lean.graph.parameters | lean.graph.inputs}
    for a, b in zip(values(roots, feeds), leaves(tg.plan(lean.roots, dtype="float64")(needed)), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12 * max(1.0, np.max(np.abs(a), initial=0)))


def mixed(graph: tg.Graph) -> bool:
    """Whether a forward node reads a backward one: then no picture of the forward net can be drawn."""
    return any(arg.backward and not node.backward for node in graph for arg in node.args)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_all_but_sums_over_time_and_batch_are_the_same_bits(name: str) -> None:
    net = tg.unroll(models.CELLS[name], 9, I=2, H=3)
    states = [h for series in net.series.values() for t, h in series.items() if t]
    loss = models.softmax_cross_entropy(models.readout(net, 4))
    roots = [loss, states, tg.grad(loss, states), tg.grad(loss, dict(net.x))]
    lean = tg.recompute(roots)
    assert any(map(is_recomputed, lean.graph))
    for a, b in zip(values(roots, feeds := random_feeds(net.graph)), values(lean.roots, feeds), strict=True):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(steps=STEPS, seed=st.integers(0, 99))
def test_random_graphs_with_time_in_any_order(steps: Any, seed: int) -> None:
    """And once more what has been recomputed."""
    roots = random_graph(steps)
    real = [tg.sum(node) for node in roots if node.kind == "real"]
    roots += leaves([tg.grad(node, roots[0].graph.parameters) for node in real])
    feeds = random_feeds(roots[0].graph, seed)
    lean = tg.recompute(roots)
    tg.validate(lean.graph)
    assert_close(values(roots, feeds), values(lean.roots, feeds))
    assert_close(values(roots, feeds), values(tg.recompute(lean.roots).roots, feeds))


def test_a_sum_over_the_batch_of_terms_with_and_without_one() -> None:
    """sum_batch(x_1 + r + x_2 + r): each r counts once for each example."""
    g = tg.Graph()
    x, r = g.sequence("x", 4, (3,)), g.parameter("r", (3,))
    terms = []
    for t in x:
        with g.at(step=t):
            terms += [tg.tanh(x[t]), tg.tanh(r)]
    roots = [tg.sum_batch(tg.add(terms), name="total")]
    lean = tg.recompute(roots)
    assert_same(roots, lean.roots, random_feeds(g))
    assert lean.roots[0].label == "total"


def test_the_gradient_of_a_recomputed_gradient() -> None:
    net = tg.unroll(models.elman, 6, I=2, H=3)
    loss = tg.mean_batch(tg.add([tg.sum(h * h) for t, h in net.h.items() if t]))
    first = tg.grad(loss, net.parameters)
    lean = tg.recompute(first)
    second = [
        tg.grad(tg.add([tg.sum(g * g) for g in leaves(gradients)]), graph.parameters)
        for gradients, graph in ((first, net.graph), (lean.roots, lean.graph))
    ]
    assert_same(*second, random_feeds(net.graph), tolerance=1e-11)


# Memory
@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in LONG])
def test_memory_grows_like_the_root_of_time(name: str) -> None:
    """Four times the steps, about twice the memory, where it is four times without; and at most three forward passes.

    So too for whoever computes each node as early as it can be.
    """
    found = {}
    for steps in (9, 36, 144) if name in QUICK else (9, 36):
        roots = LONG[name](steps)
        lean = tg.recompute(roots)
        nodes = computed(lean.roots)
        found[steps] = [most_held(computed(roots), roots), most_held(nodes, lean.roots), earliest(lean.roots)]
        assert len(nodes) < 2 * len(computed(roots))
    for before, after in pairwise(found.values()):
        growth = [b / a for a, b in zip(before, after, strict=True)]
        assert growth[0] > 3.4
        assert max(growth[1:]) < 2.3


def earliest(roots: Any) -> int:
    """The elements held at most if nodes are computed level by level, each as early as it can be."""
    nodes, level = computed(roots), dict[Node, int]()
    for node in nodes:
        level[node] = 1 + max((level.get(arg, 0) for arg in node.args), default=0)
    return most_held(sorted(nodes, key=level.__getitem__), roots)


def test_the_interpreter_takes_no_more() -> None:
    """By the allocator's own count: each value is freed after its last use."""
    peaks = {}
    for steps in (25, 100):
        net = tg.unroll(models.elman, steps, I=2, H=8)
        roots = with_gradient(net)
        feeds = random_feeds(net.graph, batch=256)
        lean = tg.recompute(roots)
        peaks[steps] = allocated(roots, feeds), allocated(lean.roots, feeds)
    assert peaks[100][0] > 3.4 * peaks[25][0]
    assert peaks[100][1] < 2.3 * peaks[25][1]
    assert peaks[100][1] < peaks[100][0] / 4


def allocated(roots: Any, feeds: Any) -> int:
    tracemalloc.start()
    try:
        tg.evaluate(roots, feeds)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("segments", [1, 2, 5, 20])
def test_the_number_of_segments(segments: int) -> None:
    roots = LONG["elman"](20)
    lean = tg.recompute(roots, segments)
    assert lean.segments == segments
    assert any(map(is_recomputed, lean.graph)) == (segments > 1)
    assert_same(roots, lean.roots, random_feeds(roots[0].graph))


def test_without_time_the_place_on_the_tape_is_taken() -> None:
    g = tg.Graph()
    u, first = g.parameter("u"), g.input("x")
    h = first
    for _ in range(400):
        h = tg.tanh(u * h)
    roots = [h, tg.grad(h, u)]
    lean = tg.recompute(roots)
    assert_same(roots, lean.roots, {"u": 1.5, "x": np.ones(2)})
    assert most_held(computed(lean.roots), lean.roots) < most_held(computed(roots), roots) / 5


def test_leaves_alone() -> None:
    W = tg.Graph().parameter("W", (2, 2))
    assert tg.evaluate(tg.recompute([W]).roots, {"W": np.eye(2)})[0].tolist() == [[1, 0], [0, 1]]


def test_time_that_goes_to_and_fro_is_not_followed_for_ever() -> None:
    """h_k at step k mod 9, each read by the next and by the one after it: the cost stays linear."""
    g = tg.Graph()
    h = [g.input("x"), g.input("y")]
    for k in range(900):
        with g.at(step=k % 9):
            h.append(tg.tanh(h[-1] * tg.sin(h[-2])))
    roots = [h[-1], tg.grad(h[-1], h[:2])]
    lean = tg.recompute(roots)
    assert len(computed(lean.roots)) < TURNS * len(computed(roots))
    assert_same(roots, lean.roots, {"x": 0.5, "y": 0.25})


@pytest.mark.parametrize(
    ("segments", "error"), [(0, UsageError), (21, UsageError), (2.5, ShapeError), ("2", ShapeError)]
)
def test_a_wrong_number_of_segments(segments: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="segments"):
        tg.recompute(LONG["elman"](20), segments)


def test_wrong_roots() -> None:
    with pytest.raises(UsageError):
        tg.recompute([])
    with pytest.raises(UsageError):
        tg.recompute(3)


# What it looks like
def test_the_same_tape_each_time() -> None:
    first, second = (tg.recompute(LONG["both directions"](9)).graph.text() for _ in range(2))
    assert first == second


def test_the_text_and_the_picture_show_what_is_computed_again() -> None:
    lean = tg.recompute(LONG["elman"](4), 2)
    text = lean.graph.text()
    assert "recomputed/h_1" in text
    assert "after(x_1" in text
    assert "recomputed" in viz.draw(tg.recompute(LONG["both directions"](4), 2).roots).svg
    assert "recomputed" not in viz.draw(lean.roots).svg  # all of it is part of the gradient


def test_costs() -> None:
    roots = LONG["elman"](36)
    costs = tg.recomputation_costs(roots, (None, 3, 36))
    assert [row.segments for row in costs.rows] == [None, 6, 3, 36]
    given, usual = costs.rows[:2]
    assert given.again == 0
    assert given.forward + given.backward == len(computed(roots))
    assert 0 < usual.again <= given.forward
    assert usual.held < given.held / 2
    assert costs.leanest.held == min(row.held for row in costs.rows)
    for row, after in zip(costs.rows[1:], (tg.recompute(roots, n).roots for n in (6, 3, 36)), strict=True):
        assert row.again == sum(map(is_recomputed, computed(after)))
        assert row.held >= most_held(computed(after), after)
    assert json.loads(json.dumps(costs.as_dicts()))[1]["segments"] == 6
    assert str(costs).count("\n") == 4
    assert costs._repr_html_().count("<tr>") == 5


# Sabotage
def test_a_pass_that_forgets_to_wait_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values are right, and the order of the tape is; another order needs the memory that was to be saved."""
    roots = LONG["elman"](64)
    lean = earliest(tg.recompute(roots).roots)
    monkeypatch.setattr(recomputation, "after", Forgetful)
    wrong = tg.recompute(roots)
    assert_same(roots, wrong.roots, random_feeds(roots[0].graph))
    assert earliest(wrong.roots) > 2 * lean


class Forgetful:
    """after(x, y) -> x."""

    @staticmethod
    def apply(graph: tg.Graph, operands: tuple[Node, ...]) -> Node:
        return operands[0]


@pytest.mark.parametrize("cell", ["elman", "lstm"])
def test_a_pass_that_starts_from_a_wrong_state_is_caught(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each segment was computed again from what entered the first one asked for."""
    sample = trained(cell, "plain")
    entered: dict[Any, Node] = {}

    class Stale:
        @staticmethod
        def apply(graph: tg.Graph, operands: tuple[Node, ...]) -> Node:
            value = operands[0]
            return entered.setdefault((value.label, value.shape, value.kind), value)

    monkeypatch.setattr(recomputation, "after", Stale)
    wrong = tg.recompute(sample.roots, 3)
    tg.validate(wrong.graph)
    with pytest.raises(AssertionError, match="Not equal"):
        assert_same(sample.roots, wrong.roots, sample.feeds)


def test_a_plan_takes_less_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60 steps in 8 segments or in 15, of four steps each: what a segment needs stands where the last one's did."""
    monkeypatch.setattr("tinygraph.planning.arena.WORTH", 1)
    net = tg.unroll(models.lstm, 60, I=4, H=4)
    loss = models.softmax_cross_entropy(models.readout(net, 3))
    roots = [loss, tg.grad(loss, net.graph.parameters)]
    whole, *lean = [tg.plan(some).program(16).arena.size for some in (roots, *(rewritten(roots, n) for n in (8, 15)))]
    assert max(lean) < 0.65 * whole


def rewritten(roots: Any, segments: int) -> Any:
    return tg.recompute(roots, segments).roots
