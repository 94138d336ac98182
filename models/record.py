"""A run that keeps itself: checkpoints at intervals, metrics as JSON lines, and a clean end when interrupted."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tinygraph.files import write_atomically

from .settings import Report, metrics_of
from .training import Run

METRICS = "metrics.jsonl"


@dataclass
class Interruption:
    """Whether the user has asked to stop; looked at between updates, so that no update is cut in two."""

    asked: bool = False


@contextmanager
def deferred_interrupt() -> Iterator[Interruption]:
    """Ctrl-C (and a request to terminate) sets a flag at first; a second one interrupts at once."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.asked:
            raise KeyboardInterrupt
        interruption.asked = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def keep(
    run: Run, folder: Path, *, save_every: int = 200, show: Callable[[Report], None] = lambda report: None
) -> bool:
    """Train `run` to its end, or until interrupted; whether it came to its end.

    `folder` gets the checkpoint (every `save_every` updates, and at the end) and `metrics.jsonl`, one line
    an update. Lines of updates that a resumed run makes again are taken out first. Raises `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    metrics = folder / METRICS
    _cut_metrics(metrics, run.progress.update)
    with deferred_interrupt() as interruption, metrics.open("a", encoding="utf-8") as lines:
        for report in run.updates_until():
            lines.write(json.dumps(metrics_of(report)) + "\n")
            show(report)
            if interruption.asked:
                break
            if report.update % save_every == 0:
                lines.flush()
                run.save(folder)
        lines.flush()
        run.save(folder)
        return not interruption.asked


def _cut_metrics(path: Path, update: int) -> None:
    """Leave only the lines up to `update`, so that each update stands once."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if (_update_of(line) or update + 1) <= update]
        write_atomically(path, "".join(line + "\n" for line in kept).encode())


def _update_of(line: str) -> int | None:
    """The update that a line tells of; None for a line that was cut off in writing."""
    try:
        data: Any = json.loads(line)
        return int(data["update"])
    except (ValueError, KeyError, TypeError):
        return None
