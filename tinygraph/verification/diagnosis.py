"""Why a verification fails: the first wrong block or adjoint of one step, and the likeliest mistake in it.

The judge is the complex step, which knows no rule of a derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cells import Cell
from ..differentiate import jacobian, vjp
from ..errors import DifferentiationError
from ..execute.arrays import ComplexArrays, NumpyArrays
from ..graph.node import Node
from ..symbolic.plain_words import plain_style
from ..symbolic.words import act
from .findings import worst_entry
from .gradient_mistakes import near, whole_gradient
from .step_points import COMPLEX_STEP, StepPoint
from .word_mistakes import explain


def wrong_words(cell: Cell, seed: int = 0) -> str:
    """The first block that the matrix words get wrong, and the change that puts them right; empty if none is."""
    point = StepPoint(cell)
    if point.words is None:
        return ""
    fed = point.numbers(seed)
    run = point.run(NumpyArrays("float64"), fed)
    for block in point.blocks:
        try:
            right = point.by_complex_step(fed, block)
        except DifferentiationError:
            return ""
        rows, columns = point.shape(block)
        ours = act(point.words.compact[block], run, NumpyArrays("float64"), np.eye(columns), rows)
        if not near(ours, right):
            mended = explain(point.words, block, right, run)
            change = f"; the words are right after one change, {mended[0]}" if len(mended) == 1 else ""
            return f"at entry {worst_entry(ours, right)} of {_title(point, block)}{change}"
    return ""


def wrong_adjoint(cell: Cell, seed: int = 0) -> str:
    """The first block, or else leaf, that the adjoint gets wrong, and the likeliest mistake; empty if none is."""
    point = StepPoint(cell, since=0)
    fed = point.numbers(seed)
    run = point.run(NumpyArrays("float64"), fed)
    try:
        for block in point.blocks:
            right = point.by_complex_step(fed, block)
            node = jacobian(point.ends[block[0]], point.start[block[1]])
            ours = np.reshape(point.run(NumpyArrays("float64"), fed, [node])[node.id], right.shape)
            if not near(ours, right):
                found = explain(point.words, block, ours, run) if point.words else ()
                why = "".join(f"; {mistake}" for mistake in found)
                return f"at entry {worst_entry(ours, right)} of {_title(point, block)} by adjoints{why}"
        return _wrong_leaf(point, fed)
    except DifferentiationError:
        return ""


def _wrong_leaf(point: StepPoint, fed: Mapping[int, Any]) -> str:
    """The first parameter, input or context with a wrong adjoint of the sum of all new states."""
    ends = list(point.ends.values())
    ones = [np.ones(end.shape) for end in ends]
    for leaf in [point.net.graph.nodes[i] for i in fed]:
        if leaf.kind != "real":
            continue
        node = vjp(ends, leaf, ones)
        ours = point.run(NumpyArrays("float64"), fed, [node])[node.id]
        right = _by_complex_step(point, fed, leaf, ends)
        if not near(ours, right):
            mistake = next((m for m, value in whole_gradient(right) if near(ours, value)), None)
            why = f"; {mistake}" if mistake else ""
            return f"at entry {worst_entry(ours, right)} of the adjoint of {leaf.name}{why}"
    return ""


def _by_complex_step(point: StepPoint, fed: Mapping[int, Any], leaf: Node, ends: list[Node]) -> Any:
    """The derivative of the sum of all new states by each entry of a leaf."""
    found = np.zeros(leaf.shape)
    for index in np.ndindex(leaf.shape):
        moved = np.array(fed[leaf.id], complex)
        moved[index] += 1j * COMPLEX_STEP
        run = point.run(ComplexArrays("complex128"), {**fed, leaf.id: moved}, ends)
        found[index] = sum(np.sum(np.imag(run[end.id])) for end in ends) / COMPLEX_STEP
    return found


def _title(point: StepPoint, block: tuple[str, str]) -> str:
    name = plain_style(point.time).name
    new, old = point.ends[block[0]], point.start[block[1]]
    return f"d {name(new, False, False)} / d {name(old, False, False)}"
