"""The chart of a flow: readable text, both formats and themes, the same bytes each time."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

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


def test_saving(flow, tmp_path):
    chart = viz.chart(flow)
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
