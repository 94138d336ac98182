"""Initial values: bounds, orthogonality, the forget bias, and that each parameter draws from a stream of its own."""

import os
import subprocess
import sys

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.initialisers import INITIALISERS

SHAPES = [(), (5,), (40, 30), (30, 40), (25, 25), (3, 4, 5), (1, 7), (0, 3)]


def value(name, shape, seed=0):
    """A parameter of its own tape, initialised by name."""
    graph = tg.Graph()
    graph.parameter("W", shape, initial=name)
    return tg.initialise(graph.parameters, seed)["W"]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", sorted(INITIALISERS))
def test_shape_dtype_and_finiteness(name, shape):
    if name == "identity" and len(shape) != 2:
        with pytest.raises(tg.errors.UsageError, match="matrices"):
            value(name, shape)
        return
    found = value(name, shape)
    assert found.shape == shape
    assert found.dtype == np.float64
    assert np.all(np.isfinite(found))
    assert INITIALISERS[name].__doc__.strip(), "each says what it is, and whose"


@pytest.mark.parametrize(("name", "bound"), [("glorot", np.sqrt(6 / (300 + 200))), ("uniform", 1 / np.sqrt(200))])
def test_bounds_of_the_uniform_ones(name, bound):
    """All of the range is used, and nothing outside it: the variance of a uniform is bound^2 / 3."""
    W = value(name, (300, 200))
    assert np.abs(W).max() <= bound
    assert np.abs(W).max() > 0.999 * bound
    assert abs(W.mean()) < 0.01 * bound
    np.testing.assert_allclose(W.var(), bound**2 / 3, rtol=0.02)


def test_the_normal_one():
    W = value("normal", (300, 200))
    np.testing.assert_allclose(W.std(), 0.01, rtol=0.02)
    assert abs(W.mean()) < 1e-4
    np.testing.assert_allclose(((W / W.std()) ** 4).mean(), 3, rtol=0.05)


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (1, 4), (4, 1), (5, 2, 3)], ids=str)
def test_orthogonal(shape):
    """Orthonormal columns of a tall matrix, rows of a wide one; a tensor is a matrix of its first axis and the rest."""
    Q = value("orthogonal", shape).reshape(shape[0], -1)
    tall = Q if Q.shape[0] >= Q.shape[1] else Q.T
    np.testing.assert_allclose(tall.T @ tall, np.eye(tall.shape[1]), atol=1e-14)


def test_orthogonal_matrices_are_spread_over_all():
    """Signs are not those that QR happens to give: entries have mean 0 and variance 1/n, both determinants occur."""
    found = np.array([value("orthogonal", (4, 4), seed) for seed in range(400)])
    assert np.abs(found.mean(axis=0)).max() < 0.1
    np.testing.assert_allclose((found**2).mean(axis=0), 0.25, atol=0.06)
    signs = np.sign(np.linalg.det(found))
    assert 0.4 < np.mean(signs > 0) < 0.6


def test_constants():
    assert value("zeros", (2, 3)).tolist() == [[0, 0, 0]] * 2
    assert value("ones", (3,)).tolist() == [1, 1, 1]
    assert value("minus_ones", (2,)).tolist() == [-1, -1]
    assert value("identity", (2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_without_a_name_vectors_are_zero_and_matrices_not():
    assert value("", (4,)).tolist() == [0] * 4
    W = value("", (4, 5))
    assert np.abs(W).max() <= np.sqrt(6 / 9)
    assert np.all(W != 0)


def test_the_forget_bias_is_one():
    values = tg.unroll(models.lstm, 1, I=2, H=3).initial(seed=0)
    assert values["b_f"].tolist() == [1, 1, 1]
    assert [values[b].tolist() for b in ("b_i", "b_g", "b_o")] == [[0, 0, 0]] * 3


@pytest.mark.parametrize("name", models.CELLS)
def test_every_parameter_of_a_cell_has_a_value(name):
    cell = models.CELLS[name]
    net = tg.unroll(cell, 1, sizes=dict.fromkeys(cell.sizes, 3))
    values = net.initial(seed=0)
    assert {key: v.shape for key, v in values.items()} == {key: p.shape for key, p in net.parameters.items()}
    matrices = [v for v in values.values() if v.ndim == 2]
    assert not any(np.array_equal(a, b) for i, a in enumerate(matrices) for b in matrices[:i] if np.any(a != np.eye(3)))


# Randomness is an argument
def test_the_same_seed_gives_the_same_values():
    net = tg.unroll(models.lstm, 1, I=2, H=3)
    first, again, other = net.initial(seed=3), net.initial(seed=3), net.initial(seed=4)
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert any(np.any(first[name] != other[name]) for name in first)


def test_global_randomness_is_neither_used_nor_moved():
    net = tg.unroll(models.gru, 1, I=2, H=3)
    np.random.seed(0)
    first, state = net.initial(seed=1), np.random.get_state()[1].copy()
    np.random.seed(99)
    second = net.initial(seed=1)
    np.random.seed(0)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert np.array_equal(np.random.get_state()[1], state)


def test_a_parameter_does_not_depend_on_the_others():
    """Adding a readout, a layer or another cell before it leaves the values of a net as they were."""
    plain = tg.unroll(models.elman, 1, I=2, H=3).initial(seed=5)
    with_readout = tg.unroll(models.elman, 1, I=2, H=3)
    models.readout(with_readout, 4)
    graph = tg.Graph()
    graph.parameter("first", (7, 7))
    later = tg.unroll(models.elman, 1, I=2, H=3, graph=graph)
    for values in (with_readout.initial(seed=5), later.initial(seed=5)):
        assert all(np.array_equal(values[name], plain[name]) for name in plain)


def test_parameters_of_one_shape_differ():
    values = models.stack(models.elman, 1, layers=2, I=3, H=3).initial(seed=0)
    matrices = [value for value in values.values() if value.ndim == 2]
    assert len({matrix.tobytes() for matrix in matrices}) == len(matrices)


def test_values_do_not_depend_on_the_hash_seed():
    command = (
        "import tinygraph as tg; from tinygraph import models; print(tg.unroll(models.gru, 1, I=2, H=2).initial(7))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", command], env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("0", "77")
    }
    assert len(found) == 1


# How
def test_one_name_for_all_matrices():
    """Vectors keep what they are declared as."""
    values = tg.unroll(models.lstm, 1, I=3, H=3).initial(seed=0, how="identity")
    for found in values.values():
        if found.ndim == 2:
            assert np.array_equal(found, np.eye(3))
    assert values["b_f"].tolist() == [1, 1, 1]


def test_a_name_or_a_function_for_each():
    net = tg.unroll(models.elman, 1, I=2, H=2)
    values = net.initial(how={"U": "identity", "b": lambda shape, rng: rng.random(shape) + 7})
    assert values["U"].tolist() == [[1, 0], [0, 1]]
    assert np.all(values["b"] >= 7)
    assert np.array_equal(values["W"], net.initial()["W"])


def test_scoped_parameters_are_found_by_their_full_name():
    net = models.stack(models.elman, 1, layers=2, I=2, H=2)
    values = net.initial(how={"layer2/U": "identity"})
    assert values["layer2/U"].tolist() == [[1, 0], [0, 1]]
    assert values["layer1/U"].tolist() != [[1, 0], [0, 1]]


def test_both_names_of_the_method():
    net = tg.unroll(models.elman, 1, I=2, H=2)
    assert np.array_equal(net.initial(seed=2)["W"], net.init_parameters(seed=2)["W"])
