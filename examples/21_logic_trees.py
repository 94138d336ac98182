"""Trees of logic and of arithmetic: a net that learns an operation once, and uses it at every depth.

An expression such as (not a) and (b xor c) is a tree, and a recursive net computes a vector for each part of it from
those of its two parts. It learns from the truth of every part, in trees of up to 3 operations on top of each other,
and is then asked about trees of up to 8. A tensor multiplies the two parts (RNTN), which suits an operator that is
applied to an operand. The same is done with sums and products of digits modulo 5.

References: Socher et al. 2013, doi:10.18653/v1/D13-1170; Bowman, Potts and Manning 2015, arXiv:1406.1827, for logic.

Run it: python examples/21_logic_trees.py [--short] [--out FOLDER] [--seed N]
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from curves import curves
from forests import Forest, forest
from story import Story

import tinygraph as tg
from tinygraph import models, viz

DEPTH, DEEPEST, SHAPES, HIDDEN, BATCH = 3, 8, 24, 16, 32
VALUE, ONE, TWO = "value", "one", "two"  # the kinds of leaves: values, operators of one part and of two


@dataclass(frozen=True)
class Algebra:
    """Values 0..size-1 with operators of one part and of two; its words are the values, then the operators."""

    size: int
    one: tuple[Callable[[Any], Any], ...]
    two: tuple[Callable[[Any, Any], Any], ...]

    @property
    def words(self) -> int:
        return self.size + len(self.one) + len(self.two)

    def draw(self, kinds: list[str], count: int, rng: np.random.Generator) -> np.ndarray:
        """Words (leaves, count) for leaves of these kinds."""
        ends = np.cumsum([0, self.size, len(self.one), len(self.two)])
        within = {kind: ends[i : i + 2] for i, kind in enumerate((VALUE, ONE, TWO))}
        return np.array([rng.integers(*within[kind], count) for kind in kinds])

    def apply(self, word: np.ndarray, *parts: np.ndarray) -> np.ndarray:
        """The operator of each of the words (count,), on parts (count,)."""
        first = self.size if len(parts) == 1 else self.size + len(self.one)
        results = np.array([operator(*parts) for operator in (self.one if len(parts) == 1 else self.two)])
        return results[word - first, np.arange(len(word))]


LOGIC = Algebra(2, (lambda a: 1 - a,), (np.minimum, np.maximum, lambda a, b: (a + b) % 2))  # not; and, or, xor
DIGITS = Algebra(5, (lambda a: -a % 5,), (lambda a, b: (a + b) % 5, lambda a, b: a * b % 5))  # -; +, times


def grow(depth: int, rng: np.random.Generator) -> Any:
    """A tree of that many operations on top of each other: a value, (one, tree), or (tree, (two, tree))."""
    if depth == 0:
        return VALUE
    deep, other = grow(depth - 1, rng), grow(int(rng.integers(0, min(depth, 4))), rng)
    kind = rng.integers(3)
    return (ONE, deep) if kind == 0 else (deep, (TWO, other)) if kind == 1 else (other, (TWO, deep))


def kinds_of(tree: Any) -> list[str]:
    """The kinds of a tree's leaves, from left to right."""
    return [tree] if isinstance(tree, str) else [kind for part in tree for kind in kinds_of(part)]


def meanings(algebra: Algebra, tree: Any, words: Iterator[np.ndarray]) -> list[np.ndarray | None]:
    """What each phrase means, parts before the whole: values (count,), or None for an operator without its operand."""
    if tree == VALUE:
        return [next(words)]
    if tree[0] == ONE:
        word = next(words)
        part = meanings(algebra, tree[1], words)
        return [None, *part, algebra.apply(word, part[-1])]
    left, word = meanings(algebra, tree[0], words), next(words)
    right = meanings(algebra, tree[1][1], words)
    return [*left, None, *right, None, algebra.apply(word, left[-1], right[-1])]


def plant(algebra: Algebra, cell: Any, trees: list[Any], *, roots: bool = False) -> Forest:
    """The net over these trees, asked about every phrase that means something, or about the whole trees alone."""
    asked = []
    for tree in trees:
        found = meanings(algebra, tree, iter(algebra.draw(kinds_of(tree), 1, np.random.default_rng(0))))
        asked.append([meaning is not None and (not roots or i == len(found) - 1) for i, meaning in enumerate(found)])
    return forest(cell, trees, asked, words=algebra.words, classes=algebra.size, hidden=HIDDEN)


def feeds(algebra: Algebra, trees: list[Any], count: int, rng: np.random.Generator) -> tuple[dict[str, Any], Any]:
    """Words and right answers for all phrases that mean something; and the answers (trees, count) for the wholes."""
    words = algebra.draw([kind for tree in trees for kind in kinds_of(tree)], count, rng)
    rows = iter(words)
    found = [meanings(algebra, tree, rows) for tree in trees]
    answers = [meaning for one in found for meaning in one if meaning is not None]
    return {"word": words, "y": np.array(answers)}, np.array([one[-1] for one in found])


def train(algebra: Algebra, cell: Any, updates: int, seed: int) -> models.Learner:
    rng = np.random.default_rng(seed)
    trees = [grow(int(depth), rng) for depth in np.resize(range(1, DEPTH + 1), SHAPES)]
    net = plant(algebra, cell, trees)
    learner = models.Learner(net.initial(seed), rate=0.005, schedule="linear", updates=updates)
    for _ in range(updates):
        learner.update(net.loss, feeds(algebra, trees, BATCH, rng)[0])
    return learner


def right(learner: models.Learner, algebra: Algebra, cell: Any, depth: int, seed: int) -> float:
    """The share of whole trees of that depth, with other shapes and words than those learned, that are right."""
    rng = np.random.default_rng([seed, depth])
    trees = [grow(depth, rng) for _ in range(8)]
    fed, answers = feeds(algebra, trees, 100, rng)
    scores = learner.run(list(plant(algebra, cell, trees, roots=True).scores), {"word": fed["word"]})
    return float(np.mean(np.argmax(scores, axis=-1) == answers))


def written_out() -> models.Composed:
    """The tree of (not a) and (b xor c)."""
    g = tg.Graph()
    leaf = {word: g.input(word, (HIDDEN,)) for word in ("not", "a", "and", "b", "xor", "c")}
    left, right = (leaf["not"], leaf["a"]), (leaf["b"], (leaf["xor"], leaf["c"]))
    return models.compose(models.rntn, (left, (leaf["and"], right)))


def main() -> None:
    story = Story(__doc__)
    depths = np.arange(1, story.either(DEEPEST, DEPTH + 1) + 1)
    for name, algebra in {"logic": LOGIC, "digits": DIGITS}.items():
        lines = {}
        for cell in (models.recursive, models.rntn):
            learner = train(algebra, cell, story.either(1500, 5), story.seed)
            shares = [right(learner, algebra, cell, int(depth), story.seed) for depth in depths]
            lines[cell.name] = depths, shares
            goal = "100%" if (name, cell.name) == ("logic", "rntn") else ""
            deeper = float(np.mean(shares[DEPTH:]))
            story.score(f"{name}, {cell.name}, deeper than trained", deeper, 1 / algebra.size, trivial="any", goal=goal)
        story.picture(curves(lines, title=name, x="operations on top of each other", y="share right"), f"{name}.svg")
    story.picture(viz.draw(written_out(), detail="cell", title="(not a) and (b xor c)"), "logic-tree.svg")


if __name__ == "__main__":
    main()
