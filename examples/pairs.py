"""What the examples of translation share: pairs of texts, character by character, and a net that learns from them.

pupil = Pupil(read, say, updates=1000, hidden=64)
for pairs in in_batches(draw, updates=1000, size=64, rng=rng):
    pupil.learn(pairs)
pupil.answers(["twenty-one"], longest=50)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygraph import models

Pair = tuple[str, str]
ROOM = 12  # lengths are rounded up to multiples of this, so that few nets are made
POOL = 16  # batches that are drawn together and sorted by length, so that little of a batch is padding
AT_ONCE = 250  # answers


def alphabet(texts: Sequence[str]) -> models.Vocabulary:
    """The characters of these texts."""
    return models.Vocabulary.of("".join(texts))


def commonest(pairs: Sequence[Pair]) -> float:
    """The share that is right if one answer is given to all."""
    return max(Counter(target for _, target in pairs).values()) / len(pairs)


def in_batches(
    draw: Callable[[int, float], list[Pair]], *, updates: int, size: int, rng: np.random.Generator
) -> Iterator[list[Pair]]:
    """So many batches of `size` pairs of similar length, in random order.

    `draw(n, done)` gives n pairs at the time when a share `done` of the updates, 0 to 1, is behind.
    """
    made = 0
    while made < updates:
        pool = sorted(draw(POOL * size, made / updates), key=lambda pair: (len(pair[0]), len(pair[1])))
        for number in rng.permutation(POOL)[: updates - made]:
            yield pool[number * size : (number + 1) * size]
        made += POOL


class Pupil:
    """A translator that learns from pairs, and answers without a teacher.

    read, say   the characters of the sources and of the targets, these by name if there are several decoders
    updates     how many there will be: the rate falls with them, in a straight line after a warm-up
    net         what else `models.SequenceToSequence` takes
    """

    def __init__(
        self,
        read: models.Vocabulary,
        say: models.Vocabulary | Mapping[str, models.Vocabulary],
        *,
        updates: int,
        rate: float = 0.004,
        seed: int = 0,
        **net: Any,
    ) -> None:
        self.read, self.say = read, say if isinstance(say, Mapping) else {"": say}
        sizes = {name: len(letters) for name, letters in self.say.items()}
        self.model = models.SequenceToSequence(len(read), sizes if isinstance(say, Mapping) else len(say), **net)
        self.learner = models.Learner(self.model.initial(seed), rate=rate, schedule="warm_up", updates=updates)
        self._nets: dict[tuple[int, int], models.EncoderDecoder] = {}

    def learn(self, pairs: Sequence[Pair], target: str = "") -> float:
        """One update; the loss in nats for each character before it."""
        fed = self.feeds(pairs, target)
        lengths = tuple(-(-len(fed[name]) // ROOM) * ROOM for name in ("source", f"{target}/y" if target else "y"))
        if lengths not in self._nets:
            self._nets[lengths] = self.model.unroll(*lengths)
        longer = {name: _longer(feed, lengths["source" not in name]) for name, feed in fed.items()}
        return self.learner.update(self._nets[lengths].losses[target], longer)

    def feeds(self, pairs: Sequence[Pair], target: str = "") -> dict[str, Any]:
        """The pairs as feeds of a net, with a teacher."""
        sources, targets = zip(*pairs, strict=True)
        said = [self.say[target].encode(text) for text in targets]
        return self.model.feeds([self.read.encode(text) for text in sources], **{target or "targets": said})

    def answers(self, sources: Sequence[str], *, longest: int, target: str = "") -> list[str]:
        """The likeliest character after the likeliest character for each source."""
        translator, found = models.Translator(self.model, self.learner.values, target), dict[str, str]()
        order = sorted(set(sources), key=len)
        for start in range(0, len(order), AT_ONCE):
            some = order[start : start + AT_ONCE]
            said = translator.translate_each([self.read.encode(text) for text in some], longest=longest)
            found |= {text: self.say[target].decode(one.symbols) for text, one in zip(some, said, strict=True)}
        return [found[text] for text in sources]

    def right(self, pairs: Sequence[Pair], target: str = "") -> np.ndarray:
        """Of each pair, whether the answer is the target to the last character."""
        longest = max(len(text) for _, text in pairs) + 2
        answers = self.answers([source for source, _ in pairs], longest=longest, target=target)
        return np.array([answer == text for answer, (_, text) in zip(answers, pairs, strict=True)])

    def looks(self, pair: Pair, target: str = "") -> np.ndarray:
        """Where a net with attention looks while it says a pair's target and the end: (said, read)."""
        net = self.model.unroll(len(pair[0]), len(pair[1]) + 1)
        weights = self.learner.run(net.decoders[target].alpha, self.feeds([pair], target))
        return np.concatenate(list(weights.values()))


def _longer(feed: Any, length: int) -> Any:
    """A feed (time, batch) with zeros behind it."""
    return np.pad(feed, ((0, length - len(feed)), (0, 0)))
