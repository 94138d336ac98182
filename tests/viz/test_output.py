"""Pictures in every format: they are read back, say the same, and no label gets out of its place."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

import tinygraph as tg
from tinygraph import viz
from tinygraph.errors import DrawingError
from tinygraph.viz import output
from tinygraph.viz.labels import shortened
from tinygraph.viz.looks import NAMES
from tinygraph.viz.page import Slide, write_page
from tinygraph.viz.style import DETAIL_LIMIT, LIGHT

from .compilers import graphviz_counts, latex_pages, needs_graphviz, needs_latex
from .hostile import LABELS, RUN, holds, hostile_feeds, hostile_net
from .pictures import CASES, SVG, groups, parse, small
from .readers import read_dot, read_tex, unescaped

PICTURES = ("lstm-2", "loss-4", "loss-20", "stacked", "bidirectional", "attention", "small")
hostile = pytest.mark.parametrize("label", LABELS, ids=range(len(LABELS)))


def same(a: str, b: str) -> bool:
    return normalize("NFC", a) == normalize("NFC", b)


# Every format shows the same nodes and edges
@pytest.mark.parametrize("name", PICTURES)
def test_dot_has_the_nodes_and_edges_of_the_picture(name: str) -> None:
    drawing = viz.draw(CASES[name](), backward=True)
    statements = [s for s in read_dot(drawing.dot) if s.attributes.get("class")]
    assert [s.ends[0] for s in statements if len(s.ends) == 1] == [g.get("id") for g in groups(drawing, "node")]
    edges = {(g.get("id"), g.get("data-from"), g.get("data-to")) for g in parse(drawing).iter() if g.get("data-from")}
    assert {(s.attributes["id"], *s.ends) for s in statements if len(s.ends) == 2} == edges
    for s in statements:
        assert s.attributes["pos"].endswith("!") if len(s.ends) == 1 else s.attributes["pos"].startswith("e,")
        if len(s.ends) == 2:
            assert len(s.attributes["pos"].split()[1:]) % 3 == 1, "a Bezier curve has 3n + 1 points"


@pytest.mark.parametrize("name", PICTURES)
def test_tikz_has_the_nodes_and_edges_of_the_picture(name: str) -> None:
    drawing = viz.draw(CASES[name](), backward=True)
    assert re.findall(r"^\\node\[.*\] \((\S+)\) at ", drawing.tex, re.M) == [
        g.get("id") for g in groups(drawing, "node")
    ]
    assert len(re.findall(r"^\\draw\[(?:edge|back),", drawing.tex, re.M)) == drawing.edges + drawing.gradients
    assert drawing.tex.isascii()
    bare = re.sub(r"^%.*", "", drawing.tex, flags=re.M).replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    used = set(re.findall(r"\btg\d+\b", bare))
    assert used == set(re.findall(r"\\definecolor\{(tg\d+)\}\{HTML\}\{[0-9A-F]{6}\}", bare))


@pytest.mark.parametrize("name", PICTURES)
def test_the_legend_is_in_every_format(name: str) -> None:
    drawing = viz.draw(CASES[name]())
    kinds = {box.kind for box in drawing.scene.boxes}
    assert {s.ends[0] for s in read_dot(drawing.dot) if s.ends[0].startswith("legend--")} == {
        f"legend--{kind}" for kind in kinds
    }
    for text in (drawing.svg, drawing.tex):
        assert all(words in text for kind, words in NAMES.items() if kind in kinds)
        assert not [words for kind, words in NAMES.items() if kind == "delay" and words in text]


@pytest.mark.skipif(not shutil.which("rsvg-convert"), reason="no rsvg-convert on the PATH: PNG and PDF were not made")
def test_png_and_pdf(tmp_path: Path) -> None:
    drawing = viz.draw(small())
    png = drawing.save(tmp_path / "a.PNG").read_bytes()
    assert png.startswith(b"\x89PNG")
    width = int.from_bytes(png[16:20], "big")
    assert width == pytest.approx(drawing.size[0] * output.ZOOM, abs=2)
    assert drawing.save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_tikz_says_below_what_the_svg_says() -> None:
    net = CASES["lstm-3"]()
    losses = {t: tg.sum(h**2, name="L") for t, h in net.output.items()}
    chunks = tg.truncate(losses, net.parameters, mode="chunk", k1=2)
    for drawing in (viz.draw(chunks, detail="cell", backward=True), viz.draw(small(), backward=True)):
        below = [g for g in parse(drawing).iter(f"{SVG}g") if g.get("class") in ("legend", "notes")]
        said = [text.text or "" for g in below for text in g.iter(f"{SVG}text")]
        shown = [read_tex(words) for words in re.findall(r"^\\node\[anchor=mid west.*\{(.*)\};$", drawing.tex, re.M)]
        assert shown == said
        assert said


def test_without_a_converter_the_fix_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(output, "find_spec", lambda name: None)
    for suffix in ("png", "pdf"):
        with pytest.raises(DrawingError, match=r"(?s)no converter.*librsvg2-bin.*cairosvg"):
            viz.draw(small()).save(tmp_path / f"a.{suffix}")
    for suffix in ("svg", "dot", "tex"):
        assert viz.draw(small()).save(tmp_path / f"a.{suffix}").exists()


def test_cairosvg_converts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cairosvg", reason="cairosvg is not installed: PNG and PDF were not made by it")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert viz.draw(small()).save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert viz.draw(small()).save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_converter_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "rsvg-convert"
    broken.write_text("#!/bin/sh\necho too large >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(DrawingError, match="rsvg-convert cannot convert the picture: too large"):
        viz.draw(small()).save(tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


# Names for slides
def test_elements_are_named_as_the_nodes() -> None:
    net = CASES["stacked"]()
    drawing = viz.draw(net)
    assert drawing.names[net.h[3]] == "layer2-h_3"
    found = next(g for g in groups(drawing, "node") if g.get("id") == "layer2-h_3")
    assert {"state", "step-3", "layer2"} <= set(found.get("class", "").split())
    plain = tg.unroll(tg.models.elman, 3, I=2, H=2)
    assert viz.draw(plain).names[plain.h[3]] == "h_3"
    assert not drawing.svg.startswith("<?xml")


def test_two_nodes_of_one_name() -> None:
    g = tg.Graph()
    a = tg.tanh(g.input("x", (2,)), name="a")
    drawing = viz.draw([a, tg.tanh(a, name="a")])
    assert sorted(drawing.names.values()) == ["a", "a--n2", "x"]


# Hostile labels
def test_there_are_many() -> None:
    assert len(set(LABELS)) == len(LABELS) >= 60


@hostile
def test_hostile_in_svg(label: str) -> None:
    loss = hostile_net(label)
    drawing = viz.draw(loss, title=label, backward=True)
    root = parse(drawing)
    tags = {"svg", "title", "desc", "rect", "g", "text", "tspan", "path", "polygon", "circle"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= tags
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on") or "href" in key]
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    told = {g.get("id"): g.findtext(f"{SVG}title") for g in groups(drawing, "node")}
    assert {told[name] for name in drawing.names.values()} == {
        shortened(node.describe(), DETAIL_LIMIT) for node in drawing.names
    }
    assert all(holds(told[drawing.names[node]] or "", label) for node in drawing.names if node.label)


@hostile
def test_hostile_in_dot(label: str) -> None:
    drawing = viz.draw(hostile_net(label), backward=True)
    told = {s.ends[0]: s.attributes for s in read_dot(drawing.dot) if s.attributes.get("tooltip")}
    assert {node: unescaped(told[name]["tooltip"]) for node, name in drawing.names.items()} == {
        node: shortened(node.describe(), DETAIL_LIMIT) for node in drawing.names
    }
    for attributes in told.values():
        unescaped(attributes["label"])


@hostile
def test_hostile_in_tikz(label: str) -> None:
    drawing = viz.draw(hostile_net(label), backward=True)
    told = dict(re.findall(r"^% (\S+): (.*)$", drawing.tex, re.M))
    for node, name in drawing.names.items():
        assert same(read_tex(told[name]), shortened(node.describe(), DETAIL_LIMIT))
    shown = re.findall(r"^\\node\[.*?selectfont(?:\\bfseries)?\] (?:\(\S+\) )?at \(\S+\) \{(.*)\};$", drawing.tex, re.M)
    assert len(shown) >= drawing.nodes
    for words in shown:
        read_tex(re.sub(r"\\text(sub|super)script\{((?:[^{}]|\\[{}]|\{[^{}]*\})*)\}", r"\2", words))


# What their own programs make of them
@needs_graphviz
def test_graphviz_draws_hostile_labels() -> None:
    drawings = [hostile_drawing(label) for label in LABELS]
    assert graphviz_counts([drawing.dot for drawing in drawings]) == [
        (drawing.nodes, drawing.edges + drawing.gradients) for drawing in drawings
    ]


@needs_latex
@pytest.mark.parametrize("labels", [LABELS[::15], pytest.param(LABELS, marks=pytest.mark.slow)], ids=["some", "all"])
def test_latex_compiles_hostile_labels(labels: list[str], tmp_path: Path) -> None:
    assert latex_pages([hostile_drawing(label).tex for label in labels], tmp_path) == len(labels)


@needs_latex
def test_latex_tells_of_what_is_wrong(tmp_path: Path) -> None:
    broken = viz.draw(small()).tex.replace(r"\node[", r"\nude[", 1)
    with pytest.raises(AssertionError, match="Undefined control sequence"):
        latex_pages([broken], tmp_path)


def hostile_drawing(label: str) -> Any:
    badges = ("value", "gradient")
    return viz.draw(hostile_net(label), backward=True, feeds=hostile_feeds(label), badges=badges)


class Page(HTMLParser):
    """The elements of a page and the text of its equations."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


