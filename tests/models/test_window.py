"""Truncation in the training loop: its gradients against the static pass, its memory, and its resumed runs."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.zoo import LANGUAGE, few

import tinygraph as tg
from tests.helpers.compare import assert_close
from tinygraph import models
from tinygraph.errors import TinygraphError, UnknownNameError, UsageError
from tinygraph.models import CHECKPOINT, TRUNCATIONS, LanguageModel, Run, Settings, Window
from tinygraph.passes.truncation import MODES

TEXT = "the cat sat on the mat; the dog sat on the log. " * 4
STILL = 1e-300  # a learning rate (0 is refused) at which no value of the net changes
BATCH = 3

# mode, k1, k2: windows that are whole numbers of updates and such that are not, single steps, and full reach
CASES = [
    ("chunk", 4, None), ("chunk", 4, 4), ("chunk", 1, None),
    ("sliding", 4, 3), ("sliding", 1, 5), ("sliding", 3, 1), ("sliding", 2, 40),
    ("k1_k2", 3, 5), ("k1_k2", 2, 6), ("k1_k2", 4, 4), ("k1_k2", 3, 40),
    ("last", 6, 2), ("last", 6, 6), ("last", 5, 4),
]  # fmt: skip
each_case = pytest.mark.parametrize(("mode", "k1", "k2"), CASES)
ONE_EACH = [("chunk", 4, None), ("sliding", 2, 3), ("k1_k2", 3, 7), ("last", 6, 2)]
each_mode = pytest.mark.parametrize(("mode", "k1", "k2"), ONE_EACH)


def make_run(mode: str, k1: int, k2: int | None, text: str = TEXT, cell: str = "gru", **options: Any) -> Run:
    model = LanguageModel(models.Vocabulary.of(text), cell, hidden=4, layers=options.pop("layers", 1))
    given = {"updates": 12, "batch": BATCH, "optimiser": "sgd", "rate": STILL, "clip": "none", "validation": 0.0}
    return Run(model, model.vocabulary.encode(text), Settings(steps=k1, truncation=mode, k2=k2, **given | options))


def static_sum(run: Run, mode: str, k1: int, k2: int | None, updates: int) -> dict[str, Any]:
    """The truncated gradient of one graph over all the steps that these updates read; `last` cuts each k1 of them."""
    total = k1 * updates
    net = run.model.unroll(total)
    losses = {t: tg.mean_batch(loss) for t, loss in net.losses.items()}
    x, y = run.streams.part(0, total)
    feeds = run.values | net.zero_state(BATCH) | {"x": x, "y": y}
    groups = [losses] if mode != "last" else [
        {t: losses[t] for t in range(end - k1 + 1, end + 1)} for end in range(k1, total + 1, k1)
    ]  # fmt: skip
    numbers = {"chunk": {"k1": k1}, "k1_k2": {"k1": k1, "k2": k2}}.get(mode, {"k2": k2})
    found: dict[str, Any] = dict.fromkeys(run.values, 0.0)
    for group in groups:
        cut = tg.truncate(group, net.graph.parameters, mode=mode, **numbers)
        for name, value in tg.evaluate(cut.gradients, feeds).items():
            found[name] = found[name] + value
    return found


def loop_sum(run: Run, updates: int) -> dict[str, Any]:
    """The gradients of the updates, each times the number of losses that it is a mean of."""
    found: dict[str, Any] = dict.fromkeys(run.values, 0.0)
    for _ in range(updates):
        state = run.stored_state()
        _, gradients, _ = run.window.learn(run.values, state, run.streams, run.progress.update)
        for name, value in gradients.items():
            found[name] = found[name] + run.window.new * value
        run.update()
    return found


# The gradient
@each_case
def test_a_loop_with_parameters_that_stay_is_the_static_pass(mode, k1, k2):
    run = make_run(mode, k1, k2)
    before = {name: value.copy() for name, value in run.values.items()}
    updates = min(5, run.streams.chunks)
    found, expected = loop_sum(run, updates), static_sum(run, mode, k1, k2, updates)
    for name, value in expected.items():
        np.testing.assert_allclose(run.values[name], before[name], rtol=0, atol=1e-290)
        assert_close(found[name], value, 1e-12, what=name)


@pytest.mark.parametrize("cell", few(LANGUAGE))
def test_every_cell_and_two_layers(cell):
    for mode, k1, k2 in ONE_EACH:
        run = make_run(mode, k1, k2, cell=cell, layers=2)
        found, expected = loop_sum(run, 3), static_sum(run, mode, k1, k2, 3)
        for name, value in expected.items():
            assert_close(found[name], value, 1e-12, what=(mode, name))


@pytest.mark.parametrize("damage", ["moves on too far", "counts losses twice", "forgets that there was no past"])
def test_a_wrong_window_would_be_seen(damage):
    """The comparison above can fail."""
    mode, k1, k2 = "k1_k2", 3, 7
    run = make_run(mode, k1, k2)
    window = run.window
    if damage == "moves on too far":
        window._after = window.unfolded.state_at(k1 + 1)
    elif damage == "counts losses twice":
        wrong = run.model.unroll(k2, mask=True)
        window._learned = {"loss": wrong.loss, "gradients": wrong.gradients}
        window._after = wrong.state_at(k1)
    else:
        window.masked = False
        window.unfolded = wrong = run.model.unroll(k2, new=k1)
        window._learned, window._after = window._whole(), wrong.state_at(k1)
    found, expected = loop_sum(run, 5), static_sum(run, mode, k1, k2, 5)
    assert max(float(np.max(np.abs(found[name] - value))) for name, value in expected.items()) > 1e-6


@each_mode
def test_each_pass_over_the_text_starts_from_zero(mode, k1, k2):
    """At rest the second pass repeats the first, whatever the state was at the end of the text."""
    run = make_run(mode, k1, k2, TEXT[:80], updates=200)
    chunks = run.streams.chunks
    found = [report.loss for report in run.updates_until(2 * chunks)]
    assert found[:chunks] == found[chunks:]


@each_mode
def test_loss_falls(mode, k1, k2):
    run = make_run(mode, k1, k2, optimiser="adam", rate=0.05, updates=100)
    found = [report.loss for report in run.updates_until()]
    assert np.mean(found[-10:]) < 0.75 * np.mean(found[:5])


@each_mode
def test_validation_is_the_same_in_every_mode(mode, k1, k2):
    """The held-out text is read as one stream, whatever the window: equal where it is read to the same place."""
    run = make_run(mode, k1, k2, validation=0.3)
    held = run.held_out
    steps = (len(held) - 1) // run.window.new * run.window.new
    whole = run.model.unroll(steps)
    feeds = run.values | whole.zero_state(1) | {"x": held[:steps, None], "y": held[1 : steps + 1, None]}
    assert run.validation_loss() == pytest.approx(float(tg.evaluate(whole.loss, feeds)), rel=1e-12)


# What is held
def peak(run: Run, updates: int) -> int:
    """Bytes held at most while so many updates are made, the text and the tape apart.

    The least of three measurements: the interpreter's own tables grow now and then, and count too.
    """
    run.update()
    found = []
    for _ in range(3):
        tracemalloc.start()
        for _ in range(updates):
            run.update()
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return min(found)


def test_memory_depends_on_the_window_and_not_on_the_length():
    """A stream 100 times as long takes no more; a window 8 times as long does. `last`: 100 times as long a sequence."""
    for mode, k1, k2 in ONE_EACH[:3]:
        short, long = (peak(slow_run(mode, k1, k2, TEXT * copies), 4) for copies in (1, 100))
        assert long < 1.2 * short + 2000, mode
    short, long = (peak(slow_run("last", steps, 3, TEXT * 100), 1) for steps in (3, 300))
    assert long < 1.2 * short + 2000
    narrow, wide = (peak(slow_run("k1_k2", 3, k2), 2) for k2 in (7, 56))
    assert wide > 4 * narrow


def slow_run(*case: Any) -> Run:
    """By the interpreter, which takes its memory while it runs."""
    return make_run(*case, engine="interpreter")


def room(run: Run) -> int:
    """Bytes of the buffers of a run's plan."""
    run.update()
    plan = run.window._run
    assert isinstance(plan, tg.Plan)
    return sum(plan.explain().memory)


