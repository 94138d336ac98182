"""Enclosures: against many digits, for every cell that intervals can run, and where floats lose everything."""

from __future__ import annotations

from fractions import Fraction
from math import log
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

from tinygraph import Input, Param, State, cell, models
from tinygraph.errors import FeedError, NonFiniteError, ShapeError, TinygraphError, UnknownNameError, ValueRangeError
from tinygraph.execute.interpreter import evaluate
from tinygraph.flow.enclosure import enclose_product
from tinygraph.flow.products import log_norms_from_last
from tinygraph.flow.step_jacobians import StepMap, trajectory
from tinygraph.ops.nonlinear import relu

# Cells that intervals cannot run, and why.
WITHOUT: dict[str, str] = {}


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def norm_of(product: Any) -> Fraction:
    return Fraction(str(max(mpmath.svd_r(product, compute_uv=False))))


@pytest.mark.parametrize(("size", "steps"), [(1, 30), (2, 20), (3, 40)])
def test_an_elman_net_of_many_digits(size, steps):
    """The norm from 60 digits lies within; the enclosure is tight; a neighbour is outside."""
    p = {"W": normal(size, 2), "U": normal(size, size, seed=1), "b": normal(size, seed=2)}
    x = normal(steps, 2, seed=3)
    low, high = enclose_product(models.elman, p, x)
    with mpmath.workdps(60):
        W, U, b = (mpmath.matrix(p[k].tolist()) for k in "WUb")
        h, product = mpmath.zeros(size, 1), mpmath.eye(size)
        for row in x:
            h = (W * mpmath.matrix(row.tolist()) + U * h + b).apply(mpmath.tanh)
            product = mpmath.diag([1 - v**2 for v in h]) * U * product
        norm = norm_of(product)
    assert low <= norm <= high
    assert high - low < high * Fraction(1, 10**10)
    run = trajectory(models.elman, p, x)
    assert log(low) - 1e-9 <= log_norms_from_last(run.jacobians)[-1] <= log(high) + 1e-9
    assert not low <= norm * (1 + Fraction(1, 10**9)) <= high


def in_digits(value: Any) -> Any:
    return np.frompyfunc(lambda v: sympy.Float(float(v), 60), 1, 1)(np.asarray(value, dtype=object))


@pytest.mark.parametrize("name", models.CELLS)
def test_every_cell_of_many_digits(name):
    """States and Jacobians of three steps in SymPy numbers of 60 digits; the enclosure holds their product's norm."""
    chosen = models.CELLS[name]
    step = StepMap(chosen, dict.fromkeys(chosen.sizes, 2))
    rng, shapes = np.random.default_rng(5), chosen.shapes(step.net.sizes)
    whole = {n: rng.integers(0, 2, (3, *shapes[n])) for n, role in chosen.inputs.items() if role.kind != "real"}
    kinds = {n: v > 0 if chosen.inputs[n].kind == "boolean" else v for n, v in whole.items()}
    inputs = {n: rng.standard_normal((3, *shapes[n])) for n in chosen.inputs} | kinds
    contexts = {n: rng.standard_normal(shapes[n]) for n in chosen.contexts}
    p = {n: rng.standard_normal(shapes[n]) for n in chosen.parameters}
    arguments = {"contexts": contexts, "steps": 3, "sizes": step.net.sizes}
    if name in WITHOUT:
        with pytest.raises(TinygraphError):
            enclose_product(chosen, p, inputs, **arguments)
        return
    low, high = enclose_product(chosen, p, inputs, **arguments)
    new = {s: step.net.series[s][1] for s in chosen.states}
    states, total = {s: in_digits(np.zeros(shapes[s])) for s in new}, sympy.eye(step.size)
    for t in range(3):
        feeds = {n: in_digits(v) for n, v in (p | contexts).items()}
        feeds |= {n: (v if n in kinds else in_digits(v))[t : t + 1] for n, v in inputs.items()}
        feeds |= {f"{s}_0": v for s, v in states.items()}
        states, blocks = evaluate([new, step.block_nodes], feeds, dtype="sympy")
        joined = sympy.zeros(step.size)
        for (a, b), block in blocks.items():
            rows, columns = step.blocks[a], step.blocks[b]
            joined[rows, columns] = sympy.Matrix(np.reshape(block, (rows.stop - rows.start, -1)))
        total = joined * total
    with mpmath.workdps(60):
        norm = norm_of(mpmath.matrix([[mpmath.mpf(str(v)) for v in total.row(i)] for i in range(step.size)]))
    assert low <= norm <= high
    assert high - low <= high * Fraction(1, 10**10)
    assert not low <= norm * (1 + Fraction(1, 10**9)) <= high or norm == 0


