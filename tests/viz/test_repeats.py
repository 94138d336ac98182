"""Steps that are drawn alike: the picture that is stamped is the one that is laid out in whole, byte for byte."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.graph import cone
from tinygraph.models.catalogue import SYSTEMS
from tinygraph.viz import drawing, repeats
from tinygraph.viz.repeats import WRITTEN, Repeat, UnlikeError
from tinygraph.viz.stamps import Stamp, stamped
from tinygraph.viz.style import DETAIL_LIMIT

from .pictures import CASES, bidirectional, stacked, unrolled, with_loss
from .ways import faults

LONG = 24
FEW = ("lstm", "gru_reset_after", "captioner", "jordan", "stacked_2", "bidirectional", "classifier", "skips")


# Nets
def chained(steps: Any, read: Callable[[tg.Graph, Any, Any, int], Any], label: str = "h", scope: str = "") -> Any:
    """h_t = tanh(read(h_{t-1}, x_t, t)), with a loss at the end."""
    g = tg.Graph()
    g.parameter("U", (3, 3))
    h = g.constant("h0", zeros=(3,))
    for t in steps:
        with g.at(step=t, scope=scope):
            h = tg.tanh(read(g, h, g.input(f"x_{t}", (3,)), t), name=label)
    return tg.sum(h, name="loss")


def plain(g: Any, h: Any, x: Any, t: int) -> Any:
    return g.parameters["U"] @ h + x


def with_gap(g: Any, h: Any, x: Any, t: int) -> Any:
    """One node that nothing uses stands in the middle of the tape: ids go on, with a gap."""
    if t == 15:
        tg.exp(x)
    return plain(g, h, x, t)


def with_far(g: Any, h: Any, x: Any, t: int) -> Any:
    return plain(g, h, x, t) + (g["h", t - 3] if t > 3 else x)


def looked_at() -> Any:
    """One step is read by a loss of its own."""
    net = unrolled(models.elman, LONG)
    return [net.h[LONG], tg.sum(net.h[15], name="middle")]


def sliced() -> Any:
    """What is read of a vector moves on with the early steps, and stays for the late ones."""
    g = tg.Graph()
    c, h = g.input("c", (40,)), g.constant("h", zeros=(2,))
    for t in range(1, LONG):
        start = min(t, 14)
        with g.at(step=t):
            h = tg.tanh(h + c[start : start + 2], name="h")
    return h


def turned_round() -> Any:
    """Of two values now this one is made from that, now that from this: their parts cannot be stacked."""
    g = tg.Graph()
    h = g.constant("h", zeros=(2,))
    for t in range(1, LONG):
        first, second = ("a", "b") if t > 2 else ("b", "a")
        with g.at(step=t):
            h = tg.tanh(tg.sigmoid(h, name=first), name=second)
    return h


def woven() -> Any:
    """One chain goes from the first step to the last, one from the last to the first; on the tape they take turns."""
    g, steps = tg.Graph(), 60
    inputs = g.sequence("a", steps, (2,))
    ends = {"there": inputs[1], "back": inputs[steps]}
    for i in range(1, steps + 1):
        for scope, t in (("there", i), ("back", steps + 1 - i)):
            with g.at(step=t, scope=scope):
                ends[scope] = tg.tanh(inputs[t] * tg.exp(ends[scope]), name="h")
    return list(ends.values())


def summed_in_between() -> Any:
    """What reads all steps stands on the tape between early steps and late ones."""
    g, steps = tg.Graph(), 30
    inputs = g.sequence("a", steps, (2,))
    with g.at(step=1):
        h = high = tg.exp(tg.exp(tg.exp(inputs[1])))
    between = []
    for t in range(1, steps + 1):
        with g.at(step=t):
            h = tg.tanh(inputs[t] * tg.exp(h), name="h")
        between.append(tg.add([high, *inputs.values()]))
    return [h, between[20]]


def cut_off() -> Any:
    """The tooltips are so long that the ids at their ends are cut off."""
    words = "h_100 = tanh, shape (3,) per example, step 100, scope , node 100"
    return chained(range(100, 160), plain, scope="s" * (DETAIL_LIMIT + 2 - len(words)))


def doubled() -> Any:
    """Two values of a step have one name."""
    return chained(range(1, 30), lambda g, h, x, t: tg.sigmoid(plain(g, h, x, t), name="h"))


NETS: dict[str, tuple[Callable[[], Any], bool]] = {  # each with whether columns are left out
    "losses": (lambda: with_loss(30)[1], True),
    "stacked": (lambda: stacked(30), True),
    "both ways": (lambda: bidirectional(30), True),
    "beginning before zero": (lambda: chained(range(-30, 30), plain), True),
    "every third step": (lambda: chained(range(1, 91, 3), plain), True),
    "from the last step to the first": (lambda: chained(range(40, 0, -1), plain), True),
    "odd words": (lambda: chained(range(1, 30), plain, 'h1 & 100%s "{0}"\x00</text>.5', "a.5/%d"), True),
    "a gap on the tape": (lambda: chained(range(1, 40), with_gap), True),
    "one step looked at": (looked_at, True),
    "other words at first": (sliced, True),
    "few steps": (lambda: unrolled(models.lstm, 10), False),
    "a line of its own": (lambda: chained(range(1, 30), with_far), False),
    "turned round": (turned_round, False),
    "woven": (woven, True),
    "summed in between": (summed_in_between, False),
    "cut off": (cut_off, False),
    "one name twice": (doubled, False),
    "attention": (CASES["attention-12"], False),
}


def random_net(seed: int) -> Any:
    """A long net of some layers, directions, skips and losses, in which a step may be odd, at random."""
    dice = random.Random(seed)
    steps, g = dice.randint(9, 60), tg.Graph()
    below = g.sequence("x", steps, (3,), first=dice.choice((1, 1, 7)))
    for layer in range(dice.randint(1, 3)):
        scope, odd, far = f"layer{layer}", dice.randint(-steps, steps), dice.random() < 0.2
        U, W = (g.parameter(f"{scope}/{name}", (3, 3)) for name in "UW")
        order = range(1, steps + 1) if dice.random() < 0.7 else range(steps, 0, -1)
        past = [g.constant("h", zeros=(3,))]
        made = {}
        for t in order:
            with g.at(step=t, scope=scope):
                terms = [W @ below[t], U @ past[-1], *[below[t]] * (t == odd), *past[-3:-2] * far]
                past.append(tg.tanh(tg.add(terms), name="h"))
            made[t] = past[-1]
        below = {t: node + below[t] for t, node in made.items()} if dice.random() < 0.5 else made
    if dice.random() < 0.5:
        return list(below.values())
    every, losses = dice.choice((1, 1, 2, 5)), []
    for t in list(below)[::every]:
        with g.at(step=t):
            losses.append(tg.sum(below[t], name="L"))
    return tg.add(losses)


# Drawing with repeats and without
class Looked:
    """What was looked at while a picture was drawn: the columns of each layout, and of all runs."""

    def __init__(self) -> None:
        self.laid_out: list[int] = []
        self.runs: list[range] = []


@contextmanager
def looking(find: Callable[..., list[range]] = repeats.find_runs) -> Iterator[Looked]:
    """Inside, runs are found by `find`."""
    seen, lay_out = Looked(), drawing.lay_out

    def looked(one: Any) -> Any:
        seen.laid_out.append(len(one.columns))
        return lay_out(one)

    def found(*args: Any) -> list[range]:
        seen.runs = find(*args)
        return seen.runs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "lay_out", looked)
        patch.setattr(repeats, "find_runs", found)
        yield seen


def same(what: Any, **options: Any) -> bool:
    """Whether the picture is the same as the one without repeats."""
    quick = viz.draw(what, fold=False, **options)
    with looking(lambda *args: []):
        slow = viz.draw(what, fold=False, **options)
    told = [(one.description, one.nodes, one.edges, one.gradients, one.names) for one in (quick, slow)]
    return quick.svg == slow.svg and told[0] == told[1]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_the_picture_is_that_without_repeats(name: str, backward: bool) -> None:
    make, repeated = NETS[name]
    what = make()
    assert same(what, backward=backward)
    with looking(lambda *args: []) as whole:
        viz.draw(what, fold=False, backward=backward)
    with looking() as seen:
        viz.draw(what, fold=False, backward=backward)
    assert len(seen.laid_out) == 1 + (name == "turned round")
    assert (seen.laid_out[-1] < whole.laid_out[0]) == repeated


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FEW else [pytest.mark.slow]) for name in SYSTEMS]
)
def test_of_every_system(name: str) -> None:
    what = SYSTEMS[name].build(LONG).loss
    assert same(what)
    assert same(what, backward=True)


@pytest.mark.parametrize("seeds", [range(0, 12), pytest.param(range(12, 80), marks=pytest.mark.slow)])
def test_of_random_nets(seeds: range) -> None:
    assert [seed for seed in seeds if not same(random_net(seed), backward=seed % 2 == 0)] == []


def test_what_is_stamped_is_tidy() -> None:
    assert faults(viz.draw(with_loss(30)[1], fold=False, backward=True).svg) == []


def test_other_languages_have_all_steps() -> None:
    quick = viz.draw(with_loss(20)[1], fold=False)
    with looking(lambda *args: []):
        slow = viz.draw(with_loss(20)[1], fold=False)
    assert quick.dot == slow.dot
    assert quick.tex == slow.tex
    assert len(quick.parts("DOT")[0].boxes) == quick.nodes


def test_the_layout_does_not_grow() -> None:
    """However many steps there are; only the lengths of their numbers differ."""
    laid_out = []
    for steps in (200, 900):
        with looking() as seen:
            viz.draw(unrolled(models.gru, steps), fold=False)
        laid_out += seen.laid_out
    assert laid_out[0] == laid_out[1] < 30


# What keeps columns from being alike matters
@pytest.mark.parametrize(
    ("check", "nothing", "name"),
    [
        ("_in_one_order", lambda run: True, "summed in between"),
        ("_told", lambda *columns: True, "cut off"),
        ("_even", lambda alike, numbers: [alike], "a gap on the tape"),
    ],
)
def test_without_a_check_pictures_differ(
    check: str, nothing: Callable[..., Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, check, nothing)
    assert not same(NETS[name][0]())


@pytest.mark.parametrize("name", ["one step looked at", "a gap on the tape"])
def test_columns_that_are_not_alike_are_seen(name: str) -> None:
    what = NETS[name][0]()
    with looking(lambda *args: [range(10, 23)]):
        wrong = viz.draw(what, fold=False).svg
    with looking(lambda *args: []):
        assert viz.draw(what, fold=False).svg != wrong


def test_a_wrong_stamp_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth column of a run is written too, and shows that the stamp is right."""
    at = Stamp.at
    monkeypatch.setattr(Stamp, "at", lambda self, columns: at(self, [column + (column > 1) for column in columns]))
    with looking() as seen:
        assert same(with_loss(30)[1])
    assert len(seen.laid_out) == 3, "with repeats, without them as they are wrong, and without them"


