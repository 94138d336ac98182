"""Damaged files, thousands of them: each is a `FileFormatError` or a valid load, at little cost, and never executed.

Good checkpoints and graphs are damaged byte by byte, word by word, and entry by entry of what their JSON means.
The sweeps run in a process of their own with a limit on memory: this file, run as a script, is that process.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as to_bytes

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import FileFormatError, TinygraphError

MEMORY = 256 * 2**20  # more than a load may take
SECONDS = 20  # more than a load may take
TEXT = "the cat sat on the mat. " * 6

PLANTS = [
    "__import__('os').system('touch executed')",
    "open('executed', 'w')",
    "${touch executed}",
    "; touch executed;",
    "cos\nsystem\n(S'touch executed'\ntR.",
    "{0.__class__}",
    "!!python/object/apply:os.system ['touch executed']",
]
DEEP = "[" * 700 + "]" * 700  # JSON reads it; a reader that recurses in Python may not
ODD = [
    *(json.dumps(plant) for plant in PLANTS), DEEP, "[" * 100_000, '{"a":' * 700 + "1" + "}" * 700,
    "null", "true", "false", "0", "1", "-1", "1.5", "-0.0", "1e999", "NaN", "Infinity", "1" * 5000, "9" * 30,
    "2147483648", "9223372036854775808", "1000000000000", "1000000", '""', '"\\u0000"', '"\\ud800"', "[]", "{}",
    "[1]", "[[1],[2,3]]", '[1,"a"]', '{"ratio":[1,0]}', '{"ratio":[1,2,3]}', '{"ratio":[1e400,1]}', '{"ratio":"ab"}',
    '{"float":"nan"}', '{"float":"x"}', '{"float":[]}', '{"array":[1,2],"shape":[3]}', '{"array":[],"shape":[0]}',
    '{"array":[1],"shape":[-1]}', '{"array":["a"],"shape":[1]}', '{"array":[1],"shape":[1000000000000]}',
    '{"array":[[1]],"shape":[1]}', '{"array":7,"shape":[1]}', '{"array":[1],"shape":"x"}',
    '{"array":[null],"shape":[1]}',
    '{"a":1}', '"x"', '"add"', '"input"', '"parameter"', '"constant"', '"sum"', '"real"', '"integer"', '"boolean"',
]  # fmt: skip


# Good files
@dataclass(frozen=True)
class Good:
    """A sound file: its bytes, what its JSON means, and how to make the file of another JSON text."""

    data: bytes
    document: Any
    build: Callable[[str], bytes]

    @property
    def json_part(self) -> tuple[int, int]:
        """Where JSON stands in the file: all of a graph, the header of a checkpoint."""
        if self.data[:1] == b"{":
            return 0, len(self.data)
        return 8, 8 + int.from_bytes(self.data[:8], "little")


def good_graph(folder: Path) -> Good:
    """A tape with everything that a file can hold: leaves of each kind, arrays, ratios, gradients, scopes."""
    net = tg.unroll(models.elman, 2, I=2, H=2, mask=True, initial="learned", scope="layer")
    graph = net.graph
    loss = models.softmax_cross_entropy(models.readout(net, 3))
    tg.grad(loss, net.parameters)
    table = graph.constant("table", np.arange(6.0).reshape(3, 2) / 7)
    k, s = graph.input("k", (2,), kind="integer"), graph.input("s", batched=False)
    rows = tg.gather(table, k)
    tg.add([tg.sum(tg.where(rows > 0, rows**2 / 3, rows * -0.1)), graph.constant("big", float("inf")) * s], name="all")
    tg.concatenate([tg.reshape(tg.transpose(rows), (4,)), tg.one_hot(k[0], 3)[1:]])
    graph.constant("symbols", np.array([1, 2]), kind="integer")
    graph.constant("flags", np.array([True, False]), kind="boolean")
    data = tg.save(graph, folder / "good.json").read_bytes()
    return Good(data, json.loads(data), str.encode)


def good_checkpoint(folder: Path) -> Good:
    """A run in the middle of its training."""
    model = models.LanguageModel(models.Vocabulary.of(TEXT), "gru", hidden=3, embedding=2)
    settings = models.Settings(updates=9, steps=4, batch=2, patience=2, validate_every=1, validation=0.2)
    run = models.Run(model, model.vocabulary.encode(TEXT), settings)
    list(run.updates_until(3))
    path = run.save(folder)
    arrays, document = models.load_checkpoint(path)
    return Good(path.read_bytes(), document, lambda text: to_bytes(arrays, {"tinygraph": text}))


# Damages: from a good file and a generator to bad bytes
def flip_bits(good: Good, rng: np.random.Generator) -> bytes:
    bytes_ = bytearray(good.data)
    for place in rng.integers(0, len(bytes_), rng.integers(1, 9)):
        bytes_[place] ^= 1 << int(rng.integers(8))
    return bytes(bytes_)


def truncate(good: Good, rng: np.random.Generator) -> bytes:
    return good.data[: int(rng.integers(len(good.data)))]


def cut_or_repeat(good: Good, rng: np.random.Generator) -> bytes:
    """A piece left out, or written twice."""
    first, second = (int(rng.integers(len(good.data))), int(10 ** rng.uniform(0, 3)))
    skip = int(rng.choice([-second, second]))
    return good.data[:first] + good.data[max(first + skip, 0) :]


def overwrite(good: Good, rng: np.random.Generator) -> bytes:
    """Random bytes over others, or between them."""
    start, length = int(rng.integers(len(good.data))), int(rng.integers(1, 200))
    return good.data[:start] + rng.bytes(length) + good.data[start + int(rng.choice([0, length])) :]


def change_length(good: Good, rng: np.random.Generator) -> bytes:
    """The first eight bytes, which are the length of the header in a safetensors file."""
    lengths = [0, 1, 2**31, 2**32, 2**40, 2**63, 2**64 - 1, int(rng.integers(len(good.data)))]
    return lengths[int(rng.integers(8))].to_bytes(8, "little") + good.data[8:]


WORD = re.compile(rb'"[^"\\\x80-\xff]{0,40}"|-?\d+(?:\.\d+)?|true|false|null')


def replace_word(good: Good, rng: np.random.Generator) -> bytes:
    """A word of the JSON (also of what stands as text in JSON) for another one; a header keeps a true length."""
    start, end = good.json_part
    words = list(WORD.finditer(good.data, start, end))
    word = words[int(rng.integers(len(words)))]
    header = good.data[start : word.start()] + odd(rng).encode() + good.data[word.end() : end]
    return (len(header).to_bytes(8, "little") if start else b"") + header + good.data[end:]


def replace_entry(good: Good, rng: np.random.Generator) -> bytes:
    """An entry of the document for another value or for that of another entry, or left out; all else is sound."""
    copy = json.loads(json.dumps(good.document))
    places = list(walk(copy))
    (holder, key), (other_holder, other) = (places[int(i)] for i in rng.integers(len(places), size=2))
    what = rng.random()
    text = odd(rng) if what < 0.8 else json.dumps(other_holder[other])
    if what < 0.9:
        holder[key] = "@here@"
    else:
        del holder[key]
    return good.build(json.dumps(copy).replace('"@here@"', text))


def odd(rng: np.random.Generator) -> str:
    return ODD[int(rng.integers(len(ODD)))]


def walk(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document: what holds it, and the key there."""
    for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
        yield document, key
        if isinstance(value, (dict, list)):
            yield from walk(value)


