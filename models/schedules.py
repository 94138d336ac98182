"""Schedules of the learning rate: a factor from the share of the training that is done, 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

from tinygraph.errors import UnknownNameError, nearest

Schedule = Callable[[float], float]


def constant(done: float) -> float:
    """1 throughout."""
    return 1.0


def linear(done: float) -> float:
    """From 1 down to 0 in a straight line."""
    return 1.0 - done


def cosine(done: float) -> float:
    """Half a cosine, from 1 down to 0. Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts."""
    return 0.5 * (1 + cos(pi * done))


def halving(done: float) -> float:
    """Halved after each fifth of the training."""
    return 0.5 ** min(4, int(5 * done))


def warm_up(done: float) -> float:
    """Up to 1 over the first tenth, then down to 0 in a straight line."""
    return done / 0.1 if done < 0.1 else (1 - done) / 0.9


SCHEDULES: dict[str, Schedule] = {f.__name__: f for f in (constant, linear, cosine, halving, warm_up)}


def check_schedule(name: str) -> Schedule:
    """The schedule of that name. Raises `UnknownNameError`."""
    if name not in SCHEDULES:
        raise UnknownNameError(f"no schedule {name!r:.60}", fix=nearest(name, SCHEDULES))
    return SCHEDULES[name]
