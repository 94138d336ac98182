"""Layer S: arithmetic against fractions, the rules of derivatives against floats, and chance kept in bounds."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.errors import DifferentiationError
from tinygraph.execute.arrays import NumpyArrays
from tinygraph.symbolic.field import (
    SLOPES,
    Element,
    FieldArrays,
    P,
    element,
    tangent_array,
    tangents,
    values,
    without_tangents,
)

NUMBERS = [Fraction(0), Fraction(3), Fraction(-5, 7), Fraction(22, 9)]


def test_p_is_the_mersenne_prime():
    assert P == 2305843009213693951
    assert all(pow(a, P - 1, P) == 1 for a in (2, 3, 5, 7, 11, 13))


@pytest.mark.parametrize("a", NUMBERS)
@pytest.mark.parametrize("b", NUMBERS[1:])
def test_arithmetic_is_that_of_fractions(a, b):
    x, y = element(a), element(b)
    assert [x + y, x - y, x * y, x / y, -x, y**3, y**-2] == [a + b, a - b, a * b, a / b, -a, b**3, b**-2]
    assert [1 + y, 1 - y, 2 * y, 1 / y] == [1 + b, 1 - b, 2 * b, 1 / b]


def test_floats_are_their_exact_ratios():
    assert element(0.1) == Fraction(0.1)
    assert element(0.1) != Fraction(1, 10)


def test_derivatives_of_products_and_quotients():
    """At x = 3: d (x^2 / (1 + x)) = (x^2 + 2x) / (1 + x)^2 = 15 / 16."""
    x = Element(3, 1)
    assert Element(((x * x) / (1 + x)).tangent) == Fraction(15, 16)
    assert Element((2 - x**-1).tangent) == Fraction(1, 9)


def test_a_division_by_zero_is_an_error():
    with pytest.raises(DifferentiationError, match="division by 0"):
        element(1) / element(0)


@pytest.mark.parametrize("name", SLOPES)
def test_the_slopes_are_those_of_the_functions(name):
    """The rule over floats, against differences of the function."""
    xp = NumpyArrays(np.float64)
    floats = SimpleNamespace(value_at=lambda function, x: float(getattr(xp, function)(np.float64(x))))

    def function(at: float) -> float:
        return float(getattr(xp, name)(np.float64(at)))

    for x in (0.3, 1.7):
        expected = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
        assert SLOPES[name](floats, x, function(x)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("name", SLOPES)
def test_a_nonlinearity_is_random_but_the_same_for_the_same_argument(name):
    xp = FieldArrays(0)
    x = xp.draw((3,))
    first, again, other = (getattr(xp, name)(v) for v in (x, x, xp.draw((3,))))
    assert values(first) == values(again)
    assert not set(values(first)) & set(values(other))
    assert tangents(first) == tangents(again) != [0, 0, 0]


def test_the_same_seed_draws_the_same_numbers():
    first, again, other = (values(FieldArrays(s).draw((4,))) for s in (1, 1, 2))
    assert first == again != other


def test_products_of_matrices_are_exact():
    xp = FieldArrays(3)
    a, b = xp.draw((3, 4)), xp.draw((4,))
    expected = [sum(x.value * y.value for x, y in zip(row, b, strict=True)) % P for row in a]
    assert values(xp.matmul(a, b)) == expected


def test_derivatives_become_numbers_or_are_dropped():
    x = FieldArrays(0).draw((2, 2))
    assert values(tangent_array(x)) == tangents(x)
    assert tangents(without_tangents(x)) == [0] * 4
    assert values(without_tangents(x)) == values(x)


def test_degrees_bound_the_chance_of_an_error():
    """x y^2 has degree 3, and its derivative too; a nonlinearity starts anew at 1."""
    xp = FieldArrays(0)
    x, y = xp.draw((2,))
    product = x * y * y
    assert (product.degree, product.rise) == (3, 3)
    assert xp.smooth("tanh", product).degree == 1
    assert xp.smooth("tanh", product).rise == 2 + 3
    assert xp.error_bound(5) == 5 / P
    xp.smooth("tanh", x)
    assert xp.error_bound(5) == (5 + 3) / P


def test_equal_polynomials_agree_and_different_ones_do_not():
    x, y = FieldArrays(5).draw((2,))
    assert (x + y) ** 2 == x * x + 2 * x * y + y * y
    assert (x + y) ** 2 != x * x + x * y + y * y


def test_softmax_sums_to_one():
    xp = FieldArrays(0)
    assert xp.sum(xp.softmax(xp.draw((4,)), (-1,)), (-1,), False) == 1


def test_what_the_field_has_not_is_refused():
    xp = FieldArrays(0)
    with pytest.raises(DifferentiationError):
        xp.power(xp.draw((2,)), Fraction(1, 2))


def test_truth_values_are_the_same_for_the_same_numbers():
    xp = FieldArrays(0)
    a, b = xp.draw((50,)), xp.draw((50,))
    truth = xp.greater(a, b)
    assert truth.dtype == bool
    assert 5 < truth.sum() < 45
    assert (truth == xp.less(b, a)).all()
    assert (truth == ~xp.less_equal(a, b)).all()


@pytest.mark.parametrize("name", [n for n in SLOPES if n in tg.OPS])
def test_each_function_of_the_field_is_a_row(name):
    assert tg.OPS[name].elementwise
