"""What a plan does: its kernels in order, its memory map, and what each stage of planning made of the graph."""

from __future__ import annotations

import html
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..collection import no_garbage_collection
from ..errors import UsageError
from ..files import write_atomically
from ..graph.node import Node
from ..graph.tape import cone
from ..rolling.condensation import levels
from ..tables import html_table, one_line, text_table
from .batches import Batch
from .classes import Classes, classes_of, take_out_early
from .emission import Call
from .items import Item
from .joining import join_products
from .normal_form import NormalForm
from .program import Program
from .sides import lay_out, lay_out_fed
from .waiting import Chains, chains

STAGES = ("stage", "count", "longest path")
KERNELS = ("kernel", "calls", "critical", "computes", "nodes", "result", "Mflop", "MB", "where")
ROOMS = ("buffer", "offset", "bytes", "shared", "from call", "to call", "holds")
WIDE = 40  # characters of names in a line of text


@dataclass(frozen=True)
class Kernel:
    """Equal calls, in the order of the first one.

    function    what is called
    calls       how often in one run
    critical    how many of the calls lie on a longest chain of calls that wait for each other
    computes    the names of values, without time steps
    nodes       how many values of the graph, in all calls
    shape       the shape of the result of one call
    flops       additions and multiplications, in all calls; a tanh or an exponential counts as one
    bytes       read and written, in all calls
    recurrence  the number of the recurrence (0, 1, ...) whose steps wait for each other; None outside of all
    """

    function: str
    calls: int
    critical: int
    computes: str
    nodes: int
    shape: tuple[int, ...]
    flops: int
    bytes: int
    recurrence: int | None


@dataclass(frozen=True)
class Room:
    """A buffer: where it begins and how large it is, in bytes, and what stands in it.

    shared  whether others stand in some of its bytes at other times
    first   the call that writes it first, counted from 1; 0 for what is fed, or there before
    last    the call that reads it last; results are kept up to the last call of all
    holds   the names of values, each with their number
    """

    offset: int
    bytes: int
    shared: bool
    first: int
    last: int
    holds: str


@dataclass(frozen=True)
class Stage:
    """What one stage of planning left: how many things, and the longest path through them."""

    name: str
    count: int
    path: int


