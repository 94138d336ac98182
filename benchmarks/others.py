"""The rows besides the works: planning time, memory, training speed. Each is measured in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable

from .measuring import apart
from .report import Report
from .works import WORKS


def measure_others(report: Report, memory: Iterable[str], peer: str | None, budget: float) -> None:
    """Add all other rows to a report; the memory of some works beside that of a peer."""
    for work in report.works or WORKS:
        found = apart("ready_work", work, report.clock)
        words = f"{found['microseconds a node']:.1f} us a node ({found['nodes']:,} nodes)"
        report.others[f"build, differentiate and plan {work}"] = words, found
    for steps in (100, 1000):
        found = apart("ready_lstm", str(steps), report.clock)
        report.others[f"an LSTM of {steps:,} steps ready"] = f"{found['seconds']:.2f} s", found
    for work in memory:
        found = {who: apart("memory", who, work) for who in ("plan", *([peer] if peer else []))}
        report.others[f"peak memory of {work}"] = _sizes(found), found
    found = {f"{times} T": apart("truncated_memory", str(times)) for times in (1, 100)}
    report.others["growth of memory in truncated training"] = _sizes(found), found
    found = apart("training", str(budget), report.clock)
    words = ", ".join(f"{name} {value:,.0f}" for name, value in found.items())
    report.others["characters per second in training"] = words, found


def _sizes(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in found.items())
