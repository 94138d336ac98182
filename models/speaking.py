"""A cell that reads symbols and says symbols: a table in front of any cell, scores of the next symbol behind it.

    x_t      = E[symbol_t]            symbol_t is the symbol before, in training the true one
    h_t      = cell(x_t, h_{t-1})
    scores_t = V_y h_t + c_y

The scores are a state: where the boolean `own` is true, a step reads the symbol that it said last itself,
argmax(scores_{t-1}), in place of the one given. No gradient passes through that choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

import numpy as np

from tinygraph.cells import Cell, Context, Input, Param, Role, State, let
from tinygraph.errors import UnknownNameError, UsageError, nearest
from tinygraph.graph import Node
from tinygraph.ops.choice import where
from tinygraph.ops.index import gather
from tinygraph.ops.reduce import argmax

from .wrapping import derive, joined_roles, step_inside


def speaking(base: Cell, *, free: bool = False) -> Cell:
    """`base` between symbols: it reads one of R by the table E and scores what it says, one of V.

    Symbols that are read and never said, such as the one that stands at the beginning, make R larger than V.
    With `free` there is an input `own` (boolean) besides: see the module. It must be false at the first step.

    Raises `UsageError` for a cell that does not read one vector.
    """
    vectors = {n: r for n, r in base.inputs.items() if isinstance(r, Input) and r.kind == "real"}
    if len(base.inputs) != 1 or not vectors or len(next(iter(vectors.values())).dims.dims) != 1:
        raise UsageError(f"cell {base.name} does not read one vector, so no symbol", fix="take one such as models.gru")
    ((name, role),) = vectors.items()
    out = base.states[base.output].dims.text
    given_symbols: dict[str, Role] = {"symbol": Input["", "integer"]}
    if free:
        given_symbols["own"] = Input["", "boolean"]
    contexts: dict[str, Context] = base.contexts
    added = {"E": Param[f"R {role.dims.dims[0].name}", "uniform"], "V_y": Param[f"V {out}"], "c_y": Param["V"]}
    roles = joined_roles("speaking", given_symbols, {"scores": State["V"]}, base.states, contexts, base.parameters, added)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        symbol = given["symbol"]
        if free:
            symbol = let("read", where(given["own"], argmax(given["scores"]), symbol))
        x = let(name, gather(given["E"], symbol))
        new = step_inside(base, {name: x, **{n: given[n] for n in (*base.states, *contexts, *base.parameters)}})
        h = new[list(base.states).index(base.output)]
        return [let("scores", given["V_y"] @ h + given["c_y"]), *new]

    doc = f"{base.name} that reads and says symbols.\n\nReferences: {base.reference}"
    return derive(f"{base.name}_speaking", doc, roles, equations, output="scores")


# Scheduled sampling: the share of true symbols from the share of the training that is done.
# Bengio, Vinyals, Jaitly and Shazeer 2015, arXiv:1506.03099, 2.4.
FORCING = {
    "always": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "exponential": lambda done: 0.01**done,
    "inverse_sigmoid": lambda done: (1 + exp(-5)) / (1 + exp(10 * done - 5)),
    "never": lambda done: 0.0,
}


def own_symbols(schedule: str, done: float, shape: Sequence[int], seed: int | np.random.Generator) -> Any:
    """Where a step reads its own symbol: booleans (steps, ...), each true by chance, never at the first step.

    The chance of a true symbol falls by the schedule with `done`, the share of the training that is done, 0 to 1.
    Raises `UnknownNameError`, `UsageError`.
    """
    if schedule not in FORCING:
        raise UnknownNameError(f"no schedule of forcing {schedule!r:.60}", fix=nearest(schedule, FORCING))
    if not 0 <= done <= 1:
        raise UsageError(f"the share of the training that is done is from 0 to 1, not {done!r:.60}")
    own = np.random.default_rng(seed).random(shape) >= FORCING[schedule](done)
    own[:1] = False
    return own
