"""What recomputation saves and what it costs, for several numbers of segments: to choose one by.

For n segments of T steps, a step that computes a numbers and keeps a state of s, about n s + a T / n numbers are held,
and the forward pass is computed twice: least for n = sqrt(T a / s) (Chen et al. 2016, arXiv:1604.06174).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..graph.node import Node
from ..graph.tape import cone
from ..nest import leaves
from ..passes.recomputation import is_recomputed, recompute
from ..tables import html_table, text_table
from .costs import most_held, multiplications

HEAD = ("segments", "forward", "again", "backward", "multiplications", "times", "held", "part")


@dataclass(frozen=True)
class RecomputationCost:
    """One way to compute a gradient.

    segments                      None: as it was given, nothing is computed again
    forward, again, backward      how many nodes are computed, what says `after` and partial sums included
    multiplications, held         of one example: done in all, and numbers held at most at one time, besides the
                                  inputs, parameters and constants
    """

    segments: int | None
    forward: int
    again: int
    backward: int
    multiplications: int
    held: int


@dataclass(frozen=True)
class RecomputationCosts:
    """The ways to compute a gradient, the first as it was given; printed as a table."""

    rows: tuple[RecomputationCost, ...]

    @property
    def leanest(self) -> RecomputationCost:
        """The way that holds least; of several the one with fewest multiplications."""
        return min(self.rows, key=lambda row: (row.held, row.multiplications))

    def as_dicts(self) -> list[dict[str, Any]]:
        """The rows for JSON."""
        return [asdict(row) for row in self.rows]

    def __str__(self) -> str:
        return "\n".join(text_table([HEAD, *self._cells()], range(len(HEAD))))

    def _repr_html_(self) -> str:
        return html_table(self._cells(), HEAD)

    def _cells(self) -> list[list[str]]:
        given = self.rows[0]
        return [
            [
                "as given" if row.segments is None else str(row.segments),
                *(f"{count:,}" for count in (row.forward, row.again, row.backward, row.multiplications)),
                f"{row.multiplications / max(given.multiplications, 1):.2f}",
                f"{row.held:,}",
                f"{row.held / max(given.held, 1):.1%}",
            ]
            for row in self.rows
        ]


def recomputation_costs(roots: Any, segments: Iterable[int | None] = (None,)) -> RecomputationCosts:
    """What `tg.recompute(roots, n)` costs for each number n of `segments`, beside the roots as they are.

    Raises what `tg.recompute` raises.

    >>> print(tg.recomputation_costs([loss, grads], (2, 4, 8, 16)))
    """
    rows = [_counted(None, roots)]
    for count in segments:
        rewritten = recompute(roots, count)
        rows.append(_counted(rewritten.segments, rewritten.roots))
    return RecomputationCosts(tuple(rows))


def _counted(segments: int | None, roots: Any) -> RecomputationCost:
    ends = leaves(roots)
    nodes = cone(ends)
    kinds = [_kind(node) for node in nodes if not node.op.leaf]
    forward, again, backward = (kinds.count(kind) for kind in ("forward", "again", "backward"))
    held = most_held(nodes, ends, inputs=False)
    return RecomputationCost(segments, forward, again, backward, multiplications(nodes), held)


def _kind(node: Node) -> str:
    return "again" if is_recomputed(node) else "backward" if node.backward else "forward"
