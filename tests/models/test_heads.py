"""Readouts and losses against plain NumPy, with and without a mask, with and without a batch."""

import numpy as np
import pytest
from graph.samples import BATCH, STEPS, random_feeds

import tinygraph as tg
from tinygraph import models

CLASSES = 4
ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "softmax": lambda v: np.exp(v) / np.exp(v).sum(axis=-1, keepdims=True),
}
MASKS = {
    "all": np.ones((STEPS, BATCH), bool),
    "lengths": np.arange(STEPS)[:, None] < np.array([3, 1, 2]),
    "one": np.eye(STEPS, BATCH, dtype=bool) & (np.arange(BATCH) == 1),
    "an empty example": np.array([[True, False, True]] * STEPS),
}


def net(**options):
    return tg.unroll(models.elman, STEPS, I=2, H=3, **options)


def cross_entropies(scores, targets):
    """-log softmax(scores)[target], of shape (steps, batch)."""
    shifted = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    return -np.log(np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0])


def squares(outputs, targets):
    return ((outputs - targets) ** 2).mean(axis=-1)


@pytest.mark.parametrize("activation", models.heads.ACTIVATIONS)
def test_readout(activation):
    """o_t = f(V h_t + c) at each step, with V and c among the parameters of the net."""
    unrolled = net()
    scores = models.readout(unrolled, CLASSES, activation=activation, name="y")
    feeds = random_feeds(unrolled.graph)
    assert list(scores) == [1, 2, 3]
    assert [node.name for node in scores.values()] == ["y_1", "y_2", "y_3"]
    assert (unrolled.parameters["V"].shape, unrolled.parameters["c"].shape) == ((CLASSES, 3), (CLASSES,))
    for t, h in unrolled.output.items():
        expected = ACTIVATIONS[activation](tg.evaluate(h, feeds) @ feeds["V"].T + feeds["c"])
        np.testing.assert_allclose(tg.evaluate(scores[t], feeds), expected, rtol=1e-13)


def test_a_second_readout_uses_the_same_parameters():
    unrolled = net()
    first, second = models.readout(unrolled, CLASSES), models.readout(unrolled, CLASSES, name="p")
    assert len(unrolled.graph.parameters) == 5
    feeds = random_feeds(unrolled.graph)
    np.testing.assert_array_equal(*tg.evaluate([first[2], second[2]], feeds))


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_square"])
@pytest.mark.parametrize("mask", [None, *MASKS])
def test_losses(loss, mask):
    """The mean over steps and batch; with a mask, over the steps where it is true, all examples together."""
    unrolled = net(mask=mask is not None)
    scores = models.readout(unrolled, CLASSES)
    total = getattr(models, loss)(scores, mask=unrolled.mask)
    feeds = random_feeds(unrolled.graph)
    if loss == "softmax_cross_entropy":
        feeds["y"] = np.random.default_rng(1).integers(0, CLASSES, (STEPS, BATCH))
    if mask is not None:
        feeds["mask"] = MASKS[mask]
    outputs = np.array(tg.evaluate(list(scores.values()), feeds))
    each = {"softmax_cross_entropy": cross_entropies, "mean_square": squares}[loss](outputs, feeds["y"])
    kept = MASKS[mask] if mask is not None else np.ones((STEPS, BATCH), bool)
    assert total.shape == ()
    assert not total.batched
    np.testing.assert_allclose(tg.evaluate(total, feeds), each[kept].mean(), rtol=1e-13)


def test_a_loss_of_one_example_without_a_batch():
    unrolled = net()
    scores = models.readout(unrolled, CLASSES)
    loss = models.softmax_cross_entropy(scores)
    feeds = random_feeds(unrolled.graph, batch=None)
    outputs = np.array(tg.evaluate(list(scores.values()), feeds))
    np.testing.assert_allclose(tg.evaluate(loss, feeds), cross_entropies(outputs, feeds["y"]).mean(), rtol=1e-13)


def test_a_batch_of_one_has_the_loss_of_its_example():
    unrolled = net()
    loss = models.softmax_cross_entropy(models.readout(unrolled, CLASSES))
    feeds = random_feeds(unrolled.graph, batch=None)
    alone = tg.evaluate(loss, feeds)
    feeds |= {"x": feeds["x"][:, None], "y": feeds["y"][:, None]}
    np.testing.assert_allclose(tg.evaluate(loss, feeds), alone, rtol=1e-15)


def test_each_step_has_its_own_loss():
    """The losses of the steps are labelled L and their mean is the loss."""
    unrolled = net()
    loss = models.softmax_cross_entropy(models.readout(unrolled, CLASSES))
    feeds = random_feeds(unrolled.graph)
    each = [tg.evaluate(unrolled.graph["L", t], feeds) for t in (1, 2, 3)]
    np.testing.assert_allclose(tg.evaluate(loss, feeds), np.mean(each), rtol=1e-14)
    assert loss.label == "loss"


def test_given_targets():
    """Targets may be nodes: here the net is to say its own input again."""
    unrolled = tg.unroll(models.elman, STEPS, I=2, H=2)
    loss = models.mean_square(unrolled.output, unrolled.x)
    feeds = random_feeds(unrolled.graph)
    h = np.array(tg.evaluate(list(unrolled.output.values()), feeds))
    assert "y" not in unrolled.graph.inputs
    np.testing.assert_allclose(tg.evaluate(loss, feeds), ((h - feeds["x"]) ** 2).mean(), rtol=1e-13)


def test_steps_beyond_the_mask_change_nothing():
    """What is fed where the mask is false has no influence on loss or gradient, not even a NaN times 0."""
    unrolled = net(mask=True)
    loss = models.softmax_cross_entropy(models.readout(unrolled, CLASSES), mask=unrolled.mask)
    gradients = tg.grad(loss, unrolled.graph.parameters)
    feeds = random_feeds(unrolled.graph) | {"mask": MASKS["lengths"]}
    other = dict(feeds)
    other["x"] = np.where(MASKS["lengths"][..., None], feeds["x"], 1e6)
    other["y"] = np.where(MASKS["lengths"], feeds["y"], CLASSES - 1)
    before, after = (tg.evaluate([loss, gradients], f) for f in (feeds, other))
    assert before[0] == after[0]
    for name, value in before[1].items():
        np.testing.assert_array_equal(value, after[1][name])


def test_mean_over_time_of_other_losses():
    graph = tg.Graph()
    x = graph.sequence("x", 3)
    losses = tg.Steps("L", ((t, x[t] ** 2) for t in x))
    data = np.arange(6.0).reshape(3, 2)
    assert tg.evaluate(models.mean_over_time(losses), {"x": data}) == np.mean(data**2)


def test_mean_over_time_without_a_batch_input():
    graph = tg.Graph()
    x = graph.sequence("x", 3, batched=False)
    assert tg.evaluate(models.mean_over_time(x), {"x": [1.0, 2.0, 6.0]}) == 3