DAMAGES = (flip_bits, replace_entry, truncate, replace_word, cut_or_repeat, replace_entry, overwrite, replace_word,
           change_length, replace_entry)  # fmt: skip


# What a load must hold
def load_graph(path: Path) -> None:
    """A graph that loads is well formed, and can be saved and loaded again."""
    graph = tg.load(path)
    tg.validate(graph)
    again = path.with_suffix(".again")
    first = tg.save(graph, again).read_bytes()
    assert tg.save(tg.load(again), again).read_bytes() == first


def load_checkpoint(path: Path) -> None:
    arrays, description = models.load_checkpoint(path)
    assert isinstance(description, dict)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


def load_run(path: Path) -> None:
    """A run that can be read gives its parameters, and goes on for an update, or says why not."""
    models.read_run(path.parent).values()
    try:
        run = models.resume_run(path.parent, TEXT)
        next(run.updates_until(run.progress.update + 1), None)
    except FileFormatError:
        raise
    except TinygraphError:
        pass  # another text, settings that do not fit it, or a parameter that is infinite: said clearly, too


KINDS: dict[str, tuple[Callable[[Path], Good], str, Callable[[Path], None]]] = {
    "graph": (good_graph, "damaged.json", load_graph),
    "checkpoint": (good_checkpoint, models.CHECKPOINT, load_checkpoint),
    "run": (good_checkpoint, models.CHECKPOINT, load_run),
}


