"""Straight edges: what stands a little aside of where its edge enters the row above moves there.

The passages straight below move along; where these cannot, the box that the edge enters does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from .arrangement import Arrangement, between
from .roads import Road
from .scene import Key

JOG = 9.0  # a shorter step aside looks like a mistake
GIVE = 2.0  # how much nearer to its neighbours than others something may come for that


def straighten(
    arrangement: Arrangement,
    rows: Mapping[Key, int],
    entries: Mapping[tuple[Key, Road], float],
    margin: Callable[[Key], float],
) -> bool:
    """Move what would straighten an edge and bends none; whether anything moved.

    `entries` has where edges enter their boxes, `margin` how far from the corners of a box of this part at least.
    """
    return _Straightening(arrangement, rows, entries, margin).run()


class _Straightening:
    def __init__(
        self,
        arrangement: Arrangement,
        rows: Mapping[Key, int],
        entries: Mapping[tuple[Key, Road], float],
        margin: Callable[[Key], float],
    ) -> None:
        self.arrangement, self.vertices, self.margin = arrangement, arrangement.vertices, margin
        self.entry = {  # of an edge into a box, by its upper and its lower end
            (arrangement.box[key], arrangement.trunk_index(road.part, rows[key] - 1)): x
            for (key, road), x in entries.items()
            if road.kind == "local" and road.part in arrangement.box
        }
        self.place = {v: i for order in arrangement.rows.values() for i, v in enumerate(order)}

    def run(self) -> bool:
        moved: set[int] = set()
        for (high, low), x in self.entry.items():
            shift = x - self.vertices[low].x
            if not 0 < abs(shift) <= JOG:
                continue
            for group, way in ((self._run_down(low), shift), ([high], -shift)):
                if moved.isdisjoint([*group, high, low]) and self._may_move(group, way, (high, low)):
                    for v in group:
                        self.vertices[v].x += way
                    moved.update(group)
                    break
        return bool(moved)

    def _run_down(self, v: int) -> list[int]:
        """A vertex, and what is straight below it down to a bend or a box."""
        run = [v]
        while self.vertices[run[-1]].width == 0:
            (below,) = self.vertices[run[-1]].below
            if self.vertices[below].x != self.vertices[v].x:
                break
            run.append(below)
        return run

    def _may_move(self, group: Collection[int], shift: float, mended: tuple[int, int]) -> bool:
        return all(self._has_room(v, shift) and not self._would_bend(v, shift, group, mended) for v in group)

    def _has_room(self, v: int, shift: float) -> bool:
        x, half = self.vertices[v].x + shift, self.vertices[v].width / 2
        low, high = between(self.arrangement, v, self.place[v])
        return max(low - GIVE, half) <= x <= min(high + GIVE, self.arrangement.width - half)

    def _would_bend(self, v: int, shift: float, group: Collection[int], mended: tuple[int, int]) -> bool:
        """Whether an edge would be straight no more, but for those within the group and the one to be mended."""
        vertex = self.vertices[v]
        links = [(u, v) for u in vertex.above] + [(v, u) for u in vertex.below]
        for high, low in links:
            if (high, low) == mended or (high in group and low in group):
                continue
            straight = self.entry.get((high, low), self.vertices[high].x) == self.vertices[low].x
            stays = high == v and vertex.width and abs(self.vertices[low].x - vertex.x - shift) <= self._reach(v)
            if straight and not stays:
                return True
        return False

    def _reach(self, v: int) -> float:
        """How far from the middle of a box an edge may enter it."""
        return self.vertices[v].width / 2 - self.margin(self.vertices[v].key)
