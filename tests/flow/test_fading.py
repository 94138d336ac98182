"""How a gradient fades with distance: closed forms, and what biases, radii and initialisers do to it."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import TinygraphError, UnknownNameError, UsageError
from tinygraph.flow.fading import distances, number

WIDTH, H, T = 2, 12, 40


def values_of(cell: tg.Cell, seed: int = 0) -> dict[str, np.ndarray]:
    return tg.unroll(cell, 1, I=WIDTH, H=H).initial(seed=seed)


def inputs(scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(0).standard_normal((T, WIDTH))


@tg.cell
def linear(x: tg.Input["I"], h: tg.State["H"], W: tg.Param["H I"], U: tg.Param["H H"]):
    return W @ x + U @ h


# Closed forms
def test_a_linear_net_decays_by_the_powers_of_its_matrix():
    values = values_of(linear)
    found = tg.decays(linear, {"U": values}, inputs()).rows["U"]
    for d in (1, 2, 7, T):
        expected = np.log(np.linalg.norm(np.linalg.matrix_power(values["U"], d), 2))
        assert found[d - 1] == pytest.approx(expected, abs=1e-10)


def test_orthogonal_matrices_keep_norms_and_others_do_not():
    """Around the zero state of a tanh net without input, the Jacobian is U: products of an orthogonal U have norm 1."""
    sweep = tg.sweep_initialisers(models.elman, ("orthogonal", "gaussian", "normal"), I=WIDTH, H=H)
    found = tg.decays(models.elman, sweep, inputs(0.0))
    np.testing.assert_allclose(found.rows["orthogonal"], 0, atol=1e-12)
    for label in ("gaussian", "normal"):
        U = sweep[label]["U"]
        expected = np.log(np.linalg.norm(np.linalg.matrix_power(U, T), 2))
        assert found.rows[label][-1] == pytest.approx(expected, rel=1e-9)
        assert abs(found.rows[label][-1]) > 1
    assert found.rates["normal"] < -2


def test_driven_by_inputs_no_norm_exceeds_that_of_an_orthogonal_matrix():
    found = tg.decays(models.elman, tg.sweep_initialisers(models.elman, ["orthogonal"], I=WIDTH, H=H), inputs())
    row = found.rows["orthogonal"]
    assert np.all(np.diff(np.concatenate([[0.0], row])) <= 1e-12)
    assert row[-1] < -1


def test_the_forget_bias_is_the_rate_of_the_cell():
    """With all other weights 0 the gates stand at their biases: d c_T / d c_{T-d} = sigmoid(b_f)^d."""
    values = {name: np.zeros_like(v) for name, v in values_of(models.lstm).items()}
    biases = (-2.0, 0.0, 3.0)
    found = tg.decays(models.lstm, tg.sweep_bias(values, "b_f", biases), inputs())
    for bias, row in zip(biases, found.rows.values(), strict=True):
        rate = -np.log1p(np.exp(-bias))
        np.testing.assert_allclose(np.diff(row), rate, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_larger_forget_bias_lets_the_gradient_pass(seed):
    rates = list(
        tg.decays(models.lstm, tg.sweep_bias(values_of(models.lstm, seed), "b_f", (-2, 0, 2)), inputs()).rates.values()
    )
    assert rates[0] < rates[1] - 0.2 < rates[2] - 0.4


def test_the_radius_is_what_was_asked_for():
    values = {name: 3 * value for name, value in values_of(models.gru).items()}
    sweep = tg.sweep_radius(values, ["U", "U_z"], (0.5, 2.0))
    for radius, changed in zip((0.5, 2.0), sweep.values(), strict=True):
        for name in ("U", "U_z"):
            assert max(abs(np.linalg.eigvals(changed[name]))) == pytest.approx(radius, rel=1e-9)
        np.testing.assert_array_equal(changed["U_r"], values["U_r"])
    elman = tg.sweep_radius(values_of(models.elman), "U", (0.5, 0.9, 1.5))
    rates = list(tg.decays(models.elman, elman, inputs(0.0)).rates.values())
    np.testing.assert_allclose(rates, np.log([0.5, 0.9, 1.5]), atol=1e-9)


@pytest.mark.parametrize("cell", [c for c in models.CELLS.values() if {"I", "H"} >= set(c.sizes)], ids=lambda c: c.name)
def test_recurrent_matrices_are_those_of_the_state(cell):
    try:
        sweep = tg.sweep_initialisers(
            cell, {"eye": lambda shape, rng: np.eye(*shape)}, sizes=dict.fromkeys(cell.sizes, 3)
        )
    except UsageError:
        assert not any(role.dims.text.split() == ["H", "H"] for role in cell.parameters.values())
        return
    for name, value in sweep["eye"].items():
        recurrent = cell.parameters[name].dims.text.split() == ["H", "H"]
        assert np.array_equal(value, np.eye(3)) == recurrent, name


# The table
def test_the_table_shows_numbers_that_are_no_floats():
    values = values_of(linear)
    text = str(tg.decays(linear, {"tiny": {**values, "U": values["U"] * 1e-30}}, inputs()))
    assert len(text.splitlines()) == 3
    assert "e-1" in text.splitlines()[2].split()[-1]
    assert distances(40) == [1, 2, 5, 10, 20, 40]
    assert distances(1) == [1]
    assert distances(50) == [1, 2, 5, 10, 20, 50]


@pytest.mark.parametrize(
    ("logarithm", "text"),
    [
        (0.0, "1"), (np.log(0.25), "0.25"), (-np.inf, "0"), (-1000 * np.log(10), "1.00e-1000"),
        (1000.5 * np.log(10), "3.16e+1000"), (np.log(9.999) + 200 * np.log(10), "1.00e+201"), (np.nan, "nan"),
    ],
)  # fmt: skip
def test_numbers_from_logarithms(logarithm, text):
    assert number(logarithm) == text


# Bad input
BAD = {
    "no setting": (UsageError, "at least one", lambda: tg.decays(linear, {}, inputs())),
    "a list": (UsageError, "dict from label", lambda: tg.decays(linear, [values_of(linear)], inputs())),
    "a name": (UsageError, "those of a cell", lambda: tg.decays("linear", {"a": {}}, inputs())),
    "an unknown bias": (UnknownNameError, "mean 'b_f'", lambda: tg.sweep_bias(values_of(models.lstm), "bf", [0])),
    "an unknown matrix": (UnknownNameError, "'V'", lambda: tg.sweep_radius(values_of(linear), "V", [1])),
    "a matrix of radius 0": (UsageError, "radius 0", lambda: tg.sweep_radius({"U": np.zeros((2, 2))}, "U", [1])),
    "a matrix that is none": (TinygraphError, "square", lambda: tg.sweep_radius({"U": np.zeros(2)}, "U", [1])),
    "an unknown initialiser": (
        UnknownNameError, "did you mean 'orthogonal'", lambda: tg.sweep_initialisers(linear, ["ortogonal"], I=2, H=3)
    ),
    "no size": (UsageError, "needs sizes", lambda: tg.sweep_initialisers(linear)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    kind, message, call = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert isinstance(caught.value, TinygraphError)
