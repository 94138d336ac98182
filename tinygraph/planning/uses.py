"""When each item is computed and read, by numbers of batches; and how few values of a class are needed at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from .batches import Batch
from .classes import Classes

SHORTEST = 8  # places in a ring: a shorter one breaks up what is computed alike at every step,
SELDOM = 64  # but not what is computed once in so many batches
TRIED = 8  # lengths of a ring, from the shortest that can do


@dataclass(slots=True)
class Uses:
    """Of each item: when it is computed (-1: it is fed, or a constant), first read and last read, and how often."""

    made: list[int]
    first: list[int]
    last: list[int]
    count: list[int]

    def ring(self, members: Sequence[int]) -> int:
        """How many places a class needs if they are taken in turns; as many as it has members where that is no less.

        One, if each value was read for the last time before the next one is written; with parts of a net that are
        computed twice, the length of such a part.
        """
        count = len(members)
        made, last = self._times(members)
        if made[0] < 0:
            return count
        if np.all(last[:-1] < made[1:]):
            return 1
        alive = np.arange(1, count + 1) - np.searchsorted(np.sort(last), made)
        least = int(alive.max())
        turns = np.any(alive[1:] == 1)  # between which none is needed
        if least < SHORTEST and not turns and np.any(np.diff(made) < SELDOM):
            return count
        return next((p for p in range(least, min(least + TRIED, count // 2 + 1)) if self.fits_ring(members, p)), count)

    def fits_ring(self, members: Sequence[int], length: int) -> bool:
        """Whether members that are so far apart in their class, or a multiple of it, are never needed at a time."""
        made, last = np.array([self.made[i] for i in members]), np.array([self.last[i] for i in members])
        order = np.lexsort([made, np.arange(len(members)) % length])
        same = np.diff(order % length) == 0
        return bool(np.all(last[order][:-1][same] < made[order][1:][same]))

    def _times(self, members: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """When the members are computed, ascending, and when each of them is read for the last time."""
        times = sorted((self.made[i], self.last[i]) for i in members)
        return np.array([made for made, _ in times]), np.array([last for _, last in times])


def uses_of(classes: Classes, batches: Sequence[Batch], kept: Collection[int]) -> Uses:
    """The uses of all items; those `kept` are read at the end."""
    count = len(classes.items)
    made, first, last = [-1] * count, [-1] * count, [-1] * count
    times = [0] * count
    for number, batch in enumerate(batches):
        for row in batch.rows:
            for i in row:
                made[i] = number
                for arg in classes.items[i].args:
                    if last[arg] < 0:
                        first[arg] = number
                    last[arg] = number
                    times[arg] += 1
    for i in kept:
        last[i] = len(batches)
    return Uses(made, first, last, times)