PAGE_TAGS = {
    "html", "head", "meta", "link", "title", "style", "body", "h1", "main", "div", "section", "h2", "p", "span", "nav",
    "button", "input", "output", "script", "svg", "desc", "rect", "g", "text", "tspan", "path", "polygon", "circle",
}  # fmt: skip


@hostile
def test_hostile_in_html(label: str) -> None:
    frames = viz.frames(hostile_net(label), hostile_feeds(label), title=label)
    page = Page(frames.html)
    assert {tag for tag, _ in page.elements} <= PAGE_TAGS
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    links = [a for _, a in page.elements for key in a if "href" in key or key == "src"]
    assert links == [{"rel": "icon", "href": "data:,"}]
    shown = "".join(page.text)
    assert all(holds(shown, row.name) for frame in frames for row in frame.rows)
    assert sum(holds(text, label) for text in page.text) >= len(frames)
    assert RUN not in "".join(a for _, attributes in page.elements for a in attributes)


def test_no_name_of_a_part_ends_the_data_of_the_page() -> None:
    name = "</script><script>"
    page = write_page("t", [(LIGHT, "<svg></svg>")], [Slide("a", (), (name,))], {name: 0}, (1.0, 1.0))
    assert [tag for tag, _ in Page(page).elements].count("script") == 2
