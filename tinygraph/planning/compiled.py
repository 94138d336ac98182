"""`plan`: a graph compiled once and run many times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..collection import no_garbage_collection
from ..errors import TinygraphError, UsageError, nearest
from ..execute.feeds import match
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.op import tape_of
from ..graph.tape import cone
from ..nest import leaves, map_nest
from .batches import schedule
from .classes import classes_of, take_out_early
from .explanation import Explanation, explain
from .joining import join_products
from .normal_form import NormalForm
from .program import Program, Target

DTYPES = ("float32", "float64")


class Plan:
    """A compiled graph: `plan(feeds)` gives the values of the outputs, in their structure.

    Made for a batch size when it first meets one, and kept. Values are arrays of their own. A plan belongs to
    one thread at a time; separate plans are independent.
    """

    @no_garbage_collection()
    def __init__(self, outputs: Any, dtype: str) -> None:
        self.outputs, self.dtype = outputs, dtype
        roots = leaves(outputs)
        self.nodes = cone(roots)
        self.graph = roots[0].graph
        single = list(dict.fromkeys(roots))
        form = NormalForm(self.nodes, single)
        classes, place = take_out_early(classes_of(form.items))
        kept = {root: place[form.place[root.id]] for root in single}
        self.classes, place = join_products(classes, kept.values())
        self.places = {root: place[number] for root, number in kept.items()}
        self.batches = schedule(self.classes)
        self.programs: dict[int | None, Program] = {}
        self._needed = [node for node in self.nodes if node.op.name in ("input", "parameter")]
        self._form: list[tuple[Any, ...]] | None = None  # of the feeds that were matched last
        self._targets: list[Target] = []
        self._batch: int | None = None
        self._names = frozenset(node.attrs["name"] for node in self._needed)

    def __call__(self, feeds: Mapping[Any, Any]) -> Any:
        """The values. Raises `FeedError`, `UnknownNameError`, `ValueRangeError`, as `tg.evaluate` does."""
        fed, batch = self._match(feeds)
        if batch == 0:
            return evaluate(self.outputs, feeds, dtype=self.dtype)  # there is nothing to be fast about
        program = self.program(batch)
        try:
            program(fed)
        except TinygraphError:
            evaluate(self.outputs, feeds, dtype=self.dtype)  # which names the node and its time step
            raise
        return map_nest(program.value, self.outputs)

    def _match(self, feeds: Mapping[Any, Any]) -> tuple[Iterable[tuple[Target, Any]], int | None]:
        """Checked feeds and the size of the batch; feeds just like the last ones are right again."""
        form = _form(feeds)
        if form is not None and form == self._form:
            return zip(self._targets, feeds.values(), strict=True), self._batch
        complete = isinstance(feeds, Mapping) and self._names <= feeds.keys()  # without a look at each step
        fed, batch = match(self.graph, feeds, () if complete else self._needed)
        self._form, self._targets, self._batch = form, [one.target for one in fed], batch
        return fed, batch

    def program(self, batch: int | None) -> Program:
        """The program for a batch size, None for feeds without a batch axis."""
        if batch not in self.programs:
            with no_garbage_collection():
                self.programs[batch] = Program(self.classes, self.batches, self.places, batch, self.dtype)
        return self.programs[batch]

    def explain(self, batch: int | None = None) -> Explanation:
        """What the plan does for a batch size (None: feeds without a batch axis, or the only size met so far)."""
        if batch is None and None not in self.programs and len(self.programs) == 1:
            (batch,) = self.programs
        return explain(leaves(self.outputs), self.classes, self.batches, self.program(batch))


def _form(feeds: Any) -> list[tuple[Any, ...]] | None:
    """All that `match` looks at, if it does not depend on the numbers."""
    if not isinstance(feeds, Mapping):
        return None
    form = [
        (key, value.shape, value.dtype)
        for key, value in feeds.items()
        if type(value) is np.ndarray and value.dtype.kind in "fib"
    ]
    return form if len(form) == len(feeds) else None


def plan(outputs: Any, *, dtype: str = "float32") -> Plan:
    """Compile `outputs`, a node or any nesting of lists and dicts of nodes, into a fast program.

    Its values are those of `tg.evaluate` but for rounding: sums are taken in another order, and a sigmoid is
    computed from tanh. `dtype` is "float32" or "float64". Raises `UsageError`, `GraphError`.
    """
    roots = leaves(outputs)
    if not roots or not all(isinstance(root, Node) for root in roots):
        raise UsageError("a plan is made of nodes", fix="tg.plan([loss, gradients])")
    tape_of(roots, "plan")
    if dtype not in DTYPES:
        raise UsageError(f"no plan in dtype {dtype!r}", fix=nearest(dtype, DTYPES))
    return Plan(outputs, dtype)
