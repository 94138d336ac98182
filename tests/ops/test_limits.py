"""The limits of each row, from which bounds are proved: values and slopes found on a wide grid stay within."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.graph.op import Limits

LIMITED = [name for name, op in tg.OPS.items() if op.limits != Limits()]
GRID = np.concatenate([np.linspace(-20, 20, 20_001), [-300.0, 300.0]])


def values_and_slopes(name: str) -> tuple[np.ndarray, np.ndarray]:
    grid = np.append(GRID[GRID > 0], 1e-8) if tg.OPS[name].domain.low > 0 else GRID
    graph = tg.Graph()
    x = graph.input("x", (len(grid),))
    y = tg.OPS[name](x)
    slope = tg.grad(tg.sum(y), x) if tg.OPS[name].elementwise and tg.OPS[name].differentiable else tg.sum(0 * x)
    found = tg.evaluate([y, slope], {"x": grid})
    return np.asarray(found[0]), np.asarray(found[1])


@pytest.mark.parametrize("name", LIMITED)
def test_values_and_slopes_are_within(name: str) -> None:
    limits = tg.OPS[name].limits
    values, slopes = values_and_slopes(name)
    assert limits.low <= values.min()
    assert values.max() <= limits.high
    assert np.abs(slopes).max() <= float(limits.slope)


@pytest.mark.parametrize("name", LIMITED)
def test_finite_limits_are_reached(name: str) -> None:
    """A limit that is too wide would bound less than it could."""
    limits = tg.OPS[name].limits
    values, slopes = values_and_slopes(name)
    for limit, found in ((limits.low, values.min()), (limits.high, values.max()), (float(limits.slope), slopes.max())):
        assert abs(limit) == inf or found == pytest.approx(limit, abs=1e-3)