def too_slow(number: int, frame: Any) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def outcome(path: Path, load: Callable[[Path], None]) -> str:
    """Nothing for a clear error or a valid load; else what went wrong."""
    signal.alarm(SECONDS)
    try:
        load(path)
    except FileFormatError as error:
        return "" if len(str(error)) < 2000 else f"an error of {len(str(error))} characters: {error!s:.100}"
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error!s:.100} ({Path(place.filename).name}:{place.lineno})"
    finally:
        signal.alarm(0)
    return ""


def sweep(kind: str, count: int, folder: Path) -> dict[str, list[int]]:
    """Load `count` damaged files under a limit on memory: the seeds of those that went wrong, by what went wrong."""
    make, name, load = KINDS[kind]
    good, path = make(folder), folder / name
    path.write_bytes(good.data)
    load(path)
    signal.signal(signal.SIGALRM, too_slow)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    wrong: dict[str, list[int]] = {}
    for seed in range(count):
        path.write_bytes(DAMAGES[seed % len(DAMAGES)](good, np.random.default_rng(seed)))
        if what := outcome(path, load):
            wrong.setdefault(what, []).append(seed)
    return wrong


def in_a_script(kind: str, count: int, folder: Path) -> dict[str, list[int]]:
    command = [sys.executable, __file__, kind, str(count), str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind, count, tmp_path):
    """Neither another error, nor a hang, nor 256 MB; and no side effect of what the files say."""
    assert in_a_script(kind, count, tmp_path) == {}
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_damages_matter(kind, tmp_path):
    """Most of them are noticed, and every sort of damage is among those: else the sweep would show nothing."""
    make, name, load = KINDS[kind]
    good, noticed = make(tmp_path), set()
    assert good.build(json.dumps(good.document))
    for seed in range(60):
        (tmp_path / name).write_bytes(DAMAGES[seed % len(DAMAGES)](good, np.random.default_rng(seed)))
        try:
            load(tmp_path / name)
        except Exception:
            noticed.add(seed)
    assert len(noticed) > 30
    described = {replace_entry} if kind == "checkpoint" else set()  # what a description says is read by `read_run`
    assert {DAMAGES[seed % len(DAMAGES)] for seed in noticed} >= set(DAMAGES) - described


# Files that are damaged on purpose, one by one
def record(**changes: Any) -> dict[str, Any]:
    return {"op": "input", "shape": [2], "batched": True, "kind": "real", "attrs": {"name": "x"}} | changes


def graph_of(*records: Any, **changes: Any) -> str:
    return json.dumps({"format": "tinygraph graph", "version": 1, "nodes": list(records)} | changes)


