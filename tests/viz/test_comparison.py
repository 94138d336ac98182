"""Differences: what a pass did is what its map says, and what a cell adds is what its equations add."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError
from tinygraph.models import CELLS
from tinygraph.passes import PASSES, share, simplify
from tinygraph.viz.comparison import SIGNS

from .hostile import LABELS, hostile_net
from .pictures import SVG, groups, parse, unrolled


def repeated() -> Any:
    """Two products of the same, and three times 1 - z."""
    g = tg.Graph()
    x, z = g.input("x", (2,)), g.input("z", (2,))
    return tg.tanh(x * z) + tg.sigmoid(x * z) * (1 - z) + (1 - z) * (1 - z)


def signs(comparison: Any) -> Counter[str]:
    """The signs at the corners of boxes."""
    nodes = groups(comparison, "node")
    words = ["".join(text.itertext()) for g in nodes for text in list(g.iter(f"{SVG}text"))[1:]]
    return Counter(word for word in words if word in SIGNS.values())


def test_what_is_shared_is_merged() -> None:
    before = repeated()
    comparison = viz.compare(before, share(before))
    first, second = comparison.changes
    assert Counter(node.op.name for node in first["merged"]) == {"mul": 2, "sub": 3}
    assert Counter(node.op.name for node in second["merged"]) == {"mul": 1, "sub": 1}
    assert first.keys() == second.keys() == {"merged"}
    assert signs(comparison) == {"∪": 7}
    assert len(groups(comparison, "merged")) > 7, "the edges into them too"


def test_what_nothing_needs_is_removed() -> None:
    net = tg.unroll(CELLS["gru"], 2, I=2, H=2)
    first, second = viz.compare([net.h[2]], simplify([net.h[2]])).changes
    assert {"h_0", "r_1"} <= {node.name for node in first["removed"]}, "without a state the reset gate has no use"
    assert "removed" not in second
    assert "added" not in second


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_is_told_by_its_map(name: str) -> None:
    roots = [unrolled(CELLS["lstm"], 2).h[2]]
    rewritten = PASSES[name](roots)
    first, second = viz.compare(roots, rewritten).changes
    old, new = viz.draw(roots).names, viz.draw(rewritten.roots).names
    images = Counter(rewritten.map[node] for node in old if node in rewritten.map)
    for node in old:
        image = rewritten.map.get(node)
        expected = "removed" if image not in new else "merged" if images[image] > 1 else ""
        assert [kind for kind, nodes in first.items() if node in nodes] == [expected] * bool(expected)
    assert set(second.get("merged", ())) == {node for node in new if images[node] > 1}


def test_a_truncation_cuts() -> None:
    net = tg.unroll(models.elman, 4, I=2, H=2)
    losses = {t: tg.sum(net.h[t] ** 2, name="L") for t in net.output}
    cut = tg.truncate(losses, net.parameters, mode="sliding", k2=2)
    comparison = viz.compare(losses, cut)
    first, second = comparison.changes
    assert not first
    assert {node.op.name for node in second["cut"]} == {"stop_gradient"}
    assert len(second["cut"]) == 2, "windows begin at steps 2 and 3"
    assert signs(comparison) == {"‖": 2, "+": len(second["added"])}


def test_a_peephole_is_all_that_is_new() -> None:
    comparison = viz.compare(models.lstm, CELLS["lstm_peephole"])
    (added,) = comparison.changes[1].values()
    assert {node.name for node in added if node.label} == {"p_i", "p_f", "p_o"}
    assert Counter(node.op.name for node in added if not node.label) == {"mul": 3, "add": 3}
    new = [t.text for t in parse(comparison).iter(f"{SVG}tspan") if t.get("text-decoration")]
    assert Counter(new)["c[t-1]"] == 2
    assert set(new) == {"p_f", "p_i", "p_o", "*", "+", "c[t-1]", "c[t]"}
    assert comparison.changes[0] == {}


def test_three_cells_in_a_row() -> None:
    comparison = viz.compare(models.elman, models.lstm, CELLS["lstm_peephole"])
    names = [{node.name for nodes in own.values() for node in nodes} for own in comparison.changes]
    assert {"i_1", "f_1", "g_1", "o_1", "c_1"} <= names[1]
    assert not {"h_1", "x_1"} & names[1]
    assert "i_1" not in names[2]
    words = "".join(parse(comparison).itertext())
    assert words.count("h[t] = ") == 3


def test_the_same_again_has_no_difference() -> None:
    for name in ("elman", "lstm", "gru"):
        comparison = viz.compare(CELLS[name], CELLS[name])
        assert comparison.changes == ({}, {})
        assert not [t for t in parse(comparison).iter(f"{SVG}tspan") if t.get("text-decoration")]
        assert not signs(comparison)


def test_the_two_conventions_of_a_gru_differ_in_one_equation() -> None:
    comparison = viz.compare(CELLS["gru"], CELLS["gru_new"])
    lines = [t for t in parse(comparison).iter(f"{SVG}text") if any(s.get("text-decoration") for s in t)]
    assert ["".join(line.itertext())[:5] for line in lines] == ["h[t] "]


@pytest.mark.parametrize("label", LABELS[::4], ids=range(len(LABELS[::4])))
def test_hostile_labels(label: str) -> None:
    loss = hostile_net(label)
    comparison = viz.compare(loss, share(loss))
    ids = [element.get("id") for element in parse(comparison).iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    assert "<script" not in comparison.svg


def test_options_files_and_bad_input(tmp_path: Path) -> None:
    comparison = viz.compare(models.elman, models.lstm, theme="dark")
    assert comparison.save(tmp_path / "a.svg").read_text(encoding="utf-8") == comparison.svg == comparison._repr_svg_()
    assert comparison.svg == viz.compare(models.elman, models.lstm, theme="dark").svg
    assert "Comparison" in repr(comparison)
    with pytest.raises(DrawingError, match="side by side are not written in DOT"):
        comparison.save(tmp_path / "a.dot")
    loss = repeated()
    for wrong in ([], [3], [loss], [models.elman, 3], [share(loss), share(loss)]):
        with pytest.raises(DrawingError, match="compare takes cells"):
            viz.compare(models.elman if wrong[:1] == [models.elman] else loss, *wrong)
