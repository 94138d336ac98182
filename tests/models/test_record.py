"""A run that keeps itself: interrupted in every way, it goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.zoo import LANGUAGE

from tinygraph import models
from tinygraph.errors import TinygraphError
from tinygraph.models import CHECKPOINT, CLIPPING, OPTIMISERS, SCHEDULES, LanguageModel, Report, Run, Settings
from tinygraph.models.record import METRICS, deferred_interrupt

TEXT = "the cat sat on the mat; the dog sat on the log. " * 8
SHORT = Settings(updates=12, steps=5, batch=2, validation=0.1, validate_every=4, schedule="cosine", threshold=0.5)
SEEDS = range(4)  # for each of the five optimisers

each_optimiser = pytest.mark.parametrize("optimiser", OPTIMISERS)
some_seeds = pytest.mark.parametrize(
    "seed", [seed if seed == 0 else pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS]
)


def make_run(cell: str = "elman", **options: Any) -> Run:
    model = LanguageModel(models.Vocabulary.of(TEXT), cell, hidden=5)
    return Run(model, model.vocabulary.encode(TEXT), replace(SHORT, **options))


def resumed(folder: Path) -> Run:
    return models.resume_run(folder, TEXT)


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of the metrics file, without the speed, which is never the same."""
    lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "symbols_per_second"} for line in lines]


def at(update: int, act: Callable[[], None]) -> Callable[[Report], None]:
    """A `show` that does something when an update is reported."""
    return lambda report: act() if report.update == update else None


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def interrupt() -> None:
    send(signal.SIGINT)


def fail() -> None:
    raise RuntimeError("the power is gone")


@some_seeds
@each_optimiser
def test_interrupted_twice_equals_uninterrupted(optimiser, seed, tmp_path):
    """At random places: the same metrics, each update once, and a last checkpoint of the same bytes."""
    rng = np.random.default_rng([seed, list(OPTIMISERS).index(optimiser)])
    options = {
        "cell": str(rng.choice(LANGUAGE)),
        "optimiser": optimiser,
        "schedule": str(rng.choice([name for name in SCHEDULES if name != "constant"])),
        "clip": str(rng.choice([name for name in CLIPPING if name != "none"])),
        "seed": seed,
    }
    first, second = sorted(int(u) for u in rng.choice(np.arange(1, 12), 2, replace=False))
    assert models.keep(make_run(**options), tmp_path / "whole")
    assert not models.keep(make_run(**options), tmp_path / "parts", show=at(first, interrupt))
    assert [line["update"] for line in metrics(tmp_path / "parts")] == list(range(1, first + 1))
    assert not models.keep(resumed(tmp_path / "parts"), tmp_path / "parts", show=at(second, interrupt))
    assert models.keep(resumed(tmp_path / "parts"), tmp_path / "parts")
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "whole")
    assert [line["update"] for line in metrics(tmp_path / "parts")] == list(range(1, 13))
    whole, parts = ((tmp_path / name / CHECKPOINT).read_bytes() for name in ("whole", "parts"))
    assert whole == parts


@pytest.mark.parametrize("crash", range(1, 12))
def test_after_a_crash_updates_are_made_again_once(crash, tmp_path):
    """Without a clean end the run goes back to the last checkpoint; lines of updates made again are not doubled."""
    models.keep(make_run(), tmp_path / "whole")
    with pytest.raises(RuntimeError):
        models.keep(make_run(), tmp_path / "parts", save_every=3, show=at(crash, fail))
    if crash <= 3:
        assert not (tmp_path / "parts" / CHECKPOINT).exists()
        models.keep(make_run(), tmp_path / "parts")
    else:
        again = resumed(tmp_path / "parts")
        assert again.progress.update == (crash - 1) // 3 * 3
        models.keep(again, tmp_path / "parts")
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "whole")
    assert (tmp_path / "parts" / CHECKPOINT).read_bytes() == (tmp_path / "whole" / CHECKPOINT).read_bytes()


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    models.keep(make_run(), tmp_path, show=at(6, interrupt))
    whole = metrics(tmp_path)
    with (tmp_path / METRICS).open("a", encoding="utf-8") as lines:
        lines.write('{"update": 7, "lo')
    models.keep(resumed(tmp_path), tmp_path)
    assert metrics(tmp_path)[:6] == whole
    assert [line["update"] for line in metrics(tmp_path)] == list(range(1, 13))


def test_metrics_are_the_reports(tmp_path):
    seen: list[Report] = []
    models.keep(make_run(), tmp_path, show=seen.append)
    assert [line["update"] for line in metrics(tmp_path)] == [report.update for report in seen]
    for line, report in zip(metrics(tmp_path), seen, strict=True):
        expected = {"update": report.update, "loss": report.loss, "smooth": report.smooth}
        assert line == expected | ({} if report.validation is None else {"validation": report.validation})
    assert [line["update"] for line in metrics(tmp_path) if "validation" in line] == [4, 8, 12]


@pytest.mark.parametrize("save_every", [1, 5, 100])
def test_checkpoints_are_written_when_they_are_due(save_every, tmp_path, monkeypatch):
    """At every interval and at the end."""
    saved: list[int] = []
    run = make_run()
    monkeypatch.setattr(run, "save", lambda folder: saved.append(run.progress.update))
    models.keep(run, tmp_path, save_every=save_every)
    assert saved == [*range(save_every, 13, save_every), 12]


def test_a_fresh_run_starts_its_metrics_anew(tmp_path):
    models.keep(make_run(seed=1), tmp_path)
    models.keep(make_run(seed=2), tmp_path)
    models.keep(make_run(seed=2), tmp_path / "alone")
    assert metrics(tmp_path) == metrics(tmp_path / "alone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_its_update(number, tmp_path):
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    assert not models.keep(make_run(), tmp_path, show=at(5, lambda: send(number)))
    assert models.read_run(tmp_path).progress.update == 5
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_signal_ends_it_at_once(tmp_path):
    """The checkpoint is then the last one that was due."""

    def twice() -> None:
        send(signal.SIGINT)
        send(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        models.keep(make_run(), tmp_path, save_every=2, show=at(5, twice))
    assert models.read_run(tmp_path).progress.update == 4
    assert signal.getsignal(signal.SIGINT) is before
    models.keep(resumed(tmp_path), tmp_path)
    assert [line["update"] for line in metrics(tmp_path)] == list(range(1, 13))


def test_signals_can_be_deferred_elsewhere_too():
    with deferred_interrupt() as interruption:
        assert not interruption.asked
        send(signal.SIGINT)
        assert interruption.asked


def test_a_run_in_another_thread(tmp_path):
    """Only the main thread can take signals; elsewhere the run goes on without."""
    finished: list[bool] = []
    thread = threading.Thread(target=lambda: finished.append(models.keep(make_run(), tmp_path)))
    thread.start()
    thread.join()
    assert finished == [True]
    assert len(metrics(tmp_path)) == 12


def test_a_loss_that_is_not_finite_leaves_the_last_checkpoint(tmp_path):
    run = make_run()

    def poison() -> None:
        run.values["c"][0] = np.nan

    with pytest.raises(TinygraphError, match="the loss is nan"):
        models.keep(run, tmp_path, save_every=2, show=at(5, poison))
    saved = models.read_run(tmp_path)
    assert saved.progress.update == 4
    assert all(np.isfinite(v).all() for v in saved.values().values())
    assert [line["update"] for line in metrics(tmp_path)] == [1, 2, 3, 4, 5]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        models.keep(make_run(), tmp_path / "file" / "folder")
