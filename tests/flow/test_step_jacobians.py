"""Step Jacobians of every cell: against the complex step, textbook formulas, and the graph of a long net."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, central, complex_step

import tinygraph as tg
from tinygraph import Context, Input, Param, State, cell, models
from tinygraph.errors import FeedError, ShapeError, UnknownNameError, UsageError
from tinygraph.flow.step_jacobians import StepMap, Trajectory, trajectory, trajectory_of

STEPS, H = 6, 3
CELL = pytest.mark.parametrize("name", models.CELLS)


def unrolled(name: str, **options: Any) -> tg.Unrolled:
    chosen = models.CELLS[name]
    return tg.unroll(chosen, STEPS, initial="fed", sizes=dict.fromkeys(chosen.sizes, H), **options)


def along(name: str) -> tuple[tg.Unrolled, dict[str, Any], Trajectory]:
    """A net of the cell, random feeds for one example, and the trajectory."""
    net = unrolled(name)
    feeds = random_feeds(net.graph, batch=None)
    return net, feeds, trajectory_of(net, feeds)


def given(net: tg.Unrolled, feeds: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `trajectory` that mean the same net."""
    chosen = net.cell
    return {
        "parameters": {n: feeds[n] for n in chosen.parameters},
        "inputs": {n: feeds[n] for n in chosen.inputs} or None,
        "initial": {s: feeds[f"{s}_0"] for s in chosen.states},
        "contexts": {n: feeds[n] for n in chosen.contexts},
        "steps": STEPS,
        "sizes": net.sizes,
    }


def slope(a: Any) -> Any:
    return 1 - np.tanh(a) ** 2


def sigma(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def textbook_elman(p: dict[str, Any], x: Any, s: dict[str, Any]) -> Any:
    """diag(1 - h^2) U."""
    return np.diag(slope(p["W"] @ x + p["U"] @ s["h"] + p["b"])) @ p["U"]


def textbook_lstm(p: dict[str, Any], x: Any, s: dict[str, Any]) -> Any:
    """dc/dh = diag(i' g) U_i + diag(f' c) U_f + diag(i g') U_g, dc/dc = diag(f); h = o tanh(c)."""
    a = {k: p[f"W_{k}"] @ x + p[f"U_{k}"] @ s["h"] + p[f"b_{k}"] for k in "ifgo"}
    i, f, o, g = sigma(a["i"]), sigma(a["f"]), sigma(a["o"]), np.tanh(a["g"])
    c = f * s["c"] + i * g
    ch = (
        np.diag(i * (1 - i) * g) @ p["U_i"]
        + np.diag(f * (1 - f) * s["c"]) @ p["U_f"]
        + np.diag(i * slope(a["g"])) @ p["U_g"]
    )
    cc = np.diag(f)
    outward = np.diag(o * slope(c))
    hh = np.diag(o * (1 - o) * np.tanh(c)) @ p["U_o"] + outward @ ch
    return np.block([[hh, outward @ cc], [ch, cc]])


def textbook_gru(p: dict[str, Any], x: Any, s: dict[str, Any]) -> Any:
    """diag(z) + diag((h - c) z') U_z + diag((1 - z) c') U (diag(r) + diag(h r') U_r)."""
    h = s["h"]
    r, z = (sigma(p[f"W_{k}"] @ x + p[f"U_{k}"] @ h + p[f"b_{k}"]) for k in "rz")
    a = p["W"] @ x + p["U"] @ (r * h) + p["b"]
    inner = np.diag(r) + np.diag(h * r * (1 - r)) @ p["U_r"]
    gate = np.diag((h - np.tanh(a)) * z * (1 - z)) @ p["U_z"]
    return np.diag(z) + gate + np.diag((1 - z) * slope(a)) @ p["U"] @ inner


@pytest.mark.parametrize(
    ("name", "formula"), [("elman", textbook_elman), ("lstm", textbook_lstm), ("gru", textbook_gru)]
)
def test_the_textbook_formula(name, formula):
    _, feeds, found = along(name)
    for t in range(STEPS):
        expected = formula(feeds, feeds["x"][t], {state: values[t] for state, values in found.states.items()})
        assert_close(found.jacobians[t], expected, 1e-13, what=t + 1)


@CELL
def test_every_cell_against_differences(name):
    """The joined old state moved along each axis, with the equations alone (the complex step where all is analytic)."""
    _, feeds, found = along(name)
    one = unrolled_once(name)
    new = [one.series[state][1] for state in one.cell.states]
    for t in (0, STEPS - 1):
        here = {n: feeds[n] for n in one.graph.parameters} | {n: feeds[n] for n in one.contexts}
        here |= {n: feeds[n][t : t + 1] for n in one.cell.inputs}
        here |= {f"{state}_0": values[t] for state, values in found.states.items()}
        columns = []
        for state, values in found.states.items():
            for unit in np.eye(values[t].size).reshape(-1, *values[t].shape):
                try:
                    parts = complex_step(lambda f: joined(new, f, "complex128"), here, {f"{state}_0": unit})
                except tg.errors.TinygraphError:  # an operation without a complex form
                    parts = central(lambda f: joined(new, f, "float64"), here, {f"{state}_0": unit})
                columns.append(parts)
        assert_close(found.jacobians[t], np.stack(columns, axis=1), 1e-8, what=(name, t))


def unrolled_once(name: str) -> tg.Unrolled:
    chosen = models.CELLS[name]
    return tg.unroll(chosen, 1, initial="fed", sizes=dict.fromkeys(chosen.sizes, H))


def joined(nodes: Any, feeds: Any, dtype: str) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in tg.evaluate(nodes, feeds, dtype=dtype)])


