"""Unrolling: initial states, shared parameters, masks, contexts, symbols, scopes, and the anchors of states."""

from typing import Annotated

import numpy as np
import pytest
from graph.samples import BATCH, STEPS, random_feeds
from helpers.zoo import KINKED

import tinygraph as tg
from tinygraph import Context, Input, Param, State, cell, let, models
from tinygraph.graph import Node, cone

LENGTHS = np.array([3, 1, 2])
MASK = np.arange(STEPS)[:, None] < LENGTHS
CELL = pytest.mark.parametrize("name", models.CELLS)
REAL_INPUTS = [n for n, c in models.CELLS.items() if any(role.kind == "real" for role in c.inputs.values())]


def unrolled(name, steps=STEPS, **options):
    chosen = models.CELLS[name]
    return tg.unroll(chosen, steps, sizes=dict.fromkeys(chosen.sizes, 3), **options)


def elman_steps(p, x, h):
    """h_1, ..., h_T in plain NumPy; x is (T, batch, I)."""
    found = []
    for x_t in x:
        h = np.tanh(x_t @ p["W"].T + h @ p["U"].T + p["b"])
        found.append(h)
    return np.array(found)


def states(net, feeds):
    """The values of h_1, ..., h_T."""
    return np.array(tg.evaluate([net.h[t] for t in range(1, net.steps + 1)], feeds))


# What a net has
@CELL
def test_steps_count_from_one_and_states_from_zero(name):
    net = unrolled(name)
    for state in models.CELLS[name].states:
        assert list(net.series[state]) == [0, 1, 2, 3]
    for given in models.CELLS[name].inputs:
        assert list(net.series[given]) == [1, 2, 3]
    assert list(net.output) == [1, 2, 3]
    assert net.output[3] is net.series[models.CELLS[name].output][3]
    tg.validate(net.graph)


@CELL
def test_values_of_a_step_carry_the_step(name):
    net = unrolled(name)
    for series in net.series.values():
        for t, node in series.items():
            assert net.graph[series.name, t] is node or node.op.leaf
            assert node.step == t


def test_gates_are_series_too():
    net = unrolled("lstm")
    assert list(net.f) == [1, 2, 3]
    assert net.f[2] is net.graph["f", 2]
    with pytest.raises(AttributeError, match=r"no 'ff'.*'f'"):
        net.ff  # noqa: B018
    assert not hasattr(net, "__array__")


def test_a_parameter_is_one_node():
    net = unrolled("elman", steps=5)
    uses = [node for node in net.graph if net.parameters["U"] in node.args]
    assert len(uses) == 5
    assert sum(node.op.name == "parameter" for node in net.graph) == 3


def test_sizes_by_name_or_as_a_dict():
    shapes = [
        {n: p.shape for n, p in net.parameters.items()}
        for net in (
            tg.unroll(models.elman, 1, I=2, H=5),
            tg.unroll(models.elman, 1, sizes={"I": 2, "H": 5}),
            tg.unroll(models.elman, 1, sizes={"I": 2}, H=5),
        )
    ]
    assert shapes == [{"W": (5, 2), "U": (5, 5), "b": (5,)}] * 3


def test_sizes_follow_from_given_nodes():
    graph = tg.Graph()
    net = tg.unroll(models.elman, 2, inputs={"x": graph.sequence("x", 2, (4,))}, initial={"h": graph.input("h", (6,))})
    assert net.sizes == {"I": 4, "H": 6}
    assert net.graph is graph


def test_it_is_built_on_the_tape_that_is_given():
    """Also on one without a node yet."""
    graph = tg.Graph()
    assert tg.unroll(models.elman, 2, graph=graph, I=1, H=1).graph is graph
    assert len(graph) > 0


def test_a_step_of_a_cell_is_a_call():
    """The cell itself, applied by hand, gives what the net has."""
    net = unrolled("gru", steps=1)
    (by_hand,) = models.gru(net.x[1], net.h[0], **net.parameters)
    feeds = random_feeds(net.graph)
    np.testing.assert_array_equal(*tg.evaluate([by_hand, net.h[1]], feeds))


