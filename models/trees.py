"""Recursive networks over binary trees: one cell, applied at every node from the leaves to the root.

A tree is a leaf, a node of the graph such as a word's vector, or a pair of trees: ((the, cat), sleeps).

    p = cell(l, r)   at each pair, with l and r of its two parts
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinygraph.cells import Cell
from tinygraph.errors import GraphError, ShapeError, UsageError, expect
from tinygraph.graph import Graph, Node
from tinygraph.graph.op import tape_of

Tree = Any  # a Node, or a pair of trees: not recursive for a type checker's sake


@dataclass(frozen=True)
class Composed:
    """A cell applied over a tree.

    `phrases` has the state of every node of the tree, leaves included, in post-order: children before
    their parent, left before right. `root` is the last of them. `parts` are the places of the two
    children of each phrase in the same list, or None for a leaf.
    """

    cell: Cell
    graph: Graph
    parameters: Mapping[str, Node]
    phrases: tuple[Node, ...]
    parts: tuple[tuple[int, int] | None, ...]

    @property
    def root(self) -> Node:
        """The state of the whole tree."""
        return self.phrases[-1]

    def label(self, head: Callable[[Node], Node]) -> list[Node]:
        """A head at every node, such as the class of each phrase: `head(state)` in post-order."""
        return [head(phrase) for phrase in self.phrases]


def compose(cell: Cell, tree: Tree, *, parameters: Mapping[str, Node] | None = None, scope: str = "tree") -> Composed:
    """Apply `cell` at every pair of `tree`, from the leaves to the root.

    cell        one of two children and no other argument than parameters: `models.recursive`, `models.rntn`
    tree        nodes of one tape, of the state's shape, in nested pairs; of any form and depth
    parameters  shared ones, by the cell's names, such as those of another tree: `parameters=other.parameters`
    scope       of the nodes made, and prefix of the names of parameters that are made

    Depth is the step of a phrase: 0 for a leaf, else one more than its deeper child.
    Raises `UsageError`, `ShapeError`, `GraphError`.
    """
    expect(cell, Cell, "a tree is composed by a cell", "such as models.recursive")
    if len(cell.children) != 2 or len(cell.roles) != 2 + len(cell.parameters):
        raise UsageError(f"cell {cell.name} is not one of two children", fix="such as models.recursive, models.rntn")
    order = _post_order(tree)
    leaves = [node for node in order if isinstance(node, Node)]
    graph = tape_of(leaves, "compose")
    shared = _parameters(cell, graph, leaves, parameters or {}, scope)
    phrases: list[Node] = []
    parts: list[tuple[int, int] | None] = []
    depths: list[int] = []
    open_phrases: list[int] = []
    for entry in order:
        if isinstance(entry, Node):
            phrases.append(entry)
            parts.append(None)
            depths.append(0)
        else:
            right, left = open_phrases.pop(), open_phrases.pop()
            depths.append(1 + max(depths[left], depths[right]))
            children = dict(zip(cell.children, (phrases[left], phrases[right]), strict=True))
            with graph.at(step=depths[-1], scope=scope):
                (state,) = cell(**children, **shared)
                phrases.append(graph.relabel(state, "p"))
            parts.append((left, right))
        open_phrases.append(len(phrases) - 1)
    return Composed(cell, graph, shared, tuple(phrases), tuple(parts))


_PAIR = object()  # stands in post-order where two trees are joined


def _post_order(tree: Tree) -> list[Any]:
    """Leaves, and `_PAIR` behind the two trees that it joins. Iterative, so that depth has no limit."""
    found: list[Any] = []
    rest = [tree]
    while rest:
        entry = rest.pop()
        if entry is _PAIR or isinstance(entry, Node):
            found.append(entry)
        elif isinstance(entry, (tuple, list)) and len(entry) == 2:
            left, right = entry
            rest += [_PAIR, right, left]
        else:
            raise UsageError(f"a tree is a node or a pair of trees, not {entry!r:.60}", fix="((a, b), c)")
    return found


def _parameters(cell: Cell, graph: Graph, leaves: list[Node], given: Mapping[str, Node], scope: str) -> dict[str, Node]:
    """The cell's parameters: those given, the others made, with sizes that the leaves tell."""
    sizes: dict[str, int] = {}
    for leaf in leaves:
        for role in cell.children.values():
            role.dims.infer(leaf.shape, sizes, f"the leaf {leaf.name}")
    for name, node in given.items():
        if name in cell.parameters:
            cell.roles[name].dims.infer(node.shape, sizes, f"the given {name!r}")
            if node.graph is not graph:
                raise GraphError("a parameter of another tape", [node.describe()], "build the trees on one tg.Graph()")
    missing = [name for name in cell.sizes if name not in sizes]
    if missing:
        raise ShapeError(f"the leaves do not tell the sizes {', '.join(missing)} of cell {cell.name}")
    shapes = cell.shapes(sizes)
    return {
        name: given[name] if name in given else graph.parameter(f"{scope}/{name}", shapes[name], initial=role.initial)
        for name, role in cell.parameters.items()
    }
