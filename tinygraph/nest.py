"""Nestings of lists, tuples and dicts: taken apart and put together again.

`evaluate`, `grad` and the passes take one node or any nesting and return the same structure.
Nestings are what a person writes by hand, so their depth is small and recursion is safe here
(nothing recurses over a graph).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def map_nest(function: Callable[[Any], Any], nest: Any) -> Any:
    """Apply `function` to every leaf; dicts, lists and tuples keep their structure."""
    if isinstance(nest, dict):
        return {key: map_nest(function, value) for key, value in nest.items()}
    if isinstance(nest, tuple) and hasattr(nest, "_fields"):
        return type(nest)(*(map_nest(function, value) for value in nest))
    if isinstance(nest, (list, tuple)):
        return type(nest)(map_nest(function, value) for value in nest)
    return function(nest)


def leaves(nest: Any) -> list[Any]:
    """The leaves in reading order."""
    found: list[Any] = []
    map_nest(found.append, nest)
    return found