# Initial states
def test_zeros():
    net = tg.unroll(models.elman, STEPS, I=2, H=3)
    feeds = random_feeds(net.graph)
    np.testing.assert_allclose(states(net, feeds), elman_steps(feeds, feeds["x"], np.zeros((BATCH, 3))), rtol=1e-13)
    assert "h_0" not in net.graph.inputs | net.graph.parameters


def test_learned():
    """A parameter like any other: the same for all examples, with a gradient."""
    net = tg.unroll(models.elman, STEPS, I=2, H=3, initial="learned")
    feeds = random_feeds(net.graph)
    assert net.parameters["h_0"] is net.h[0]
    expected = elman_steps(feeds, feeds["x"], np.broadcast_to(feeds["h_0"], (BATCH, 3)))
    np.testing.assert_allclose(states(net, feeds), expected, rtol=1e-13)
    loss = tg.sum(net.h[1])
    slope = tg.evaluate(tg.grad(loss, net.h[0]), feeds)
    np.testing.assert_allclose(slope, ((1 - expected[0] ** 2) @ feeds["U"]).sum(axis=0), rtol=1e-12)
    assert net.initial()["h_0"].tolist() == [0, 0, 0]


def test_fed():
    net = tg.unroll(models.elman, STEPS, I=2, H=3, initial="fed")
    feeds = random_feeds(net.graph)
    assert feeds["h_0"].shape == (BATCH, 3)
    np.testing.assert_allclose(states(net, feeds), elman_steps(feeds, feeds["x"], feeds["h_0"]), rtol=1e-13)


def test_a_node():
    """Such as the last state of another net: an encoder and a decoder in a row are one long net."""
    whole = tg.unroll(models.elman, 4, I=2, H=3)
    encoder = tg.unroll(models.elman, 2, I=2, H=3, scope="encoder")
    shared = encoder.parameters
    decoder = tg.unroll(models.elman, 2, initial={"h": encoder.h[2]}, parameters=shared, scope="decoder")
    feeds = random_feeds(whole.graph)
    split = {f"encoder/{name}": feeds[name] for name in shared}
    split |= {"encoder/x": feeds["x"][:2], "decoder/x": feeds["x"][2:]}
    np.testing.assert_array_equal(tg.evaluate(decoder.h[2], split), tg.evaluate(whole.h[4], feeds))
    assert decoder.h[0] is encoder.h[2]


def test_each_state_its_own_way():
    net = tg.unroll(models.lstm, 2, I=2, H=3, initial={"h": "fed", "c": "learned"})
    assert list(net.graph.inputs) == ["x", "h_0"]
    assert "c_0" in net.parameters
    partly = tg.unroll(models.lstm, 2, I=2, H=3, initial={"c": "fed"})
    assert partly.h[0].op.name == "constant", "a state that is not named starts at zero"


# Shared parameters
def test_shared_parameters():
    """Two nets on one tape with the same weights; the gradient of a weight has the uses of both."""
    one = tg.unroll(models.elman, 2, I=2, H=3, scope="one")
    two = tg.unroll(models.elman, 3, parameters=one.parameters, scope="two")
    assert two.graph is one.graph
    assert two.parameters == one.parameters
    assert len(one.graph.parameters) == 3
    feeds = random_feeds(one.graph)
    both, first, second = (
        tg.evaluate(tg.grad(loss, one.parameters["U"]), feeds)
        for loss in (tg.sum(one.h[2]) + tg.sum(two.h[3]), tg.sum(one.h[2]), tg.sum(two.h[3]))
    )
    np.testing.assert_allclose(both, first + second, rtol=1e-13, atol=1e-14)


def test_parameters_of_a_readout_may_come_along():
    one = tg.unroll(models.elman, 2, I=2, H=3)
    models.readout(one, 4)
    two = tg.unroll(models.elman, 2, parameters=one.parameters, scope="two")
    assert set(two.parameters) == {"W", "U", "b"}


