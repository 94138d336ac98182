"""Matrices in blocks: they are cut as is said, wherever a product allows it, and a wrong cut is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from graph.samples import random_feeds
from hypothesis import given
from hypothesis import strategies as st
from planning.test_values import SOME, assert_equal_values
from rolling.nets import NETS

import tinygraph as tg
from tinygraph import models
from tinygraph.nest import leaves
from tinygraph.planning import cuts, sides
from tinygraph.planning.cuts import Cut, cut_of
from tinygraph.planning.items import APPLY, JOINED


@pytest.fixture
def everything_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the smallest product were too large for BLAS, and long vectors too long."""
    monkeypatch.setattr(cuts, "SMALL", 0)
    monkeypatch.setattr(cuts, "WIDTHS", (2, 1))
    monkeypatch.setattr(cuts, "BLOCK", 12)
    monkeypatch.setattr(sides, "OFTEN", 1)
    monkeypatch.setattr("tinygraph.planning.joining.LONG", 1)
    monkeypatch.setattr("tinygraph.planning.arena.WORTH", 1)


def found_cuts(plan: tg.Plan, batch: int) -> set[Cut]:
    return {side.cut for side in plan.program(batch).emitter.storage.copies if side.cut}


@pytest.mark.usefixtures("everything_is_cut")
@pytest.mark.parametrize("name", SOME)
def test_nets(name: str) -> None:
    """Wherever a matrix is applied to more than one vector, to several at once, or added up over several."""
    roots = NETS[name](4)
    plan = assert_equal_values(roots, random_feeds(leaves(roots)[0].graph, batch=2))
    inside = {n for part, cyclic in zip(plan.classes.parts, plan.classes.cyclic, strict=True) if cyclic for n in part}
    steps = [item for item, n in zip(plan.classes.items, plan.classes.of, strict=True) if n in inside and item.batched]
    assert found_cuts(plan, 2) or not any(item.op in (APPLY, JOINED) for item in steps)


@pytest.mark.usefixtures("everything_is_cut")
def test_pieces_are_added_up() -> None:
    pieces = set()
    for name in ("lstm plain", "translator that looks last"):
        roots = NETS[name](3)
        plan = tg.plan(roots)
        plan(random_feeds(leaves(roots)[0].graph, batch=2))
        pieces |= {cut.pieces for cut in found_cuts(plan, 2)}
    assert pieces >= {1, 2, 3}


def test_a_cell_that_is_large_enough() -> None:
    """At the sizes that are cut for the sake of speed, forward and backward, and not for a few steps."""
    for steps, expected in ((10, {Cut(1, 64)}), (4, set())):
        net = tg.unroll(models.lstm, steps, I=2, H=256)
        loss = models.softmax_cross_entropy(models.readout(net, 3))
        roots = [loss, tg.grad(loss, net.graph.parameters)]
        feeds = {
            name: value / 10 if np.asarray(value).dtype.kind == "f" else value
            for name, value in random_feeds(net.graph, batch=32).items()
        }
        plan = assert_equal_values(roots, feeds)
        assert found_cuts(plan, 32) == expected


@given(st.integers(1, 100), st.integers(1, 3000), st.integers(1, 3000))
def test_a_cut_fits(rows: int, inner: int, columns: int) -> None:
    cut = cut_of(rows, inner, columns)
    if cut is None:
        return
    matrix = np.zeros((inner, columns), np.int8)
    assert cut.blocks(matrix).shape == cut.form(inner, columns)
    assert rows * inner * columns > cuts.SMALL
    assert rows * inner // cut.pieces * cut.width <= cuts.BLOCK


@pytest.mark.parametrize("rows", [2, 32, 64])
def test_a_cut_product_is_the_product(rows: int) -> None:
    rng = np.random.default_rng(0)
    x, matrix = rng.standard_normal((rows, 1024)), rng.standard_normal((1024, 1024))
    cut = cut_of(rows, 1024, 1024)
    assert cut is not None
    pieces, blocks, inner, width = cut.form(1024, 1024)
    parts = x.reshape(rows, pieces, 1, inner).transpose(1, 2, 0, 3) @ cut.blocks(matrix)
    found = parts.sum(axis=0).transpose(1, 0, 2).reshape(rows, blocks * width)
    np.testing.assert_allclose(found, x @ matrix, atol=1e-10)


@pytest.mark.usefixtures("everything_is_cut")
@pytest.mark.parametrize("name", ["lstm plain", "attention"])
def test_wrong_blocks_are_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Cut.blocks
    monkeypatch.setattr(Cut, "blocks", lambda self, matrix: right(self, matrix)[:, ::-1])
    roots = NETS[name](3)
    with pytest.raises(AssertionError):
        assert_equal_values(roots, random_feeds(leaves(roots)[0].graph, batch=2))
