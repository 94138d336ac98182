"""The last steps of a cell at a point where everything is free: parameters, inputs, and the state that they start from.

The net has one step more before them, so that values of earlier times exist; but the state in between is
drawn like a leaf, since a Jacobian holds the old states fixed, each by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ..cells import Cell
from ..errors import DifferentiationError
from ..execute.arrays import ComplexArrays, NumpyArrays
from ..graph.node import Node
from ..graph.tape import cone
from ..shapes import size
from ..symbolic.field import Element, FieldArrays, tangent_array, without_tangents
from ..symbolic.running import leaf_values, run_tape
from ..symbolic.words import Block, NoWordsError, StepWords, act, net_of_steps, step_words
from .named_values import Named, named

Array = np.ndarray[Any, Any]
COMPLEX_STEP = 1e-20
SINCE = 1  # the steps before the old states


def sizes_of(cell: Cell, n: int) -> dict[str, int]:
    """n for every size of a state, and others that differ from it."""
    states = {name for role in cell.states.values() for name in role.dims.names}
    return {name: n if name in states else 2 + k % max(n - 2, 1) for k, name in enumerate(cell.sizes)}


class StepPoint:
    """`steps` steps of a cell for one example: nodes, matrix words where it has them, and values over any arrays.

    Raises what `unroll` raises.
    """

    def __init__(self, cell: Cell, steps: int = 1, n: int = 3, since: int = SINCE) -> None:
        self.cell, self.steps, sizes = cell, steps, sizes_of(cell, n)
        self.words: StepWords | None = None
        self.why_no_words = ""
        try:
            self.words = step_words(cell, steps, sizes=sizes, since=since)
            self.net = self.words.net
        except NoWordsError as error:
            self.why_no_words = error.what
            self.net = net_of_steps(cell, since + steps, sizes)
        self.start = {state: self.net.series[state][since] for state in cell.states}
        self.ends = {state: self.net.series[state].last for state in cell.states}
        self.nodes = list(self.net.graph.nodes)

    @property
    def time(self) -> int:
        """The step t of the new states."""
        return self.net.steps

    @property
    def kinked(self) -> bool:
        """Whether the step has comparisons, so that formulas that differ can agree at one point."""
        return any(node.op.domain.kinks or node.kind == "boolean" for node in self.nodes)

    @property
    def blocks(self) -> list[Block]:
        """All (new state, old state)."""
        return [(new, old) for new in self.cell.states for old in self.cell.states]

    def shape(self, block: Block) -> tuple[int, int]:
        """Rows and columns of a block."""
        return size(self.ends[block[0]].shape), size(self.start[block[1]].shape)

    @cached_property
    def names(self) -> dict[str, Node | dict[int, Node]]:
        """The nodes of the equations by name, those of time steps by step."""
        net = self.net
        return {**net.parameters, **net.contexts, **{name: dict(steps) for name, steps in net.series.items()}}

    def named(self, value: Callable[[Node], Any]) -> Named:
        """`value` of each node, by its name in the equations."""
        return named(self.names, value)

    # Values
    def draw(self, real: Callable[[Node], Any], rng: np.random.Generator) -> dict[int, Any]:
        """A value for each leaf and each old state, by node id."""
        return {**leaf_values(self.nodes, real, rng), **{node.id: real(node) for node in self.start.values()}}

    def numbers(self, seed: int) -> dict[int, Any]:
        """Numbers of two decimals, so that they can be read."""
        rng = np.random.default_rng(seed)
        return self.draw(lambda node: rng.uniform(-1.5, 1.5, node.shape).round(2), rng)

    def run(self, xp: NumpyArrays, fed: Mapping[int, Any], roots: list[Node] | None = None) -> dict[int, Any]:
        """The values of all nodes of the equations, or of what `roots` depend on."""
        return run_tape(xp, self.nodes if roots is None else roots, fed)

    # The right Jacobian, by forward derivatives that know neither words nor VJPs
    def exact(self, xp: FieldArrays, fed: Mapping[int, Any], block: Block) -> Array:
        """A block in the finite field."""
        new, old = self.ends[block[0]], self.start[block[1]]
        constant = {i: without_tangents(v) if v.dtype == object else v for i, v in fed.items()}
        columns = []
        for j in range(size(old.shape)):
            unit = [Element(e.value, int(i == j), e.degree, 1) for i, e in enumerate(np.ravel(constant[old.id]))]
            moved = np.array(unit, dtype=object).reshape(old.shape)
            columns.append(tangent_array(np.ravel(self.run(xp, {**constant, old.id: moved}, [new])[new.id])))
        return np.stack(columns, axis=1)

    def floats(self, fed: Mapping[int, Any], block: Block) -> Array:
        """A block in floats: by the complex step, or by matrix words where a function has none."""
        try:
            return self.by_complex_step(fed, block)
        except DifferentiationError:
            if self.words is None:
                raise
            rows, columns = self.shape(block)
            xp = NumpyArrays("float64")
            return np.asarray(act(self.words.compact[block], self.run(xp, fed), xp, np.eye(columns), rows))

    def by_complex_step(self, fed: Mapping[int, Any], block: Block) -> Array:
        """A block in floats, by no rule. Raises `DifferentiationError` where an operation is not analytic."""
        new, old = self.ends[block[0]], self.start[block[1]]
        for node in cone([new]):
            if not node.op.leaf and not node.op.domain.analytic:
                raise DifferentiationError(f"{node.op.name} has no complex step: {node.op.domain.why_not}")
        columns = []
        for j in range(size(old.shape)):
            step = 1j * COMPLEX_STEP * (np.arange(size(old.shape)) == j).reshape(old.shape)
            found = self.run(ComplexArrays("complex128"), {**fed, old.id: fed[old.id] + step}, [new])[new.id]
            columns.append(np.ravel(np.imag(found)) / COMPLEX_STEP)
        return np.stack(columns, axis=1)
