"""Paths, held against all paths listed one by one, and against the textbook's products for the LSTM."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close
from helpers.zoo import KINKED

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import DifferentiationError, GraphError, UsageError
from tinygraph.flow.paths import OTHER, count_paths, path_ledger

# Words of a step Jacobian in compact form: (state after, state before, count).
WORDS = [
    ("elman", "h", "h", 1), ("gru", "h", "h", 5), ("gru_reset_after", "h", "h", 5),
    ("lstm", "c", "c", 1), ("lstm", "c", "h", 3), ("lstm", "h", "c", 1), ("lstm", "h", "h", 4),
]  # fmt: skip

CLASSES = {
    "highway": lambda node: node.label == "c",
    "no forget": lambda node: node.label != "f",
    "outputs": lambda node: node.label in ("h", "o"),
}


def net_of(cell: str, steps: int) -> Any:
    return tg.unroll(models.CELLS[cell], steps, sizes=dict.fromkeys(models.CELLS[cell].sizes, 3))


def listed(output: tg.Node, wrt: tg.Node) -> list[tuple[tg.Node, ...]]:
    """Every path, as the nodes strictly between. Exponential: for small graphs alone."""
    complete, open_paths = [], [(output,)]
    while open_paths:
        path = open_paths.pop()
        if path[-1] is wrt:
            complete.append(path[1:-1])
            continue
        node = path[-1]
        flows = [arg for i, arg in enumerate(node.args) if node.op.rule(i) and arg.kind == "real"]
        open_paths += [(*path, arg) for arg in flows if arg.id >= wrt.id]
    return complete


def random_graph(seed: int) -> tuple[tg.Node, tg.Node]:
    """Twelve elementwise nodes on random operands, one in three labelled a, b or c."""
    rng = np.random.default_rng(seed)
    graph = tg.Graph()
    nodes = [graph.input("x", (2,)), graph.parameter("w", (2,))]
    for _ in range(12):
        a, b = (nodes[i] for i in rng.integers(max(0, len(nodes) - 5), len(nodes), 2))
        made = [lambda a=a, b=b: a * b, lambda a=a, b=b: a + b, lambda a=a: tg.tanh(a), lambda a=a: tg.stop_gradient(a)]
        node = made[rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])]()
        nodes.append(graph.relabel(node, "abc"[rng.integers(3)]) if rng.random() < 0.4 else node)
    return nodes[-1], nodes[0]


@pytest.mark.parametrize(("cell", "after", "before", "count"), WORDS)
def test_the_paths_of_a_step_are_its_words(cell, after, before, count):
    net = net_of(cell, 2)
    others = [net.series[state][1] for state in net.cell.states if state != before]  # held fixed: one block
    ledger = path_ledger(net.series[after][2], net.series[before][1], {"block": lambda node: node not in others})
    assert ledger.counts["block"] == count
    assert (ledger.counts[OTHER] > 0) == (before == "c"), "c_1 goes on through h_1 too"


def test_the_paths_of_many_steps():
    """Matrix powers of one step's counts; for the LSTM 4, 19, 91, 436, 2089."""
    net = net_of("lstm", 60)
    assert [count_paths(net.h[1 + d], net.h[1]) for d in range(1, 6)] == [4, 19, 91, 436, 2089]
    step, power = np.array([[1, 3], [1, 4]], dtype=object), np.eye(2, dtype=object)
    for d in range(1, 60):
        power = step @ power
        assert count_paths(net.h[1 + d], net.h[1]) == power[1, 1]
    assert power[1, 1] > 2**64, "too large for a machine word"


@pytest.mark.parametrize("seed", range(40))
def test_counts_and_ledgers_against_all_paths_listed(seed):
    output, wrt = random_graph(seed)
    classes = {"a": lambda node: node.label == "a", "no b": lambda node: node.label != "b"}
    paths = listed(output, wrt)
    expected: Counter[str] = Counter()
    for path in paths:
        labelled = [node for node in path if node.label]
        fits = (name for name, fits in classes.items() if all(fits(node) for node in labelled))
        expected[next(fits, OTHER)] += 1
    assert count_paths(output, wrt) == len(paths)
    ledger = path_ledger(output, wrt, classes)
    tg.validate(ledger.graph)
    assert {name: count for name, count in ledger.counts.items() if count} == dict(expected)
    feeds = random_feeds(output.graph, seed)
    found = tg.evaluate(dict(ledger.jacobians), feeds)
    assert_close(sum(found.values()), tg.evaluate(tg.jacobian(output, wrt), feeds), 1e-12)


