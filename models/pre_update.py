"""The carried state is one that older parameters computed: what that changes in the gradient of an update.

Training stores the state before the update and goes on from it after the update. A gradient of the whole stream
with the present parameters theta, cut in the same way, would start from another state:

    loop    gradient at theta_u from the state that theta_0, ..., theta_{u-1} left
    static  gradient at theta_u from the state that theta_u gives from the start of the stream

So no truncation of one graph equals the loop, unless the parameters stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygraph.errors import expect
from tinygraph.shapes import as_size
from tinygraph.tables import text_table

from .clip import global_norm
from .language import Arrays
from .training import Run


@dataclass(frozen=True)
class PreUpdate:
    """One update: Euclidean norms over all states, and over the gradients of all parameters as one vector.

    `state` and `gradient` are those of the static pass, the others the distance of the loop from it; the
    cosine between the two gradients is NaN where one of them is zero.
    """

    update: int
    state: float
    state_difference: float
    gradient: float
    gradient_difference: float
    cosine: float


@dataclass(frozen=True)
class PreUpdates:
    """The rows of a run, in order; printed as a table."""

    rows: tuple[PreUpdate, ...]

    def __str__(self) -> str:
        rows = [["update", "|state|", "difference", "|gradient|", "difference", "cosine"]]
        for r in self.rows:
            numbers = r.state, r.state_difference, r.gradient, r.gradient_difference
            rows.append([str(r.update), *(f"{value:.3g}" for value in numbers), f"{r.cosine:.5f}"])
        return "\n".join(text_table(rows, range(6)))


def pre_update_effect(run: Run, updates: int) -> PreUpdates:
    """Make `updates` updates of `run`, comparing each one's gradient with the static one (see above) first.

    The state of the static pass is read anew from the start of the streams for each update. Raises `UsageError`.
    """
    expect(run, Run, "the carried state is that of a run", "models.Run(model, symbols, settings)")
    rows = []
    for _ in range(as_size(updates, "number of updates")):
        rows.append(_compare(run))
        run.update()
    return PreUpdates(tuple(rows))


def _compare(run: Run) -> PreUpdate:
    window, streams, number = run.window, run.streams, run.progress.update
    zero = run.unfolded.zero_state(run.settings.batch)
    carried = run.stored_state()
    stored_at = min(window.start(streams, number), streams.start(number))
    fresh = dict(window.read(run.values, zero, streams, 0, stored_at))
    _, loop, _ = window.learn(run.values, carried, streams, number)
    _, static, _ = window.learn(run.values, fresh, streams, number)
    norms = global_norm(loop), global_norm(static)
    inner = sum(float(np.sum(loop[name] * static[name])) for name in loop)
    return PreUpdate(
        number + 1,
        global_norm(fresh),
        global_norm(_less(carried, fresh)),
        norms[1],
        global_norm(_less(loop, static)),
        inner / (norms[0] * norms[1]) if all(norms) else float("nan"),
    )


def _less(a: Arrays, b: Arrays) -> Arrays:
    return {name: a[name] - b[name] for name in a}