def test_the_room_of_a_plan_depends_on_the_window_alone():
    for mode, k1, k2 in (("chunk", 4, None), ("k1_k2", 3, 7)):
        assert len({room(make_run(mode, k1, k2, TEXT * copies)) for copies in (1, 100)}) == 1
    assert room(make_run("k1_k2", 3, 112)) > 4 * room(make_run("k1_k2", 3, 7))


@each_mode
def test_the_plan_learns_as_the_interpreter_does(mode, k1, k2):
    fast, slow = make_run(mode, k1, k2), slow_run(mode, k1, k2)
    for _ in range(5):
        assert fast.update().loss == pytest.approx(slow.update().loss, rel=1e-12)


def test_single_precision():
    one, two = (make_run("chunk", 4, None, precision=precision) for precision in ("float32", "float64"))
    found, expected = one.update().loss, two.update().loss
    assert found != expected
    assert found == pytest.approx(expected, rel=1e-5)
    assert all(value.dtype == np.float64 for value in one.values.values())


def test_the_tape_is_that_of_the_window():
    assert [Window(make_run(*case).model, make_run(*case).settings).length for case in ONE_EACH] == [4, 4, 7, 2]
    assert make_run("k1_k2", 3, 7).unfolded.net.steps == 7


# Checkpoints
@each_mode
def test_resumed_equals_uninterrupted(mode, k1, k2, tmp_path):
    """Interrupted inside the first window, and later: the same bytes."""
    options = {
        "optimiser": "adam",
        "rate": 0.02,
        "clip": "global",
        "validation": 0.1,
        "validate_every": 3,
        "updates": 9,
    }
    whole = make_run(mode, k1, k2, **options)
    expected = [(r.update, r.loss, r.smooth, r.validation) for r in whole.updates_until()]
    whole.save(tmp_path / "whole")
    for interrupt in (1, 5):
        first = make_run(mode, k1, k2, **options)
        list(first.updates_until(interrupt))
        first.save(tmp_path / "parts")
        second = Run.resume(tmp_path / "parts", first.model.vocabulary.encode(TEXT))
        assert second.settings == whole.settings
        assert [(r.update, r.loss, r.smooth, r.validation) for r in second.updates_until()] == expected[interrupt:]
        second.save(tmp_path / "parts")
        assert (tmp_path / "parts" / CHECKPOINT).read_bytes() == (tmp_path / "whole" / CHECKPOINT).read_bytes()


