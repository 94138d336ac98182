"""Glimpses: against plain NumPy from the paper's equations, where it looks, gradients, and what it learns to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, complex_step, inner

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import CellError, UsageError
from tinygraph.models import glimpsing

STEPS, BATCH, ROWS, COLUMNS, GRID = 3, 3, 5, 7, 3


def looking(cell: Any = models.elman, grid: int = GRID, **options: Any) -> Any:
    return tg.unroll(glimpsing(cell, grid), STEPS, Y=ROWS, X=COLUMNS, H=3, **options)


def filters(length: int, centre: float, stride: float, variance: float, count: int) -> Any:
    """Eqs. 19, 20, 25 and 26, entry by entry; pixels and filters count from 1."""
    F = np.empty((count, length))
    for i in range(1, count + 1):
        mean = centre + (i - count / 2 - 0.5) * stride
        for a in range(1, length + 1):
            F[i - 1, a - 1] = np.exp(-((a - mean) ** 2) / (2 * variance))
    return F / F.sum(axis=1, keepdims=True)


def read(image: Any, look: Any, count: int) -> Any:
    """Eqs. 21 to 24 and 27."""
    B, A = image.shape
    g_X, g_Y = (A + 1) / 2 * (look[0] + 1), (B + 1) / 2 * (look[1] + 1)
    variance, gamma = np.exp(look[2]), np.exp(look[4])
    stride = (max(A, B) - 1) / (count - 1) * np.exp(look[3])
    F_X, F_Y = filters(A, g_X, stride, variance, count), filters(B, g_Y, stride, variance, count)
    return gamma * F_Y @ image @ F_X.T


@pytest.mark.parametrize("grid", [2, 3, 4])
def test_against_plain_numpy(grid):
    """The glimpses and states of each example, over an image that is no square."""
    net = looking(grid=grid)
    feeds = p = random_feeds(net.graph)
    feeds |= {name: 0.3 * feeds[name] for name in ("W_look", "b_look")}  # so that no filter underflows in the formula
    found, glimpses = tg.evaluate([net.h, net.glimpse], feeds)
    for b in range(BATCH):
        h = np.zeros(3)
        for t in range(1, STEPS + 1):
            glimpse = read(feeds["image"][b], p["W_look"] @ h + p["b_look"], grid)
            h = np.tanh(p["W"] @ glimpse.ravel() + p["U"] @ h + p["b"])
            assert_close(glimpses[t][b], glimpse.ravel(), 1e-12)
            assert_close(found[t][b], h, 1e-12)
    tg.validate(net.graph)


def test_gradient():
    """By the image and all parameters, where to look among them."""
    net = looking(models.lstm)
    loss = tg.sum_batch(tg.sum(net.output[STEPS] ** 2))
    wanted = {**net.parameters, "image": net.image}
    feeds, rng = random_feeds(net.graph), np.random.default_rng(0)
    for name, gradient in tg.evaluate(tg.grad(loss, wanted), feeds).items():
        assert np.any(gradient != 0)
        v = {name: rng.standard_normal(gradient.shape)}
        found, terms = inner({name: gradient}, v)
        exact = complex_step(lambda at: tg.evaluate(loss, at, dtype="complex128"), feeds, v)
        assert_close(found, exact, 1e-10, terms, name)


def looked_at(image: Any, look: Any, grid: int) -> Any:
    """The first glimpse (grid, grid) of an image, from where b_look says."""
    net = tg.unroll(glimpsing(models.elman, grid), 1, Y=image.shape[0], X=image.shape[1], H=1)
    feeds = {name: np.zeros(node.shape) for name, node in net.parameters.items()}
    return tg.evaluate(net.glimpse[1], feeds | {"b_look": look, "image": image}).reshape(grid, grid)


def test_sharp_filters_pick_pixels():
    """With a variance near 0 and one filter a pixel the glimpse is the image; halved, its middle; moved, its corner."""
    image = np.random.default_rng(0).standard_normal((5, 5))
    sharp, half = -20.0, np.log(0.5)
    assert_close(looked_at(image, [0, 0, sharp, 0, 0], 5), image, 1e-12)
    assert_close(looked_at(image, [0, 0, sharp, half, 0], 3), image[1:4, 1:4], 1e-12)
    assert_close(looked_at(image, [-1 / 3, 1 / 3, sharp, half, np.log(2)], 3), 2 * image[2:5, 0:3], 1e-12)


def test_it_first_looks_at_the_whole_image():
    """With the initial parameters: the outer filters stand on the outer pixels, rows and columns in their order."""
    net = looking()
    F_X, F_Y = tg.evaluate([net.F_X[1], net.F_Y[1]], net.initial(seed=0))
    assert np.argmax(F_X, axis=1).tolist() == [0, 3, 6]
    assert np.argmax(F_Y, axis=1).tolist() == [0, 2, 4]  # its stride is that of the longer side: 2 -+ 3


def test_far_away_there_is_still_a_filter():
    """Where all weights of a filter would underflow it stands on the pixel that is nearest, and nothing is NaN."""
    seen = looked_at(np.eye(4), [1e3, -1e3, -5, 0, 0], 2)
    assert np.all(np.isfinite(seen))
    assert_close(seen, np.zeros((2, 2)), 1e-12)  # of np.eye(4) the corner at the right of the top row


def test_it_learns_where_to_look():
    """A bright pixel among noise says by its place which of two classes there is; the loss falls to a tenth."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 64)
    images = 0.1 * rng.standard_normal((64, 5, 5))
    images[np.arange(64), 1 + 2 * y, 1 + 2 * y] += 2
    found = models.classifier(tg.unroll(glimpsing(models.gru, 2), 2, Y=5, X=5, H=6), 2)
    learner = models.Learner(found.initial(seed=0), rate=0.02)
    feeds = {"image": images, "y": y[None]}
    losses = [learner.update(found.loss, feeds) for _ in range(100)]
    assert losses[-1] < losses[0] / 10


def test_it_is_drawn():
    assert viz.draw(looking(), backward=True).nodes > 0


def test_bad_inputs():
    for grid in (0, 1):
        with pytest.raises(UsageError, match="2 x 2 or more"):
            glimpsing(models.gru, grid)
    for name in ("mut1", "highway", "captioner", "recursive"):
        with pytest.raises(UsageError, match=r"models\.gru"):
            glimpsing(models.CELLS[name], 3)

    @tg.cell
    def illustrated(x: tg.Input["I"], h: tg.State["H"], W: tg.Param["H I"], image: tg.Param["H"]):
        """Has an image of its own."""
        return tg.tanh(W @ x + image) + h

    with pytest.raises(CellError, match="two arguments 'image'"):
        glimpsing(illustrated, 2)
