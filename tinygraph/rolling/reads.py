"""Reads: which members of which class the members of a class read, as few regular patterns.

    member i of the class reads, in slot j, member  start + by_member * a + by_slot * b  of class `source`,
    where i is the a-th of `members` and j the b-th of `slots`

A weight is read with both strides 0, a state with stride 1 by member, the terms of a sum over time with
stride 1 by slot. What is irregular takes more patterns, each of them exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .keys import Args

PERIODS = (2, 3, 4)  # of what alternates, such as a cell that is applied twice a step

Progression = tuple[range, int, int]  # the k of a run, its first value, and by how much the value grows


@dataclass(frozen=True, slots=True)
class Read:
    """One pattern; see above. `members` and `slots` are those of the reader."""

    source: int
    slots: range
    members: range
    start: int
    by_member: int
    by_slot: int

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """All (member, slot, member of the source)."""
        for b, slot in enumerate(self.slots):
            for a, member in enumerate(self.members):
                yield member, slot, self.start + self.by_member * a + self.by_slot * b


def reads_of(members: Sequence[int], of: Sequence[int], place: Sequence[int], args: Args) -> tuple[Read, ...]:
    """The patterns of one class, from the class and place of every node, in the order of slots."""
    rows: dict[tuple[int, range, int], list[tuple[int, int]]] = {}  # equal in all but slot and start
    for slot in range(len(args[members[0]])):
        read: dict[int, list[tuple[int, int]]] = {}
        for k, i in enumerate(members):
            arg = args[i][slot]
            read.setdefault(of[arg], []).append((k, place[arg]))
        for source, pairs in read.items():
            for which, start, stride in regular(pairs):
                rows.setdefault((source, which, stride), []).append((slot, start))
    found = [
        Read(source, slots, which, start, stride, by_slot)
        for (source, which, stride), pairs in rows.items()
        for slots, start, by_slot in regular(pairs)
    ]
    return tuple(sorted(found, key=lambda read: (read.slots[0], read.members[0])))


def regular(pairs: Sequence[tuple[int, int]]) -> list[Progression]:
    """The progressions of all pairs, or of every second, third or fourth one if these are fewer."""
    best = list(progressions(pairs))
    for period in PERIODS:
        if len(best) > 2 * period:
            found = [run for phase in range(period) for run in progressions(pairs[phase::period])]
            best = min(best, found, key=len)
    return best


def progressions(pairs: Sequence[tuple[int, int]]) -> Iterator[Progression]:
    """Pairs (k, value), k ascending, as runs in which both grow steadily.

    A run of two that goes on otherwise gives up its first pair, unless it moves in step or stands still.
    """
    run: list[tuple[int, int]] = []
    step = stride = 0
    for k, value in pairs:
        if len(run) > 1 and (k - run[-1][0], value - run[-1][1]) != (step, stride):
            if len(run) == 2 and stride not in (0, step):
                yield _progression(run[:1])
                run = run[1:]
            else:
                yield _progression(run)
                run = []
        if len(run) == 1:
            step, stride = k - run[0][0], value - run[0][1]
        run.append((k, value))
    if run:
        yield _progression(run)


def _progression(run: Sequence[tuple[int, int]]) -> Progression:
    (k, value), (last, _) = run[0], run[-1]
    if len(run) == 1:
        return range(k, k + 1), value, 0
    step = run[1][0] - k
    return range(k, last + 1, step), value, run[1][1] - value
