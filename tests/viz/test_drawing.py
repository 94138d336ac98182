"""Pictures against the graphs that they show."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError, GraphError
from tinygraph.graph import cone
from tinygraph.models import CELLS, elman
from tinygraph.nest import leaves

from .pictures import CASES, SVG, chain, groups, parse, small, texts, unrolled, with_loss


def forward_nodes(what: Any) -> list[Any]:
    roots = [what.series[s][what.steps] for s in what.cell.states] if hasattr(what, "cell") else leaves(what)
    return [node for node in cone(roots) if not node.backward]


def is_number(node: Any) -> bool:
    """What is written into operations."""
    return node.op.name == "constant" and node.shape == () and node.step is None


@pytest.mark.parametrize("name", [name for name in CASES if name[-2:] not in ("30", "20", "12", "in")])
def test_every_node_and_edge_is_drawn_once(name: str) -> None:
    what = CASES[name]()
    nodes = [node for node in forward_nodes(what) if not is_number(node)]
    drawing = viz.draw(what)
    drawn = groups(drawing, "node")
    assert Counter(g.get("id") for g in drawn) == Counter(drawing.names[node] for node in nodes)
    edges = Counter(
        (drawing.names[arg], drawing.names[node]) for node in nodes for arg in node.args if not is_number(arg)
    )
    assert Counter((g.get("data-from"), g.get("data-to")) for g in groups(drawing, "edge")) == edges
    assert (drawing.nodes, drawing.edges) == (len(nodes), edges.total())
    assert (drawing.hidden, drawing.gradients) == (0, 0)
    for g in drawn:
        node = next(n for n in nodes if drawing.names[n] == g.get("id"))
        classes = g.get("class", "").split()
        assert node.op.name in classes
        assert node.step is None or f"step-{node.step}" in classes
    ids = [g.get("id") for g in parse(drawing).iter() if g.get("id")]
    assert len(set(ids)) == len(ids)


def test_kinds_and_labels() -> None:
    net, loss = with_loss(2)
    drawing = viz.draw(loss, title="T & <2>")
    assert {"h1", "h2"} <= set(texts(drawing))
    assert {"h0 = 0", "L2 = cross entropy", "loss = mean", "U ·", "+ b", "x1", "y2"} <= set(texts(drawing))
    kinds = Counter(g.get("class", "").split()[1] for g in groups(drawing, "node"))
    assert kinds == {"parameter": 4, "input": 4, "constant": 1, "state": 2, "loss": 3, "op": 13}
    assert len(groups(drawing, "use")) == sum(arg.op.name == "parameter" for n in cone([loss]) for arg in n.args)
    headings = [t.text for t in parse(drawing).iter(f"{SVG}text")]
    assert {"t = 0", "t = 1", "t = 2", "T & <2>", "state", "loss or result"} <= set(headings)
    assert parse(drawing).find(f"{SVG}title").text == "T & <2>"  # type: ignore[union-attr]
    assert "4 parameters" in (parse(drawing).findtext(f"{SVG}desc") or "")
    assert net.steps == 2


def test_scalars_are_written_into_operations() -> None:
    g = tg.Graph()
    x = g.input("x", (3,))
    rate = g.constant("rate", 0.25)
    drawing = viz.draw([1 - x, x / 4, x * rate, x + 2, x**2, x > 0])
    assert {"1 − ·", "· / 4", "· ⊙ rate", "+ 2", "(·)²"} <= set(texts(drawing))
    assert drawing.absorbed == 5
    assert drawing.nodes == 7


def test_named_operations() -> None:
    g = tg.Graph()
    h, b = g.input("h_0", (3,)), g.parameter("b", (3,))
    for t in (1, 2):
        with g.at(step=t):
            h = tg.tanh(h, name="h")
    with g.at(step=2):
        drawing = viz.draw(tg.add(h, b, name="o"))
    assert {"h1 = tanh", "h2 = tanh", "o2 = · + b"} <= set(texts(drawing))


def test_a_stack() -> None:
    net = models.stack(CELLS["gru"], layers=2, steps=3, I=3, H=4)
    drawing = viz.draw(net)
    assert {drawing.names[layer.h[3]] for layer in net.layers} <= {g.get("id") for g in groups(drawing, "state")}
    assert "unrolled over 3 steps" in (parse(drawing).findtext(f"{SVG}title") or "")


def test_a_whole_graph() -> None:
    net, loss = with_loss(3)
    tg.grad(loss, net.parameters)
    drawing = viz.draw(net.graph)
    assert drawing.nodes == viz.draw(loss).nodes
    assert not any("backward" in g.get("class", "") for g in parse(drawing).iter())


def test_gradients_run_against_the_edges() -> None:
    net, loss = with_loss(3)
    forward = viz.draw(loss)
    drawing = viz.draw(loss, backward=True)
    edges = {(g.get("data-from"), g.get("data-to")) for g in groups(drawing, "edge")}
    gradients = {(g.get("data-from"), g.get("data-to")) for g in groups(drawing, "gradient")}
    assert {(b, a) for a, b in gradients} < edges
    assert len(gradients) == drawing.gradients
    assert drawing.edges == forward.edges
    to = {target for _, target in gradients}
    assert {drawing.names[node] for node in net.graph.parameters.values()} <= to
    assert {drawing.names[net.h[t]] for t in (1, 2, 3)} <= to
    assert not {drawing.names[n] for series in (net.x, net.graph.inputs["y"]) for n in series.values()} & to
    assert drawing.names[net.h[0]] not in to


def test_gradients_go_to_what_is_differentiated_only() -> None:
    net, loss = with_loss(3)
    drawing = viz.draw([loss, tg.grad(loss, net.h[2])], backward=True)
    to = {g.get("data-to") for g in groups(drawing, "gradient")}
    assert drawing.names[net.h[2]] in to
    assert not {drawing.names[net.h[1]], drawing.names[net.graph.parameters["W"]]} & to
    assert viz.draw([loss, tg.grad(loss, net.parameters)]).gradients == 0


def test_a_stopped_gradient_stops() -> None:
    g = tg.Graph()
    w = g.parameter("w", (3,))
    stopped = tg.stop_gradient(w)
    drawing = viz.draw(tg.sum(stopped * w), backward=True)
    ends = [(g.get("data-from"), g.get("data-to")) for g in groups(drawing, "gradient")]
    assert len(ends) == 3  # the sum, and both factors
    assert (drawing.names[stopped], drawing.names[w]) not in ends


@pytest.mark.parametrize(
    ("steps", "fold", "shown"),
    [
        (8, "auto", [*range(1, 9)]), (9, "auto", [1, 2, 3, 8, 9]), (100, "auto", [1, 2, 3, 99, 100]),
        (12, False, [*range(1, 13)]), (7, True, [1, 2, 3, 6, 7]), (12, (1, 1), [1, 12]), (5, (2, 2), [*range(1, 6)]),
    ],
)  # fmt: skip
def test_fold(steps: int, fold: Any, shown: list[int]) -> None:
    net, loss = with_loss(steps)
    drawing = viz.draw(loss, fold=fold)
    titles = [t.text for t in parse(drawing).iter(f"{SVG}text")]
    assert [t for t in titles if t and t.startswith("t = ")] == [f"t = {t}" for t in (0, *shown)]
    more = f"× {steps - len(shown):,} more"
    assert (more in titles) == (len(shown) < steps)
    hidden = [n for n in cone([loss]) if n.step and n.step not in shown]
    assert drawing.hidden == len(hidden)
    assert (len(groups(drawing, "fold")) > 0) == bool(hidden)
    assert len(groups(drawing, "parameter")) == 4
    links = {(g.get("data-from"), g.get("data-to")) for g in groups(drawing, "edge")}
    if hidden:  # the chain of states runs through the folded column
        first, last = shown[len(shown) // 2 - (steps == 12)], shown[-1]
        assert any(a == drawing.names[net.h[first]] and str(b).startswith("fold") for a, b in links) or steps == 12
        assert any(str(a).startswith("fold") for a, _ in links)
        assert last == steps


@pytest.mark.parametrize("fold", ["yes", 3, (0, 1), (1, 2, 3), (1.5, 2), None, [3, 2]])
def test_a_wrong_fold_says_so(fold: Any) -> None:
    with pytest.raises(DrawingError, match="fold="):
        viz.draw(small(), fold=fold)


@pytest.mark.slow
def test_a_chain_of_100_000_nodes() -> None:
    drawing = viz.draw(chain(50_000))
    assert drawing.nodes < 50
    assert "99,981 of 100,001 nodes are not drawn" in drawing.svg
    assert len(drawing.svg) < 50_000


def test_a_class_of_an_odd_operation() -> None:
    from tinygraph.viz.element_names import word

    assert word('x" onload="y') == "x-onload-y"


SCRIPT = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from viz.pictures import CASES
from tinygraph import models, viz
from tinygraph.commands.picturing import Wish, picture_of
levels = [dict(), dict(backward=True), dict(detail="cell"), dict(detail="nodes"), dict(rolled=True)]
drawings = [viz.draw(CASES[name](), **level) for name in {names!r} for level in levels]
text = "".join(part for drawing in drawings for part in (drawing.svg, drawing.dot, drawing.tex)) + viz.legend().svg
text += viz.compare(models.elman, models.lstm).svg + picture_of(Wish("gru", steps=2, frames=True)).html
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_same_bytes_in_every_process() -> None:
    names = ["lstm-30", "gru-3", "loss-20", "stacked", "bidirectional", "attention-12", "small"]
    script = SCRIPT.format(tests=str(Path(__file__).parents[1]), names=names)
    digests = set()
    for seed in ("0", "1", "4242"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        digests.add(run.stdout.strip())
    assert len(digests) == 1


def test_themes() -> None:
    light, dark = viz.draw(small()), viz.draw(small(), theme="dark")
    assert light.svg != dark.svg
    assert len(groups(light, "node")) == len(groups(dark, "node"))
    with pytest.raises(DrawingError, match="did you mean 'dark'"):
        viz.draw(small(), theme="darkk")


def test_what_cannot_be_drawn() -> None:
    net = unrolled(elman, 2)
    for what in (3, "h", None, [net.h[1], 3]):
        with pytest.raises(DrawingError, match="draw takes a net, a graph, or nodes"):
            viz.draw(what)
    for what in (tg.Graph(), [], {}):
        with pytest.raises(DrawingError, match="nothing to draw"):
            viz.draw(what)
    with pytest.raises(GraphError, match="different tapes"):
        viz.draw([net.h[1], small()])
    with pytest.raises(DrawingError, match="title"):
        viz.draw(net, title=3)  # type: ignore[arg-type]


def test_single_nodes() -> None:
    g = tg.Graph()
    assert viz.draw(g.input("x", (3,))).nodes == 1
    assert viz.draw(g.parameter("W", (3,))).nodes == 1
    assert viz.draw(g.constant("k", 3)).nodes == 1
    with g.at(step=1):
        assert viz.draw({"a": [g.input("z", (3,))]}).nodes == 1


def test_in_a_notebook() -> None:
    drawing = viz.draw(unrolled(CELLS["gru"], 2))
    bundle = drawing._repr_mimebundle_()
    assert bundle["image/svg+xml"] == drawing._repr_svg_() == drawing.svg
    assert bundle["text/plain"] == repr(drawing)
    assert len(repr(drawing)) < 200
    assert f"{drawing.nodes} nodes, {drawing.edges} edges" in repr(drawing)


def test_save(tmp_path: Path) -> None:
    drawing = viz.draw(small())
    path = drawing.save(tmp_path / "a.svg")
    assert path.read_text(encoding="utf-8") == drawing.svg
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    viz.draw(small(), theme="dark").save(str(path))
    assert path.read_text(encoding="utf-8") != drawing.svg
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.svg"
    path.write_text("old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DrawingError, match="No space left"):
        viz.draw(small()).save(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


@pytest.mark.parametrize("name", ["a.gif", "a", "svg", ".svg", "a.svg.gz", "missing/a.svg", "a\0.svg"])
def test_a_path_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(DrawingError, match=r"cannot (save|write)"):
        viz.draw(small()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
