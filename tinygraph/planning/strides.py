"""Strided views over the places of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ..errors import GraphError

Array = np.ndarray[Any, Any]


@dataclass(slots=True, frozen=True)
class Strided:
    """Elements of a buffer: shape and strides in elements."""

    buffer: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, buffers: Sequence[Array]) -> Array:
        """The view. Raises `GraphError` where it would reach beyond its buffer: a mistake of the planner."""
        base = buffers[self.buffer]
        reach = [s * (n - 1) for n, s in zip(self.shape, self.strides, strict=True)]
        first, last = self.offset + sum(min(r, 0) for r in reach), self.offset + sum(max(r, 0) for r in reach)
        if 0 not in self.shape and not 0 <= first <= last < base.size:
            raise GraphError(f"a plan looked at elements {first}..{last} of a buffer of {base.size}")
        size = base.itemsize
        return np.ndarray(self.shape, base.dtype, base, self.offset * size, [s * size for s in self.strides])

    def merged(self, start: int, stop: int) -> Strided | None:
        """Axes start..stop-1 as one axis, if they stand so."""
        axes = [(n, s) for n, s in zip(self.shape[start:stop], self.strides[start:stop], strict=True) if n != 1]
        if any(s != inner_n * inner_s for (_, s), (inner_n, inner_s) in pairwise(axes)):
            return None
        n, s = prod(self.shape[start:stop]), axes[-1][1] if axes else 0
        return replace(
            self,
            shape=(*self.shape[:start], n, *self.shape[stop:]),
            strides=(*self.strides[:start], s, *self.strides[stop:]),
        )

    def flat(self, start: int) -> Strided:
        """The axes from `start` on, which stand in a row, as one."""
        n = prod(self.shape[start:])
        return replace(self, shape=(*self.shape[:start], n), strides=(*self.strides[:start], 1))


def collapsed(views: Sequence[Strided]) -> list[Strided]:
    """The same elements over as few axes as all views allow: NumPy then runs its shortest loops."""
    rank = len(views[0].shape)
    shape = [0 if 0 in sizes else max(sizes) for sizes in zip(*[view.shape for view in views], strict=True)]
    strides = [
        [s if n == full else 0 for n, s, full in zip(view.shape, view.strides, shape, strict=True)] for view in views
    ]
    kept: list[int] = []
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in views]
    for axis in range(rank - 1, -1, -1):
        if shape[axis] == 1:
            continue
        if kept and all(own[axis] == known[-1] * sizes[-1] for own, known in zip(strides, steps, strict=True)):
            sizes[-1] *= shape[axis]
            continue
        kept.append(axis)
        sizes.append(shape[axis])
        for own, known in zip(strides, steps, strict=True):
            known.append(own[axis])
    return [
        replace(view, shape=tuple(sizes[::-1]), strides=tuple(known[::-1]))
        for view, known in zip(views, steps, strict=True)
    ]


def step_between(offsets: Sequence[int]) -> int | None:
    """The difference of a progression (0 for a single one), None where it is none."""
    if len(offsets) == 1:
        return 0
    step = offsets[1] - offsets[0]
    return step if all(b - a == step for a, b in pairwise(offsets)) else None
