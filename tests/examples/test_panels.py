"""The charts of the examples: the same numbers give the same bytes, and all that is said stands in them."""

from __future__ import annotations

import numpy as np
import panels
import pytest

GREY = np.linspace(0, 1, 12).reshape(3, 4)
CHARTS = {
    "images": lambda: panels.images([[GREY, GREY], [GREY]], [["one", "two"], ["three"]], title="some"),
    "attention": lambda: panels.attention(GREY, read=list("abcd"), said=list("xyz"), title="looks"),
    "table": lambda: panels.table(GREY, ["r1", "r2", "r3"], ["c1", "c2", "c3", "c4"], title="shares"),
}
SAID = {"images": ["one", "two", "three", "some"], "attention": list("abcdxyz"), "table": ["r1", "c4", "100%", "36%"]}


@pytest.mark.parametrize("name", CHARTS)
def test_charts(name):
    first, second = (CHARTS[name]().svg for _ in range(2))
    assert first == second
    for text in SAID[name]:
        assert f">{text}<" in first
