"""How training is shown: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tinygraph.models import Report


class TrainingProgress:
    """Shows the reports of a run of `total` updates, with loss, speed and the time that is left."""

    def __init__(self, console: Console, total: int, unit: str, done: int = 0) -> None:
        self.console = console
        self.total = total
        self.unit = unit
        self.first = done
        self.mean = 0.0
        self.seen = 0
        self.validation = ""
        self.bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("training", total=total, completed=done, note="")

    def __enter__(self) -> TrainingProgress:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def show(self, report: Report) -> None:
        """One more update. The loss shown is the mean of about the last 50."""
        self.seen += 1
        self.mean += (report.loss - self.mean) / min(self.seen, 50)
        if report.validation is not None:
            self.validation = f", validation {report.validation:.3f}"
        speed = f"{report.symbols_per_second:,.0f} {self.unit}/s"
        note = f"loss {self.mean:.3f}{self.validation}, {speed}"
        self.bar.update(self.task, completed=report.update, note=note)
        if not self.console.is_terminal and self._is_due(report.update):
            left = (self.total - report.update) / max(report.update - self.first, 1) * self._elapsed()
            line = f"update {report.update}/{self.total}  {note}, {left:.0f} s left"
            self.console.print(line, highlight=False, soft_wrap=True)

    def _is_due(self, update: int) -> bool:
        """About ten lines for the whole run, with the first and the last."""
        return update in (self.first + 1, self.total) or update % max(1, self.total // 10) == 0

    def _elapsed(self) -> float:
        return self.bar.tasks[self.task].elapsed or 0.0
