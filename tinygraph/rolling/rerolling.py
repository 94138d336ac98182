"""Re-rolling: find the repeating step of a tape, without being told of cells, layers or time.

before -> after: the cone of the roots -> its classes, their cycles, and the delays with which they read
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph.node import Node
from ..graph.op import tape_of
from ..graph.tape import cone
from ..nest import leaves
from .alignment import first_times, in_order, separated
from .condensation import components, is_cycle, levels
from .keys import Args, keys_of
from .reads import reads_of
from .refinement import edges, refine
from .rolled import NodeClass, Rolled
from .unification import sequences, unify


def roll(roots: Any) -> Rolled:
    """The rolled net of one node or any nesting of nodes: `roll([loss, grads])`.

    Its size does not depend on the number of steps, and `rolled.unroll()` gives the tape back, isomorphic.
    Time O(nodes + edges). Labels, scopes and time steps are not looked at.

    Raises `UsageError` if there is no node, `GraphError` for nodes of different tapes.
    """
    given = leaves(roots)
    tape_of(given, "roll")
    nodes = cone(given)
    at = {node.id: i for i, node in enumerate(nodes)}
    args: Args = [tuple([at[arg.id] for arg in node.args]) for node in nodes]
    classes, of = numbered(refine(unify(args, keys_of(nodes, args), sequences(nodes)), args))
    ordered = in_order(classes, of, args)
    names = separated(ordered, of, args)
    if names != of:
        classes, of = numbered(names)
        ordered = in_order(classes, of, args)
    return _assembled(roots, nodes, args, ordered, of)


def numbered(names: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """From any name of the class of each node: the members of each class, ascending, and the number for each node.

    Classes are counted from 0 in the order of their first members.
    """
    number: dict[int, int] = {}
    of = [number.setdefault(name, len(number)) for name in names]
    classes: list[list[int]] = [[] for _ in number]
    for i, n in enumerate(of):
        classes[n].append(i)
    return classes, of


def _assembled(
    roots: Any, nodes: Sequence[Node], args: Args, ordered: Sequence[list[int]], of: Sequence[int]
) -> Rolled:
    """The result, from the members of each class in the order of time."""
    sources = edges(range(len(nodes)), dict(enumerate(of)), args)
    parts = components(sources)
    level, cyclic = levels(parts, sources), [is_cycle(part, sources) for part in parts]
    part_of = {number: n for n, part in enumerate(parts) for number in part}
    first = first_times(ordered, of, args, [cyclic[part_of[number]] for number in range(len(ordered))])
    place = [0] * len(nodes)
    for members in ordered:
        for k, i in enumerate(members):
            place[i] = k
    classes = []
    for number, members in enumerate(ordered):
        n, reads = part_of[number], reads_of(members, of, place, args)
        chosen = tuple([nodes[i] for i in members])
        classes.append(NodeClass(number, chosen, first.get(number), reads, n, cyclic[n], level[n]))
    return Rolled(roots, tuple(classes), tuple(map(tuple, parts)))
