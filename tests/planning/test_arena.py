"""Buffers that are in use at one time stand apart; those that are not share their bytes."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.planning.arena import ALIGNED, WORTH, Arena, Lifetime, arrange
from tinygraph.planning.uses import Uses


def random_buffers(seed: int) -> tuple[list[int], list[Lifetime]]:
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(1, 8 * WORTH, 60)]
    born = rng.integers(0, 40, 60)
    return sizes, [Lifetime(int(b), int(b + rng.integers(0, 12))) for b in born]


def bytes_in_use(arena: Arena, sizes: list[int]) -> list[set[int]]:
    """The lines of the cache that each buffer takes."""
    return [
        set(range(start // ALIGNED, -(-(start + size) // ALIGNED)))
        for start, size in zip(arena.offsets, sizes, strict=True)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_what_meets_in_time_does_not_meet_in_space(seed):
    sizes, lifetimes = random_buffers(seed)
    arena = arrange(sizes, lifetimes)
    lines = bytes_in_use(arena, sizes)
    sharing = set()
    for a in range(len(sizes)):
        for b in range(a):
            if lines[a] & lines[b]:
                assert not lifetimes[a].meets(lifetimes[b])
                sharing |= {a, b}
    assert arena.shared == sharing
    least = max(sum(s for s, one in zip(sizes, lifetimes, strict=True) if one.born <= t <= one.dies) for t in range(60))
    assert least <= arena.size < 1.5 * least < sum(sizes)


def test_buffers_are_aligned_zeros_of_their_kind():
    arena = arrange([80, 9, 24], [Lifetime(0, 9)] * 3)
    dtypes = [np.dtype(np.float64), np.dtype(bool), np.dtype(np.int64)]
    room, found = arena.allocate([10, 9, 3], dtypes)
    assert [(one.size, one.dtype) for one in found] == list(zip([10, 9, 3], dtypes, strict=True))
    assert all(one.ctypes.data % ALIGNED == 0 and not one.any() for one in found)
    assert all(np.shares_memory(room, one) for one in found)
    assert not any(np.shares_memory(a, b) for a in found for b in found if a is not b)


def test_nothing_and_nothing_large():
    assert arrange([], []).size == 0
    assert not arrange([8] * 4, [Lifetime(k, k) for k in range(4)]).shared  # too small to be worth a search


def test_layers_share_the_room_of_their_backward_passes():
    """A layer's local derivatives and cotangents are needed in its own backward pass alone."""

    def size(layers: int) -> int:
        net = models.stack(models.lstm, 20, layers=layers, I=64, H=64)
        loss = models.softmax_cross_entropy(models.readout(net, 4))
        return tg.plan([loss, tg.grad(loss, net.graph.parameters)]).program(16).arena.size

    one, two, three = (size(layers) for layers in (1, 2, 3))
    kept = 7 * 20 * 16 * 64 * 4 + 8 * 64 * 64 * 4 * 2  # i f g o c tanh(c) h; eight matrices and their gradients
    assert three - two < 1.3 * kept < one


def test_parts_that_are_computed_twice_take_their_places_in_turns():
    """Of a net that is recomputed in segments, a plan holds one segment and the states between them."""

    def size(steps: int, **how: int) -> int:
        net = tg.unroll(models.lstm, steps, I=4, H=32)
        loss = models.softmax_cross_entropy(models.readout(net, 4))
        roots = [loss, tg.grad(loss, net.graph.parameters)]
        return tg.plan(tg.recompute(roots, **how).roots if how else roots).program(32).arena.size

    twelve = size(144, segments=12)
    assert twelve < 0.5 * size(144)
    assert twelve < 2.6 * size(36, segments=6)  # as the root of the steps, and what is fed


def test_rings():
    """Values of segments of nine steps, each needed until its own segment has been left backwards."""
    spans = [(100 * s + k, 100 * s + 50 - k) for s in range(4) for k in range(9)]
    uses = Uses([a for a, _ in spans], [b for _, b in spans], [b for _, b in spans], [])
    assert uses.ring(range(36)) == 9
    assert not uses.fits_ring(range(36), 8)
    assert uses.fits_ring(range(36), 18)
    uses.last[0] = 350  # the first value is kept
    assert uses.ring(range(36)) == 36
    assert uses.ring(range(1, 9)) == 8
    assert Uses([3, 5, 7], [4, 6, 8], [4, 6, 8], []).ring(range(3)) == 1
    assert Uses([3, 5, 7], [5, 6, 8], [5, 6, 8], []).ring(range(3)) == 3  # one is read while the next is written
