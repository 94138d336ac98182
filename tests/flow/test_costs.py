"""Costs counted on the graph: by hand for small graphs, and how they grow with T, S and p."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tests.helpers.networks import HIDDEN, SIZES
from tinygraph import models
from tinygraph.errors import UsageError
from tinygraph.flow.costs import PRODUCTS
from tinygraph.models import CELLS


# One graph
def test_by_hand():
    """y = W x (6 products), z = y * y (2), sum: held at most are x (3) beside y (2), as z replaces y."""
    g = tg.Graph()
    y = g.parameter("W", (2, 3)) @ g.input("x", (3,))
    assert tg.cost_of(y) == tg.Cost(6, 5, 5)
    assert tg.cost_of(tg.sum(y * y)) == tg.Cost(8, 5, 5)
    assert tg.cost_of([y, tg.sum(y * y)]) == tg.Cost(8, 5, 5)
    assert tg.cost_of(tg.outer(y, y)) == tg.Cost(10, 6, 6)


def test_a_sum_that_takes_its_terms_at_once():
    """x (2) and ten outer products (4 each) and their sum (4); accumulated, the sum so far and one term."""
    g = tg.Graph()
    x = g.input("x", (2,))
    terms = [tg.outer(x, x * k) for k in range(2, 12)]
    assert tg.cost_of(tg.add(terms)) == tg.Cost(10 * (2 + 4), 10 * 4 + 4, 2 + 2 + 4 + 4)


def test_terms_that_others_read_are_not_taken():
    """x, the two terms that the product reads, the sum so far, and one term: 2 each."""
    g = tg.Graph()
    x = g.input("x", (2,))
    terms = [x * k for k in range(2, 8)]
    both = [tg.add(terms), tg.mul(terms[0], terms[1])]
    assert tg.cost_of(both) == tg.Cost(6 * 2 + 2, 7 * 2, 5 * 2)


def counted(op: str, *operands: object) -> int:
    """Multiplications of the op written out with numbers that count."""
    count = 0

    class Number:
        def __mul__(self, other: object) -> Number:
            nonlocal count
            count += 1
            return Number()

        def __add__(self, other: object) -> Number:
            return Number()

        __radd__ = __rmul__ = __add__

    arrays = [np.array([Number() for _ in range(int(np.prod(s)))], dtype=object).reshape(s) for s in operands]
    forms = {"matmul": np.matmul, "outer": np.multiply.outer, "mul": np.multiply, "dot": lambda a, b: sum(a * b)}
    forms["bilinear"] = lambda x, A, z: [sum(x * np.matmul(M, z)) for M in (A if A.ndim == 3 else [A])]
    forms[op](*arrays)
    return count


@pytest.mark.parametrize(
    ("op", "shapes"),
    [
        ("matmul", ((2, 3), (3,))), ("matmul", ((3,), (3, 4))), ("matmul", ((2, 3), (3, 4))), ("matmul", ((3,), (3,))),
        ("outer", ((2,), (3,))), ("mul", ((2, 3), (2, 3))), ("dot", ((3,), (3,))),
        ("bilinear", ((2,), (2, 3), (3,))), ("bilinear", ((2,), (4, 2, 3), (3,))),
    ],
)  # fmt: skip
def test_products_are_counted_as_they_are_done(op, shapes):
    g = tg.Graph()
    node = tg.OPS[op](*(g.parameter(f"p{k}", shape) for k, shape in enumerate(shapes)))
    assert PRODUCTS[op](node) == counted(op, *shapes)


def test_a_chain_holds_two_values_whatever_its_length():
    g = tg.Graph()
    x = g.input("x", (5,))
    for _ in range(1000):
        x = tg.tanh(x)
    assert tg.cost_of(x) == tg.Cost(0, 10, 10)


def test_results_are_held_to_the_end():
    g = tg.Graph()
    chain = [tg.tanh(g.input("x", (5,)))]
    for _ in range(3):
        chain.append(tg.tanh(chain[-1]))
    assert tg.cost_of(chain).memory == 4 * 5
    assert tg.cost_of(chain[-1]).memory == 2 * 5


# Both gradients
def sizes_of(name: str) -> dict[str, int]:
    return {size: SIZES.get(size, HIDDEN) for size in CELLS[name].sizes}


@pytest.mark.parametrize("name", CELLS)
def test_growth_with_the_number_of_steps(name):
    """Backwards, both costs grow by the same number each step; forwards, memory stays as it is."""
    costs = tg.compare_costs(CELLS[name], range(6, 11), sizes_of(name))  # shorter nets peak elsewhere
    for what in ("multiplications", "memory", "accumulated"):
        growth = np.diff([getattr(cost, what) for cost in costs.backwards.values()])
        assert growth.min() == growth.max() > 0
    assert len({cost.memory for cost in costs.forwards.values()}) == 1
    per_step = {cost.multiplications / t for t, cost in costs.forwards.items()}
    assert len(per_step) == 1
    assert per_step.pop() >= costs.state**2 * costs.parameters
    assert costs.forwards[6].memory >= 2 * costs.state * costs.parameters  # the old P and the new


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_orders(name):
    """As H doubles, p is 4 times as large and S twice; of what grows with T backwards, and of all forwards."""
    small, large = (tg.compare_costs(CELLS[name], (20, 40), I=1, H=H) for H in (24, 48))

    def ratio(way: str, what: str) -> float:
        step = [
            getattr(getattr(c, way)[40], what) - (getattr(getattr(c, way)[20], what) if way == "backwards" else 0)
            for c in (small, large)
        ]
        return step[1] / step[0]

    assert ratio("backwards", "multiplications") == pytest.approx(4, rel=0.1)
    assert ratio("backwards", "memory") == pytest.approx(4, rel=0.1)
    assert ratio("backwards", "accumulated") == pytest.approx(2, rel=0.1)
    assert ratio("forwards", "multiplications") == pytest.approx(16, rel=0.1)
    assert ratio("forwards", "memory") == pytest.approx(8, rel=0.1)


def test_the_table():
    text = str(tg.compare_costs(models.elman, (1, 10), I=2, H=3))
    assert "S = 3, parameters p = 18" in text
    assert "T S^2 p" in text
    assert f"{3 * 3 * 18:,}" in text


def test_bad_input_is_refused():
    for call in (
        lambda: tg.compare_costs("elman"),
        lambda: tg.compare_costs(models.elman, (), I=2, H=3),
        lambda: tg.compare_costs(models.elman, (0,), I=2, H=3),
        lambda: tg.cost_of(3),
    ):
        with pytest.raises(UsageError):
            call()
