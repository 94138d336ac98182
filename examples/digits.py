"""Scikit-learn's handwritten digits, which need no download, for the examples of images.

Reference: Alpaydin and Kaynak 1998, "Optical recognition of handwritten digits", UCI machine learning repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from story import needs

from tinygraph import models


@dataclass(frozen=True)
class Digits:
    """Images (count, 8, 8) with ink from 0 to 1, and which digit each is, (count,)."""

    images: np.ndarray
    labels: np.ndarray

    def __getitem__(self, some: np.ndarray | slice) -> Digits:
        return Digits(self.images[some], self.labels[some])

    def batches(self, size: int, updates: int, rng: np.random.Generator) -> Iterator[Digits]:
        """So many batches, each drawn at random."""
        for _ in range(updates):
            yield self[rng.choice(len(self.labels), size)]


def load(test: float = 0.2, seed: int = 0) -> tuple[Digits, Digits]:
    """The digits to learn from, and the share kept for the test, chosen at random."""
    found = needs("sklearn.datasets", "scikit-learn").load_digits()
    every = Digits(found.images / 16, found.target)[np.random.default_rng(seed).permutation(len(found.target))]
    kept = round(len(every.labels) * (1 - test))
    return every[:kept], every[kept:]


def reader(train: Digits, *, updates: int, seed: int) -> tuple[models.ImageEncoder, models.Learner]:
    """A bank of filters that has learned which digit an image shows, and what it has learned."""
    encoder = models.ImageEncoder((1, 8, 8), features=64, classes=10, banks=(16,))
    learner = models.Learner(encoder.initial(seed), rate=0.004, schedule="linear", updates=updates)
    feeds = {"x": train.images[:, None], "y": train.labels}
    learner.fit(encoder.loss, feeds, updates=updates, batch=64, seed=seed)
    return encoder, learner
