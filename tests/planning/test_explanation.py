"""What a plan tells of itself: kernels, critical path, memory map, stages; as text, JSON and HTML."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from itertools import combinations
from typing import Any

import networkx
import numpy as np
import pytest
from graph.samples import random_feeds
from viz.hostile import LABELS, hostile_feeds, hostile_net

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import UsageError
from tinygraph.graph import cone
from tinygraph.nest import leaves
from tinygraph.planning.explanation import Explanation
from tinygraph.tables import one_line

STEPS = 12


def planned(cell: tg.Cell, batch: int | None = 3) -> tg.Plan:
    net = tg.unroll(cell, STEPS, I=3, H=4)
    loss = models.softmax_cross_entropy(models.readout(net, 5))
    plan = tg.plan([loss, tg.grad(loss, net.graph.parameters)])
    plan(random_feeds(net.graph, batch=batch))
    return plan


@pytest.fixture(scope="module")
def plan() -> tg.Plan:
    return planned(models.lstm)


@pytest.fixture(scope="module")
def told(plan: tg.Plan) -> Explanation:
    return plan.explain()


def test_kernels(plan: tg.Plan, told: Explanation) -> None:
    assert sum(k.calls for k in told.kernels) == len(plan.program(3).calls)
    assert {"i", "f", "o", "g"} <= {name for k in told.kernels for name in k.computes.split(", ")}
    products = [k for k in told.kernels if k.computes == "dV"]
    assert [k.flops for k in products] == [2 * 5 * 4 * 3 * STEPS]
    assert {k.recurrence for k in told.kernels} == {None, 0, 1}


@pytest.mark.parametrize("cell", [models.elman, models.gru])
def test_the_critical_path(cell: tg.Cell) -> None:
    """Against networkx: as many calls as on its longest path; a call is critical if no path without it is as long."""
    plan = planned(cell)
    told, calls = plan.explain(), plan.program(3).calls
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(calls)))
    for number, call in enumerate(calls):
        own = {i for row in call.items for i in row}
        read = own | {arg for i in own for arg in plan.classes.items[i].args}
        for earlier in range(number):
            if read & {i for row in calls[earlier].items for i in row}:
                graph.add_edge(earlier, number)
    length = networkx.dag_longest_path_length(graph) + 1
    assert told.stages[-1].path == length
    assert sum(k.critical for k in told.kernels) >= length
    inside = [k for k in told.kernels if k.recurrence is not None and k.function == "tanh"]
    assert inside
    assert all(k.critical == k.calls for k in inside)
    assert any(k.critical == 0 for k in told.kernels)


def test_the_memory_map(plan: tg.Plan, told: Explanation) -> None:
    """Rooms that have bytes in common are in use at different times; each value stands in one of them."""
    for a, b in combinations(told.rooms, 2):
        apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
        assert apart or (a.shared and b.shared and (a.last < b.first or b.last < a.first))
    assert max(room.offset + room.bytes for room in told.rooms) <= told.bytes
    assert told.memory == tuple(buffer.nbytes for buffer in plan.program(3).buffers)
    assert all(0 <= room.first <= room.last <= len(plan.program(3).calls) for room in told.rooms)
    held = {name.split(" x ")[0] for room in told.rooms for name in room.holds.split(", ")}
    assert {"x", "h", "c", "loss", "dU_i"} <= held
    (fed,) = [room for room in told.rooms if room.holds.startswith("x x ")]
    assert fed.first == 0
    (result,) = [room for room in told.rooms if room.holds == "dV"]
    assert result.last == len(plan.program(3).calls)
    assert told.aside > 0


def test_constants_that_are_filled_in_by_each_run() -> None:
    """Since others stand in their room later; they are there from the call that fills them in."""
    g = tg.Graph()
    C, D = (g.constant(name, np.full((128, 128), 0.01)) for name in "CD")
    h = tg.tanh(D @ tg.tanh(C @ g.input("x", (128,))))
    plan = tg.plan(tg.tanh(tg.sigmoid(h) * tg.exp(-h * h)))
    plan({"x": np.ones((300, 128))})
    told = plan.explain()
    assert [k.computes for k in told.kernels if k.function == "copyto"][:1] == ["C"]
    (room,) = [room for room in told.rooms if room.holds == "D"]
    assert room.shared
    assert room.first > 1


def test_rooms_are_shared_in_a_larger_run() -> None:
    told = planned(models.lstm, batch=400).explain()
    assert any(room.shared for room in told.rooms)
    assert told.bytes < sum(told.memory)


def test_stages(plan: tg.Plan, told: Explanation) -> None:
    tape, normal, apart, joined, classes, batches, calls = told.stages
    assert [tape.name, classes.name, calls.name] == ["tape", "classes (the rolled net)", "calls"]
    assert tape.count == len(cone(leaves(plan.outputs)))
    assert joined.count == len(plan.classes.items)
    assert (classes.count, batches.count) == (len(plan.classes.members), len(plan.batches))
    assert tape.count > normal.count < apart.count
    assert tape.path > normal.path >= batches.path > classes.path
    assert calls.path >= batches.path


def test_explaining_changes_nothing(plan: tg.Plan) -> None:
    feeds = random_feeds(plan.graph, seed=5, batch=3)
    before = leaves(plan(feeds))
    plan.explain()
    for a, b in zip(before, leaves(plan(feeds)), strict=True):
        assert (a == b).all()


# Forms
def test_text_json_and_html(told: Explanation) -> None:
    text = str(told)
    assert "recurrence 2" in text
    assert all(heading in text for heading in ("longest path", "critical", "to call"))
    data = json.loads(told.to_json())
    assert data["batch"] == 3
    assert [len(data[name]) for name in ("kernels", "rooms", "stages")] == [len(told.kernels), len(told.rooms), 7]
    assert told._repr_html_().count("<tr>") == len(told.kernels) + len(told.rooms) + len(told.stages) + 3


def test_saving(told: Explanation, tmp_path: Any) -> None:
    for name, form in (("plan.html", told.to_html()), ("plan.JSON", told.to_json()), ("plan.txt", str(told))):
        assert told.save(tmp_path / name).read_text() == form
    assert "http" not in told.to_html()  # it needs nothing else
    with pytest.raises(UsageError, match=r"(?s)plan\.pdf.*\.html"):
        told.save(tmp_path / "plan.pdf")
    assert not (tmp_path / "plan.pdf").exists()


class Tags(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[tuple[str, tuple[str, ...]]] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add((tag, tuple(name for name, _ in attrs)))


def tags(page: str) -> set[Any]:
    reader = Tags()
    reader.feed(page)
    return reader.tags


@pytest.mark.parametrize("label", LABELS[::7])
def test_hostile_labels(label: str, told: Explanation, tmp_path: Any) -> None:
    """They add no tag to a page, no line to a text, and are found again in JSON."""
    loss = hostile_net(label)
    plan = tg.plan(loss)
    plan(hostile_feeds(label))
    found = plan.explain()
    assert tags(found.to_html()) <= tags(told.to_html())
    assert len(str(found).split("\n")) == len(found.stages) + len(found.kernels) + len(found.rooms) + 7
    shown = one_line(label)
    assert any(room["holds"].startswith(shown) for room in json.loads(found.to_json())["rooms"])
    found.save(tmp_path / "plan.html")
