"""The training loop: what each update does, what is reported, and that a resumed run is the uninterrupted one."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.zoo import LANGUAGE, few

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import FileFormatError, TinygraphError, UnknownNameError, UsageError
from tinygraph.models import CHECKPOINT, CLIPPING, OPTIMISERS, SCHEDULES, LanguageModel, Run, Settings

TEXT = "the cat sat on the mat; the dog sat on the log. " * 8
SHORT = Settings(updates=12, steps=5, batch=2, rate=0.02, validation=0.1, validate_every=4)
SEEDS = range(4)  # for each of the five optimisers


def make_run(text: str = TEXT, settings: Settings = SHORT, **options: Any) -> Run:
    """A small run; options of the model or of the settings by name."""
    own = {name: options.pop(name) for name in list(options) if name in asdict(settings)}
    model = LanguageModel(models.Vocabulary.of(text), **({"cell": "gru", "hidden": 5} | options))
    return Run(model, model.vocabulary.encode(text), replace(settings, **own))


def losses(run: Run) -> list[float]:
    return [report.loss for report in run.updates_until()]


def same_bytes(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two runs have the same arrays, to the bit."""
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


# One update
def test_the_loop_against_one_written_out():
    """SGD on chunk after chunk, the state carried and set to zero at the end of the text, every step clipped
    and scaled: the same losses and the same parameters."""
    run = make_run(TEXT[:100], optimiser="sgd", rate=0.5, schedule="linear", clip="global", threshold=0.3, updates=25)
    assert run.streams.chunks < 25  # so the end of the text is met
    values = {name: v.copy() for name, v in run.values.items()}
    symbols, net = run.model.vocabulary.encode(TEXT[:100])[:90], run.unfolded
    length, expected = 89 // 2, []
    for update in range(25):
        at = update % (length // 5) * 5
        if at == 0:
            state = {name: np.zeros((2, 5)) for name in net.state}
        x = np.stack([symbols[at + k : at + k + 5] for k in (0, length)], axis=1)
        y = np.stack([symbols[at + k + 1 : at + k + 6] for k in (0, length)], axis=1)
        loss, gradients, state = tg.evaluate([net.loss, net.gradients, net.state], values | state | {"x": x, "y": y})
        norm = np.sqrt(sum(np.sum(g**2) for g in gradients.values()))
        for name, g in gradients.items():
            values[name] = values[name] - (1 - update / 25) * 0.5 * g * min(1, 0.3 / norm)
        expected.append(float(loss))
    np.testing.assert_allclose(losses(run), expected, rtol=1e-10)
    for name, value in values.items():
        np.testing.assert_allclose(run.values[name], value, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("cell", few(LANGUAGE))
def test_loss_falls(cell):
    rate = 0.01 if cell == "irnn" else 0.05  # whose states are not bounded
    run = make_run(cell=cell, updates=100, rate=rate, hidden=12, validation=0, batch=4)
    found = losses(run)
    assert found[0] == pytest.approx(np.log(len(run.model.vocabulary)), rel=0.3)
    assert np.mean(found[-5:]) < 0.8 * found[0]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_loss_falls_with_the_own_rate_of_each_optimiser(optimiser):
    found = losses(make_run(optimiser=optimiser, rate=None, updates=60, hidden=12, validation=0, batch=4))
    assert np.mean(found[-5:]) < found[0] - 0.1


def test_reports_and_callbacks():
    """Each callback gets the run and the report of each update, in order; validation where it is due."""
    seen: list[Any] = []
    model = LanguageModel(models.Vocabulary.of(TEXT), "elman", hidden=4)
    callbacks = [lambda run, report, k=k: seen.append((k, run, report)) for k in range(2)]
    run = models.train(model, TEXT, SHORT, callbacks)
    assert [(k, report.update) for k, _, report in seen] == [(k, u) for u in range(1, 13) for k in range(2)]
    assert all(given is run for _, given, _ in seen)
    reports = [report for k, _, report in seen if k == 0]
    assert [r.update for r in reports if r.validation is not None] == [4, 8, 12]
    assert all(r.symbols_per_second > 0 and np.isfinite(r.loss) for r in reports)


def test_smooth_loss_is_the_running_mean():
    run = make_run()
    assert np.isnan(run.smooth_loss)
    expected = None
    for report in run.updates_until():
        expected = report.loss if expected is None else 0.999 * expected + 0.001 * report.loss
        assert report.smooth == run.smooth_loss == pytest.approx(expected, rel=1e-14)


def test_updates_until_can_be_continued():
    run, whole = make_run(), make_run()
    parts = [report.loss for last in (5, 5, 7, None) for report in run.updates_until(last)]
    assert parts == losses(whole)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_run_past_its_length_does_not_climb(schedule):
    """Updates beyond the length that the schedule refers to never go up the gradient."""
    run = make_run(schedule=schedule, optimiser="sgd", rate=1.0, updates=4, validation=0)
    list(run.updates_until(7))
    before = {name: v.copy() for name, v in run.values.items()}
    x, y = run.streams.chunk(run.progress.update)
    gradients = tg.evaluate(run.unfolded.gradients, run.values | run.state | {"x": x, "y": y})
    run.update()
    along = sum(float(np.sum((run.values[name] - before[name]) * g)) for name, g in gradients.items())
    assert along <= 0


def test_a_loss_that_is_not_finite_stops_the_run():
    """Before it reaches the parameters, with the update that it was."""
    run = make_run()
    list(run.updates_until(3))
    run.values["c"][0] = np.nan
    before = {name: v.copy() for name, v in run.values.items()}
    with pytest.raises(TinygraphError, match=r"the loss is nan at update 4(?s:.*)lower learning rate"):
        losses(run)
    assert same_bytes(run.values, before)


# Validation
def test_validation_does_not_disturb_training():
    often, never = make_run(validate_every=1), make_run(validate_every=1000)
    assert losses(often) == losses(never)
    assert same_bytes(often.values, never.values)


def test_validation_loss_is_that_of_the_held_out_text():
    """One pass over the last tenth of the text, as one stream from zero, in one piece."""
    run = make_run()
    losses(run)
    held = run.model.vocabulary.encode(TEXT)[-int(len(TEXT) * 0.1) :]
    steps = (len(held) - 1) // 5 * 5
    net = run.model.unroll(steps)
    feeds = run.values | net.zero_state(1) | {"x": held[:steps, None], "y": held[1 : steps + 1, None]}
    assert run.validation_loss() == pytest.approx(float(tg.evaluate(net.loss, feeds)), rel=1e-12)


def test_early_stop_counts_validations_without_progress(monkeypatch):
    given = cycle([3.0, 2.0, 2.5, 2.0, 1.0, 1.5, 1.0, 1.2, 0.5])
    run = make_run(validate_every=1, patience=3, updates=50)
    monkeypatch.setattr(run, "validation_loss", lambda: next(given))
    reports = list(run.updates_until())
    assert len(reports) == 8  # the best is the fifth, and the three after it are not below it
    assert run.stopped_early
    assert run.progress.best == 1.0
    assert list(run.updates_until()) == []


def test_early_stop_when_the_held_out_text_is_another():
    """What is learned from one letter makes the other one worse from the start."""
    run = make_run("a" * 500 + "b" * 60, validation=0.1, validate_every=2, patience=3, updates=200)
    assert len(losses(run)) == 2 * (1 + 3)
    patient = make_run("a" * 500 + "b" * 60, validation=0.1, validate_every=2, patience=0, updates=20)
    assert len(losses(patient)) == 20


def test_no_validation_text_is_no_validation():
    for share in (0.0, 5 / len(TEXT)):  # none, and fewer symbols than a chunk needs
        reports = list(make_run(validation=share, validate_every=1).updates_until())
        assert all(report.validation is None for report in reports)


# Seeds
def test_same_seed_same_bytes(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run = make_run(seed=seed)
        losses(run)
        run.save(tmp_path / name)
    a, b, c = ((tmp_path / name / CHECKPOINT).read_bytes() for name in "abc")
    assert a == b
    assert a != c


# Resuming
def random_settings(optimiser: str, seed: int) -> tuple[dict[str, Any], int]:
    """Options of a run with a schedule and clipping, and where to interrupt it."""
    rng = np.random.default_rng([seed, list(OPTIMISERS).index(optimiser)])
    updates = int(rng.integers(8, 16))
    options = {
        "optimiser": optimiser,
        "rate": None,
        "updates": updates,
        "cell": str(rng.choice(LANGUAGE)),
        "layers": int(rng.integers(1, 3)),
        "embedding": int(rng.integers(0, 3)),
        "schedule": str(rng.choice([name for name in SCHEDULES if name != "constant"])),
        "clip": str(rng.choice([name for name in CLIPPING if name != "none"])),
        "threshold": float(rng.choice([0.1, 0.5])),
        "seed": seed,
    }
    return options, int(rng.integers(1, updates))


each_optimiser = pytest.mark.parametrize("optimiser", OPTIMISERS)
some_seeds = pytest.mark.parametrize(
    "seed", [seed if seed == 0 else pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS]
)


@some_seeds
@each_optimiser
def test_resumed_equals_uninterrupted(optimiser, seed, tmp_path):
    """At a random place, through a file: every later report, all arrays and the last checkpoint are the same bytes."""
    options, interrupt = random_settings(optimiser, seed)
    whole = make_run(**options)
    expected = [(r.update, r.loss, r.smooth, r.validation) for r in whole.updates_until()]
    whole.save(tmp_path / "whole")

    first = make_run(**options)
    list(first.updates_until(interrupt))
    first.save(tmp_path / "parts")
    second = Run.resume(tmp_path / "parts", first.model.vocabulary.encode(TEXT))
    found = [(r.update, r.loss, r.smooth, r.validation) for r in second.updates_until()]
    second.save(tmp_path / "parts")

    assert found == expected[interrupt:]
    assert same_bytes(second.values, whole.values)
    assert same_bytes(second.optimiser.memory, whole.optimiser.memory)
    assert (tmp_path / "parts" / CHECKPOINT).read_bytes() == (tmp_path / "whole" / CHECKPOINT).read_bytes()


@each_optimiser
def test_saving_does_not_disturb_training(optimiser, tmp_path):
    saved, unsaved = make_run(optimiser=optimiser), make_run(optimiser=optimiser)
    found = []
    for report in saved.updates_until():
        found.append(report.loss)
        saved.save(tmp_path)
    assert found == losses(unsaved)


def saved_run(folder: Path, **options: Any) -> Run:
    """A run that has been saved in the middle."""
    run = make_run(**options)
    list(run.updates_until(6))
    run.save(folder)
    return run


def test_resume_can_set_a_new_length(tmp_path):
    run = saved_run(tmp_path)
    longer = Run.resume(tmp_path, run.model.vocabulary.encode(TEXT), updates=20)
    assert len(losses(longer)) == 14
    assert losses(make_run(updates=20))[6:] == losses(Run.resume(tmp_path, run.model.vocabulary.encode(TEXT), 20))


def test_early_stop_is_kept(tmp_path):
    run = make_run("a" * 500 + "b" * 60, validation=0.1, validate_every=2, patience=3, updates=200)
    losses(run)
    run.save(tmp_path)
    assert losses(Run.resume(tmp_path, run.model.vocabulary.encode("a" * 500 + "b" * 60))) == []


OTHER_TEXTS = {
    "longer": TEXT + "the",
    "shorter": TEXT[:-1],
    "other words of the same length": TEXT.replace("cat", "dog"),
    "another order": TEXT[::-1],
    "other symbols": TEXT.replace("cat", "CAT"),
}


@pytest.mark.parametrize("other", OTHER_TEXTS.values(), ids=OTHER_TEXTS)
def test_another_text_is_refused(tmp_path, other):
    """A run that goes on with another text is not the run that was interrupted."""
    saved_run(tmp_path)
    with pytest.raises(TinygraphError, match=r"another text|the vocabulary has no"):
        models.resume_run(tmp_path, other)


def test_other_settings_than_the_saved_are_refused(tmp_path):
    saved_run(tmp_path)
    assert models.resume_run(tmp_path, TEXT, None, {"hidden": 5, "rate": 0.02, "cell": None}).progress.update == 6
    for name, value in {"hidden": 6, "cell": "lstm", "rate": 0.1, "unit": "words", "batch": 3}.items():
        with pytest.raises(UsageError, match=f"{name} .*not {value!r}"):
            models.resume_run(tmp_path, TEXT, None, {name: value})


def test_no_checkpoint_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        models.read_run(tmp_path)


def rewrite(folder: Path, change: Any) -> None:
    """Change the arrays or the description of a saved run in place."""
    arrays, description = models.load_checkpoint(folder / CHECKPOINT)
    change(arrays, description)
    models.save_checkpoint(folder / CHECKPOINT, arrays, description)


def in_arrays(name: str, value: Any) -> Any:
    def change(arrays: Any, description: Any) -> None:
        arrays.pop(name) if value is None else arrays.update({name: value})

    return change


def in_description(place: str, value: Any) -> Any:
    def change(arrays: Any, description: Any) -> None:
        *path, last = place.split(".")
        for key in path:
            description = description[key]
        description[last] = value

    return change


DAMAGES = {
    "a parameter is missing": in_arrays("value:V", None),
    "a parameter of another shape": in_arrays("value:V", np.zeros((2, 2))),
    "a parameter of another dtype": in_arrays("value:V", np.zeros((16, 5), np.float32)),
    "a state is missing": in_arrays("state:layer1/h_0", None),
    "a memory is missing": in_arrays("memory:mean/V", None),
    "a memory of another shape": in_arrays("memory:mean/V", np.zeros((2, 2))),
    "a memory of another dtype": in_arrays("memory:mean/V", np.zeros((16, 5), bool)),
    "progress is text": in_description("progress", "far"),
    "the update is text": in_description("progress.update", "6"),
    "the update is negative": in_description("progress.update", -6),
    "the smooth loss is text": in_description("progress.smooth", "low"),
    "the best loss is text": in_description("progress.best", "low"),
    "the patience is text": in_description("progress.since_best", "long"),
    "the count of updates is text": in_description("optimiser_updates", "6"),
    "the count of updates is negative": in_description("optimiser_updates", -1),
    "the random state is a number": in_description("random_state", 7),
    "the random state is of another generator": in_description("random_state.bit_generator", "MT19937"),
    "settings are a list": in_description("settings", []),
    "an unknown setting": in_description("settings.width", 3),
    "an unknown optimiser": in_description("settings.optimiser", "adamant"),
    "a rate that is text": in_description("settings.rate", "0.1"),
    "a share that is text": in_description("settings.validation", "0.1"),
    "a share that is nothing": in_description("settings.validation", None),
    "a cell that does not exist": in_description("model.cell", "rnn"),
    "another size": in_description("model.hidden", 6),
    "a huge size": in_description("model.hidden", 10**6),
    "a size beyond all memory": in_description("model.hidden", 10**9),
    "no model": in_description("model", None),
}


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_refused_before_it_goes_on(change, tmp_path):
    """Whatever does not fit the rest of the file: what went on would be another run, or fail in its depths."""
    run = saved_run(tmp_path, patience=3)
    rewrite(tmp_path, change)
    with pytest.raises(FileFormatError):
        Run.resume(tmp_path, run.model.vocabulary.encode(TEXT))


@pytest.mark.parametrize("hidden", [6, 10**6, 10**9])
def test_a_size_that_the_arrays_do_not_have_is_found_without_making_it(hidden, tmp_path):
    """Sampling reads only the parameters; the sizes of the description must not be believed."""
    import tracemalloc

    saved_run(tmp_path)
    rewrite(tmp_path, in_description("model.hidden", hidden))
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError):
            models.read_run(tmp_path).values()
        assert tracemalloc.get_traced_memory()[1] < 2**28
    finally:
        tracemalloc.stop()


# Settings
BAD_SETTINGS: dict[str, tuple[dict[str, Any], type[TinygraphError]]] = {
    **{f"{n} {v!r}": ({n: v}, UsageError) for n in ("updates", "steps", "batch", "validate_every")
       for v in (0, -1, 1.5, "3", None, True)},
    **{f"{n} {v!r}": ({n: v}, UsageError) for n in ("patience", "seed") for v in (-1, 1.5, "3", None)},
    **{f"threshold {v!r}": ({"threshold": v}, UsageError) for v in (0, -1, float("nan"))},
    **{f"rate {v!r}": ({"rate": v}, UsageError) for v in (0, -1, float("nan"))},
    **{f"validation {v!r}": ({"validation": v}, UsageError) for v in (-0.1, 1, float("nan"))},
    **{f"{n} unknown": ({n: "adagrda"}, UnknownNameError) for n in ("optimiser", "schedule", "clip")},
}  # fmt: skip


@pytest.mark.parametrize(("options", "error"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_bad_settings_are_refused(options, error):
    """When they are made, or at the latest when a run is made with them."""
    with pytest.raises(error, match=next(iter(options)) if "validation" not in options else "validation"):
        make_run(**options)


def test_a_text_that_is_too_short_is_refused():
    with pytest.raises(UsageError, match="too few"):
        make_run("abcabc")
