"""Cells made of cells: options, what is left out, sizes that must be equal, children, and teacher forcing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close

import tinygraph as tg
from tinygraph import Child, Input, Param, State, cell, models
from tinygraph.errors import CellError, ShapeError, UnknownNameError, UsageError
from tinygraph.flow.paths import count_paths
from tinygraph.graph import cone
from tinygraph.models.cells.ablations import GREFF


# Options
def test_a_variant_is_the_cell_with_another_choice():
    made = models.elman.variant("sines", "Simple recurrent network of sines.", activation=tg.sin)
    assert (made.name, made.summary) == ("sines", "Simple recurrent network of sines.")
    assert made.reference == models.elman.reference
    net = tg.unroll(made, 3, I=2, H=3)
    assert {node.op.name for node in net.graph} >= {"sin"}
    assert "tanh" not in {node.op.name for node in net.graph}
    assert "tanh" in {node.op.name for node in tg.unroll(models.elman, 1, I=2, H=3).graph}


def test_a_number_is_a_constant_of_that_name_and_one_node():
    net = tg.unroll(models.leaky, 4, I=2, H=3)
    assert [node.attrs["value"] for node in net.graph if node.label == "a"] == [Fraction(1, 2)]
    slow = models.leaky.variant("slow", "A slow one.", a=0.1)
    feeds = random_feeds(net.graph)
    h = tg.evaluate(tg.unroll(slow, 4, I=2, H=3).h[1], feeds)
    expected = 0.1 * np.tanh(feeds["x"][0] @ feeds["W"].T + feeds["b"])
    np.testing.assert_allclose(h, expected, rtol=1e-13)


def test_a_leak_of_one_is_the_simple_network():
    whole = models.leaky.variant("whole", "Not leaky at all.", a=1)
    nets = [tg.unroll(made, 4, I=2, H=3) for made in (whole, models.elman)]
    feeds = random_feeds(nets[0].graph)
    found, expected = (tg.evaluate(net.h[4], feeds) for net in nets)
    assert_close(found, expected, 1e-15)


def test_the_threshold_at_its_boundary():
    """1 above 0, and 0 at 0 itself."""
    net = tg.unroll(models.elman_step, 1, I=1, H=3)
    feeds = {"W": np.zeros((3, 1)), "U": np.zeros((3, 3)), "b": np.array([-1e-300, 0.0, 1e-300]), "x": np.ones((1, 1))}
    assert tg.evaluate(net.h[1], feeds).tolist() == [0, 0, 1]


@pytest.mark.parametrize(("short", "gate"), [("NIG", "i"), ("NFG", "f"), ("NOG", "o")])
def test_a_gate_that_is_left_out_takes_its_parameters_along(short, gate):
    whole, made = models.lstm_peephole, GREFF[short]
    assert set(whole.parameters) - set(made.parameters) == {f"{part}_{gate}" for part in "WUpb"}
    assert list(made.roles) == [name for name in whole.roles if name in made.roles]


@pytest.mark.parametrize(("short", "gate"), [("NIG", "i"), ("NFG", "f"), ("NOG", "o")])
def test_a_gate_that_is_left_out_is_a_gate_that_is_open(short, gate):
    """The whole cell with a bias of 1000, where the gate is 1 in floats."""
    nets = [tg.unroll(made, 5, I=2, H=3) for made in (models.lstm_peephole, GREFF[short])]
    feeds = random_feeds(nets[0].graph) | {f"b_{gate}": np.full(3, 1000.0)}
    own = {name: value for name, value in feeds.items() if name in {*nets[1].parameters, "x"}}
    whole, made = (tg.evaluate([net.h[5], net.c[5]], given) for net, given in zip(nets, (feeds, own), strict=True))
    assert_close(made[0], whole[0], 1e-14)
    assert_close(made[1], whole[1], 1e-14)


def test_without_peepholes_it_is_the_plain_one():
    """Greff's NP: the plain LSTM is the one with peepholes of zero."""
    nets = [tg.unroll(made, 5, I=2, H=3) for made in (models.lstm_peephole, GREFF["NP"])]
    feeds = random_feeds(nets[1].graph)
    closed = feeds | {f"p_{k}": np.zeros(3) for k in "ifo"}
    assert_close(tg.evaluate(nets[0].h[5], closed), tg.evaluate(nets[1].h[5], feeds), 1e-15)


