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
from ..nest import leaves
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
    feeds    by name
    cases    label -> changes, as `intervene` takes them; "recorded" freezes a value at what the net itself
             computes, unless `feeds` has others, as "recorded/f". `{"as it is": {}}` is the net unchanged.

    >>> cases = {"as it is": {}, "f = 1": {"f": 1}, "f frozen": {"f": "recorded"}}
    >>> print(tg.counterfactuals(loss, net.c, feeds, cases))

    Raises `UsageError` and what `intervene` and `evaluate` raise.
    """
    for what, wanted in (("states", states), ("cases", cases)):
        if not isinstance(wanted, Mapping) or not wanted:
            raise UsageError(f"{what} are a dict that is not empty, not {wanted!r:.60}", fix="see tg.counterfactuals")
    expect(loss, Node, "a loss is a node", "tg.sum(net.h[5] ** 2)")
    expect(feeds, Mapping, "feeds are a dict from name to array", "net.initial() | {'x': x}")
    roots = {"loss": loss, "states": {step: node for step, node in states.items() if step > 0}}
    frozen = {fed: name for changes in cases.values() for fed, name in _frozen(changes).items()}
    plain = {key: value for key, value in feeds.items() if key not in frozen}
    recorded = {fed: feeds[fed] if fed in feeds else _values(roots, name, plain) for fed, name in frozen.items()}
    found = {}
    for label, changes in cases.items():
        found[label] = _case(roots, plain | {fed: recorded[fed] for fed in _frozen(changes)}, changes)
    return Counterfactuals(next(iter(states.values())).label, found)


def _case(roots: Mapping[str, Any], feeds: Mapping[Any, Any], changes: Mapping[Any, Any]) -> Case:
    cut = intervene(dict(roots), changes).roots
    loss, slopes = evaluate([cut["loss"], vjp(cut["loss"], cut["states"], 1)], feeds)
    return Case(float(np.sum(loss)), {step: float(np.linalg.norm(slope)) for step, slope in slopes.items()})


def _frozen(changes: Mapping[Any, Any]) -> dict[str, Any]:
    """What is frozen at recorded values: the name under which these are fed, and the one that is changed."""
    return {f"{RECORDED}/{name}": name for name, change in changes.items() if isinstance(change, str)}


def _values(roots: Mapping[str, Any], name: str, feeds: Mapping[Any, Any]) -> Array:
    """The values of what is named so, with time in front, as the net computes them."""
    nodes = list(find_named(cone(leaves(dict(roots))), [name]))
    values = evaluate(nodes, feeds)
    return np.stack(values) if nodes[0].step is not None else np.asarray(values[0])
