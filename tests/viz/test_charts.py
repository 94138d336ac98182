"""Charts: readable text, both formats and themes, the same bytes each time, and the numbers that were measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import DrawingError, UsageError

PROGRAM = """
import sys, tinygraph as tg
from tinygraph import models, viz
sys.stdout.write(viz.chart(tg.gradient_flow(models.lstm, 4, size=2, reach=2)).svg)
"""


@pytest.fixture(scope="module")
def flow() -> tg.GradientFlow:
    return tg.gradient_flow(models.lstm, 4, size=2, reach=2)


def test_it_names_what_it_shows(flow):
    svg = viz.chart(flow).svg
    ET.fromstring(svg)
    for text in ("Norm by distance", "Growth per step", "none (direct)", "distance d", "several kinds"):
        assert text in svg


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_themes_differ_in_ground(flow, theme):
    from tinygraph.viz.style import THEMES

    assert THEMES[theme].background in viz.chart(flow, theme=theme).svg


def test_the_same_bytes_in_every_process(flow):
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert other.stdout == viz.chart(flow).svg


def test_saving(tmp_path):
    chart = viz.chart([{"update": 1, "loss": 4.2}, {"update": 2, "loss": 2}])
    assert chart.save(tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")
    assert chart.save(tmp_path / "flow.svg").read_text() == chart.svg == chart._repr_svg_()
    with pytest.raises(DrawingError, match=r"\.svg or \.png"):
        chart.save(tmp_path / "flow.gif")
    with pytest.raises(DrawingError, match="cannot write"):
        chart.save(tmp_path / "nowhere" / "flow.svg")


def test_bad_inputs(flow):
    with pytest.raises(UsageError):
        viz.chart(models.lstm)
    with pytest.raises(DrawingError, match="theme"):
        viz.chart(flow, theme="pink")


# Of other things
STEPS = 5


@pytest.fixture(scope="module")
def net():
    return tg.unroll(models.gru, steps=STEPS, I=2, H=3)


def fed(net, batch=()):
    return net.initial(seed=0) | {"x": np.random.default_rng(0).standard_normal((STEPS, *batch, 2))}


def drawn(monkeypatch, chart):
    """What was put on the axes of a chart: meshes, and lines by label."""
    figures = []
    save = matplotlib.figure.Figure.savefig

    def kept(self, *args, **options):
        figures.append(self)
        save(self, *args, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", kept)
    ET.fromstring(chart.svg)
    return [axes for axes in figures[-1].axes if axes.get_title()]


def test_pairs_are_the_norms_of_the_contributions(net, monkeypatch):
    losses = {t: tg.sum(h**2) for t, h in net.output.items()}
    parts = tg.contributions(losses, net.parameters["U_z"])
    (axes,) = drawn(monkeypatch, viz.chart(parts, feeds=fed(net)))
    shown = np.ma.filled(axes.collections[0].get_array(), np.nan).reshape(STEPS, STEPS)
    with np.errstate(divide="ignore"):
        logs = np.log10(parts.norms(fed(net)))
    assert np.array_equal(np.isfinite(shown), np.isfinite(logs))
    assert np.allclose(shown[np.isfinite(logs)], logs[np.isfinite(logs)])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("use at step s", "loss at step t")


@pytest.mark.parametrize("batch", [(), (4,)])
def test_gates_are_shown_unit_by_unit(net, batch, monkeypatch):
    feeds = fed(net, batch)
    panels = drawn(monkeypatch, viz.chart(net, feeds=feeds))
    assert [axes.get_title() for axes in panels] == ["r", "z"], "the candidate state is no gate"
    for axes in panels:
        values = tg.evaluate([net.series[axes.get_title()][t] for t in range(1, STEPS + 1)], feeds)
        means = np.array(values).mean(axis=1) if batch else np.array(values)
        assert np.allclose(axes.collections[0].get_array().reshape(3, STEPS), means.T)


def test_weights_of_attention_are_gates(monkeypatch):
    encoder = tg.unroll(models.elman, steps=STEPS, I=2, H=3)
    cell = models.attend_first(models.elman, "dot")
    memory = models.memory_of(encoder.output)
    sizes = {"I": 2, "H": 3}
    decoder = tg.unroll(cell, steps=2, sizes=sizes, graph=encoder.graph, scope="decoder", contexts=memory)
    feeds = {name: np.random.default_rng(1).standard_normal(p.shape) for name, p in encoder.graph.parameters.items()}
    feeds |= {name: np.zeros((len(steps), 2)) for name, steps in encoder.graph.inputs.items()}
    (axes,) = drawn(monkeypatch, viz.chart(decoder, feeds=feeds))
    assert np.allclose(axes.collections[0].get_array().reshape(STEPS, 2).sum(axis=0), 1)


def test_a_spectrum_settles_at_its_exponents(flow, monkeypatch):
    _, settling = drawn(monkeypatch, viz.chart(flow.spectrum))
    ends = [line.get_ydata()[-1] for line in settling.get_lines() if line.get_label().startswith("number")]
    assert np.allclose(ends, flow.spectrum.exponents[: len(ends)])


def test_losses_come_from_reports_records_and_folders(tmp_path, monkeypatch):
    text = "hello " * 40
    model = models.LanguageModel(models.Vocabulary.of(text), hidden=4)
    reports = []
    settings = models.Settings(updates=6, steps=5, batch=1)
    models.train(model, text, settings, callbacks=[lambda run, report: reports.append(report)])
    (axes,) = drawn(monkeypatch, viz.chart(reports))
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["each update"].get_ydata()) == [report.loss for report in reports]
    assert list(lines["smoothed"].get_xdata()) == [1, 2, 3, 4, 5, 6]
    weights = [[np.exp((s - t) / 1.0) if s <= t else 0 for s in range(6)] for t in range(6)]
    means = [np.average([r.loss for r in reports], weights=row) for row in weights]
    assert np.allclose(lines["smoothed"].get_ydata(), means)
    records = [{"update": r.update, "loss": r.loss, "smooth": r.smooth} for r in reports]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert viz.chart(records).svg == viz.chart(tmp_path).svg == viz.chart(tmp_path / "metrics.jsonl").svg


def test_what_no_chart_is_made_of(net, tmp_path):
    plain = tg.unroll(models.elman, steps=2, I=2, H=2)
    with pytest.raises(UsageError, match="needs values"):
        viz.chart(net)
    with pytest.raises(DrawingError, match="elman has no gates"):
        viz.chart(plain, feeds=plain.initial() | {"x": np.zeros((2, 2))})
    for records in ([], [3], [{"update": 1}], [{"update": 1, "loss": float("nan")}], [{"update": 1, "loss": "low"}]):
        with pytest.raises(DrawingError):
            viz.chart(records)
    with pytest.raises(DrawingError, match="cannot read"):
        viz.chart(tmp_path / "none")
    (tmp_path / "metrics.jsonl").write_text('{"update": 1, "loss": 2}\n{')
    with pytest.raises(DrawingError, match="line 2"):
        viz.chart(tmp_path)
