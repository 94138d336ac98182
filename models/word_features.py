"""Word features made by hand: a few properties that can be read, as input of a net in place of a trained table.

queen = (1, 0, 1):  female, not young, royal             king - man + woman = queen
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinygraph.errors import UnknownNameError, UsageError, nearest
from tinygraph.graph import Graph, Steps
from tinygraph.ops.index import gather

FEATURES = ("femininity", "youth", "royalty")
WORDS: dict[str, tuple[int, ...]] = {
    "man": (0, 0, 0),
    "woman": (1, 0, 0),
    "boy": (0, 1, 0),
    "girl": (1, 1, 0),
    "king": (0, 0, 1),
    "queen": (1, 0, 1),
    "prince": (0, 1, 1),
    "princess": (1, 1, 1),
}


def numbered(words: Sequence[str], table: Mapping[str, Sequence[float]] = WORDS) -> list[int]:
    """The numbers of words, their places in the table. Raises `UnknownNameError` with the nearest word."""
    places = {word: place for place, word in enumerate(table)}
    for word in words:
        if word not in places:
            raise UnknownNameError(f"the table has no word {word!r:.60}", fix=nearest(word, places))
    return [places[word] for word in words]


def word_vectors(
    graph: Graph, steps: int, table: Mapping[str, Sequence[float]] = WORDS, *, name: str = "words"
) -> Steps:
    """The features (F,) of the words fed as `name` (steps, B), numbers of rows: an input for `unroll`, never trained.

    Raises `UsageError` for a table without words, or whose rows differ in length.
    """
    lengths = {len(row) for row in table.values()}
    if len(lengths) != 1:
        raise UsageError("a table of words has rows of one length", fix="models.word_features.WORDS is one")
    rows = graph.constant("features", [list(row) for row in table.values()])
    found = Steps("x")
    for t, word in graph.sequence(name, steps, (), kind="integer").items():
        with graph.at(step=t):
            found[t] = graph.relabel(gather(rows, word), "x")
    return found
