"""min-char-rnn with our graph and by hand: one loss curve; and each known wrong backward line makes it another."""

from __future__ import annotations

import inspect
import subprocess
import sys
from itertools import islice
from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close, central, inner
from helpers.examples import FOLDER, load_example

import tinygraph as tg
from tinygraph import models

PATH = FOLDER / "05_min_char_rnn.py"
TEXT = "the quick brown fox jumps over the lazy dog, and the dog lets it. " * 20
CLOSE = 1e-9


@pytest.fixture(scope="module")
def example() -> Any:
    return load_example("05_min_char_rnn")


def symbols(text: str = TEXT) -> Any:
    known = sorted(set(text))
    return np.array([known.index(character) for character in text])


def curve(losses: Any, example: Any, count: int, hidden: int, seed: int = 0) -> Any:
    """The first losses of one of the two, from the example's initial values."""
    text = symbols()
    return np.array(list(islice(losses(text, example.initial(text.max() + 1, hidden, seed)), count)))


def test_initial_values(example):
    values = example.initial(30, 100)
    assert {name: v.shape for name, v in values.items()} == {
        "W": (100, 30), "U": (100, 100), "V": (30, 100), "b": (100,), "c": (30,),
    }  # fmt: skip
    assert all(0.009 < values[name].std() < 0.011 for name in "WUV")
    assert not values["b"].any()
    assert not values["c"].any()


def test_one_loss_curve(example):
    """Over 200 updates with 100 units; the text ends and begins anew on the way.

    The first updates are chaotic (a difference in the last bit triples with each), so this holds only since
    both do the same operations in the same order; the test after it does without that.
    """
    assert len(TEXT) < 200 * 25
    ours = curve(example.with_tinygraph, example, 200, 100)
    theirs = curve(example.by_hand, example, 200, 100)
    assert ours[0] == pytest.approx(25 * np.log(len(set(TEXT))), rel=1e-3)
    assert np.mean(ours[-10:]) < 0.8 * ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=CLOSE)
    assert np.abs(ours - curve(example.by_hand, example, 200, 100, seed=1)).max() > 1e-3


def test_losses_and_gradients_along_the_way(example):
    """At the values after every fifth of 200 updates both are the same, whatever the order of the roundings."""
    text = symbols()
    values = example.initial(text.max() + 1)
    losses, h = example.with_tinygraph(text, values), np.zeros(100)
    net = tg.unroll(models.elman, 25, initial="fed", I=text.max() + 1, H=100)
    loss = models.softmax_cross_entropy(models.readout(net, text.max() + 1))
    ours = [loss, tg.grad(loss, net.graph.parameters), net.h.last]
    for update, (x, y, anew) in enumerate(islice(example.chunks(text, 25), 200)):
        h = np.zeros(100) if anew else h
        before, (expected, gradients, after) = h, example.loss_and_gradient(values, x, y, h)
        feeds = {name: value.copy() for name, value in values.items()}
        assert next(losses) == pytest.approx(expected, rel=1e-12)
        h = after
        if update % 5:
            continue
        found = tg.evaluate(ours, feeds | {"x": np.eye(text.max() + 1)[x], "y": y, "h_0": before})
        assert 25 * found[0] == pytest.approx(expected, rel=1e-12)  # ours is a mean over the steps
        for name, gradient in gradients.items():
            scale = np.abs(gradient).max()
            np.testing.assert_allclose(25 * found[1][name], gradient, rtol=0, atol=CLOSE * scale, err_msg=name)


def test_chunks_go_on_and_begin_anew(example):
    """Each target is the next symbol, each chunk follows the last, and only the first of a pass begins anew."""
    taken = list(islice(example.chunks(np.arange(101), 25), 9))
    assert [x[0] for x, _, _ in taken] == [0, 25, 50, 75, 0, 25, 50, 75, 0]
    assert [anew for _, _, anew in taken] == [True, False, False, False] * 2 + [True]
    assert all((y == x + 1).all() and len(x) == 25 for x, y, _ in taken)


def same_shapes(example: Any) -> Any:
    """As many units as symbols, so that every wrong product has a shape that passes; and not small values."""
    size, rng = len(set(TEXT)), np.random.default_rng(0)
    return {name: 0.3 * rng.standard_normal(value.shape) for name, value in example.initial(size, size).items()}


def gradient_agrees(loss_and_gradient: Any, example: Any) -> None:
    """The gradient by hand against central differences of its own loss."""
    values, text = same_shapes(example), symbols()
    x, y, h = text[:8], text[1:9], np.full(len(values["b"]), 0.1)
    v = {name: np.random.default_rng(1).standard_normal(value.shape) for name, value in values.items()}
    gradients = loss_and_gradient(values, x, y, h)[1]
    for name, part in v.items():
        found, terms = inner(gradients, {name: part})
        assert_close(found, central(lambda at: loss_and_gradient(at, x, y, h)[0], values, {name: part}), 1e-6, terms)


WRONG = {
    "the target set to one": ("do[y[t]] -= 1", "do[y[t]] = 1"),
    "the state's gradient through the readout": ("from_later = U.T @ da", "from_later = V.T @ da"),
}


def with_line(example: Any, right: str, wrong: str) -> Any:
    """The example's gradient by hand with one line replaced."""
    source = inspect.getsource(example.loss_and_gradient)
    assert source.count(right) == 1
    scope = {"np": np}
    exec(source.replace(right, wrong), scope)
    return scope["loss_and_gradient"]


def test_gradient_by_hand(example):
    gradient_agrees(example.loss_and_gradient, example)
    gradient_agrees(with_line(example, "do[y[t]] -= 1", "do[y[t]] -= 1.0"), example)


@pytest.mark.parametrize(("right", "wrong"), WRONG.values(), ids=WRONG)
def test_each_printed_error_is_found(right, wrong, example, monkeypatch):
    """Shapes agree and it runs; but the curves part at once, and differences do not agree."""
    size = len(set(TEXT))
    correct = curve(example.with_tinygraph, example, 40, size)
    np.testing.assert_allclose(curve(example.by_hand, example, 40, size), correct, rtol=0, atol=CLOSE)
    monkeypatch.setattr(example, "loss_and_gradient", with_line(example, right, wrong))
    found = curve(example.by_hand, example, 40, size)
    assert found[0] == pytest.approx(correct[0], abs=CLOSE)  # the first loss is before any gradient
    assert np.abs(found - correct).max() > 1e-3
    with pytest.raises(AssertionError, match="off by"):
        gradient_agrees(example.loss_and_gradient, example)


def test_the_example_runs(tmp_path):
    """As a user runs it, on a text of their own: it prints how close the curves are, and leaves a log."""
    (tmp_path / "text").write_text(TEXT)
    command = [sys.executable, str(PATH), "text", "--short", "--out", "new"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.partition("Largest difference of the losses: ")[2].split()[0]) < CLOSE
    log = np.loadtxt(tmp_path / "new" / "min_char_rnn.csv", delimiter=",", skiprows=1)
    assert log.shape == (200, 2)
    written = done.stdout.partition("It writes:\n\n")[2]
    assert len(written) == 201
    assert set(written) <= set(TEXT + "\n")