def test_a_checkpoint_without_a_mode_is_one_of_chunks(tmp_path):
    """Runs of before there were modes can be read."""
    run = make_run("chunk", 4, None)
    list(run.updates_until(2))
    run.save(tmp_path)
    arrays, description = models.load_checkpoint(tmp_path / CHECKPOINT)
    del description["settings"]["truncation"], description["settings"]["k2"]
    models.save_checkpoint(tmp_path / CHECKPOINT, arrays, description)
    assert models.read_run(tmp_path).settings == run.settings


def test_another_mode_does_not_go_on(tmp_path):
    run = make_run("chunk", 4, None)
    list(run.updates_until(2))
    run.save(tmp_path)
    with pytest.raises(UsageError, match="truncation 'chunk', not 'sliding'"):
        models.resume_run(tmp_path, TEXT, expected={"truncation": "sliding"})


# Settings
BAD = {
    "an unknown mode": ({"truncation": "slide"}, UnknownNameError, "did you mean 'sliding'"),
    "a mode that is no text": ({"truncation": None}, UnknownNameError, "choose from"),
    "no k2": ({"truncation": "k1_k2"}, UsageError, "takes k2(?s:.*)run back k2 steps"),
    "no k2 for sliding": ({"truncation": "sliding"}, UsageError, "takes k2(?s:.*)k2=10"),
    "k2 below k1": ({"truncation": "k1_k2", "k2": 24}, UsageError, "steps=25, k2=24(?s:.*)or more"),
    "k2 above k1": ({"truncation": "last", "k2": 26}, UsageError, "steps=25, k2=26(?s:.*)or less"),
    "k2 for chunks": ({"k2": 10}, UsageError, "steps=25, k2=10(?s:.*)leave k2 out"),
    "k2 of 0": ({"truncation": "sliding", "k2": 0}, UsageError, "whole number of 1 or more"),
    "k2 of True": ({"truncation": "sliding", "k2": True}, UsageError, "whole number of 1 or more"),
    "k2 of text": ({"truncation": "sliding", "k2": "3"}, UsageError, "whole number of 1 or more"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_settings_are_refused(name):
    given, kind, message = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        Settings(**given)
    assert isinstance(caught.value, TinygraphError)


def test_every_mode_of_the_static_pass_is_a_mode_of_the_loop():
    assert set(TRUNCATIONS) == set(MODES)


# The pre-update state
@each_mode
def test_at_rest_the_carried_state_is_the_static_one(mode, k1, k2):
    rows = models.pre_update_effect(make_run(mode, k1, k2), 6).rows
    for row in rows:
        assert row.state_difference <= 1e-14 * (1 + row.state)
        assert row.gradient_difference <= 1e-13 * (1 + row.gradient)
        assert row.cosine == pytest.approx(1, abs=1e-12)


@each_mode
def test_after_an_update_the_carried_state_is_another(mode, k1, k2):
    """The first update has no carried state. The effect is of first order in the learning rate."""
    effects = []
    for rate in (0.01, 0.02):
        run = make_run(mode, k1, k2, rate=rate)
        rows = models.pre_update_effect(run, 8).rows
        assert rows[0].state_difference == rows[0].gradient_difference == 0
        assert [row.update for row in rows] == list(range(1, 9))
        last = rows[-1]
        assert last.state_difference > 1e-6
        assert last.gradient_difference > 1e-6
        effects.append(last.state_difference)
        plain = make_run(mode, k1, k2, rate=rate)
        list(plain.updates_until(8))
        assert all(run.values[n].tobytes() == v.tobytes() for n, v in plain.values.items()), "looking changes nothing"
    assert effects[1] / effects[0] == pytest.approx(2, rel=0.1)


def test_the_effect_is_printed_a_line_an_update():
    effect = models.pre_update_effect(make_run("chunk", 4, None, rate=0.1), 3)
    assert len(str(effect).splitlines()) == 4
    assert "nan" not in str(effect)
    with pytest.raises(UsageError, match="that of a run"):
        models.pre_update_effect(replace, 3)