def test_a_learned_state_is_shared_too():
    one = tg.unroll(models.elman, 2, I=2, H=3, initial="learned")
    two = tg.unroll(models.elman, 2, parameters=one.parameters, initial="learned", scope="two")
    assert two.h[0] is one.h[0]


def test_some_parameters_shared():
    one = tg.unroll(models.elman, 2, I=2, H=3)
    two = tg.unroll(models.elman, 2, parameters={"W": one.parameters["W"]}, scope="two")
    assert two.parameters["W"] is one.parameters["W"]
    assert two.parameters["U"] is not one.parameters["U"]
    assert list(two.graph.parameters) == ["W", "U", "b", "two/U", "two/b"]


# Masks
@CELL
def test_a_masked_step_keeps_the_state(name):
    """After its end an example repeats its last states, and they are what it would have had alone."""
    net = unrolled(name, mask=True)
    feeds = random_feeds(net.graph) | {"mask": MASK}
    plain = unrolled(name)
    for state in models.CELLS[name].states:
        found = np.array(tg.evaluate([net.series[state][t] for t in (1, 2, 3)], feeds))
        full = np.array(
            tg.evaluate([plain.series[state][t] for t in (1, 2, 3)], {k: feeds[k] for k in feeds if k != "mask"})
        )
        full = np.broadcast_to(full if plain.output[1].batched else full[:, None], found.shape)
        for b, end in enumerate(LENGTHS):
            np.testing.assert_allclose(found[:end, b], full[:end, b], rtol=1e-14)
            np.testing.assert_array_equal(found[end:, b], np.broadcast_to(found[end - 1, b], found[end:, b].shape))


@pytest.mark.parametrize("name", [name for name in REAL_INPUTS if name not in KINKED])
def test_what_is_masked_has_no_gradient(name):
    net = unrolled(name, mask=True)
    x = next(net.series[i] for i, role in net.cell.inputs.items() if role.kind == "real")
    gradients = tg.grad(tg.sum(net.output[STEPS]), list(x.values()))
    values = np.array(tg.evaluate(gradients, random_feeds(net.graph) | {"mask": MASK}))
    for b, end in enumerate(LENGTHS):
        assert np.all(values[end:, b] == 0)
        assert np.any(values[:end, b] != 0)


def test_a_mask_that_is_given():
    graph = tg.Graph()
    mask = graph.sequence("m", 3, kind="boolean")
    net = tg.unroll(models.elman, 3, graph=graph, mask=mask, I=2, H=3)
    assert list(net.mask.values()) == list(mask.values())
    feeds = random_feeds(graph) | {"m": np.zeros((3, BATCH), bool)}
    assert not states(net, feeds).any()


# Contexts, symbols, several inputs, other shapes
@cell
def captioner(word: Input["", "integer"], image: Context["F"], h: State["H"], E: Param["V H"], C: Param["H F"]):
    """Reads words by their number and sees the same image at every step."""
    return tg.tanh(tg.gather(E, word) + C @ image + h)


def test_contexts_and_symbols():
    net = tg.unroll(captioner, STEPS, V=5, H=3, F=2)
    feeds = random_feeds(net.graph)
    feeds["word"] = np.array([[4, 0, 1], [2, 2, 3], [0, 4, 4]])
    h, expected = np.zeros((BATCH, 3)), []
    for t in range(STEPS):
        h = np.tanh(feeds["E"][feeds["word"][t]] + feeds["image"] @ feeds["C"].T + h)
        expected.append(h)
    np.testing.assert_allclose(states(net, feeds), expected, rtol=1e-13)
    assert feeds["image"].shape == (BATCH, 2)
    assert net.image is net.contexts["image"]


def test_the_gradient_of_an_embedding():
    """Row k of dE sums the cotangents of the places where word k stands."""
    net = tg.unroll(captioner, 1, V=4, H=3, F=2)
    feeds = random_feeds(net.graph) | {"word": np.array([[1, 3, 1]])}
    h, dE = tg.evaluate([net.h[1], tg.grad(tg.sum(net.h[1]), net.parameters["E"])], feeds)
    expected = np.zeros((4, 3))
    np.add.at(expected, [1, 3, 1], 1 - h**2)
    np.testing.assert_allclose(dE, expected, rtol=1e-13)


