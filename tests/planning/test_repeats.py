"""Calls that are moved on from those of the steps before are the ones that would have been emitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rolling.nets import NETS

import tinygraph as tg
from tinygraph import models
from tinygraph.planning import repeats
from tinygraph.planning.program import Program


def described(program: Program, argument: Any) -> Any:
    """An argument by its place: from the start of the room where it is in it, else by what it holds."""
    if isinstance(argument, list):
        return [described(program, one) for one in argument]
    if not isinstance(argument, np.ndarray):
        return argument
    place = argument.ctypes.data - program.emitter.room.ctypes.data
    inside = 0 <= place < program.emitter.room.nbytes
    return (place if inside else argument.tolist(), argument.shape, argument.strides, argument.dtype)


def calls(roots: Any, batch: int) -> list[Any]:
    program = tg.plan(roots).program(batch)
    return [
        (getattr(call.function, "name", call.function), [described(program, one) for one in call.args], call.items)
        for call in program.calls
    ]


@pytest.mark.parametrize("name", NETS)
def test_odd_graphs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = NETS[name](12)
    found = calls(roots, 3)
    monkeypatch.setattr(repeats, "WORTH", 10**9)
    assert found == calls(roots, 3)


def test_most_steps_are_moved_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batches that are emitted one by one are as many for twice the steps."""
    emitted: list[int] = []
    emit = repeats.emit
    monkeypatch.setattr(repeats, "emit", lambda e, rows: emitted.append(0) or emit(e, rows))
    counts = []
    for steps in (20, 40):
        emitted.clear()
        net = models.stack(models.lstm, steps, I=2, H=3)
        loss = models.softmax_cross_entropy(models.readout(net, 4))
        tg.plan([loss, tg.grad(loss, net.graph.parameters)]).program(2)
        counts.append(len(emitted))
    assert counts[0] == counts[1]


def test_places_that_cross_are_not_moved_on() -> None:
    """One value moves on to where another stays: equal at one step alone, and then in another order."""
    buffers = np.zeros((12, 2), int)
    still, moving = np.full(12, 40), 10 * np.arange(12)
    assert list(repeats._steady(np.stack([still, moving], axis=1), buffers)) == []
    assert list(repeats._steady(np.stack([still + 1000, moving], axis=1), buffers)) == [(0, 12)]
    apart = np.stack([np.zeros(12, int), np.ones(12, int)], axis=1)
    assert list(repeats._steady(np.stack([still, moving], axis=1), apart)) == [(0, 12)]
    moving[7:] += 3
    assert list(repeats._steady(np.stack([still + 1000, moving], axis=1), buffers)) == [(0, 7)]
