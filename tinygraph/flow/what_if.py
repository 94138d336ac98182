"""Counterfactuals: the loss, and how far its gradient reaches back, with gates clamped, frozen or scaled.

Each case is an intervention on the same graph (see `intervene`) with the same feeds; the gradient follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differentiate import vjp
from ..errors import UsageError, expect
from ..execute.interpreter import evaluate
from ..graph.node import Node
from ..graph.tape import cone
from ..passes.intervention import RECORDED, find_named, intervene
from ..tables import text_table

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """One case: the loss (summed over the batch), and by step s the norm |d loss / d state_s| over units and batch."""

    loss: float
    norms: Mapping[int, float]


@dataclass(frozen=True)
class Counterfactuals:
    """The cases by label; printed as a table with a row for each step."""

    state: str
    cases: Mapping[str, Case]

    def __str__(self) -> str:
        rows = [[f"|dL/d{self.state}|", *self.cases]]
        rows += [
            [f"step {step}", *(f"{case.norms[step]:.3g}" for case in self.cases.values())]
            for step in next(iter(self.cases.values())).norms
        ]
        rows.append(["loss", *(f"{case.loss:.4g}" for case in self.cases.values())])
        return "\n".join(text_table(rows, range(1, len(self.cases) + 1)))


def counterfactuals(
    loss: Node, states: Mapping[int, Node], feeds: Mapping[Any, Any], cases: Mapping[str, Mapping[str, Any]]
) -> Counterfactuals:
    """The loss and its gradient by the state at each step, in each case.

    states   such as `net.c`; steps from 1
    cases    label -> changes, as `intervene` takes them; "recorded" freezes a value at what the net itself
             computes, unless `feeds` has others, as "recorded/f". `{"as it is": {}}` is the net unchanged.

    >>> cases = {"as it is": {}, "f = 1": {"f": 1}, "f frozen": {"f": "recorded"}}
    >>> print(tg.counterfactuals(loss, net.c, feeds, cases))

    Raises `UsageError` and what `intervene` and `evaluate` raise.
    """
    for what, given in (("states", states), ("feeds", feeds), ("cases", cases)):
        if not isinstance(given, Mapping) or (not given and given is not feeds):
            raise UsageError(f"{what} are a dict that is not empty, not {given!r:.60}", fix="see tg.counterfactuals")
    expect(loss, Node, "a loss is a node", "tg.sum(net.h[5] ** 2)")
    targets = {step: node for step, node in states.items() if step > 0}
    name = next(iter(targets.values())).label
    given = {fed: feeds[fed] for changes in cases.values() for fed in _frozen(changes).values() if fed in feeds}
    own = {key: value for key, value in feeds.items() if key not in given}
    found = {label: _case(loss, targets, own, given, changes) for label, changes in cases.items()}
    return Counterfactuals(name, found)


def _case(
    loss: Node,
    targets: Mapping[int, Node],
    feeds: Mapping[Any, Any],
    given: Mapping[str, Any],
    changes: Mapping[Any, Any],
) -> Case:
    cut = intervene({"loss": loss, "states": dict(targets)}, changes)
    end, states = cut.roots["loss"], cut.roots["states"]
    frozen = {fed: given[fed] if fed in given else _values(loss, n, feeds) for n, fed in _frozen(changes).items()}
    found, slopes = evaluate([end, vjp(end, states, 1)], {**feeds, **frozen})
    return Case(float(np.sum(found)), {step: float(np.linalg.norm(slope)) for step, slope in slopes.items()})


def _frozen(changes: Mapping[Any, Any]) -> dict[Any, str]:
    """The names that are frozen at recorded values, and under what these are fed."""
    return {name: f"{RECORDED}/{name}" for name, change in changes.items() if isinstance(change, str)}


def _values(loss: Node, name: str, feeds: Mapping[Any, Any]) -> Array:
    """The values of what is named so, with time in front, as the net computes them."""
    values = evaluate(list(find_named(cone([loss]), [name])), feeds)
    return np.stack(values) if len(values) > 1 else np.asarray(values[0])
