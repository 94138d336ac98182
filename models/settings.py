"""How to train, and what is told of it: the settings of a run, its progress, and the report of an update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tinygraph.errors import UnknownNameError, UsageError, nearest

from .clip import CLIPPING
from .optimise import make_optimiser
from .schedules import check_schedule

_LEAST = {"updates": 1, "steps": 1, "batch": 1, "validate_every": 1, "patience": 0, "seed": 0}


@dataclass(frozen=True)
class Settings:
    """How to train. `updates` is the whole length of the run, which schedules refer to."""

    updates: int = 2000
    steps: int = 25
    batch: int = 16
    optimiser: str = "adam"
    rate: float | None = None
    schedule: str = "constant"
    clip: str = "global"
    threshold: float = 5.0
    validation: float = 0.05
    validate_every: int = 200
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(f"{name} is a whole number of {least} or more, not {value!r:.60}")
        if not isinstance(self.validation, (int, float)) or not 0 <= self.validation < 1:
            raise UsageError(f"the share for validation is from 0 to below 1, not {self.validation!r:.60}")
        if not isinstance(self.threshold, (int, float)) or not self.threshold > 0:
            raise UsageError(f"a clipping threshold is above 0, not {self.threshold!r:.60}")
        if self.clip not in CLIPPING:
            raise UnknownNameError(f"no clipping {self.clip!r:.60}", fix=nearest(self.clip, CLIPPING))
        check_schedule(self.schedule)
        make_optimiser(self.optimiser, self.rate)


@dataclass(frozen=True)
class Report:
    """One update: the loss in nats per symbol, its running mean, and the validation loss where it was computed."""

    update: int
    loss: float
    smooth: float
    validation: float | None
    symbols_per_second: float


@dataclass
class Progress:
    """What changes as the run goes on, beside the arrays."""

    update: int = 0
    smooth: float | None = None
    best: float | None = None
    since_best: int = 0

    def __post_init__(self) -> None:
        counts, losses = (self.update, self.since_best), (self.smooth, self.best)
        if any(type(count) is not int or count < 0 for count in counts):
            raise UsageError(f"updates are counted from 0, not {counts!s:.60}")
        if any(loss is not None and not isinstance(loss, float) for loss in losses):
            raise UsageError(f"losses are numbers, not {losses!s:.60}")


def metrics_of(report: Report) -> Mapping[str, Any]:
    """A report as a line of the metrics file; what was not computed is left out."""
    return {key: value for key, value in asdict(report).items() if value is not None}
