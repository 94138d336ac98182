"""Every optimiser of the table against its paper's formulas in plain NumPy, and against PyTorch's where they coincide.

Ten updates of several parameters; the references know nothing of our classes, only of names and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinygraph.errors import UnknownNameError, UsageError
from tinygraph.models import OPTIMISERS, make_optimiser

SHAPES: dict[str, tuple[int, ...]] = {"W": (4, 3), "b": (4,), "scale": (), "nothing": (0, 3)}
UPDATES, TOLERANCE = 10, 1e-12

each_optimiser = pytest.mark.parametrize("name", OPTIMISERS)


# The references: from a list of gradients, the changes that the paper prescribes, at rate 1.
def sgd(gradients: list[Any]) -> Iterator[Any]:
    yield from gradients


def momentum(gradients: list[Any], momentum: float = 0.9) -> Iterator[Any]:
    """Polyak 1964 in the form without damping: a sum of gradients, each weighted by momentum ** age."""
    for k in range(len(gradients)):
        yield sum(momentum ** (k - j) * gradients[j] for j in range(k + 1))


def adagrad(gradients: list[Any], epsilon: float = 1e-8) -> Iterator[Any]:
    """Duchi et al. 2011, with the epsilon of min-char-rnn inside the root."""
    for k, g in enumerate(gradients):
        yield g / np.sqrt(sum(past**2 for past in gradients[: k + 1]) + epsilon)


def rmsprop(gradients: list[Any], decay: float = 0.95, epsilon: float = 1e-8) -> Iterator[Any]:
    """Tieleman and Hinton 2012: an exponential mean of squares that starts at zero."""
    for k, g in enumerate(gradients):
        mean = sum((1 - decay) * decay ** (k - j) * gradients[j] ** 2 for j in range(k + 1))
        yield g / (np.sqrt(mean) + epsilon)


def adam(gradients: list[Any], beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Iterator[Any]:
    """Kingma and Ba 2015, algorithm 1, with the moments as the sums of their equation (1)."""
    for t in range(1, len(gradients) + 1):
        m = (1 - beta1) * sum(beta1 ** (t - i) * gradients[i - 1] for i in range(1, t + 1))
        v = (1 - beta2) * sum(beta2 ** (t - i) * gradients[i - 1] ** 2 for i in range(1, t + 1))
        yield m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + epsilon)


REFERENCES = {"sgd": sgd, "momentum": momentum, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam}
NUMBERS: list[tuple[str, dict[str, float]]] = [
    *((name, {}) for name in REFERENCES),
    ("momentum", {"momentum": 0.5}),
    ("adagrad", {"epsilon": 1e-2}),
    ("rmsprop", {"decay": 0.7, "epsilon": 1e-3}),
    ("adam", {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3}),
]


def problem(seed: int = 0) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Values, and gradients of every size from 1e-3 to 1e3."""
    rng = np.random.default_rng(seed)
    values = {name: np.asarray(rng.standard_normal(shape)) for name, shape in SHAPES.items()}
    gradients = [
        {name: np.asarray(10.0 ** rng.uniform(-3, 3) * rng.standard_normal(shape)) for name, shape in SHAPES.items()}
        for _ in range(UPDATES)
    ]
    return values, gradients


def test_every_optimiser_has_a_reference():
    assert set(REFERENCES) == set(OPTIMISERS)


@pytest.mark.parametrize(("name", "numbers"), NUMBERS)
def test_against_the_paper(name, numbers):
    """After each of ten updates, with a factor on the rate that changes from one to the next."""
    values, gradients = problem()
    expected = {k: v.copy() for k, v in values.items()}
    optimiser = make_optimiser(name, 0.03, **numbers)
    changes = {k: list(REFERENCES[name]([g[k] for g in gradients], **numbers)) for k in SHAPES}
    for number, gradient in enumerate(gradients):
        factor = 1 / (1 + number)
        optimiser.update(values, gradient, factor)
        for k in SHAPES:
            expected[k] = expected[k] - factor * 0.03 * changes[k][number]
            np.testing.assert_allclose(values[k], expected[k], rtol=TOLERANCE, atol=TOLERANCE, err_msg=k)