def test_a_full_peephole_that_is_diagonal_is_the_peephole():
    nets = [tg.unroll(made, 5, I=2, H=3) for made in (models.lstm_peephole, models.lstm_peephole_full)]
    feeds = random_feeds(nets[0].graph)
    full = {name: value for name, value in feeds.items() if not name.startswith("p_")}
    full |= {f"V_{k}": np.diag(feeds[f"p_{k}"]) for k in "ifo"}
    assert_close(tg.evaluate(nets[1].h[5], full), tg.evaluate(nets[0].h[5], feeds), 1e-15)


def test_full_gate_recurrence_of_zero_is_the_peephole():
    nets = [tg.unroll(made, 5, I=2, H=3) for made in (models.lstm_peephole, GREFF["FGR"])]
    feeds = random_feeds(nets[0].graph)
    more = feeds | {f"R_{a}{b}": np.zeros((3, 3)) for a in "ifo" for b in "ifo"}
    assert_close(tg.evaluate(nets[1].h[5], more), tg.evaluate(nets[0].h[5], feeds), 1e-15)


def test_the_eight_variants():
    assert list(GREFF) == ["NIG", "NFG", "NOG", "NIAF", "NOAF", "CIFG", "NP", "FGR"]
    assert all(models.CELLS[made.name] is made for made in GREFF.values())


def test_a_memory_without_a_forget_gate_does_not_forget():
    """With nothing coming in, c stays for 1,000 steps; with a forget gate at 1/2 it is gone."""
    nothing = {"I": 1, "H": 1}
    kept = {}
    for short in ("NFG", "NIAF"):
        net = tg.unroll(GREFF[short], 1000, initial="fed", sizes=nothing)
        feeds = {name: np.zeros(node.shape) for name, node in net.parameters.items()}
        kept[short] = tg.evaluate(net.c[1000], feeds | {"x": np.zeros((1000, 1)), "h_0": [0.0], "c_0": [1.0]})[0]
    assert kept["NFG"] == 1
    assert kept["NIAF"] < 1e-300


def test_irnn_begins_as_a_memory():
    """U = 1 and nothing in between: a positive state stays, and the Jacobian of many steps is the identity."""
    net = tg.unroll(models.irnn, 50, I=2, H=3, initial="fed")
    feeds = net.initial(seed=0) | {"x": np.zeros((50, 2)), "h_0": np.array([1.0, 2.0, 3.0])}
    last, jacobian = tg.evaluate([net.h[50], tg.jacobian(net.h[50], net.h[0])], feeds)
    assert last.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(jacobian, np.eye(3))


def test_an_unknown_option():
    with pytest.raises(UnknownNameError, match=r"(?s)no option 'activaton'.*did you mean 'activation'"):
        models.elman.variant("odd", "Odd.", activaton=tg.sin)


def test_an_option_needs_a_default():
    def odd(h: State["H"], *, U: Param["H H"]):
        return U @ h

    with pytest.raises(CellError, match=r"(?s)'U' is not a plain argument.*a default"):
        cell(odd)


# Equal sizes
@pytest.mark.parametrize("name", ["mut1", "mut2"])
@pytest.mark.parametrize("sizes", [{"H": 3}, {"I": 3}, {"I": 3, "H": 3}])
def test_sizes_that_must_be_equal(name, sizes):
    net = tg.unroll(models.CELLS[name], 2, **sizes)
    assert net.x[1].shape == net.h[1].shape == (3,)
    assert net.sizes == {"H": 3}


@pytest.mark.parametrize("name", ["mut1", "mut2"])
def test_sizes_that_differ_are_refused(name):
    with pytest.raises(ShapeError, match=rf"cell {name} needs I = H, not I=2 and H=3"):
        tg.unroll(models.CELLS[name], 2, I=2, H=3)
    graph = tg.Graph()
    with pytest.raises(ShapeError, match=r"\(2,\).*'I=H' with H=3 is \(3,\)"):
        tg.unroll(models.CELLS[name], 2, inputs={"x": graph.sequence("x", 2, (2,))}, H=3)


