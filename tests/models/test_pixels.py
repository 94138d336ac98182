"""Images as sequences of pixels: against plain NumPy, as a distribution, what is drawn from it, what it learns."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, complex_step, inner

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import FeedError, UnknownNameError, UsageError, ValueRangeError

LEVELS, CLASSES = 3, 2
SMALL = {"cell": "elman", "hidden": 3, "embedding": 2}
GREY = models.PixelModel(2, 3, levels=LEVELS, classes=CLASSES, **SMALL)
BINARY = models.PixelModel(2, 2, **SMALL)


def feeds_of(model: Any, seed: int = 0, batch: int = 3) -> tuple[Any, dict[str, Any]]:
    """The net, and random parameters with random images."""
    rng, net = np.random.default_rng(seed), model.unroll()
    images = rng.integers(0, model.levels, (batch, model.height, model.width))
    labels = rng.integers(0, model.classes, batch) if model.classes else None
    return net, random_feeds(net.graph, seed) | model.feeds(images, labels)


def log_probability(p: Any, image: Any, levels: int, label: int | None = None) -> float:
    """Of one image, row by row, in plain NumPy."""
    h = np.zeros(3) if label is None else np.tanh(p["W_h_0"][:, label] + p["b_h_0"])
    total, before = 0.0, levels
    for pixel in np.ravel(image):
        h = np.tanh(p["W"] @ p["E"][before] + p["U"] @ h + p["b"])
        scores = p["V_y"] @ h + p["c_y"]
        total += scores[pixel] - np.log(np.exp(scores).sum())
        before = pixel
    return float(total)


@pytest.mark.parametrize("model", [GREY, BINARY], ids=["grey, of a class", "binary"])
def test_against_plain_numpy(model):
    net, feeds = feeds_of(model)
    images = feeds["y"].T.reshape(-1, model.height, model.width)
    labels = feeds.get("label", [None] * len(images))
    each = [log_probability(feeds, x, model.levels, c) for x, c in zip(images, labels, strict=True)]
    assert tg.evaluate(net.loss, feeds) == pytest.approx(-np.mean(each) / model.pixels, rel=1e-13)


def test_gradient():
    net, feeds = feeds_of(GREY)
    rng = np.random.default_rng(0)
    for name, gradient in tg.evaluate(net.gradients, feeds).items():
        v = {name: rng.standard_normal(gradient.shape)}
        found, terms = inner({name: gradient}, v)
        exact = complex_step(lambda at: tg.evaluate(net.loss, at, dtype="complex128"), feeds, v)
        assert_close(found, exact, 1e-10, terms, name)


def every_image(values: Any) -> dict[tuple[int, ...], float]:
    """The probability of each of the 16 binary images, by the net."""
    net, images = BINARY.unroll(), np.array(list(product(range(2), repeat=4)))
    scores = tg.evaluate(net.outputs, values | BINARY.feeds(images.reshape(16, 2, 2)))
    logs = np.zeros(16)
    for t in range(1, 5):
        shifted = scores[t] - np.log(np.exp(scores[t]).sum(axis=-1, keepdims=True))
        logs += np.broadcast_to(shifted, (16, 2))[np.arange(16), images[:, t - 1]]
    return {tuple(map(int, image)): float(np.exp(log)) for image, log in zip(images, logs, strict=True)}


def test_all_images_together_have_probability_one():
    assert sum(every_image(feeds_of(BINARY)[1]).values()) == pytest.approx(1, abs=1e-12)


def test_images_are_drawn_from_the_distribution():
    """Each of the images that 100 draws should have five times or more as often as it should, to 4 standard errors."""
    values = {name: 0.5 * value for name, value in feeds_of(BINARY)[1].items() if name != "y"}
    rng, drawn = np.random.default_rng(1), 100
    images = [tuple(np.ravel(BINARY.sample(values, seed=rng)).tolist()) for _ in range(drawn)]
    common = {image: p for image, p in every_image(values).items() if p * drawn >= 5}
    assert len(common) >= 3
    for image, probability in common.items():
        error = np.sqrt(probability * (1 - probability) / drawn)
        assert abs(images.count(image) / drawn - probability) < 4 * error


def test_at_temperature_zero_each_pixel_is_the_likeliest():
    values = {name: value for name, value in feeds_of(GREY)[1].items() if name not in ("y", "label")}
    for label in range(CLASSES):
        image = GREY.sample(values, label, temperature=0)
        for place in range(GREY.pixels):
            others = [np.ravel(image).copy() for _ in range(LEVELS)]
            for level in range(LEVELS):
                others[level][place:] = level
            scores = [log_probability(values, other[: place + 1], LEVELS, label) for other in others]
            assert np.argmax(scores) == np.ravel(image)[place]


def test_it_learns_an_image_of_each_class():
    """A bar that lies, and one that stands: drawn again without an error."""
    patterns = np.array([[[0, 0, 0], [2, 2, 2], [0, 0, 0]], [[0, 1, 0], [0, 1, 0], [0, 1, 0]]])
    model = models.PixelModel(3, 3, levels=3, classes=2, cell="gru", hidden=12, embedding=4)
    net = model.unroll()
    learner = models.Learner(net.initial(seed=0), rate=0.05)
    feeds = model.feeds(patterns, [0, 1])
    losses = [learner.update(net.loss, feeds) for _ in range(80)]
    assert losses[0] == pytest.approx(np.log(3), rel=0.1)
    assert losses[-1] < 0.02
    for label in (0, 1):
        np.testing.assert_array_equal(model.sample(learner.values, label, seed=0), patterns[label])


def test_intensities_as_levels():
    assert models.quantised([[0, 0.49, 0.5, 1]], 2).tolist() == [[0, 0, 1, 1]]
    assert models.quantised(np.arange(5) / 4, 4).tolist() == [0, 1, 2, 3, 3]
    for bad in ([-0.1], [1.1], [float("nan")], ["a"], [[0], [0, 1]]):
        with pytest.raises(ValueRangeError, match="0 to 1"):
            models.quantised(bad, 2)
    with pytest.raises(UsageError, match="two levels"):
        models.quantised([0], 1)


def test_it_is_drawn():
    assert viz.draw(GREY.unroll().loss, backward=True).nodes > 0


def test_bad_inputs():
    for wrong in ({"height": 0}, {"levels": 1}, {"classes": -1}, {"hidden": 1.5}, {"embedding": True}):
        with pytest.raises(UsageError, match="whole number"):
            models.PixelModel(**{"height": 2, "width": 2} | wrong)
    with pytest.raises(UnknownNameError, match="'lstm'"):
        models.PixelModel(2, 2, cell="lstn")
    for cell in ("captioner", "mut1", "highway", "recursive"):
        with pytest.raises(UsageError, match="cannot read pixels"):
            models.PixelModel(2, 2, cell=cell)
    for images in (np.zeros((2, 2), int), np.zeros((1, 2, 2)), np.zeros((0, 2, 2), int), [[[0], [0, 1]]]):
        with pytest.raises(UsageError, match="integers of shape"):
            BINARY.feeds(images)
    with pytest.raises(ValueRangeError, match=r"0\.\.1"):
        BINARY.feeds(np.full((1, 2, 2), 2))
    with pytest.raises(UsageError, match="no labels"):
        GREY.feeds(np.zeros((1, 2, 3), int))
    with pytest.raises(UsageError, match="some labels"):
        BINARY.feeds(np.zeros((1, 2, 2), int), [0])
    with pytest.raises(UsageError, match="2 images go with 1"):
        GREY.feeds(np.zeros((2, 2, 3), int), [0])
    with pytest.raises(FeedError, match="no value"):
        BINARY.sample({})
