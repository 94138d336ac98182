"""The classes of items: each the same step of a rolled net, repeated; and the cycles among them.

A class outside every cycle has members that no path connects: they are computed all at once. What lies on a
cycle is a recurrence, found and not told of. In a recurrence, terms and factors that come from outside are
taken out into an item of their own, which then is no part of it:

    before -> after:    W x_t + U h_{t-1} + b   ->   e_t + U h_{t-1},  e_t = W x_t + b
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from ..rolling.alignment import in_order
from ..rolling.condensation import Sources, components, is_cycle
from ..rolling.keys import FREE, Args, Keys
from ..rolling.refinement import edges, refine
from ..rolling.rerolling import numbered
from ..rolling.unification import sequences, unify
from .items import APPLY, OUTERS, PRODUCT, SCALED, SUM, TOTALS, Item


@dataclass(slots=True)
class Classes:
    """The partition of `items`: class by item, members in one order of time, and components of the class graph.

    `parts` are ascending: each reads those before it. `cyclic` tells which are recurrences. `sources` are the classes
    that each class reads.
    """

    items: list[Item]
    of: list[int]
    members: list[list[int]]
    parts: list[list[int]]
    cyclic: list[bool]
    part_of: list[int]
    sources: Sources


def classes_of(items: list[Item]) -> Classes:
    """Roll the items up."""
    args: Args = [item.args for item in items]
    together = [*_sequences(items), *_sums_over_time(items)]
    names = refine(unify(args, _keys(items), together), args)
    return condensed(items, names, args)


def condensed(items: list[Item], names: Sequence[int], args: Args) -> Classes:
    """The classes of items that have these names."""
    members, of = numbered(names)
    sources = edges(range(len(items)), dict(enumerate(of)), args)
    parts = components(sources)
    part_of = [0] * len(members)
    for number, part in enumerate(parts):
        for one in part:
            part_of[one] = number
    cyclic = [is_cycle(part, sources) for part in parts]
    return Classes(items, of, in_order(members, of, args), parts, cyclic, part_of, sources)


def _sequences(items: Sequence[Item]) -> list[list[int]]:
    leaves = [i for i, item in enumerate(items) if item.leaf]
    return [[leaves[k] for k in group] for group in sequences([items[i].node for i in leaves])]


def _keys(items: Sequence[Item]) -> Keys:
    """As the keys of nodes: operation, attributes, shape, and which weights are read."""
    numbers: dict[Hashable, int] = {}
    keys: list[int] = []
    weight: list[int] = []
    strong: set[int] = set()
    weak: set[int] = set()
    for number, item in enumerate(items):
        common = (item.op, item.attrs, item.shape, item.batched, item.kind)
        if item.leaf:
            fixed = item.op != "input"
            key = numbers.setdefault((*common, number) if fixed else common, len(numbers))
        else:
            read = tuple([weight[i] for i in item.args])
            key = numbers.setdefault((*common, read), len(numbers))
            fixed = not item.batched and FREE not in read and (item.op == SCALED or len(item.shape) > 1)
            if True in [w != FREE and _tells(items[i]) for i, w in zip(item.args, read, strict=True)]:
                (strong if item.op in (APPLY, SUM, "matmul") else weak).add(key)
        keys.append(key)
        weight.append(key if fixed else FREE)
    return Keys(keys, frozenset(strong), frozenset(weak))


def _tells(item: Item) -> bool:
    """Whether reading it tells what part an item plays: a parameter does, a number does not."""
    return item.op in ("parameter", SCALED) or len(item.shape) > 1


def _sums_over_time(items: Sequence[Item]) -> list[list[int]]:
    """What is added up in one sum over terms and batch."""
    found = []
    for item in items:
        if item.op == OUTERS:
            found += [*_alike(items, item.args[::2]), *_alike(items, item.args[1::2])]
        elif item.op == TOTALS:
            found += _alike(items, item.args)
    return found


def _alike(items: Sequence[Item], args: Iterable[int]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for i in args:
        item = items[i]
        if not item.leaf or item.op == "input":
            groups.setdefault((item.op, item.attrs, len(item.args)), []).append(i)
    return [group for group in groups.values() if len(group) > 1]


def take_out_early(classes: Classes) -> tuple[Classes, list[int]]:
    """Split sums and products on a cycle into what comes from outside and the rest; where each item went."""
    items, part_of, of = classes.items, classes.part_of, classes.of
    late: dict[int, set[int]] = {}  # of a class: the slots in which some member reads its own cycle
    for number, members in enumerate(classes.members):
        if classes.cyclic[part_of[number]] and items[members[0]].op in (SUM, PRODUCT):
            late[number] = {
                slot for i in members for slot, arg in enumerate(items[i].args) if part_of[of[arg]] == part_of[number]
            }
    new: list[Item] = []
    names: list[int] = []  # the class of each new item: its old number, or one of an early class
    place: list[int] = []
    for i, item in enumerate(items):
        slots = late.get(of[i])
        args = tuple([place[arg] for arg in item.args])
        if slots is not None and len(args) - len(slots) > 1:
            early = [slot for slot in range(len(args)) if slot not in slots]
            made = _early(item, tuple([args[s] for s in early]), early, new)
            names.append(len(classes.members) * (1 + made.batched) + of[i])  # the first step may have nothing fed
            new.append(made)
            kept = [s for s in range(len(args)) if s in slots]
            signs = () if item.op == PRODUCT else (1, *[item.attrs[s] for s in kept])
            item.args, item.attrs = (len(new) - 1, *[args[s] for s in kept]), signs
        else:
            item.args = args
        place.append(len(new))
        names.append(of[i])
        new.append(item)
    return condensed(new, by_first(names), [item.args for item in new]), place


def _early(item: Item, args: tuple[int, ...], slots: Sequence[int], items: Sequence[Item]) -> Item:
    attrs = () if item.op == PRODUCT else tuple([item.attrs[s] for s in slots])
    return Item(item.op, attrs, args, item.shape, any(items[i].batched for i in args), item.kind, item.node)


def by_first(names: Sequence[int]) -> list[int]:
    """For each name the first place that has it."""
    first: dict[int, int] = {}
    return [first.setdefault(name, i) for i, name in enumerate(names)]