def test_stacked_with_equal_sizes():
    net = models.stack([models.gru, models.mut1], 2, I=2, H=3)
    assert [layer.h[1].shape for layer in net.layers] == [(3,), (3,)]
    assert models.stack(models.mut1, 2, layers=2, I=3).layers[1].x[1].shape == (3,)


@pytest.mark.parametrize("text", ["=H", "I=", "I=2*H", "1=H", "I=H=K"])
def test_an_equality_that_is_none(text):
    with pytest.raises(CellError, match="is not a size"):
        Input[text]


def test_mut3_takes_inputs_of_any_size():
    assert tg.unroll(models.mut3, 1, I=2, H=3).x[1].shape == (2,)


# Children
def test_over_time_a_tree_leans_to_the_left():
    """The first child is the state, the second comes in at each step."""
    made = models.CELLS["recursive"]
    assert list(made.children) == ["l", "r"]
    assert (list(made.states), list(made.inputs), made.output) == (["l"], ["r"], "l")
    net = tg.unroll(made, 3, H=2, initial="fed")
    feeds = random_feeds(net.graph, batch=None)
    p = feeds["l_0"]
    for r in feeds["r"]:
        p = np.tanh(feeds["W"] @ np.concatenate([p, r]) + feeds["b"])
    assert_close(tg.evaluate(net.output[3], feeds), p, 1e-15)


def test_a_tensor_of_zeros_leaves_the_recursive_network():
    nets = [tg.unroll(models.CELLS[name], 3, H=2) for name in ("recursive", "rntn")]
    feeds = random_feeds(nets[0].graph)
    found = tg.evaluate(nets[1].output[3], feeds | {"V": np.zeros((2, 4, 4))})
    assert_close(found, tg.evaluate(nets[0].output[3], feeds), 1e-15)


def test_three_children():
    @cell
    def ternary(a: Child["H"], b: Child["H"], c: Child["H"], W: Param["H 3*H"]):
        return tg.tanh(W @ tg.concatenate([a, b, c]))

    assert (list(ternary.states), list(ternary.inputs)) == (["a"], ["b", "c"])
    assert tg.verify(ternary, steps=3, size=3).ok


# Teacher forcing
def depth(node: tg.Node) -> int:
    """The number of applications on the longest way to the node."""
    found: dict[int, int] = {}
    for one in cone([node]):
        found[one.id] = max((1 + found[arg.id] for arg in one.args), default=0)
    return found[node.id]


def forced(steps: int) -> tg.Unrolled:
    graph = tg.Graph()
    return tg.unroll(models.jordan, steps, graph=graph, forced={"o": graph.sequence("y", steps, (2,))}, I=3, H=4, O=2)


def test_a_forced_net_has_no_path_between_steps():
    """Its depth does not grow with time; that of the free-running net does."""
    net, free = forced(6), tg.unroll(models.jordan, 6, I=3, H=4, O=2)
    assert len({depth(net.o[t]) for t in range(2, 7)}) == 1
    assert len({depth(free.o[t]) for t in range(1, 7)}) == 6
    for s, t in ((1, 2), (2, 5)):
        assert count_paths(net.o[t], net.o[s]) == 0
        assert count_paths(free.o[t], free.o[s]) == 1
    jacobian = tg.jacobian(net.o[3], net.o[2])
    assert not np.any(tg.evaluate(jacobian, random_feeds(net.graph)))


def test_forced_with_its_own_outputs_it_runs_free():
    """With the targets that the free net gives, values agree; the first step reads the initial state."""
    net, free = forced(5), tg.unroll(models.jordan, 5, I=3, H=4, O=2)
    feeds = random_feeds(free.graph)
    outputs = tg.evaluate(free.output, feeds)
    again = tg.evaluate(net.output, feeds | {"y": np.stack(list(outputs.values()))})
    for t, value in outputs.items():
        np.testing.assert_array_equal(again[t], value)
    other = tg.evaluate(net.output, feeds | {"y": np.zeros((5, 3, 2))})
    assert_close(other[1], outputs[1], 0)
    assert np.max(np.abs(other[2] - outputs[2])) > 1e-3


