"""Files: what is saved comes back, the bytes are always the same, and what is damaged is refused."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph.samples import NETS, Sample, each_net, every_row, trained

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import FileFormatError


def record(node: tg.Node) -> tuple[Any, ...]:
    """All that is known of a node, in a form that can be compared (a NaN equals itself)."""
    attrs = {key: _comparable(value) for key, value in node.attrs.items()}
    return node.op, [arg.id for arg in node.args], attrs, node.shape, node.batched, node.kind, node.where


def _comparable(value: Any) -> Any:
    if hasattr(value, "data") and isinstance(value.data, np.ndarray):
        return value.data.dtype.str, value.data.shape, value.data.tobytes()
    return type(value), repr(value)


def names(graph: tg.Graph) -> Any:
    """Which node each name leads to."""
    inputs = {n: e.id if isinstance(e, tg.Node) else {t: x.id for t, x in e.items()} for n, e in graph.inputs.items()}
    return list({n: p.id for n, p in graph.parameters.items()}.items()), list(inputs.items())


def assert_same(found: tg.Graph, expected: tg.Graph) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert record(ours) == record(theirs)
    assert names(found) == names(expected)
    tg.validate(found)


def constants() -> Sample:
    """Every form of a constant, and labels that a file must not stumble over."""
    g = tg.Graph()
    numbers = [0, -1, 2**60, 0.1, -0.0, Fraction(-2, 3), float("nan"), float("inf"), -float("inf"), 1e-300]
    nodes = [g.number(n) for n in numbers]
    nodes += [
        g.constant("k", value) for value in ([1.5, float("nan"), float("-inf")], np.zeros((0, 3)), np.ones((2, 2)))
    ]
    nodes += [g.constant("i", [1, -2], kind="integer"), g.constant("f", [True, False], kind="boolean")]
    nodes += [g.number(7, "integer"), g.number(True, "boolean"), g.constant("z", zeros=(4,)), g.constant("o", ones=())]
    nodes += [g.constant(label, 1) for label in ("ü", 'quote"', "back\\slash", "new\nline", "\u2028", "emoji 🐍")]
    return Sample(nodes, g, {})


GRAPHS: dict[str, Callable[[], Sample]] = {
    "empty": lambda: Sample([], tg.Graph(), {}),
    "constants": constants,
    "every row": every_row,
    **{f"{name}, {how}": lambda name=name, how=how: trained(name, how) for name, how in NETS},
}


@pytest.mark.parametrize("what", GRAPHS)
def test_what_is_saved_comes_back(tmp_path, what):
    sample = GRAPHS[what]()
    path = tg.save(sample.graph, tmp_path / "graph.json")
    loaded = tg.load(path)
    assert_same(loaded, sample.graph)
    assert tg.save(loaded, tmp_path / "again.json").read_bytes() == path.read_bytes()


@each_net("name", "how")
def test_a_loaded_graph_computes_the_same(tmp_path, name, how):
    sample = trained(name, how)
    loaded = tg.load(tg.save(sample.graph, tmp_path / "graph.json"))
    gradients = {key: loaded.nodes[node.id] for key, node in sample.roots["gradients"].items()}
    for key, value in tg.evaluate(gradients, sample.feeds).items():
        np.testing.assert_array_equal(value, tg.evaluate(sample.roots["gradients"][key], sample.feeds))


def test_a_loaded_graph_can_be_built_on(tmp_path):
    """Labels find its nodes, and it is differentiated like any other."""
    net = tg.unroll(models.elman, 3, I=2, H=4)
    loaded = tg.load(tg.save(net.graph, tmp_path / "graph.json"))
    gradient = tg.grad(tg.sum(loaded["h", 3]), loaded.parameters["U"])
    feeds = net.initial(seed=0) | {"x": np.ones((3, 2))}
    expected = tg.evaluate(tg.grad(tg.sum(net.h[3]), net.parameters["U"]), feeds)
    np.testing.assert_array_equal(tg.evaluate(gradient, feeds), expected)
    tg.validate(loaded)


SAVE_ALL = """
import sys, hashlib, tempfile, pathlib
sys.path[:0] = sys.argv[1:]
import tinygraph as tg
from graph.samples import NETS, every_row, trained
path = pathlib.Path(tempfile.mkdtemp()) / "g.json"
digest = hashlib.sha256()
for sample in [every_row(stride=5), *(trained(*net) for net in NETS[::3])]:
    digest.update(tg.save(sample.graph, path).read_bytes())
    digest.update(sample.graph.text().encode() + tg.latex(sample.graph).encode())
