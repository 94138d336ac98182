"""Sequence to sequence: against plain NumPy, single sequences against padded batches, gradients, and translation."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close, central, complex_step, inner

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import FeedError, TinygraphError, UnknownNameError, UsageError, ValueRangeError
from tinygraph.models import SequenceToSequence, Translator

SIZES = {"source": 5, "targets": 4, "hidden": 3, "embedding": 2}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "reversed": {"reverse": True},
    "deep": {"cell": "lstm", "layers": 2},
    "both ways": {"bidirectional": True},
    "shared": {"shared": True, "cell": "lstm"},
    "additive": {"bidirectional": True, "attention": "additive"},
    "deep, both ways, additive": {"bidirectional": True, "attention": "additive", "cell": "lstm", "layers": 2},
    "dot": {"attention": "dot", "attend": "last"},
    "scaled, reversed": {"attention": "scaled_dot", "reverse": True, "cell": "elman"},
    "general, feeding, deep": {"attention": "general", "attend": "last", "feeding": True, "layers": 2},
    "shared, attending": {"attention": "general", "attend": "last", "shared": True},
}
SOURCES, TARGETS = [[1, 2, 3], [4], [0, 0, 2, 1]], [[1], [2, 3, 0], []]
LONGEST = 4  # of the sources, and of the targets with their ends
each_kind = pytest.mark.parametrize("kind", KINDS)


def model_of(kind: str) -> SequenceToSequence:
    return SequenceToSequence(**{**SIZES, **KINDS[kind]})


def values_of(model: SequenceToSequence, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {n: 0.8 * rng.standard_normal(p.shape) for n, p in model.unroll(1, 1).graph.parameters.items()}


def log_probability(model: SequenceToSequence, values: Any, source: Any, target: Any) -> float:
    """Of one target and its end, from the unrolled net alone."""
    net = model.unroll(len(source), len(target) + 1)
    return -float(tg.evaluate(net.loss, values | model.feeds([source], targets=[target]))) * (len(target) + 1)


# Bahdanau, Cho and Bengio 2015, A.1 and A.2, for one pair, with the GRU of Cho et al.: z keeps the old state
def sigma(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def gru(p: Any, front: str, x: Any, h: Any, layer: Any = "") -> Any:
    W, U, b = ({k: p[f"{front}/{n}{k}{layer}"] for k in ("_r", "_z", "")} for n in "WUb")
    r, z = (sigma(W[k] @ x + U[k] @ h + b[k]) for k in ("_r", "_z"))
    return z * h + (1 - z) * np.tanh(W[""] @ x + U[""] @ (r * h) + b[""])


def bahdanau(p: Any, source: Any, target: Any) -> float:
    """The mean cross-entropy of a target and its end."""
    embedded = [p["encoder/E"][symbol] for symbol in source]
    there, back = [np.zeros(3)], [np.zeros(3)]
    for x in embedded:
        there.append(gru(p, "encoder/forward", x, there[-1]))
    for x in reversed(embedded):
        back.append(gru(p, "encoder/backward", x, back[-1]))
    annotations = [np.concatenate(pair) for pair in zip(there[1:], reversed(back[1:]), strict=True)]
    ends = np.concatenate([there[-1], back[-1]])
    s = np.tanh(p["decoder/W_h_0"] @ ends + p["decoder/b_h_0"])
    last, losses = SIZES["targets"] + 1, []
    for symbol in [*target, SIZES["targets"]]:
        e = [p["decoder/v_a"] @ np.tanh(p["decoder/W_a"] @ s + p["decoder/U_a"] @ a) for a in annotations]
        alpha = np.exp(e) / np.sum(np.exp(e))
        c = np.sum(alpha[:, None] * annotations, axis=0)
        s = gru(p, "decoder", np.concatenate([p["decoder/E"][last], c]), s)
        scores = p["decoder/V_y"] @ s + p["decoder/c_y"]
        losses.append(np.log(np.sum(np.exp(scores))) - scores[symbol])
        last = symbol
    return float(np.mean(losses))


def test_against_plain_numpy():
    model = model_of("additive")
    values = values_of(model)
    for source, target in zip(SOURCES, TARGETS, strict=True):
        expected = -bahdanau(values, source, target) * (len(target) + 1)
        assert log_probability(model, values, source, target) == pytest.approx(expected, rel=1e-12)


def deep(p: Any, front: str, x: Any, states: list[Any]) -> list[Any]:
    """One step of the layers of a cell; a single one has no number."""
    new = list[Any]()
    for k, h in enumerate(states, start=1):
        new.append(x := gru(p, front, x, h, k if len(states) > 1 else ""))
    return new


def read_whole(p: Any, source: Any, layers: int, both_ways: bool) -> list[Any]:
    """The states from which the decoder starts."""
    vectors = [p["encoder/E"][symbol] for symbol in source]
    if not both_ways:
        states = [np.zeros(3)] * layers
        for x in vectors:
            states = deep(p, "encoder", x, states)
        return states
    for k in range(1, layers + 1):
        front = "encoder" if layers == 1 else f"encoder/layer{k}"
        there, back = [np.zeros(3)], [np.zeros(3)]
        for x in vectors:
            there.append(gru(p, f"{front}/forward", x, there[-1]))
        for x in reversed(vectors):
            back.append(gru(p, f"{front}/backward", x, back[-1]))
        vectors = [np.concatenate(pair) for pair in zip(there[1:], reversed(back[1:]), strict=True)]
    ends = np.concatenate([there[-1], back[-1]])
    names = ["h"] if layers == 1 else [f"h{k}" for k in range(1, layers + 1)]
    return [np.tanh(p[f"decoder/W_{name}_0"] @ ends + p[f"decoder/b_{name}_0"]) for name in names]


def sutskever(
    p: Any, source: Any, target: Any, layers: int = 1, both_ways: bool = False, shared: bool = False, name: str = ""
) -> float:
    """Without attention: the last states of the encoder are all that the decoder sees. `name` stands before its own."""
    states, front = read_whole(p, source, layers, both_ways), f"{name}decoder"
    end = len(p[f"{front}/c_y"]) - 1
    last, losses = end + 1, []
    for symbol in [*target, end]:
        states = deep(p, "encoder" if shared else front, p[f"{front}/E"][last], states)
        scores = p[f"{front}/V_y"] @ states[-1] + p[f"{front}/c_y"]
        losses.append(np.log(np.sum(np.exp(scores))) - scores[symbol])
        last = symbol
    return float(np.mean(losses))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_without_attention_against_plain_numpy(layers, both_ways, shared, reverse):
    if both_ways and (shared or reverse):
        return  # refused, see WRONG
    choices = {"layers": layers, "bidirectional": both_ways, "shared": shared, "reverse": reverse}
    model = SequenceToSequence(**{**SIZES, **choices})
    values = values_of(model)
    for source, target in zip(SOURCES, TARGETS, strict=True):
        expected = sutskever(values, source[::-1] if reverse else source, target, layers, both_ways, shared)
        found = log_probability(model, values, source, target)
        assert found == pytest.approx(-expected * (len(target) + 1), rel=1e-12)


def test_several_decoders_in_plain_numpy():
    """Each from the states of the one encoder, with a number of symbols of its own; of a batch of one pair."""
    model = SequenceToSequence(**{**SIZES, "targets": {"french": 4, "german": 3}})
    values, targets = values_of(model), {"french": [1, 3], "german": [2]}
    for source in SOURCES:
        net = model.unroll(len(source), 3)
        losses = tg.evaluate(net.losses, values | model.feeds([source], **{n: [y] for n, y in targets.items()}))
        for name, target in targets.items():
            assert losses[name] == pytest.approx(sutskever(values, source, target, name=f"{name}/"), rel=1e-12)


@each_kind
def test_a_padded_batch_is_its_pairs_one_by_one(kind):
    """Loss and gradients by all parameters, each pair weighted by its number of target symbols."""
    model = model_of(kind)
    values = values_of(model)
    net = model.unroll(LONGEST, LONGEST)
    tg.validate(net.graph)
    loss, gradients = tg.evaluate([net.loss, net.gradients], values | model.feeds(SOURCES, targets=TARGETS))
    total, sums, count = 0.0, dict.fromkeys(gradients, 0.0), 0
    for source, target in zip(SOURCES, TARGETS, strict=True):
        alone = model.unroll(len(source), len(target) + 1)
        one, parts = tg.evaluate([alone.loss, alone.gradients], values | model.feeds([source], targets=[target]))
        weight = len(target) + 1
        count, total = count + weight, total + weight * one
        sums = {n: sums[n] + weight * parts[n] for n in sums}
    assert loss == pytest.approx(total / count, rel=1e-12)
    for n, gradient in gradients.items():
        assert_close(gradient, sums[n] / count, 1e-12, what=n)


@each_kind
def test_padding_does_not_matter(kind):
    """Whatever stands behind the end of a sequence."""
    model = model_of(kind)
    feeds = values_of(model) | model.feeds(SOURCES, targets=TARGETS)
    other = feeds | {
        "source": np.where(feeds["source_mask"], feeds["source"], 3),
        "y": np.where(feeds["y_mask"], feeds["y"], 2),
    }
    net = model.unroll(LONGEST, LONGEST)
    one, two = (tg.evaluate([net.loss, net.gradients], fed) for fed in (feeds, other))
    assert one[0] == two[0]
    for n, gradient in one[1].items():
        np.testing.assert_array_equal(gradient, two[1][n])


@each_kind
def test_gradient_against_differences(kind):
    model = model_of(kind)
    feeds = values_of(model, 3) | model.feeds(SOURCES, targets=TARGETS)
    net, rng = model.unroll(LONGEST, LONGEST), np.random.default_rng(0)
    gradients = tg.evaluate(net.gradients, feeds)
    assert set(gradients) == set(net.graph.parameters)
    for name, gradient in gradients.items():
        assert np.any(gradient != 0), name
        v = {name: rng.standard_normal(gradient.shape)}
        found, terms = inner(gradients, v)
        exact = complex_step(lambda at: tg.evaluate(net.loss, at, dtype="complex128"), feeds, v)
        assert_close(found, exact, 1e-10, terms, name)
    v = {name: rng.standard_normal(gradient.shape) for name, gradient in gradients.items()}
    found, terms = inner(gradients, v)
    assert_close(found, central(lambda at: tg.evaluate(net.loss, at), feeds, v), 1e-6, terms)


@each_kind
def test_translation_finds_the_best_of_all(kind):
    """A wide beam one step at a time, against every target of up to three symbols in the unrolled net."""
    model = model_of(kind)
    values = values_of(model, 1)
    values["decoder/c_y"] = values["decoder/c_y"] - 2 * np.eye(5)[4]  # the end less likely, or it comes at once
    found = Translator(model, values).translate(SOURCES[0], longest=3, width=5**3)
    assert log_probability_of(model, values, SOURCES[0], found) == pytest.approx(found.log_probability, rel=1e-12)
    ended = [t for n in range(3) for t in product(range(4), repeat=n)]
    best = max(log_probability(model, values, SOURCES[0], target) for target in ended)
    assert found.log_probability >= best - 1e-12
    if found.ended:
        assert found.log_probability == pytest.approx(best, rel=1e-12)


def log_probability_of(model: Any, values: Any, source: Any, hypothesis: Any) -> float:
    """From the unrolled net's scores, also where the end is missing."""
    said = [*hypothesis.symbols, *([4] if hypothesis.ended else [])]
    net = model.unroll(len(source), len(said))
    feeds = values | model.feeds([source], targets=[said[:-1]])
    scores = np.stack(list(tg.evaluate(net.scores, feeds).values()))[:, 0]
    return float(np.sum(scores[range(len(said)), said] - np.log(np.exp(scores).sum(axis=1))))