def in_torch(name: str, torch: Any, parameters: list[Any]) -> Any:
    """PyTorch's optimiser with the options that make its formula ours.

    Its Adagrad adds epsilon to the root; the memory that starts at epsilon puts it under the root.
    """
    optim = torch.optim
    return {
        "sgd": lambda: optim.SGD(parameters, lr=0.03),
        "momentum": lambda: optim.SGD(parameters, lr=0.03, momentum=0.9, dampening=0),
        "adagrad": lambda: optim.Adagrad(parameters, lr=0.03, initial_accumulator_value=1e-8, eps=0),
        "rmsprop": lambda: optim.RMSprop(parameters, lr=0.03, alpha=0.95, eps=1e-8),
        "adam": lambda: optim.Adam(parameters, lr=0.03, betas=(0.9, 0.999), eps=1e-8),
    }[name]()


@each_optimiser
def test_against_torch(name):
    torch = pytest.importorskip("torch")
    values, gradients = problem(1)
    tensors = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in values.items()}
    theirs, ours = in_torch(name, torch, list(tensors.values())), make_optimiser(name, 0.03)
    for gradient in gradients:
        for k, tensor in tensors.items():
            tensor.grad = torch.tensor(gradient[k])
        theirs.step()
        ours.update(values, gradient)
        for k, tensor in tensors.items():
            np.testing.assert_allclose(values[k], tensor.detach().numpy(), rtol=TOLERANCE, atol=TOLERANCE, err_msg=k)


@each_optimiser
def test_update_is_in_place_and_touches_nothing_else(name):
    """The arrays stay the same objects, the gradients stay as they are, and a parameter without one stays too."""
    values, gradients = problem()
    before, same = {k: v.copy() for k, v in values.items()}, dict(values)
    given = {"W": gradients[0]["W"]}
    kept = given["W"].copy()
    optimiser = make_optimiser(name)
    optimiser.update(values, given)
    assert all(values[k] is same[k] for k in SHAPES)
    assert not np.array_equal(values["W"], before["W"])
    np.testing.assert_array_equal(values["b"], before["b"])
    np.testing.assert_array_equal(given["W"], kept)
    held = [*values.values(), given["W"]]
    assert not any(np.shares_memory(m, other) for m in optimiser.memory.values() for other in held)


@each_optimiser
def test_memory_is_all_that_the_next_update_needs(name):
    """Another optimiser with the same memory and count goes on as the first does, to the bit."""
    values, gradients = problem()
    first, second = make_optimiser(name), make_optimiser(name)
    for gradient in gradients[:5]:
        first.update(values, gradient)
    copy = {k: v.copy() for k, v in values.items()}
    second.memory, second.updates = {k: v.copy() for k, v in first.memory.items()}, first.updates
    for gradient in gradients[5:]:
        first.update(values, gradient)
        second.update(copy, gradient)
    assert all(values[k].tobytes() == copy[k].tobytes() for k in SHAPES)


@each_optimiser
def test_a_factor_of_zero_changes_no_value(name):
    values, gradients = problem()
    before = {k: v.copy() for k, v in values.items()}
    make_optimiser(name).update(values, gradients[0], 0.0)
    for k in SHAPES:
        np.testing.assert_array_equal(values[k], before[k])


@each_optimiser
def test_zero_gradients_give_no_nan(name):
    values, _ = problem()
    optimiser = make_optimiser(name)
    for _ in range(3):
        optimiser.update(values, {k: np.zeros(s) for k, s in SHAPES.items()})
    assert all(np.isfinite(v).all() for v in values.values())


@each_optimiser
def test_goes_down_a_valley(name):
    """The sum of squares, from 1 in each of five coordinates, falls by a third or more in a hundred updates."""
    values = {"x": np.ones(5)}
    optimiser = make_optimiser(name, 0.03)
    for _ in range(100):
        optimiser.update(values, {"x": 2 * values["x"]})
    assert np.sum(values["x"] ** 2) < 5 * 2 / 3


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
@each_optimiser
def test_a_rate_that_is_not_positive_is_refused(name, rate):
    with pytest.raises(UsageError, match="above 0"):
        make_optimiser(name, rate)


def test_wrong_names_are_refused():
    with pytest.raises(UnknownNameError, match=r"adagrda(?s:.*)adagrad"):
        make_optimiser("adagrda")
    with pytest.raises(UsageError, match="beta3"):
        make_optimiser("adam", beta3=0.5)
    with pytest.raises(UnknownNameError, match="'w'"):
        make_optimiser("sgd").update({"W": np.zeros(2)}, {"w": np.zeros(2)})
