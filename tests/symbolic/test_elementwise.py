"""Layer E: SymPy's derivative of every cell agrees with its words, and wrong words are named by entry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy
from helpers.zoo import KINKED, RECTANGULAR, few, sizes_of

from tinygraph import models
from tinygraph.cells import Input, State, cell
from tinygraph.errors import DifferentiationError
from tinygraph.execute.arrays import NumpyArrays
from tinygraph.graph.letters import Matrix
from tinygraph.ops.nonlinear import relu
from tinygraph.symbolic.elementwise import OwnSymbols, is_zero, mismatches
from tinygraph.symbolic.words import step_words

FUNCTIONS = ("tanh", "sigmoid", "exp", "log", "sqrt", "softplus", "sin", "cos")


SMOOTH = [name for name in models.CELLS if name not in KINKED]


@pytest.mark.parametrize("name", SMOOTH)
def test_every_entry_agrees(name):
    made = models.CELLS[name]
    assert mismatches(step_words(made, sizes=sizes_of(made, 2))) == []


@pytest.mark.parametrize("name", few(SMOOTH))
def test_every_entry_agrees_in_three_dimensions(name):
    made = models.CELLS[name]
    assert mismatches(step_words(made, sizes=sizes_of(made, 3))) == []


def transposed(words):
    return {
        tuple(Matrix(one.node, not one.transposed) if isinstance(one, Matrix) else one for one in word): c
        for word, c in words.items()
    }


WRONG = {
    "dropped": lambda words: dict(list(words.items())[1:]),
    "sign": lambda words: {word: -c for word, c in words.items()},
    "transposed": transposed,
    "order": lambda words: {word[::-1]: c for word, c in words.items()},
}


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("name", few(name for name in SMOOTH if name not in RECTANGULAR))
def test_wrong_words_are_named_by_entry(name, how):
    step = step_words(models.CELLS[name])
    block, words = next(iter(step.compact.items()))
    if WRONG[how](words) == words:
        pytest.skip("a single letter has no order")
    found = mismatches(replace(step, compact={**step.compact, block: WRONG[how](words)}))
    assert found
    assert found[0].block == block
    assert found[0].difference != "0"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_has_the_derivative_that_differences_give(name):
    """With the own symbols replaced by their values."""
    arrays, numbers = OwnSymbols(), NumpyArrays(np.float64)
    x = sympy.Symbol("x")
    (slope,) = arrays.derivatives([arrays.symbol(name, x)], x)
    at = 0.7
    given = {x: at, **{s: float(getattr(numbers, f)(np.float64(at))) for (f, _), s in arrays.known.items()}}
    above, below = (float(getattr(numbers, name)(np.float64(at + move))) for move in (1e-6, -1e-6))
    expected = (above - below) / 2e-6
    assert float(slope.xreplace(given)) == pytest.approx(expected, rel=1e-8)


def test_zero_is_decided_by_expanding():
    x, y = sympy.symbols("x y")
    assert is_zero((x + y) ** 2 - x**2 - 2 * x * y - y**2)
    assert is_zero(1 / (1 + x) - 1 / (1 + y) - (y - x) / ((1 + x) * (1 + y)))
    assert not is_zero((x + y) ** 2 - x**2 - x * y - y**2)


def test_what_is_not_smooth_is_refused():
    @cell
    def kinked(x: Input["H"], h: State["H"]):
        return relu(x + h)

    with pytest.raises(DifferentiationError, match="not smooth"):
        mismatches(step_words(kinked))