@each_kind
def test_many_sources_at_once_as_each_alone(kind):
    """Sources of several lengths, answers that end early, late, and not at all."""
    model = model_of(kind)
    endings = set()
    for seed, end in product((0, 1), (-5, 5)):  # how much likelier the end becomes
        values = values_of(model, seed)
        values["decoder/c_y"][-1] += end
        translator = Translator(model, values)
        together = translator.translate_each(SOURCES, longest=5)
        for source, found in zip(SOURCES, together, strict=True):
            alone = translator.translate(source, longest=5)
            assert (found.symbols, found.ended) == (alone.symbols, alone.ended)
            assert found.log_probability == pytest.approx(alone.log_probability, rel=1e-12)
        endings |= {(len(found.symbols), found.ended) for found in together}
    assert len(endings) > 1


def test_the_beginning_is_never_said():
    """There is no score for it: one for each of the four symbols, and one for the end."""
    model = model_of("plain")
    net, translator = model.unroll(2, 3), Translator(model, values_of(model))
    assert {node.shape for node in net.scores.values()} == {(5,)}
    assert (translator.start, translator.end) == (5, 4)
    assert net.graph.parameters["decoder/E"].shape == (6, 2)
    assert net.decoder.symbol[1].op.name == "constant"


@each_kind
def test_everything_is_drawn(kind):
    net = model_of(kind).unroll(3, 2)
    assert viz.draw(net.loss).nodes > 0
    assert viz.draw([net.loss, net.gradients], backward=True).gradients > 0


