"""Which calls of a program wait for each other: the longest chain of them, and what lies on it.

A call waits for those that compute what it reads, and for earlier ones that work on the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .emission import Call
from .items import Item


@dataclass(frozen=True)
class Chains:
    """The length of the longest chain of calls, and whether each call lies on one of that length."""

    length: int
    critical: tuple[bool, ...]


def chains(items: Sequence[Item], calls: Sequence[Call]) -> Chains:
    """The longest chains among the calls of a program, in their order."""
    last: dict[int, int] = {}  # the latest call that computed an item
    waits: list[set[int]] = []
    for number, call in enumerate(calls):
        own = [i for row in call.items for i in row]
        waits.append({last[i] for i in own if i in last})
        waits[-1].update(last[arg] for i in own for arg in items[i].args if arg in last)
        last.update(dict.fromkeys(own, number))
    above = [0] * len(calls)  # how many calls must come before
    for number, earlier in enumerate(waits):
        above[number] = max([above[k] + 1 for k in earlier], default=0)
    below = [0] * len(calls)  # how many must come after
    for number in range(len(calls) - 1, -1, -1):
        for k in waits[number]:
            below[k] = max(below[k], below[number] + 1)
    length = 1 + max(above, default=-1)
    return Chains(length, tuple([a + b + 1 == length for a, b in zip(above, below, strict=True)]))
