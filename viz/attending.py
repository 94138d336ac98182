"""Attention: an edge from each remembered position straight to the step that looks at it, as strong as its weight.

Weights a_t of shape (S,) with a label, such as alpha, look at a memory, the stack of S values, in a product a_t M.

before -> after: a scene with the box of a memory -> the scene without it, in which S edges lead to each reader
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tinygraph.errors import DrawingError, nearest
from tinygraph.graph import Node

from .scene import Edge, Scene
from .selection import Selection


class Look(NamedTuple):
    """One look at a memory: the weights, the memory, and what says which positions are seen, if anything does."""

    weights: Node
    memory: Node
    seen: Node | None


def find_looks(selection: Selection, label: str) -> list[Look]:
    """The looks whose weights have this label. Raises `DrawingError` if there is none."""
    found = []
    for node in selection.nodes:
        if node.op.name == "matmul" and node.args[0].label == label and node.args[1].op.name == "stack":
            weights, memory = node.args
            chosen = next((arg for arg in weights.args if arg.op.name == "where"), None)
            found.append(Look(weights, memory, chosen.args[0] if chosen is not None else None))
    if not found:
        labels = dict.fromkeys(node.label for node in selection.nodes if node.label)
        raise DrawingError(f"no weights {label!r:.60} look at a memory", fix=nearest(label, labels))
    return found


def attend(scene: Scene, looks: list[Look], values: Mapping[int, Any]) -> Scene:
    """The scene with straight edges for these looks; `values` has those of the weights, by node id.

    Weights are means over the examples of a batch.
    """
    at = {box.id: i for i, box in enumerate(scene.boxes)}
    new = replace(scene, edges=[], notes=list(scene.notes))
    by_place = {(scene.elements[look.memory.id], look.weights.step): look for look in looks}
    made: list[Edge] = []
    for edge in scene.edges:
        look = by_place.get((scene.boxes[edge.source].id, scene.boxes[edge.target].step))
        if look is None:
            new.edges.append(edge)
            continue
        weights = np.asarray(values[look.weights.id])
        weights = weights.mean(axis=0) if weights.ndim > 1 else weights
        for position, (arg, weight) in enumerate(zip(look.memory.args, weights, strict=True)):
            source = at[scene.elements[arg.id]]
            name = f"{scene.elements[arg.id]}--{scene.boxes[edge.target].id}--look--{position}"
            made.append(Edge(name, source, edge.target, position, edge.gradient, attention=float(weight)))
    new.edges += sorted(made, key=lambda edge: edge.attention or 0.0)  # the strongest on top
    parts = [look.memory for look in looks] + [look.seen for look in looks if look.seen is not None]
    return _without(new, {at[scene.elements[part.id]] for part in parts if scene.elements[part.id] in at})


def _without(scene: Scene, gone: set[int]) -> Scene:
    """The scene without these boxes, and without what led to them alone."""
    kept = [i for i in range(len(scene.boxes)) if i not in gone]
    place = {old: new for new, old in enumerate(kept)}
    edges = [
        edge._replace(source=place[edge.source], target=place[edge.target])
        for edge in scene.edges
        if edge.source in place and edge.target in place
    ]
    lanes = {scene.boxes[i].lane for i in kept}
    return replace(
        scene,
        boxes=[scene.boxes[i] for i in kept],
        edges=edges,
        lanes=[lane for lane in scene.lanes if lane in lanes],
        enclosed=scene.enclosed + len(gone),
    )
