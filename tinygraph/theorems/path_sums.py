r"""Statement 5: the reverse sweep is the sum over all paths, and a path is a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..cells import Cell
from ..differentiate import jacobian
from ..flow.paths import count_paths
from ..graph.letters import IDENTITY, compose
from ..graph.node import Node
from ..symbolic.field import FieldArrays, values
from ..symbolic.running import leaf_values, run_tape
from ..symbolic.words import NoWordsError, act, local_words, net_of_steps, step_words
from .statement import EVERY, Evidence, Failing, Theorem

MOST_LISTED = 100


def sum_over_paths(cells: Mapping[str, Cell], *, left_out: int = 0, longest: int = 5) -> Evidence:
    """For each cell the paths of its output over one, two, ... steps: counted in the graph, as words, and listed.

    The listed ones are multiplied out, each by the local Jacobians on it, and added, but for `left_out` of them;
    the sum stands against the reverse sweep in the finite field. Longer ones than `MOST_LISTED` are counted alone.
    """
    numbers = []
    for name, cell in cells.items():
        try:
            words = step_words(cell)
        except NoWordsError:
            continue
        state, counts = cell.output, []
        for steps in range(1, longest + 1):
            net = net_of_steps(cell, steps, dict.fromkeys(cell.sizes, 2))
            start, end = net.series[state][0], net.series[state].last
            counts.append(count_paths(end, start))
            if counts[-1] != words.count(steps)[state, state]:
                return Evidence("", f"{name}: {counts[-1]} paths, {words.count(steps)[state, state]} words")
            if counts[-1] <= MOST_LISTED:
                reason = _listed_and_swept(start, end, counts[-1], left_out)
                if reason:
                    return Evidence("", f"{name}, {steps} steps: {reason}")
        numbers.append(f"{name} {', '.join(map(str, counts))}")
    return Evidence("paths over 1, 2, ... steps: " + "; ".join(numbers))


def _listed_and_swept(start: Node, end: Node, count: int, left_out: int) -> str:
    swept = jacobian(end, start)
    xp = FieldArrays(0)
    fed = leaf_values([end], lambda node: xp.draw(node.shape), xp.rng)
    found = run_tape(xp, [end, swept], fed)
    paths = list(_paths(start, end))
    if len(paths) != count:
        return f"{len(paths)} paths listed, {count} counted"
    unit = xp.real(np.eye(start.shape[0], dtype=int))
    total = xp.full(swept.shape, 0, "real")
    for path in paths[left_out:]:
        word = compose(IDENTITY, *(local_words(node, place) for node, place in path))
        total = total + act(word, found, xp, unit, end.shape[0])
    if values(total) != values(found[swept.id]):
        return f"the sum of {len(paths) - left_out} of {len(paths)} paths is not the reverse sweep"
    return ""


def _paths(start: Node, end: Node) -> Iterator[list[tuple[Node, int]]]:
    """Every path as (node, place of the operand it came by), from the end back to the start. Iterative."""
    waiting: list[list[tuple[Node, int]]] = [[]]
    while waiting:
        path = waiting.pop()
        node = path[-1][0].args[path[-1][1]] if path else end
        if node is start:
            yield path
        elif node.id > start.id and not node.op.leaf:
            waiting += [[*path, (node, place)] for place in range(len(node.args)) if node.op.rule(place) is not None]


THEOREMS = (
    Theorem(
        key="paths",
        number="5",
        title="The reverse sweep is the sum over paths",
        statement="A Jacobian is the sum over all paths of the products of local Jacobians; its words, with"
        " multiplicity and before cancellation, are as many as the paths.",
        latex=r"\frac{\partial y}{\partial x} = \sum_{\text{paths } x \to y} \; \prod_{(u, v) \text{ on the path}}"
        r" \frac{\partial v}{\partial u}",
        kind="exact",
        check=sum_over_paths,
        given={"cells": EVERY},
        failing=(Failing(("left_out", 1), "paths is not the reverse sweep"),),
    ),
)