@pytest.mark.parametrize("cell", [name for name in models.CELLS if name not in KINKED])
def test_a_ledger_sums_to_the_jacobian(cell):
    net = net_of(cell, 4)
    feeds = random_feeds(net.graph)
    out = net.output
    for output, wrt in ((out[4], out[1]), (out[3], next(iter(net.parameters.values())))):
        ledger = path_ledger(output, wrt, CLASSES)
        found = tg.evaluate(dict(ledger.jacobians), feeds)
        assert_close(sum(found.values()), tg.evaluate(tg.jacobian(output, wrt), feeds), 1e-12)
        assert sum(ledger.counts.values()) == count_paths(output, wrt)
        for name, value in found.items():
            assert (np.max(np.abs(value)) > 0) == (ledger.counts[name] > 0), name


def test_the_highway_of_the_lstm_is_the_product_of_its_forget_gates():
    """dc_5/dc_2 along cells alone is diag(f_3 f_4 f_5), one path (Hochreiter and Schmidhuber 1997)."""
    net = net_of("lstm", 5)
    feeds = random_feeds(net.graph)
    ledger = path_ledger(net.c[5], net.c[2], {"highway": CLASSES["highway"]})
    assert ledger.counts == {"highway": 1, OTHER: count_paths(net.c[5], net.c[2]) - 1}
    gates = np.prod(tg.evaluate([net.f[t] for t in (3, 4, 5)], feeds), axis=0)
    found = tg.evaluate(dict(ledger.jacobians), feeds)
    assert_close(found["highway"], gates[:, :, None] * np.eye(3), 1e-14)
    assert np.max(np.abs(found[OTHER])) > 1e-6


def test_a_path_goes_to_the_first_class_that_it_fits():
    net = net_of("lstm", 3)
    first, second = (dict(reversed(CLASSES.items())), CLASSES)
    counts = [path_ledger(net.c[3], net.c[1], classes).counts for classes in (first, second)]
    assert counts[0] != counts[1]
    assert "highway" in counts[1]
    assert sum(counts[0].values()) == sum(counts[1].values()) == count_paths(net.c[3], net.c[1])


def test_no_path_and_the_path_of_no_length():
    net = net_of("elman", 3)
    feeds = random_feeds(net.graph)
    assert (count_paths(net.h[1], net.h[3]), count_paths(net.h[2], net.h[2])) == (0, 1)
    nothing = path_ledger(net.h[1], net.h[3], CLASSES)
    assert nothing.counts == {OTHER: 0}
    assert_close(tg.evaluate(nothing.jacobians[OTHER], feeds), np.zeros((3, 3, 3)), 0)
    itself = path_ledger(net.h[2], net.h[2], {"all": lambda node: True})
    assert itself.counts == {"all": 1, OTHER: 0}
    assert_close(tg.evaluate(itself.jacobians["all"], feeds) + np.zeros((3, 3, 3)), np.stack([np.eye(3)] * 3), 0)


def test_a_long_chain_is_counted():
    graph = tg.Graph()
    x = h = graph.input("x")
    for _ in range(3000):
        h = h + h
    assert count_paths(h, x) == 2**3000


BAD = {
    "a name": (UsageError, "between nodes", lambda net: count_paths(net.h[2], "h")),
    "two tapes": (GraphError, "one tape", lambda net: count_paths(net.h[2], net_of("elman", 1).h[1])),
    "no condition": (UsageError, "condition on nodes", lambda net: path_ledger(net.h[2], net.h[1], {"c": "c"})),
    "the name other": (UsageError, "other", lambda net: path_ledger(net.h[2], net.h[1], {OTHER: callable})),
    "a batch sum": (
        DifferentiationError, "crosses the batch",
        lambda net: path_ledger(tg.sum_batch(net.h[2]), net.h[1], {}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    kind, message, call = BAD[name]
    with pytest.raises(kind, match=message):
        call(net_of("elman", 2))
