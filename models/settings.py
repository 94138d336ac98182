"""How to train, and what is told of it: the settings of a run, its progress, and the report of an update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from tinygraph.errors import UnknownNameError, UsageError, nearest

from .clip import CLIPPING
from .engines import check_engine
from .optimise import make_optimiser
from .schedules import check_schedule


class Truncation(NamedTuple):
    """A mode of truncation in the loop, where k1 is `steps`: its window (steps), which k2 it takes, how to give it."""

    window: Callable[[int, int], int]
    allows: Callable[[int, int], bool]
    fix: str


TRUNCATIONS: dict[str, Truncation] = {
    "chunk": Truncation(
        lambda k1, k2: k1,
        lambda k1, k2: k2 == k1,
        "leave k2 out: gradients stop at the start of the chunk",
    ),
    "sliding": Truncation(
        lambda k1, k2: k1 + k2 - 1,
        lambda k1, k2: True,
        "k2=10, for example: every loss reaches back 10 steps",
    ),
    "k1_k2": Truncation(
        lambda k1, k2: k2,
        lambda k1, k2: k2 >= k1,
        "k2 of `steps` or more: the new losses of an update run back k2 steps",
    ),
    "last": Truncation(
        lambda k1, k2: k2,
        lambda k1, k2: k2 <= k1,
        "k2 of `steps` or less: only the last k2 of every `steps` steps learn",
    ),
}

_LEAST = {"updates": 1, "steps": 1, "batch": 1, "validate_every": 1, "patience": 0, "seed": 0}


@dataclass(frozen=True)
class Settings:
    """How to train. `updates` is the whole length of the run, which schedules refer to.

    Each update reads `steps` new symbols of each stream (k1); `truncation` and `k2` say how far back their
    losses reach, see `models.Window`. `engine` is "plan" or "interpreter", and `precision`, in which it computes,
    "float64" or "float32"; parameters are kept in float64.
    """

    updates: int = 2000
    steps: int = 25
    truncation: str = "chunk"
    k2: int | None = None
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
    engine: str = "plan"
    precision: str = "float64"

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(f"{name} is a whole number of {least} or more, not {value!r:.60}")
        self._check_truncation()
        if not isinstance(self.validation, (int, float)) or not 0 <= self.validation < 1:
            raise UsageError(f"the share for validation is from 0 to below 1, not {self.validation!r:.60}")
        if not isinstance(self.threshold, (int, float)) or not self.threshold > 0:
            raise UsageError(f"a clipping threshold is above 0, not {self.threshold!r:.60}")
        if self.clip not in CLIPPING:
            raise UnknownNameError(f"no clipping {self.clip!r:.60}", fix=nearest(self.clip, CLIPPING))
        check_schedule(self.schedule)
        check_engine(self.engine, self.precision)
        make_optimiser(self.optimiser, self.rate)

    @property
    def window(self) -> int:
        """The steps that an update unrolls and differentiates."""
        return TRUNCATIONS[self.truncation].window(self.steps, self.k2 or self.steps)

    def _check_truncation(self) -> None:
        if self.truncation not in TRUNCATIONS:
            raise UnknownNameError(f"no truncation {self.truncation!r:.60}", fix=nearest(self.truncation, TRUNCATIONS))
        _, allows, fix = TRUNCATIONS[self.truncation]
        if self.k2 is None:
            if self.truncation != "chunk":
                raise UsageError(f"truncation {self.truncation!r} takes k2, a number of steps", fix=fix)
        elif isinstance(self.k2, bool) or not isinstance(self.k2, int) or self.k2 < 1:
            raise UsageError(f"k2 is a whole number of 1 or more, not {self.k2!r:.60}", fix=fix)
        elif not allows(self.steps, self.k2):
            raise UsageError(f"truncation {self.truncation!r} cannot have steps={self.steps}, k2={self.k2}", fix=fix)


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
