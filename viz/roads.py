"""Roads: which way each edge goes, before any measure is taken.

local   up, within its column
rail    from the rail of parameters, along a line that crosses all columns
carry   from a column to the next, through the gap between them
back    from a column to the one before it
loop    round to a part below in its own column
long    to any other column, along a line of its own; edges of one part into one box share it

Edges of one road share their way where they can, and are told apart by where they leave it.
"""

from __future__ import annotations

from typing import NamedTuple

from .scene import Edge, Key, Scene


class Road(NamedTuple):
    """What an edge is called where it enters a box: kind, part it comes from, and operand position."""

    kind: str
    part: Key
    position: int
    bundle: str = ""  # of a long road: whose line it takes


def find_roads(scene: Scene) -> list[Road]:
    """The road of each edge."""
    into: dict[tuple[int, Key], int] = {}
    for edge in scene.edges:
        if scene.boxes[edge.source].column >= 0 and not _near(scene, edge):
            at = (edge.target, scene.boxes[edge.source].key)
            into[at] = into.get(at, 0) + 1
    return [_road(scene, edge, into) for edge in scene.edges]


def _near(scene: Scene, edge: Edge) -> bool:
    """Whether an edge stays in its column or goes to one beside it."""
    source, target = scene.boxes[edge.source], scene.boxes[edge.target]
    after = target.column - source.column
    if edge.attention is not None:  # all looks of one step come in by one line
        return after == 0
    return after in (0, -1) or (after == 1 and target.key[0] != "after")


def _road(scene: Scene, edge: Edge, into: dict[tuple[int, Key], int]) -> Road:
    source, target = scene.boxes[edge.source], scene.boxes[edge.target]
    if source.column < 0:
        return Road("rail", (source.id,), edge.position)
    after = target.column - source.column
    if edge.loop:
        return Road("loop", source.key, edge.position)
    if after == 0:
        return Road("local", source.key, edge.position)
    if _near(scene, edge):
        return Road("carry" if after == 1 else "back", source.key, edge.position)
    if into[edge.target, source.key] > 1:
        return Road("long", source.key, 0, target.id)
    return Road("long", source.key, edge.position, source.id)
