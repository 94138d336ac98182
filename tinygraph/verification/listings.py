"""A backward pass as a list of lines, each of which is judged by itself.

A line computes one cotangent: `dh` that of the value labelled h, at each step, or the share of a step in that of
a parameter. It is given the right forward values and the right cotangents of all other lines, so that only a
line that is wrong itself gives wrong numbers, whatever stands before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differentiate import grad
from ..errors import UnknownNameError, UsageError, expect, nearest
from ..execute.interpreter import evaluate
from ..graph.node import COTANGENT, Node
from ..graph.tape import cone
from ..passes.simplification import simplify
from ..symbolic.gradient_formulas import equation_latex
from .findings import Finding, Verdict, counterexample
from .gradient_claims import close, draw_feeds, values_of
from .gradient_mistakes import UNKNOWN, mistaken_rule
from .named_values import Named, Series, named_nodes
from .rule_mistakes import Site, sites


@dataclass(frozen=True)
class Line:
    """`name` is the cotangent that the line computes, such as `dh`; `text` the line as it is printed.

    `function(v, d, t)` has the forward values v, the cotangents d (zero after the last step) and the step.
    """

    name: str
    text: str
    function: Callable[[Named, Named, int], Any]


class Listing:
    """The lines of a loop over t = T, ..., 1, in order: `Listing([("dh", "dh = V.T @ do + dh_next", f), ...])`."""

    def __init__(self, lines: Sequence[tuple[str, str, Callable[[Named, Named, int], Any]]]) -> None:
        self.lines = tuple(Line(*line) for line in lines)
        for line in self.lines:
            if not line.name.startswith(COTANGENT) or len(line.name) == len(COTANGENT):
                raise UsageError(f"a line computes a cotangent, such as 'dh', not {line.name!r}")
            expect(line.text, str, f"the text of line {line.name}")

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __repr__(self) -> str:
        return f"<listing of {len(self.lines)} lines>"


def lint_listing(loss: Node, listing: Listing, feeds: Any, seed: int) -> Verdict:
    """One finding for each line; see `lint`."""
    graph_names = named_nodes(loss.graph)
    needed = set(cone([loss]))
    parts = {line.name: _part(line.name, graph_names, needed) for line in listing}
    at = feeds or draw_feeds(loss, {}, None, seed)
    right = evaluate(grad(loss, parts), at)
    values = values_of(loss, at)
    found = []
    for line in listing:
        others = _cotangents(parts, right)
        found.append(_finding(loss, line, parts[line.name], right[line.name], values, others, at))
    return Verdict(tuple(found))


def _part(name: str, names: Mapping[str, Any], needed: set[Node]) -> Any:
    """The node, or nodes by step, whose cotangent a line computes."""
    label = name[len(COTANGENT) :]
    found = names.get(label)
    if isinstance(found, Mapping):
        found = {t: node for t, node in found.items() if node in needed and t > 0}
    if found is None or found == {}:
        raise UnknownNameError(f"line {name!r}: the loss has no value {label!r}", fix=nearest(label, names))
    return found


def _cotangents(parts: Mapping[str, Any], right: Mapping[str, Any]) -> Named:
    """The right cotangents by name; those of steps are zero after the last."""
    return Named(
        {name: _Later(name, right[name]) if isinstance(parts[name], Mapping) else right[name] for name in parts}
    )


class _Later(Series):
    """Cotangents by step, zero after the last step."""

    def __missing__(self, step: object) -> Any:
        if isinstance(step, int) and step == max(self) + 1:
            return np.zeros_like(self[step - 1])
        return super().__missing__(step)


def _finding(loss: Node, line: Line, part: Any, right: Any, values: Named, d: Named, feeds: Any) -> Finding:
    title = f"line {line.name}"
    if isinstance(part, Mapping):
        claimed = {t: np.asarray(line.function(values, d, t), float) for t in sorted(part, reverse=True)}
        wrong = [t for t, value in claimed.items() if not close(value, right[t])]
        if not wrong:
            return Finding(title, True, line=line.text)
        t = wrong[0]
        node, value, truth = part[t], claimed[t], right[t]
        title = f"{title} at step {t}"
    else:
        steps = sorted({node.step for node in cone([loss]) if node.step} or {1}, reverse=True)
        value = np.sum([np.asarray(line.function(values, d, t), float) for t in steps], axis=0)
        node, truth = part, right
        if close(value, truth):
            return Finding(title, True, line=line.text)
    near = [Site(tuple(n for n in site.nodes if node in n.args), site.operand) for site in sites([loss], [node])]
    near = [site for site in near if site.nodes and all(n.args[site.operand] is node for n in site.nodes)]
    mistake = mistaken_rule(loss, {line.name: node}, {line.name: value}, feeds, near)
    seen = counterexample(value, truth) if np.shape(value) == np.shape(truth) else None
    return Finding(
        title, False, (mistake or UNKNOWN,), seen, equation_latex(simplify(grad(loss, node)).roots), line.text
    )
