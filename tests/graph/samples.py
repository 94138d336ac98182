"""Graphs to try things on: every cell in every composition with its gradient, and every row on one tape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers.cases import cases, draw, rows
from helpers.zoo import FEW, STACKABLE

import tinygraph as tg
from tinygraph import models

BATCH = STEPS = SIZE = 3  # equal, so that an axis that meets another by accident shows


@dataclass(frozen=True)
class Sample:
    """What to compute, on one tape, and what to feed."""

    roots: Any
    graph: tg.Graph
    feeds: Mapping[str, Any]


def random_feeds(graph: tg.Graph, seed: int = 0, batch: int | None = BATCH) -> dict[str, Any]:
    """A value for every input and parameter: normal reals, integers 0 and 1, booleans that begin with true."""
    rng = np.random.default_rng(seed)
    leaves = graph.parameters | graph.inputs
    return {name: _draw(leaf, rng, batch) for name, leaf in leaves.items()}


def _draw(leaf: tg.Node | tg.Steps, rng: np.random.Generator, batch: int | None) -> Any:
    node = leaf if isinstance(leaf, tg.Node) else leaf.last
    time = () if isinstance(leaf, tg.Node) else (len(leaf),)
    shape = (*time, *((batch,) if node.batched and batch is not None else ()), *node.shape)
    if node.kind == "integer":
        return rng.integers(0, 2, shape)
    if node.kind == "boolean":
        flags = rng.random(shape) < 0.5
        flags[:1] = True
        return flags
    return rng.standard_normal(shape)


def _sizes(cell: tg.Cell) -> dict[str, int]:
    return dict.fromkeys(cell.sizes, SIZE)


COMPOSITIONS: dict[str, Callable[[tg.Cell], Any]] = {
    "plain": lambda cell: tg.unroll(cell, STEPS, sizes=_sizes(cell)),
    "learned": lambda cell: tg.unroll(cell, STEPS, sizes=_sizes(cell), initial="learned"),
    "masked": lambda cell: tg.unroll(cell, STEPS, sizes=_sizes(cell), mask=True),
    "two layers": lambda cell: models.stack(cell, STEPS, layers=2, sizes=_sizes(cell)),
}
ALL_NETS = [(n, how) for n in models.CELLS for how in COMPOSITIONS if how != "two layers" or n in STACKABLE]
NETS = [(n, how) for n, how in ALL_NETS if n in FEW or how == ("two layers" if n in STACKABLE else "plain")]


def each_net(*names: str) -> Any:
    """Runs a test over nets, a cell and a composition by these names: NETS in the default run, else all."""
    marks = {net: [] if net in NETS else [pytest.mark.slow] for net in ALL_NETS}
    return pytest.mark.parametrize(names, [pytest.param(*net, marks=marks[net]) for net in ALL_NETS])


def trained(name: str, how: str) -> Sample:
    """A cell in a composition with readout, loss and the gradient of all parameters."""
    net = COMPOSITIONS[how](models.CELLS[name])
    scores = models.readout(net, SIZE)
    loss = models.softmax_cross_entropy(scores, mask=net.mask)
    roots = {"loss": loss, "gradients": tg.grad(loss, net.graph.parameters), "output": list(net.output.values())}
    return Sample(roots, net.graph, random_feeds(net.graph))


def every_row(stride: int = 1) -> Sample:
    """Every row of the table that has operands, in its examples, on one tape."""
    graph, feeds, rng = tg.Graph(), {}, np.random.default_rng(0)
    roots = []
    for name in rows():
        for case in cases(tg.OPS[name])[::stride]:
            operands = []
            for value, shape, kind, batched in zip(
                draw(case, rng, BATCH), case.shapes, case.kinds, case.batched, strict=True
            ):
                operands.append(graph.input(f"x{len(graph)}", shape, kind=kind, batched=batched))
                feeds[operands[-1].name] = value
            roots.append(case.op(*operands, **case.attrs))
    return Sample(roots, graph, feeds)
