"""Stencils, and the other ways to draw much at once: they change nothing but the time that it takes."""

from __future__ import annotations

import gc
from functools import partial
from time import process_time

import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError
from tinygraph.viz.marks import hundredths, number
from tinygraph.viz.stencil import Stencils

from .pictures import unrolled


def test_places_are_written_as_numbers_are() -> None:
    for left in (0, 3, 1200):
        for x in (0.0, 0.5, 2.25, 7.125, 8.8, 9.999, 11.375, 99.2):
            whole, part = hundredths(x)
            assert f"{left + whole}{part}" == number(left + x)


def test_a_stencil_is_cut_once() -> None:
    cut = []

    def draw(place: float, across) -> str:
        cut.append(place)
        return f"<p {across(place)} {across(place + 2.5)}/>"

    stencils = Stencils()
    assert stencils.write("a", 10.0, partial(draw, 12.0)) == "<p 12 14.5/>"
    assert stencils.write("a", 30.0, partial(draw, 32.0)) == "<p 32 34.5/>"
    assert stencils.write("b", 30.0, partial(draw, 30.25)) == "<p 30.25 32.75/>"
    assert cut == [12.0, 30.25]


def whole(cell: str) -> str:
    return viz.draw(unrolled(models.CELLS[cell], 12), fold=False, backward=True).svg


@pytest.mark.parametrize("cell", ["lstm", "gru", "mut1"])
def test_stencils_write_what_is_drawn_without_them(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = whole(cell)
    monkeypatch.setattr(Stencils, "write", lambda self, alike, left, draw: draw(number))
    assert whole(cell) == quick


def test_what_is_alike_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stencils that are told too little are seen to write something else."""
    quick, write = whole("lstm"), Stencils.write
    monkeypatch.setattr(Stencils, "write", lambda self, alike, left, draw: write(self, alike[0], left, draw))
    assert whole("lstm") != quick


def test_garbage_is_collected_again_afterwards() -> None:
    assert gc.isenabled()
    viz.draw(unrolled(models.elman, 1))
    assert gc.isenabled()
    with pytest.raises(DrawingError):
        viz.draw(3)
    assert gc.isenabled()
    gc.disable()
    try:
        viz.draw(unrolled(models.elman, 1))
        assert not gc.isenabled(), "whoever switched it off finds it off"
    finally:
        gc.enable()


def test_time_is_linear_in_steps() -> None:
    def seconds(steps: int) -> float:
        net = tg.unroll(models.lstm, steps=steps, I=2, H=2)
        start = process_time()
        viz.draw(net, fold=False)
        return process_time() - start

    seconds(20)
    assert min(seconds(120) for _ in range(2)) < 10 * min(seconds(30) for _ in range(3))
