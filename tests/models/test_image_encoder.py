"""The image encoder: plain NumPy, gradients, what it learns, and its features given to a net that speaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, complex_step, inner

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import ShapeError, UsageError

IMAGES = [(2, 9), (1, 7, 8), (1, 7, 7, 7)]  # with one axis, two and three


def small(image: Any = (1, 7, 8)) -> Any:
    return models.ImageEncoder(image, features=4, classes=3, banks=(2, 3))


def windows(x: Any, widths: Any) -> Any:
    """All windows of the last axes: (places..., channels, widths...)."""
    views = np.lib.stride_tricks.sliding_window_view(x, widths, tuple(range(1, x.ndim)))
    return np.moveaxis(views, 0, x.ndim - 1)


@pytest.mark.parametrize("image", IMAGES)
def test_in_plain_numpy(image):
    encoder, rank = small(image), len(image) - 1
    feeds = p = random_feeds(encoder.graph)
    features, scores = tg.evaluate([encoder.features, encoder.scores], feeds)
    for b, image in enumerate(feeds["x"]):
        value = image
        for name in ("bank1", "bank2"):
            W, seen = p[f"{name}/W"], windows(value, (3,) * rank)
            filtered = np.tensordot(W, seen, (range(1, rank + 2), range(rank, 2 * rank + 1))) + p[f"{name}/b"]
            pooled = windows(np.maximum(filtered, 0), (2,) * rank).max(axis=tuple(range(-rank, 0)))
            value = np.moveaxis(pooled, -1, 0)
        expected = np.tanh(p["W"] @ value.ravel() + p["b"])
        assert_close(features[b], expected, 1e-12)
        assert_close(scores[b], p["V"] @ expected + p["c"], 1e-12)


@pytest.mark.parametrize("image", IMAGES)
def test_gradient(image):
    encoder = small(image)
    feeds = random_feeds(encoder.graph)
    for name, value in feeds.items():
        feeds[name] = 0.3 * value if name.startswith(("W", "bank")) else value
    rng = np.random.default_rng(0)
    for name, gradient in tg.evaluate(encoder.gradients, feeds).items():
        v = {name: rng.standard_normal(gradient.shape)}
        found, terms = inner({name: gradient}, v)
        exact = complex_step(lambda at: tg.evaluate(encoder.loss, at, dtype="complex128"), feeds, v)
        assert_close(found, exact, 1e-10, terms, name)
    assert viz.draw(encoder.loss, backward=True).nodes > 0


def test_it_learns_and_is_then_frozen():
    """Bars that lie, stand or lean: all right after some updates. Without its last layer it feeds a captioner."""
    rng = np.random.default_rng(0)
    patterns = np.stack([np.eye(7)[2] + np.zeros((7, 7)), (np.eye(7)[2] + np.zeros((7, 7))).T, np.eye(7)])[:, None]
    y = rng.integers(0, 3, 30)
    images = patterns[y] + 0.2 * rng.standard_normal((30, 1, 7, 7))
    encoder = models.ImageEncoder((1, 7, 7), features=5, classes=3, banks=(4, 6))
    values, optimiser = encoder.initial(seed=0), models.make_optimiser("adam", rate=0.02)
    step = tg.plan([encoder.loss, encoder.gradients])
    for _ in range(40):
        loss, gradients = step(values | {"x": images, "y": y})
        optimiser.update(values, gradients)
    assert loss < 0.05
    assert np.array_equal(np.argmax(tg.evaluate(encoder.scores, values | {"x": images}), axis=1), y)
    features = encoder.see(values, images)
    assert features.shape == (30, 5)
    speaks = models.generator(models.captioner, 2, features=5, symbols=3, H=4)
    feeds = {"v": features, "y": np.stack([y, np.full(30, 3)]), "y_mask": np.ones((2, 30), bool)}
    assert np.isfinite(tg.evaluate(speaks.loss, speaks.initial(seed=0) | feeds))
    assert not set(speaks.graph.parameters) & {"bank1/W", "bank2/W"}


def test_bad_inputs():
    with pytest.raises(ShapeError, match="does not fit"):
        models.ImageEncoder((1, 4, 4), features=2, classes=2)
    with pytest.raises(ShapeError, match="channels and one to three axes"):
        models.ImageEncoder((4,), features=2, classes=2)
    with pytest.raises(UsageError, match="at least one bank"):
        models.ImageEncoder((1, 4, 4), features=2, classes=2, banks=())
