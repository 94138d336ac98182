"""Learning by any loss: parameters that change a batch at a time.

    learner = models.Learner(net.initial(seed=0), rate=0.003)
    for feeds in batches:
        loss = learner.update(net.loss, feeds)
    losses = learner.fit(net.loss, feeds, updates=1000, batch=32)  # or: batches drawn from all examples
    answers = learner.run(net.outputs, feeds)

`training.Run` is the loop for streams of text, with carried state and checkpoints; this is the one for everything
that comes in examples. Nets of several lengths can share a learner: each loss is on a tape of its own, and finds
its parameters by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tinygraph.differentiate import grad
from tinygraph.errors import TinygraphError, UnknownNameError, UsageError, expect, nearest
from tinygraph.graph import Node, Steps
from tinygraph.graph.tape import cone
from tinygraph.nest import leaves, map_nest
from tinygraph.shapes import as_size

from .clip import CLIPPING
from .engines import Engine, check_engine, runner
from .optimise import Values, make_optimiser
from .schedules import check_schedule


class Learner:
    """Values of parameters with what changes them: an optimiser, a schedule of its rate, and clipping.

    `values` are arrays by name, copied in float64; those named in `frozen` stay. `updates` is the whole number
    of updates that a schedule other than "constant" refers to. `engine` and `precision` are those of `Settings`.

    Raises `UnknownNameError`, `UsageError`.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        optimiser: str = "adam",
        rate: float | None = None,
        schedule: str = "constant",
        updates: int | None = None,
        clip: str = "global",
        threshold: float = 1.0,
        frozen: Collection[str] = (),
        engine: str = "plan",
        precision: str = "float32",
    ) -> None:
        expect(values, Mapping, "parameters are given by name", "net.initial(seed=0)")
        check_engine(engine, precision)
        if clip not in CLIPPING:
            raise UnknownNameError(f"no clipping {clip!r:.60}", fix=nearest(clip, CLIPPING))
        if updates is None and schedule != "constant":
            raise UsageError(f"schedule {schedule!r:.60} refers to a number of updates", fix="updates=1000")
        for name in frozen:
            if name not in values:
                raise UnknownNameError(f"no parameter {name!r:.60} to freeze", fix=nearest(name, values))
        self.values: Values = {name: np.array(value, float) for name, value in values.items()}
        self.optimiser = make_optimiser(optimiser, rate)
        self.schedule, self.updates = check_schedule(schedule), updates
        self.clip, self.threshold = CLIPPING[clip], threshold
        self.frozen = frozenset(frozen)
        self._engine, self._precision = engine, precision
        self._runners: dict[tuple[Node, ...], Engine] = {}
        self._steps: dict[Node, Engine] = {}

    def update(self, loss: Node, feeds: Mapping[Any, Any]) -> float:
        """Change the parameters that `loss` depends on by one step against its gradient. The loss before it.

        Raises what a plan raises, and `TinygraphError` for a loss that is not finite.
        """
        if loss not in self._steps:
            self._steps[loss] = runner([loss, grad(loss, self._learned(loss))], self._engine, self._precision)
        value, gradients = self._steps[loss]({**self._known(loss), **feeds})
        if not np.isfinite(value):
            number = self.optimiser.updates + 1
            raise TinygraphError(f"the loss is {value} at update {number}", fix="a lower rate, or tighter clipping")
        done = min(1.0, self.optimiser.updates / self.updates) if self.updates else 0.0
        self.optimiser.update(self.values, self.clip(gradients, self.threshold), self.schedule(done))
        return float(value)

    def fit(self, loss: Node, feeds: Mapping[str, Any], *, updates: int, batch: int, seed: int = 0) -> list[float]:
        """Make so many updates, each on `batch` examples drawn at random from the feeds; the losses.

        Feeds are by name: those of sequences (time, examples, ...), others (examples, ...).
        Raises `UsageError` for different numbers of examples, `ShapeError` for a batch size or a number of updates that
        is none, and what `update` raises.
        """
        expect(loss, Node, "a loss is a node", "learner.fit(net.loss, feeds, updates=1000, batch=32)")
        arrays = {name: np.asarray(array) for name, array in feeds.items()}
        axes = {name: int(isinstance(loss.graph.inputs.get(name), Steps)) for name in arrays}
        counts = {name: array.shape[axes[name]] if array.ndim > axes[name] else 0 for name, array in arrays.items()}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            told = ", ".join(f"{count} in {name!r:.60}" for name, count in counts.items()) or "no feeds"
            raise UsageError(f"feeds have equally many examples, at least one: {told}", fix="x has (time, examples, I)")
        rng, count = np.random.default_rng(seed), next(iter(counts.values()))
        size, losses = as_size(batch, "batch size"), []
        for _ in range(as_size(updates, "number of updates")):
            chosen = rng.integers(0, count, size)
            losses.append(self.update(loss, {name: array.take(chosen, axes[name]) for name, array in arrays.items()}))
        return losses

    def run(self, outputs: Any, feeds: Mapping[Any, Any]) -> Any:
        """The values of `outputs`, a node or any nesting of lists and dicts, by the parameters as they are now."""
        roots = tuple(leaves(outputs))
        if not roots or not all(isinstance(root, Node) for root in roots):
            raise UsageError("what is run is made of nodes", fix="learner.run(net.outputs, feeds)")
        if roots not in self._runners:
            self._runners[roots] = runner(list(roots), self._engine, self._precision)
        found = self._runners[roots]({**self._known(roots[0]), **feeds})
        return map_nest(dict(zip(roots, found, strict=True)).__getitem__, outputs)

    def _known(self, node: Node) -> Values:
        """The values of the parameters on a node's tape."""
        return {name: self.values[name] for name in node.graph.parameters if name in self.values}

    def _learned(self, loss: Node) -> dict[str, Node]:
        """The parameters that a loss depends on, but for the frozen ones."""
        expect(loss, Node, "a loss is a node", "learner.update(net.loss, feeds)")
        used = set(cone([loss]))
        found = {name: node for name, node in loss.graph.parameters.items() if node in used}
        for name, node in found.items():
            if name not in self.values:
                raise UnknownNameError(
                    f"no value for parameter {name!r:.60}", [node.describe()], nearest(name, self.values)
                )
        return {name: node for name, node in found.items() if name not in self.frozen}
