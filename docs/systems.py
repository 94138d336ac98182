"""Writes the table of all systems, docs/systems.md, from the catalogue: python docs/systems.py

What the columns say is found out here: each system is built, differentiated, verified and drawn. The independent
reference of a row is a test, by its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.commands.picturing import example_feeds
from tinygraph.errors import DifferentiationError
from tinygraph.verification.comparisons import words_and_field

HEAD = """# Every system

Cells, and what is built of them. `tinygraph cells` lists them with their equations; `tinygraph card NAME`, `tinygraph
draw NAME` and `tinygraph verify NAME` take any of these names. This table is written by `python docs/systems.py`, which
for each row builds a small net and looks at it:

- **builds**: the nodes on its tape, and the numbers in its parameters;
- **gradient**: of the loss by everything real along a random direction, against the complex step, to 1e-10;
- **verified**: the derivative of what the net says, computed in independent ways: by the matrix words of a step, in a
  finite field, by central differences, by the complex step;
- **drawn**: the boxes of its picture, each node of the graph in one;
- **reference**: the test that holds it against plain NumPy, written from the equations alone, or a hand-set net
  against what it is to compute; many are compared with PyTorch besides.
"""
COLUMNS = ("system", "what it is", "source", "builds", "gradient", "verified", "drawn", "reference")
TOLERANCE = 1e-10
COMPLEX_STEP = 1e-20

_MODELS = "tests/models/"
_ATTENTION = f"{_MODELS}test_attention.py::test_against_plain_numpy"
_SPEAKERS = f"{_MODELS}test_speakers.py::"
_SEQ2SEQ = f"{_MODELS}test_seq2seq.py::"
_DEEPENING = f"{_MODELS}test_deepening.py::test_against_plain_numpy"
_MAPPINGS = f"{_MODELS}test_mappings.py::"
_HAND_SET = f"{_MODELS}test_hand_set.py::"
_MEMORY = f"{_MODELS}test_without_memory.py::"
_STARTING = f"{_MODELS}test_starting.py::"
_CELLS = f"{_MODELS}cells/test_reference.py::test_against_numpy"
_ENCODER = f"{_MODELS}test_image_encoder.py::test_in_plain_numpy"

# The test that holds a system against an independent reference.
REFERENCES: dict[str, str] = {
    **dict.fromkeys(models.CELLS, _CELLS),
    "memoryless": f"{_MEMORY}test_a_time_delay_net_in_plain_numpy",
    "tanh_layer": _DEEPENING,
    "stacked_2": f"{_MODELS}test_stack.py::test_a_stack_in_plain_numpy",
    "stacked_3": f"{_MODELS}test_stack.py::test_a_stack_in_plain_numpy",
    "layered_2": f"{_MODELS}test_layering.py::test_in_plain_numpy",
    "skips": f"{_MODELS}test_layering.py::test_in_plain_numpy",
    "deep_transition": _DEEPENING,
    "deep_transition_shortcut": _DEEPENING,
    "recurrent_highway_3": _DEEPENING,
    "deep_output": _DEEPENING,
    "deep_transition_output": _DEEPENING,
    "residual": f"{_MODELS}test_deepening.py::test_residual_layers_in_plain_numpy",
    "stacked_residual": f"{_MODELS}test_deepening.py::test_residual_layers_in_plain_numpy",
    "highway_layers": f"{_MODELS}cells/test_variants.py::test_highway_layers_in_plain_numpy",
    "bidirectional": f"{_MODELS}test_directions.py::test_against_two_loops",
    "bidirectional_deep": f"{_MODELS}test_directions.py::test_two_layers_in_plain_numpy",
    "jordan_forced": f"{_MODELS}cells/test_variants.py::test_a_forced_net_in_plain_numpy",
    "attending_first": _ATTENTION,
    "attending_last": _ATTENTION,
    "speaking": f"{_SPEAKERS}test_against_plain_numpy",
    "initial_zeros": _CELLS,
    "initial_learned": _CELLS,
    "initial_fed": _CELLS,
    "initial_biases": f"{_STARTING}test_first_biases_in_plain_numpy",
    "initial_dummy": f"{_STARTING}test_a_dummy_step_in_plain_numpy",
    "dense_features": _CELLS,
    "one_hot": f"{_MODELS}test_language.py::test_loss_against_plain_numpy",
    "embedding": f"{_MODELS}test_language.py::test_loss_against_plain_numpy",
    "word_features": f"{_STARTING}test_a_net_over_word_features_in_plain_numpy",
    "time_delay": f"{_MEMORY}test_a_time_delay_net_in_plain_numpy",
    **dict.fromkeys(("convolution_1d", "convolution_2d", "convolution_3d", "image_encoder"), _ENCODER),
    "feed_forward": f"{_MEMORY}test_a_feed_forward_net",
    "tagger": f"{_MODELS}test_heads.py::test_losses",
    "tagger_masked": f"{_MODELS}test_heads.py::test_losses",
    "classifier": f"{_MAPPINGS}test_a_classifier_in_plain_numpy",
    "forecaster": f"{_MAPPINGS}test_a_forecaster_in_plain_numpy",
    "generator": f"{_MAPPINGS}test_a_generator_in_plain_numpy",
    "caption": f"{_MAPPINGS}test_a_generator_in_plain_numpy",
    "softmax": f"{_MODELS}test_heads.py::test_losses",
    "hierarchical_softmax": f"{_MODELS}test_large_vocabulary.py::test_hierarchical_softmax_in_plain_numpy",
    "negative_sampling": f"{_MODELS}test_large_vocabulary.py::test_negative_sampling_in_plain_numpy",
    "neural_language_model": f"{_MEMORY}test_the_neural_language_model_in_plain_numpy",
    "recurrent_language_model": f"{_MEMORY}test_the_recurrent_model_in_plain_numpy",
    "translator": f"{_SEQ2SEQ}test_without_attention_against_plain_numpy",
    "translator_shared": f"{_SEQ2SEQ}test_without_attention_against_plain_numpy",
    "translator_reversed": f"{_SEQ2SEQ}test_without_attention_against_plain_numpy",
    "translator_deep": f"{_SEQ2SEQ}test_without_attention_against_plain_numpy",
    "translator_both_ways": f"{_SEQ2SEQ}test_without_attention_against_plain_numpy",
    "translator_both_ways_deep": f"{_SEQ2SEQ}test_without_attention_against_plain_numpy",
    **dict.fromkeys(
        ("attention_additive", "attention_dot", "attention_scaled_dot", "attention_general", "attention_last"),
        _ATTENTION,
    ),
    "attention_feeding": _ATTENTION,
    "translator_several": f"{_SEQ2SEQ}test_several_decoders_in_plain_numpy",
    "scheduled_sampling": f"{_SPEAKERS}test_against_plain_numpy",
    "scheduled_sampling_drawn": f"{_SPEAKERS}test_drawn_symbols_against_plain_numpy",
    "translator_one_word": f"{_SEQ2SEQ}test_without_attention_against_plain_numpy",
    "tree_recursive": f"{_MODELS}test_trees.py::test_against_recursion",
    "tree_rntn": f"{_MODELS}test_trees.py::test_against_recursion",
    "running_sum": f"{_HAND_SET}test_the_running_sum",
    "larger_total": f"{_HAND_SET}test_the_larger_total",
    "parity": f"{_HAND_SET}test_parity_of_all_strings",
    "parity_logistic": f"{_HAND_SET}test_logistic_parity_of_all_strings",
    "glimpses": f"{_MODELS}test_glimpses.py::test_against_plain_numpy",
    "glimpse_classifier": f"{_MODELS}test_glimpses.py::test_against_plain_numpy",
    "pixels": f"{_MODELS}test_pixels.py::test_against_plain_numpy",
    "pixels_of_class": f"{_MODELS}test_pixels.py::test_against_plain_numpy",
}


def page() -> str:
    """The whole page. Raises `AssertionError` with the name of a system whose gradient or derivative is wrong."""
    parts = [HEAD]
    for group, systems in groupby(models.SYSTEMS.values(), key=lambda system: system.group):
        rows = [" | ".join(row(system)) for system in systems]
        lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS), *(f"| {line} |" for line in rows)]
        parts.append(f"## {group.capitalize()}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def row(system: models.System) -> tuple[str, ...]:
    """One system: what is known of it, then what is found out."""
    built = system.build()
    nodes, boxes = len(built.graph), viz.draw(built.loss, fold=False).nodes
    error = gradient_error(built)
    assert error < TOLERANCE, f"{system.name}: the gradient is off by {error}"
    ways = verified(system, built)
    numbers = sum(int(np.prod(node.shape)) for node in built.graph.parameters.values())
    found = (f"{nodes} nodes, {numbers} parameters", "complex step", ", ".join(ways), f"{boxes} boxes")
    return (*known(system), *found, f"`{REFERENCES[system.name].removeprefix('tests/')}`")


def known(system: models.System) -> tuple[str, str, str]:
    """The columns that need no look."""
    return f"`{system.name}`", system.summary, system.reference


def gradient_error(built: models.Built, seed: int = 0) -> float:
    """The gradient along a random direction of all real leaves, less the complex step, by the larger of 1 and it."""
    rng, graph = np.random.default_rng(seed), built.graph
    feeds = example_feeds(graph, seed)
    feeds |= {name: 0.5 * rng.standard_normal(node.shape) for name, node in graph.parameters.items()}
    leaves = graph.parameters | {name: node for name, node in graph.inputs.items() if _first(node).kind == "real"}
    v = {name: rng.standard_normal(np.shape(feeds[name])) for name in leaves}
    found = tg.evaluate(tg.grad(built.loss, leaves), feeds)
    values = {name: np.stack(list(g.values())) if isinstance(g, dict) else g for name, g in found.items()}
    moved = {name: feeds[name] + 1j * COMPLEX_STEP * v[name] for name in leaves}
    expected = np.imag(tg.evaluate(built.loss, feeds | moved, dtype="complex128")) / COMPLEX_STEP
    return float(abs(sum(np.sum(values[name] * v[name]) for name in leaves) - expected) / max(1, abs(expected)))


def verified(system: models.System, built: models.Built) -> list[str]:
    """The ways in which its derivative was computed. Raises `AssertionError` where two differ."""
    report = tg.verify_graph(built.outputs, name=system.name)
    assert report.ok, str(report)
    sides = [row.what.replace(" = adjoint", "").replace("adjoint = ", "") for row in report.rows if row.applies]
    return [*_by_words(system), *sides]


def _by_words(system: models.System) -> Iterator[str]:
    if system.cell is None:
        return
    try:
        found = words_and_field(system.cell, 3, 2, seed=0)
    except DifferentiationError:
        return
    assert not found.differs, f"{system.name}: {found.differs}"
    yield "words"


def _first(entry: Any) -> tg.Node:
    return entry if isinstance(entry, tg.Node) else entry.last


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
