"""Truncated backpropagation in a training loop: which steps an update differentiates, and the state it starts from.

An update reads `steps` new symbols, k1 of them. It unrolls a window that ends with them, from the state that
was stored for the window's start, so that memory depends on k1 and k2 alone, never on the length of the stream:

    mode      window        losses       each reaches back
    chunk     k1            all          to the start of the window
    sliding   k1 + k2 - 1   the k1 new   k2 steps, its own included
    k1_k2     k2 >= k1      the k1 new   to the start of the window
    last      k2 <= k1      all          to the start of the window; the k1 - k2 steps before it only run forward

With parameters that stay, the gradients of all updates add up to the static pass `tinygraph.truncate` over the
whole stream (`last`: over each k1 steps of it). In training the stored state was computed with the parameters
before the update, see `pre_update_effect`; the steps inside the window are run again with the present ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from tinygraph.errors import expect
from tinygraph.graph import Steps
from tinygraph.ops.arithmetic import add
from tinygraph.ops.batch import mean_batch
from tinygraph.passes.truncation import truncate

from .batches import Streams
from .engines import Engine, runner
from .language import Arrays, LanguageModel
from .settings import Settings


class Window:
    """The window of a model's updates under these settings.

    length    steps of the window
    new       steps in it whose losses count, and by which it moves on (`last`: to its end)
    unfolded  the model over the window
    reader    the model over `new` steps, to be read forwards

    References: Williams and Peng 1990, doi:10.1162/neco.1990.2.4.490.
    """

    def __init__(self, model: LanguageModel, settings: Settings) -> None:
        expect(settings, Settings, "a window is that of settings", "models.Settings(steps=5, truncation='k1_k2', k2=9)")
        self.settings = settings
        self.length = settings.window
        self.new = min(settings.steps, self.length)
        self.masked = self.length > settings.steps  # else every step of every window is in the stream
        self.unfolded = model.unroll(self.length, new=self.new, mask=self.masked)
        self.reader = model.unroll(self.new) if self.masked else self.unfolded
        self._after = self.unfolded.state_at(self.new)
        self._learned = self._truncated() if settings.truncation == "sliding" else self._whole()

    def start(self, streams: Streams, number: int) -> int:
        """Where the window of an update starts in the streams; below 0 while they are shorter than the window."""
        return streams.start(number) + self.settings.steps - self.length

    def learn(
        self, values: Arrays, state: Mapping[str, Any], streams: Streams, number: int
    ) -> tuple[float, Arrays, Arrays]:
        """The loss and the gradients of update `number`, and the state to store for the next one.

        `state` is the one that was stored for this update: zeros at the start of the streams.
        """
        start = self.start(streams, number)
        state = self.read(values, state, streams, streams.start(number), start)
        x, y = streams.part(start, self.length)
        feeds: dict[str, Any] = {**values, **state, "x": x, "y": y}
        if self.masked:
            feeds["mask"] = np.broadcast_to(np.arange(start, start + self.length)[:, None] >= 0, x.shape)
        found, after = self._run(feeds)
        return float(found["loss"]), found["gradients"], after

    def read(
        self, values: Arrays, state: Mapping[str, Any], streams: Streams, start: int, stop: int
    ) -> Mapping[str, Any]:
        """The state at `stop` from the one at `start`, one step after the other, holding nothing else."""
        for place in range(start, stop):
            x, _ = streams.part(place, 1)
            state = self._step({**values, **state, "x": x})
        return state

    @cached_property
    def _step(self) -> Engine:
        """The state after one step."""
        return self.runner(self.unfolded.model.unroll(1).state)

    @cached_property
    def _run(self) -> Engine:
        """The loss with the gradients, and the state to store; on two tapes if every loss is cut for itself."""
        if self._learned["loss"].graph is next(iter(self._after.values())).graph:
            return self.runner([self._learned, self._after])
        learned, after = self.runner(self._learned), self.runner(self._after)
        return lambda feeds: [learned(feeds), after(feeds)]

    def runner(self, outputs: Any) -> Engine:
        """What computes `outputs` of the model, as the settings say."""
        return runner(outputs, self.settings.engine, self.settings.precision)

    def _whole(self) -> dict[str, Any]:
        return {"loss": self.unfolded.loss, "gradients": self.unfolded.gradients}

    def _truncated(self) -> dict[str, Any]:
        """The same, with every loss cut for itself: on a tape of its own."""
        losses = self.unfolded.losses
        means = Steps("L", ((t, mean_batch(loss) / len(losses)) for t, loss in losses.items()))
        cut = truncate(means, self.unfolded.graph.parameters, mode="sliding", k2=self.settings.k2)
        return {"loss": add(list(cut.losses.values())), "gradients": cut.gradients}
