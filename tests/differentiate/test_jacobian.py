"""Jacobians: per example, of states, parameters and inputs, with what is held fixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close, central, complex_step
from helpers.net import B, H, Net, T, normal

import tinygraph as tg
from tinygraph import models

CELLS = models.CELLS
FIRST, EXACT, SAME = 1e-6, 1e-10, 1e-12


def columns(node: Any, wrt: str, feeds: dict[str, Any], how: Any, dtype: str) -> np.ndarray:
    """The Jacobian column by column, from differences along unit vectors."""
    shape = np.shape(feeds[wrt])
    units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    found = [how(lambda at: tg.evaluate(node, at, dtype=dtype), feeds, {wrt: unit}) for unit in units]
    return np.stack(found, axis=-1).reshape(*found[0].shape, *shape)


@pytest.mark.parametrize("wrt", ["W", "b", "x"])
def test_of_one_example_against_differences(wrt):
    """Shape output.shape + wrt.shape, for vectors and matrices."""
    net = Net()
    feeds = net.feeds | {"x": net.feeds["x"][0]}
    for output in (net.h, tg.outer(net.h, net.x), tg.sum(net.h)):
        jacobian = tg.jacobian(output, net.everything[wrt])
        assert jacobian.shape == output.shape + net.everything[wrt].shape
        found = tg.evaluate(jacobian, feeds)
        assert_close(found, columns(output, wrt, feeds, central, "float64"), FIRST, what=wrt)
        assert_close(found, columns(output, wrt, feeds, complex_step, "complex128"), EXACT, what=wrt)


@pytest.mark.parametrize("wrt", ["W", "b", "x"])
def test_of_a_batch_is_one_per_example(wrt):
    """Also by a shared parameter, whose Jacobian is not summed over the batch."""
    net = Net()
    jacobian = tg.jacobian(net.h, net.everything[wrt])
    assert jacobian.batched
    singles = [tg.evaluate(jacobian, net.feeds | {"x": x}) for x in net.feeds["x"]]
    assert_close(tg.evaluate(jacobian, net.feeds), np.stack(singles), SAME)


def test_of_what_is_not_batched_is_not_batched():
    net = Net()
    jacobian = tg.jacobian(net.W @ net.b, net.b)
    assert not jacobian.batched
    np.testing.assert_array_equal(tg.evaluate(jacobian, net.feeds), net.feeds["W"])


def test_of_a_scalar_by_a_scalar():
    graph = tg.Graph()
    x = graph.input("x", ())
    jacobian = tg.jacobian(x**3, x)
    assert jacobian.shape == ()
    np.testing.assert_array_equal(tg.evaluate(jacobian, {"x": [1.0, 2.0, 3.0]}), [3, 12, 27])


def test_of_a_node_by_itself_is_the_identity():
    net = Net()
    np.testing.assert_array_equal(tg.evaluate(tg.jacobian(net.x, net.x), net.feeds), np.stack([np.eye(H)] * B))
    np.testing.assert_array_equal(tg.evaluate(tg.jacobian(net.b, net.b), net.feeds), np.eye(H))


def test_through_several_slices_of_one_value():
    """The rows of a Jacobian share what is equal; slices at different places are not equal."""
    graph = tg.Graph()
    x = graph.input("x", (4,))
    jacobian = tg.jacobian(tg.stack([x[0] + x[1], x[2] - x[3], tg.sum(x[1:3]) + tg.sum(x[0:2])]), x)
    wanted = [[1, 1, 0, 0], [0, 0, 1, -1], [1, 2, 1, 0]]
    np.testing.assert_array_equal(tg.evaluate(jacobian, {"x": np.zeros((B, 4))}), np.stack([wanted] * B))


def test_where_there_is_no_path_it_is_zero():
    """Batched if either node is."""
    net = Net()
    np.testing.assert_array_equal(tg.evaluate(tg.jacobian(net.b * 2, net.W), net.feeds), np.zeros((H, H, H)))
    found = tg.evaluate(tg.jacobian(net.x * 2, net.b), net.feeds)
    np.testing.assert_array_equal(np.broadcast_to(found, (B, H, H)), np.zeros((B, H, H)))


@pytest.mark.parametrize(("rows", "entries"), [(0, 3), (3, 0), (0, 0)])
def test_of_size_zero(rows, entries):
    graph = tg.Graph()
    W, x = graph.parameter("W", (rows, entries)), graph.input("x", (entries,))
    jacobian = tg.jacobian(W @ x, x)
    feeds = {"W": np.zeros((rows, entries)), "x": np.zeros((B, entries))}
    assert jacobian.shape == (rows, entries)
    assert np.sum(tg.evaluate(jacobian, feeds)) == 0


def test_a_path_across_the_batch_is_refused():
    """By name, and only where the path itself crosses it."""
    net = Net()
    mean = tg.mean_batch(net.h)
    for node in (mean, net.h - mean, tg.sum_batch(tg.sum(net.h))):
        with pytest.raises(tg.errors.DifferentiationError, match=r"(?s)crosses the batch.*_batch"):
            tg.jacobian(node, net.W)


def test_a_mean_over_the_batch_beside_the_path_is_no_hindrance():
    """What enters from the side is held fixed, and so is what lies before the node differentiated by."""
    net = Net()
    mean = tg.mean_batch(net.x)
    b, value = net.feeds["b"], tg.evaluate(mean, net.feeds)
    found = tg.evaluate(tg.jacobian(tg.spread(net.b) * mean, net.b), net.feeds)
    assert_close(found, np.stack([np.diag(value)] * B), SAME)
    assert_close(tg.evaluate(tg.jacobian(net.b * mean, mean), net.feeds), np.diag(b), SAME)


# States of a recurrent net
def unrolled(cell: str) -> tuple[Any, dict[str, Any]]:
    net = tg.unroll(CELLS[cell], steps=T, I=2, H=H)
    return net, net.initial(0) | {"x": normal((T, B, 2))}


def step_blocks(cell: str, net: Any, feeds: dict[str, Any], t: int, b: int) -> dict[tuple[str, str], np.ndarray]:
    """The blocks of the whole state's Jacobian over step t of example b, by the complex step.

    They come from a net of one step whose state is fed, so that its parts are moved one at a time.
    """
    states = list(net.cell.states)
    one = tg.unroll(CELLS[cell], steps=1, I=2, H=H, initial="fed")
    before = tg.evaluate({f"{s}_0": net.series[s][t - 1] for s in states}, feeds)
    at = {name: np.broadcast_to(value, (B, H))[b] for name, value in before.items()}
    at = net.initial(0) | at | {"x": feeds["x"][t - 1 : t, b]}
    return {(s, r): columns(one.series[s][1], f"{r}_0", at, complex_step, "complex128") for s in states for r in states}


def test_of_a_state_by_an_earlier_one_is_the_product_of_steps():
    """Elman: d h_3 / d h_1 = (d h_3 / d h_2) (d h_2 / d h_1), and a step is diag(1 - h^2) U."""
    net, feeds = unrolled("elman")
    pairs = [tg.jacobian(net.h[3], net.h[1]), tg.jacobian(net.h[3], net.h[2]), tg.jacobian(net.h[2], net.h[1])]
    far, last, first, h2 = tg.evaluate([*pairs, net.h[2]], feeds)
    assert_close(far, last @ first, SAME)
    assert_close(first, (1 - h2**2)[:, :, None] * feeds["U"], SAME)


def test_of_an_lstm_over_one_step_it_holds_the_cell_fixed():
    """d h_2 / d h_1 and d c_2 / d h_1 are blocks of the whole state's Jacobian."""
    net, feeds = unrolled("lstm")
    found = tg.evaluate({s: tg.jacobian(net.series[s][2], net.h[1]) for s in "hc"}, feeds)
    for b in range(B):
        blocks = step_blocks("lstm", net, feeds, 2, b)
        for s in "hc":
            assert_close(found[s][b], blocks[s, "h"], EXACT, what=s)


