"""The chart of a training run: its loss by update, smoothed, and on held-out text."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import partial
from math import exp, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygraph.errors import DrawingError

from .sheet import Chart, add_legend, make_sheet
from .style import Theme, rail_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS = "metrics.jsonl"  # in the folder of a run
SERIES = {"loss": "each update", "smooth": "smoothed", "validation": "held-out text"}
MEMORY = 1 / 30  # of the run: how far back the smoothed loss reaches

Record = Mapping[str, Any]


def plot_losses(records: Iterable[Any], theme: Theme) -> Chart:
    """Records of updates: dicts or `models.Report`s with `update`, `loss` and, where known, `validation`.

    The smoothed loss is the mean of those so far, the weight of each falling by e over a thirtieth of the run. (The
    running mean that a run reports reaches a thousand updates back, which says nothing of a short one.)

    Raises `DrawingError` if there is none, or one without these numbers.
    """
    found = [_checked(record) for record in records]
    if not found:
        raise DrawingError("there is no update to plot", fix="train first: tinygraph train --out my-model")
    return make_sheet([partial(_curves, found)], theme, f"loss over {len(found):,} update{'s' * (len(found) != 1)}")


def read_metrics(path: str | os.PathLike[str]) -> list[Record]:
    """The records of a metrics file, or of the folder that holds it. Raises `DrawingError`."""
    source = Path(path)
    source = source / METRICS if source.is_dir() else source
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DrawingError(f"cannot read the metrics {str(source)!r:.200}", [str(error)]) from None
    found: list[Record] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            raise DrawingError(
                f"line {number} of {str(source)!r:.200} is no JSON", fix="a run writes it anew"
            ) from None
    return found


def _checked(record: Any) -> Record:
    known = asdict(record) if is_dataclass(record) and not isinstance(record, type) else record
    good = isinstance(known, Mapping) and all(_is_number(known.get(name)) for name in ("update", "loss"))
    if not good or not all(_is_number(known[name]) for name in SERIES if known.get(name) is not None):
        raise DrawingError(f"{record!r:.80} is no record of an update", fix='{"update": 1, "loss": 4.2}')
    return known


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def smoothed(losses: Sequence[float]) -> list[float]:
    """Their exponential mean so far, without the bias of a first value that counts too much."""
    keep = exp(-1 / max(MEMORY * len(losses), 1.0))
    found, total, weight = [], 0.0, 0.0
    for loss in losses:
        total, weight = keep * total + loss, keep * weight + 1
        found.append(total / weight)
    return found


def _curves(records: list[Record], axes: Axes, theme: Theme) -> None:
    looks: dict[str, Any] = {
        "loss": {"color": theme.quiet, "linewidth": 0.8, "alpha": 0.7},
        "smooth": {"color": rail_colour(theme, 0)[0], "linewidth": 2.0},
        "validation": {"color": rail_colour(theme, 1)[0], "linestyle": "--", "marker": "o", "markersize": 4},
    }
    losses = smoothed([record["loss"] for record in records])
    records = [{**record, "smooth": loss} for record, loss in zip(records, losses, strict=True)]
    for name, words in SERIES.items():
        points = [(record["update"], record[name]) for record in records if record.get(name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), label=words, **looks[name])
    axes.set_title("Loss")
    axes.set_xlabel("update")
    axes.set_ylabel("nats per symbol")
    add_legend(axes, theme)
