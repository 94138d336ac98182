"""The benchmark's report from timings that are made up: no time is asserted anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measuring import CLOCKS, FEWEST, Timing, interleaved, ratios
from benchmarks.report import Report
from benchmarks.tasks import TASKS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def report() -> Report:
    timings = {
        "plan": Timing([0.003, 0.002, 0.004]),
        "fast": Timing([0.006, 0.005, 0.007]),
        "slow": Timing([0.5, 0.6, 0.7]),
        "wrong": Timing([0.001, 0.001, 0.001], difference=1e-3),
        "floor": Timing([0.002, 0.001, 0.002]),
    }
    return Report(1, "cpu", {"net": timings}, {"memory": ("12 MB", {"plan": 12_000_000})})


def test_table(report: Report) -> None:
    head, row = report.table("median")
    assert head.split() == [
        "work",
        "plan",
        "fast",
        "slow",
        "wrong",
        "floor",
        *["plan", "to", "fastest", "plan", "to", "floor"],
    ]
    assert row.split() == ["net", "3", "6", "600", "differs", "2", "0.50", "1.50"]
    assert report.table("min")[1].split()[-2:] == ["0.40", "2.00"]
    assert "12 MB" in str(report)


def test_json(report: Report) -> None:
    found = json.loads(report.to_json())
    assert found["works"]["net"]["ratios"]["median"] == {"to fastest": 0.5, "to floor": 1.5}
    assert found["works"]["net"]["seconds"]["wrong"]["same loss"] is False
    assert found["works"]["net"]["seconds"]["slow"] == {"median": 0.6, "min": 0.5, "turns": 3, "same loss": True}
    assert found["others"]["memory"] == {"plan": 12_000_000}


def test_without_peers_there_is_no_ratio_to_them(report: Report) -> None:
    alone = {"plan": report.works["net"]["plan"], "floor": report.works["net"]["floor"]}
    assert set(ratios(alone)) == {"to floor"}
    assert Report(1, "cpu", {"net": alone}).table("median")[1].split() == ["net", "3", "2", "1.50"]


@pytest.mark.parametrize("clock", CLOCKS)
def test_all_take_turns(clock: str) -> None:
    seen: list[str] = []
    found = interleaved({name: lambda name=name: seen.append(name) for name in "ab"}, budget=0.0, clock=clock)
    assert {name: len(one.seconds) for name, one in found.items()} == {"a": FEWEST, "b": FEWEST}
    order = [one for k, one in enumerate(seen) if k == 0 or one != seen[k - 1]]
    assert order == ["a", "b"] * (1 + FEWEST)


@pytest.mark.parametrize("task", ["ready_lstm", "training"])
def test_tasks(task: str) -> None:
    found = TASKS[task]("3" if task == "ready_lstm" else "0", "cpu")
    assert all(value > 0 for value in found.values())


def test_memory_that_is_used_shows() -> None:
    """In a process of its own: this one has had its peak, which a child must not inherit."""
    kept = bytearray(b"1" * 300_000_000)
    program = "from benchmarks.measuring import growth; print(growth(lambda: bytearray(b'1') * 100_000_000))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 90e6 < int(done.stdout) < 200e6
    assert kept


def test_one_run_prints_and_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--works=char", "--peers=numpy_by_hand", "--budget=0"]
    done = subprocess.run(
        [*command, "--only-works", f"--json={tmp_path / 'a.json'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("date 20")
    assert "\n\nmedian, ms (wall time, threads: 1)\nwork" in done.stdout
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["works"]["char"]["seconds"]["numpy_by_hand"]["same loss"] is True
    wrong = subprocess.run([*command, "--works=nothing"], cwd=ROOT, capture_output=True, text=True)
    assert wrong.returncode
    assert "'nothing' is none of char" in wrong.stderr