def test_sharing_parameters():
    """The decoder has its own tables and readout, and the encoder's cell; the gradient is the sum over both."""
    shared = model_of("shared")
    names = set(values_of(shared))
    assert {n for n in names if n.startswith("decoder/")} == {f"decoder/{n}" for n in ("E", "V_y", "c_y")}
    apart = SequenceToSequence(**{**SIZES, **KINDS["shared"], "shared": False})
    values = values_of(shared)
    both = values | {
        n.replace("encoder/", "decoder/"): v for n, v in values.items() if n != "encoder/E" and "encoder" in n
    }
    feeds = shared.feeds(SOURCES, targets=TARGETS)
    one, two = (model.unroll(LONGEST, LONGEST) for model in (shared, apart))
    (ours, gradient), (theirs, parts) = (
        tg.evaluate([net.loss, net.gradients], v | feeds) for net, v in ((one, values), (two, both))
    )
    assert ours == pytest.approx(theirs, rel=1e-14)
    for n in ("U_f", "W_i", "b_o"):
        assert_close(gradient[f"encoder/{n}"], parts[f"encoder/{n}"] + parts[f"decoder/{n}"], 1e-13)


def test_several_targets_from_one_encoder():
    """The loss is the sum, the encoder's gradient too; each decoder is the net that had it alone."""
    both = SequenceToSequence(**{**SIZES, "targets": {"french": 4, "german": 3}, "attention": "additive"})
    values, french, german = values_of(both), TARGETS, [[1], [], [0, 2, 1]]
    net = both.unroll(LONGEST, LONGEST)
    feeds = values | both.feeds(SOURCES, french=french, german=german)
    losses, loss, gradients = tg.evaluate([net.losses, net.loss, net.gradients], feeds)
    assert loss == pytest.approx(losses["french"] + losses["german"], rel=1e-14)
    total = 0.0
    for name, size, targets in (("french", 4, french), ("german", 3, german)):
        one = SequenceToSequence(**{**SIZES, "targets": size, "attention": "additive"})
        alone = {n.removeprefix(f"{name}/"): v for n, v in values.items() if n.startswith((name, "encoder"))}
        single = one.unroll(LONGEST, LONGEST)
        fed = alone | one.feeds(SOURCES, targets=targets)
        part, gradient = tg.evaluate([single.loss, single.gradients], fed)
        assert losses[name] == pytest.approx(part, rel=1e-14)
        assert_close(gradients[f"{name}/decoder/W"], gradient["decoder/W"], 1e-13)
        total = total + gradient["encoder/U"]
        ours, theirs = (Translator(m, v, t) for m, v, t in ((both, values, name), (one, alone, "")))
        assert ours.translate([1, 2], longest=4) == theirs.translate([1, 2], longest=4)
    assert_close(gradients["encoder/U"], total, 1e-13)
    some = both.feeds(SOURCES, german=german)
    assert tg.evaluate(net.losses["german"], values | some) == losses["german"]