def test_stamps_in_wrong_places_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repeat, "stamped", property(lambda self: range(WRITTEN, WRITTEN + self.hidden + 2)))
    assert not same(with_loss(30)[1])


# Stamps
def test_a_stamp() -> None:
    stamp = Stamp('<p x="9.5" d="M2 007h-40.25">7%s</p>', '<p x="12.5" d="M2 007h-37.25">8%s</p>')
    assert [*stamp.at([0, 1, 4])] == [
        '<p x="9.5" d="M2 007h-40.25">7%s</p>',
        '<p x="12.5" d="M2 007h-37.25">8%s</p>',
        '<p x="21.5" d="M2 007h-28.25">11%s</p>',
    ]
    for first, second in (("a1", "b2"), ("1.25", "2.5"), ("1", "1 2"), ("", "1")):
        with pytest.raises(UnlikeError):
            Stamp(first, second)


def test_pieces() -> None:
    one = Repeat(1, 2)  # columns 1 to 7 of which 5 stands for two more
    pieces = [(-1, "<"), *((c, f"{c},") for c in range(5)), (5, "not "), (6, "these"), (7, "9,"), (8, "10"), (-1, ">")]
    assert "".join(stamped(pieces, [one])) == "<0,1,2,3,4,5,6,7,8,9,10>"
    for missing in (2, 3, 4):
        with pytest.raises(UnlikeError):
            "".join(stamped([piece for piece in pieces if piece[0] != missing], [one]))
    with pytest.raises(UnlikeError):
        "".join(stamped([(c, text if c != 4 else "5,") for c, text in pieces], [one]))


