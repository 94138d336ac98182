"""Clipping of gradients: by their common norm, by the norm of each parameter, by value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

import numpy as np

from tinygraph.errors import UsageError

from .optimise import Values


def global_norm(gradients: Mapping[str, Any]) -> float:
    """The Euclidean norm of all gradients as one vector, also where its square would overflow."""
    arrays = [np.asarray(g) for g in gradients.values()]
    largest = max((float(np.max(np.abs(g))) for g in arrays if g.size), default=0.0)
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * sqrt(sum(float(np.sum(np.square(g / largest))) for g in arrays))


def clip_by_global_norm(gradients: Mapping[str, Any], threshold: float) -> Values:
    """All gradients scaled by threshold / norm where the norm is larger. Pascanu et al. 2013, arXiv:1211.5063."""
    _check(threshold)
    norm = global_norm(gradients)
    scale = threshold / norm if norm > threshold else 1.0
    return {name: g * scale for name, g in gradients.items()}


def clip_by_norm(gradients: Mapping[str, Any], threshold: float) -> Values:
    """Each parameter's gradient scaled by itself to at most the threshold."""
    clipped: Values = {}
    for name, gradient in gradients.items():
        clipped |= clip_by_global_norm({name: gradient}, threshold)
    return clipped


def clip_by_value(gradients: Mapping[str, Any], threshold: float) -> Values:
    """Each entry cut to [-threshold, threshold]; this can turn the gradient."""
    _check(threshold)
    return {name: np.clip(g, -threshold, threshold) for name, g in gradients.items()}


def _check(threshold: float) -> None:
    if not isinstance(threshold, (int, float)) or not threshold > 0:
        raise UsageError(f"a clipping threshold is above 0, not {threshold!r:.60}")


def no_clipping(gradients: Mapping[str, Any], threshold: float) -> Values:
    """The gradients as they are."""
    return dict(gradients)


CLIPPING: dict[str, Callable[[Mapping[str, Any], float], Values]] = {
    "global": clip_by_global_norm,
    "norm": clip_by_norm,
    "value": clip_by_value,
    "none": no_clipping,
}
