"""Hoisting keeps all values, shortens cycles, and leaves one early operand to each sum and product of a cycle."""

from __future__ import annotations

import numpy as np
import pytest
from graph.samples import random_feeds
from rolling.checks import check
from rolling.nets import CELLS, NETS, SOME

import tinygraph as tg
from tinygraph import models
from tinygraph.nest import leaves
from tinygraph.rolling import hoist, hoisting


def assert_same_values(roots, after, batch=3):
    feeds = random_feeds(leaves(roots)[0].graph, batch=batch)
    needed = {name: v for name, v in feeds.items() if name in after.graph.inputs or name in after.graph.parameters}
    for old, new in zip(leaves(tg.evaluate(roots, feeds)), leaves(tg.evaluate(after.roots, needed)), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", SOME)
def test_values_are_kept(name):
    roots = NETS[name](6)
    after = hoist(roots)
    tg.validate(after.graph)
    assert_same_values(roots, after)
    for old, new in zip(leaves(roots), leaves(after.roots), strict=True):
        assert (new.shape, new.batched, new.kind, new.label) == (old.shape, old.batched, old.kind, old.label)


@pytest.mark.parametrize("name", SOME)
def test_one_early_operand_is_left(name):
    rolled = check(hoist(NETS[name](6)).roots)
    for cycle in rolled.cycles:
        for c in (rolled.classes[n] for n in cycle if rolled.classes[n].op.name in ("add", "mul")):
            late = {slot for read in rolled.late(c) for slot in read.slots}
            assert len(c.members[0].args) - len(late) <= 1


@pytest.mark.parametrize("name", CELLS)
def test_a_second_run_changes_nothing(name):
    once = hoist(NETS[name](5))
    assert len(hoist(once.roots).graph) == len(once.graph)


def test_the_cycle_of_an_elman_net():
    """W x + b is early; U h', the sum, tanh and the state are what is left."""
    net = tg.unroll(models.elman, 7, I=2, H=3)
    before, after = tg.roll(net.h[7]), tg.roll(hoist(net.h[7]).roots)
    assert [len(cycle) for cycle in before.cycles] == [5]
    assert [len(cycle) for cycle in after.cycles] == [4]
    assert "h[t] = tanh(U @ h[t-1] + W @ x[t] + b)" in str(after)


def test_the_cycle_of_a_gradient():
    """All local derivatives of an LSTM are early."""
    roots = NETS["lstm plain"](7)
    before, after = tg.roll(roots), tg.roll(hoist(roots).roots)
    assert all(len(b) < len(a) for a, b in zip(before.cycles, after.cycles, strict=True))


def test_a_lost_term_is_caught(monkeypatch):
    roots = NETS["elman plain"](5)
    assert_same_values(roots, hoist(roots))
    monkeypatch.setitem(hoisting.JOIN, "add", lambda terms: terms[0])
    with pytest.raises(AssertionError, match="Not equal"):
        assert_same_values(roots, hoist(roots))
