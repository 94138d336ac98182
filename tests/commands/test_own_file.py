"""The user's own file: run once, asked for one name, and its mistakes told with its own line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinygraph as tg
from tinygraph.commands.own_file import load_object, names_a_file
from tinygraph.commands.picturing import Wish, notation_of, picture_of
from tinygraph.errors import DrawingError, UnknownNameError, UsageError

NET = """import tinygraph as tg
g = tg.Graph()
w, x = g.parameter("w"), g.input("x")
net = w * x
loss = net * net

def made():
    return [net, loss]

def wrong():
    return g.parameter("W", (2, 3)) @ g.parameter("V", (2,))

text = "net"
feeds = {"w": 2.0, "x": 3.0}
"""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    known = list(sys.path)
    (tmp_path / "net.py").write_text(NET)
    yield tmp_path / "net.py"
    sys.path[:] = known


@pytest.mark.parametrize(
    ("target", "is_file"),
    [("lstm", False), ("net.py", True), ("a/net.py:x", True), ("C:/net.py", True), ("py", False), ("a:b", False)],
)
def test_a_file_is_told_from_a_cell(target: str, is_file: bool) -> None:
    assert names_a_file(target) == is_file


def test_names_and_functions(path: Path) -> None:
    assert isinstance(load_object(str(path))[0], tg.Node)
    assert load_object(f"{path}:loss")[0].op.name == "mul"
    assert len(load_object(f"{path}:made")[0]) == 2


@pytest.mark.parametrize("name", ["nett", "__builtins__", "net.graph", "made()", "", "__import__('os')"])
def test_only_a_name_is_taken(path: Path, name: str) -> None:
    with pytest.raises(UnknownNameError, match="has no"):
        load_object(f"{path}:{name}")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_module_at_all", "line 1: ModuleNotFoundError"),
        ("x = 1\nx = (", "line 2: SyntaxError: '\\(' was never closed"),
        ("x = 1\n\n1 / 0", "line 3: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
        ("import tinygraph as tg\ntg.tanh()", "line 2: tanh"),
        ("x = '\x00'", "SyntaxError|ValueError"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, source: str, told: str) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(source)
    with pytest.raises(DrawingError, match=f"wrong.py.*{told}"):
        load_object(str(path))


def test_a_mistake_in_a_function(path: Path) -> None:
    with pytest.raises(DrawingError, match=r"net\.py, line 11: matmul: inner sizes differ"):
        load_object(f"{path}:wrong")


def test_frames_take_the_feeds_of_the_file(path: Path) -> None:
    frames = picture_of(Wish(f"{path}:loss", frames=True))
    assert {row.name: row.value for row in frames[0].rows} == {"w": "2.", "x": "3."}
    with pytest.raises(DrawingError, match="step-through"):
        picture_of(Wish(f"{path}:made", frames=True))


def test_frames_of_a_cell_have_numbers_of_their_own() -> None:
    one, again, other = (picture_of(Wish("gru", steps=1, frames=True, seed=seed)) for seed in (0, 0, 1))
    assert one.html == again.html != other.html


def test_notation() -> None:
    assert notation_of(["U=W_{hh}", "h=a=b"]) == {"U": "W_{hh}", "h": "a=b"}
    for wrong in ("U", "=x", "U=", ""):
        with pytest.raises(UsageError, match="--notation"):
            notation_of([wrong])


LOOKS = """import tinygraph as tg
from tinygraph import models
encoder = tg.unroll(models.elman, steps=3, I=2, H=3, scope="encoder")
memory = models.memory_of(encoder.output)
sizes = {"I": 2, "H": 3}
cell = models.attend_first(models.elman, "dot")
net = tg.unroll(cell, steps=2, sizes=sizes, graph=encoder.graph, scope="decoder", contexts=memory)
stack = models.stack(models.gru, layers=2, steps=2, I=2, H=2)
"""


def test_what_a_net_looks_at(path: Path) -> None:
    path.write_text(LOOKS)
    options = {"detail": "cell", "attention": "alpha"}
    drawing = picture_of(Wish(f"{path}:net", options=options))
    assert sum(edge.attention is not None for edge in drawing.scene.edges) == 6
    assert picture_of(Wish(f"{path}:net", gates=True)).description == "gates of elman_attending_dot over 2 steps: alpha"


def test_scopes_singly(path: Path) -> None:
    path.write_text(LOOKS)
    for options in ({"detail": "cell", "open": ["layer1"]}, {"closed": ["layer2"]}):
        drawing = picture_of(Wish(f"{path}:stack", options=options))
        assert {box.lane for box in drawing.scene.boxes if box.kind == "cell"} == {"layer2"}
    with pytest.raises(DrawingError, match="did you mean 'layer"):
        picture_of(Wish(f"{path}:stack", options={"closed": ["layer"]}))


def test_charts(path: Path, tmp_path: Path) -> None:
    assert picture_of(Wish("gru", steps=6, gates=True)).description == "gates of gru over 6 steps: r, z"
    with pytest.raises(DrawingError, match="no gates"):
        picture_of(Wish("elman", gates=True))
    (tmp_path / "metrics.jsonl").write_text('{"update": 1, "loss": 2.5}')
    assert picture_of(Wish(str(tmp_path / "metrics.jsonl"))).description == "loss over 1 update"
    with pytest.raises(DrawingError, match="cannot read the metrics"):
        picture_of(Wish("none.jsonl"))
