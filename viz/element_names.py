"""What the elements of a picture are called, so that slides can style and animate them: `h_3`, `layer1-h_3`."""

from __future__ import annotations

import re
from functools import lru_cache

from tinygraph.graph import Node
from tinygraph.graph.text import write_name

RESERVED = ("title", "desc")  # ids of the whole picture


def names_of_elements(nodes: list[Node]) -> dict[int, str]:
    """What each node is called as an element of the picture, by its id: `h_3`, `layer1-h_3`; `n17` without a label.

    Of two nodes with one name, the later has its id behind it: `h_3--n29`. Two hyphens stand in no label's name, so
    that the ids of other elements (`h_2--h_3--0`, `fold--1`) are never those of nodes.
    """
    names: dict[int, str] = {}
    taken: set[str] = set(RESERVED)
    for node in nodes:
        name = word(write_name(node, True, False)) if node.where.label else f"n{node.id}"
        name = names[node.id] = name if name not in taken else f"{name}--n{node.id}"
        taken.add(name)
    return names


@lru_cache(maxsize=1 << 12)
def word(text: str) -> str:
    """A name of letters, digits, _ and single hyphens."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text) or "unnamed"
