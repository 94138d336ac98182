"""What the caller of `unroll` gives in place of what it would make, checked before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .cells import Cell
from .errors import KindError, ShapeError, UnknownNameError, UsageError, expect, nearest
from .graph.node import Node
from .graph.op import tape_of
from .graph.steps import Steps
from .graph.tape import Graph
from .shapes import as_size

INITIAL = ("zeros", "learned", "fed")


class Given:
    """What the caller of `unroll` gives in place of what it would make."""

    def __init__(
        self,
        cell: Cell,
        inputs: Mapping[str, Steps],
        contexts: Mapping[str, Node],
        parameters: Mapping[str, Node],
        initial: str | Mapping[str, str | Node],
        mask: bool | Steps,
        forced: Mapping[str, Steps],
    ) -> None:
        self.cell, self.inputs, self.contexts, self.mask, self.forced = cell, inputs, contexts, mask, forced
        for what, given, kind in (
            ("inputs", inputs, Mapping),
            ("contexts", contexts, Mapping),
            ("parameters", parameters, Mapping),
            ("initial", initial, (str, Mapping)),
            ("mask", mask, (bool, Mapping)),
            ("forced", forced, Mapping),
        ):
            expect(given, kind, f"{what} of unroll: a dict is wanted", "see help(tinygraph.unroll)")
        for name, node in (*contexts.items(), *parameters.items()):
            expect(node, Node, f"{name!r} is to be a node", "values are fed: tg.evaluate(..., {name: array})")
        own = [*cell.parameters, *(f"{state}_0" for state in cell.states)]
        self.parameters = {name: node for name, node in parameters.items() if name in own}
        self.unknown = [name for name in parameters if name not in own]
        self.initial = initial if isinstance(initial, Mapping) else dict.fromkeys(cell.states, initial)

    def check(self, steps: int) -> None:
        cell = self.cell
        for what, given, known in (
            ("input", self.inputs, cell.inputs),
            ("context", self.contexts, cell.contexts),
            ("state", self.initial, cell.states),
            ("state", self.forced, cell.states),
        ):
            for name in given:
                if name not in known:
                    raise UnknownNameError(f"cell {cell.name} has no {what} {name!r}", fix=nearest(name, known))
        if self.parameters == {} and self.unknown:
            raise UnknownNameError(
                f"none of the given parameters is one of cell {cell.name}",
                fix=nearest(self.unknown[0], cell.parameters),
            )
        for name, value in self.initial.items():
            if not isinstance(value, Node) and (not isinstance(value, str) or value not in INITIAL):
                raise UsageError(
                    f"the initial state {name!r} cannot be {value!r}", fix=f"{', '.join(INITIAL)}, or a node"
                )
        series = {**self.inputs, **self.forced, **({"mask": self.mask} if isinstance(self.mask, dict) else {})}
        for name, nodes in series.items():
            if not isinstance(nodes, dict) or any(t not in nodes for t in range(1, steps + 1)):
                raise ShapeError(
                    f"the given {name!r} does not have steps 1 to {steps}", fix="give a dict from step to node"
                )
            for t in range(1, steps + 1):
                expect(nodes[t], Node, f"step {t} of {name!r} is to be a node", "values are fed, not given to unroll")
                if nodes[t].shape != nodes[1].shape:
                    where = [nodes[1].describe(), nodes[t].describe()]
                    raise ShapeError(f"the steps of {name!r} differ in shape", where, "all steps have one shape")
        for node in self.mask.values() if isinstance(self.mask, dict) else ():
            if node.kind != "boolean" or node.shape != ():
                fix = "graph.sequence('mask', steps, (), kind='boolean'), or mask=True"
                raise KindError("a mask is one boolean for each example and step", [node.describe()], fix)

    def graph(self) -> Graph | None:
        series = [n for nodes in self.inputs.values() for n in nodes.values()]
        series += [n for nodes in self.forced.values() for n in nodes.values()]
        masks = list(self.mask.values()) if isinstance(self.mask, dict) else []
        nodes = [*series, *masks, *self.contexts.values(), *self.parameters.values(), *self.initial.values()]
        nodes = [node for node in nodes if isinstance(node, Node)]
        return tape_of(nodes, "unroll") if nodes else None

    def sizes(self, given: Mapping[str, Any]) -> dict[str, int]:
        """All sizes of the cell: those given, and those that given nodes determine."""
        for name in given:
            if name not in self.cell.sizes and name not in self.cell.equal_sizes:
                fix = f"{nearest(name, self.cell.sizes)} (sizes of cell {self.cell.name})"
                raise UnknownNameError(f"cell {self.cell.name} has no size {name!r}", fix=fix)
        sizes = self.cell.own_sizes({name: as_size(size, f"size {name}") for name, size in given.items()})
        nodes = {name: nodes[1] for name, nodes in (*self.inputs.items(), *self.forced.items())} | dict(self.contexts)
        nodes |= {name: node for name, node in self.parameters.items() if name in self.cell.roles}
        nodes |= {name: node for name, node in self.initial.items() if isinstance(node, Node)}
        for name, node in nodes.items():
            self.cell.roles[name].dims.infer(node.shape, sizes, f"the given {name!r}")
        missing = [name for name in self.cell.sizes if name not in sizes]
        if missing:
            example = ", ".join(f"{name}=4" for name in missing)
            raise UsageError(f"cell {self.cell.name} needs sizes {', '.join(missing)}", fix=f"unroll(..., {example})")
        return {name: sizes[name] for name in self.cell.sizes}
