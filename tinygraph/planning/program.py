"""A program: the calls of a plan for one batch size and dtype, with the buffers that they work in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..execute.arrays import NumpyArrays
from ..graph.node import Node
from ..graph.steps import Steps
from .batches import Batch
from .classes import Classes
from .emission import Array, Call, Emitter
from .repeats import emit_all
from .storage import Storage, store

Target = Node | Steps


class Program:
    """Run with `program(fed)`, pairs of a target and its data; `batch` is None where the feeds have no batch axis."""

    def __init__(
        self, classes: Classes, batches: Sequence[Batch], places: Mapping[Node, int], batch: int | None, dtype: str
    ) -> None:
        self.classes, self.batch, self.dtype = classes, batch, dtype
        storage = store(classes, batches, batch or 1, set(places.values()))
        self.arena = storage.arrange(dtype)
        room, self.buffers = self.arena.allocate(storage.sizes, storage.dtypes(dtype))
        self.emitter = Emitter(classes.items, storage, room, self.buffers, NumpyArrays(dtype, batch or 1), batch or 1)
        emit_all(self.emitter, classes, batches, self._constants(storage))
        leaves = {"input", "parameter"}
        self._numbers = {item.node.id: n for n, item in enumerate(classes.items) if item.leaf and item.op in leaves}
        self._feeds: dict[int, Callable[[Array], None]] = {}  # by the identity of the target
        self._targets: list[Target] = []  # kept alive, so that no other has their identity
        self._results = {node.id: self._result(node, place) for node, place in places.items()}
        self._steps = [(call.function, call.args) for call in self.calls]

    @property
    def calls(self) -> list[Call]:
        return self.emitter.calls

    def __call__(self, fed: Iterable[tuple[Target, Any]]) -> None:
        with np.errstate(all="ignore"):
            for target, data in fed:
                (self._feeds.get(id(target)) or self._feed(target))(data)
            for function, args in self._steps:
                function(*args)

    def value(self, root: Node) -> Array:
        """What the last run found for a root, as an array of its own."""
        return self._results[root.id].copy()

    def _value(self, number: int) -> Array:
        """One item as (batch, *shape), or with a batch axis of 1."""
        value: Array = self.emitter.view([[number]]).array(self.buffers)[0, 0]
        return value

    def _result(self, node: Node, number: int) -> Array:
        """With a batch axis just where the interpreter's value has one."""
        value = self._value(number)
        return value if node.batched and self.batch is not None else value[0, ...]

    def _constants(self, storage: Storage) -> dict[int, list[Call]]:
        """Fill in the constants; those whose room is shared are filled in by each run, before these batches."""
        again: dict[int, list[Call]] = {}
        for number, item in enumerate(self.classes.items):
            if item.leaf and item.op == "constant":
                target, value = self._value(number), np.asarray(item.node.op.run(self.emitter.xp, item.node))
                target[...] = value
                buffer = storage.places[number].buffer
                if buffer in self.arena.shared:
                    before = max(0, storage.lifetimes[buffer].born)  # beside what is fed it is there from the start
                    again.setdefault(before, []).append(Call(np.copyto, (target, value), [[number]]))
        return again

    def _feed(self, target: Target) -> Callable[[Array], None]:
        """What is done with the data for a leaf, or for a sequence: it is copied to its places."""
        feed = self._leaf(target) if isinstance(target, Node) else self._sequence(list(target.values()))
        self._feeds[id(target)] = feed
        self._targets.append(target)
        return feed

    def _leaf(self, node: Node) -> Callable[[Array], None]:
        number = self._numbers.get(node.id)
        if number is None:  # nothing reads it
            return lambda data: None
        if number in self.emitter.storage.fed:
            return self.emitter.fed_matrix(number).set
        return partial(_fill, self._value(number), 0)

    def _sequence(self, nodes: Sequence[Node]) -> Callable[[Array], None]:
        """One copy, if all of it is used and stands in steady places."""
        numbers = [self._numbers[node.id] for node in nodes if node.id in self._numbers]
        if len(numbers) == len(nodes) and self.emitter.steady([numbers]):
            return partial(_fill, self.emitter.view([numbers]).array(self.buffers)[0], 1)
        steps = [self._leaf(node) for node in nodes]

        def feed(data: Array) -> None:
            for step, one in zip(steps, data, strict=True):
                step(one)

        return feed


def _fill(target: Array, axis: int, data: Array) -> None:
    """Data may lack the batch axis, which stands at `axis`, 0 or 1."""
    target[...] = data[:, None] if axis and data.ndim < target.ndim else data
