"""What `tinygraph draw` draws: from a cell's name or the user's own file to a picture that can be saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygraph import models, viz

from ..cells import Cell
from ..errors import DrawingError, UsageError
from ..graph import Graph, Kind, Node, Steps
from ..initialisers import initialise
from ..nest import leaves
from ..unrolling import unroll
from .own_file import load_object, names_a_file

METRICS = ".jsonl"  # how the name of a run's metrics ends
SIZE, FRAMES_SIZE = 4, 2  # of the vectors of a cell that is drawn
PICTURES = (viz.Chart, viz.Comparison, viz.Drawing, viz.Frames)


@dataclass(frozen=True)
class Wish:
    """What is wanted: `target` is a cell's name or a file; `against` are cells to be compared with."""

    target: str
    against: tuple[str, ...] = ()
    steps: int = 4
    loss: bool = False
    frames: bool = False
    gates: bool = False
    seed: int = 0
    options: Mapping[str, Any] | None = None  # for `viz.draw`


def picture_of(wish: Wish) -> Any:
    """A drawing, a comparison, or frames. Raises what cells, files and pictures raise."""
    options = dict(wish.options or {})
    if wish.target.endswith(METRICS):
        return viz.chart(Path(wish.target), theme=options.get("theme", "light"))
    found, feeds = _found(wish.target)
    if isinstance(found, PICTURES):
        return found
    if isinstance(found, models.System):
        options["title"] = f"{found.name}, {wish.steps} steps"
        built = found.build(wish.steps)
        found = built.loss if wish.loss or wish.frames else list(built.outputs)
    if wish.against:
        return viz.compare(found, *(_found(name)[0] for name in wish.against), **options)
    if isinstance(found, Cell):
        options["title"] = f"{found.name}, {wish.steps} steps"
        found = _unrolled(found, wish)
    if wish.gates:
        values = example_feeds(_graph_of(found), wish.seed) if feeds is None else feeds
        return viz.chart(found, feeds=values, theme=options.get("theme", "light"))
    if not wish.frames:
        if options.get("attention"):
            options["feeds"] = example_feeds(_graph_of(found), wish.seed) if feeds is None else feeds
        return viz.draw(found, **options)
    if not isinstance(found, Node):
        raise DrawingError("a step-through is of the node of a loss", fix=f"name it: {wish.target.split(':')[0]}:loss")
    known = {key: options[key] for key in ("notation", "title") if options.get(key)}
    theme = "dark" if options.get("theme") == "dark" else "both"
    return viz.frames(found, example_feeds(found.graph, wish.seed) if feeds is None else feeds, theme=theme, **known)


def example_feeds(graph: Graph, seed: int) -> dict[str, Any]:
    """Initial parameters, and random values for all inputs of a graph: one example, without a batch."""
    rng = np.random.default_rng(seed)
    feeds: dict[str, Any] = dict(initialise(graph.parameters, seed))
    for name, node in graph.inputs.items():
        steps = list(node.values()) if isinstance(node, Steps) else [node]
        shape = (len(steps), *steps[0].shape) if isinstance(node, Steps) else steps[0].shape
        feeds[name] = _value(steps[0].kind, shape, rng)
    return feeds


def _graph_of(found: Any) -> Graph:
    """The graph of a net, or of nodes in lists and dicts. Raises `DrawingError`."""
    one = next(iter(leaves(found)), None)
    graph = found if isinstance(found, Graph) else getattr(one, "graph", None)
    if not isinstance(graph, Graph):
        raise DrawingError(f"{found!r:.60} has no graph to make values for", fix="name a net, or nodes")
    return graph


def _value(kind: Kind, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    if kind == "real":
        return rng.standard_normal(shape)
    return rng.integers(0, 2, shape) if kind == "integer" else np.ones(shape, dtype=bool)


def _found(target: str) -> tuple[Any, Any]:
    """What a target names, and the feeds that its file brings along, if it does."""
    if not names_a_file(target):
        system = models.find_system(target)
        return system.cell or system, None
    found, module = load_object(target)
    return found, getattr(module, "feeds", None)


def _unrolled(cell: Cell, wish: Wish) -> Any:
    size = FRAMES_SIZE if wish.frames else SIZE
    net = unroll(cell, wish.steps, sizes=dict.fromkeys(cell.sizes, size))
    return models.softmax_cross_entropy(models.readout(net, size)) if wish.loss or wish.frames else net


def notation_of(pairs: list[str]) -> dict[str, str]:
    """`U=W_{hh}` for each symbol that is renamed. Raises `UsageError`."""
    found = {}
    for pair in pairs:
        label, sign, latex = pair.partition("=")
        if not (label and sign and latex):
            raise UsageError(f"--notation {pair!r:.60} renames nothing", fix="--notation 'U=W_{hh}'")
        found[label] = latex
    return found
