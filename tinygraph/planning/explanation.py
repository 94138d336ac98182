"""What a plan does, as a table: its kernels in order, what they compute, and what each stage made of the graph."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..graph.node import Node
from ..tables import html_table, text_table
from .batches import Batch
from .classes import Classes
from .emission import Call
from .items import Item
from .program import Program

HEAD = ("kernel", "calls", "computes", "nodes", "result", "Mflop", "MB", "where")


@dataclass(frozen=True)
class Kernel:
    """Equal calls, in the order of the first one.

    function    what is called
    calls       how often in one run
    computes    the names of values, without time steps
    nodes       how many values of the graph, in all calls
    shape       the shape of the result of one call
    flops       additions and multiplications, in all calls; a tanh or an exponential counts as one
    bytes       read and written, in all calls
    recurrence  the number of the recurrence (0, 1, ...) whose steps wait for each other; None outside of all
    """

    function: str
    calls: int
    computes: str
    nodes: int
    shape: tuple[int, ...]
    flops: int
    bytes: int
    recurrence: int | None


@dataclass(frozen=True)
class Stage:
    """What one stage of planning left: how many things, and the longest path through them."""

    name: str
    count: int
    path: int


@dataclass(frozen=True)
class Explanation:
    """The kernels of a program, the stages of planning, and the memory of its buffers in bytes."""

    batch: int | None
    dtype: str
    kernels: tuple[Kernel, ...]
    stages: tuple[Stage, ...]
    memory: tuple[int, ...]

    def to_json(self) -> str:
        """The explanation as JSON text."""
        return json.dumps(asdict(self), indent=2)

    def __str__(self) -> str:
        blocks = [[self._head()], self._stages(), text_table([HEAD, *map(_cells, self.kernels)], (1, 3, 5, 6))]
        return "\n\n".join("\n".join(block) for block in blocks)

    def _repr_html_(self) -> str:
        stages = "<br>".join(html.escape(line) for line in self._stages())
        table = html_table([_cells(kernel) for kernel in self.kernels], HEAD)
        return f"<div><p>{html.escape(self._head())}</p><p>{stages}</p>{table}</div>"

    def _head(self) -> str:
        calls, flops = sum(k.calls for k in self.kernels), sum(k.flops for k in self.kernels)
        where = "no batch" if self.batch is None else f"batch of {self.batch}"
        return (
            f"{calls} calls, {flops / 1e6:.4g} Mflop, {sum(self.memory) / 1e6:.4g} MB in {len(self.memory)} buffers "
            f"({self.dtype}, {where})"
        )

    def _stages(self) -> list[str]:
        rows = [("stage", "count", "longest path"), *((s.name, str(s.count), str(s.path)) for s in self.stages)]
        return text_table(rows, (1, 2))


def explain(nodes: Sequence[Node], classes: Classes, batches: Sequence[Batch], program: Program) -> Explanation:
    """Of a program for one batch size, made from `nodes`."""
    number = {n: k for k, n in enumerate(n for n in range(len(classes.parts)) if classes.cyclic[n])}
    merged: dict[tuple[Any, ...], list[Call]] = {}
    for call in program.calls:
        key = (_function(call), tuple(classes.of[row[0]] for row in call.items), _shape(call))
        merged.setdefault(key, []).append(call)
    kernels = tuple(_kernel(classes, calls, number) for calls in merged.values())
    stages = (
        Stage("nodes", len(nodes), _longest({n.id: [a.id for a in n.args] for n in nodes})),
        Stage("items in normal form", len(classes.items), _longest(dict(enumerate(i.args for i in classes.items)))),
        Stage("classes (the rolled net)", len(classes.members), len(classes.parts)),
        Stage("batches", len(batches), _path_of_batches(classes.items, batches)),
    )
    memory = tuple(buffer.nbytes for buffer in program.buffers)
    return Explanation(program.batch, program.dtype, kernels, stages, memory)


def _kernel(classes: Classes, calls: Sequence[Call], number: dict[int, int]) -> Kernel:
    rows = calls[0].items
    part = classes.part_of[classes.of[rows[0][0]]]
    return Kernel(
        function=_function(calls[0]),
        calls=len(calls),
        computes=", ".join(dict.fromkeys(_name(classes.items[row[-1]]) for row in rows)),
        nodes=sum(len(row) for call in calls for row in call.items),
        shape=_shape(calls[0]),
        flops=sum(_flops(call) for call in calls),
        bytes=sum(array.nbytes for call in calls for array in _arrays(call)),
        recurrence=number.get(part),
    )


def _function(call: Call) -> str:
    name: str = getattr(call.function, "__name__", "")
    if name == "reduce":
        return f"{call.function.__self__.__name__}.reduce"  # type: ignore[attr-defined]  # of a ufunc
    return name or str(getattr(call.function, "name", type(call.function).__name__))


def _name(item: Item) -> str:
    return item.label or item.node.label or item.node.op.name


def _arrays(call: Call) -> Iterator[np.ndarray[Any, Any]]:
    for arg in call.args:
        for one in arg if isinstance(arg, (list, tuple)) else (arg,):
            if isinstance(one, np.ndarray):
                yield one


def _shape(call: Call) -> tuple[int, ...]:
    arrays = list(_arrays(call))
    shape: tuple[int, ...] = arrays[0 if call.function is np.copyto else -1].shape
    return shape


def _flops(call: Call) -> int:
    arrays = list(_arrays(call))
    if call.function in (np.matmul, np.dot):
        return 2 * int(arrays[-1].size) * int(arrays[0].shape[-1])
    return 0 if call.function is np.copyto else max(int(array.size) for array in arrays)


def _longest(reads: dict[int, Any]) -> int:
    """Nodes on the longest path; operands come before their users."""
    length: dict[int, int] = {}
    for i, args in reads.items():
        length[i] = 1 + max([length[arg] for arg in args], default=0)
    return max(length.values(), default=0)


def _path_of_batches(items: Sequence[Item], batches: Sequence[Batch]) -> int:
    of = {i: number for number, batch in enumerate(batches) for row in batch.rows for i in row}
    reads: dict[int, Any] = {}
    for number, batch in enumerate(batches):
        reads[number] = {of[arg] for row in batch.rows for i in row for arg in items[i].args if arg in of}
    return _longest(reads)


def _cells(kernel: Kernel) -> tuple[str, ...]:
    where = "at once" if kernel.recurrence is None else f"recurrence {kernel.recurrence + 1}"
    shape = " x ".join(map(str, kernel.shape)) or "1"
    size = (f"{kernel.flops / 1e6:.3g}", f"{kernel.bytes / 1e6:.3g}")
    return kernel.function, str(kernel.calls), f"{kernel.computes:.40}", str(kernel.nodes), shape, *size, where
