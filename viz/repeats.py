"""Repeats: time steps next to each other that are drawn alike, of which a few stand for all.

Columns are drawn alike if each has the same parts, which read the same from their own column, from those beside it and
from what all share, and if all that is written of them differs in whole numbers alone that grow evenly: the step, the
ids of nodes, places across. Then the picture without the inner ones of a run of such columns a, ..., b has the same
rows, shapes and tracks, and their text can be stamped (`stamps`). Of the run stay

    a          which may have neighbours unlike the others'
    a+1, a+2   from which a stamp is cut
    a+3        which the stamp must write too
    a+4, b-1   which stand beside those left out, and are stamped like them
    b          which may have neighbours unlike the others'
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np

from tinygraph.graph import Node

from .kinds import Kinds
from .places import AFTER, Place
from .style import DETAIL_LIMIT

WRITTEN = 4  # the first columns of a run, which are written
ENDS = 2  # the columns at its end
SHORTEST = WRITTEN + 1 + 2 + ENDS  # columns of a run: at least two are left out, each beside one that stays


class UnlikeError(Exception):
    """Columns that should be alike are not: the picture is to be drawn without repeats."""


class Repeat(NamedTuple):
    """A run of columns, the first of them number `first`, of which `hidden` are left out behind the column `middle`."""

    first: int
    hidden: int

    @property
    def middle(self) -> int:
        """The column that stands for those left out too."""
        return self.first + WRITTEN

    @property
    def last(self) -> int:
        """The last column of the run, counted without those left out."""
        return self.middle + ENDS

    @property
    def stamped(self) -> range:
        """The columns that are not written, counted from the second of the run."""
        return range(WRITTEN - 1, WRITTEN + self.hidden + 1)


class Shortened(NamedTuple):
    """A picture with columns left out: the numbers of those that stay, and its repeats by their `middle`.

    `left_out` has the nodes left out by their ids, each with one that stays and is like it: where columns that stay
    read it, the one beside them.
    """

    kept: list[int]
    repeats: dict[int, Repeat]
    left_out: dict[int, Node]


def shorten(
    columns: Sequence[tuple[Place, Sequence[Node]]],
    keys: Mapping[int, Hashable],
    kinds: Kinds,
    gradient: frozenset[tuple[int, int]],
) -> Shortened:
    """Leave out columns that others stand for.

    A column is given by its place and its nodes in the order of the tape; `keys` has their parts by id, and `gradient`
    the edges that a cotangent crosses.
    """
    result, gone = Shortened([], {}, {}), set[int]()
    for run in find_runs(columns, keys, kinds, gradient):
        hidden = run[WRITTEN + 1 : -ENDS]
        repeat = Repeat(run[0] - len(gone), len(hidden))
        result.repeats[repeat.middle] = repeat
        for i in hidden:
            likes = columns[hidden[-1] + 1 if i == hidden[0] else hidden[0] - 1][1]
            result.left_out.update(zip([node.id for node in columns[i][1]], likes, strict=True))
        gone.update(hidden)
    result.kept.extend(i for i in range(len(columns)) if i not in gone)
    return result


def find_runs(
    columns: Sequence[tuple[Place, Sequence[Node]]],
    keys: Mapping[int, Hashable],
    kinds: Kinds,
    gradient: frozenset[tuple[int, int]],
) -> list[range]:
    """The runs of columns, given as to `shorten`, that are drawn alike and long enough to leave some out."""
    drawn = _Reading(columns, keys, kinds, gradient).columns
    runs: list[range] = []
    for _, group in groupby(range(len(drawn)), key=lambda i: i if drawn[i].unlike else drawn[i].parts):
        alike = [*group]
        if len(alike) >= SHORTEST:
            runs += _even(range(alike[0], alike[-1] + 1), [drawn[i].numbers for i in alike])
    return [run for run in runs if _in_one_order([drawn[i] for i in run]) and _told(columns[run[0]], columns[run[-1]])]


def _even(alike: range, numbers: Sequence[Sequence[int]]) -> Iterator[range]:
    """The parts of a run in which the numbers of the columns grow evenly."""
    growth = np.diff(np.array(numbers), axis=0)
    turns = np.flatnonzero((growth[1:] != growth[:-1]).any(axis=1)) + 1
    for start, stop in zip([0, *turns.tolist()], [*turns.tolist(), len(growth)], strict=True):
        if stop - start + 1 >= SHORTEST:
            yield alike[start : stop + 1]


def _in_one_order(run: Sequence[_Column]) -> bool:
    """Whether neighbouring columns, and what reads them after all steps, stand in one order on the tape in all a run.

    As their ids grow evenly, this is seen at its ends.
    """
    first, last = (np.argsort([*one.ids, *two.ids, *one.readers]) for one, two in (run[:2], run[-2:]))
    return bool((first == last).all())


def _told(*columns: tuple[Place, Sequence[Node]]) -> bool:
    """Whether the tooltips of all nodes have room."""
    return all(len(node.describe()) <= DETAIL_LIMIT for _, nodes in columns for node in nodes)


@dataclass(slots=True)
class _Column:
    """What is drawn of a column: what is the same in columns that are alike, and the numbers that grow evenly."""

    unlike: bool  # whether it is like no other
    parts: list[Hashable] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)  # ids of what reads it after all steps


class _Reading:
    """Reads what is drawn of columns off their nodes."""

    def __init__(
        self,
        columns: Sequence[tuple[Place, Sequence[Node]]],
        keys: Mapping[int, Hashable],
        kinds: Kinds,
        gradient: frozenset[tuple[int, int]],
    ) -> None:
        self.places = [place for place, _ in columns]
        self.keys, self.kinds, self.gradient = keys, kinds, gradient
        self.at = {node.id: i for i, (_, nodes) in enumerate(columns) for node in nodes}
        self.columns = [_Column(not isinstance(place, int)) for place in self.places]
        for i, (place, nodes) in enumerate(columns):
            column = self.columns[i]
            column.ids = [node.id for node in nodes]
            column.numbers += column.ids
            if isinstance(place, int):
                column.numbers.append(place)
                column.parts.append(len(str(place)))  # labels are as wide
            for node in nodes:
                self._add(node, i)

    def _add(self, node: Node, i: int) -> None:
        column, where = self.columns[i], node.where
        column.unlike |= "--" in self.kinds.elements[node.id]  # it has a name that another one has taken
        column.parts.append(
            (self.keys[node.id], self.kinds.kind(node), node.op.name, node.shape, node.batched, node.kind, where.scope)
        )
        if node.op.leaf:
            self._add_name(node, column)
        else:
            attributes = str(node.attrs) if node.attrs else ""
            column.parts.append((where.step is None, where.label, where.latex, attributes))
        for position, arg in enumerate(node.args):
            column.parts.append(self._operand(node, position, arg, i))

    def _add_name(self, leaf: Node, column: _Column) -> None:
        """What a leaf is called but for its number, and its value, if that is written in its box."""
        where, index, value = leaf.where, leaf.attrs.get("index"), leaf.attrs.get("value")
        number = where.step if index is None else index
        words = [word.removesuffix(f"_{number}") for word in (leaf.attrs.get("name", ""), where.label)]
        width, shown = len(str(number)), value if isinstance(value, int) else None
        column.parts.append((where.step is None, index is None, where.latex, *words, width, shown))
        column.numbers.append(0 if number is None else number)

    def _operand(self, node: Node, position: int, arg: Node, i: int) -> Hashable:
        """How an operand is read. What leads out of the columns beside is drawn with its source."""
        source, flows = self.at.get(arg.id, -1), (node.id, position) in self.gradient
        if source >= 0 and self.places[i] == AFTER != self.places[source]:
            column = self.columns[source]
            column.parts.append((self.keys[arg.id], node.id, flows))
            column.numbers.append(position)
            column.readers.append(node.id)
        elif source >= 0 and abs(i - source) <= 1:
            return self.keys[arg.id], i - source, flows
        elif source >= 0:  # a line of its own leads from there
            self.columns[source].unlike = True
        return arg.id, flows
