"""Where each node belongs before any measure is taken: its column of time, and its lane.

Columns run from left to right: what comes before time, the steps, what comes after. A node without
a step belongs to the last step it depends on if later steps use it, and else to the end. Leaves
without a step that several columns share stand in the rail at the left, beside the parameters.
Long runs of steps are folded into one column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinygraph.errors import DrawingError
from tinygraph.graph import Node

FOLD_OVER = 8  # steps; up to here every step is drawn
FOLD_SHOWS = (3, 2)  # first and last steps drawn of a longer run

BEFORE, AFTER, RAIL = "before", "after", "rail"
Place = int | str  # a time step, or one of these


@dataclass(frozen=True)
class Column:
    """A column of the picture: the place of its nodes, and its heading."""

    place: Place
    title: str
    hidden: int = 0  # steps folded into it


def find_places(nodes: list[Node], time: bool = True) -> dict[int, Place]:
    """The place of every node, by id. Without any time step, or `time`, everything but parameters is `after`."""
    if not time:
        return {node.id: RAIL if node.op.name == "parameter" else AFTER for node in nodes}
    steps = {node.id: node.step for node in nodes}
    known: dict[int, int | None] = {}
    users: dict[int, list[Node]] = {node.id: [] for node in nodes if node.op.leaf and steps[node.id] is None}
    for node in nodes:
        step = steps[node.id]
        if step is None and not node.op.leaf:
            step = max((s for a in node.args if (s := known[a.id]) is not None), default=None)
        known[node.id] = step
        for arg in node.args:
            if arg.id in users:
                users[arg.id].append(node)
    feeds_steps: set[int] = set()  # of nodes without a step: those that some step depends on
    for node in reversed(nodes):
        if steps[node.id] is not None or node.id in feeds_steps:
            feeds_steps.update([arg.id for arg in node.args if steps[arg.id] is None])
    timed = any(step is not None for step in steps.values())
    first = min((s for s in known.values() if s is not None), default=0)
    places: dict[int, Place] = {}
    for node in reversed(nodes):  # users first
        step = steps[node.id]
        if step is not None:
            places[node.id] = step
        elif node.op.name == "parameter":
            places[node.id] = RAIL
        elif node.op.leaf and timed:
            where = {places[user.id] for user in users[node.id]}
            place = where.pop() if len(where) == 1 else RAIL
            places[node.id] = BEFORE if place == first else place
        elif node.id in feeds_steps:
            last = known[node.id]
            places[node.id] = BEFORE if last is None else last
        else:
            places[node.id] = AFTER
    return places


def make_columns(places: dict[int, Place], nodes: list[Node], fold: Any) -> list[Column]:
    """The columns from left to right. Raises `DrawingError` for a `fold` that is none."""
    used = set(places.values())
    steps = sorted(place for place in used if isinstance(place, int))
    busy = {places[node.id] for node in nodes if not node.op.leaf}
    initial = [step for step in steps[:1] if step not in busy]  # holds the initial state only
    run = steps[len(initial) :]
    first, last = fold_sizes(fold, len(run))
    columns = [Column(step, f"t = {step}") for step in [*initial, *run]]
    if len(run) > first + last + 1:
        start, stop = len(initial) + first, len(columns) - last
        hidden = run[first : len(run) - last]
        columns[start:stop] = [Column(hidden[0], f"× {len(hidden):,} more", len(hidden))]
    front = [Column(BEFORE, "")] if BEFORE in used else []
    return [*front, *columns, *([Column(AFTER, "")] if AFTER in used else [])]


def fold_sizes(fold: Any, steps: int) -> tuple[int, int]:
    """How many first and last steps of `steps` are drawn."""
    if fold is False:
        return steps, 0
    if fold == "auto" and isinstance(fold, str):
        return FOLD_SHOWS if steps > FOLD_OVER else (steps, 0)
    if fold is True:
        return FOLD_SHOWS
    if isinstance(fold, tuple) and len(fold) == 2 and all(type(n) is int and n >= 1 for n in fold):
        return fold
    raise DrawingError(
        f"fold={fold!r:.60} does not say how many steps to draw", fix="fold=(first, last), True, False or 'auto'"
    )


def find_lanes(nodes: list[Node], places: dict[int, Place]) -> tuple[list[str], dict[int, str]]:
    """The scopes that become lanes, from the bottom to the top, and the lane of each node by id.

    A node without a scope stands in the highest lane that it depends on; where it depends on none, in a lane
    without a name below all others. A leaf stands in the lowest lane that uses it. Scopes that feed each other
    within one step cannot be stacked: then there is one lane.
    """
    below: dict[int, frozenset[str]] = {}  # the scopes just below a node without one, seen through others like it
    above: dict[str, set[str]] = {node.scope: set() for node in nodes if node.scope and places[node.id] != RAIL}
    if len(above) < 2:
        return [""], dict.fromkeys((node.id for node in nodes), "")
    for node in nodes:
        under: frozenset[str] = frozenset()
        for arg in node.args:
            if not arg.op.leaf:
                scopes = frozenset([arg.scope]) if arg.scope else below[arg.id]
                under = scopes if scopes >= under else under | scopes  # shares sets along a chain
                if node.scope and places[arg.id] == places[node.id]:
                    for scope in scopes - {node.scope}:
                        above.setdefault(scope, set()).add(node.scope)
        below[node.id] = under
    order = _stacked(list(above), above)
    if len(order) < 2:
        return [""], dict.fromkeys((node.id for node in nodes), "")
    basis = {node.id for node in nodes if not node.op.leaf and not node.scope and not below[node.id]}
    basis = {id for id in basis if isinstance(places[id], int)}
    order = ["", *order] if basis else order
    rank = {name: i for i, name in enumerate(order)}
    lane: dict[int, str] = {}
    for node in nodes:
        if node.id in basis:
            lane[node.id] = ""
        elif node.scope and node.scope in rank:
            lane[node.id] = node.scope
        elif node.scope or below[node.id]:
            lane[node.id] = max(below[node.id], key=rank.__getitem__, default=order[0])
    for node in reversed(nodes):
        for arg in node.args:
            if arg.id not in lane or (arg.id not in basis and not arg.scope and not below[arg.id]):
                known = lane.get(arg.id, order[-1])
                lane[arg.id] = min(known, lane.get(node.id, order[0]), key=rank.__getitem__)
    return order, {node.id: lane.get(node.id, order[0]) for node in nodes}


def _stacked(names: list[str], above: dict[str, set[str]]) -> list[str]:
    """The names so that whatever stands above another comes later; empty if that cannot be."""
    waiting = {name: sum(name in others for others in above.values()) for name in names}
    order: list[str] = []
    while ready := [name for name in names if waiting[name] == 0 and name not in order]:
        order.append(ready[0])
        for name in above[ready[0]]:
            waiting[name] -= 1
    return order if len(order) == len(names) else []
