"""Trees of words and what they mean, and a net that has an answer at every phrase: for the examples that read trees.

    p = cell(l, r),   o = V p + c

A tree says what kind of word each leaf is; a batch has other words in the same trees. Three forms mean something:
VALUE, a word by itself; (ONE, tree), an operator and its operand; and (tree, (TWO, tree)), an operator between two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph import Cell, models

VALUE, ONE, TWO = "value", "one", "two"  # the kinds of words
Tree = Any  # a kind, or a pair of trees
Array = np.ndarray


@dataclass(frozen=True)
class Language:
    """Words and their meanings: numbers from 0 to below `meanings`, and operators on arrays of them."""

    meanings: int
    values: Mapping[str, int]
    one: Mapping[str, Callable[[Array], Array]]
    two: Mapping[str, Callable[[Array, Array], Array]]

    @property
    def words(self) -> list[str]:
        """All words; a word's place here is its number."""
        return [*self.values, *self.one, *self.two]

    def draw(self, kinds: Sequence[str], count: int, rng: np.random.Generator) -> Array:
        """Words (leaves, count) by number, for leaves of these kinds."""
        ends = np.cumsum([0, len(self.values), len(self.one), len(self.two)])
        return np.array([rng.integers(*ends[i : i + 2], count) for i in map((VALUE, ONE, TWO).index, kinds)])

    def meanings_of(self, tree: Tree, words: Iterator[Array]) -> list[Array | None]:
        """What each phrase of a tree means, parts before the whole: (count,), or None if it means nothing by itself.

        `words` has a row (count,) for each leaf.
        """
        if tree == VALUE:
            return [np.array(list(self.values.values()))[next(words)]]
        if tree[0] == ONE:
            word, part = next(words), self.meanings_of(tree[1], words)
            return [None, *part, self._apply(word, part[-1])]
        left, word = self.meanings_of(tree[0], words), next(words)
        right = self.meanings_of(tree[1][1], words)
        return [*left, None, *right, None, self._apply(word, left[-1], right[-1])]

    def _apply(self, word: Array, *parts: Any) -> Array:
        operators = self.one if len(parts) == 1 else self.two
        results = np.array([operator(*parts) for operator in operators.values()])
        return results[word - self.words.index(next(iter(operators))), np.arange(len(word))]


def kinds_of(tree: Tree) -> list[str]:
    """The kinds of a tree's words, from left to right."""
    return [tree] if isinstance(tree, str) else [kind for part in tree for kind in kinds_of(part)]


@dataclass(frozen=True)
class Forest:
    """Trees on one tape with shared parameters: scores at the phrases that mean something, and their mean loss.

    Fed are "word" (leaves, B), the words through all trees in reading order, and "y" (phrases, B) what they mean.
    """

    language: Language
    trees: tuple[Tree, ...]
    scores: tg.Steps
    roots: list[tg.Node]  # the scores of the whole trees
    loss: tg.Node

    def initial(self, seed: int) -> dict[str, Array]:
        """Initial values of all parameters, by name."""
        return tg.initialise(self.loss.graph.parameters, seed)

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Words (leaves, count) for all trees."""
        return self.language.draw([kind for tree in self.trees for kind in kinds_of(tree)], count, rng)

    def answers(self, words: Array) -> tuple[Array, Array]:
        """What all phrases (phrases, B), and what the whole trees (trees, B) mean, for words (leaves, B)."""
        rows = iter(words)
        found = [self.language.meanings_of(tree, rows) for tree in self.trees]
        return np.array([m for one in found for m in one if m is not None]), np.array([one[-1] for one in found])


def plant(language: Language, cell: Cell, trees: Sequence[Tree], hidden: int) -> Forest:
    """The trees over a table E of vectors (hidden,) for the words of a language."""
    g = tg.Graph()
    E = g.parameter("E", (len(language.words), hidden))
    V, c = g.parameter("V", (language.meanings, hidden)), g.parameter("c", (language.meanings,))
    words = g.sequence("word", sum(len(kinds_of(tree)) for tree in trees), kind="integer")
    vectors = iter([tg.gather(E, word) for word in words.values()])
    scores, roots, shared = tg.Steps("o"), [], None
    for tree in trees:
        composed = models.compose(cell, _planted(tree, vectors), parameters=shared)
        shared = composed.parameters
        for phrase, asked in zip(composed.phrases, _asked(tree), strict=True):
            if asked:
                scores[len(scores) + 1] = V @ phrase + c
        roots.append(scores.last)
    return Forest(language, tuple(trees), scores, roots, models.softmax_cross_entropy(scores))


def _planted(tree: Tree, vectors: Iterator[tg.Node]) -> Any:
    """The tree with the next vectors at its leaves."""
    return next(vectors) if isinstance(tree, str) else tuple([_planted(part, vectors) for part in tree])


def _asked(tree: Tree) -> list[bool]:
    """Whether each phrase of a tree means something by itself, parts before the whole."""
    if isinstance(tree, str):
        return [tree == VALUE]
    return [*_asked(tree[0]), *_asked(tree[1]), tree[0] != TWO]
