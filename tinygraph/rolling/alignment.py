"""Alignment: the members of every class in one order of time, and the time of the first one.

A class that reads another one backwards is turned round, so that a gradient runs in the order of its net.
Times are relative: what the last made member of a class reads is at its own time, if it is the last made
of its class itself. In the last step of h_t = tanh(W x_t + U h_{t-1}) these are the product W x_T, the
product U h_{T-1} and their sum, but not h_{T-1}; so the delay comes to stand between the state and U.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from .keys import Args

PARTS = 4  # into which one class may be split
ENOUGH = 64  # members that tell a direction


def separated(ordered: Sequence[list[int]], of: Sequence[int], args: Args) -> list[int]:
    """A name for the class of each node, where those are split in which two members read one node.

    outer(d_t, h_{t-1}), outer(d_t, h_{t-2}): of one class, but of two parts, each in step with d and h.
    """
    place = {i: k for members in ordered if len(members) > 1 for k, i in enumerate(members)}
    names = list(of)
    for members in ordered:
        for part in _in_step(members, of, args, place)[1:]:
            for i in part:
                names[i] = -1 - part[0]  # no class has that one
    return names


def _in_step(members: list[int], of: Sequence[int], args: Args, place: Mapping[int, int]) -> list[list[int]]:
    """The members by the distances between their operands, if these are a few and each holds for several members."""
    slots = range(len(args[members[0]]))
    if len(members) == 1 or all(_differ(members, slot, args, place) for slot in slots):
        return [members]
    parts: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for i in members:
        operands = [arg for arg in args[i] if arg in place]
        parts.setdefault(tuple([(of[arg], place[arg] - place[operands[0]]) for arg in operands]), []).append(i)
    found = list(parts.values())
    steady = len(found) <= PARTS and min(map(len, found)) > 1
    return found if steady and all(_differ(part, slot, args, place) for part in found for slot in slots) else [members]


def _differ(members: Sequence[int], slot: int, args: Args, place: Mapping[int, int]) -> bool:
    """Whether no two members read one node in this slot, or it is one of no class, such as a weight."""
    read = [args[i][slot] for i in members if args[i][slot] in place]
    return len(set(read)) == len(read)


class Offsets:
    """A whole number for each class, known up to one more number for each group of classes that are tied together."""

    def __init__(self, classes: Iterable[int]) -> None:
        self.of = dict.fromkeys(classes, 0)
        self.group = {number: [number] for number in self.of}

    def tie(self, a: int, b: int, difference: int) -> None:
        """Let b have `difference` more than a, unless the two are tied already."""
        kept, moved = self.group[a], self.group[b]
        if kept is moved:
            return
        shift = self.of[a] + difference - self.of[b]
        if len(kept) < len(moved):
            kept, moved, shift = moved, kept, -shift
        for number in moved:
            self.of[number] += shift
            self.group[number] = kept
        kept += moved

    def above(self, choose: Callable[[list[int]], int]) -> dict[int, int]:
        """The numbers, from 0 for the one class of each group that is chosen from it."""
        zero = {id(group): self.of[choose(group)] for group in self.group.values()}
        return {number: offset - zero[id(self.group[number])] for number, offset in self.of.items()}


def in_order(classes: Sequence[list[int]], of: Sequence[int], args: Args) -> list[list[int]]:
    """The members of each class (given ascending) in one direction; the earliest class of a group as it was made."""
    place = {i: k for members in classes if len(members) > 1 for k, i in enumerate(members)}
    turns = Offsets(number for number, members in enumerate(classes) if len(members) > 1)
    for number in turns.of:
        for source, direction in _directions(classes[number], of, args, place):
            turns.tie(source, number, int(direction < 0))
    turned = turns.above(min)
    return [members[::-1] if turned.get(n, 0) % 2 else members for n, members in enumerate(classes)]


def _directions(
    members: list[int], of: Sequence[int], args: Args, place: Mapping[int, int]
) -> Iterator[tuple[int, int]]:
    """The classes that members read in turn, with the number of steps on minus that of steps back, if not 0."""
    for slot in range(len(args[members[0]])):
        steps: dict[int, int] = {}
        for one, other in pairwise(members[:ENOUGH]):
            a, b = args[one][slot], args[other][slot]
            if of[a] == of[b] and a in place and of[a] != of[one]:
                steps[of[a]] = steps.get(of[a], 0) + (place[b] > place[a]) - (place[b] < place[a])
        yield from ((source, balance) for source, balance in steps.items() if balance)


def first_times(ordered: Sequence[list[int]], of: Sequence[int], args: Args, cyclic: Sequence[bool]) -> dict[int, int]:
    """The time of the first member of each class that has several members or is on a cycle."""
    timed = [number for number, members in enumerate(ordered) if len(members) > 1 or cyclic[number]]
    place = {i: k for number in timed for k, i in enumerate(ordered[number])}
    clock = Offsets(timed)
    for last_made in (True, False):
        for number in timed:
            for source, offset, both_last in _steady(ordered, number, of, args, place):
                if both_last or not last_made:
                    clock.tie(source, number, offset)
    return {n: 1 + t for n, t in clock.above(lambda group: min(group, key=clock.of.__getitem__)).items()}


def _steady(
    ordered: Sequence[list[int]], number: int, of: Sequence[int], args: Args, place: dict[int, int]
) -> Iterator[tuple[int, int, bool]]:
    """What the last made member reads in step with its neighbour: the class, the offset, and if that is last made."""
    members = ordered[number]
    last = max(members[0], members[-1])
    other = last if len(members) == 1 else members[1] if last == members[0] else members[-2]
    for arg, beside in zip(args[last], args[other], strict=True):
        source = of[arg]
        if arg not in place:
            continue
        if of[beside] != source or place[arg] - place[beside] == place[last] - place[other]:
            is_last = arg == max(ordered[source][0], ordered[source][-1])
            yield source, place[arg] - place[last], is_last
