"""The report: all that one run found, as tables and as JSON."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tinygraph.tables import text_table

from .measuring import FLOOR, PLAN, Timings, ratios

RATIOS = ("to fastest", "to floor")


@dataclass
class Report:
    """Timings by work; the other measurements as (what, value in words) and, by the same name, as data."""

    threads: int
    clock: str = "wall"
    works: dict[str, Timings] = field(default_factory=dict)
    others: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        blocks = [[", ".join(f"{name} {value}" for name, value in machine().items())]]
        blocks += [
            [f"{statistic}, ms ({self.clock} time, threads: {self.threads})", *self.table(statistic)]
            for statistic in ("median", "min")
            if self.works
        ]
        if self.others:
            blocks.append(text_table([(what, words) for what, (words, _) in self.others.items()]))
        return "\n\n".join("\n".join(block) for block in blocks)

    def table(self, statistic: str) -> list[str]:
        """A line for each work: milliseconds of each, and how often longer the plan takes."""
        names = list(dict.fromkeys(name for timings in self.works.values() for name in timings))
        names.sort(key=lambda name: name != PLAN)
        rows = [["work", *names, *(f"plan {ratio}" for ratio in RATIOS)]]
        for work, timings in self.works.items():
            found = ratios(timings, statistic)
            numbers = [_cell(timings, name, statistic) for name in names]
            rows.append([work, *numbers, *(f"{found[key]:.2f}" if key in found else "" for key in RATIOS)])
        return text_table(rows, range(1, len(rows[0])))

    def to_json(self) -> str:
        """All numbers, in seconds, bytes and ratios, with what they were measured on."""
        works = {
            work: {
                "seconds": {
                    name: {"median": one.median, "min": one.min, "turns": len(one.seconds), "same loss": one.counts}
                    for name, one in timings.items()
                },
                "ratios": {statistic: ratios(timings, statistic) for statistic in ("median", "min")},
            }
            for work, timings in self.works.items()
        }
        others = {what: data for what, (_, data) in self.others.items()}
        return json.dumps(
            {"threads": self.threads, "clock": self.clock, **machine(), "works": works, "others": others}, indent=2
        )


def machine() -> dict[str, str]:
    """What was measured on, when, and with which versions."""
    found = {"date": date.today().isoformat(), "processor": _processor(), "python": platform.python_version()}
    for name in ("numpy", "scipy", "torch", "jax", "autograd", "mygrad"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    core = os.environ.get("OPENBLAS_CORETYPE")
    return found | ({"OPENBLAS_CORETYPE": core} if core else {})


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _cell(timings: Timings, name: str, statistic: str) -> str:
    one = timings.get(name)
    if one is None:
        return ""
    if name not in (PLAN, FLOOR) and not one.counts:
        return "differs"
    return f"{1e3 * getattr(one, statistic):.3g}"
