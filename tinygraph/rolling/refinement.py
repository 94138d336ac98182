"""Refinement: a cycle of classes that is none of nodes is cut by splitting a class that plays two parts.

Unification can unite too much. With members a1 -> b1 and b2 -> a2 of classes A and B the classes read each
other in a circle, though no node is ever reached from its own class. And a class that holds a step of the
forward sweep and one of the backward sweep ties the two into one cycle. So in every cycle

  - if no path goes round it more than twice, each class is split by how often it has gone round,
  - a class of which no member reaches another is split by which operands are read from the cycle at all,
  - any other class by which of several classes of the cycle are read in one slot,

and those parts that then still are on one cycle are put together again. (To read from outside the cycle is no
second part where members do reach each other: that is the first step, which reads the initial state.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from .condensation import components, is_cycle
from .keys import Args

OUTSIDE = -1  # what is read from outside the cycle
ROUNDS = 12  # each splits at least one class; the nets met take one or two
SHORT = 3  # rounds of a cycle that are unrolled, where this makes no class smaller than two on average
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
    inside = set(nodes)
    read = {i: tuple([of[arg] if arg in inside else OUTSIDE for arg in args[i]]) for i in nodes}
    sequential = _sequential(nodes, of, read, args)
    part = _parts(nodes, of, read, sequential)
    sources = edges(nodes, part, args)
    where = {p: n for n, component in enumerate(components(sources)) for p in component}
    homes: dict[int, Counter[int]] = {}  # the components of each class, with the number of its members there
    for i in nodes:
        homes.setdefault(of[i], Counter())[where[part[i]]] += 1
    first: dict[tuple[int, int], int] = {}
    new = []
    for i in nodes:
        home, own = where[part[i]], homes[of[i]]
        main, size = own.most_common(1)[0]
        if own[home] == 1 < size and of[i] in sequential:  # one boundary step is not worth a class
            home = main
        new.append(first.setdefault((of[i], home), i))
    changed = any(of[i] != name for i, name in zip(nodes, new, strict=True))
    for i, name in zip(nodes, new, strict=True):
        of[i] = name
    return changed


def _split_by_rounds(nodes: Sequence[int], of: list[int], args: Args) -> bool:
    """Split all classes of a cycle that is short, seen from its nodes, by how often it was gone round. Whether it is.

    So is a net that reads its last output at every second step, and the target in between.
    """
    order = {name: n for n, name in enumerate(dict.fromkeys(of[i] for i in nodes))}
    size = Counter(of[i] for i in nodes)
    rounds: dict[int, int] = {}
    for i in nodes:
        own = order[of[i]]
        rounds[i] = max((rounds[a] + (order[of[a]] >= own) for a in args[i] if a in rounds), default=0)
        if rounds[i] >= SHORT:
            return False
    if 2 * (1 + max(rounds.values())) > max(size.values()):
        return False
    first: dict[tuple[int, int], int] = {}
    new = [first.setdefault((of[i], rounds[i]), i) for i in nodes]
    for i, name in zip(nodes, new, strict=True):
        of[i] = name
    return True


def _parts(
    nodes: Sequence[int], of: Sequence[int], read: Mapping[int, tuple[int, ...]], sequential: Collection[int]
) -> dict[int, int]:
    """The parts that the classes of one cycle might play, tentatively: a number for each node."""
    usual: dict[tuple[int, int], Counter[int]] = {}  # of a class and slot: what of the cycle is read there
    for i in nodes:
        if of[i] in sequential:
            for slot, source in enumerate(read[i]):
                if source != OUTSIDE:
                    usual.setdefault((of[i], slot), Counter())[source] += 1
    fill = {place: counts.most_common(1)[0][0] for place, counts in usual.items()}
    numbers: dict[tuple[int, ...], int] = {}
    parts = {}
    for i in nodes:
        classes = read[i]
        if of[i] in sequential:
            pairs = enumerate(classes)
            classes = tuple([fill.get((of[i], slot), OUTSIDE) if c == OUTSIDE else c for slot, c in pairs])
        parts[i] = numbers.setdefault((of[i], *classes), len(numbers))
    return parts


def _sequential(
    nodes: Sequence[int], of: Sequence[int], read: Mapping[int, tuple[int, ...]], args: Args
) -> Collection[int]:
    """The classes of a cycle of which some member reaches another along nodes of the cycle."""
    bit = {name: 1 << n for n, name in enumerate(dict.fromkeys(of[i] for i in nodes))}
    if len(bit) > LARGEST:
        return bit
    above: dict[int, int] = {}  # the classes that a node depends on, a bit each
    found = set()
    for i in nodes:
        mask = 0
        for arg, source in zip(args[i], read[i], strict=True):
            if source != OUTSIDE:
                mask |= above[arg] | bit[source]
        above[i] = mask
        if mask & bit[of[i]]:
            found.add(of[i])
    return found
