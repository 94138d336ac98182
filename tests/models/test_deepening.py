"""Depth around a step: against plain NumPy from the papers' equations, one in the other, masks, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close
from helpers.zoo import few

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import CellError, ShapeError, UsageError
from tinygraph.models import CELLS, deep_output, deep_transition, residual, tanh_layer
from tinygraph.models.language import reads_symbols
from tinygraph.symbolic.steps import cell_text

STEPS, BATCH = 4, 3
SIZES = {"I": 2, "D": 4}  # every other size is 3
ABLE = [name for name, cell in CELLS.items() if reads_symbols(cell) and not cell.children]

Step = Callable[[Any, Any, Any], Any]


def sigma(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def elman(p: Any, x: Any, h: Any) -> Any:
    return np.tanh(p["W"] @ x + p["U"] @ h + p["b"])


def tanh_2(p: Any, x: Any, h: Any) -> Any:
    return np.tanh(p["U2"] @ elman(p, x, h) + p["b2"])


def tanh_2_3(p: Any, x: Any, h: Any) -> Any:
    return np.tanh(p["U3"] @ tanh_2(p, x, h) + p["b3"])


def shortcut(p: Any, x: Any, h: Any) -> Any:
    return np.tanh(p["U2"] @ elman(p, x, h) + p["W2"] @ h + p["b2"])


def recurrent_highway(p: Any, x: Any, s: Any) -> Any:
    """Zilly et al., eqs. 6 to 8 with c = 1 - t: the input enters the first layer alone."""
    for k, layer in enumerate(("", "2", "3")):
        R_H, R_T = (p[f"U{layer}"], p[f"U_t{layer}"]) if k == 0 else (p[f"W{layer}"], p[f"W_t{layer}"])
        from_x = (p["W"] @ x, p["W_t"] @ x) if k == 0 else (0, 0)
        h = np.tanh(from_x[0] + R_H @ s + p[f"b{layer}"])
        t = sigma(from_x[1] + R_T @ s + p[f"b_t{layer}"])
        s = h * t + s * (1 - t)
    return s


def with_output(step: Step, layers: int) -> Callable[..., Any]:
    def out(p: Any, h: Any) -> Any:
        for k in range(1, layers + 1):
            h = np.tanh(p[f"V_out{k}"] @ h + p[f"c_out{k}"])
        return h

    return lambda p, x, h: (step(p, x, h), out(p, step(p, x, h)))


# The cell, and its step for one example: the new state, or the new state and what is said.
DEEP: dict[str, tuple[tg.Cell, Callable[..., Any]]] = {
    "deep transition": (deep_transition(models.elman, tanh_layer), tanh_2),
    "deeper": (deep_transition(models.elman, tanh_layer, tanh_layer), tanh_2_3),
    "shortcut": (deep_transition(models.elman, models.elman), shortcut),
    "recurrent highway": (deep_transition(CELLS["recurrent_highway"], *[models.highway] * 2), recurrent_highway),
    "deep output": (deep_output(models.elman), with_output(elman, 1)),
    "deep output of two": (deep_output(models.elman, 2), with_output(elman, 2)),
    "both": (deep_output(deep_transition(models.elman, models.elman)), with_output(shortcut, 1)),
}  # fmt: skip


def unrolled(cell: tg.Cell, **options: Any) -> Any:
    return tg.unroll(cell, STEPS, sizes={name: SIZES.get(name, 3) for name in cell.sizes}, **options)


@pytest.mark.parametrize("name", DEEP)
def test_against_plain_numpy(name):
    cell, step = DEEP[name]
    net = unrolled(cell, initial={"h": "fed"})
    feeds = random_feeds(net.graph)
    found = tg.evaluate([net.output, net.h], feeds)
    for b in range(BATCH):
        h = feeds["h_0"][b]
        for t in range(1, STEPS + 1):
            new = step(feeds, feeds["x"][t - 1, b], h)
            h, said = new if isinstance(new, tuple) else (new, new)
            assert_close(found[0][t][b], said, 1e-13, what=f"output {t} of {b}")
            assert_close(found[1][t][b], h, 1e-13, what=f"state {t} of {b}")
    tg.validate(net.graph)


@pytest.mark.parametrize("name", few(ABLE))
def test_a_residual_adds_what_the_cell_reads(name):
    """Of every cell: its output is x_t + h_t, and its states are those of the cell itself."""
    cell = CELLS[name]
    made, plain = residual(cell), tg.unroll(cell, STEPS, sizes=dict.fromkeys(cell.sizes, 3))
    net = tg.unroll(made, STEPS, sizes=dict.fromkeys(made.sizes, 3))
    feeds = random_feeds(plain.graph)
    (x,) = cell.inputs
    found, expected = tg.evaluate([net.output, net.series[cell.output]], feeds), tg.evaluate(plain.output, feeds)
    for t, h in expected.items():
        np.testing.assert_array_equal(found[1][t], h)
        assert_close(found[0][t], feeds[x][t - 1] + h, 1e-15)


def test_residual_layers_in_plain_numpy():
    """Each layer reads the sum of the input and of what all layers below say."""
    net = models.stack(residual(models.elman), STEPS, layers=3, I=3, H=3)
    feeds = random_feeds(net.graph)
    found = tg.evaluate(net.output, feeds)
    for b in range(BATCH):
        states = [np.zeros(3)] * 3
        for t in range(STEPS):
            total = feeds["layer1/x"][t, b]
            for k in range(3):
                own = {name: feeds[f"layer{k + 1}/{name}"] for name in "WUb"}
                states[k] = elman(own, total, states[k])
                total = total + states[k]
            assert_close(found[t + 1][b], total, 1e-13)


def test_a_masked_residual_keeps_its_last_output():
    """Each example of a padded batch as if it were alone: what is padded reaches neither state nor output."""
    cell, lengths = residual(models.gru), (4, 1, 2)
    net = models.stack(cell, STEPS, layers=2, mask=True, I=3, H=3)
    mask = np.arange(STEPS)[:, None] < np.array(lengths)
    feeds = random_feeds(net.graph) | {"mask": mask}
    last = tg.evaluate(models.last_output(net), feeds)
    for b, length in enumerate(lengths):
        one = models.stack(cell, length, layers=2, I=3, H=3)
        fed = {name: feeds[name] for name in one.graph.parameters} | {"layer1/x": feeds["layer1/x"][:length, b]}
        assert_close(last[b], tg.evaluate(models.last_output(one), fed), 1e-12)


def test_a_state_that_no_step_reads_is_verified():
    report = tg.verify(deep_output(models.elman), steps=3, size=3)
    assert report.ok, str(report)
    assert all(row.applies for row in report.rows)


def test_depth_makes_the_way_longer():
    """From state to state through as many tanh as there are layers; a shortcut is a second way of one."""
    plain, shortcut = (DEEP[name][0] for name in ("deeper", "shortcut"))
    for cell, ways in ((models.elman, 1), (plain, 1), (shortcut, 2)):
        net = unrolled(cell)
        assert tg.count_paths(net.h[2], net.h[1]) == ways
    applied = {name: sum(node.op.name == "tanh" for node in unrolled(DEEP[name][0]).graph) for name in DEEP}
    assert applied["deeper"] == 3 * STEPS
    assert applied["deep output of two"] == 3 * STEPS


def test_one_around_the_other_and_in_a_stack():
    deep = deep_output(deep_transition(models.lstm, tanh_layer), 2)
    assert (list(deep.states), deep.output) == (["h", "c", "out1", "out2"], "out2")
    net = models.stack(deep, 2, layers=2, I=2, H=3, D=4)
    assert [layer.output[1].shape for layer in net.layers] == [(4,), (4,)]
    assert models.bidirectional(deep, 2, I=2, H=3, D=4).output[1].shape == (8,)
    online = models.Online(tg.unroll(deep, 2, I=2, H=3, D=4), tg.unroll(deep, 2, I=2, H=3, D=4).initial(seed=0))
    y, state = online.step(np.ones(2))
    assert y.shape == (4,)
    assert set(state) == set(deep.states)


def test_gates_and_pictures_of_layers():
    """A gate of layer 3 is t3, as its parameters are W_t3, b_t3; every column looks alike, in one lane."""
    text = cell_text(DEEP["recurrent highway"][0])
    assert [line.split("[")[0] for line in text.splitlines()] == ["t", "h1", "t2", "h2", "t3", "h"]
    assert "t3[t] = sigmoid(W_t3 @ h2[t] + b_t3)" in text
    net = unrolled(DEEP["shortcut"][0])
    assert {node.scope for node in net.graph} == {""}
    assert viz.draw(net, detail="cell").nodes == STEPS + STEPS + 1  # inputs, cells, h_0


def test_initialisers_go_along():
    cell = deep_transition(CELLS["recurrent_highway"], models.highway)
    assert cell.parameters["b_t2"].initial == "minus_ones"
    assert cell.parameters["U_t"].initial == "orthogonal"


def test_bad_inputs():
    with pytest.raises(UsageError, match="a layer at least"):
        deep_transition(models.elman)
    for layer in (models.lstm, models.captioner, models.recursive):
        with pytest.raises(UsageError, match="no layer between"):
            deep_transition(models.elman, layer)
    with pytest.raises(UsageError, match=r"models\.tanh_layer"):
        deep_transition(models.elman, "tanh")
    with pytest.raises(UsageError, match=r"models\.gru"):
        deep_transition("elman", tanh_layer)
    for layers in (0, -1, 1.5, True):
        with pytest.raises(UsageError, match="one layer or more"):
            deep_output(models.elman, layers)
    with pytest.raises(UsageError, match="size D"):
        deep_output(deep_output(models.elman))
    with pytest.raises(UsageError, match="one vector"):
        residual(models.highway)
    with pytest.raises(CellError, match="two arguments 'y'"):
        residual(residual(models.elman))
    with pytest.raises(ShapeError, match="needs I = H"):
        tg.unroll(residual(models.elman), 2, I=2, H=3)

    @tg.cell
    def numbered(x: tg.Input["I"], h: tg.State["H"], U: tg.Param["H H"], U2: tg.Param["H I"]):
        """Has a U2 of its own."""
        return tg.tanh(U @ h + U2 @ x)

    with pytest.raises(CellError, match="two arguments 'U2'"):
        deep_transition(numbered, tanh_layer)
