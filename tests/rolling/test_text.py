"""The rolled net in print: one equation a class, delays in brackets, boundary cases on lines of their own."""

from __future__ import annotations

import re

import pytest
from rolling.nets import NETS, ODD

import tinygraph as tg
from tinygraph import models


def lines(roots):
    """Without the column of shapes, and with single spaces."""
    return [re.sub(r" +", " ", re.split(r"  +(?=\()", line)[0]).strip() for line in str(tg.roll(roots)).splitlines()]


def test_an_elman_net():
    """As its equation stands in the lectures."""
    found = lines(tg.unroll(models.elman, 9, I=3, H=4).h[9])
    assert found[0] == "t node equation shape"
    assert "1..9 x[t] input" in found
    assert found[-3:] == [
        "1 h[t] = tanh(W @ x[t] + U @ h_0 + b)",
        "2..9 h[t] = tanh(W @ x[t] + U @ h[t-1] + b)",
        "a cycle of 5 classes: h at delay 1",
    ]


def test_an_lstm():
    net = tg.unroll(models.lstm, 9, I=3, H=4)
    found = lines([net.h[9], net.c[9]])
    assert "2..9 f[t] = sigmoid(W_f @ x[t] + U_f @ h[t-1] + b_f)" in found
    assert "2..9 c[t] = f[t] * c[t-1] + i[t] * g[t]" in found
    assert "1 c[t] = f[t] * c_0 + i[t] * g[t]" in found
    assert "1..9 h[t] = o[t] * tanh(c[t])" in found
    assert found[-1].endswith("classes: c at delay 1, h at delay 1")


def test_backpropagation_through_time():
    """The lecture's rule: dh_t reads what comes from t + 1, and the weight gradients are sums over all steps."""
    net = tg.unroll(models.elman, 9, I=3, H=4)
    found = lines(tg.grad(tg.sum(net.h[9] ** 2), net.parameters["U"]))
    assert any(re.fullmatch(r"1\.\.8 dh\[t\] = %\d+\[t\+1\] @ U", line) for line in found)
    assert any(re.fullmatch(r"2\.\.9 %\d+\[t\] = outer\(%\d+\[t\], h\[t-1\]\)", line) for line in found)
    assert any(re.fullmatch(r"%\d+ = add\(%\d+\[9\.\.2\]\)", line) for line in found)
    assert any(re.fullmatch(r"a cycle of \d classes: .* at delay -1", line) for line in found)


def test_scopes_tell_layers_apart():
    net = models.stack(models.gru, 5, layers=2, I=3, H=4)
    found = "\n".join(lines(net.output[5]))
    assert "layer2/h[t] = layer2/z[t] * layer2/h[t-1]" in found
    assert "W_z @ layer1/h[t]" in found


def test_strides_are_written_as_times():
    found = "\n".join(lines(NETS["twice_a_step"](9)))
    assert re.search(r"x\[t/2\]", found)
    assert re.search(r"x\[t/2\+1/2\]", found)
    assert "* t" not in found


def test_what_is_irregular_is_counted():
    found = "\n".join(lines(NETS["tree"](12)))
    assert re.search(r"and \d+ more forms", found)


@pytest.mark.parametrize("name", [name for name in ODD if name not in ("attention", "tree", "three layers")])
def test_its_length_does_not_depend_on_time(name):
    short, long = (str(tg.roll(ODD[name](steps))) for steps in (18, 36))
    assert len(short.splitlines()) == len(long.splitlines())


def test_a_long_expression_is_not_one_line():
    x = tg.Graph().input("x")
    for name in (tg.sin, tg.exp, tg.tanh, tg.sigmoid, tg.cos) * 9:
        x = name(x)
    assert max(map(len, str(tg.roll(x)).splitlines())) < 200
