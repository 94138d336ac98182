"""Trees: every box stands over the middle of what it branches into, and branches as near to each other as can be.

The contours of branches are kept while they are put side by side, from the leaves to the root (Reingold and Tilford
1981, doi:10.1109/TSE.1981.234519). It works for what grows upwards, such as a beam, and for what comes together, such
as a phrase.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

STRAIGHT = 20.0  # how far from the middle a box may stand to be straight over the middle branch


class Branch(NamedTuple):
    """A subtree: leftmost and rightmost vertex of each row with their places, the root's row last, before a shift."""

    ends: list[tuple[int, float, int, float]]
    shift: float
    root: float


def place_tree(
    rows: Mapping[int, Sequence[int]],
    parents: Mapping[int, int],
    gap: Callable[[int, int], float],
    rising: bool,
) -> dict[int, float]:
    """The place of each vertex of a tree of rows without crossings; it grows upwards if `rising`.

    `parents` has that of each vertex but the root; `gap` is the least distance of two neighbours.
    """
    children: dict[int, list[int]] = {}
    place: dict[int, float] = {}
    moved: dict[int, float] = {}  # how far each subtree is moved when it is put beside the others
    branches: dict[int, Branch] = {}
    for row in sorted(rows, reverse=rising):
        for v in rows[row]:
            own = children.pop(v, [])
            branch = _joined([branches.pop(child) for child in own], own, moved, gap)
            place[v] = branch.root
            branch.ends.append((v, branch.root - branch.shift, v, branch.root - branch.shift))
            branches[v] = branch
            if v in parents:
                children.setdefault(parents[v], []).append(v)
    for row in sorted(rows, reverse=not rising):
        for v in rows[row]:
            if v in parents:
                moved[v] += moved.get(parents[v], 0.0)
                place[v] += moved[v]
    return place


def _joined(
    branches: list[Branch], names: list[int], moved: dict[int, float], gap: Callable[[int, int], float]
) -> Branch:
    """Branches side by side, each as near to those before it as can be, and the place above their middle."""
    if not branches:
        return Branch([], 0.0, 0.0)
    whole = branches[0]
    roots: list[float] = []
    for name, branch in zip(names, branches, strict=True):
        moved[name] = 0.0
        if roots:
            pairs = zip(reversed(whole.ends), reversed(branch.ends), strict=False)
            apart = [a[3] + whole.shift + gap(a[2], b[0]) - b[1] - branch.shift for a, b in pairs]
            moved[name] = max(apart)
            branch = branch._replace(shift=branch.shift + moved[name], root=branch.root + moved[name])
            whole = _beside(whole, branch)
        roots.append(branch.root)
    middle, inner = (roots[0] + roots[-1]) / 2, roots[len(roots) // 2]
    straight = len(roots) % 2 == 1 and abs(inner - middle) <= STRAIGHT
    return whole._replace(root=inner if straight else middle)


def _beside(left: Branch, right: Branch) -> Branch:
    """The ends of the rows of two branches together: written into the longer one, for the rows that both have."""
    longer, shorter = (left, right) if len(left.ends) >= len(right.ends) else (right, left)
    for i in range(1, len(shorter.ends) + 1):
        (a, x, _, _), (_, _, b, y) = left.ends[-i], right.ends[-i]
        longer.ends[-i] = (a, x + left.shift - longer.shift, b, y + right.shift - longer.shift)
    return longer
