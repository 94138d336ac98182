"""Optimisers: each turns a gradient into a change of a parameter, with a memory of its own.

The memory is a plain dict of arrays, so that a checkpoint can hold it; the numbers that an optimiser
takes are its keyword arguments.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygraph.errors import ShapeError, UnknownNameError, UsageError, nearest

Values = dict[str, np.ndarray[Any, Any]]


class Optimiser(ABC):
    """Base: keeps the memory, counts the updates, and applies the change of each parameter.

    `remembers` names what is kept for each parameter.
    """

    remembers: tuple[str, ...] = ()

    def __init__(self, rate: float, **numbers: float) -> None:
        for name, number in {"rate": rate, **numbers}.items():
            if (
                not isinstance(number, (int, float))
                or not 0 <= number < float("inf")
                or (name == "rate" and number == 0)
            ):
                raise UsageError(f"{name} cannot be {number!r:.60}", fix="a rate is above 0, the others 0 or more")
        self.rate = rate
        self.numbers = numbers
        self.updates = 0
        self.memory: Values = {}  # "<what>/<parameter>" -> array

    def update(self, values: Values, gradients: Mapping[str, Any], factor: float = 1.0) -> None:
        """Change `values` by one step, in place; `factor` scales the rate, as a schedule does."""
        self.updates += 1
        for name, gradient in gradients.items():
            if name not in values:
                raise UnknownNameError(f"a gradient for {name!r:.60}, which has no value", fix=nearest(name, values))
            gradient = np.asarray(gradient)
            if gradient.shape != values[name].shape:
                raise ShapeError(f"{name!r:.60} has shape {values[name].shape}, its gradient {gradient.shape}")
            values[name] -= factor * self.rate * self.direction(name, gradient)

    @abstractmethod
    def direction(self, name: str, gradient: np.ndarray[Any, Any]) -> Any:
        """What is subtracted, per unit of the rate."""

    def remembered(self, what: str, name: str, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """An array of the memory, zero at first, to be changed in place."""
        return self.memory.setdefault(f"{what}/{name}", np.zeros_like(like))


class SGD(Optimiser):
    """value -= rate * gradient. Robbins and Monro 1951."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__(rate)

    def direction(self, name: str, gradient: np.ndarray[Any, Any]) -> Any:
        return gradient


class Momentum(Optimiser):
    """v = momentum * v + gradient; value -= rate * v. Polyak 1964."""

    remembers = ("velocity",)

    def __init__(self, rate: float = 0.1, momentum: float = 0.9) -> None:
        super().__init__(rate, momentum=momentum)

    def direction(self, name: str, gradient: np.ndarray[Any, Any]) -> Any:
        velocity = self.remembered("velocity", name, gradient)
        velocity *= self.numbers["momentum"]
        velocity += gradient
        return velocity


class Adagrad(Optimiser):
    """value -= rate * gradient / sqrt(sum of squared gradients + epsilon).

    Duchi, Hazan and Singer 2011, JMLR 12; with epsilon inside the root, as in min-char-rnn.
    """

    remembers = ("squares",)

    def __init__(self, rate: float = 0.1, epsilon: float = 1e-8) -> None:
        super().__init__(rate, epsilon=epsilon)

    def direction(self, name: str, gradient: np.ndarray[Any, Any]) -> Any:
        squares = self.remembered("squares", name, gradient)
        squares += gradient * gradient
        return gradient / np.sqrt(squares + self.numbers["epsilon"])


class RMSProp(Optimiser):
    """s = decay * s + (1 - decay) * gradient^2; value -= rate * gradient / (sqrt(s) + epsilon).

    Tieleman and Hinton 2012, lecture 6.5 of "Neural networks for machine learning".
    """

    remembers = ("squares",)

    def __init__(self, rate: float = 0.002, decay: float = 0.95, epsilon: float = 1e-8) -> None:
        super().__init__(rate, decay=decay, epsilon=epsilon)

    def direction(self, name: str, gradient: np.ndarray[Any, Any]) -> Any:
        squares = self.remembered("squares", name, gradient)
        squares += (1 - self.numbers["decay"]) * (gradient * gradient - squares)
        return gradient / (np.sqrt(squares) + self.numbers["epsilon"])


class Adam(Optimiser):
    """Moments of the gradient and of its square, each corrected for starting at zero.

    Kingma and Ba 2015, arXiv:1412.6980, algorithm 1.
    """

    remembers = ("mean", "square")

    def __init__(self, rate: float = 0.002, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        super().__init__(rate, beta1=beta1, beta2=beta2, epsilon=epsilon)

    def direction(self, name: str, gradient: np.ndarray[Any, Any]) -> Any:
        beta1, beta2 = self.numbers["beta1"], self.numbers["beta2"]
        mean, square = self.remembered("mean", name, gradient), self.remembered("square", name, gradient)
        mean += (1 - beta1) * (gradient - mean)
        square += (1 - beta2) * (gradient * gradient - square)
        corrected = np.sqrt(square / (1 - beta2**self.updates)) + self.numbers["epsilon"]
        return mean / (1 - beta1**self.updates) / corrected


OPTIMISERS: dict[str, type[Optimiser]] = {
    "sgd": SGD, "momentum": Momentum, "adagrad": Adagrad, "rmsprop": RMSProp, "adam": Adam,
}  # fmt: skip


def make_optimiser(name: str, rate: float | None = None, **numbers: float) -> Optimiser:
    """The optimiser of that name, with its own default rate unless one is given. Raises `UnknownNameError`."""
    if name not in OPTIMISERS:
        raise UnknownNameError(f"no optimiser {name!r:.60}", fix=nearest(name, OPTIMISERS))
    given = numbers if rate is None else {"rate": rate, **numbers}
    try:
        return OPTIMISERS[name](**given)
    except TypeError as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{name} does not take {', '.join(numbers)}") from None
