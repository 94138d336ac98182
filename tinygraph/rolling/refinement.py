"""Refinement: a cycle of classes that is none of nodes is cut by splitting a class that plays two parts.

Unification can unite too much. With members a1 -> b1 and b2 -> a2 of classes A and B the classes read each
other in a circle, though no node is ever reached from its own class. And a class that holds a step of the
forward sweep and one of the backward sweep ties the two into one cycle. So in every cycle

  - if no path goes round it more than once, each class is split by whether it has gone round,
  - if there is a class of which no member reaches another, each class is split by what comes after it,
  - and a class that reads several classes of the cycle in one slot is split by which one it reads

where that takes the parts off the cycle, or onto two. To read from outside the cycle makes no part of its own:
that is the first step, which reads the initial state.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from .condensation import components, is_cycle
from .keys import Args

ROUNDS = 12  # each splits at least one class; the nets met take one or two
SHORT = 2  # rounds of a cycle that are unrolled, where this makes no class smaller than two on average
LARGEST = 512  # classes in a cycle: a larger one is left as it is, since the search for paths takes a bit for each


def refine(of: Sequence[int], args: Args) -> list[int]:
    """A partition that is finer where cycles of classes are spurious. Each class is named by its first member."""
    of = list(of)
    pending = _cycles(range(len(of)), of, args)
    for _ in range(ROUNDS):
        split = [nodes for nodes in pending if _split(nodes, of, args)]
        pending = [cycle for nodes in split for cycle in _cycles(nodes, of, args)]
    return of


def _cycles(nodes: Sequence[int], of: Sequence[int], args: Args) -> list[list[int]]:
    """The nodes of each cycle of classes among `nodes`, ascending."""
    sources = edges(nodes, {i: of[i] for i in nodes}, args)
    cyclic = {c: n for n, part in enumerate(components(sources)) if is_cycle(part, sources) for c in part}
    found: dict[int, list[int]] = {}
    for i in nodes:
        if of[i] in cyclic:
            found.setdefault(cyclic[of[i]], []).append(i)
    return list(found.values())


def edges(nodes: Sequence[int], of: Mapping[int, int], args: Args) -> dict[int, dict[int, None]]:
    """The classes that each class reads, among those of `nodes`, in the order in which they are met."""
    sources: dict[int, dict[int, None]] = {}
    for i in nodes:
        own = sources.setdefault(of[i], {})
        for arg in args[i]:
            if arg in of:
                own[of[arg]] = None
    return sources


def _split(nodes: Sequence[int], of: list[int], args: Args) -> bool:
    """Split the classes of one cycle where that takes their parts off the cycle, or onto two. Whether any was split."""
    if _split_by_rounds(nodes, of, args):
        return True
    above, _ = _above(nodes, of, args)
    name = _early_apart(nodes, of, above)
    above, bit = _above(nodes, name, args)
    sequential = {name[i] for i in nodes if above[i] & bit[name[i]]}
    members = Counter(name.values())
    cuts = sum(bit[n] for n in bit if n not in sequential and members[n] > 1)
    side = {i: (name[i], above[i] & cuts) for i in nodes}
    part = _parts(nodes, side, args, sequential)
    sources = edges(nodes, part, args)
    where = {p: n for n, component in enumerate(components(sources)) for p in component}
    homes: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)  # the components of each side, with members there
    for i in nodes:
        homes[side[i]][where[part[i]]] += 1
    mains = {own: counts.most_common(1)[0] for own, counts in homes.items()}
    first: dict[tuple[int, int], int] = {}
    new = []
    for i in nodes:
        home, (main, size) = where[part[i]], mains[side[i]]
        if homes[side[i]][home] == 1 < size and name[i] in sequential:  # one boundary step is not worth a class
            home = main
        new.append(first.setdefault((name[i], home), i))
    changed = any(of[i] != n for i, n in zip(nodes, new, strict=True))
    for i, n in zip(nodes, new, strict=True):
        of[i] = n
    return changed


def _early_apart(nodes: Sequence[int], of: Sequence[int], above: Mapping[int, int]) -> dict[int, int]:
    """New names for the classes, with another for members that nothing of the cycle comes before, if these are many.

    So is W @ x of the first of two layers with the same weights; the first step of a net is not.
    """
    members = Counter(of[i] for i in nodes)
    early = Counter(of[i] for i in nodes if not above[i])
    apart = {n for n, count in early.items() if 1 < count < members[n] <= 3 * count}
    return {i: 2 * of[i] + (of[i] in apart and not above[i]) for i in nodes}


def _split_by_rounds(nodes: Sequence[int], of: list[int], args: Args) -> bool:
    """Split all classes of a cycle that is short, seen from its nodes, by how often it was gone round. Whether it is.

    So is a net that reads its last output at every second step, and the target in between.
    """
    order = {name: n for n, name in enumerate(dict.fromkeys(of[i] for i in nodes))}
    rounds: dict[int, int] = {}
    for i in nodes:
        own = order[of[i]]
        rounds[i] = max((rounds[a] + (order[of[a]] >= own) for a in args[i] if a in rounds), default=0)
        if rounds[i] >= SHORT:
            return False
    if 2 * SHORT * len(order) > len(nodes):
        return False
    first: dict[tuple[int, int], int] = {}
    new = [first.setdefault((of[i], rounds[i]), i) for i in nodes]
    for i, name in zip(nodes, new, strict=True):
        of[i] = name
    return True


def _parts(
    nodes: Sequence[int], side: Mapping[int, tuple[int, int]], args: Args, sequential: Collection[int]
) -> dict[int, int]:
    """The parts that the classes of one cycle might play, tentatively: a number for each node.

    Members of a class on two sides of a cut are two parts; those that read different classes of the cycle in
    one slot are, too. What reads from outside goes with the most.
    """
    usual: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)  # what of the cycle a class reads in a slot
    for i in nodes:
        if side[i][0] in sequential:
            for slot, arg in enumerate(args[i]):
                if arg in side:
                    usual[side[i][0], slot][side[arg][0]] += 1
    several = {place: counts.most_common(1)[0][0] for place, counts in usual.items() if len(counts) > 1}
    numbers: dict[tuple[int, ...], int] = {}
    parts = {}
    for i in nodes:
        own = side[i][0]
        read = [
            side[arg][0] if arg in side else several[own, slot]
            for slot, arg in enumerate(args[i])
            if (own, slot) in several
        ]
        parts[i] = numbers.setdefault((*side[i], *read), len(numbers))
    return parts


def _above(
    nodes: Sequence[int], of: Sequence[int] | Mapping[int, int], args: Args
) -> tuple[dict[int, int], dict[int, int]]:
    """The classes of a cycle that each node depends on along the cycle, a bit each, and the bit of each class."""
    bit = {name: 1 << n for n, name in enumerate(dict.fromkeys(of[i] for i in nodes))}
    if len(bit) > LARGEST:
        return dict.fromkeys(nodes, -1), bit
    above: dict[int, int] = {}
    for i in nodes:
        mask = 0
        for arg in args[i]:
            if arg in above:
                mask |= above[arg] | bit[of[arg]]
        above[i] = mask
    return above, bit
