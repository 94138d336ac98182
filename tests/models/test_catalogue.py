"""Every system of the catalogue: it builds, its gradient is that of differences, its plan agrees, and it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, complex_step, inner
from helpers.networks import stacked_in_time
from helpers.zoo import FEW

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import UnknownNameError
from tinygraph.models import SYSTEMS
from tinygraph.nest import leaves

QUICK = {  # one of each kind; the slow run takes all that is made of cells, which have tests of their own
    *(
        "stacked_residual",
        "deep_transition_output",
        "bidirectional",
        "attending_last",
        "initial_dummy",
        "word_features",
    ),
    *("convolution_1d", "caption", "hierarchical_softmax", "recurrent_language_model", "attention_dot", "tree_rntn"),
    *("translator_several", "scheduled_sampling_drawn", "larger_total", "glimpse_classifier", "pixels_of_class"),
}
each_system = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in SYSTEMS if n not in models.CELLS],
)


def test_every_cell_is_a_system_and_stands_first():
    assert list(SYSTEMS)[: len(models.CELLS)] == list(models.CELLS)
    assert all(SYSTEMS[name].cell is cell for name, cell in models.CELLS.items())
    assert set(FEW) | QUICK <= set(SYSTEMS)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_described(name):
    """A name that is an identifier, a sentence, and a source with its year."""
    system = SYSTEMS[name]
    assert system.name == name
    assert name.isidentifier()
    assert system.summary.endswith(".")
    assert any(word[:4].isdigit() for word in system.reference.replace(",", " ").split())
    assert "|" not in system.summary + system.reference


@each_system
def test_it_builds_and_its_gradient_is_right(name):
    """By each parameter and each real input along a random direction, in a batch; all are reached or flat."""
    built = SYSTEMS[name].build()
    tg.validate(built.graph)
    feeds, rng = random_feeds(built.graph), np.random.default_rng(0)
    inputs = {n: e for n, e in built.graph.inputs.items() if (e if isinstance(e, tg.Node) else e.last).kind == "real"}
    gradients = stacked_in_time(tg.evaluate(tg.grad(built.loss, built.graph.parameters | inputs), feeds))
    for leaf, gradient in gradients.items():
        v = {leaf: rng.standard_normal(np.shape(feeds[leaf]))}
        found, terms = inner({leaf: gradient}, v)
        exact = complex_step(lambda at: tg.evaluate(built.loss, at, dtype="complex128"), feeds, v)
        assert_close(found, exact, 1e-10, terms, f"{name}: {leaf}")


@each_system
def test_its_plan_agrees(name):
    """Outputs, loss and gradients of the compiled plan and of the interpreter, with a batch and without."""
    built = SYSTEMS[name].build()
    roots = [list(built.outputs), built.loss, tg.grad(built.loss, built.graph.parameters)]
    plan = tg.plan(roots, dtype="float64")
    for batch in (None, 3):
        feeds = random_feeds(built.graph, batch=batch)
        for found, expected in zip(leaves(plan(feeds)), leaves(tg.evaluate(roots, feeds)), strict=True):
            assert_close(found, expected, 1e-10, what=name)


@pytest.mark.parametrize("name", sorted(QUICK))
def test_it_is_drawn(name):
    """The slow run draws all of them: see the page of systems."""
    built = SYSTEMS[name].build()
    drawn = viz.draw(built.loss, fold=False)
    assert drawn.nodes >= len(built.outputs)
    assert drawn.svg.count("<svg") == 1


@pytest.mark.parametrize("name", ["elman", "stacked_2", "translator"])
def test_more_steps_are_a_longer_net(name):
    short, long = (SYSTEMS[name].build(steps) for steps in (2, 5))
    assert set(short.graph.parameters) == set(long.graph.parameters)
    assert len(long.outputs) == len(short.outputs) + 3


def test_an_unknown_system():
    with pytest.raises(UnknownNameError, match="'bidirectional'"):
        models.find_system("bidirectionl")