P = {"W": [[1]], "U": [[1]], "b": [0]}


def test_the_enclosure_sees_what_floats_lose():
    """At an activation of 20 floats say 0, and far below their range it still holds."""
    low, high = enclose_product(models.elman, P, [[20]])
    assert trajectory(models.elman, P, [[20.0]]).jacobians.tolist() == [[[0.0]]]
    assert float(low) == pytest.approx(np.cosh(20) ** -2, rel=1e-10)
    assert low <= high
    low, high = enclose_product(models.elman, P, [[30]] * 30)
    assert 0 < low <= high < Fraction(1, 10**320)


def test_saturation_takes_digits():
    """At an activation of 60 the derivative is 3e-52: 40 digits know only that it is near 0, 70 know its value."""
    wide, narrow = (enclose_product(models.elman, P, [[60]], digits=d) for d in (40, 70))
    assert wide[0] == 0
    assert float(narrow[0]) == pytest.approx(np.cosh(60.0) ** -2, rel=1e-10)
    assert narrow[1] <= wide[1]


def test_wide_intervals_stay_true():
    """16 digits over a chaotic net: the enclosure is wide, and holds the narrow one of 60 digits."""
    p = {"W": np.zeros((3, 1)), "U": 4 * normal(3, 3, seed=24), "b": np.zeros(3)}
    x, start = np.zeros((30, 1)), {"h": [0.1, 0.2, 0.3]}
    wide, narrow = (enclose_product(models.elman, p, x, initial=start, digits=d) for d in (16, 60))
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]
    assert wide[1] - wide[0] > 100 * (narrow[1] - narrow[0])


def test_exact_numbers_of_every_kind():
    """Fractions are themselves: h' = tanh(h / 3) at h = 0 has the slope 1/3, which no float is."""
    low, high = enclose_product(models.elman, P | {"U": [[Fraction(1, 3)]]}, [[0]])
    assert low <= Fraction(1, 3) <= high


def test_an_enclosure_of_zero():
    p = {"W": np.eye(2, dtype=int), "U": [[2, 2], [-2, -2]], "b": [0, 0]}
    assert enclose_product(models.elman, p, np.zeros((2, 2), int)) == (0, 0)


def test_a_kink_is_both_slopes():
    """relu at exactly 0 is undecided between floats and the truth; away from it the slope is one number."""

    @cell
    def kinked(x: Input["H"], h: State["H"], U: Param["H H"]):
        return relu(U @ h + x)

    assert enclose_product(kinked, {"U": [[3]]}, [[-1], [-1]])[1] == 0
    low, high = enclose_product(kinked, {"U": [[3]]}, [[1], [1]])
    assert low <= 9 <= high < 9 + Fraction(1, 10**9)


def test_intervals_are_one_more_way_to_run_a_graph():
    (found,) = evaluate(StepMap(models.elman, I=1, H=1).net.h[1], {**P, "x": [[1]], "h_0": [0]}, dtype="interval")
    with mpmath.workdps(60):
        assert found.a <= mpmath.tanh(1) <= found.b
    assert found.delta.b < 1e-38


def test_mpmath_keeps_its_precision():
    before = mpmath.iv.prec, mpmath.mp.prec
    enclose_product(models.elman, P, [[1]], digits=77)
    assert (mpmath.iv.prec, mpmath.mp.prec) == before


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (FeedError, "'b'", lambda: enclose_product(models.elman, {"W": [[1]], "U": [[1]]}, [[1]])),
        (ShapeError, "size|shape|rank", lambda: enclose_product(models.elman, P, [[1, 2]])),
        (ShapeError, "size|shape|rank", lambda: enclose_product(models.elman, P | {"U": [[1, 2]]}, [[1]])),
        (ShapeError, "size|shape|rank", lambda: enclose_product(models.elman, P, [1])),
        (UnknownNameError, "V", lambda: enclose_product(models.elman, P | {"V": [[1]]}, [[1]])),
        (ValueRangeError, "digits", lambda: enclose_product(models.elman, P, [[1]], digits=5)),
        (FeedError, "the feed is", lambda: enclose_product(models.elman, P, [["1"]])),
        (NonFiniteError, "nan", lambda: enclose_product(models.elman, P, [[float("nan")]])),
    ],
)
def test_wrong_input(error, match, call):
    with pytest.raises(error, match=match):
        call()
