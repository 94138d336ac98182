"""The command line as a user meets it: whole stories, and every error in one line.

Each command is a process of its own. To save the half second in which Python imports the package,
most are forked from a process that has imported it: this file, run as a script, is that process. The
slow tests start each one anew as `python -m tinygraph`.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import traceback
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import pytest

import tinygraph as tg
from tinygraph import models

FIRST = "the cat sat on the mat; the dog sat on the log. " * 20
SECOND = "a word, another word — déjà vu: " * 15
SMALL = ["--hidden", "6", "--batch", "2", "-T", "5", "--cell", "gru"]
MODULE = [sys.executable, "-m", "tinygraph"]


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]
COMMANDS = ("demo", "cells", "draw", "card", "verify", "flow", "train", "sample")


# Running commands
class Forks:
    """A process that has imported the package and forks for each command."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, *words: str, cwd: Path, limit: int = 0, env: dict[str, str] | None = None) -> Done:
        job = {"words": words, "cwd": str(cwd), "limit": limit, "env": env or {}}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return Done(**json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.communicate()


def serve() -> None:
    """For each job on the standard input: fork, run the command in the child, and tell what it left behind."""
    from contextlib import redirect_stderr, redirect_stdout, suppress
    from io import StringIO

    from tinygraph import cli

    for words in ("train", "--help"), ("train", "--hidden", "0"):  # what is imported late is imported now
        sys.argv = ["tinygraph", *words]
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), suppress(SystemExit):
            cli.main()
    for line in iter(sys.stdin.readline, ""):
        job = json.loads(line)
        files = [os.memfd_create(name) for name in ("out", "err")]
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, file in enumerate(files, start=1):
                os.dup2(file, number)
            encoding = job["env"].get("PYTHONIOENCODING", "utf-8")
            sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding=encoding) for number in (1, 2))
            os.chdir(job["cwd"])
            _limit(job["limit"])
            _run(cli.main, job["words"])
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out, err = (os.pread(file, 10**7, 0).decode("utf-8", "replace") for file in files)
        for file in files:
            os.close(file)
        print(json.dumps({"status": status, "out": out, "err": err}), flush=True)


def _run(main: Callable[[], None], words: list[str]) -> None:
    """Run the command and end the process as Python would, without its slow farewell."""
    sys.argv, status = ["tinygraph", *words], 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    try:
        sys.stdout.flush()
    except OSError:
        status = 120
    sys.stderr.flush()
    os._exit(status)