@CELL
def test_a_cell_and_its_net_agree(name):
    """`trajectory` runs the cell step by step, `trajectory_of` reads the unrolled net."""
    net, feeds, found = along(name)
    by_cell = trajectory(net.cell, **given(net, feeds))
    assert by_cell.steps == found.steps == STEPS
    assert by_cell.blocks == found.blocks
    for state in net.cell.states:
        assert_close(by_cell.states[state], found.states[state], 1e-13, what=state)
    assert_close(by_cell.jacobians, found.jacobians, 1e-12)


@CELL
def test_one_evaluation_is_that_of_each_step(name):
    """Time as the batch: no step sees another."""
    net, feeds, found = along(name)
    step = StepMap(net.cell, net.sizes)
    for t in range(STEPS):
        part = given(net, feeds)
        here = {n: np.asarray(v)[t : t + 1] for n, v in (part["inputs"] or {}).items()}
        here |= {n: np.asarray(v)[None] for n, v in part["contexts"].items()}
        states = {state: values[t : t + 2] for state, values in found.states.items()}
        assert_close(step.jacobians(part["parameters"], here, states)[0], found.jacobians[t], 1e-13)


def test_the_blocks_stand_in_the_order_of_the_signature():
    _, _, found = along("lstm")
    assert found.blocks == {"h": slice(0, H), "c": slice(H, 2 * H)}
    np.testing.assert_array_equal(found.joined, np.hstack([found.states["h"], found.states["c"]]))
    assert found.joined.shape == (STEPS + 1, 2 * H)


def test_the_initial_state_is_zero_where_it_is_not_given():
    net, feeds, _ = along("lstm")
    part = given(net, feeds)
    start = part.pop("initial")
    half = trajectory(net.cell, **part, initial={"c": start["c"]})
    assert not half.states["h"][0].any()
    np.testing.assert_array_equal(half.states["c"][0], start["c"])


def test_a_linear_step_is_the_same_at_every_step():
    """Its Jacobian does not depend on the input, and the graph's node has no batch."""

    @cell
    def linear(x: Input["H"], h: State["H"], U: Param["H H"]):
        """Without a nonlinearity."""
        return U @ h + x

    U = np.array([[0.0, 2.0], [3.0, 1.0]])
    found = trajectory(linear, {"U": U}, np.ones((4, 2)))
    np.testing.assert_array_equal(found.jacobians, np.stack([U] * 4))


@cell
def odd(a: Input["M"], k: Input["", "integer"], f: Context["M"], h: State["2 M"], s: State[""], E: Param["V M"]):
    """A matrix and a number as states, a symbol, a context."""
    return h * s + tg.gather(E, k) * f, s * tg.sum(a) + tg.sum(h)


def test_states_of_other_shapes_symbols_and_contexts():
    """d h' / d h = s I, d h' / d s = h, d s' / d h = 1^T, d s' / d s = sum(a)."""
    rng = np.random.default_rng(0)
    a, k = rng.standard_normal((3, 2)), np.array([2, 0, 1])
    start = {"h": rng.standard_normal((2, 2)), "s": 0.5}
    found = trajectory(
        odd, {"E": np.ones((3, 2))}, {"a": a, "k": k}, contexts={"f": [1.0, 2.0]}, initial=start, sizes={"V": 3}
    )
    for t in range(3):
        h, s = found.states["h"][t].ravel(), found.states["s"][t]
        expected = np.block([[s * np.eye(4), h[:, None]], [np.ones((1, 4)), np.array([[a[t].sum()]])]])
        assert_close(found.jacobians[t], expected, 1e-14)


