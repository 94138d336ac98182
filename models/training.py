"""The training loop: truncated backpropagation through time along streams of text, with the state carried.

    run = Run(model, symbols, ...)          # or Run.resume(folder, symbols)
    for report in run.updates_until(1000):
        ...

Everything that the next update depends on is in the run and goes into its checkpoint, so a run that
was interrupted and resumed is the same, bit for bit, as one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from tinygraph.errors import TinygraphError, UsageError

from .batches import Streams, split
from .checkpoint import save_checkpoint
from .clip import CLIPPING
from .engines import Engine
from .language import Arrays, LanguageModel
from .optimise import make_optimiser
from .saved_run import CHECKPOINT, SavedRun, read_run
from .schedules import check_schedule
from .settings import Progress, Report, Settings
from .window import Window


class Run:
    """One training run of a language model on a text of integers."""

    def __init__(
        self,
        model: LanguageModel,
        symbols: np.ndarray[Any, Any],
        settings: Settings | None = None,
        values: Arrays | None = None,
    ) -> None:
        """`values` are the first parameters; without them, new ones. Raises `UsageError` for too short a text."""
        self.model = model
        self.settings = settings = settings or Settings()
        learn, keep = split(symbols, settings.validation)
        self.streams = Streams(learn, settings.steps, settings.batch)
        self.window = Window(model, settings)
        self.unfolded = self.window.unfolded
        self.held_out = keep if len(keep) > self.window.new else keep[:0]
        self.optimiser = make_optimiser(settings.optimiser, settings.rate)
        self.values = self.unfolded.net.initial(settings.seed) if values is None else values
        self.text = text_digest(symbols)
        self.state = self.unfolded.zero_state(settings.batch)
        self.progress = Progress()
        self.rng = np.random.default_rng(settings.seed)
        self._started = perf_counter()
        self._first = 0

    # Training
    def updates_until(self, last: int | None = None) -> Iterator[Report]:
        """Make updates up to number `last` (the whole run without it), reporting each one."""
        last = self.settings.updates if last is None else last
        self._started, self._first = perf_counter(), self.progress.update
        while self.progress.update < last and not self.stopped_early:
            yield self.update()

    def update(self) -> Report:
        """One update from the next symbols; at the end of the text the state starts from zero again."""
        settings, progress = self.settings, self.progress
        state = self.stored_state()
        loss, gradients, self.state = self.window.learn(self.values, state, self.streams, progress.update)
        if not np.isfinite(loss):
            raise TinygraphError(
                f"the loss is {loss} at update {progress.update + 1}", fix="a lower learning rate, or tighter clipping"
            )
        factor = check_schedule(settings.schedule)(min(1.0, progress.update / settings.updates))
        self.optimiser.update(self.values, CLIPPING[settings.clip](gradients, settings.threshold), factor)
        progress.update += 1
        progress.smooth = loss if progress.smooth is None else 0.999 * progress.smooth + 0.001 * loss
        return Report(progress.update, loss, self.smooth_loss, self._validate(), self._speed())

    def stored_state(self) -> Arrays:
        """The state from which the next update starts: the one carried, and zero at the start of the text."""
        at_start = self.progress.update % self.streams.chunks == 0
        return self.unfolded.zero_state(self.settings.batch) if at_start else self.state

    def describe(self) -> str:
        """One line: the model, its size, the text."""
        model, streams = self.model, self.streams
        size = sum(value.size for value in self.values.values())
        return (
            f"{model.cell} x {model.layers}, {model.hidden} units, {size:,} parameters; "
            f"{len(streams.symbols):,} {model.vocabulary.unit} ({len(model.vocabulary)} different)"
        )

    @property
    def smooth_loss(self) -> float:
        """The running mean of the loss, with weights 0.999 and 0.001 as in min-char-rnn."""
        return float("nan") if self.progress.smooth is None else self.progress.smooth

    @property
    def stopped_early(self) -> bool:
        """Whether the validation loss has not improved for `patience` validations."""
        return 0 < self.settings.patience <= self.progress.since_best

    def validation_loss(self) -> float:
        """The loss in nats per symbol on the held-out text, read as one stream from the zero state."""
        streams, total = Streams(self.held_out, self.window.new, 1), 0.0
        state = self.window.reader.zero_state(1)
        for number in range(streams.chunks):
            x, y = streams.chunk(number)
            loss, state = self._reading({**self.values, **state, "x": x, "y": y})
            total += float(loss)
        return total / streams.chunks

    @cached_property
    def _reading(self) -> Engine:
        return self.window.runner([self.window.reader.loss, self.window.reader.state])

    def _validate(self) -> float | None:
        progress = self.progress
        if not len(self.held_out) or progress.update % self.settings.validate_every:
            return None
        loss = self.validation_loss()
        improved = progress.best is None or loss < progress.best
        progress.best = loss if progress.best is None else min(loss, progress.best)
        progress.since_best = 0 if improved else progress.since_best + 1
        return loss

    def _speed(self) -> float:
        done = (self.progress.update - self._first) * self.settings.steps * self.settings.batch
        return done / max(perf_counter() - self._started, 1e-9)

    # Checkpoints
    def save(self, folder: Path) -> Path:
        """Write the run to `folder`/model.safetensors, atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        groups = {"value": self.values, "memory": self.optimiser.memory, "state": self.state}
        arrays = {f"{group}:{name}": array for group, held in groups.items() for name, array in held.items()}
        description = {
            "model": self.model.describe(),
            "settings": asdict(self.settings),
            "progress": asdict(self.progress),
            "optimiser_updates": self.optimiser.updates,
            "random_state": self.rng.bit_generator.state,
            "text": self.text,
        }
        return save_checkpoint(folder / CHECKPOINT, arrays, description)

    @classmethod
    def resume(cls, folder: Path, symbols: np.ndarray[Any, Any], updates: int | None = None) -> Run:
        """Go on from a checkpoint with the same text; `updates` sets a new length of the run.

        Raises `FileFormatError`, `OSError`, or `UsageError` if the text is another one.
        """
        saved = read_run(folder)
        settings = saved.settings if updates is None else replace(saved.settings, updates=updates)
        if saved.text != text_digest(symbols):
            raise UsageError("the checkpoint was made from another text", fix="give the same files in the same order")
        run = cls(saved.model, symbols, settings, saved.values())
        run._restore(saved)
        return run

    def _restore(self, saved: SavedRun) -> None:
        """Take over the state, the optimiser's memory and the counts of a saved run of this model."""
        kept = self.optimiser.remembers if saved.optimiser_updates else ()
        remembered = {f"{what}/{name}": value.shape for what in kept for name, value in self.values.items()}
        self.optimiser.memory = saved.group("memory", remembered)
        self.optimiser.updates = saved.optimiser_updates
        self.state = saved.group("state", {name: array.shape for name, array in self.state.items()})
        self.progress = saved.progress
        self.rng.bit_generator.state = saved.random_state