def test_scheduled_sampling():
    """Where nothing is its own the loss is that of the plain net; where all is, that of what it says itself."""
    model = model_of("additive")
    values, feeds = values_of(model, 5), model.feeds(SOURCES[:1], targets=[[1, 2, 3]])
    free, plain = model.unroll(3, 4, free=True), model.unroll(3, 4)
    forced = models.own_symbols("always", 0.5, (4, 1), seed=0)
    assert tg.evaluate(free.loss, values | feeds | {"own": forced}) == tg.evaluate(plain.loss, values | feeds)
    own = models.own_symbols("never", 0.5, (4, 1), seed=0)
    read = tg.evaluate([free.decoder.read[t] for t in (2, 3, 4)], values | feeds | {"own": own})
    translator, said = Translator(model, values), []
    state, last = translator.read(SOURCES[0]), translator.start
    for _ in range(3):
        scores, state = translator.step([last], state)
        said.append(last := int(np.argmax(scores)))
    assert np.ravel(read).tolist() == said


def test_scheduled_sampling_from_what_it_says():
    """With noise it reads what is drawn: argmax(scores + noise) of the step before; without, the likeliest."""
    model = model_of("additive")
    values, feeds = values_of(model, 5), model.feeds(SOURCES[:1], targets=[[1, 2, 3]])
    drawn, free = model.unroll(3, 4, free=True, drawn=True), model.unroll(3, 4, free=True)
    feeds |= {"own": models.own_symbols("never", 0.5, (4, 1), seed=0)}
    noise = 3 * models.gumbel_noise((4, 1, model.decoders[""] + 1), seed=0)
    outputs = [list(drawn.scores.values()), [drawn.decoder.read[t] for t in (2, 3, 4)]]
    scores, read = tg.evaluate(outputs, values | feeds | {"noise": noise})
    assert np.ravel(read).tolist() == [int(np.argmax(scores[t] + noise[t + 1])) for t in range(3)]
    assert np.ravel(read).tolist() != [int(np.argmax(scores[t])) for t in range(3)]
    silent = tg.evaluate(drawn.loss, values | feeds | {"noise": 0 * noise})
    assert silent == tg.evaluate(free.loss, values | feeds)
    with pytest.raises(UsageError, match="free=True, drawn=True"):
        model.unroll(3, 4, drawn=True)


