"""Initial values of parameters, by name. Randomness is always an argument.

Each parameter draws from a stream of its own, made from the seed and the parameter's name: adding
a parameter to a net does not change the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Any
from zlib import crc32

import numpy as np

from .errors import ShapeError, UnknownNameError, UsageError, expect, nearest
from .graph.node import Node
from .shapes import Shape

Initialiser = Callable[[Shape, "np.random.Generator"], np.ndarray[Any, Any]]  # quoted: loads numpy.random late


def _fans(shape: Shape) -> tuple[int, int]:
    """Inputs and outputs of a weight (out, in, ...)."""
    if len(shape) < 2:
        return prod(shape), prod(shape)
    return prod(shape[1:]), shape[0]


def glorot(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Uniform in +-sqrt(6 / (inputs + outputs)). Glorot and Bengio 2010, eq. 16."""
    bound = sqrt(6 / max(1, sum(_fans(shape))))
    return rng.uniform(-bound, bound, shape)


def uniform(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Uniform in +-1/sqrt(inputs)."""
    bound = 1 / sqrt(max(1, _fans(shape)[0]))
    return rng.uniform(-bound, bound, shape)


def normal(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Normal with standard deviation 0.01, as in min-char-rnn."""
    return 0.01 * rng.standard_normal(shape)


def gaussian(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Normal with variance 1 / inputs: the spectral radius of a large square matrix is near 1.

    Girko 1984, doi:10.1137/1129095 (the circular law).
    """
    return rng.standard_normal(shape) / sqrt(max(1, _fans(shape)[0]))


def orthogonal(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Orthonormal rows or columns, uniformly distributed. Saxe et al. 2014, arXiv:1312.6120.

    Mezzadri 2007, arXiv:math-ph/0609050: the signs of R's diagonal make the QR factor uniform.
    """
    if len(shape) < 2 or 0 in shape:
        return normal(shape, rng) * 100
    rows, columns = shape[0], prod(shape[1:])
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diagonal(r))
    return np.ascontiguousarray(q if rows >= columns else q.T).reshape(shape)


def identity(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """The identity matrix. Le, Jaitly and Hinton 2015, arXiv:1504.00941."""
    if len(shape) != 2:
        raise UsageError(f"the identity initialises matrices, not shape {shape}")
    return np.eye(*shape)


def zeros(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """All 0."""
    return np.zeros(shape)


def ones(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """All 1, as for the bias of a forget gate. Gers et al. 2000; Jozefowicz et al. 2015."""
    return np.ones(shape)


def minus_ones(shape: Shape, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """All -1, as for the transform gate of a highway layer. Srivastava et al. 2015, arXiv:1505.00387."""
    return -np.ones(shape)


INITIALISERS: dict[str, Initialiser] = {
    f.__name__: f for f in (glorot, uniform, normal, gaussian, orthogonal, identity, zeros, ones, minus_ones)
}


def check_initialiser(name: str) -> Initialiser:
    """The initialiser of that name. Raises `UnknownNameError`."""
    if name not in INITIALISERS:
        raise UnknownNameError(f"no initialiser {name!r}", fix=nearest(name, INITIALISERS))
    return INITIALISERS[name]


def initialise(
    parameters: Mapping[str, Node], seed: int = 0, how: str | Mapping[str, str | Initialiser] | None = None
) -> dict[str, np.ndarray[Any, Any]]:
    """Initial values by parameter name, in float64.

    `how` overrides the declared initialisers: one name for every matrix (vectors keep theirs), or
    a dict from parameter name to initialiser. The same seed gives the same values.
    Raises `UnknownNameError`, `UsageError`.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise UsageError(f"a seed is a whole number of 0 or more, not {seed!r}")
    expect(how, (str, Mapping, type(None)), "`how` is a name or a dict", "see tinygraph.initialise")
    chosen: Mapping[str, str | Initialiser] = how if isinstance(how, Mapping) else {}
    names = {node.attrs["name"] for node in parameters.values()} | set(parameters)
    for name in chosen:
        if name not in names:
            raise UnknownNameError(f"no parameter {name!r} to initialise", fix=nearest(name, names))
    values = {}
    for key, node in parameters.items():
        name = node.attrs["name"]
        default = how if isinstance(how, str) and node.ndim >= 2 else _declared(node)
        initialiser = chosen.get(key, chosen.get(name, default))
        function = check_initialiser(initialiser) if isinstance(initialiser, str) else initialiser
        expect(function, Callable, f"{name!r} is initialised by a name or a function", nearest("", INITIALISERS))  # type: ignore[arg-type]  # an abstract type
        value = np.asarray(function(node.shape, np.random.default_rng([int(seed), crc32(name.encode())])))
        if value.shape != node.shape:
            fix = f"an initialiser takes (shape, rng) and gives an array of shape {node.shape}"
            raise ShapeError(f"the initialiser of {name!r} gave shape {value.shape}", [node.describe()], fix)
        values[name] = value
    return values


def _declared(node: Node) -> str:
    declared: str = node.attrs["initial"]
    return declared or ("glorot" if node.ndim >= 2 else "zeros")
