"""The levels of detail, and the rolled picture: what they show, and that they are as tidy as the whole graph."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError, UsageError
from tinygraph.models import CELLS
from tinygraph.viz.closing import close, closed_lanes
from tinygraph.viz.labels import label_width
from tinygraph.viz.layout import lay_out
from tinygraph.viz.legend_sheet import BOXES
from tinygraph.viz.looks import NAMES as NAMES_OF_KINDS
from tinygraph.viz.measuring import Measures
from tinygraph.viz.rolling_up import roll_up
from tinygraph.viz.scene import build_scene
from tinygraph.viz.selection import select
from tinygraph.viz.style import LIGHT, text_width

from .pictures import CASES, SVG, groups, parse, texts, unrolled, with_loss
from .test_geometry import merged, overlaps, pierced

LEVELS = ("cell", "nodes", "rolled", "rolled cell")
NAMES = [name for name in CASES if not name.endswith(("-1", "-2", "-4")) and name != "chain"]


def built(what: Any, level: str) -> tuple[Any, Any]:
    selection = select(what, False)
    if "rolled" in level:
        scene = roll_up(selection)
    else:
        scene = build_scene(selection, "auto", measures=Measures(slopes={} if level == "nodes" else None))
    if "cell" in level:
        scene = close(scene, closed_lanes(scene.lanes, "cell", (), ()))
    return scene, lay_out(scene)


def struck(layout: Any) -> list[tuple[int, int]]:
    """Edges that run through what is written on another one."""
    found = []
    nets = {route.edge: route.net for route in layout.routes}
    for edge, _, r in layout.marks:
        for route in layout.routes:
            if route.net != nets[edge]:
                for (a, b), (c, d) in pairwise(route.points):
                    left, right, top, bottom = *sorted((a, c)), *sorted((b, d))
                    if left < r.right and r.x < right + 1e-9 and top < r.bottom and r.y < bottom + 1e-9:
                        found.append((edge, route.edge))
    return found


def check_tidy(scene: Any, layout: Any) -> None:
    rectangles = [*layout.boxes, *(r for *_, r in layout.marks)]
    assert not overlaps(rectangles)
    assert not pierced(scene, layout)
    assert not merged(layout)
    assert not struck(layout)
    assert all(label_width(box.label) <= r.width for box, r in zip(scene.boxes, layout.boxes, strict=True))
    assert all(r.x >= 0 and r.y >= 0 for r in rectangles)
    assert all(r.right <= layout.width + 1e-6 and r.bottom <= layout.height + 1e-6 for r in rectangles)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_every_level_is_tidy(name: str, level: str) -> None:
    check_tidy(*built(CASES[name](), level))


def random_net(seed: int) -> Any:
    """A net of some layers, directions, skips and readouts, at random."""
    dice = random.Random(seed)
    steps, width = dice.randint(1, 5), 3
    g = tg.Graph()
    below = g.sequence("x", steps, (width,))
    drawn: list[Any] = []
    for layer in range(dice.randint(1, 3)):
        scope = f"layer{layer}"
        U, W = g.parameter(f"{scope}/U", (width, width)), g.parameter(f"{scope}/W", (width, width))
        order = range(1, steps + 1) if dice.random() < 0.7 else range(steps, 0, -1)
        with g.at(step=0 if order[0] == 1 else steps + 1, scope=scope):
            past = [g.constant("h", zeros=(width,))]
        made = {}
        for t in order:
            with g.at(step=t, scope=scope):
                terms = [W @ below[t], U @ past[-1]]
                if dice.random() < 0.3 and len(past) > 2:
                    terms.append(past[-2])
                made[t] = tg.tanh(tg.add(terms), name="h")
                past.append(made[t])
        if dice.random() < 0.5:
            with g.at(scope=scope):
                made = {t: node + below[t] for t, node in made.items()}
        below = made
    if dice.random() < 0.5:
        V = g.parameter("V", (2, width))
        for t in below:
            with g.at(step=t):
                drawn.append(tg.sum(V @ below[t], name="L"))
        return tg.add(drawn)
    return list(below.values())


@pytest.mark.parametrize("seeds", [range(0, 50), range(50, 100), range(100, 150), range(150, 200)])
def test_random_nets_are_tidy(seeds: range) -> None:
    for seed in seeds:
        for level in ("gates", "cell", "rolled cell"):
            check_tidy(*built(random_net(seed), level))


def test_the_check_of_marks_can_fail() -> None:
    _, layout = built(CASES["elman-3"](), "cell")
    index, place, r = layout.marks[-1]
    other = next(route for route in layout.routes if route.edge != index and route.points[0][1] == route.points[1][1])
    (x, y), (right, _) = other.points[:2]
    layout.marks[-1] = (index, place, type(r)((x + right) / 2 - 5, y - 5, 10, 10))
    assert struck(layout)


@pytest.mark.parametrize("options", [{"cell": "gru"}, {"cell": "elman", "attention": "dot"}])
@pytest.mark.parametrize("level", ["cell", "gates", "rolled", "rolled cell"])
def test_sequence_to_sequence_is_tidy(options: dict[str, str], level: str) -> None:
    model = models.SequenceToSequence(5, 4, hidden=3, embedding=2, **options)
    scene, layout = built(model.unroll(3, 3).loss, level)
    check_tidy(scene, layout)
    if level == "cell":
        assert not overlaps([r for column, _, r in layout.panels if column == 2])


# A cell as one box
def weights(drawing: Any) -> list[str]:
    return ["".join(next(g.iter(f"{SVG}text")).itertext()) for g in groups(drawing, "weight")]


def test_the_figure_of_lectures() -> None:
    net, loss = with_loss(3)
    drawing = viz.draw(loss, detail="cell")
    shown = texts(drawing)
    assert [f"{name}{t}" for t in (1, 2, 3) for name in "hL"] == [
        one for one in shown if one[0] in "hL" and one[1] in "123"
    ]
    assert {"h0 = 0", "x1", "y2", "loss"} <= set(shown)
    assert sorted(weights(drawing)) == ["U"] * 3 + ["V"] * 3 + ["W"] * 3
    ways = {(g.get("data-from"), g.get("data-to")) for g in groups(drawing, "edge")}
    assert {(drawing.names[net.h[t]], drawing.names[net.h[t + 1]]) for t in (0, 1, 2)} < ways
    assert "inside the boxes: b" in drawing.svg


@pytest.mark.parametrize("name", CELLS)
def test_nothing_of_a_cell_is_lost(name: str) -> None:
    whole = build_scene(select(unrolled(CELLS[name], 3), False), "auto")
    scene = close(whole, closed_lanes(whole.lanes, "cell", (), ()))
    inside = sum(len(weight.members) for weight in scene.weights)
    assert len(scene.boxes) + scene.enclosed + inside == len(whole.boxes)
    assert sum(box.kind == "cell" for box in scene.boxes) == 3
    ends = {(edge.source, edge.target) for edge in scene.edges}
    assert len(ends) == len(scene.edges)


def test_weights_of_one_kind_have_one_name() -> None:
    scene, _ = built(unrolled(CELLS["lstm"], 2), "cell")
    assert [len(weight.members) for weight in scene.weights] == [4, 4, 4]
    assert [weight.used for weight in scene.weights] == [True, True, False]
    scene, _ = built(unrolled(CELLS["gru"], 2), "cell")
    assert [len(weight.members) for weight in scene.weights] == [3, 3, 3]  # U (r * h) is counted among those on h
    scene, _ = built(unrolled(CELLS["captioner"], 2), "cell")
    assert sorted("".join(s.text for s in w.label) for w in scene.weights if w.label[0].text == "W") == ["W", "Wv"]


def test_an_lstm_of_eight_steps_and_three_layers_fits_a_slide() -> None:
    net = models.stack(CELLS["lstm"], layers=3, steps=8, I=4, H=4)
    loss = models.softmax_cross_entropy(models.readout(net, 6))
    _, _, width, height = map(float, parse(viz.draw(loss, detail="cell")).get("viewBox", "").split())
    assert 12.5 * min(960 / width, 540 / height) >= 8  # points of text on a slide of 13.33 x 7.5 inches


def test_scopes_are_opened_and_closed_singly() -> None:
    net = models.stack(CELLS["gru"], layers=2, steps=2, I=3, H=4)
    whole = viz.draw(net, detail="cell")
    cells = {g.get("id") for g in groups(whole, "cell")}
    lower, upper = ({whole.names[layer.h[t]] for t in (1, 2)} for layer in net.layers)
    assert cells == lower | upper
    opened = viz.draw(net, detail="cell", open={"layer1"})
    assert {g.get("id") for g in groups(opened, "cell")} == upper
    assert opened.svg == viz.draw(net, closed=["layer2"]).svg
    assert {g.get("id") for g in groups(opened, "state")} == lower
    for wrong in ({"layer3"}, 3, [3]):
        with pytest.raises(DrawingError):
            viz.draw(net, closed=wrong)
    with pytest.raises(DrawingError, match="did you mean 'cell'"):
        viz.draw(net, detail="cells")


def reaches(drawing: Any, start: str, end: str) -> bool:
    ways = [(g.get("data-from"), g.get("data-to")) for g in groups(drawing, "edge")]
    known = {start}
    for _ in ways:
        known |= {b for a, b in ways if a in known}
    return end in known


def test_teacher_forcing_has_no_path_between_steps() -> None:
    cell = CELLS["jordan"]
    free = tg.unroll(cell, steps=3, I=3, H=4, O=4)
    g = tg.Graph()
    forced = tg.unroll(cell, steps=3, I=3, H=4, graph=g, forced={"o": g.sequence("y", 3, (4,))})
    for detail in ("cell", "gates"):
        drawing = viz.draw(free, detail=detail)
        assert reaches(drawing, drawing.names[free.o[1]], drawing.names[free.o[3]])
        drawing = viz.draw(forced, detail=detail)
        assert not reaches(drawing, drawing.names[forced.o[1]], drawing.names[forced.o[2]])
        assert len(groups(drawing, "forced")) == 2
        assert "given in place of a state" in drawing.svg


def test_a_readout_stands_above_the_cell() -> None:
    net = tg.unroll(models.elman, steps=2, I=3, H=4)
    scores = models.readout(net, 2)
    scene, layout = built(models.softmax_cross_entropy(scores), "gates")
    assert scene.lanes == ["", "readout", "loss"]
    assert {box.lane for box in scene.boxes if box.kind == "state"} == {""}
    assert [name for name, _ in layout.lane_names] == ["readout", "loss"]


# Rolled
def test_the_rolled_net_does_not_depend_on_the_steps() -> None:
    for name in ("elman", "lstm", "gru", "jordan"):
        short, long = (viz.draw(unrolled(CELLS[name], steps), rolled=True) for steps in (4, 30))
        assert texts(short) == texts(long)
        assert short.edges == long.edges
        assert long.hidden > short.hidden


def test_a_state_comes_round_through_a_delay() -> None:
    drawing = viz.draw(unrolled(CELLS["lstm"], 4), rolled=True)
    assert len(groups(drawing, "delay")) == 2
    assert {"ht", "ct", "xt", "h0 = 0", "c0 = 0", "delay 1"} <= set(texts(drawing))
    for g in groups(drawing, "delay"):
        ways = [(e.get("data-from"), e.get("data-to")) for e in groups(drawing, "edge")]
        assert len([a for a, b in ways if b == g.get("id")]) == 2  # the state, and the initial state
    cell = viz.draw(unrolled(CELLS["lstm"], 4), rolled=True, detail="cell")
    assert sorted(texts(cell)) == ["delay 1", "h0, c0 = 0", "ht, ct", "xt"]


def test_delays_of_several_steps_and_backwards() -> None:
    g = tg.Graph()
    U, x = g.parameter("U", (2, 2)), g.sequence("x", 9, (2,))
    with g.at(step=0):
        h = [g.constant("h", zeros=(2,))]
    for t in range(1, 10):
        with g.at(step=t):
            h.append(tg.tanh(tg.add([x[t], U @ h[-1], *([h[-3]] if t > 2 else [])]), name="h"))
    assert {"delay 1", "delay 3"} <= set(texts(viz.draw(h[-1], rolled=True)))
    net = models.bidirectional(CELLS["gru"], 5, I=3, H=4)
    assert {"delay 1", "ahead 1"} <= set(texts(viz.draw(net, rolled=True)))


def test_a_graph_without_steps_rolls_up() -> None:
    drawing = viz.draw(CASES["chain"](), rolled=True)
    assert drawing.nodes == 4
    assert "delay 1" in texts(drawing)


@pytest.mark.parametrize("detail", ["gates", "cell"])
def test_rolled_gradients_are_those_of_all_steps(detail: str) -> None:
    net, loss = with_loss(4)
    rng = np.random.default_rng(0)
    feeds = net.initial(0) | {"V": rng.standard_normal((5, 4)), "x": rng.standard_normal((4, 3)), "y": [0, 1, 2, 3]}
    found = []
    for rolled in (True, False):
        drawing = viz.draw(loss, rolled=rolled, backward=True, feeds=feeds, detail=detail)
        scene, squares = drawing.parts("this")[0], dict[str, float]()
        for edge in scene.edges:
            uses = [(scene.weights[mark.weight].id, mark.share) for mark in edge.marks if mark.weight is not None]
            uses += [(scene.boxes[edge.source].id, edge.share)] * (scene.boxes[edge.source].column < 0)
            for name, share in uses:
                squares[name] = squares.get(name, 0.0) + (share or 0.0) ** 2
        found.append(squares)
    assert found[0].keys() == found[1].keys() >= {"U", "V", "W"}
    assert found[0] == pytest.approx(found[1])
    assert all(found[0].values())


def test_a_rolled_picture_has_no_numbers_of_one_step() -> None:
    net = unrolled(CELLS["elman"], 3)
    with pytest.raises(DrawingError, match="rolled"):
        viz.draw(net, rolled=True, feeds=net.initial())


@pytest.mark.parametrize("detail", ["gates", "cell"])
def test_the_gradient_comes_round_too(detail: str) -> None:
    """Wherever it goes at some step unrolled it goes rolled up, and through the delays."""
    net, loss = with_loss(5)
    rolled = viz.draw([loss, tg.grad(loss, net.parameters)], backward=True, rolled=True, detail=detail)
    ways = {(g.get("data-from"), g.get("data-to")) for g in groups(rolled, "gradient")}
    delay = next(box.id for box in rolled.scene.boxes if box.kind == "delay")
    state = next(box.id for box in rolled.scene.boxes if box.kind in ("state", "cell"))
    assert (delay, state) in ways
    assert any(end == delay for _, end in ways)
    assert not any(str(end).startswith(("x", "y", "h_0")) for _, end in ways)
    flat = viz.draw([loss, tg.grad(loss, net.parameters)], backward=True, detail=detail)
    to = {g.get("data-to") for g in groups(flat, "gradient")}
    names = {box.id for box in rolled.scene.boxes if box.kind == "parameter"}
    assert names & to == names & {end for _, end in ways}
    check_tidy(rolled.scene, rolled.layout)


def test_side_by_side() -> None:
    net = unrolled(CELLS["gru"], 3)
    one, two = viz.draw(net, rolled=True), viz.draw(net)
    both = viz.side_by_side(one, two, one, between="unrolled & <more>")
    ids = [e.get("id") for e in parse(both).iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert both.nodes == 2 * one.nodes + two.nodes
    assert texts(both) == texts(one) + texts(two) + texts(one)
    ends = {e.get(end) for e in groups(both, "edge") for end in ("data-from", "data-to")}
    assert ends <= set(ids)
    for wrong in ((), (one, net), (one, viz.draw(net, theme="dark"))):
        with pytest.raises((DrawingError, UsageError)):
            viz.side_by_side(*wrong)


# Trees
def test_a_tree_is_read_from_left_to_right() -> None:
    g = tg.Graph()
    a, b, c, d, e = (g.input(name, (3,)) for name in "abcde")
    tree = models.compose(models.recursive, ((a, b), (c, (d, e))))
    for detail in ("cell", "gates"):
        drawing = viz.draw(tree, detail=detail)
        assert len(groups(drawing, "cell" if detail == "cell" else "state")) == 4
        places = {}
        for group in groups(drawing, "input"):
            text = next(group.iter(f"{SVG}text"))
            places["".join(text.itertext())] = float(text.get("x", ""))
        assert sorted(places, key=places.__getitem__) == list("abcde")
    assert not [t for t in parse(drawing).iter(f"{SVG}text") if (t.text or "").startswith("t = ")]


def test_thousands_of_parameters_share_a_line() -> None:
    g = tg.Graph()
    parameters = [g.parameter(f"p_{i}", (2,)) for i in range(3000)]
    with g.at(step=1):
        h = tg.tanh(tg.add(parameters))
    drawing = viz.draw(h)
    assert len(groups(drawing, "parameter")) == 40
    assert "and 2,960 more" in texts(drawing)
    assert len(drawing.svg) < 300_000


# The legend
def test_the_legend_has_every_kind() -> None:
    assert set(BOXES) == set(NAMES_OF_KINDS) == {"parameter", *LIGHT.paints}
    light, dark = viz.legend(), viz.legend(theme="dark")
    shown = {t.text for t in parse(light).iter(f"{SVG}text")}
    assert {name for _, name, _ in BOXES.values()} <= shown
    assert len(list(parse(light).iter())) == len(list(parse(dark).iter()))
    _, _, width, _ = map(float, parse(light).get("viewBox", "").split())
    for element in parse(light).iter(f"{SVG}text"):
        if element.get("text-anchor") == "start":
            assert float(element.get("x", "")) + text_width(element.text or "", 12.5) <= width
    with pytest.raises(DrawingError, match="theme"):
        viz.legend(theme="grey")


def test_a_name_is_a_state_in_its_own_scope() -> None:
    """An LSTM carries its c, a GRU has a candidate of that name; a net that runs backwards carries its state too."""
    lower = models.bidirectional(models.gru, 3, I=2, H=2, scope="gru")
    upper = tg.unroll(models.lstm, steps=3, H=2, inputs={"x": lower.output}, scope="lstm")
    scene, _ = viz.draw(list(upper.output.values())).parts("this")
    states = {(box.scope, box.key[2]) for box in scene.boxes if box.kind == "state"}
    assert states == {("lstm", "=h"), ("lstm", "=c"), ("gru/forward", "=h"), ("gru/backward", "=h")}
