"""A cell that reads symbols and says symbols: a table in front of any cell, scores of the next symbol behind it.

    x_t      = E[symbol_t]            symbol_t is the symbol before, in training the true one
    h_t      = cell(x_t, h_{t-1})
    scores_t = V_y h_t + c_y

The scores are a state: where the boolean `own` is true, a step reads the symbol that it said last itself,
argmax(scores_{t-1}), in place of the one given; or one drawn from softmax(scores_{t-1}), which is
argmax(scores_{t-1} + noise_t) with noise that is fed (Gumbel 1954). No gradient passes through that choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp
from typing import Any

import numpy as np

from tinygraph.cells import Cell, Input, Param, Role, State, let
from tinygraph.errors import FeedError, UnknownNameError, UsageError, nearest
from tinygraph.execute.interpreter import evaluate
from tinygraph.graph import Graph, Node
from tinygraph.ops.choice import where
from tinygraph.ops.index import gather
from tinygraph.ops.reduce import argmax
from tinygraph.unrolling import Unrolled, unroll

from .wrapping import derive, joined_roles, only_input, step_inside


def speaking(base: Cell, *, free: bool = False, drawn: bool = False) -> Cell:
    """`base` between symbols: it reads one of R by the table E and scores what it says, one of V.

    Symbols that are read and never said, such as the one that stands at the beginning, make R larger than V.
    With `free` there is an input `own` (boolean) besides: see the module. It must be false at the first step. What
    it then reads of its own is the likeliest symbol, or with `drawn` one that is drawn by the input `noise` (V,), see
    `gumbel_noise`.

    Raises `UsageError` for a cell that does not read one vector, or for `drawn` without `free`.
    """
    if drawn and not free:
        raise UsageError("symbols are drawn where a cell reads its own", fix="free=True, drawn=True")
    name, role = only_input(base, "a cell that speaks", contexts=True)
    out = base.states[base.output].dims.text
    given_symbols: dict[str, Role] = {"symbol": Input.of("", "integer")}
    if free:
        given_symbols["own"] = Input.of("", "boolean")
    if drawn:
        given_symbols["noise"] = Input.of("V")
    states, contexts = {"scores": State.of("V"), **base.states}, base.contexts
    added = {"E": Param.of(f"R {role.dims.dims[0].name}", "uniform"), "V_y": Param.of(f"V {out}"), "c_y": Param.of("V")}
    roles = joined_roles("speaking", given_symbols, states, contexts, base.parameters, added)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        symbol = given["symbol"]
        if free:
            scores = given["scores"] + given["noise"] if drawn else given["scores"]
            symbol = let("read", where(given["own"], argmax(scores), symbol))
        x = let(name, gather(given["E"], symbol))
        new = step_inside(base, {name: x, **{n: given[n] for n in (*base.states, *contexts, *base.parameters)}})
        h = new[list(base.states).index(base.output)]
        return [let("scores", given["V_y"] @ h + given["c_y"]), *new]

    doc = f"{base.name} that reads and says symbols.\n\nReferences: {base.reference}"
    return derive(f"{base.name}_speaking", doc, roles, equations, output="scores")


class Speaker:
    """A net of a speaking cell that is asked, one step at a time: `begin`, then `step` from what it gave.

    Its `step` is what `greedy`, `sampled` and `beam_search` take.
    """

    def __init__(self, net: Unrolled, values: Mapping[str, Any]) -> None:
        """`values` of the parameters by name. Raises `UsageError`, `FeedError`."""
        if "scores" not in net.cell.states or "symbol" not in net.cell.inputs:
            raise UsageError(f"cell {net.cell.name} does not speak", fix="make it with models.speaking(cell)")
        missing = [name for name in net.graph.parameters if name not in values]
        if missing:
            shown = ", ".join(missing[:6])
            raise FeedError(f"no value is given for {shown}", fix="net.initial(seed=0), or trained values")
        self.net = net
        self.values = {name: values[name] for name in net.graph.parameters}
        graph = Graph()
        own = {name: graph.parameter(p.attrs["name"], p.shape) for name, p in net.parameters.items()}
        self.one = unroll(net.cell, 1, graph=graph, parameters=own, initial="fed", sizes=net.sizes)

    def begin(self, feeds: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The state before the first symbol, contexts included, for each example of the `feeds` it depends on.

        All arrays have a batch axis, of 1 where nothing that is fed has one.
        """
        nodes = {state: self.net.series[state][0] for state in self.net.cell.states} | self.net.contexts
        found = evaluate(nodes, {**self.values, **(feeds or {})})
        batch = next((len(value) for name, value in found.items() if np.ndim(value) > nodes[name].ndim), 1)
        return {name: np.broadcast_to(value, (batch, *nodes[name].shape)) for name, value in found.items()}

    def step(self, symbols: Any, state: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """After the symbols (B,): scores (B, V) of the next one, and the new state."""
        after = {name: self.one.series[name][1] for name in self.one.cell.states}
        fed = {name: state[name] for name in self.one.contexts} | {f"{name}_0": state[name] for name in after}
        values = {name: self.values[name] for name in self.one.graph.parameters}
        new = evaluate(after, {**values, **fed, "symbol": np.asarray(symbols)[None]})
        return new["scores"], {**state, **new}


# Scheduled sampling: the share of true symbols from the share of the training that is done.
# Bengio, Vinyals, Jaitly and Shazeer 2015, arXiv:1506.03099, 2.4.
FORCING: dict[str, Callable[[float], float]] = {
    "always": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "exponential": lambda done: 0.01**done,
    "inverse_sigmoid": lambda done: (1 + exp(-5)) / (1 + exp(10 * done - 5)),
    "never": lambda done: 0.0,
}


def gumbel_noise(shape: Sequence[int], seed: int | np.random.Generator) -> Any:
    """Noise by which the largest of scores + noise is a draw from softmax(scores): -log(-log(u)), u uniform on (0, 1).

    `shape` is (steps, batch, V). Reference: Gumbel 1954; Maddison, Tarlow and Minka 2014, arXiv:1411.0030.
    """
    return np.random.default_rng(seed).gumbel(size=tuple(shape))


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