def test_a_forced_net_in_plain_numpy():
    """Each step by itself: it reads its input, and the target of the step before or the initial state."""
    net = forced(4)
    p = feeds = random_feeds(net.graph)
    found = tg.evaluate(net.output, feeds)
    for b in range(3):
        for t in range(1, 5):
            before = feeds["y"][t - 2, b] if t > 1 else np.zeros(2)
            h = np.tanh(p["W"] @ feeds["x"][t - 1, b] + p["R"] @ before + p["b"])
            assert_close(found[t][b], p["V"] @ h + p["c"], 1e-13)


def test_wrong_targets_are_refused():
    graph = tg.Graph()
    with pytest.raises(UnknownNameError, match="no state 'y'"):
        tg.unroll(models.jordan, 2, forced={"y": graph.sequence("y", 2, (2,))}, I=3, H=4, O=2)
    with pytest.raises(ShapeError, match="steps 1 to 3"):
        tg.unroll(models.jordan, 3, forced={"o": graph.sequence("a", 2, (2,))}, I=3, H=4, O=2)
    with pytest.raises(ShapeError, match=r"the given 'o' has shape \(5,\)"):
        tg.unroll(models.jordan, 3, forced={"o": graph.sequence("b", 3, (5,))}, I=3, H=4, O=2)


# The captioner
def test_features_at_the_first_step_alone():
    """Where `first` is never true there are no features; true at every step, it is the captioner."""
    nets = [tg.unroll(models.CELLS[name], 4, I=2, H=3, F=5) for name in ("captioner_first", "captioner")]
    feeds = random_feeds(nets[0].graph)
    always = tg.evaluate(nets[0].h[4], feeds | {"first": np.ones((4, 3), bool)})
    assert_close(always, tg.evaluate(nets[1].h[4], {n: v for n, v in feeds.items() if n != "first"}), 1e-15)
    never = feeds | {"first": np.zeros((4, 3), bool)}
    plain = tg.unroll(models.elman, 4, I=2, H=3)
    simple = {name: feeds[name] for name in ("x", "W", "U", "b")}
    assert_close(tg.evaluate(nets[0].h[4], never), tg.evaluate(plain.h[4], simple), 1e-15)


# A readout beside a cell that has parameters of the same names
def test_a_readout_does_not_take_the_parameters_of_the_cell():
    net = tg.unroll(models.jordan, 2, I=2, H=2, O=2)
    models.readout(net, 2)
    assert {"V", "c", "readout/V", "readout/c"} <= set(net.graph.parameters)


# Cells that do not go everywhere
def test_highway_layers_with_parameters_of_their_own():
    """Each layer is a step from the state of the one below; a gate that is shut passes everything on."""
    graph = tg.Graph()
    h = graph.input("x", (3,))
    for layer in range(1, 51):
        h = tg.unroll(models.highway, 1, graph=graph, initial={"h": h}, scope=f"layer{layer}").h[1]
    assert len(graph.parameters) == 50 * 4
    feeds = random_feeds(graph) | {f"layer{k}/b_t": np.full(3, -1e3) for k in range(1, 51)}
    np.testing.assert_array_equal(tg.evaluate(h, feeds), feeds["x"])
    assert np.any(tg.evaluate(h, random_feeds(graph)) != feeds["x"])


def test_highway_layers_in_plain_numpy():
    """Srivastava et al., eq. 3, with C = 1 - T."""
    graph = tg.Graph()
    h = graph.input("x", (3,))
    for layer in range(1, 4):
        h = tg.unroll(models.highway, 1, graph=graph, initial={"h": h}, scope=f"layer{layer}").h[1]
    p = feeds = random_feeds(graph, batch=None)
    y = feeds["x"]
    for layer in range(1, 4):
        T = 1 / (1 + np.exp(-(p[f"layer{layer}/W_t"] @ y + p[f"layer{layer}/b_t"])))
        y = np.tanh(p[f"layer{layer}/W"] @ y + p[f"layer{layer}/b"]) * T + y * (1 - T)
    assert_close(tg.evaluate(h, feeds), y, 1e-14)


def test_a_cell_without_an_input_is_not_stacked():
    with pytest.raises(UsageError, match="cell highway has no input"):
        models.stack(models.highway, 2, layers=2, H=3)
