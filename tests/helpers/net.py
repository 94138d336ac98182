"""A small net that uses its parameters in every way: per example, by themselves, and through the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygraph as tg

B = H = T = 3  # equal, so that an axis that meets the batch by accident shows


def normal(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Standard normal numbers from a seed."""
    return np.random.default_rng(seed).standard_normal(shape)


class Net:
    """h = tanh(W x + b), and losses that mix batched and unbatched uses of W and b."""

    def __init__(self) -> None:
        self.graph = g = tg.Graph()
        self.W, self.b = g.parameter("W", (H, H)), g.parameter("b", (H,))
        self.x = g.input("x", (H,))
        self.h = tg.tanh(self.W @ self.x + self.b, name="h")
        self.parameters = {"W": self.W, "b": self.b}
        self.everything = {**self.parameters, "x": self.x}
        self.feeds = {"W": normal((H, H), 1), "b": normal((H,), 2), "x": normal((B, H), 3)}

    def per_example(self) -> dict[str, Any]:
        """Losses in which the examples do not see each other."""
        h, W = self.h, self.W
        square, penalty = tg.sum(h * h), tg.sum(W * W)
        return {
            "batched": square,
            "linear in the bias": tg.sum(W @ self.x + self.b),
            "batched plus penalty": square + penalty,
            "penalty times batched": penalty * square,
            "spread": tg.sum(tg.spread(self.b) * self.b),
            "two uses of W": tg.sum(h * (W @ h)) * h[0],
        }

    def across_the_batch(self) -> dict[str, Any]:
        """Losses with sums and means over the batch, at the end, in the middle, and used again per example."""
        h, W = self.h, self.W
        square, penalty = tg.sum(h * h), tg.sum(W * W)
        centred, total = h - tg.mean_batch(h), tg.sum_batch(h)
        return {
            "unbatched": penalty,
            "mean": tg.mean_batch(square),
            "mean of a linear loss": tg.mean_batch(tg.sum(W @ self.x + self.b)),
            "mean plus penalty": tg.mean_batch(square) + penalty,
            "mean times batched": tg.mean_batch(square) * square,
            "centred over the batch": tg.sum(centred * centred * centred),
            "total, then per example": tg.sum(tg.sin(total) * h),
            "total, then alone": tg.sum(tg.sin(total)),
            "total, product, mean": tg.mean_batch(tg.sum(tg.sin(W @ total) * h)) + tg.sum(W @ self.b),
            "mean of outer products": tg.sum(tg.mean_batch(tg.outer(h, self.x)) * W),
        }

    def losses(self) -> dict[str, Any]:
        return self.per_example() | self.across_the_batch()
