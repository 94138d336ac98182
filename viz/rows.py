"""Rows: how high each part of the cell stands, the same in all columns.

row(n) = 1 + max row of its operands in the same column; a part without such operands stands just
below its lowest user. Lanes take disjoint ranges of rows, and what comes after time stands above
what it depends on.
"""

from __future__ import annotations

from tinygraph.errors import DrawingError

from .places import AFTER, BEFORE
from .repeats import UnlikeError
from .scene import Key, Scene


def key_edges(scene: Scene) -> list[tuple[Key, Key]]:
    """The edges within columns, from part to part, each once, in a fixed order."""
    found: dict[tuple[Key, Key], None] = {}
    for edge in scene.edges:
        source, target = scene.boxes[edge.source], scene.boxes[edge.target]
        if source.column == target.column >= 0 and not edge.loop:
            found[source.key, target.key] = None
    return list(found)


def find_rows(scene: Scene, by_column: bool = False) -> dict[Key, int]:
    """The row of every part, counted from the bottom. Parts that feed each other in turn are told apart by column.

    Raises `DrawingError` where boxes of one column do so, which only boxes that stand for several nodes can, and
    `UnlikeError` where columns that repeat are among them.
    """
    lanes = {name: i for i, name in enumerate(scene.lanes)}
    lane_of = {box.key: lanes.get(box.lane, 0) for box in scene.boxes if box.column >= 0}
    local = key_edges(scene)
    rises = _rising(scene, local)
    order = in_order(list(lane_of), rises)
    if len(order) < len(lane_of):
        if scene.repeats:
            raise UnlikeError
        if by_column:
            raise DrawingError("cells of one step feed each other in turn", fix='draw them open: detail="gates"')
        scene.boxes = [box._replace(key=(*box.key, str(box.column))) for box in scene.boxes]
        return find_rows(scene, by_column=True)
    below: dict[Key, list[Key]] = {key: [] for key in lane_of}
    for source, target in rises:
        below[target].append(source)
    rows: dict[Key, int] = {}
    base = 0
    for lane in range(len(scene.lanes)):
        members = [key for key in order if lane_of[key] == lane]
        for key in members:
            rows[key] = max([base, *(rows[source] + 1 for source in below[key])])
        base = max([base, *(rows[key] + 1 for key in members if key[0] != AFTER)])
    _lift(scene, rows, order, lane_of, local)
    return _without_gaps(rows)


def _rising(scene: Scene, local: list[tuple[Key, Key]]) -> list[tuple[Key, Key]]:
    """The edges that must rise: within a column, and from anywhere to what comes after time."""
    found = dict.fromkeys(local)
    for edge in scene.edges if scene.has(AFTER) else ():
        source, target = scene.boxes[edge.source], scene.boxes[edge.target]
        if source.column >= 0 and target.key[0] == AFTER:
            found[source.key, target.key] = None
    return list(found)


def in_order(keys: list[Key], edges: list[tuple[Key, Key]]) -> list[Key]:
    """The keys in topological order; those on a cycle, and above one, are missing."""
    waiting = dict.fromkeys(keys, 0)
    users: dict[Key, list[Key]] = {key: [] for key in keys}
    for source, target in edges:
        waiting[target] += 1
        users[source].append(target)
    order = [key for key in keys if waiting[key] == 0]
    for key in order:  # grows while it is walked
        for user in users[key]:
            waiting[user] -= 1
            if waiting[user] == 0:
                order.append(user)
    return order


def _lift(
    scene: Scene, rows: dict[Key, int], order: list[Key], lane_of: dict[Key, int], local: list[tuple[Key, Key]]
) -> None:
    """Put parts that nothing of their column feeds just below their lowest user, but into no other lane."""
    fed = {target for _, target in local}
    top: dict[int, int] = {}
    for key in order:
        if key in fed and key[0] != AFTER:
            top[lane_of[key]] = max(top.get(lane_of[key], 0), rows[key])
    users: dict[Key, list[Key]] = {}
    for source, target in local:
        users.setdefault(source, []).append(target)
    remote: dict[Key, list[Key]] = {}
    for edge in scene.edges if scene.has(BEFORE) else ():
        early, late = scene.boxes[edge.source].key, scene.boxes[edge.target].key
        if early[0] == BEFORE != late[0]:
            remote.setdefault(early, []).append(late)
    for key in reversed(order):
        if key not in fed and key in users:
            under = min(rows[user] for user in users[key]) - 1
            rows[key] = max(rows[key], min(under, top.get(lane_of[key], under)))
        elif key in remote and key not in users:
            rows[key] = max(rows[key], min(rows[user] for user in remote[key]))


def _without_gaps(rows: dict[Key, int]) -> dict[Key, int]:
    used = {row: i for i, row in enumerate(sorted(set(rows.values())))}
    return {key: used[row] for key, row in rows.items()}