def test_of_an_lstm_over_two_steps_it_is_a_block_of_the_product():
    """d h_3 / d h_1 goes through h_2 and c_2: it is not the product of the blocks of h alone."""
    net, feeds = unrolled("lstm")
    found = tg.evaluate(tg.jacobian(net.h[3], net.h[1]), feeds)
    for b in range(B):
        last, first = step_blocks("lstm", net, feeds, 3, b), step_blocks("lstm", net, feeds, 2, b)
        direct, through_c = last["h", "h"] @ first["h", "h"], last["h", "c"] @ first["c", "h"]
        assert_close(found[b], direct + through_c, EXACT)
        assert np.max(np.abs(through_c)) > 1e-3


def test_by_the_cell_of_an_lstm_it_includes_the_path_through_the_output_of_that_step():
    """h_1 = o_1 tanh(c_1) depends on c_1, so d h_2 / d c_1 has that path too: all paths of the tape count."""
    net, feeds = unrolled("lstm")
    found, o, c = tg.evaluate([tg.jacobian(net.h[2], net.c[1]), net.o[1], net.c[1]], feeds)
    for b in range(B):
        blocks = step_blocks("lstm", net, feeds, 2, b)
        through_h = blocks["h", "h"] @ np.diag(o[b] * (1 - np.tanh(c[b]) ** 2))
        assert_close(found[b], blocks["h", "c"] + through_h, EXACT)


def test_differentiates_again():
    """The derivative of a Jacobian entry is a Hessian entry."""
    net = Net()
    feeds = net.feeds | {"x": net.feeds["x"][0]}
    hessian = tg.jacobian(tg.jacobian(tg.sum(net.h), net.b), net.b)
    found = tg.evaluate(hessian, feeds)
    h = tg.evaluate(net.h, feeds)
    assert_close(found, np.diag(-2 * h * (1 - h**2)), SAME)
