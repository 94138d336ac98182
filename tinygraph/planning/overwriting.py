"""Homes: values that are overwritten by what is computed from them, so that both have one place."""

from __future__ import annotations

from collections.abc import Sequence

from .classes import Classes
from .items import HALF_SIGMOID, PLUS, PRODUCT, SUM, like
from .uses import Uses

STACK = 2  # more terms than this are added up in one call
IN_PLACE = (SUM, PLUS, PRODUCT, HALF_SIGMOID, "tanh", "sigmoid")


class Home:
    """Where a value is overwritten by what is computed from it, member by member: both have one place."""

    def __init__(self, count: int) -> None:
        self.next = list(range(count))

    def of(self, i: int) -> int:
        while self.next[i] != i:
            i = self.next[i]
        return i


def homes(classes: Classes, uses: Uses) -> Home:
    """For each class one operand at most, best one from outside of the recurrence, which needs room for all members.

    Operands that are a whole class take the places of what is computed from them; if there are more of that class,
    such as the gradient by a last state, to which no later step adds, they keep theirs.
    """
    items, of, part_of = classes.items, classes.of, classes.part_of
    home = Home(len(items))
    for number, members in enumerate(classes.members):
        first = items[members[0]]
        if first.op not in IN_PLACE:
            continue
        terms = range(1 if first.op == PLUS else len(first.args))  # of a product, no factor may be overwritten
        sources = {slot: of[first.args[slot]] for slot in terms if _overwritten(classes, uses, home, members, slot)}
        outside = [s for s in sources if part_of[sources[s]] != part_of[number]]
        slots = outside or list(sources)
        if first.op == SUM and len(first.args) > STACK:
            slots = outside  # the terms from inside are added up in one call, from side by side
        whole = [s for s in slots if len(classes.members[sources[s]]) == len(members)]
        for slot in (whole or slots)[:1]:
            for i in members:
                arg = items[i].args[slot]
                kept, moved = (i, arg) if whole else (arg, i)
                home.next[moved] = kept
    return home


def _overwritten(classes: Classes, uses: Uses, home: Home, members: Sequence[int], slot: int) -> bool:
    """Whether the operands in a slot are of one class, each for this use alone, of the result's own size."""
    items, of = classes.items, classes.of
    if len({of[items[i].args[slot]] for i in members}) > 1:
        return False
    first = items[members[0]]
    if first.op == SUM and first.attrs[slot] != 1 and first.attrs != (1, -1):
        return False
    for i in members:
        arg = items[i].args[slot]
        one, whole = items[arg], items[i]
        if one.leaf or home.next[arg] != arg or not like(one, whole):
            return False
        if uses.count[arg] != 1 or uses.last[arg] != uses.made[i]:
            return False
    return True
