"""A backward pass as named lines: the line at fault is found, and no other."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models

T = 3
LINES = {
    "do": ("do = o - y", lambda v, d, t: v.o[t] - v.y[t]),
    "dV": ("dV += do h^T", lambda v, d, t: np.outer(d.do[t], v.h[t])),
    "dc": ("dc += do", lambda v, d, t: d.do[t]),
    "dU": ("dU += da h[t-1]^T", lambda v, d, t: np.outer((1 - v.h[t] ** 2) * d.dh[t], v.h[t - 1])),
    "dh": ("dh = V^T do + U^T da", lambda v, d, t: v.V.T @ d.do[t] + v.U.T @ ((1 - later(v, t) ** 2) * d.dh[t + 1])),
}
WRONG = {
    "do": ("do = y - o", lambda v, d, t: v.y[t] - v.o[t], "sign"),
    "dV": ("dV += h do^T", lambda v, d, t: np.outer(v.h[t], d.do[t]), "transpose"),
    "dc": ("dc += 2 do", lambda v, d, t: 2 * d.do[t], "scale"),
    "dU": ("dU += dh h[t-1]^T", lambda v, d, t: np.outer(d.dh[t], v.h[t - 1]), "unknown"),
    "dh": ("dh = V do + ...", lambda v, d, t: LINES["dh"][1](v, d, t) + (v.V - v.V.T) @ d.do[t], "transpose"),
}


def later(v, t):
    return v.h[min(t + 1, T)]


def squares():
    net = tg.unroll(models.elman, T, I=2, H=3)
    y = net.graph.sequence("y", T, (3,))
    scores = models.readout(net, 3)
    return tg.add([tg.sum((scores[t] - y[t]) ** 2) / 2 for t in scores], name="loss")


def listing(*wrong):
    return tg.Listing([(name, *(WRONG[name][:2] if name in wrong else LINES[name])) for name in LINES])


def test_a_right_listing():
    verdict = tg.lint(squares(), listing())
    assert verdict.ok, str(verdict)
    assert [finding.line for finding in verdict] == [text for text, _ in LINES.values()]


@pytest.mark.parametrize("wrong", WRONG)
def test_the_line_at_fault_is_named_and_no_other(wrong):
    """Though the numbers of all lines after it would be wrong too."""
    verdict = tg.lint(squares(), listing(wrong))
    text, _, kind = WRONG[wrong]
    assert [finding.line for finding in verdict.wrong] == [text]
    assert verdict.mistake.kind == kind
    assert f"line: {text}" in str(verdict)
    assert "aligned" in verdict.corrected


def test_two_wrong_lines_are_both_named():
    verdict = tg.lint(squares(), listing("do", "dV"))
    assert [finding.line for finding in verdict.wrong] == [WRONG["do"][0], WRONG["dV"][0]]


def test_a_line_that_is_wrong_in_the_middle_alone():
    """At the last step nothing comes from later, so a mistake there shows one step before."""
    lines = [("dh", "dh = V^T do", lambda v, d, t: v.V.T @ (v.o[t] - v.y[t]))]
    (finding,) = tg.lint(squares(), tg.Listing(lines))
    assert finding.of == f"line dh at step {T - 1}"
    assert finding.mistake.kind == "missing term"


def test_bad_listings_are_refused():
    with pytest.raises(tg.errors.UsageError, match="cotangent"):
        tg.Listing([("h", "h = ...", lambda v, d, t: 0)])
    with pytest.raises(tg.errors.UnknownNameError, match="no value 'q'"):
        tg.lint(squares(), tg.Listing([("dq", "dq = ...", lambda v, d, t: 0)]))
    with pytest.raises(tg.errors.UnknownNameError, match="does not exist"):
        tg.lint(squares(), tg.Listing([("dh", "dh = ...", lambda v, d, t: d.dh[t + 2])]))