print(digest.hexdigest())
"""


def test_the_bytes_do_not_depend_on_the_hash_seed():
    """JSON, text and LaTeX, in processes of their own."""
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", SAVE_ALL, tests]
    found = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == 2 * hashlib.sha256().digest_size


def test_saving_replaces_the_whole_file(tmp_path):
    path = tmp_path / "graph.json"
    path.write_text("x" * 10**6)
    tg.save(tg.Graph(), path)
    assert json.loads(path.read_text())["nodes"] == []
    assert [file.name for file in tmp_path.iterdir()] == ["graph.json"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tg.save(tg.Graph(), tmp_path / "graph.json")
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="full"):
        tg.save(constants().graph, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["graph.json"]


# What is refused
@pytest.fixture
def document(tmp_path) -> Any:
    """A valid file with an input, a parameter, a sequence, constants, attributes and a label, as JSON."""
    g = tg.Graph()
    W, b = g.parameter("W", (2, 3)), g.input("b", (2,))
    x = g.sequence("x", 2, (3,))
    with g.at(step=1):
        h = tg.tanh(W @ x[1] + b, name="h")
    tg.sum(h * np.array([1.0, 2.0]) * Fraction(1, 2) + W.T[0], axis=0, name="total")
    tg.one_hot(g.constant("i", [0, 1], kind="integer"), 3)
    return json.loads(tg.save(g, tmp_path / "valid.json").read_text())


def at(document: Any, op: str) -> Any:
    return next(node for node in document["nodes"] if node["op"] == op)


def put(*path: Any) -> Callable[[Any], None]:
    """A change of a document: put(key, ..., value)."""
    *keys, last, value = path

    def change(document: Any) -> None:
        for key in keys:
            document = at(document, key[3:]) if isinstance(key, str) and key.startswith("op:") else document[key]
        document[last] = value

    return change


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def ratio(numerator: Any, denominator: Any) -> Any:
    return {"value": {"ratio": [numerator, denominator]}}


def array(values: Any, shape: Any) -> Any:
    return {"value": {"array": values, "shape": shape}}


REFUSED = {
    "another format": (put("format", "torch"), "no tinygraph graph"),
    "no format": (lambda d: d.pop("format"), "no tinygraph graph"),
    "a newer version": (put("version", 2), "version 2"),
    "no version": (lambda d: d.pop("version"), "version"),
    "no nodes": (lambda d: d.pop("nodes"), "nodes"),
    "nodes that are no list": (put("nodes", {"0": {}}), "nodes"),
    "a node that is no record": (put("nodes", 2, "tanh"), "node 2"),
    "an unknown operation": (put("op:tanh", "op", "tahn"), "did you mean 'tanh'"),
    "an operation that is no name": (put("op:tanh", "op", ["tanh"]), "node"),
    "an operand of a later node": (put("op:tanh", "args", [40]), "earlier"),
    "an operand that is itself": (lambda d: at(d, "tanh").update(args=[d["nodes"].index(at(d, "tanh"))]), "earlier"),
    "a cycle": (put("op:matmul", "args", [0, 6]), "node"),
    "a negative operand": (put("op:tanh", "args", [-1]), "earlier"),
    "an operand that is no number": (put("op:tanh", "args", ["x"]), "earlier"),
    "operands that are no list": (put("op:tanh", "args", 3), "node"),
    "too many operands": (put("op:tanh", "args", [0, 0]), "operands"),
    "no operands": (lambda d: at(d, "tanh").pop("args"), "operands"),
    "operands of a leaf": (put("op:input", "args", [0]), "input"),
    "another shape": (put("op:tanh", "shape", [3]), "(2,)"),
    "a negative shape": (put("op:input", "shape", [-2]), "shape"),
    "a shape of text": (put("op:input", "shape", "23"), "shape"),
    "no shape": (lambda d: at(d, "tanh").pop("shape"), "shape"),
    "another batch flag": (put("op:tanh", "batched", False), "True"),
    "a batch flag of 1": (put("op:tanh", "batched", 1), "batch"),
    "another kind": (put("op:tanh", "kind", "integer"), "real"),
    "an unknown kind": (put("op:input", "kind", "colour"), "kind"),
    "missing attributes": (lambda d: at(d, "sum").pop("attrs"), "sum"),
    "an unknown attribute": (put("op:sum", "attrs", "colour", 1), "colour"),
    "attributes that are not in their form": (put("op:sum", "attrs", "axis", [0]), "attributes"),
    "attributes out of range": (put("op:sum", "attrs", "axis", [-4]), "axis"),
    "attributes that are no dict": (put("op:sum", "attrs", [1]), "node"),
    "attributes of a row without": (put("op:tanh", "attrs", {"axis": -1}), "attributes"),
    "attributes nested deeply": (put("op:sum", "attrs", "axis", nested(400)), "node"),
    "a name twice": (put("op:parameter", "attrs", "name", "b"), "'b'"),
    "a name that is no text": (put("op:input", "attrs", "name", 3), "name"),
    "a name and no leaf": (put("op:input", "attrs", {}), "input"),
    "a step of a sequence twice": (lambda d: d["nodes"][3]["attrs"].update(index=1), "'x'"),
    "a sequence with a gap": (lambda d: d["nodes"][3]["attrs"].update(index=3), "'x'"),
    "a step of a sequence of another shape": (lambda d: d["nodes"][3].update(shape=[4]), "'x'"),
    "a label that is no text": (put("op:tanh", "label", 3), "label"),
    "a step that is not whole": (put("op:tanh", "step", 1.5), "step"),
    "a scope that is no text": (put("op:tanh", "scope", ["a"]), "scope"),
    "a division by zero": (put("op:constant", "attrs", ratio(1, 0)), "node"),
    "a ratio of text": (put("op:constant", "attrs", ratio("a", 1)), "node"),
    "a ratio of three": (put("op:constant", "attrs", {"value": {"ratio": [1, 2, 3]}}), "node"),
    "a constant of text": (put("op:constant", "attrs", {"value": "1"}), "number"),
    "a constant of an unknown form": (put("op:constant", "attrs", {"value": {"pickle": "abc"}}), "unknown form"),
    "an array of another shape": (put("op:constant", "attrs", array([1.0, 2.0], [3])), "node"),
    "an array that does not fit": (put("op:constant", "attrs", array([1.0], [1])), "fit"),
    "an array of text": (put("op:constant", "attrs", array(["a", "b"], [2])), "node"),
    "an integer constant of a fraction": (lambda d: _integers(d, [0.5, 1]), "integer"),
    "an integer constant past 64 bits": (lambda d: _integers(d, [2**70, 1]), "node"),
    "a transpose twice": (lambda d: d["nodes"].append(copy.deepcopy(at(d, "transpose"))), "twice"),
}  # fmt: skip


def _integers(document: Any, values: Any) -> None:
    """Put values into the integer constant."""
    node = next(node for node in document["nodes"] if node["kind"] == "integer")
    node["attrs"]["value"]["array"] = values


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_file_is_refused(tmp_path, document, what):
    change, word = REFUSED[what]
    change(document)
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FileFormatError) as caught:
        tg.load(path)
    assert word in str(caught.value)
    assert "wrong.json" in str(caught.value)


def test_the_unchanged_document_is_accepted(tmp_path, document):
    """So that what is refused above is refused for the change alone."""
    path = tmp_path / "right.json"
    path.write_text(json.dumps(document))
    assert len(tg.load(path)) == len(document["nodes"])


@pytest.mark.parametrize("text", ["", "hello", "{", "[" * 10**5, "nul", "\x00", '{"a": ' * 10**4, "1" * 5000, "[1]"])
def test_what_is_no_json_graph_is_refused(tmp_path, text):
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"odd\.json"):
        tg.load(path)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x80\x04\x95.", "{}".encode("utf-16")])
def test_bytes_that_are_no_text_are_refused(tmp_path, data):
    path = tmp_path / "odd.json"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=r"odd\.json"):
        tg.load(path)


@pytest.mark.parametrize("depth", [100, 300, 490, 700, 900, 960, 5000])
def test_deep_nesting_is_refused_at_any_depth(tmp_path, document, depth):
    """Whether the reader of JSON gives up, or what comes after it would."""
    text = json.dumps(document).replace('"axis": [-1]', f'"axis": {"[" * depth}{"]" * depth}')
    path = tmp_path / "deep.json"
    path.write_text(text)
    with pytest.raises(FileFormatError):
        tg.load(path)


# Random damage: refused, or a graph that is valid
ODD = (
    None,
    True,
    -1,
    0,
    1,
    7,
    2**70,
    1.5,
    float("nan"),
    "",
    "x",
    "tanh",
    "real",
    [],
    [0],
    [[1]],
    {},
    {"ratio": [1, 0]},
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """All (container, key) of a JSON value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in entries for found in [(value, key), *places(inner)]]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """The file with a byte changed, its end cut off, a piece doubled, or JSON values replaced."""
    way = rng.integers(5)
    place = int(rng.integers(len(data)))
    if way == 0:
        return data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :]
    if way == 1:
        return data[:place]
    if way == 2:
        return data[:place] + data[max(0, place - 40) :]
    document = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        everywhere = places(document)
        container, key = everywhere[rng.integers(len(everywhere))]
        if way == 3:
            container[key] = copy.deepcopy(ODD[rng.integers(len(ODD))])
        else:
            other, its = everywhere[rng.integers(len(everywhere))]
            container[key] = copy.deepcopy(other[its])
    return json.dumps(document).encode()


def try_loading(path: Path, data: bytes) -> bool:
    """Whether the file is accepted; anything but `FileFormatError` or a valid graph fails."""
    path.write_bytes(data)
    try:
        graph = tg.load(path)
    except FileFormatError:
        return False
    tg.validate(graph)
    assert isinstance(graph.text(), str)
    return True


@pytest.mark.filterwarnings("error")
def test_random_damage_is_refused_or_harmless(tmp_path, document):
    data, rng = json.dumps(document).encode(), np.random.default_rng(0)
    accepted = [try_loading(tmp_path / "damaged.json", mutated(data, rng)) for _ in range(400)]
    assert not all(accepted)
    assert any(accepted), "a label or a step may change"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_random_damage_of_larger_files(tmp_path, seed):
    rng = np.random.default_rng(seed)
    for sample in (every_row(stride=7), constants(), trained("lstm", "masked")):
        data = tg.save(sample.graph, tmp_path / "whole.json").read_bytes()
        for _ in range(250):
            try_loading(tmp_path / "damaged.json", mutated(data, rng))