def test_a_context_that_is_given():
    graph = tg.Graph()
    image = tg.tanh(graph.input("pixels", (2,)))
    net = tg.unroll(captioner, 2, contexts={"image": image}, V=5, H=3)
    assert net.contexts["image"] is image
    assert list(graph.inputs) == ["pixels", "word"]


@cell(name="two_inputs", output="s")
def _two(a: Input["M N"], b: Input[""], h: State["N"], s: State[""], w: Param["2*M+1", "ones"]):
    """A matrix and a number at each step; a scalar state is the output."""
    total = let("total", tg.sum(a, axis=0) * b + h)
    return total, s + tg.sum(total) + tg.sum(w)


def test_several_inputs_and_odd_shapes():
    assert (_two.name, _two.output, _two.sizes) == ("two_inputs", "s", ["M", "N"])
    net = tg.unroll(_two, 2, M=2, N=3)
    assert (net.parameters["w"].shape, net.output[2].shape, net.a[1].shape) == ((5,), (), (2, 3))
    feeds = random_feeds(net.graph) | {"w": net.initial()["w"]}
    h, s = np.zeros((BATCH, 3)), np.zeros(BATCH)
    for t in range(2):
        h = feeds["a"][t].sum(axis=1) * feeds["b"][t][:, None] + h
        s = s + h.sum(axis=1) + 5
    np.testing.assert_allclose(tg.evaluate(net.output[2], feeds), s, rtol=1e-13)
    np.testing.assert_allclose(tg.evaluate(net.total[2], feeds), h, rtol=1e-13)


def test_a_cell_without_inputs():
    @cell
    def decay(h: State["H"]):
        """Only the past."""
        return h / 2

    net = tg.unroll(decay, 3, H=2, initial="fed")
    assert tg.evaluate(net.h[3], {"h_0": [8.0, 16.0]}).tolist() == [1, 2]


def test_the_spelling_for_type_checkers():
    """`Annotated[Node, role]` means the role."""

    @cell
    def typed(
        x: Annotated[Node, Input["I"]], h: Annotated[Node, "a note", State["H"]], W: Annotated[Node, Param["H I"]]
    ):
        """As elman, without recurrence."""
        return tg.tanh(W @ x) + 0 * h

    @cell
    def plain(x: Input["I"], h: State["H"], W: Param["H I"]):
        """The same."""
        return tg.tanh(W @ x) + 0 * h

    assert typed.roles == plain.roles
    assert tg.latex(typed) == tg.latex(plain)


def test_a_cell_in_a_function_sees_its_surroundings():
    factor = 3

    @cell
    def scaled(h: State["H"]):
        """The factor comes from outside."""
        return factor * h

    net = tg.unroll(scaled, 2, H=1, initial="fed")
    assert tg.evaluate(net.h[2], {"h_0": [1.0]}).tolist() == [9]


# Anchors
@CELL
def test_each_new_state_is_an_identity_of_its_own(name):
    net = unrolled(name)
    anchors = [net.series[state][t] for state in net.cell.states for t in (1, 2, 3)]
    assert len(set(anchors)) == len(anchors)
    assert all(node.op.name == "identity" for node in anchors)
    assert [(n.label, n.step) for n in anchors] == [(s, t) for s in net.cell.states for t in (1, 2, 3)]


def test_states_that_are_one_value_are_two_nodes():
    @cell
    def twin(x: Input["H"], h: State["H"], c: State["H"]):
        """Both new states are the same node."""
        value = tg.tanh(x + h + c)
        return value, value

    net = tg.unroll(twin, 2, H=2)
    assert net.h[1] is not net.c[1]
    assert net.h[1].args == net.c[1].args
    block = tg.evaluate(tg.jacobian(net.h[2], net.h[1]), random_feeds(net.graph, batch=None))
    slope = 1 - tg.evaluate(net.h[2], random_feeds(net.graph, batch=None)) ** 2
    np.testing.assert_allclose(block, np.diag(slope), rtol=1e-13)


