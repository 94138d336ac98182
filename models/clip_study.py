"""What clipping does to a gradient: to its length, to its direction, and to the time step that dominates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan2, degrees
from typing import Any

import numpy as np

from tinygraph.errors import ShapeError, UsageError
from tinygraph.tables import text_table

from .clip import CLIPPING, global_norm

Step = int | None


@dataclass(frozen=True)
class Clipped:
    """A gradient after one kind of clipping.

    norm      its Euclidean norm over all parameters
    angle     in degrees, from the gradient before
    shares    step s -> the part that step s has in it, <g_s, c> / <g, c> for the clipped gradient c: they add up to 1
    """

    norm: float
    angle: float
    shares: Mapping[Step, float]

    @property
    def dominant(self) -> Step:
        """The step of the largest share."""
        return max(self.shares, key=lambda step: abs(self.shares[step]))


@dataclass(frozen=True)
class ClippingEffects:
    """By name of the clipping, as in `CLIPPING`; "none" is the gradient before. Printed as a table."""

    threshold: float
    rows: Mapping[str, Clipped]

    def __str__(self) -> str:
        rows = [["clipping", "norm", "angle", "dominant step", "its share"]]
        for name, row in self.rows.items():
            share = row.shares[row.dominant]
            rows.append([name, f"{row.norm:.4g}", f"{row.angle:.2f}°", str(row.dominant), f"{share:.1%}"])
        return "\n".join([f"threshold {self.threshold:g}", *text_table(rows, range(1, 5))])


def clipping_effects(by_step: Mapping[Step, Mapping[str, Any]], threshold: float) -> ClippingEffects:
    """Each kind of clipping applied to the sum of `by_step`, the gradient by the steps that it comes from.

    Clipping by the common norm keeps the direction, and so the share of each step; clipping by value and by the norm
    of each parameter turn it: Pascanu et al. 2013, arXiv:1211.5063.

    >>> print(models.clipping_effects(tg.gradient_by_step(losses, net.parameters, feeds), threshold=1.0))

    Raises `UsageError`, `ShapeError`.
    """
    if not isinstance(by_step, Mapping) or not by_step or not all(isinstance(g, Mapping) for g in by_step.values()):
        raise UsageError(f"gradients by step are wanted, not {by_step!r:.60}", fix="tg.gradient_by_step(...)")
    parts = {step: {name: np.asarray(g) for name, g in part.items()} for step, part in by_step.items()}
    first = next(iter(parts.values()))
    for step, part in parts.items():
        if {n: g.shape for n, g in part.items()} != {n: g.shape for n, g in first.items()}:
            raise ShapeError(f"the gradients of step {step} are not those of the first", fix="tg.gradient_by_step(...)")
    whole = {name: sum(part[name] for part in parts.values()) for name in first}
    rows = {"none": _clipped(whole, whole, parts)}
    for name, clip in CLIPPING.items():
        if name != "none":
            rows[name] = _clipped(whole, clip(whole, threshold), parts)
    return ClippingEffects(float(threshold), rows)


def _clipped(whole: Mapping[str, Any], clipped: Mapping[str, Any], parts: Mapping[Step, Mapping[str, Any]]) -> Clipped:
    along = _inner(whole, clipped)
    shares = {step: _inner(part, clipped) / along if along else 0.0 for step, part in parts.items()}
    return Clipped(global_norm(clipped), _angle(whole, clipped), shares)


def _inner(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    return sum(float(np.sum(a[name] * b[name])) for name in a)


def _angle(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Degrees between two vectors, also small ones, after Kahan: 2 atan2(|u - v|, |u + v|) of unit vectors."""
    norms = global_norm(a), global_norm(b)
    if not all(norms):
        return 0.0
    u, v = ({name: g / norm for name, g in given.items()} for given, norm in zip((a, b), norms, strict=True))
    apart, together = (global_norm({n: u[n] + sign * v[n] for n in u}) for sign in (-1, 1))
    return degrees(2 * atan2(apart, together))
