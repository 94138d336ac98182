"""Unification: which nodes of a tape are one step of the rolled net, repeated.

If two nodes are the same step, then so are their operands (where these have equal keys: the first step
may read a constant where the others read a state). From a few nodes that surely belong together this
spreads over the whole net:

    v ~ w  =>  arg_j(v) ~ arg_j(w)          downward, for each class, slot and key
    all arg_j(v) ~ arg_j(w)  =>  v ~ w      upward

Any partition that this ends with is right, in the sense that the rolled net unrolls to the same tape;
the finer ones are only longer. So the weaker rules below may guess, and rounds may be counted.

References: Huet 1976, "Résolution d'équations dans des langages d'ordre 1, 2, ..., omega" (unification
closure by union-find); Downey, Sethi and Tarjan 1980, doi:10.1145/322217.322228 (congruence closure).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from ..graph.node import Node
from ..graph.steps import Steps
from .keys import Args, Keys

ROUNDS = 12  # enough for every net met; more would find a coarser partition at a cost that is not linear
SEVERAL = 3  # users that are taken for steps; two may be those of two layers or directions
PARTS = 3  # equal values that may play a part each
DEPTH = 8  # how many levels of operands must look alike where no weight says that two nodes belong together


class Unifier:
    """A partition of nodes that is closed downward whenever two are united."""

    def __init__(self, args: Args, key: Sequence[int]) -> None:
        self.args, self.key = args, key
        self.parent = list(range(len(args)))
        self.size = [1] * len(args)
        self._kinds = max(key, default=0) + 1
        self._reads: dict[int, dict[int, int]] = {}  # of a class: (slot, key) -> one operand that it reads there

    def find(self, i: int) -> int:
        """The first node of the class of `i`."""
        parent = self.parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def alone(self, i: int) -> bool:
        return self.size[i] == 1 and self.parent[i] == i

    def unite(self, i: int, j: int) -> bool:
        """Make two nodes of equal key one class, and what follows downward. Whether anything changed."""
        pending, changed, find = [(i, j)], False, self.find
        while pending:
            i, j = pending.pop()
            a, b = find(i), find(j)
            if a != b:
                self._join(min(a, b), max(a, b), pending)
                changed = True
        return changed

    def unite_groups(self, groups: Iterable[Sequence[int]]) -> bool:
        """Make each group one class. Whether anything changed."""
        changed = False
        for first, *others in groups:
            for other in others:
                changed |= self.unite(first, other)
        return changed

    def _join(self, a: int, b: int, pending: list[tuple[int, int]]) -> None:
        """Class b becomes part of class a; the operands that both read in a slot, of one key, are to be united."""
        self.parent[b] = a
        self.size[a] += self.size[b]
        reads, other = self._reads.pop(a, None) or dict(self._alone(a)), self._reads.pop(b, None)
        if other is not None and len(reads) < len(other):
            reads, other = other, reads
        for entry, operand in self._alone(b) if other is None else other.items():
            known = reads.setdefault(entry, operand)
            if known != operand:
                pending.append((known, operand))
        self._reads[a] = reads

    def _alone(self, i: int) -> list[tuple[int, int]]:
        """What a class of one reads."""
        kinds, key = self._kinds, self.key
        return [(slot * kinds + key[arg], arg) for slot, arg in enumerate(self.args[i])]


def unify(args: Args, keys: Keys, together: Iterable[Sequence[int]] = ()) -> list[int]:
    """The class of each node, named by its first member. Nodes are ascending and closed under operands.

    `together` are groups of nodes of equal key that are known to be one step each.
    """
    unifier = Unifier(args, keys.of)
    _unite_equal_keys(unifier, keys.strong)
    unifier.unite_groups(together)
    copy = _copies(args, keys.of)
    for _ in range(ROUNDS):
        if _unite_congruent(unifier, copy):
            continue
        guesses = (_unite_terms, _unite_parallel, _unite_weak, _unite_lookalikes)
        if not any(guess(unifier, keys) for guess in guesses):
            break
    return [unifier.find(i) for i in range(len(args))]


def _unite_equal_keys(unifier: Unifier, wanted: frozenset[int]) -> None:
    """W @ x_1, ..., W @ x_T are one step; U @ h_t is another."""
    first: dict[int, int] = {}
    for i, key in enumerate(unifier.key):
        if key in wanted:
            unifier.unite(first.setdefault(key, i), i)


def sequences(nodes: Sequence[Node]) -> list[list[int]]:
    """The inputs that one feed is bound to, feed by feed."""
    found: dict[str, list[int]] = {}
    for i, node in enumerate(nodes):
        if node.op.name == "input" and isinstance(node.graph.inputs[node.attrs["name"]], Steps):
            found.setdefault(node.attrs["name"], []).append(i)
    return list(found.values())


def _copies(args: Args, key: Sequence[int]) -> list[int]:
    """Which of a few nodes with equal keys and the same operands a node is: 1 - z_t in a net, and in its gradient.

    Many are no parts but steps, such as one constant spread to all of them; they count as the first.
    """
    made: dict[Hashable, list[int]] = {}
    for i, operands in enumerate(args):
        if operands:
            made.setdefault((key[i], operands), []).append(i)
    copy = [0] * len(args)
    for nodes in made.values():
        if 1 < len(nodes) <= PARTS:
            for number, i in enumerate(nodes):
                copy[i] = number
    return copy


def _unite_congruent(unifier: Unifier, copy: Sequence[int]) -> bool:
    """Equal keys and operands of equal classes, in one ascending pass: a change reaches the users above it."""
    first: dict[Hashable, int] = {}
    find, parent, key, changed = unifier.find, unifier.parent, unifier.key, False
    for i, operands in enumerate(unifier.args):
        if operands:
            classes = [p if parent[p := parent[arg]] == p else find(arg) for arg in operands]
            other = first.setdefault((key[i], copy[i], *classes), i)
            if other != i and parent[other] != parent[i] and unifier.unite(other, i):
                changed = True
    return changed


# Guesses, in this order, for nodes that are alone when nothing surer is left.
def _unite_terms(unifier: Unifier, keys: Keys) -> bool:
    """d_T + ... + d_2 + d_1: a term joins the one class of its key that gives several terms of the same sum."""
    changed = False
    for operands in unifier.args:
        if len(operands) > 2:
            count = Counter((keys.of[arg], unifier.find(arg)) for arg in operands)
            homes: dict[int, list[int]] = {}
            for (key, name), terms in count.items():
                if terms > 1:
                    homes.setdefault(key, []).append(name)
            for arg in operands:
                if unifier.alone(arg) and len(homes.get(keys.of[arg], ())) == 1:
                    changed |= unifier.unite(homes[keys.of[arg]][0], arg)
    return changed


def _unite_weak(unifier: Unifier, keys: Keys) -> bool:
    """u * h_1, u * h_2, ...: the same elementwise operation with the same weight, if no product says more."""
    if keys.strong:
        return False
    groups: dict[int, list[int]] = {}
    for i, key in enumerate(keys.of):
        if key in keys.weak:
            groups.setdefault(key, []).append(i)
    return unifier.unite_groups([group for group in groups.values() if all(map(unifier.alone, group))])


def _unite_parallel(unifier: Unifier, keys: Keys) -> bool:
    """s_2 = L_1 + L_2, s_3 = s_2 + L_3, ...: each member of a class has one user of its kind."""
    groups: dict[tuple[int, int, int], list[int]] = {}
    for i, operands in enumerate(unifier.args):
        if unifier.alone(i):
            for slot, arg in enumerate(operands):
                if arg not in keys.weights and not unifier.alone(arg):
                    groups.setdefault((unifier.find(arg), slot, keys.of[i]), []).append(i)
    return unifier.unite_groups(
        users
        for (_, slot, _), users in groups.items()
        if len(users) >= SEVERAL and len({unifier.args[i][slot] for i in users}) == len(users)
    )


def _unite_lookalikes(unifier: Unifier, keys: Keys) -> bool:
    """h_t = tanh(h_{t-1}): alike for `DEPTH` levels of operands that are alone, with no weight that could tell."""
    alone = [i for i in range(len(unifier.args)) if unifier.alone(i) and unifier.args[i]]
    look = {i: (0, keys.of[i]) for i in alone}  # how many levels were seen, and what they look like
    for _ in range(DEPTH):
        names: dict[Hashable, int] = {}
        new = {}
        for i in alone:
            below = [look[arg] if arg in look else (-1, unifier.find(arg)) for arg in unifier.args[i]]
            seen = names.setdefault((keys.of[i], tuple(below)), len(names))
            new[i] = 1 + max(level for level, _ in below), seen
        look = new
    groups: dict[tuple[int, int], list[int]] = {}
    for i, (level, seen) in look.items():
        if level == DEPTH:
            groups.setdefault((level, seen), []).append(i)
    return unifier.unite_groups(groups.values())