@dataclass(frozen=True)
class Explanation:
    """The kernels of a program, its memory map, and the stages of planning.

    `bytes` are those of all buffers, where they share room, and `aside` those of room besides: for stacked matrices,
    and for values that the next call consumes.
    """

    batch: int | None
    dtype: str
    kernels: tuple[Kernel, ...]
    rooms: tuple[Room, ...]
    stages: tuple[Stage, ...]
    bytes: int
    aside: int

    @property
    def memory(self) -> tuple[int, ...]:
        """The bytes of each buffer."""
        return tuple(room.bytes for room in self.rooms)

    def to_json(self) -> str:
        """The explanation as JSON text."""
        return json.dumps(asdict(self), indent=2)

    def to_html(self) -> str:
        """The explanation as a page of its own, which needs no other file."""
        style = "<style>body{font-family:sans-serif}td,th{padding:0 1em 0 0;text-align:left}</style>"
        return f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>plan</title>{style}</head>' + (
            f"<body>{self._repr_html_()}</body></html>\n"
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as `.html`, `.json` or `.txt`; the path. Raises `UsageError` for another suffix, `OSError`."""
        forms = {".html": self.to_html, ".json": self.to_json, ".txt": self.__str__}
        suffix = Path(path).suffix.lower()
        if suffix not in forms:
            fix = f"a name that ends in {', '.join(forms)}"
            raise UsageError(f"cannot save an explanation as {os.fspath(path)!r:.200}", fix=fix)
        return write_atomically(path, forms[suffix]().encode())

    def __str__(self) -> str:
        blocks = [
            [self._head()],
            text_table([STAGES, *self._stages()], (1, 2)),
            text_table([KERNELS, *(_cells(kernel, WIDE) for kernel in self.kernels)], (1, 2, 4, 6, 7)),
            text_table([ROOMS, *self._rooms(WIDE)], (0, 1, 2, 4, 5)),
        ]
        return "\n\n".join("\n".join(block) for block in blocks)

    def _repr_html_(self) -> str:
        tables = [
            html_table(self._stages(), STAGES),
            html_table([_cells(kernel) for kernel in self.kernels], KERNELS),
            html_table(self._rooms(), ROOMS),
        ]
        return f"<div><p>{html.escape(self._head())}</p>{''.join(tables)}</div>"

    def _head(self) -> str:
        calls, flops = sum(k.calls for k in self.kernels), sum(k.flops for k in self.kernels)
        where = "no batch" if self.batch is None else f"batch of {self.batch}"
        return (
            f"{calls} calls, {flops / 1e6:.4g} Mflop, {self.bytes / 1e6:.4g} MB in {len(self.rooms)} buffers "
            f"and {self.aside / 1e6:.4g} MB aside ({self.dtype}, {where})"
        )

    def _stages(self) -> list[tuple[str, ...]]:
        return [(stage.name, str(stage.count), str(stage.path)) for stage in self.stages]

    def _rooms(self, wide: int | None = None) -> list[tuple[str, ...]]:
        return [
            (
                *map(str, (k, room.offset, room.bytes)),
                "shared" * room.shared,
                *map(str, (room.first, room.last)),
                room.holds[:wide],
            )
            for k, room in enumerate(self.rooms)
        ]


@no_garbage_collection()
def explain(roots: Sequence[Node], classes: Classes, batches: Sequence[Batch], program: Program) -> Explanation:
    """Of a program for one batch size, made from `roots`. The stages of planning are gone through again."""
    waiting = chains(classes.items, program.calls)
    kernels, rooms = _kernels(classes, program, waiting), _rooms(classes, batches, program)
    stages = (
        *_stages(roots),
        Stage("batches", len(batches), _path_of_batches(classes.items, batches)),
        Stage("calls", len(program.calls), waiting.length),
    )
    aside = _bytes_aside(program)
    return Explanation(program.batch, program.dtype, kernels, rooms, stages, program.arena.size, aside)


def _kernels(classes: Classes, program: Program, waiting: Chains) -> tuple[Kernel, ...]:
    number = {n: k for k, n in enumerate(n for n in range(len(classes.parts)) if classes.cyclic[n])}
    merged: dict[tuple[Any, ...], list[int]] = {}
    for at, call in enumerate(program.calls):
        key = (_function(call), tuple(classes.of[row[0]] for row in call.items), _shape(call))
        merged.setdefault(key, []).append(at)
    return tuple(_kernel(classes, program.calls, places, number, waiting) for places in merged.values())


def _kernel(
    classes: Classes, calls: Sequence[Call], places: Sequence[int], number: dict[int, int], waiting: Chains
) -> Kernel:
    own = [calls[at] for at in places]
    rows = own[0].items
    return Kernel(
        function=_function(own[0]),
        calls=len(own),
        critical=sum(waiting.critical[at] for at in places),
        computes=", ".join(dict.fromkeys(_name(classes.items[row[-1]]) for row in rows)),
        nodes=len({i for call in own for row in call.items for i in row}),
        shape=_shape(own[0]),
        flops=sum(_flops(call) for call in own),
        bytes=sum(array.nbytes for call in own for array in _arrays(call)),
        recurrence=number.get(classes.part_of[classes.of[rows[0][0]]]) if rows else None,
    )


def _rooms(classes: Classes, batches: Sequence[Batch], program: Program) -> tuple[Room, ...]:
    """The memory map, buffer by buffer."""
    storage, arena = program.emitter.storage, program.arena
    names: list[Counter[str]] = [Counter() for _ in program.buffers]
    for number, (item, place) in enumerate(zip(classes.items, storage.places, strict=True)):
        if number not in storage.fed:
            names[place.buffer][_name(item)] += 1
    for side, number in storage.copies.items():
        names[number].update(f"copy of {_name(classes.items[matrix])}" for matrix, *_ in side.matrices)
    first, last = _calls_of_batches(batches, program.calls)
    return tuple(
        Room(
            arena.offsets[k],
            buffer.nbytes,
            k in arena.shared,
            first.get(storage.lifetimes[k].born, 0),
            last.get(storage.lifetimes[k].dies, len(program.calls)),
            ", ".join(name if count == 1 else f"{name} x {count}" for name, count in names[k].items()),
        )
        for k, buffer in enumerate(program.buffers)
    )


def _calls_of_batches(batches: Sequence[Batch], calls: Sequence[Call]) -> tuple[dict[int, int], dict[int, int]]:
    """The first and the last call for each batch, counted from 1; constants are filled in for the next batch."""
    batch_of = {i: number for number, batch in enumerate(batches) for row in batch.rows for i in row}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    begun: int | None = None
    for at, call in enumerate(calls, start=1):
        begun = begun or at
        number = batch_of.get(call.items[0][0])  # all of one batch
        if number is not None:
            first.setdefault(number, begun)
            last[number], begun = at, None
    return first, last


def _bytes_aside(program: Program) -> int:
    """Of arrays that calls work in besides the buffers."""
    home = {id(_base(buffer)) for buffer in program.buffers}
    found = {id(base): base for call in program.calls for array in _arrays(call) for base in [_base(array)]}
    return sum(base.nbytes for key, base in found.items() if key not in home)


def _base(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array that owns the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _stages(roots: Sequence[Node]) -> Iterator[Stage]:
    """From the tape to the rolled net."""
    roots = list(dict.fromkeys(roots))
    nodes = cone(roots)
    yield Stage("tape", len(nodes), _longest({n.id: [a.id for a in n.args] for n in nodes}))
    form = NormalForm(nodes, roots)
    yield Stage("normal form", len(form.items), _longest_of(form.items))
    places = [form.place[root.id] for root in roots]
    classes, moved = take_out_early(classes_of(form.items))
    yield Stage("early and late apart", len(classes.items), _longest_of(classes.items))
    classes, _ = join_products(classes, [moved[place] for place in places])
    yield Stage("products joined", len(classes.items), _longest_of(classes.items))
    deepest = max(levels(classes.parts, classes.sources), default=-1)
    yield Stage("classes (the rolled net)", len(classes.members), 1 + deepest)


PRODUCTS = ("matmul", "dot", "sgemm", "sgemv", "dgemm", "dgemv")


def _function(call: Call) -> str:
    name: str = getattr(call.function, "__name__", "").removeprefix("function ")  # BLAS's own have it
    if name == "reduce":
        return f"{call.function.__self__.__name__}.reduce"  # type: ignore[attr-defined]  # of a ufunc
    return name or str(getattr(call.function, "name", type(call.function).__name__))


def _name(item: Item) -> str:
    return one_line(item.label or item.node.label or item.node.op.name)


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
    if _function(call) in PRODUCTS:
        return 2 * int(arrays[-1].size) * int(arrays[0].shape[-1])
    return 0 if call.function in (np.copyto, lay_out, lay_out_fed) else max(int(array.size) for array in arrays)


def _longest_of(items: Sequence[Item]) -> int:
    return _longest(dict(enumerate(item.args for item in items)))


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


def _cells(kernel: Kernel, wide: int | None = None) -> tuple[str, ...]:
    where = "at once" if kernel.recurrence is None else f"recurrence {kernel.recurrence + 1}"
    shape = " x ".join(map(str, kernel.shape)) or "1"
    size = (f"{kernel.flops / 1e6:.3g}", f"{kernel.bytes / 1e6:.3g}")
    counts = str(kernel.calls), str(kernel.critical)
    return kernel.function, *counts, kernel.computes[:wide], str(kernel.nodes), shape, *size, where