# Very many nodes
@pytest.fixture(scope="module")
def large() -> Any:
    return unrolled(models.lstm, 3_500)


@pytest.mark.slow
def test_of_a_hundred_thousand_nodes_each_is_drawn_once(large: Any) -> None:
    nodes = cone([large.h[3_500], large.c[3_500]])
    picture = viz.draw(large, fold=False)
    assert len(nodes) > 98_000
    ids = re.findall(r'<g id="([^"]+)" class="node [^"]+"><title>([^ ]+) = .*?, node (\d+)</title>', picture.svg)
    assert ids == [(picture.names[node], node.name, str(node.id)) for node in sorted(nodes, key=column_of)]
    assert len({name for name, *_ in ids}) == len(nodes) == picture.nodes == len(picture.names)
    drawn = re.findall(r'<g id="([^"]+)--\d+" class="edge .*? data-from="([^"]+)" data-to="([^"]+)"', picture.svg)
    assert len(drawn) == picture.edges
    assert sorted(drawn) == sorted(
        (f"{picture.names[arg]}--{picture.names[node]}", picture.names[arg], picture.names[node])
        for node in nodes
        for arg in node.args
    )


def column_of(node: Any) -> int:
    return -1 if node.step is None else node.step


def test_longer_nets_are_laid_out_with_no_more_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes time with each step is found, and stamped."""
    build, counts = drawing.build_scene, []

    def counted(*args: Any) -> Any:
        scene = build(*args)
        counts.append(len(scene.boxes))
        return scene

    monkeypatch.setattr(drawing, "build_scene", counted)
    for steps in (150, 600):  # whose numbers have as many digits
        viz.draw(unrolled(models.lstm, steps), fold=False)
    assert counts[0] == counts[1]
