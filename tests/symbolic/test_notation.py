r"""Notation: one mapping from labels to symbols, in LaTeX, in text and in pictures."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.symbolic.notation import Notation, Symbol
from tinygraph.symbolic.spelling import GREEK, spelled
from tinygraph.viz.style import HEIGHT

RENAMED = {"U": "W_{hh}", "W": "W_{xh}", "h": "s"}


@pytest.mark.parametrize(
    ("latex", "base", "below", "above"),
    [
        ("s", "s", "", ""), ("W_{hh}", "W", "hh", ""), ("W_h", "W", "h", ""), ("h^{(1)}", "h", "", "(1)"),
        ("W^{(x)}_{hh}", "W", "hh", "(x)"), (r"\tilde h", r"\tilde h", "", ""), (r"\hat{y_1}", r"\hat{y_1}", "", ""),
        (r"\mathbf{W}_{xh}", r"\mathbf{W}", "xh", ""), (" s ", "s", "", ""),
    ],
)  # fmt: skip
def test_a_symbol_is_read_in_parts(latex, base, below, above):
    assert Notation({"q": latex}).symbol("q") == Symbol(base, below, above)


@pytest.mark.parametrize(
    ("latex", "shown"),
    [
        ("s", "s"), (r"\tilde h", "h\u0303"), (r"\tilde{h}", "h\u0303"), (r"\hat y", "ŷ"), (r"\bar{x}", "x\u0304"),
        (r"\alpha", "α"), (r"\mathrm{in}", "in"), (r"\mathbf{W}", "W"), (r"\boldsymbol{\beta}", "β"), ("h'", "h'"),
        (r"\hat{\theta}", "θ\u0302"), (r"\unknown", "unknown"), (r"a\,b", "ab"), (r"\ell", "ℓ"), (r"50\%", "50%"),
    ],
)  # fmt: skip
def test_spelling(latex, shown):
    assert spelled(latex) == shown


@pytest.mark.parametrize("name", GREEK)
def test_greek_letters_are_spelled(name):
    assert len(spelled(f"\\{name}")) == 1


def test_what_is_given_overrules_what_a_label_brings():
    latex = tg.latex(models.gru, notation={"c": "g", "U_r": "R"})
    assert "g_{t} &= " in latex
    assert "tilde" not in latex
    assert r"R h_{t-1}" in latex


def test_scopes_by_full_name_or_without():
    net = models.stack(models.elman, 2, layers=2, I=2, H=3)
    one = tg.latex(net.output[2], notation={"layer1/U": "R"})
    both = tg.latex(net.output[2], notation={"U": "R"})
    assert one.count("R^{") == 2
    assert both.count("R^{") == 4


def test_an_initial_state_is_called_as_its_state():
    net = tg.unroll(models.elman, 1, initial="fed", I=2, H=3)
    assert "U s_{0}" in tg.latex(net, notation={"h": "s"})


# Everywhere the same names, and the same errors
def uses(notation):
    net = tg.unroll(models.elman, 4, I=2, H=3)
    loss = tg.sum(net.h[4] ** 2, name="loss")
    feeds = net.initial() | {"x": np.ones((4, 2))}
    yield lambda: tg.latex(models.elman, notation=notation)
    yield lambda: tg.latex(net, notation=notation)
    yield lambda: tg.bptt({4: loss}, net.parameters, notation=notation).latex
    yield lambda: tg.step_jacobian(models.elman, notation=notation).latex
    yield lambda: tg.step_jacobian(models.elman, None, notation=notation).latex
    yield lambda: tg.verify(models.elman, steps=2, size=2, notation=notation).latex
    yield lambda: str(tg.walk(loss, feeds, notation=notation))
    yield lambda: viz.draw(loss, notation=notation).svg


def test_a_renamed_label_is_gone_everywhere():
    for use in uses(RENAMED):
        text = use()
        shown = re.sub(r"<title.*?</title>|<desc.*?</desc>|\\\w+|<[^>]*>", " ", text)
        assert not re.search(r"(?<![a-zA-Z{])[Uh](?![a-zA-Z])", shown), shown
        assert "hh" in shown


@pytest.mark.parametrize("use", range(8))
def test_an_unknown_label_is_an_error_that_names_the_nearest(use):
    call = list(uses({"hidden": "s"}))[use]
    with pytest.raises(tg.errors.UnknownNameError, match="'hidden'"):
        call()
    with pytest.raises(tg.errors.UnknownNameError, match="did you mean 'U'"):
        list(uses({"UU": "R"}))[use]()


@pytest.mark.parametrize("wrong", [["U"], "U", {"U": 3}, {"U": ""}, {3: "U"}])
def test_what_is_no_notation(wrong):
    for use in uses(wrong):
        with pytest.raises(tg.errors.TinygraphError):
            use()


def test_a_report_names_states_as_the_notation_does():
    assert "words: s/s 1" in str(tg.verify(models.elman, steps=2, size=2, notation=RENAMED))


def test_a_walk_in_plain_characters():
    g = tg.Graph()
    w, x = g.parameter("w"), g.input("x")
    with g.at(step=3):
        h = tg.tanh(w * x, name="h")
    text = str(tg.walk(h, {"w": 0.5, "x": 1.0}, notation={"h": r"\hat y", "w": "w_{in}"}))
    assert "ŷ_3  = tanh(w_in * x) = tanh(0.5 * 1.)" in text
    assert "dw_in = " in text


# Pictures
def labels(svg: str) -> list[str]:
    return [re.sub(r"<[^>]*>", "", text) for text in re.findall(r"<text.*?</text>", svg)]


def test_a_picture_shows_the_candidate_with_its_tilde():
    shown = labels(viz.draw(tg.unroll(models.gru, 1, I=2, H=2)).svg)
    assert "h\u03031 = tanh" in shown
    assert not any(label.startswith("c") for label in shown[:-6])


def test_marks_below_and_above():
    net = tg.unroll(models.elman, 1, I=2, H=2)
    svg = viz.draw(net, notation={"h": "s^{(1)}", "U": "W_{hh}"}).svg
    assert "s(1)1" in labels(svg)
    assert labels(svg).count("Whh") == 1
    box = next(text for text in re.findall(r"<text.*?</text>", svg) if "(1)" in text and ">1<" in text)
    assert [float(dy) for dy in re.findall(r'dy="([-\d.]+)"', box)] == [-HEIGHT[1], HEIGHT[1] - HEIGHT[-1]]
