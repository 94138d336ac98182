"""Channels: the free space below each row, where edges run across, each on a track of its own.

From the bottom up a channel holds the lines of the rail, long lines, the lines of edges that leave
the row below at its top, of edges that come in from the side, and of edges within the column. Tracks
are booked first; `settle` then gives every row and track its height.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection

from .scene import Key
from .style import ARROW, BEND, BOX_HEIGHT, CHANNEL, LANE_GAP, MARK_GAP, MARK_HEIGHT, RAIL_TRACK, TRACK

BANDS = ("rail", "long", "leave", "enter", "across")


class Channels:
    """The channels of a picture with `count` rows: number k lies below row k, the last above all."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._booked: list[dict[str, dict[str | Key, float]]] = [{band: {} for band in BANDS} for _ in range(count + 1)]
        self._across: list[list[tuple[float, float, float, Key]]] = [[] for _ in range(count + 1)]
        self._track: list[dict[tuple[str, str | Key], float]] = [{} for _ in range(count + 1)]
        self._rails: dict[str, set[int]] = {}
        self._marked: set[int] = set()
        self.row_y: list[float] = []  # the middle of each row
        self.floor: list[float] = []  # the bottom of each channel
        self.top = 0.0

    # Booking
    def rail(self, channel: int, name: str) -> None:
        self._booked[channel]["rail"].setdefault(name, 0.0)
        self._rails.setdefault(name, set()).add(channel)

    def long(self, channel: int, name: str) -> None:
        self._booked[channel]["long"].setdefault(name, 0.0)

    def leave(self, channel: int, name: str) -> None:
        self._booked[channel]["leave"].setdefault(name, 0.0)

    def enter(self, channel: int, name: str, reach: float) -> None:
        """`reach`: how far it comes in; those that reach farther run lower, to cross less."""
        band = self._booked[channel]["enter"]
        band[name] = max(band.get(name, reach), reach)

    def across(self, channel: int, source: Key, start: float, ends: list[float]) -> None:
        """From a place above the row below to places in the row above."""
        direction = 1.0 if sum(ends) / len(ends) >= start else -1.0
        rank = -direction * start  # bottom first: see `_stack`
        self._across[channel].append((rank, min(start, *ends), max(start, *ends), source))

    def mark(self, channel: int) -> None:
        """Something is written on an edge that ends above this channel."""
        self._marked.add(channel)

    # Heights
    def settle(self, apart: Collection[int]) -> None:
        """Give heights to rows and tracks, from 0 upwards (y grows downwards).

        The channels of `apart` lie between two lanes: they get a gap below their floors.
        """
        y = 0.0
        for channel in range(self.count + 1):
            y -= LANE_GAP if channel in apart else 0.0
            self.floor.append(y)
            y = self._fill(channel, y)
            if channel < self.count:
                self.row_y.append(y - BOX_HEIGHT / 2)
                y -= BOX_HEIGHT
        self.top = y

    def move(self, down: float) -> None:
        """Move everything by so much."""
        self.top += down
        self.row_y = [y + down for y in self.row_y]
        self.floor = [y + down for y in self.floor]
        self._track = [{name: y + down for name, y in track.items()} for track in self._track]

    def _fill(self, channel: int, y: float) -> float:
        booked, track = self._booked[channel], self._track[channel]
        outer = channel in (0, self.count)
        empty = not any(booked.values()) and not self._across[channel]
        if outer and empty:
            return y - CHANNEL / 2
        y -= CHANNEL
        for name in reversed(booked["rail"]):  # the first parameter at the top
            track["rail", name] = y - RAIL_TRACK / 2
            y -= RAIL_TRACK
        enter = sorted(booked["enter"], key=lambda name: -booked["enter"][name])
        for band, names in (("long", [*booked["long"]]), ("leave", [*booked["leave"]]), ("enter", enter)):
            for name in names:
                track[band, name] = y - TRACK / 2
                y -= TRACK
        levels: dict[Key, int] = {}
        for group in dict.fromkeys(source[0] for *_, source in self._across[channel]):  # columns of different kinds
            levels |= _stack([segment for segment in self._across[channel] if segment[3][0] == group])
        for source, level in levels.items():
            track["across", source] = y - (level + 0.5) * TRACK
        y -= (max(levels.values()) + 1) * TRACK if levels else 0.0
        y -= MARK_HEIGHT + MARK_GAP if channel in self._marked else 0.0
        return y - ARROW - BEND

    # Looking up
    def rail_channels(self, name: str) -> int:
        return len(self._rails.get(name, ()))

    def rail_home(self, name: str) -> float:
        """Where the tag of a rail line stands: at its lowest line."""
        if name not in self._rails:
            return self.floor[0]
        return self.rail_y(min(self._rails[name]), name)

    def rail_y(self, channel: int, name: str) -> float:
        return self._track[channel]["rail", name]

    def long_y(self, channel: int, name: str) -> float:
        return self._track[channel]["long", name]

    def leave_y(self, channel: int, name: str) -> float:
        return self._track[channel]["leave", name]

    def enter_y(self, channel: int, name: str) -> float:
        return self._track[channel]["enter", name]

    def across_y(self, channel: int, source: Key) -> float:
        return self._track[channel]["across", source]


def _stack(segments: list[tuple[float, float, float, Key]]) -> dict[Key, int]:
    """A level for each segment (rank, left, right, source), so that segments that overlap differ.

    Of two segments to the right, the one that starts farther left runs higher, and the other way
    round to the left: then they do not cross. So segments are stacked in the order of `rank`, each
    just above the highest that it overlaps. The skyline of levels is kept as sorted breakpoints.
    """
    skyline: list[tuple[float, float, int]] = []  # disjoint (left, right, level), sorted
    levels: dict[Key, int] = {}
    for _, left, right, source in sorted(segments):
        low, high = left - TRACK, right + TRACK
        first = bisect_left(skyline, (low,))
        first -= first > 0 and skyline[first - 1][1] > low
        last = bisect_left(skyline, (high,))
        touched = skyline[first:last]
        levels[source] = level = max((piece[2] for piece in touched), default=-1) + 1
        rest = [(a, low, at) for a, _, at in touched[:1] if a < low]
        rest += [(low, high, level), *((high, b, at) for _, b, at in touched[-1:] if b > high)]
        skyline[first:last] = rest
    return levels