def text_digest(symbols: np.ndarray[Any, Any]) -> str:
    """A fingerprint of a text of integers."""
    return hashlib.sha256(np.ascontiguousarray(symbols, "<i8").tobytes()).hexdigest()


def resume_run(folder: Path, text: str, updates: int | None = None, expected: Mapping[str, Any] | None = None) -> Run:
    """Go on with the run in `folder` on `text`; `updates` sets a new length of the whole run.

    `expected` are settings that the checkpoint must agree with, by name (None: whatever it has).
    Raises `FileFormatError`, `OSError`, `UsageError`.
    """
    saved = read_run(folder)
    have = {**asdict(saved.settings), **asdict(saved.model), "unit": saved.model.vocabulary.unit}
    for name, value in (expected or {}).items():
        if value is not None and value != have[name]:
            raise UsageError(
                f"the checkpoint has {name} {have[name]!r}, not {value!r}", fix="leave the option out to go on"
            )
    return Run.resume(folder, saved.model.vocabulary.encode(text), updates)


Callback = Callable[[Run, Report], None]


def train(model: LanguageModel, text: str, settings: Settings | None = None, callbacks: Iterable[Callback] = ()) -> Run:
    """Train `model` on `text`; each callback gets the run and the report of each update.

    >>> model = models.LanguageModel(models.Vocabulary.of(text), cell="gru", hidden=64)
    >>> run = models.train(model, text, models.Settings(updates=500))
    """
    run = Run(model, model.vocabulary.encode(text), settings)
    for report in run.updates_until():
        for callback in callbacks:
            callback(run, report)
    return run