def test_it_learns_to_reverse():
    """Targets are the sources turned around: all right after a short training, with attention that can be read."""
    rng = np.random.default_rng(0)
    model = SequenceToSequence(4, 4, hidden=12, embedding=6, attention="additive", bidirectional=True)
    net, values = model.unroll(3, 4), model.initial(seed=0)
    step, optimiser = tg.plan([net.loss, net.gradients]), models.make_optimiser("adam", rate=0.02)
    for _ in range(250):
        sources = rng.integers(0, 4, (16, 3))
        loss, gradients = step(values | model.feeds(sources, targets=sources[:, ::-1]))
        optimiser.update(values, gradients)
    assert loss < 0.05
    translator = Translator(model, values)
    for source in product(range(4), repeat=3):
        assert translator.translate(source, longest=6).symbols == source[::-1]
    alpha = tg.evaluate(net.decoder.alpha, values | model.feeds([[0, 1, 2]], targets=[[2, 1, 0]]))
    assert all(a.shape == (1, 3) and abs(a.sum() - 1) < 1e-12 for a in alpha.values())


WRONG: dict[str, tuple[type[TinygraphError], dict[str, Any], str]] = {
    "cell": (UnknownNameError, {"cell": "gruu"}, "gru"),
    "two inputs": (UsageError, {"cell": "captioner"}, "more than a sequence"),
    "width": (UsageError, {"cell": "mut1"}, "embedding of 3"),
    "hidden": (UsageError, {"hidden": 0}, "hidden"),
    "layers": (UsageError, {"layers": 1.5}, "layers"),
    "boolean": (UsageError, {"embedding": True}, "embedding"),
    "targets": (UsageError, {"targets": {}}, "targets"),
    "target": (UsageError, {"targets": {"french": 0}}, "french"),
    "attention": (UnknownNameError, {"attention": "dott"}, "dot"),
    "attend": (UsageError, {"attention": "dot", "attend": "middle"}, "middle"),
    "wide memory": (UsageError, {"attention": "dot", "bidirectional": True}, "twice"),
    "tied width": (UsageError, {"cell": "mut1", "embedding": 3, "attention": "additive"}, "ties it"),
    "flag": (UsageError, {"reverse": "no"}, "true or false"),
    "shared": (UsageError, {"attention": "additive", "shared": True}, "share"),
    "both": (UsageError, {"bidirectional": True, "reverse": True}, "reversed"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_descriptions(case):
    error, options, message = WRONG[case]
    with pytest.raises(error, match=message):
        SequenceToSequence(**{**SIZES, **options})


def test_bad_feeds():
    model, two = model_of("plain"), SequenceToSequence(**{**SIZES, "targets": {"french": 4}})
    for error, arguments, message in (
        (UsageError, ([], {}), "no sources"),
        (UsageError, ([[]], {}), "1 or more"),
        (UsageError, ([[0.5]], {}), "integers"),
        (UsageError, ([["a"]], {}), "integers"),
        (ValueRangeError, ([[5]], {}), "0..4"),
        (ValueRangeError, ([[-1]], {}), "0..4"),
        (ValueRangeError, ([[1]], {"targets": [[4]]}), "0..3"),
        (UsageError, ([[1]], {"targets": [[1], [2]]}), "1 sources go with 2"),
        (UnknownNameError, ([[1]], {"french": [[1]]}), "targets"),
    ):
        with pytest.raises(error, match=message):
            model.feeds(arguments[0], **arguments[1])
    with pytest.raises(UnknownNameError, match="french"):
        two.feeds([[1]], targets=[[1]])
    with pytest.raises(UnknownNameError, match="french"):
        Translator(two, values_of(two), "frenhc")
    with pytest.raises(FeedError, match="no value is given"):
        Translator(two, {})
    with pytest.raises(TinygraphError):
        model.unroll(0, 1)


def test_classification_is_translation_into_one_word():
    """The first scores are those of the classes; cut off after one word, the likeliest of them is said."""
    model = model_of("both ways")
    values = values_of(model, 2)
    for source in SOURCES:
        net = model.unroll(len(source), 1)
        (scores,) = tg.evaluate(net.scores[1], values | model.feeds([source], targets=[[]]))
        found = Translator(model, values).translate(source, longest=1)
        assert (*found.symbols, 4)[0] == int(np.argmax(scores))
        assert found.log_probability == pytest.approx(np.max(scores) - np.log(np.sum(np.exp(scores))), rel=1e-12)
