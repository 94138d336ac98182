"""Many trees on one tape, for the examples that read trees: a net with an answer at every phrase that is asked about.

    p = cell(l, r),   o = V p + c

A tree is the name of a leaf, or a pair of trees: (("very", "good"), "film"). A batch has other words in the same trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tinygraph as tg
from tinygraph import Cell, models

Tree = Any  # a name, or a pair of trees


@dataclass(frozen=True)
class Forest:
    """Trees with shared parameters: scores at the phrases that are asked about, in order, and their mean loss.

    Fed are the words "word" (leaves, B) as integers, in reading order through all trees, and the right answers
    "y" (phrases asked about, B).
    """

    trees: tuple[models.Composed, ...]
    scores: tuple[tg.Node, ...]
    loss: tg.Node

    def initial(self, seed: int) -> dict[str, Any]:
        """Initial values of all parameters, by name."""
        return tg.initialise(self.loss.graph.parameters, seed)


def forest(
    cell: Cell, trees: Sequence[Tree], asked: Sequence[Sequence[bool]], *, words: int, classes: int, hidden: int
) -> Forest:
    """The trees over a table E of `words` vectors (hidden,).

    `asked` says for each phrase of each tree, parts before the whole and left before right, whether it has an answer.
    """
    g = tg.Graph()
    E, V, c = g.parameter("E", (words, hidden)), g.parameter("V", (classes, hidden)), g.parameter("c", (classes,))
    leaves = g.sequence("word", sum(map(count_leaves, trees)), kind="integer")
    vectors = iter([tg.gather(E, word) for word in leaves.values()])
    composed: list[models.Composed] = []
    for tree in trees:
        shared = composed[0].parameters if composed else None
        composed.append(models.compose(cell, _planted(tree, vectors), parameters=shared))
    scores = [
        V @ phrase + c
        for one, wanted in zip(composed, asked, strict=True)
        for phrase, yes in zip(one.phrases, wanted, strict=True)
        if yes
    ]
    loss = models.softmax_cross_entropy(tg.Steps("o", enumerate(scores, start=1)))
    return Forest(tuple(composed), tuple(scores), loss)


def count_leaves(tree: Tree) -> int:
    return 1 if isinstance(tree, str) else sum(map(count_leaves, tree))


def _planted(tree: Tree, vectors: Any) -> Any:
    """The tree with the next vectors at its leaves."""
    return next(vectors) if isinstance(tree, str) else tuple([_planted(part, vectors) for part in tree])
