"""Nodes by time step: `net.h[3]`, counted 1..T as in the lectures, with 0 for the initial state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from ..errors import UnknownNameError
from .node import Node


class Steps(dict[int, Node]):
    """A dict from time step to node, with a clear error for a step that does not exist."""

    def __init__(self, name: str, nodes: Iterable[tuple[int, Node]] = ()) -> None:
        super().__init__(nodes)
        self.name = name

    def __missing__(self, step: object) -> NoReturn:
        have = f"steps {min(self)} to {max(self)}" if self else "no steps"
        raise UnknownNameError(f"{self.name}[{step!r}] does not exist", fix=f"{self.name} has {have}")

    @property
    def last(self) -> Node:
        """The node of the latest step. Raises `UnknownNameError` if there are no steps."""
        return self[max(self, default=0)]