def test_a_cell_without_inputs():
    @cell
    def doubling(h: State["H"]):
        """Only the past."""
        return 2 * h

    found = trajectory(doubling, {}, steps=5, initial={"h": [1.0, 3.0]})
    np.testing.assert_array_equal(found.states["h"][-1], [32, 96])
    np.testing.assert_array_equal(found.jacobians, np.stack([2 * np.eye(2)] * 5))
    with pytest.raises(UsageError, match="number of steps"):
        trajectory(doubling, {}, initial={"h": [1.0, 3.0]})


def test_a_layer_of_a_stack_by_itself():
    net = models.stack(models.elman, STEPS, layers=2, I=2, H=H)
    feeds = random_feeds(net.graph, batch=None)
    found = trajectory_of(net.layers[1], feeds)
    below = trajectory_of(net.layers[0], feeds).states["h"][1:]
    own = {name: feeds[f"layer2/{name}"] for name in ("W", "U", "b")}
    assert_close(found.jacobians, trajectory(models.elman, own, below).jacobians, 1e-13)


def test_a_masked_step_is_the_identity():
    net = unrolled("lstm", mask=True)
    kept = np.array([True, True, False, True, False, False])
    found = trajectory_of(net, random_feeds(net.graph, batch=None) | {"mask": kept})
    for t, flag in enumerate(kept):
        assert np.array_equal(found.jacobians[t], np.eye(2 * H)) is not bool(flag)


def saturated(digits: int | None) -> np.ndarray:
    """Step Jacobians of h' = tanh(h + x) at activations of 20 and 21."""
    p = {"W": np.eye(1), "U": np.eye(1), "b": np.zeros(1)}
    return trajectory(models.elman, p, [[20.0], [20.0]], digits=digits).jacobians[:, 0, 0]


def test_floats_lose_the_slope_of_a_saturated_unit():
    """The trap: 1 - h^2 is exactly 0 from |a| = 19 on, sech^2 is not. Digits bring it back."""
    np.testing.assert_array_equal(saturated(None), [0, 0])
    np.testing.assert_allclose(saturated(60), np.cosh([20.0, 21.0]) ** -2, rtol=1e-13)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_digits_change_nothing_where_floats_are_right(name):
    net, feeds, found = along(name)
    assert_close(trajectory_of(net, feeds, digits=30).jacobians, found.jacobians, 1e-13)


# Errors
P = {"W": np.ones((2, 1)), "U": np.eye(2), "b": np.zeros(2)}


@pytest.mark.parametrize(
    ("error", "match", "arguments", "options"),
    [
        (UsageError, "a trajectory is that of a cell", ("lstm", P, np.ones((3, 1))), {}),
        (ShapeError, r"one example over time", (models.elman, P, np.ones(3)), {}),
        (ShapeError, r"one example over time", (models.elman, P, np.ones((3, 5, 1))), {}),
        (ShapeError, "at least one step", (models.elman, P, np.ones((0, 1))), {}),
        (ShapeError, "I=1", (models.elman, P, np.ones((3, 2))), {}),
        (ShapeError, "different numbers of steps", (models.elman, P, np.ones((3, 1))), {"steps": 4}),
        (ShapeError, "declares", (models.elman, P, np.ones((3, 1))), {"initial": {"h": np.ones((4, 2))}}),
        (UnknownNameError, "no state 'c'", (models.elman, P, np.ones((3, 1))), {"initial": {"c": np.ones(2)}}),
        (UnknownNameError, "no parameter 'V'", (models.elman, P | {"V": 1}, np.ones((3, 1))), {}),
        (UnknownNameError, "no context 'f'", (models.elman, P, np.ones((3, 1))), {"contexts": {"f": 1}}),
        (UnknownNameError, "no input 'y'", (models.elman, P, {"x": np.ones((3, 1)), "y": 1}), {}),
        (FeedError, "no values for input 'x'", (models.elman, P), {}),
        (FeedError, "no value is fed for 'b'", (models.elman, {"W": P["W"], "U": P["U"]}, np.ones((3, 1))), {}),
        (FeedError, "different lengths", (models.elman, P, [[1.0], [1.0, 2.0]]), {}),
        (FeedError, "real", (models.elman, P, [["a"], ["b"]]), {}),
        (UsageError, "2 inputs", (odd, {"E": np.ones((3, 2))}, np.ones((3, 2))), {}),
        (UsageError, "fewer than a float has", (models.elman, P, np.ones((3, 1))), {"digits": 3}),
    ],
)
def test_wrong_input(error, match, arguments, options):
    with pytest.raises(error, match=match):
        trajectory(*arguments, **options)


def test_a_batch_is_refused():
    net = tg.unroll(models.elman, 2, I=1, H=2)
    with pytest.raises(FeedError, match="one example"):
        trajectory_of(net, P | {"x": np.ones((2, 4, 1))})
    with pytest.raises(UsageError, match="layers"):
        trajectory_of(models.stack(models.elman, 2, I=1, H=2), {})
