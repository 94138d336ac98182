"""Derivatives held against differences that know nothing of rules.

`central` is the central difference quotient of a function of feeds along a direction; `complex_step` the
imaginary part after a step so small that nothing cancels (Squire and Trapp 1998,
doi:10.1137/S003614459631241X). A sum is compared relative to the sum of its absolute terms, since
that is what its rounding errors scale with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Feeds = Mapping[str, Any]

STEP = 1e-5  # of central differences: about the cube root of the rounding error
COMPLEX_STEP = 1e-20


def moved(feeds: Feeds, direction: Feeds, step: complex) -> dict[str, Any]:
    """The feeds, moved along `direction` by `step`."""
    return {**feeds, **{name: np.asarray(feeds[name]) + step * np.asarray(v) for name, v in direction.items()}}


def central(function: Callable[[Feeds], Any], feeds: Feeds, direction: Feeds, step: float = STEP) -> Any:
    """The derivative of `function` along `direction`, by central differences."""
    ahead, behind = function(moved(feeds, direction, step)), function(moved(feeds, direction, -step))
    return (np.asarray(ahead) - np.asarray(behind)) / (2 * step)


def complex_step(function: Callable[[Feeds], Any], feeds: Feeds, direction: Feeds) -> Any:
    """The derivative of `function` along `direction`, from the imaginary part after a tiny imaginary step."""
    return np.imag(function(moved(feeds, direction, 1j * COMPLEX_STEP))) / COMPLEX_STEP


def inner(a: Feeds, b: Feeds) -> tuple[float, float]:
    """The sum of a * b over all names and entries, and the sum of the absolute values."""
    terms = [np.ravel(np.asarray(a[name]) * np.asarray(b[name])) for name in b]
    flat = np.concatenate(terms) if terms else np.zeros(1)
    return float(np.sum(flat)), float(np.sum(np.abs(flat)))


def assert_close(found: Any, expected: Any, tolerance: float, scale: float = 0.0, what: object = "") -> None:
    """`found` and `expected` have one shape and differ by at most tolerance * (largest entry or `scale`).

    Below 1e-3 the comparison is absolute: a derivative that is exactly zero has no relative error.
    """
    a, b = np.asarray(found), np.asarray(expected)
    if a.shape != b.shape:
        raise AssertionError(f"{what}: shape {a.shape} instead of {b.shape}")
    if not a.size:
        return
    worst = float(np.max(np.abs(a - b)))
    size = max(float(np.max(np.abs(a))), float(np.max(np.abs(b))), scale, 1e-3)
    if not worst <= tolerance * size:
        off = f"{what}: off by {worst:.3g}, allowed {tolerance * size:.3g}"
        raise AssertionError(f"{off}\n  found    {a}\n  expected {b}")
