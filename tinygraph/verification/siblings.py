"""The nodes of a step that may stand by mistake in place of one: of another time, or of the same time and shape."""

from __future__ import annotations

from ..graph.node import Node
from ..symbolic.words import StepWords


class Siblings:
    """The nodes that may stand by mistake in place of one: of another time, or of the same time and shape."""

    def __init__(self, step: StepWords) -> None:
        net = step.net
        self.rows: dict[Node, tuple[list[Node | None], int]] = {}
        made: dict[int, list[Node]] = {t: [] for t in range(net.steps + 1)}
        for node in net.graph.nodes:
            if node.step is not None and not node.op.leaf and not node.backward:
                made.setdefault(node.step, []).append(node)
        last = made[net.steps]
        for place in range(len(last)):
            row = [made[t][place] if len(made[t]) == len(last) else None for t in range(net.steps + 1)]
            self._row(row)
        for steps in net.series.values():
            self._row([steps.get(t) for t in range(net.steps + 1)])
        for state in net.cell.states:  # what becomes a state is that state at other times
            new, *_ = net.series[state].last.args
            self.rows[new] = [*self.rows[net.series[state].last][0][:-1], new], net.steps
        self.shown = [node for steps in net.series.values() for t, node in steps.items() if t == net.steps]
        self.shown += [net.series[state][step.since] for state in net.cell.states]
        self.shown += list(net.contexts.values())
        self.weights = list(net.parameters.values())

    def _row(self, row: list[Node | None]) -> None:
        for t, node in enumerate(row):
            if node is not None:
                self.rows[node] = row, t

    def in_time(self, node: Node) -> list[Node]:
        """The same value a step earlier, a step later, then of other steps."""
        row, t = self.rows.get(node, ([node], 0))
        order = sorted((s for s in range(len(row)) if s != t), key=lambda s: (abs(s - t), s))
        return [found for s in order if (found := row[s]) is not None]

    def values(self, node: Node) -> list[Node]:
        """Other named values of the step, of the same shape."""
        named = {one.args[0] if one.op.name == "identity" else one: one for one in self.shown}
        return [one for one in named.values() if one.shape == node.shape and one is not node and one.kind == "real"]

    def matrices(self, node: Node) -> list[Node]:
        """Other parameters of the same shape."""
        return [one for one in self.weights if one.shape == node.shape and one is not node]
