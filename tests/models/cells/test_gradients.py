"""Gradients of whole recurrent models, for every cell: against differences, by example, and under a mask."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close, central, complex_step, inner
from helpers.networks import Network, stacked_in_time
from helpers.zoo import FEW, STACKABLE

import tinygraph as tg
from tinygraph.models import CELLS

FIRST, EXACT, SINGLE = 1e-6, 1e-10, 1e-12
LENGTHS = {1: [1, 1, 1], 2: [2, 1, 2], 5: [3, 5, 1], 20: [7, 20, 1]}  # of the three examples, by number of steps
INITIAL = ("zeros", "learned", "fed")


ONE, MANY = range(1), range(1, 20)  # seeds


def nets() -> list[Any]:
    """Cell, steps, layers, initial state and seeds.

    The few cells that stand for others have all of these in the slow run, and each length and depth with one initial
    state in the default one. The others have that in the slow run, and two of it in the default one.
    """
    found = []
    for (name, cell), steps, layers, initial, seeds in product(CELLS.items(), LENGTHS, (1, 2), INITIAL, (ONE, MANY)):
        chosen = initial == INITIAL[(steps + layers) % 3]
        stands_for_others = name in FEW
        if (layers == 2 and name not in STACKABLE) or not (chosen or (stands_for_others and seeds is ONE)):
            continue
        if seeds is MANY and not (stands_for_others and steps < 20):
            continue
        quick = chosen and seeds is ONE and steps < 20 and (stands_for_others or (steps, layers) in ((2, 1), (1, 2)))
        marks = [] if quick else [pytest.mark.slow]
        label = f"{name}-{steps}-{layers}-{initial}" + "-seeds" * (seeds is MANY)
        found.append(pytest.param(cell, steps, layers, initial, seeds, marks=marks, id=label))
    return found


each_net = pytest.mark.parametrize(("cell", "steps", "layers", "initial", "seeds"), nets())


def check_gradient(net: Network, gradients: Any, feeds: dict[str, Any], seed: int, apart: bool) -> None:
    """Along a random direction of everything at once, and, `apart`, of each parameter and input alone."""
    values = stacked_in_time(tg.evaluate(gradients, feeds))
    rng = np.random.default_rng([seed, 9])
    v = {name: rng.standard_normal(np.shape(feeds[name])) for name in values}

    def loss(at: Any, dtype: str = "float64") -> Any:
        return np.sum(tg.evaluate(net.loss, at, dtype=dtype))

    found, terms = inner(values, v)
    assert_close(found, central(loss, feeds, v), FIRST, terms)
    for direction in [v] + [{name: part} for name, part in v.items() if apart]:
        found, terms = inner(values, direction)
        exact = complex_step(lambda at: loss(at, "complex128"), feeds, direction)
        assert_close(found, exact, EXACT, terms, f"seed {seed}: gradient by {', '.join(direction)}")


@pytest.mark.parametrize("mask", [False, True], ids=["full", "masked"])
@each_net
def test_gradient_of_the_whole_model(cell, steps, layers, initial, mask, seeds):
    """Without a batch, with a batch of one, and with a batch of three of different lengths."""
    net = Network(cell, steps, layers, mask, initial)
    gradients = net.gradients
    for seed in seeds:
        for batch in (None, 1, 3):
            lengths = LENGTHS[steps] if batch == 3 else LENGTHS[steps][0]
            check_gradient(net, gradients, net.feeds(seed, batch, lengths), seed, apart=seed == seeds[0])


@each_net
def test_a_batch_equals_its_single_examples(cell, steps, layers, initial, seeds):
    """Values, gradients by inputs one by one, gradients by parameters as the sum; batch and sizes are equal."""
    net = Network(cell, steps, layers, initial=initial)
    outputs = [net.loss, net.final, net.gradients]
    for seed in seeds:
        feeds = net.feeds(seed, 3)
        loss, final, gradients = tg.evaluate(outputs, feeds)
        singles = [tg.evaluate(outputs, net.example(feeds, b)) for b in range(3)]
        assert_close(loss, np.stack([single[0] for single in singles]), SINGLE)
        for k, state in enumerate(final):
            stacked = np.stack([single[1][k] for single in singles])
            assert_close(np.broadcast_to(state, stacked.shape), stacked, SINGLE)
        assert_same_gradients(net, stacked_in_time(gradients), [stacked_in_time(single[2]) for single in singles])


def assert_same_gradients(net: Network, together: dict[str, Any], singles: list[dict[str, Any]]) -> None:
    """By parameters the sum over examples; by inputs each its own, and zero behind the end of an example."""
    for name in net.parameters:
        assert_close(together[name], np.sum([single[name] for single in singles], axis=0), SINGLE, what=name)
    for name, entry in net.inputs.items():
        for b, single in enumerate(singles):
            if isinstance(entry, tg.Steps):
                length = len(single[name])
                assert_close(together[name][:length, b], single[name], SINGLE, what=name)
                np.testing.assert_array_equal(together[name][length:, b], 0)
            else:
                assert_close(together[name][b], single[name], SINGLE, what=name)


@each_net
def test_a_masked_batch_equals_its_shorter_sequences(cell, steps, layers, initial, seeds):
    """Each example against a net without mask that is as long as the example; what pads it has no effect."""
    net, lengths = Network(cell, steps, layers, mask=True, initial=initial), LENGTHS[steps]
    short = {length: Network(cell, length, layers, initial=initial) for length in lengths}
    outputs = {length: [n.loss, n.final, n.gradients] for length, n in short.items()}
    padded = [net.loss, net.final, net.gradients]
    for seed in seeds:
        feeds = net.feeds(seed, 3, lengths)
        loss, final, gradients = tg.evaluate(padded, feeds)
        singles = []
        for b, length in enumerate(lengths):
            alone = net.example(feeds, b, length)
            singles.append(tg.evaluate(outputs[length], {name: alone[name] for name in alone if name != "mask"}))
            assert_close(loss[b], singles[b][0], SINGLE)
            for k, state in enumerate(singles[b][1]):
                assert_close(np.broadcast_to(final[k], (3, *state.shape))[b], state, SINGLE)
        assert_same_gradients(net, stacked_in_time(gradients), [stacked_in_time(single[2]) for single in singles])
