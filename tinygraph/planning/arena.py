"""Room shared by lifetime: buffers that are never in use at the same time stand in the same bytes.

Lifetimes are whole intervals of batches, ends included: what a batch reads and what it writes never share. The
largest buffers are placed first, each as low as the buffers it meets in time allow (greedy by size; Pisarchyk and
Lee 2020, arXiv:2001.03288). Small ones are not worth the search, and have room of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALIGNED = 64  # bytes: a line of the cache, and the longest vector of a processor
WORTH = 1 << 14  # bytes from which a buffer is worth a place that it shares
MOST = 512  # buffers that are placed by search, whose time is quadratic in their number


@dataclass(slots=True, frozen=True)
class Lifetime:
    """The first batch that writes, or needs, what stands in a buffer, and the last that reads it."""

    born: int
    dies: int

    def meets(self, other: Lifetime) -> bool:
        return self.born <= other.dies and other.born <= self.dies


@dataclass(slots=True)
class Arena:
    """Where each buffer begins, in bytes, and how many bytes there are; `shared` are those that others overwrite."""

    offsets: list[int]
    size: int
    shared: frozenset[int]

    def allocate(self, sizes: Sequence[int], dtypes: Sequence[np.dtype]) -> tuple[np.ndarray, list[np.ndarray]]:
        """All bytes, zeros; and the buffers in them, one-dimensional, of so many elements each."""
        room = np.zeros(self.size + ALIGNED, np.uint8)
        room = room[-room.ctypes.data % ALIGNED :]
        buffers = [
            room[offset : offset + size * dtype.itemsize].view(dtype)
            for offset, size, dtype in zip(self.offsets, sizes, dtypes, strict=True)
        ]
        return room, buffers


def arrange(sizes: Sequence[int], lifetimes: Sequence[Lifetime]) -> Arena:
    """Places for buffers of so many bytes."""
    sizes = [-(-size // ALIGNED) * ALIGNED for size in sizes]
    order = sorted(range(len(sizes)), key=lambda k: (-sizes[k], lifetimes[k].born, k))
    worth = [k for k in order[:MOST] if sizes[k] >= WORTH]
    offsets = [0] * len(sizes)
    placed: list[int] = []
    for k in worth:
        met = sorted((offsets[other], sizes[other]) for other in placed if lifetimes[k].meets(lifetimes[other]))
        offsets[k] = _gap(met, sizes[k])
        placed.append(k)
    end = max((offsets[k] + sizes[k] for k in placed), default=0)
    for k in order[len(worth) :]:
        offsets[k] = end
        end += sizes[k]
    return Arena(offsets, end, frozenset(_overlapping(worth, offsets, sizes)))


def _gap(met: Sequence[tuple[int, int]], size: int) -> int:
    """The start of the smallest gap that is large enough, between the ranges that are in use; else behind them."""
    best, room, free = -1, 0, 0
    for start, length in met:
        if start - free >= size and (best < 0 or start - free < room):
            best, room = free, start - free
        free = max(free, start + length)
    return best if best >= 0 else free


def _overlapping(placed: Sequence[int], offsets: Sequence[int], sizes: Sequence[int]) -> set[int]:
    """Buffers of which some byte belongs to another too."""
    found: set[int] = set()
    end, last = -1, -1
    for k in sorted(placed, key=lambda k: offsets[k]):
        if offsets[k] < end:
            found |= {k, last}
        if offsets[k] + sizes[k] > end:
            end, last = offsets[k] + sizes[k], k
    return found
