"""Wide random tanh nets: mean-field theory, and finite nets to hold it against.

The net h' = tanh(g J h) with entries of J drawn from N(0, 1/n) falls silent for g < 1 and is chaotic for
g > 1. As n grows, its activations become Gaussian with a variance q, and its largest exponent lambda with

    q = g^2 E[tanh^2(sqrt(q) z)],    lambda = 1/2 log(g^2 E[tanh'(sqrt(q) z)^2]),    z ~ N(0, 1).

Sompolinsky, Crisanti and Sommers 1988, doi:10.1103/PhysRevLett.61.259; in discrete time Molgedey,
Schuchhardt and Schuster 1992, doi:10.1103/PhysRevLett.69.3717.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, isfinite, log, pi, sqrt
from typing import Any

import numpy as np

from ..errors import UsageError, ValueRangeError
from ..shapes import as_size
from .products import Array, spectral_radius

WIDTH = 12.0  # standard deviations; what lies beyond weighs e^-72


@dataclass(frozen=True)
class MeanField:
    """The limit n -> infinity for one gain: the variance q of the activations, and the exponent per step."""

    gain: float
    variance: float
    exponent: float


@dataclass(frozen=True, eq=False)
class RandomNets:
    """The largest exponents of some random nets of one size and gain, in nats per step.

    exponents   shape (nets,)
    radii       shape (nets,): the spectral radius of each g J; for g < 1 its log is the exponent
    """

    size: int
    gain: float
    exponents: Array
    radii: Array

    @property
    def mean(self) -> float:
        """The mean exponent."""
        return float(self.exponents.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean, from the spread between nets. Raises `ValueRangeError` for one net."""
        if len(self.exponents) < 2:
            raise ValueRangeError("one net has no spread", fix="nets=2 or more")
        return float(self.exponents.std(ddof=1) / sqrt(len(self.exponents)))


def gaussian_mean(function: Callable[[Array], Array], deviation: float) -> float:
    """E[f(deviation z)] for z ~ N(0, 1), for an f made of tanh, to about 15 digits.

    By the trapezoid rule, whose error is e^(-2 pi d / step) for an integrand analytic up to distance d from
    the real axis: pi / (2 deviation) for tanh. Gauss-Hermite nodes stand wider the larger the argument,
    miss the steep part at large gains, and NumPy's `hermegauss(400)` is NaN without a warning.
    Trefethen and Weideman 2014, doi:10.1137/130932132.
    """
    step = min(0.25, pi * pi / 40 / deviation) if deviation > 0 else 0.25
    z = np.arange(-ceil(WIDTH / step), ceil(WIDTH / step) + 1) * step
    weights = np.exp(-z * z / 2)
    return float(np.sum(weights * function(deviation * z)) / np.sum(weights))


def tanh_mean_field(gain: float) -> MeanField:
    """Variance and largest exponent of h' = tanh(g J h) in the limit of many units.

    For g <= 1 the state dies out: q = 0 and lambda = log g. For g > 1 the variance is the one positive
    solution, found by bisection: tanh(x)^2 >= x^2 - 2/3 x^4 puts it above (1 - 1/g^2) / 2, and tanh^2 < 1
    below g^2. Raises `ValueRangeError` unless the gain is a number above 0 and at most 1000.
    """
    g = _gain(gain)
    if g <= 1:
        return MeanField(g, 0.0, log(g))
    low, high = (1 - 1 / g**2) / 2, g**2
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if g**2 * gaussian_mean(lambda a: np.tanh(a) ** 2, sqrt(middle)) > middle:
            low = middle
        else:
            high = middle
    q = (low + high) / 2
    slope = gaussian_mean(lambda a: np.exp(2 * _log_sech_squared(a)), sqrt(q))
    return MeanField(g, q, log(g**2 * slope) / 2)


def random_nets(
    gain: float,
    size: int,
    *,
    nets: int,
    steps: int,
    discard: int,
    rng: int | np.random.Generator,
) -> RandomNets:
    """The largest exponents of `nets` random tanh nets, each along one trajectory from a random state.

    One tangent vector is carried with the state, v' = diag(1 - h'^2) g J v, and its growth is averaged over
    `steps` steps after `discard` that are not counted. `rng` is a seed or a Generator. The nets run side by
    side: memory is nets * size^2 floats.

    Raises `ValueRangeError`, `ShapeError`, `UsageError`.
    """
    g = _gain(gain)
    n, count = as_size(size, "size of a net"), as_size(nets, "number of nets")
    kept, skipped = as_size(steps, "number of steps"), as_size(discard, "number of steps to discard")
    if 0 in (n, count, kept):
        raise ValueRangeError("at least one net with one unit and one step is wanted", fix="size, nets, steps >= 1")
    generator = _generator(rng)
    weights = generator.standard_normal((count, n, n)) * (g / sqrt(n))
    state = np.tanh(generator.standard_normal((count, n, 1)))
    tangent = generator.standard_normal((count, n, 1))
    total = np.zeros(count)
    for t in range(skipped + kept):
        both = weights @ np.concatenate([state, tangent], axis=2)
        state = np.tanh(both[..., :1])
        slopes = _log_sech_squared(both[..., :1])
        steepest = slopes.max(axis=1, keepdims=True)  # taken out, so that a saturated net does not underflow
        tangent = np.exp(slopes - steepest) * both[..., 1:]
        norms = np.linalg.norm(tangent, axis=1, keepdims=True)
        tangent = tangent / norms
        if t >= skipped:
            total += (np.log(norms) + steepest)[:, 0, 0]
    radii = np.array([spectral_radius(matrix) for matrix in weights])
    return RandomNets(n, g, total / kept, radii)


def _log_sech_squared(a: Array) -> Array:
    """The log of tanh'(a), which 1 - tanh(a)^2 loses from |a| = 19 on: log 4 - 2|a| - 2 log(1 + e^(-2|a|))."""
    size = 2 * np.abs(a)
    return np.asarray(log(4) - size - 2 * np.log1p(np.exp(-size)))


def _gain(gain: Any) -> float:
    if isinstance(gain, bool) or not isinstance(gain, (int, float, np.number)) or not isfinite(gain):
        raise UsageError(f"a gain is a finite number, not {gain!r:.40}")
    if not 0 < gain <= 1000:
        raise ValueRangeError(f"the gain {gain} is outside what the quadrature resolves", fix="0 < gain <= 1000")
    return float(gain)


def _generator(rng: Any) -> np.random.Generator:
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)) or rng < 0:
        raise UsageError(f"rng is a seed of 0 or more, or a numpy Generator, not {rng!r:.40}", fix="rng=0")
    return np.random.default_rng(int(rng))
