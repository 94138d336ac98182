"""Measuring: rounds in which all take turns, so that whatever else the machine does hits all alike."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from .floor import floor
from .peers import PEERS, Runner, plan
from .works import WORKS, problem

PLAN, FLOOR = "plan", "floor"
TURN = 0.02  # seconds: a short step is repeated in its turn, so that it finds its own data in the cache
FEWEST = 3  # turns
CLOCKS = {"wall": perf_counter, "cpu": process_time}  # cpu: the seconds of this process, with whatever waits left out
Step = Callable[[], Any]
AGREED = 1e-5


@dataclass
class Timing:
    """Seconds of one step by turn (the median of the turn), and the loss relative to the plan's."""

    seconds: list[float] = field(default_factory=list)
    difference: float = 0.0

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def min(self) -> float:
        return min(self.seconds)

    @property
    def counts(self) -> bool:
        """Whether it did the same work."""
        return self.difference <= AGREED


Timings = dict[str, Timing]  # of one work, by name: the plan, the floor and the peers


def interleaved(steps: Mapping[str, Step], budget: float, clock: str = "wall") -> Timings:
    """Rounds of turns for `budget` seconds; one that has had its share drops out, but each has three turns."""
    share = budget / len(steps)
    now = CLOCKS[clock]
    repeats = {name: max(1, int(TURN / max(_warm(step), 1e-6))) for name, step in steps.items()}
    found = {name: Timing() for name in steps}
    spent = dict.fromkeys(steps, 0.0)
    while waiting := [name for name in steps if spent[name] < share or len(found[name].seconds) < FEWEST]:
        for name in waiting:
            turn = [_seconds(steps[name], now) for _ in range(repeats[name])]
            spent[name] += sum(turn)
            found[name].seconds.append(median(turn))
    return found


def _warm(step: Step) -> float:
    """The time of a second step: the first may compile."""
    step()
    return _seconds(step, perf_counter)


def _seconds(step: Step, now: Callable[[], float]) -> float:
    start = now()
    step()
    return now() - start


def compare(work: str, peers: Iterable[str], budget: float, clock: str = "wall") -> Timings:
    """One work: the plan, the floor and peers, in one sitting."""
    given = problem(WORKS[work])
    runners: dict[str, Runner] = {PLAN: plan(given)} | {name: PEERS[name][0](given) for name in peers}
    losses = {name: runner.step() for name, runner in runners.items()}
    found = interleaved({name: one.step for name, one in runners.items()} | {FLOOR: floor(given)}, budget, clock)
    for name, loss in losses.items():
        difference = abs(loss - losses[PLAN]) / max(1.0, abs(losses[PLAN]))
        found[name].difference = difference if np.isfinite(difference) else float("inf")
    return found


def ratios(timings: Timings, statistic: str = "median") -> dict[str, float]:
    """The plan's time over the fastest peer's (of those that do the same work), and over the floor's."""
    times = {name: getattr(one, statistic) for name, one in timings.items() if one.counts}
    peers = [time for name, time in times.items() if name not in (PLAN, FLOOR)]
    found = {"to fastest": times[PLAN] / min(peers)} if peers else {}
    return found | ({"to floor": times[PLAN] / times[FLOOR]} if FLOOR in times else {})


# Memory
def growth(do: Callable[[], Any]) -> int:
    """By how many bytes the peak of this process's memory grows."""
    before = _peak()
    do()
    return _peak() - before


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage there begins with the peak of whoever started the process
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def apart(task: str, *args: str) -> Any:
    """What a task of `tasks.TASKS` returns in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.tasks", task, *args]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
