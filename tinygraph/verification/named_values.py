"""Values by the names of the equations: `v.U`, `v.h[t]`, of whatever kind the values are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import UnknownNameError, nearest
from ..graph.node import Node
from ..graph.tape import Graph


class Named(Mapping[str, Any]):
    """Values by name, as attributes or by index: `v.U`, `v["U"]`; what belongs to time steps is a dict, `v.h[t]`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise UnknownNameError(f"nothing is named {name!r}", fix=nearest(name, self._values))
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(f"nothing is named {name!r}; {nearest(name, self.__dict__.get('_values', {}))}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return sorted(self._values)

    def __repr__(self) -> str:
        return f"<values of {', '.join(self._values)}>"


class Series(dict[int, Any]):
    """Values by time step, with a clear error for a step that does not exist."""

    def __init__(self, name: str, values: Mapping[int, Any]) -> None:
        super().__init__(values)
        self.name = name

    def __missing__(self, step: object) -> Any:
        steps = f"steps {min(self)} to {max(self)}" if self else "no steps"
        raise UnknownNameError(f"{self.name}[{step!r}] does not exist", fix=f"{self.name} has {steps}")


def named_nodes(graph: Graph, size: int | None = None) -> dict[str, Node | dict[int, Node]]:
    """The leaves and labelled nodes among the first `size` of a tape, by name, those of time steps by step.

    Derivatives are left out; of two nodes with one label at one step the later counts.
    """
    found: dict[str, Any] = {}
    for node in graph.nodes[:size]:
        if "name" in node.attrs:
            _put(found, node.attrs["name"], node.attrs.get("index"), node)
            if "index" not in node.attrs and label_in_time(node) != node.attrs["name"]:
                _put(found, label_in_time(node), node.step, node)
        elif (
            node.label and not node.backward and not ("value" in node.attrs and node.label == str(node.attrs["value"]))
        ):
            _put(found, node.label, node.step, node)
    return found


def label_in_time(node: Node) -> str:
    """The label that a value shares with those of other steps: h for an input of step 0 that is named h_0."""
    series, mark, step = node.label.rpartition("_")
    return series if mark and step == str(node.step) and "name" in node.attrs else node.label


def _put(found: dict[str, Any], name: str, step: int | None, node: Node) -> None:
    if step is None:
        found[name] = node
    elif isinstance(found.setdefault(name, {}), dict):
        found[name][step] = node


def named(nodes: Mapping[str, Node | Mapping[int, Node]], value: Callable[[Node], Any]) -> Named:
    """`value` of each node, under the same names."""
    return Named(
        {
            name: value(one) if isinstance(one, Node) else Series(name, {t: value(node) for t, node in one.items()})
            for name, one in nodes.items()
        }
    )
