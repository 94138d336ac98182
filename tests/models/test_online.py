"""One step at a time gives what the unrolled net gives."""

import numpy as np
import pytest
from graph.samples import BATCH, SIZE, random_feeds

import tinygraph as tg
from tinygraph import Input, Param, State, models

LONG = 6
KINDS = {
    "one layer": lambda cell: tg.unroll(cell, LONG, sizes=dict.fromkeys(cell.sizes, SIZE)),
    "a scope": lambda cell: tg.unroll(cell, LONG, sizes=dict.fromkeys(cell.sizes, SIZE), scope="deep"),
    "three layers": lambda cell: models.stack(cell, LONG, layers=3, sizes=dict.fromkeys(cell.sizes, SIZE)),
}


def input_name(net):
    return next(name for name, leaf in net.graph.inputs.items() if isinstance(leaf, tg.Steps))


@pytest.mark.parametrize("batch", [None, BATCH])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name, cell in models.CELLS.items() if len(cell.inputs) == 1])
def test_stepping_is_the_unrolled_net(name, kind, batch):
    net = KINDS[kind](models.CELLS[name])
    feeds = random_feeds(net.graph, batch=batch)
    x = feeds[input_name(net)]
    together = tg.evaluate([net.output[t] for t in range(1, LONG + 1)], feeds)
    model = models.Online(net, feeds)
    state = None
    for t in range(LONG):
        output, state = model.step(x[t], state)
        np.testing.assert_allclose(output, together[t], rtol=1e-14, atol=1e-15)


def test_the_state_has_the_names_of_the_cell():
    net = models.stack(models.lstm, 2, layers=2, I=2, H=3)
    model = models.Online(net, net.initial(seed=0))
    names = ["layer1/h", "layer1/c", "layer2/h", "layer2/c"]
    assert list(model.zero_state()) == names
    assert {v.shape for v in model.zero_state().values()} == {(3,)}
    assert {v.shape for v in model.zero_state(batch=5).values()} == {(5, 3)}
    _, state = model.step(np.ones(2))
    assert list(state) == names


def test_a_step_does_not_change_the_state_that_it_is_given():
    net = tg.unroll(models.lstm, 2, I=2, H=3)
    model = models.Online(net, net.initial(seed=0))
    _, state = model.step(np.ones(2))
    before = {name: value.copy() for name, value in state.items()}
    first, _ = model.step(np.ones(2), state)
    again, _ = model.step(np.ones(2), state)
    np.testing.assert_array_equal(first, again)
    for name, value in state.items():
        np.testing.assert_array_equal(value, before[name])


def test_a_head_on_top():
    """What the head builds is returned, and its parameters are taken from the values."""
    net = tg.unroll(models.gru, 3, I=2, H=3)
    scores = models.readout(net, 4, activation="softmax")
    feeds = random_feeds(net.graph, batch=None)
    model = models.Online(net, feeds, head=lambda one: models.readout(one, 4, activation="softmax"))
    state = None
    for t in range(3):
        output, state = model.step(feeds["x"][t], state)
        np.testing.assert_allclose(output, tg.evaluate(scores[t + 1], feeds), rtol=1e-14)


def test_symbols():
    """A cell that reads integers is stepped with integers."""

    @tg.cell
    def reader(symbol: Input["", "integer"], h: State["H"], E: Param["V H"], U: Param["H H"]):
        """A row of a table for each symbol."""
        return tg.tanh(tg.gather(E, symbol) + U @ h)

    net = tg.unroll(reader, 4, V=5, H=3)
    values, symbols = net.initial(seed=0), np.array([4, 0, 2, 2])
    together = tg.evaluate([net.h[t] for t in (1, 2, 3, 4)], values | {"symbol": symbols})
    model, state = models.Online(net, values), None
    for t, symbol in enumerate(symbols):
        output, state = model.step(symbol, state)
        np.testing.assert_allclose(output, together[t], rtol=1e-14)


def test_a_stack_of_cells_with_other_sizes():
    @tg.cell
    def narrowing(x: Input["H"], s: State["K"], W: Param["K H"], U: Param["K K"]):
        """An Elman cell with names of its own."""
        return tg.tanh(W @ x + U @ s)

    net = models.stack([models.elman, narrowing], 3, I=2, H=4, K=3)
    feeds = random_feeds(net.graph, batch=None)
    model, state = models.Online(net, feeds), None
    for t in range(3):
        output, state = model.step(feeds[input_name(net)][t], state)
    np.testing.assert_allclose(output, tg.evaluate(net.output[3], feeds), rtol=1e-14)


def test_the_values_are_read_at_each_step():
    """Training in place is seen by the online model."""
    net = tg.unroll(models.elman, 1, I=2, H=3)
    values = net.initial(seed=0)
    model = models.Online(net, values)
    before, _ = model.step(np.ones(2))
    values["b"] += 1
    after, _ = model.step(np.ones(2))
    expected = tg.evaluate(net.h[1], values | {"x": np.ones((1, 2))})
    np.testing.assert_allclose(after, expected, rtol=1e-14)
    assert not np.allclose(before, after)
