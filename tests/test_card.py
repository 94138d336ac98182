"""The card of a cell: complete, right in its counts, and whole as Markdown and HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.card import Card, equation_lines, make_card, make_system_card, parameter_count, terms
from tinygraph.errors import DrawingError

QUICK = ["elman", "lstm"]
VOID = {"meta", "br"}


@pytest.fixture(scope="module")
def card() -> Card:
    return make_card(models.lstm)


class Balance(HTMLParser):
    """Open tags, and the text outside the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(card: Card) -> None:
    assert card.verified
    page = card.markdown("picture.svg")
    titles = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert titles == [section.title for section in card.sections]
    assert {"Equations", "Parameters", "Jacobian of a step", "Paths", "Verification"} <= set(titles)
    assert page.count("$$") == 2 * sum(bool(section.formulas) for section in card.sections)
    parser = Balance()
    parser.feed(card.html())
    assert parser.open == []
    assert parser.seen["math"] >= sum(len(section.formulas) for section in card.sections)
    assert parser.seen["svg"] == 1
    assert "None" not in page


@pytest.mark.parametrize("name", QUICK)
def test_a_card_is_whole(name):
    check(make_card(models.CELLS[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in models.CELLS if name not in QUICK])
def test_every_card_is_whole(name):
    check(make_card(models.CELLS[name]))


@pytest.mark.parametrize(
    "name", ["residual", "glimpses", "stacked_2", "translator_several", "parity", "convolution_2d"]
)
def test_a_card_of_what_is_made_of_cells(name):
    """Equations as formulas where it is one cell, else the tape rolled up; every parameter; verified."""
    system = models.SYSTEMS[name]
    card = make_system_card(system)
    page, html = card.markdown(), card.html()
    assert card.verified
    assert [section.title for section in card.sections] == ["Equations", "Parameters", "Verification"]
    assert ("$$" in page) == (system.cell is not None) == ("```text" not in page)
    assert system.reference in page
    names = system.cell.parameters if system.cell else system.build().graph.parameters
    assert all(name in page for name in names)
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    assert parser.seen["svg"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in models.SYSTEMS if name not in models.CELLS][::3])
def test_systems_of_each_kind_have_a_card(name):
    """Every third; the page of systems builds, verifies and draws all of them."""
    card = make_system_card(models.SYSTEMS[name])
    assert card.verified
    assert card.html().endswith("</html>\n")


def test_a_wrong_cell_has_a_card_that_says_so(monkeypatch):
    monkeypatch.setattr("tinygraph.card.verify", lambda cell: tg.Report(cell.name, (), "", {}))
    card = make_card(models.elman)
    assert not card.verified
    assert "NOT VERIFIED" in card.markdown()


@pytest.mark.parametrize("name", models.CELLS)
def test_the_number_of_parameters(name):
    cell = models.CELLS[name]
    sizes = dict.fromkeys(cell.sizes, 5)
    if not models.CELLS[name].sizes:
        return
    actual = sum(int(np.prod(shape)) for n, shape in cell.shapes(sizes).items() if n in cell.parameters)
    text = re.sub(r"(\w) (?=\w)", r"\1 * ", parameter_count(cell)).replace("^", "**")
    assert sum(number_of(term, sizes) for term in text.split(" + ")) == actual


def number_of(term: str, sizes: dict[str, int]) -> int:
    result = 1
    for factor in term.split(" * "):
        base, _, power = factor.partition("**")
        result *= (sizes[base] if base in sizes else int(base)) ** int(power or 1)
    return result


def test_formulas_are_cut_at_their_own_signs_alone():
    assert terms(r"h = a + b \left(c + d\right) - \frac{e + f}{g}") == [
        "h = a", r"+ b \left(c + d\right)", r"- \frac{e + f}{g}"
    ]  # fmt: skip
    assert equation_lines(tg.latex(models.elman)) == (r"h_{t} = \tanh(W x_{t} + U h_{t-1} + b)",)


def test_saving(card, tmp_path):
    assert [path.name for path in card.save(tmp_path / "lstm.md")] == ["lstm.md", "lstm.svg"]
    assert "](lstm.svg)" in (tmp_path / "lstm.md").read_text()
    assert card.save(tmp_path / "lstm.html")[0].read_text() == card.html()
    with pytest.raises(DrawingError, match=r"\.md or \.html"):
        card.save(tmp_path / "lstm.pdf")
