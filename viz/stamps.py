"""Stamps: the text of columns that repeat, from two that are written.

Two texts that are alike differ in whole numbers alone: a stamp has holes for these, and how much each of them grows
from one column to the next. So it knows nothing of what is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from .repeats import WRITTEN, Repeat, UnlikeError

WHOLE = re.compile(r"((?<![0-9.])[0-9]+)")  # a whole number, or the whole part of one

NOWHERE = -1
Piece = tuple[int, str]  # the column that text belongs to, or `NOWHERE`; and the text


class Stamp:
    """What two neighbouring columns have in common. Raises `UnlikeError` if they differ in more than whole numbers."""

    def __init__(self, first: str, second: str) -> None:
        one, two = WHOLE.split(first), WHOLE.split(second)
        if one[::2] != two[::2]:
            raise UnlikeError
        self.words, numbers = [one[0]], []
        for a, b, words in zip(one[1::2], two[1::2], one[2::2], strict=True):
            if a == b:
                self.words[-1] += a + words
            else:
                numbers.append((int(a), int(b) - int(a)))
                self.words.append(words)
        self.numbers = list(dict.fromkeys(numbers))  # each with its growth
        place = {number: i for i, number in enumerate(self.numbers)}
        self.holes = [place[number] for number in numbers]

    def at(self, columns: Iterable[int]) -> Iterator[str]:
        """The text of the columns that come so much later than the first."""
        text = [""] * (2 * len(self.holes) + 1)
        text[::2] = self.words
        for column in columns:
            numbers = [str(start + column * growth) for start, growth in self.numbers]
            text[1::2] = [numbers[hole] for hole in self.holes]
            yield "".join(text)


def stamped(pieces: Iterable[Piece], repeats: Iterable[Repeat]) -> Iterator[str]:
    """The text of pieces, those of a column behind each other, with that of all columns that repeat.

    Raises `UnlikeError` if the columns of a run are not alike.
    """
    found = {column: repeat for repeat in repeats for column in range(repeat.first + 1, repeat.last)}
    written: list[str] = []  # of the run at hand, from its second column on
    for column, group in groupby(pieces, key=itemgetter(0)):
        text = "".join([part for _, part in group])
        repeat = found.get(column)
        if repeat is None or column < repeat.middle:
            yield text
        if repeat is not None and column < repeat.middle:
            written.append(text)
            if column == repeat.middle - 1:
                yield from _rest(written, repeat)
                written = []
    if written:
        raise UnlikeError


def _rest(written: list[str], repeat: Repeat) -> Iterator[str]:
    """The columns of a run that are not written, if those that are grow evenly."""
    stamp = Stamp(*written[:2])
    if [*stamp.at(range(WRITTEN - 1))] != written:
        raise UnlikeError
    yield from stamp.at(repeat.stamped)
