"""A rail with too many parameters to tell apart: the last ones share one line.

before -> after: a scene -> the scene whose rail has the first parameters, and "and 2,960 more"
"""

from __future__ import annotations

from dataclasses import replace

from .labels import Span
from .scene import Box, Edge, Scene, together

RAIL_LIMIT = 40  # parameters with lines of their own: an LSTM of three layers with its readout has 38


def fold_rail(scene: Scene) -> Scene:
    """The scene with at most `RAIL_LIMIT` parameters in its rail; itself if it has no more."""
    rail = [i for i, box in enumerate(scene.boxes) if box.column < 0 and box.kind == "parameter"]
    if len(rail) <= RAIL_LIMIT + 1:
        return scene
    hidden = set(rail[RAIL_LIMIT:])
    kept = [i for i in range(len(scene.boxes)) if i not in hidden]
    at = {old: new for new, old in enumerate(kept)}
    words = f"and {len(hidden):,} more"
    lane = scene.boxes[rail[RAIL_LIMIT]].lane
    rest = Box("fold--rail", "fold", (Span(words),), ("rail", "rest"), -1, lane, "fold", f"{len(hidden):,} parameters")
    new = replace(scene, boxes=[*(scene.boxes[i] for i in kept), rest], edges=[], notes=list(scene.notes))
    shared: dict[int, Edge] = {}
    for edge in scene.edges:
        target = at[edge.target]
        if edge.source not in hidden:
            new.edges.append(edge._replace(source=at[edge.source], target=target))
            continue
        known = shared.get(target)
        gradient = edge.gradient or (known is not None and known.gradient)
        share = together(edge.share, known.share if known else None)
        name = f"fold--rail--{scene.boxes[edge.target].id}--folded"
        shared[target] = Edge(name, len(kept), target, edge.position, gradient, folded=True, share=share)
    new.edges += shared.values()
    new.hidden += len(hidden)
    new.notes.append(f"{len(hidden):,} of {len(rail):,} parameters share one line (fold=False draws all)")
    return new
