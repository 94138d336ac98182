"""A program: the calls of a plan for one batch size and dtype, with the buffers that they work in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..execute.arrays import NumpyArrays
from ..execute.feeds import Fed
from ..graph.node import Node
from .batches import Batch
from .classes import Classes
from .emission import Array, Call, Emitter
from .repeats import emit_all
from .storage import Storage, store


class Program:
    """Run with `program(feeds)`; `batch` is None where the feeds have no batch axis."""

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
        fed = storage.fed
        self._leaves = {node: self._value(number) for node, number in self._numbers.items() if number not in fed}
        self._matrices = {node: self.emitter.fed_matrix(k) for node, k in self._numbers.items() if k in fed}
        self._sequences: dict[str, Array | None] = {}
        self._results = {node.id: self._result(node, place) for node, place in places.items()}
        self._steps = [(call.function, call.args) for call in self.calls]

    @property
    def calls(self) -> list[Call]:
        return self.emitter.calls

    def __call__(self, fed: Sequence[Fed]) -> dict[int, Any]:
        """The values of the roots by node id, as arrays of their own."""
        with np.errstate(all="ignore"):
            for one in fed:
                self._load(one)
            for function, args in self._steps:
                function(*args)
        return {node: view.copy() for node, view in self._results.items()}

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

    def _load(self, fed: Fed) -> None:
        """Copy a feed to its places; one of a sequence that stands in steady places is one copy."""
        if isinstance(fed.target, Node):
            if fed.target.id in self._matrices:
                self._matrices[fed.target.id].data = fed.data
            elif fed.target.id in self._leaves:
                _fill(self._leaves[fed.target.id], fed.data, 0)
            return
        if fed.name not in self._sequences:
            self._sequences[fed.name] = self._whole(list(fed.target.values()))
        whole = self._sequences[fed.name]
        if whole is not None:
            _fill(whole, fed.data, 1)
            return
        for node, data in zip(fed.target.values(), fed.data, strict=True):
            if node.id in self._leaves:
                _fill(self._leaves[node.id], data, 0)

    def _whole(self, nodes: Sequence[Node]) -> Array | None:
        """A sequence as one array (time, batch, *shape), if all of it is used and stands in steady places."""
        numbers = [self._numbers[node.id] for node in nodes if node.id in self._numbers]
        if len(numbers) < len(nodes) or not self.emitter.steady([numbers]):
            return None
        whole: Array = self.emitter.view([numbers]).array(self.buffers)[0]
        return whole


def _fill(target: Array, data: Array, axis: int) -> None:
    """Data may lack the batch axis, which stands at `axis`, 0 or 1."""
    target[...] = data[:, None] if axis and data.ndim < target.ndim else data