TANH = {"op": "tanh", "shape": [2], "batched": True, "kind": "real", "args": [0]}
GRAPHS: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "not JSON"),
    "binary": (bytes(range(256)), "not JSON"),
    "a list": ("[]", "no tinygraph graph"),
    "deep": ("[" * 100_000, "not JSON"),
    "another format": ('{"format": "onnx"}', "no tinygraph graph"),
    "version 0": (graph_of(record(), version=0), "version 0, .* reads 1(?s:.*)update"),
    "version 2": (graph_of(record(), version=2), "version 2, .* reads 1(?s:.*)update"),
    "a long version": (graph_of(record(), version="2" * 10**6), "version '222(?s:.*)update"),
    "no nodes": ('{"format": "tinygraph graph", "version": 1}', "list of nodes"),
    "a node that is text": (graph_of("x"), "node 0"),
    "an operation that is a list": (graph_of(record(op=[])), "node 0"),
    "an unknown operation": (graph_of(record(op="tahn")), "node 0: unknown operation 'tahn'(?s:.*)tanh"),
    "an operation that is code": (graph_of(record(op=PLANTS[0])), "node 0: unknown operation"),
    "an operand ahead": (graph_of(record(), TANH | {"args": [1]}), "node 1: operands .* earlier"),
    "an operand far ahead": (graph_of(record(), TANH | {"args": [10**30]}), "node 1: operands .* earlier"),
    "an operand before the start": (graph_of(record(), TANH | {"args": [-1]}), "node 1: operands .* earlier"),
    "operands that are text": (graph_of(record(), TANH | {"args": "0"}), "node 1"),
    "too many operands": (graph_of(record(), TANH | {"args": [0, 0]}), "node 1"),
    "no operand": (graph_of(record(), TANH | {"args": []}), "node 1"),
    "a shape that does not follow": (graph_of(record(), TANH | {"shape": [3]}), "node 1: tanh gives"),
    "a kind that does not follow": (graph_of(record(), TANH | {"kind": "integer"}), "node 1: tanh gives"),
    "a shape that is text": (graph_of(record(shape="ab")), "node 0"),
    "a negative shape": (graph_of(record(shape=[-1])), "node 0"),
    "a shape of a float": (graph_of(record(shape=[2.0])), "node 0"),
    "attributes that are a list": (graph_of(record(attrs=["name"])), "node 0"),
    "deep attributes": (graph_of(record(attrs={"name": "@"})).replace('"@"', DEEP), "node 0|not JSON|too deep"),
    "the same name twice": (graph_of(record(), record()), "node 1: the name 'x' is taken"),
    "a step out of order": (graph_of(record(attrs={"name": "x", "index": 2})), "node 0: step 2 .* out of order"),
    "a step that is a ratio": (graph_of(record(attrs={"name": "x", "index": 1.0})), "node 0"),
    "a label that is a list": (graph_of(record(label=[])), "node 0"),
    "a huge array": (
        graph_of(record(op="constant", attrs={"value": {"array": [1], "shape": [10**12]}})), "node 0"),
    "an array of another shape": (
        graph_of(record(op="constant", batched=False, attrs={"value": {"array": [1], "shape": [1]}})), "node 0"),
    "a batched constant": (graph_of(record(op="constant", attrs={"value": 0})), "node 0"),
    "a batched parameter": (graph_of(record(op="parameter", attrs={"name": "W", "initial": ""})), "node 0"),
    "a boolean parameter": (
        graph_of(record(op="parameter", batched=False, kind="boolean", attrs={"name": "W", "initial": ""})), "node 0"),
    "half an integer": (
        graph_of(record(op="constant", batched=False, kind="integer", attrs={"value": 0.5})), "node 0"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), GRAPHS.values(), ids=GRAPHS)
def test_a_foreign_or_damaged_graph_is_refused_clearly(data, message, tmp_path, monkeypatch):
    """The error names the file and the node, and stays short."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "some.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(FileFormatError, match=message) as caught:
        tg.load(path)
    assert "some.json" in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 500
    assert not (tmp_path / "executed").exists()


def test_the_records_above_are_sound(tmp_path):
    """So that each damage is noticed for itself."""
    (tmp_path / "a").write_text(graph_of(record(), TANH))
    assert len(tg.load(tmp_path / "a")) == 2


def test_an_initialiser_that_is_code_is_only_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text(
        graph_of(record(op="parameter", batched=False, attrs={"name": "W", "initial": PLANTS[0]}))
    )
    with pytest.raises(TinygraphError, match="initial"):
        tg.initialise(tg.load(tmp_path / "a").parameters)
    assert not (tmp_path / "executed").exists()


def test_a_shape_that_is_only_claimed_costs_nothing(tmp_path):
    """A tape says shapes and holds no values: an input of 10^15 entries is as small as any."""
    (tmp_path / "a").write_text(graph_of(record(shape=[10**15])))
    assert tg.load(tmp_path / "a").inputs["x"].shape == (10**15,)


@pytest.mark.parametrize("load", [tg.load, models.load_checkpoint], ids=["graph", "checkpoint"])
def test_what_is_no_file(load, tmp_path):
    """A folder and a file that is not there are `OSError`s with their name."""
    (tmp_path / "folder").mkdir()
    for name in ("folder", "nowhere"):
        with pytest.raises(OSError, match=name):
            load(tmp_path / name)


if __name__ == "__main__":
    print(json.dumps(sweep(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