def test_a_state_that_stays_is_still_a_node_of_its_step():
    @cell
    def still(h: State["H"]):
        """Nothing happens."""
        return h

    net = tg.unroll(still, 3, H=2, initial="fed")
    assert len({net.h[t] for t in range(4)}) == 4
    jacobian = tg.evaluate(tg.jacobian(net.h[3], net.h[1]), {"h_0": [1.0, 2.0]})
    np.testing.assert_array_equal(jacobian, np.eye(2))


def test_the_memory_reaches_the_output_through_its_anchor():
    """d h_t / d c_t = diag(o_t (1 - tanh(c_t)^2)): h_t = o_t tanh(c_t) reads the new state c_t itself."""
    net = tg.unroll(models.lstm, 2, I=2, H=3)
    feeds = random_feeds(net.graph, batch=None)
    found = tg.evaluate(tg.jacobian(net.h[2], net.c[2]), feeds)
    o, c = tg.evaluate([net.o[2], net.c[2]], feeds)
    np.testing.assert_allclose(found, np.diag(o * (1 - np.tanh(c) ** 2)), rtol=1e-13)
    assert net.c[2] in cone([net.h[2]])


def test_a_masked_memory_is_what_the_output_reads():
    """Where c_t is kept by the mask, h_t is kept as well."""
    net = tg.unroll(models.lstm, 2, I=2, H=3, mask=True)
    feeds = random_feeds(net.graph) | {"mask": np.array([[True] * BATCH, [True, False, True]])}
    c, h = tg.evaluate([[net.c[1], net.c[2]], [net.h[1], net.h[2]]], feeds)
    np.testing.assert_array_equal(c[1][1], c[0][1])
    np.testing.assert_array_equal(h[1][1], h[0][1])
    assert np.all(c[1][0] != c[0][0])


def test_let_gives_a_value_its_name():
    @cell
    def noted(h: State["H"]):
        """A value with a name, once as such and once for a leaf."""
        twice = let("twice", h * 2)
        return let("same", twice) + 1

    net = tg.unroll(noted, 2, H=2, initial="fed")
    assert [node.name for node in net.twice.values()] == ["twice_1", "twice_2"]
    assert net.same[1].op.name == "identity"
    assert tg.evaluate(net.h[2], {"h_0": [1.0, 0.0]}).tolist() == [7, 3]


def test_scopes_keep_nets_apart():
    one = tg.unroll(models.elman, 2, I=2, H=3, scope="one")
    tg.unroll(models.elman, 2, I=2, H=3, graph=one.graph, scope="two")
    assert set(one.graph.parameters) == {f"{scope}/{name}" for scope in ("one", "two") for name in ("W", "U", "b")}
    assert set(one.graph.inputs) == {"one/x", "two/x"}
    assert one.h[1].scope == "one"


def test_a_failed_unrolling_leaves_the_tape_usable():
    """An error in the equations does not leave the making of states behind."""

    @cell
    def broken(x: Input["I"], h: State["H"]):
        """Shapes that do not fit."""
        return let("h", x) + h

    graph = tg.Graph()
    graph.input("first")
    with pytest.raises(tg.errors.CellError, match=r"\(2,\).*\(3,\)"):
        tg.unroll(broken, 2, graph=graph, I=2, H=3)
    assert let("h", graph.input("other")).op.name == "identity"
    net = tg.unroll(models.elman, 2, graph=graph, I=2, H=3, scope="good")
    tg.validate(graph)
    assert net.h[2].shape == (3,)


@pytest.mark.parametrize("steps", [1, 2, 50])
def test_any_number_of_steps(steps):
    net = tg.unroll(models.elman, steps, I=2, H=3)
    feeds = random_feeds(net.graph)
    np.testing.assert_allclose(states(net, feeds), elman_steps(feeds, feeds["x"], np.zeros((BATCH, 3))), rtol=1e-11)
