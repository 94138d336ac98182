"""A learner's updates are those written by hand; nets of several lengths share it; wrong input is told."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import errors, models


def classifier(steps: int) -> models.Mapped:
    return models.classifier(tg.unroll(models.elman, steps, I=2, H=3), 4)


def batch(steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((steps, 5, 2)), "y": rng.integers(0, 4, (1, 5))}


@pytest.mark.parametrize("engine", ["plan", "interpreter"])
def test_an_update_is_gradient_descent(engine):
    net = classifier(3)
    values, feeds = net.initial(seed=1), batch(3)
    learner = models.Learner(
        values, optimiser="sgd", rate=0.5, clip="none", schedule="linear", updates=2, engine=engine, precision="float64"
    )
    expected = dict(values)
    for rate in (0.5, 0.25):
        loss, gradients = tg.evaluate([net.loss, net.gradients], {**expected, **feeds})
        expected = {name: value - rate * gradients[name] for name, value in expected.items()}
        assert learner.update(net.loss, feeds) == pytest.approx(loss, rel=1e-12)
    for name, value in learner.values.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-11, atol=1e-14)
    assert not np.array_equal(learner.values["W"], values["W"])  # which the learner has left alone


def test_nets_of_two_lengths_share_the_parameters():
    short, long = classifier(2), classifier(5)
    learner = models.Learner(short.initial(seed=0), rate=0.05)
    first = learner.update(long.loss, batch(5))
    for _ in range(30):
        learner.update(short.loss, batch(2))
        last = learner.update(long.loss, batch(5))
    assert last < first
    scores = learner.run({"scores": [long.outputs[1]]}, batch(5))["scores"][0]
    expected = tg.evaluate(long.outputs[1], {**learner.values, **batch(5)})
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_fitting_draws_whole_examples():
    """Each drawn example keeps its own target and features, whichever axis its feed has them on."""
    net = models.generator(models.captioner, 3, features=1, symbols=50, H=2)
    count = np.arange(20)
    feeds = {"v": count[:, None], "y": np.tile(count, (3, 1)), "y_mask": np.ones((3, 20), bool)}
    seen = []
    learner = models.Learner(net.initial(seed=0))
    learner.update = lambda loss, fed: seen.append(fed) or 0.5
    assert learner.fit(net.loss, feeds, updates=40, batch=8, seed=3) == [0.5] * 40
    assert all(fed["y"].shape == fed["y_mask"].shape == (3, 8) for fed in seen)
    assert all((fed["y"] == fed["v"][:, 0]).all() for fed in seen)
    assert {int(v) for fed in seen for v in fed["v"][:, 0]} == set(count)


def test_fitting_is_updating():
    net, feeds = classifier(3), batch(3)
    one, other = (models.Learner(net.initial(seed=0)) for _ in range(2))
    losses = one.fit(net.loss, feeds, updates=3, batch=4, seed=1)
    rng = np.random.default_rng(1)
    chosen = [rng.integers(0, 5, 4) for _ in range(3)]
    assert losses == [other.update(net.loss, {n: array[:, some] for n, array in feeds.items()}) for some in chosen]
    with pytest.raises(errors.UsageError, match="5 in 'x', 4 in 'y'"):
        one.fit(net.loss, {"x": feeds["x"], "y": feeds["y"][:, :4]}, updates=1, batch=2)
    with pytest.raises(errors.UsageError, match="no feeds"):
        one.fit(net.loss, {}, updates=1, batch=2)


def test_frozen_parameters_stay_and_what_a_loss_does_not_use_stays():
    net = classifier(2)
    values = {**net.initial(seed=0), "of another net": np.ones(3)}
    learner = models.Learner(values, frozen=["U"])
    learner.update(net.loss, batch(2))
    changed = {name for name, value in learner.values.items() if not np.array_equal(value, values[name])}
    assert changed == {"W", "b", "V", "c"}


def test_wrong_input_is_told():
    net = classifier(2)
    values = net.initial(seed=0)
    with pytest.raises(errors.UnknownNameError, match="clipping 'gobal'"):
        models.Learner(values, clip="gobal")
    with pytest.raises(errors.UnknownNameError, match="no parameter 'Z' to freeze"):
        models.Learner(values, frozen=["Z"])
    with pytest.raises(errors.UsageError, match="number of updates"):
        models.Learner(values, schedule="cosine")
    with pytest.raises(errors.UsageError, match="by name"):
        models.Learner([values["W"]])
    with pytest.raises(errors.UsageError, match="made of nodes"):
        models.Learner(values).run([], batch(2))
    with pytest.raises(errors.UsageError, match="a loss is a node"):
        models.Learner(values).update("loss", batch(2))
    del values["U"]
    with pytest.raises(errors.UnknownNameError, match="no value for parameter 'U'"):
        models.Learner(values).update(net.loss, batch(2))
    wild = models.Learner({**net.initial(seed=0), "V": np.full((4, 3), np.nan)})
    with pytest.raises(errors.TinygraphError, match="the loss is nan at update 1"):
        wild.update(net.loss, batch(2))


@pytest.mark.parametrize(
    "numbers", [{"updates": -1, "batch": 2}, {"updates": 2, "batch": -1}, {"updates": 2, "batch": 1.5}]
)
def test_numbers_that_are_none_are_refused(numbers):
    net = classifier(2)
    with pytest.raises(errors.TinygraphError, match=r"batch size|number of updates"):
        models.Learner(net.initial(seed=0)).fit(net.loss, batch(2), **numbers)
