r"""The usual mistakes in a formula of matrix words, and which of them turns the right formula into a claimed one.

Each word of the right Jacobian is varied: left out, negated, transposed, its factors swapped or left out,
a value taken at another time or in place of its derivative. Words that share a factor are also varied
together, since a formula with brackets holds it once. A variant is kept as its difference to the right
formula, so two mistakes in different words are a sum of two differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np

from ..execute.arrays import NumpyArrays
from ..graph.letters import Atom, Word, Words, compose, total
from ..graph.node import Node
from ..graph.tape import cone
from ..symbolic.plain_words import PlainNames
from ..symbolic.words import Block, StepWords, act
from .factor_mistakes import FactorMistakes
from .findings import LESS_LIKELY, Mistake
from .word_changes import Change, Part, heads, moved, operations, parts_of, reversed_transpose, tails

TOLERANCE = 1e-9  # of floats that are equal in exact arithmetic
MOST_VARIANTS = 5000  # that are tried, the likeliest first

Group = tuple[Word, ...]  # words that are varied together, in the order of the formula


@dataclass(frozen=True)
class Variant:
    """A mistake: `change` is what the mistaken formula has more than the right one, `touched` the words concerned."""

    mistake: Mistake
    touched: Group
    change: Words


def explain(step: StepWords, block: Block, claimed: Any, values: Mapping[int, Any]) -> tuple[Mistake, ...]:
    """The mistakes that turn the words of a block into the claimed matrix at these float values.

    One mistake, else two in different words; none if nothing in the catalogue fits.
    """
    words, variants = step.compact[block], WordMistakes(step, block).variants()
    xp, (rows, columns) = NumpyArrays("float64"), np.shape(claimed)
    known, unit = _Completed(values, step.net.graph.nodes), np.eye(columns)
    wanted = np.ravel(claimed - act(words, known, xp, unit, rows))
    scale = TOLERANCE * (1 + float(np.abs(claimed).max(initial=0)))
    tried: list[tuple[Variant, Any]] = []
    for variant in islice(variants, MOST_VARIANTS):
        try:
            found = np.ravel(act(variant.change, known, xp, unit, rows))
        except ValueError:  # shapes that do not fit: nobody can have written this
            continue
        if np.abs(found - wanted).max(initial=0) <= scale:
            return (variant.mistake,)
        tried.append((variant, found))
    return _two(tried, wanted, scale)


class _Completed(dict[int, Any]):
    """Values by node id, with those of nodes that were made for a variant: computed when asked for."""

    def __init__(self, values: Mapping[int, Any], nodes: Sequence[Node]) -> None:
        super().__init__(values)
        self.nodes = nodes

    def __missing__(self, number: int) -> Any:
        for node in cone([self.nodes[number]]):
            if node.id not in self:
                operands = (self[arg.id] for arg in node.args)
                self[node.id] = np.asarray(node.op.run(NumpyArrays("float64"), node, *operands))
        return self[number]


def _two(tried: list[tuple[Variant, Any]], wanted: Any, scale: float) -> tuple[Mistake, ...]:
    """Two mistakes in different words whose differences sum to `wanted`."""
    if not tried:
        return ()
    stacked = np.array([found for _, found in tried])
    for variant, found in tried:
        near = np.abs(stacked - (wanted - found)).max(axis=1) <= 2 * scale
        for place in np.flatnonzero(near):
            other = tried[int(place)][0]
            if not set(variant.touched) & set(other.touched):
                return variant.mistake, other.mistake
    return ()


class WordMistakes:
    """The catalogue of variants of one block of a Jacobian."""

    def __init__(self, step: StepWords, block: Block) -> None:
        self.words = step.compact[block]
        self.names = PlainNames(step)
        self.factors = FactorMistakes(step, self.names)

    def variants(self) -> Iterator[Variant]:
        """All variants, the plainest first."""
        for late in (False, True):
            for group in self.groups:
                found = chain(self._changed(group), self._cut(group))
                yield from (variant for variant in found if (variant.mistake.kind in LESS_LIKELY) == late)

    def _changed(self, group: Group) -> Iterator[Variant]:
        """The words of a group changed alike."""
        seen: set[str] = set()
        for mistake, change in self._changes(group):
            if str(mistake) in seen:
                continue
            seen.add(str(mistake))
            varied = [change(word) for word in group]
            if all(new is not None for new in varied):
                yield Variant(self._shown(mistake, group, varied), group, self._difference(group, varied))

    def _cut(self, group: Group) -> Iterator[Variant]:
        """What the words of a group begin or end with, alone: the other factor, in brackets, is left out."""
        first = group[0]
        sign = 1 if self.words[first] > 0 else -1
        for kept in dict.fromkeys((*heads(first), *tails(first))):
            if kept and kept != first and all(kept in heads(word) or kept in tails(word) for word in group):
                for c in (sign, -sign):
                    text = f"{self.names.word(kept, c)} alone in place of {self._text(group)}"
                    change = total({kept: c}, {word: -self.words[word] for word in group})
                    yield Variant(Mistake("missing factor", text), group, change)

    def _shown(self, mistake: Mistake, group: Group, varied: list[Words | None]) -> Mistake:
        """A wrong order is shown by the word that it makes."""
        if mistake.kind != "order" or len(group) > 1 or not varied[0]:
            return mistake
        (new,), (old,) = varied[0], group
        coefficient = self.words[old]
        shown = self.names.word(new, coefficient), self.names.word(old, coefficient)
        return Mistake("order", "{} in place of {}".format(*shown))

    def _difference(self, group: Iterable[Word], varied: Iterable[Words | None]) -> Words:
        parts = []
        for word, new in zip(group, varied, strict=True):
            coefficient = self.words[word]
            parts += [compose({(): coefficient}, new or {}), {word: -coefficient}]
        return total(*parts)

    @cached_property
    def groups(self) -> list[Group]:
        """Each word, words that begin or end alike, words that share a factor, and all of them."""
        found: list[Group] = [(word,) for word in self.words]
        shared: dict[Any, list[Word]] = {}
        for word in self.words:
            for k in range(len(word)):
                shared.setdefault(("head", word[: k + 1]), []).append(word)
                shared.setdefault(("tail", word[k:]), []).append(word)
            for name in operations(word):
                shared.setdefault(("slopes", name), []).append(word)
            for part in parts_of(word):
                shared.setdefault(part, []).append(word)
                for other in parts_of(word):
                    if isinstance(part, Atom) and isinstance(other, Atom) and part.key < other.key:
                        shared.setdefault((part, other), []).append(word)
        found += [tuple(words) for words in shared.values() if len(words) > 1]
        found += [tuple(self.words)] if len(self.words) > 1 else []
        return list(dict.fromkeys(found))

    def _changes(self, group: Group) -> Iterator[tuple[Mistake, Change]]:
        inside = f" in {self._text(group)}" if len(self.words) > 1 else ""
        shared = self._shared(group)
        verb = "is" if len(group) == 1 else "are"
        yield Mistake("missing term", f"{self._text(group)} {verb} left out"), lambda word: {}
        yield Mistake("sign", f"the sign of {self._text(group)}"), lambda word: {word: -1}
        for part in shared:
            for mistake, replaced in self.factors.replacements(part):
                yield Mistake(mistake.kind, mistake.text + inside), replaced
        whole = [one for one in group[0] if all(one in word for word in group)]
        for text, change in self._orders(list(dict.fromkeys([*shared, *whole]))):
            yield Mistake("order", text + inside), change
        yield Mistake("transpose", f"the whole of {self._text(group)} is transposed"), reversed_transpose
        yield Mistake("order", f"the factors of {self._text(group)} in reversed order"), lambda word: {word[::-1]: 1}
        for number in (2, Fraction(1, 2)):
            yield Mistake("scale", f"{number} times {self._text(group)}"), lambda word, c=number: {word: c}  # type: ignore[misc]

    def _orders(self, shared: list[Part]) -> Iterator[tuple[str, Change]]:
        """A factor moved past its neighbour, or to either end."""
        for part in shared:
            for side, where in ((1, "after"), (-1, "before")):
                text = self.factors.text(part)
                yield f"{text} stands {where} its neighbour", moved(part, side, False)
                yield f"{text} stands {where} all others", moved(part, side, True)

    # Text
    def _text(self, group: Group) -> str:
        if len(group) == len(self.words) > 1:
            return "all terms"
        if len(group) > 2:
            elsewhere = {part for word in self.words if word not in group for part in parts_of(word)}
            only = [part for part in self._shared(group) if part not in elsewhere]
            marks = [self.factors.text(part) for part in only or self._shared(group)]
            common = sorted(set.intersection(*(set(operations(word)) for word in group)))
            marks += [f"a derivative of {name}" for name in common if not marks]
            return f"the {len(group)} terms with {marks[-1]}"
        return " and ".join(self.names.word(word, self.words[word]) for word in group)

    def _shared(self, group: Group) -> list[Part]:
        """The parts that all words of a group have."""
        return [part for part in parts_of(group[0]) if all(part in parts_of(word) for word in group)]
