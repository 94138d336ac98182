"""Strongly connected components of a graph of classes, and the levels of what is left when each is one point.

References: Tarjan 1972, doi:10.1137/0201010.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

Sources = Mapping[int, Collection[int]]  # class -> the classes that it reads


def components(sources: Sources) -> list[list[int]]:
    """The strongly connected components, each after those that it reads. Iterative."""
    order: dict[int, int] = {}  # when a class was first met
    low: dict[int, int] = {}  # the earliest class on the stack that it reaches
    stack: list[int] = []
    waiting: set[int] = set()
    found: list[list[int]] = []
    for start in sources:
        if start in order:
            continue
        path = [(start, iter(sources[start]))]
        order[start] = low[start] = len(order)
        stack.append(start)
        waiting.add(start)
        while path:
            node, rest = path[-1]
            for source in rest:
                if source not in order:
                    order[source] = low[source] = len(order)
                    stack.append(source)
                    waiting.add(source)
                    path.append((source, iter(sources[source])))
                    break
                if source in waiting and order[source] < low[node]:
                    low[node] = order[source]
            else:
                path.pop()
                if path and low[node] < low[path[-1][0]]:
                    low[path[-1][0]] = low[node]
                if low[node] == order[node]:
                    component: list[int] = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                    waiting.difference_update(component)
                    found.append(sorted(component))
    return found


def is_cycle(component: Sequence[int], sources: Sources) -> bool:
    """Whether a component has an edge: it holds several classes, or one that reads itself."""
    return len(component) > 1 or component[0] in sources[component[0]]


def levels(parts: Sequence[Sequence[int]], sources: Sources) -> list[int]:
    """The length of the longest path of components that ends at each one; `parts` as `components` gives them."""
    part_of = {node: number for number, part in enumerate(parts) for node in part}
    found: list[int] = []
    for number, part in enumerate(parts):
        below = {part_of[source] for node in part for source in sources[node]} - {number}
        found.append(1 + max((found[source] for source in below), default=-1))
    return found
