"""Places on a line as near as can be to those wished for, under least distances.

Minimise sum of w (x - wish)^2 with x[i] - x[i-1] >= gap[i]: with the gaps taken off it is isotonic
regression, which pooling adjacent violators solves exactly in one pass.
"""

from __future__ import annotations

from .style import PORT_GAP


def spaced(wishes: list[float], weights: list[float], gaps: list[float]) -> list[float]:
    """The places nearest to `wishes` (weighted squares) with x[i] - x[i-1] >= gaps[i]."""
    pools: list[tuple[float, float, int]] = []  # weighted sum, weight, how many
    offset, offsets = 0.0, []
    for wish, weight, gap in zip(wishes, weights, gaps, strict=True):
        offset += gap
        offsets.append(offset)
        pools.append(((wish - offset) * weight, weight, 1))
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] >= pools[-1][0] * pools[-2][1]:
            total, heavy, count = pools.pop()
            pools[-1] = (pools[-1][0] + total, pools[-1][1] + heavy, pools[-1][2] + count)
    flat = [total / weight for total, weight, count in pools for _ in range(count)]
    return [x + o for x, o in zip(flat, offsets, strict=True)]


def ports(wishes: list[float], weights: list[float], low: float, high: float, gap: float = PORT_GAP) -> list[float]:
    """Places between `low` and `high` for edges that enter a box, in the order of their wishes.

    Where they push each other aside, those of more weight give way less.
    """
    order = sorted(range(len(wishes)), key=lambda i: wishes[i])
    gap = min(gap, (high - low) / max(len(wishes) - 1, 1))
    inner = [min(max(wishes[i], low + k * gap), high - (len(order) - 1 - k) * gap) for k, i in enumerate(order)]
    places = spaced(inner, [weights[i] for i in order], [0.0, *[gap] * (len(order) - 1)][: len(order)])
    result = [0.0] * len(wishes)
    for i, x in zip(order, places, strict=True):
        result[i] = x
    return result
