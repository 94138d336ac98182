"""Mappings over any net: plain NumPy, padded batches against single sequences in values and gradients, differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, complex_step, inner

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import UsageError

STEPS, BATCH, CLASSES, WIDTH, UNITS = 4, 3, 5, 2, 3
LENGTHS = np.array([4, 1, 3])
MASK = np.arange(STEPS)[:, None] < LENGTHS


def deep_both_ways(steps: int, mask: bool) -> Any:
    below = models.bidirectional(models.gru, steps, mask=mask, I=WIDTH, H=UNITS, scope="layer1")
    return models.bidirectional(
        models.lstm, steps, inputs={"x": below.output}, mask=below.mask or False, H=UNITS, scope="layer2"
    )


NETS = {
    "plain": lambda steps, mask: tg.unroll(models.lstm, steps, mask=mask, I=WIDTH, H=UNITS),
    "from the end": lambda steps, mask: tg.unroll(models.gru, steps, mask=mask, reverse=True, I=WIDTH, H=UNITS),
    "stacked": lambda steps, mask: models.stack(models.gru, steps, mask=mask, I=WIDTH, H=UNITS),
    "both ways": lambda steps, mask: models.bidirectional(models.elman, steps, mask=mask, I=WIDTH, H=UNITS),
    "deep, both ways": deep_both_ways,
}
MAPPINGS = {
    "tagger": lambda net: models.tagger(net, CLASSES),
    "classifier": lambda net: models.classifier(net, CLASSES),
    "forecaster": lambda net: models.forecaster(net, 2, activation="tanh"),
}
each_net = pytest.mark.parametrize("kind", NETS)
each_mapping = pytest.mark.parametrize("mapping", MAPPINGS)


def mapped(kind: str, mapping: str, steps: int = STEPS, mask: bool = True) -> Any:
    return MAPPINGS[mapping](NETS[kind](steps, mask))


def feeds_of(found: Any, seed: int = 0) -> dict[str, Any]:
    """Random feeds; the mask by lengths, whatever its name."""
    feeds = random_feeds(found.graph, seed)
    target = found.graph.inputs["y"]
    if target.last.kind == "integer":
        feeds["y"] = np.random.default_rng(seed).integers(0, CLASSES, feeds["y"].shape)
    return feeds | {name: MASK for name in feeds if name.endswith("mask")}


@each_mapping
@each_net
def test_a_padded_batch_is_its_sequences_one_by_one(kind, mapping):
    """Loss and all gradients: of a tagger weighted by length, else the mean over the examples."""
    found = mapped(kind, mapping)
    feeds = feeds_of(found)
    loss, gradients = tg.evaluate([found.loss, found.gradients], feeds)
    weights = LENGTHS if mapping == "tagger" else np.ones(BATCH)
    total, sums = 0.0, dict.fromkeys(gradients, 0.0)
    for b, weight in enumerate(weights):
        one = mapped(kind, mapping, int(LENGTHS[b]), mask=False)
        names = {"y": feeds["y"][:, b]} if mapping == "tagger" else {"y": feeds["y"][:1, b]}
        fed = {n: feeds[n] for n in one.graph.parameters}
        fed |= {n: feeds[n][: LENGTHS[b], b] for n in one.graph.inputs} | {"y": names["y"][: LENGTHS[b]]}
        part, parts = tg.evaluate([one.loss, one.gradients], fed)
        total += weight * part / weights.sum()
        sums = {n: sums[n] + weight * parts[n] / weights.sum() for n in sums}
    assert loss == pytest.approx(total, rel=1e-12)
    for n, gradient in gradients.items():
        assert_close(gradient, sums[n], 1e-12, what=n)


@each_mapping
@each_net
def test_gradient_against_complex_step(kind, mapping):
    found = mapped(kind, mapping)
    feeds, rng = feeds_of(found, 1), np.random.default_rng(0)
    gradients = tg.evaluate(found.gradients, feeds)
    assert set(gradients) == set(found.initial(seed=0))
    for name, gradient in gradients.items():
        v = {name: rng.standard_normal(gradient.shape)}
        ours, terms = inner(gradients, v)
        exact = complex_step(lambda at: tg.evaluate(found.loss, at, dtype="complex128"), feeds, v)
        assert_close(ours, exact, 1e-10, terms, name)


def test_a_classifier_in_plain_numpy():
    """From the last state of an Elman net, each example at its own end."""
    found = models.classifier(tg.unroll(models.elman, STEPS, mask=True, I=WIDTH, H=UNITS), CLASSES)
    p = feeds = feeds_of(found)
    for b, length in enumerate(LENGTHS):
        h = np.zeros(UNITS)
        for x in feeds["x"][:length, b]:
            h = np.tanh(p["W"] @ x + p["U"] @ h + p["b"])
        assert_close(tg.evaluate(found.outputs[1], feeds)[b], p["V"] @ h + p["c"], 1e-13)


def test_a_forecaster_in_plain_numpy():
    """Numbers from the last state, each example at its own end, and the mean of their squared errors."""
    net = tg.unroll(models.elman, STEPS, mask=True, I=WIDTH, H=UNITS)
    found = models.forecaster(net, 2, activation="tanh")
    p = feeds = feeds_of(found)
    squares = []
    for b, length in enumerate(LENGTHS):
        h = np.zeros(UNITS)
        for x in feeds["x"][:length, b]:
            h = np.tanh(p["W"] @ x + p["U"] @ h + p["b"])
        answer = np.tanh(p["V"] @ h + p["c"])
        assert_close(tg.evaluate(found.outputs[1], feeds)[b], answer, 1e-13)
        squares.append((answer - feeds["y"][0, b]) ** 2)
    assert tg.evaluate(found.loss, feeds) == pytest.approx(np.mean(squares), rel=1e-13)


@each_net
def test_the_last_output_of_both_ways_has_read_everything(kind):
    """It depends on every input that the mask keeps, and on no other."""
    net = NETS[kind](STEPS, True)
    last = models.last_output(net)
    feeds = random_feeds(net.graph)
    feeds |= {name: MASK for name in feeds if name.endswith("mask")}
    inputs = next(seq for name, seq in net.graph.inputs.items() if name.endswith("x"))
    gradients = tg.evaluate(tg.grad(tg.sum_batch(tg.sum(last)), inputs), feeds)
    touched = np.array([np.any(g != 0, axis=-1) for g in gradients.values()])
    np.testing.assert_array_equal(touched, MASK)


def test_a_tagger_may_be_asked_at_some_steps_only():
    """Its loss is that of a masked tagger there, but the steps between are read."""
    found = models.tagger(tg.unroll(models.elman, STEPS, I=2, H=3), 4, asked=True)
    feeds = random_feeds(found.graph) | {"asked": MASK}
    scores = tg.evaluate(list(found.outputs.values()), {n: v for n, v in feeds.items() if n not in ("y", "asked")})
    chances = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    right = np.take_along_axis(chances, np.asarray(feeds["y"])[..., None], -1)[..., 0]
    assert tg.evaluate(found.loss, feeds) == pytest.approx(-np.log(right)[MASK].mean(), rel=1e-12)


def test_a_single_answer_stands_at_the_last_step_with_its_target_and_its_loss():
    many, one = (mapping(tg.unroll(models.elman, 4, I=2, H=3), 2) for mapping in (models.tagger, models.classifier))
    for mapped, steps in ((many, [1, 2, 3, 4]), (one, [4])):
        assert [node.step for node in mapped.graph.inputs["y"].values()] == steps
        assert [node.step for node in mapped.graph.nodes if node.label == "L"] == steps


@each_mapping
def test_mappings_are_drawn(mapping):
    assert viz.draw(mapped("both ways", mapping).loss, backward=True).nodes > 0


# One to many
def generated(cell: Any, steps: int = STEPS, **sizes: int) -> Any:
    others = {n: UNITS for n in cell.sizes if n not in ("I", "F")}
    return models.generator(cell, steps, features=4, symbols=3, embedding=2, sizes={**others, **sizes})


def generator_feeds(found: Any, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return random_feeds(found.graph, seed) | {"y": rng.integers(0, 4, (STEPS, BATCH)), "y_mask": MASK}


def captioner_loop(p: Any, v: Any, y: Any) -> float:
    """The sum of cross-entropies of symbols y that begin behind symbol 4, in plain NumPy."""
    h, total, last = np.zeros(UNITS), 0.0, 4
    for symbol in y:
        h = np.tanh(p["W"] @ p["E"][last] + p["U"] @ h + p["W_v"] @ v + p["b"])
        scores = p["V_y"] @ h + p["c_y"]
        total += np.log(np.exp(scores).sum()) - scores[symbol]
        last = symbol
    return float(total)


def starting_loop(p: Any, v: Any, y: Any) -> float:
    """The same of a cell that starts from the features: tanh(W_h_0 v + b_h_0)."""
    h, total, last = np.tanh(p["W_h_0"] @ v + p["b_h_0"]), 0.0, 4
    for symbol in y:
        h = np.tanh(p["W"] @ p["E"][last] + p["U"] @ h + p["b"])
        scores = p["V_y"] @ h + p["c_y"]
        total += np.log(np.exp(scores).sum()) - scores[symbol]
        last = symbol
    return float(total)


@pytest.mark.parametrize(("name", "loop"), [("captioner", captioner_loop), ("elman", starting_loop)])
def test_a_generator_in_plain_numpy(name, loop):
    found = generated(models.CELLS[name])
    feeds = generator_feeds(found)
    expected = sum(loop(feeds, feeds["v"][b], feeds["y"][:n, b]) for b, n in enumerate(LENGTHS)) / LENGTHS.sum()
    assert tg.evaluate(found.loss, feeds) == pytest.approx(expected, rel=1e-12)
    assert {node.shape for node in found.outputs.values()} == {(4,)}


@pytest.mark.parametrize("name", ["captioner", "elman", "lstm"])
def test_what_a_generator_says_of_features(name):
    """Greedy from the features, one step at a time, as the net says when it reads that."""
    found = generated(models.CELLS[name])
    values = {n: v for n, v in generator_feeds(found, 2).items() if n in found.graph.parameters}
    values["c_y"] = values["c_y"] - 9 * np.eye(4)[3]  # the end never
    speaker, v = models.Speaker(found.net, values), np.arange(4.0)[None]
    said = models.greedy(speaker.step, speaker.begin({"v": v}), start=4, end=3, longest=STEPS)
    y = np.array(said.symbols)[:, None]
    scores = tg.evaluate(list(found.outputs.values()), values | {"v": v, "y": y})
    np.testing.assert_array_equal(np.argmax(scores, axis=-1), y)


def test_bad_inputs():
    with pytest.raises(UsageError, match="made of a net"):
        models.classifier("net", 2)
    with pytest.raises(UsageError, match="stands on a net"):
        models.tagger(models.gru, 2)
    with pytest.raises(UsageError, match="needs sizes H"):
        models.generator(models.gru, 2, features=2, symbols=2)
    with pytest.raises(UsageError, match="at least one symbol"):
        models.generator(models.gru, 0, features=2, symbols=2, H=2)
    with pytest.raises(UsageError, match="one vector"):
        models.generator(models.captioner_first, 2, features=2, symbols=2, H=2)