def _limit(size: int) -> None:
    """No file may grow beyond `size` bytes: for a process, that is a full disk."""
    if size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def in_a_process(*words: str, cwd: Path, limit: int = 0, env: dict[str, str] | None = None) -> Done:
    """The command as a user starts it."""
    done = subprocess.run(
        [*MODULE, *words],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        preexec_fn=lambda: _limit(limit),
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def forks() -> Iterator[Command]:
    process = Forks()
    yield process
    process.close()


@pytest.fixture(params=["forked", pytest.param("process", marks=pytest.mark.slow)])
def command(request: Any, forks: Command) -> Command:
    return forks if request.param == "forked" else in_a_process


@pytest.fixture(scope="module")
def made(forks: Command, tmp_path_factory: Any) -> Path:
    """A folder with texts of every sort, a trained model and damaged ones. Tests leave it as it is."""
    place = tmp_path_factory.mktemp("cli")
    (place / "first.txt").write_text(FIRST, encoding="utf-8")
    (place / "second.txt").write_text(SECOND, encoding="utf-8")
    (place / "other.txt").write_text(FIRST.replace("cat", "dog"), encoding="utf-8")
    (place / "empty.txt").write_text("")
    (place / "blank.txt").write_text(" \n\t\n")
    (place / "binary").write_bytes(bytes(range(256)))
    (place / "zeros").write_bytes(b"text\0text" * 9)
    (place / "latin.txt").write_bytes("déjà vu ".encode("latin-1") * 50)
    (place / "one.txt").write_text("a" * 500)
    (place / "short.txt").write_text("ab")
    (place / "folder").mkdir()
    for name, text in (("model", "first.txt"), ("accents", "second.txt")):
        done = forks("train", text, "--out", name, "--steps", "8", *SMALL, cwd=place)
        assert done.status == 0, done.err
    whole = (place / "model" / models.CHECKPOINT).read_bytes()
    for name, data in (("cut", whole[:-100]), ("scratched", whole[:9] + b"?" + whole[10:]), ("foreign", b"{}" * 99)):
        (place / name).mkdir()
        (place / name / models.CHECKPOINT).write_bytes(data)
    return place


def snapshot(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def updates(folder: Path) -> list[int]:
    """The updates that the metrics tell of."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["update"] for line in lines]


# Training: interrupted, resumed, sampled
def test_the_story_of_a_run(made, forks, tmp_path):
    """Ctrl-C in the middle saves; the resumed run ends with the same bytes as one that was never interrupted."""
    texts = [str(made / "first.txt"), str(made / "second.txt")]
    options = [*SMALL, "--clip", "norm", "--layers", "2"]
    start = [*MODULE, "train", *texts, "--out", "model", "--steps", "100000", *options]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(start, cwd=tmp_path, preexec_fn=heed_interrupts, **streams) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline()]
        while "update 1/" not in seen[-1]:
            seen.append(process.stdout.readline())
            assert seen[-1], "the run ended before its first update"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    stopped = re.search(r"Stopped at update (\d+) and saved; .*--resume", out)
    assert stopped, out
    last = int(stopped[1])
    assert updates(tmp_path / "model") == list(range(1, last + 1))
    assert seen[0].startswith("gru x 2, 6 units")

    length = ["--steps", str(last + 5)]
    resumed = forks("train", *texts, "--out", "model", "--resume", *length, cwd=tmp_path)
    assert (resumed.status, resumed.err) == (0, "")
    assert f"Done at update {last + 5}. Next: tinygraph sample model" in resumed.out
    assert updates(tmp_path / "model") == list(range(1, last + 6))
    forks("train", *texts, "--out", "whole", *length, *options, cwd=tmp_path)
    whole, parts = ((tmp_path / name / models.CHECKPOINT).read_bytes() for name in ("whole", "model"))
    assert whole == parts

    sampled = [forks("sample", "model", "-n", "50", "--start", "the ", "--seed", s, cwd=tmp_path) for s in "112"]
    assert {(s.status, s.err) for s in sampled} == {(0, "")}
    assert all(s.out.startswith("the ") and s.out.endswith("\n") and len(s.out) == 55 for s in sampled)
    assert sampled[0].out == sampled[1].out != sampled[2].out
    assert set(sampled[0].out) <= set(FIRST + SECOND + "\n")


def test_a_trained_model_writes_what_it_has_read(forks, tmp_path):
    """In ten seconds of a user's time: a text that repeats itself is learned by heart."""
    (tmp_path / "text").write_text("abcde " * 100)
    options = ["--steps", "120", "--hidden", "16", "--batch", "4", "-T", "6", "--rate", "0.03", "--cell", "elman"]
    assert forks("train", "text", *options, cwd=tmp_path).status == 0
    done = forks("sample", "model", "--start", "ab", "--temperature", "0", "-n", "16", cwd=tmp_path)
    assert done.out == "abcde abcde abcde \n"
    stopped = forks("sample", "model", "--start", "ab", "--temperature", "0", "--stop", " ", cwd=tmp_path)
    assert stopped.out == "abcde\n"


def test_train_does_not_overwrite(made, command):
    before = snapshot(made)
    done = command("train", "first.txt", "--out", "model", "--steps", "3", *SMALL, cwd=made)
    assert_one_line(done, "model holds a checkpoint already; --resume .* --overwrite")
    assert snapshot(made) == before


def test_overwrite_starts_anew(forks, tmp_path):
    (tmp_path / "text").write_text(FIRST)
    for steps, more in (("4", ()), ("3", ("--overwrite",))):
        assert forks("train", "text", "--steps", steps, *SMALL, *more, cwd=tmp_path).status == 0
    assert updates(tmp_path / "model") == [1, 2, 3]


@pytest.mark.parametrize(
    "options", [["sliding", "--k2", "4"], ["k1_k2", "--k1", "3", "--k2", "6"], ["last", "--k2", "2"]]
)
def test_training_with_a_truncation(options, forks, tmp_path):
    (tmp_path / "text").write_text(FIRST)
    more = ["--steps", "3", "--hidden", "6", "--batch", "2", "-T", "5", "--precision", "float32"]
    assert forks("train", "text", *more, "--truncation", *options, cwd=tmp_path).status == 0
    assert updates(tmp_path / "model") == [1, 2, 3]


def test_early_stop_is_told(forks, tmp_path):
    (tmp_path / "text").write_text("a" * 500 + "b" * 60)
    options = ["--validation", "0.1", "--validate-every", "1", "--patience", "2", "--steps", "50", *SMALL]
    assert "Done at update 3 (stopped early)" in forks("train", "text", *options, cwd=tmp_path).out


# What is listed and drawn
def test_cells_as_json(command, tmp_path):
    done = command("cells", "--json", cwd=tmp_path)
    records = {record["name"]: record for record in json.loads(done.out)}
    assert list(records) == list(models.SYSTEMS)
    fields = {"name", "group", "summary", "inputs", "states", "parameters", "parameter_count", "equations", "reference"}
    for record in records.values():
        assert set(record) == fields
        assert all(record[field] for field in fields - {"inputs", "states"})
        assert re.search(r"\d{4}", record["reference"])
    for name, cell in models.CELLS.items():
        record = records[name]
        assert list(record["inputs"]) == list(cell.inputs)
        assert list(record["states"]) == list(cell.states)
        assert list(record["parameters"]) == list(cell.parameters)
        assert len(record["equations"]) >= len(cell.states)
    assert records["elman"]["parameters"] == {"W": "H I", "U": "H H", "b": "H"}
    assert records["skips"]["parameters"]["W2"] == "H H+I"
    net = records["bidirectional"]
    assert (net["states"], net["parameters"]["V"]) == ({"forward/h": "3", "backward/h": "3"}, "4 6")
    assert int(net["parameter_count"]) == sum(prod(map(int, text.split())) for text in net["parameters"].values())
    assert any("backward/h[t+1]" in line for line in net["equations"])


def test_cells_for_people(forks, tmp_path):
    out = forks("cells", cwd=tmp_path).out
    for name, system in models.SYSTEMS.items():
        assert f"{name}  {system.summary}"[:60] in out
    assert "h[t]  = tanh(U2 @ h1[t] + b2)" in out


def test_without_a_command_and_with_help(forks, tmp_path):
    for words in ((), ("--help",), ("-h",)):
        done = forks(*words, cwd=tmp_path)
        assert done.status == 0
        assert all(name in done.out for name in COMMANDS)
    for name in COMMANDS:
        assert forks(name, "--help", cwd=tmp_path).status == 0


@pytest.mark.parametrize(
    "options",
    [
        [], ["--loss"], ["--backward"], ["--dark"], ["--steps", "12"], ["--steps", "12", "--whole"], ["--rolled"],
        ["--detail", "cell", "--notation", "U_i=W_{hh}"], ["--compare", "elman"],
    ],
    ids=str,
)  # fmt: skip
def test_draw_writes_an_svg(options, command, tmp_path):
    done = command("draw", "lstm", "-o", "net.svg", *options, cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "net.svg" in done.out
    assert ET.parse(tmp_path / "net.svg").getroot().tag.endswith("svg")


OWN_NET = """
import tinygraph as tg
from own_sizes import SIZE

g = tg.Graph()
w, h = g.parameter("w", (SIZE,)), g.input("h_0", (SIZE,))
with g.at(step=1):
    h = tg.tanh(w * h, name="h")
net, loss = h, tg.sum(h, name="loss")
"""


def test_draw_a_file_of_ones_own(forks, tmp_path):
    (tmp_path / "own.py").write_text(OWN_NET)
    (tmp_path / "own_sizes.py").write_text("SIZE = 2")
    for target, name in (("own.py", "a.svg"), ("own.py:loss", "b.html"), ("own.py:net", "c.dot"), ("own.py", "d.tex")):
        done = forks("draw", target, "-o", name, cwd=tmp_path)
        assert (done.status, done.err) == (0, "")
        assert (tmp_path / name).stat().st_size > 1000
    done = forks("draw", "own.py:loss", "--frames", "-o", "walk.svg", cwd=tmp_path)
    assert done.out.split(": ")[0].split(", ") == sorted(path.name for path in tmp_path.glob("walk-*.svg"))


# What is verified and measured
def test_verify_one_cell(command, tmp_path):
    done = command("verify", "elman", "gru", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert all(text in done.out for text in ("elman: verified", "gru: verified", "2 cells in", "all verified"))


def test_verify_as_json(forks, tmp_path):
    reports = json.loads(forks("verify", "elman", "--json", cwd=tmp_path).out)
    assert [(report["cell"], report["ok"]) for report in reports] == [("elman", True)]


@pytest.mark.slow
def test_verify_theorems(forks, tmp_path):
    done = forks("verify", "--theorems", "--json", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out)["ok"]


def test_a_wrong_cell_fails_the_command(monkeypatch, capsys):
    """Exit status 1, and its name is told."""
    from tinygraph import cli
    from tinygraph.verification.verification import Row

    row = Row("adjoint = differences", "n = 4", applies=True, agrees=False, error=1.0, seconds=0.0)
    monkeypatch.setattr("tinygraph.commands.gradients.verify_cell", lambda cell: tg.Report(cell.name, (row,), "", {}))
    monkeypatch.setattr(sys, "argv", ["tinygraph", "verify", "elman"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert "not verified: elman" in capsys.readouterr().out


def test_flow(command, tmp_path):
    done = command("flow", "lstm", "-T", "6", "--size", "3", "--gain", "1.5", "-o", "flow.svg", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "gain 1.5" in done.out
    assert ET.parse(tmp_path / "flow.svg").getroot().tag.endswith("svg")


def test_flow_as_json(forks, tmp_path):
    told = json.loads(forks("flow", "gru", "-T", "6", "--size", "3", "--json", cwd=tmp_path).out)
    assert (told["cell"], told["steps"], len(told["log10_norms"]["h"])) == ("gru", 6, 6)


def test_card(command, tmp_path):
    assert command("card", "elman", cwd=tmp_path).out.startswith("# elman")
    done = command("card", "elman", "-o", "elman.html", cwd=tmp_path)
    assert (done.status, done.out, done.err) == (0, "elman.html\n", "")
    assert (tmp_path / "elman.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_card_of_what_is_made_of_cells(forks, tmp_path):
    """Of a net: its equations rolled up; of a cell around cells: its own."""
    page = forks("card", "bidirectional", cwd=tmp_path).out
    assert page.startswith("# bidirectional")
    assert "backward/h[t+1]" in page
    assert "Verified: " in page
    done = forks("card", "glimpses", "-o", "page.html", cwd=tmp_path)
    assert (done.status, done.out, done.err) == (0, "page.html\n", "")


@pytest.mark.parametrize("name", ["translator", "residual"])
def test_what_is_made_of_cells_is_drawn_and_verified(name, forks, tmp_path):
    for target in ("net.svg", "steps.html"):
        done = forks("draw", name, "--steps", "3", "-o", target, cwd=tmp_path)
        assert (done.status, done.err) == (0, "")
        assert (tmp_path / target).stat().st_size > 1000
    done = forks("verify", name, cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert f"{name}: verified" in done.out


def test_demo_runs_to_its_end(tmp_path):
    """It writes the files that it names, they are what they say, and the net spells its word."""
    done = in_a_process("demo", "--updates", "3", "--out", "shown", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "spells hello·" in done.out
    named = [Path(line.strip()) for line in done.out.splitlines() if line.startswith("  shown/")]
    assert {path.name for path in named} == {"hello.svg", "hello-gradient.svg", "hello.json", "sample.txt"}
    assert {tmp_path / path for path in named} == set((tmp_path / "shown").iterdir())
    for name in ("hello.svg", "hello-gradient.svg"):
        assert ET.parse(tmp_path / "shown" / name).getroot().tag.endswith("svg")
    tg.validate(tg.load(tmp_path / "shown" / "hello.json"))
    assert (tmp_path / "shown" / "sample.txt").read_text(encoding="utf-8").startswith("def ")


def test_the_module_is_the_command(tmp_path):
    """As `python -m tinygraph`, and as the script that was installed."""
    script = Path(sys.executable).parent / "tinygraph"
    commands = [MODULE, [str(script)]] if script.exists() else [MODULE]
    for start in commands:
        done = subprocess.run([*start, "cells", "--json"], capture_output=True, check=True, cwd=tmp_path)
        assert [record["name"] for record in json.loads(done.stdout)] == list(models.SYSTEMS)


# Errors
def assert_one_line(done: Done, message: str) -> None:
    """One line that says who speaks, what is wrong, and a status that scripts see."""
    assert done.status in (1, 2), done
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("tinygraph: ")
    assert re.search(message, lines[0], re.IGNORECASE), lines[0]


TRAIN = ["train", "first.txt", "--out", "new", "--steps", "2", *SMALL]
RESUME = ["train", "first.txt", "--out", "model", "--resume"]
ERRORS: dict[str, tuple[list[str], str]] = {
    "a missing text": (["train", "nothing.txt"], "nothing.txt: No such file"),
    "a missing text among others": (["train", "first.txt", "nothing.txt"], "nothing.txt: No such file"),
    "a missing text with an odd name": (["train", "no\nthing"], "No such file"),
    "an empty text": (["train", "empty.txt"], "empty.txt is empty"),
    "a blank text": (["train", "blank.txt"], "blank.txt is empty"),
    "a binary file": (["train", "binary"], "binary is not UTF-8"),
    "a file with zeros": (["train", "zeros"], "zeros is a binary file"),
    "a text in Latin-1": (["train", "latin.txt"], "latin.txt is not UTF-8 text: byte 1"),
    "a text of one symbol": (["train", "one.txt"], "single symbol"),
    "a text of two symbols": (["train", "short.txt"], "too few"),
    "a folder as text": (["train", "folder"], "folder: Is a directory"),
    "a file as folder": (["train", "first.txt", "--out", "second.txt", *SMALL], "second.txt"),
    "a file in the way of a folder": (["train", "first.txt", "--out", "second.txt/new", *SMALL], "second.txt"),
    "a wrong cell": ([*TRAIN, "--cell", "lsmt"], "'lsmt'; did you mean 'lstm'"),
    "a wrong optimiser": ([*TRAIN, "--optimiser", "adma"], "'adma'; did you mean 'adam'"),
    "a wrong schedule": ([*TRAIN, "--schedule", "cosin"], "'cosin'; did you mean 'cosine'"),
    "a wrong clipping": ([*TRAIN, "--clip", "globe"], "'globe'; did you mean 'global'"),
    "a wrong unit": ([*TRAIN, "--unit", "word"], "'word'; did you mean 'words'"),
    "a wrong truncation": ([*TRAIN, "--truncation", "chunks"], "'chunks'; did you mean 'chunk'"),
    "a truncation without its k2": ([*TRAIN, "--truncation", "sliding"], "takes k2"),
    "a k2 that is too small": ([*TRAIN, "--truncation", "k1_k2", "--k1", "5", "--k2", "3"], "k2=3"),
    "a k2 of no steps": ([*TRAIN, "--truncation", "sliding", "--k2", "0"], "--k2"),
    "a wrong engine": ([*TRAIN, "--engine", "plans"], "'plans'; did you mean 'plan'"),
    "a wrong precision": ([*TRAIN, "--precision", "float16"], "float16"),
    "resumed with another truncation": (
        [*RESUME, "--truncation", "last", "--k2", "3"],
        "truncation 'chunk', not 'last'",
    ),
    "no units": ([*TRAIN, "--hidden", "0"], "--hidden"),
    "half a unit": ([*TRAIN, "--hidden", "2.5"], "--hidden"),
    "more units than memory": ([*TRAIN, "--hidden", "1000000000000"], "memory"),
    "no layers": ([*TRAIN, "--layers", "0"], "--layers"),
    "a negative embedding": ([*TRAIN, "--embedding", "-1"], "--embedding"),
    "negative steps": ([*TRAIN, "--steps", "-1"], "--steps"),
    "no time steps": ([*TRAIN, "--unroll", "0"], "--unroll"),
    "too many time steps": ([*TRAIN, "--unroll", "100000"], "too few"),
    "no streams": ([*TRAIN, "--batch", "0"], "--batch"),
    "too many streams": ([*TRAIN, "--batch", "100000"], "too few"),
    "a rate that is no number": ([*TRAIN, "--rate", "x"], "--rate"),
    "a negative rate": ([*TRAIN, "--rate", "-1"], "rate .*-1"),
    "a rate of zero": ([*TRAIN, "--rate", "0"], "rate .*0"),
    "a rate that is not a number": ([*TRAIN, "--rate", "nan"], "rate .*nan"),
    "a threshold of zero": ([*TRAIN, "--threshold", "0"], "threshold .*0"),
    "a share above one": ([*TRAIN, "--validation", "1.5"], "validation .*1.5"),
    "a share that is not a number": ([*TRAIN, "--validation", "nan"], "validation .*nan"),
    "negative patience": ([*TRAIN, "--patience", "-1"], "--patience"),
    "a negative seed": ([*TRAIN, "--seed", "-1"], "--seed"),
    "no interval": ([*TRAIN, "--save-every", "0"], "--save-every"),
    "nothing to resume": (["train", "first.txt", "--resume", "--out", "none"], "none/model.safetensors: No such file"),
    "resumed in a file": (["train", "first.txt", "--resume", "--out", "second.txt"], "second.txt"),
    "resumed with a longer text": (["train", "first.txt", "first.txt", *RESUME[2:]], "vocabulary|another text"),
    "resumed with other symbols": (["train", "second.txt", *RESUME[2:]], "vocabulary"),
    "resumed with a text of the same length": (["train", "other.txt", *RESUME[2:]], "another text"),
    "resumed with another size": ([*RESUME, "--hidden", "7"], "hidden 6, not 7"),
    "resumed with another cell": ([*RESUME, "--cell", "lstm"], "cell 'gru', not 'lstm'"),
    "resumed from a cut checkpoint": (["train", "first.txt", "--resume", "--out", "cut"], "cut/.* damaged"),
    "sampled from a cut checkpoint": (["sample", "cut"], "cut/model.safetensors: a damaged checkpoint"),
    "sampled from a scratched checkpoint": (["sample", "scratched"], "scratched/model.safetensors: a damaged"),
    "sampled from something else": (["sample", "foreign"], "foreign/model.safetensors: a damaged"),
    "sampled from nothing": (["sample", "none"], "none/model.safetensors: No such file"),
    "sampled from a file": (["sample", "first.txt"], "first.txt"),
    "sampled from no folder": (["sample"], "FOLDER"),
    "a negative temperature": (["sample", "model", "--temperature", "-1"], "--temperature"),
    "an infinite temperature": (["sample", "model", "--temperature", "inf"], "temperature"),
    "a temperature that is not a number": (["sample", "model", "--temperature", "nan"], "temperature"),
    "a negative top-k": (["sample", "model", "--top-k", "-1"], "--top-k"),
    "no length": (["sample", "model", "--length", "0"], "--length"),
    "a start outside the vocabulary": (["sample", "model", "--start", "X!"], "vocabulary has no '!', 'X'"),
    "a stop outside the vocabulary": (["sample", "model", "--stop", "X"], "vocabulary has no 'X'"),
    "two symbols to stop at": (["sample", "model", "--stop", "th"], "2 symbols"),
    "a wrong cell to draw": (["draw", "gruu"], "'gruu'; did you mean 'gru'"),
    "no cell to draw": (["draw"], "CELL"),
    "a picture of no steps": (["draw", "gru", "--steps", "0"], "one step"),
    "a picture of negative steps": (["draw", "gru", "--steps", "-3"], "step"),
    "a picture in no folder": (["draw", "gru", "-o", "none/net.svg"], "none/net.svg"),
    "a picture in a file": (["draw", "gru", "-o", "first.txt/net.svg"], "first.txt/net.svg"),
    "a picture on a folder": (["draw", "gru", "-o", "folder"], "folder"),
    "a picture of another sort": (["draw", "gru", "-o", "net.gif"], "net.gif.*svg.*tex"),
    "a picture of no such detail": (["draw", "gru", "--detail", "fine"], "detail 'fine'"),
    "a symbol renamed to nothing": (["draw", "gru", "--notation", "U"], "--notation 'U'"),
    "a symbol that is not there": (["draw", "gru", "--notation", "Q=W"], "'Q'"),
    "a wrong cell to compare": (["draw", "gru", "--compare", "gruu"], "'gruu'; did you mean 'gru'"),
    "a file of one's own that is not there": (["draw", "none.py"], "none.py: No such file"),
    "nothing to verify": (["verify"], "names of cells, --all or --theorems"),
    "one and all to verify": (["verify", "gru", "--all"], "names of cells, --all or --theorems"),
    "a wrong cell to verify": (["verify", "elmann"], "'elmann'; did you mean 'elman'"),
    "a flow of a net": (["flow", "stacked_2"], "several cells"),
    "a flow of no steps": (["flow", "gru", "--steps", "0"], "--steps"),
    "a flow of no units": (["flow", "gru", "--size", "0"], "--size"),
    "an endless gain": (["flow", "gru", "--gain", "inf"], "gain .*inf"),
    "a chart of another sort": (["flow", "gru", "-T", "2", "-o", "flow.gif"], "flow.gif.*svg or .png"),
    "a chart in no folder": (["flow", "gru", "-T", "2", "-o", "none/flow.svg"], "none/flow.svg"),
    "a card of another sort": (["card", "elman", "-o", "elman.pdf"], "elman.pdf.*md or .html"),
    "a card in no folder": (["card", "elman", "-o", "none/elman.md"], "no such folder"),
    "a card of no cell": (["card", "gruu"], "'gruu'; did you mean 'gru'"),
    "a demo in a file": (["demo", "--out", "first.txt"], "first.txt"),
    "a demo of no updates": (["demo", "--updates", "0"], "--updates"),
    "an unknown command": (["trian"], "'trian'.*train"),
    "an unknown option": (["train", "--ratee", "3"], "--ratee"),
    "an option without its value": (["train", "--rate"], "--rate"),
    "a word too many": (["cells", "gru"], "gru"),
}


@pytest.mark.parametrize(("words", "message"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_one_line(words, message, forks, made):
    """On the standard error, with an exit status; and whatever was there before is there still."""
    before = snapshot(made)
    done = forks(*words, cwd=made)
    assert_one_line(done, message)
    assert {name: data for name, data in snapshot(made).items() if name in before} == before
    assert not list(made.rglob("*.tmp"))
    assert not (made / "new" / models.CHECKPOINT).exists()


@pytest.mark.slow
@pytest.mark.parametrize(("words", "message"), list(ERRORS.values())[::8], ids=list(ERRORS)[::8])
def test_an_error_is_one_line_of_a_process(words, message, made):
    assert_one_line(in_a_process(*words, cwd=made), message)


def test_a_full_disk_while_training(command, made, tmp_path):
    """One line; the checkpoint from before is whole, and the run can be resumed when there is room again."""
    (tmp_path / "text").write_text(FIRST)
    train = ["train", "text", "--save-every", "2", "--hidden", "24", "--batch", "2", "-T", "5"]
    assert command(*train, "--steps", "4", cwd=tmp_path).status == 0
    before = (tmp_path / "model" / models.CHECKPOINT).read_bytes()
    assert len(before) > 20_000
    done = command(*train, "--steps", "8", "--resume", cwd=tmp_path, limit=20_000)
    assert_one_line(done, "File too large")
    assert (tmp_path / "model" / models.CHECKPOINT).read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))
    assert command(*train, "--steps", "8", "--resume", cwd=tmp_path).status == 0
    assert updates(tmp_path / "model") == list(range(1, 9))


def test_a_full_disk_before_the_first_checkpoint(command, made, tmp_path):
    words = ("train", str(made / "first.txt"), "--steps", "2", "--hidden", "24", "--batch", "2", "-T", "5")
    done = command(*words, cwd=tmp_path, limit=20_000)
    assert_one_line(done, "File too large")
    assert not (tmp_path / "model" / models.CHECKPOINT).exists()


def test_a_full_disk_while_drawing(command, tmp_path):
    done = command("draw", "lstm", "-o", "net.svg", cwd=tmp_path, limit=1000)
    assert_one_line(done, "net.svg.*File too large")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["cells"], ["sample", "model"], ["train", *RESUME[1:]]], ids=lambda w: w[0])
def test_a_full_standard_output(words, made):
    """As `tinygraph sample model > /mnt/full/text`."""
    with open("/dev/full", "w") as nowhere:
        done = subprocess.run(
            [*MODULE, *words], cwd=made, stdout=nowhere, stderr=subprocess.PIPE, check=False, text=True
        )
    assert_one_line(Done(done.returncode, "", done.stderr), "No space left")


def test_a_reader_that_goes_away(made):
    """As `tinygraph sample model | head -c 20`: no traceback, whatever the status."""
    start = [*MODULE, "sample", "model", "-n", "100000"]
    with subprocess.Popen(start, cwd=made, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(20)
        process.stdout.close()
        err = process.stderr.read().decode()
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 1, err


@pytest.mark.parametrize("words", [["sample", "accents", "--seed", "1"], ["cells"]], ids=lambda w: w[0])
def test_a_terminal_that_lacks_the_characters(words, command, made):
    """Text that the terminal cannot show is replaced, or refused in one line; there is no traceback."""
    done = command(*words, cwd=made, env={"PYTHONIOENCODING": "ascii"})
    assert "Traceback" not in done.err
    if done.status:
        assert_one_line(done, "")


def test_interrupted_elsewhere(made):
    """Ctrl-C while sampling ends it with the status of an interrupt."""
    start = [*MODULE, "sample", "model", "-n", "1000000"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(start, cwd=made, preexec_fn=heed_interrupts, **streams) as process:
        assert process.stdout is not None
        process.stdout.read(5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err in ("", "tinygraph: interrupted\n")


def heed_interrupts() -> None:
    """A job in the background is started deaf to Ctrl-C, and its children with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    serve()
