"""Bounds on step Jacobians: above every block that can be found, equal where they must be, and able to fail."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinygraph import cell, models
from tinygraph.cells import Cell, Input, Param, State
from tinygraph.errors import UnknownNameError, UsageError
from tinygraph.flow.step_jacobians import trajectory
from tinygraph.flow.word_bounds import StepBound, step_bound
from tinygraph.graph.op import Limits
from tinygraph.ops.nonlinear import tanh
from tinygraph.symbolic.words import NoWordsError

SIZE = 4
FEW, MANY = 6, 60


def bounded_cells() -> list[Cell]:
    found = []
    for one in models.CELLS.values():
        try:
            step_bound(one)
        except NoWordsError:
            continue
        found.append(one)
    return found


def sizes_of(cell: Cell) -> dict[str, int]:
    return dict.fromkeys(cell.sizes, SIZE)


def worst_ratio(bound: StepBound, cell: Cell, tries: int, largest_state: float = 1.0) -> float:
    """The largest norm of a block over its bound, at random points of very different sizes."""
    rng, worst = np.random.default_rng(0), 0.0
    shapes = cell.shapes(sizes_of(cell))
    for _ in range(tries):
        scale = 10.0 ** rng.uniform(-2, 1)
        given = {n: scale * rng.normal(size=shapes[n]) for n in (*cell.inputs, *cell.contexts, *cell.parameters)}
        given |= {n: given[n] > 0 for n, role in cell.inputs.items() if role.kind == "boolean"}
        states = {n: rng.uniform(-largest_state, largest_state, size=shapes[n]) for n in cell.states}
        point = trajectory(
            cell,
            {n: given[n] for n in cell.parameters},
            {n: given[n][None] for n in cell.inputs},
            contexts={n: given[n] for n in cell.contexts},
            initial=states,
            steps=1,
        )
        feeds = {n: v[None] if n in cell.inputs else v for n, v in given.items()} | states
        for (new, old), most in bound.at(feeds).items():
            actual = float(np.linalg.norm(point.jacobians[0][point.blocks[new], point.blocks[old]], 2))
            worst = max(worst, actual / most if most else float(actual > 0))
    return worst


@pytest.mark.parametrize("cell", bounded_cells(), ids=lambda cell: cell.name)
def test_no_block_is_larger_than_its_bound(cell: Cell) -> None:
    assert worst_ratio(step_bound(cell, sizes=sizes_of(cell)), cell, FEW) <= 1 + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("cell", bounded_cells(), ids=lambda cell: cell.name)
def test_no_block_is_larger_than_its_bound_at_many_points(cell: Cell) -> None:
    assert worst_ratio(step_bound(cell, sizes=sizes_of(cell)), cell, MANY) <= 1 + 1e-12


def test_a_slope_taken_too_small_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:

    object.__setattr__(tanh, "limits", Limits(-1, 1, Fraction(1, 2)))
    try:
        wrong = step_bound(models.elman, sizes=sizes_of(models.elman))
        assert worst_ratio(wrong, models.elman, MANY) > 1
    finally:
        object.__setattr__(tanh, "limits", Limits(-1, 1, Fraction(1)))


def test_an_elman_net_is_bounded_by_its_recurrent_matrix() -> None:
    """Pascanu et al. 2013: ||diag(phi') U|| <= ||U||; reached at h = 0."""
    bound = step_bound(models.elman, sizes=sizes_of(models.elman))
    U = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    feeds = {"W": np.zeros((SIZE, SIZE)), "U": U, "b": np.zeros(SIZE), "x": np.zeros((1, SIZE)), "h": np.zeros(SIZE)}
    assert bound.at(feeds) == {("h", "h"): pytest.approx(np.linalg.svd(U)[1][0], rel=1e-14)}


def test_which_states_stay_within_one() -> None:
    """|o tanh(c)| < 1, and a GRU's new state lies between the old one and a tanh; an LSTM's c can grow by 1 a step."""
    assert step_bound(models.lstm).within == ("h",)
    assert step_bound(models.gru).within == ("h",)


def test_a_state_that_leaves_takes_others_with_it() -> None:
    @cell
    def chained(x: Input["N"], a: State["N"], b: State["N"], U: Param["N N"]):
        return b + tanh(x), (a + b) * tanh(U @ b)

    assert step_bound(chained).within == ()


def test_words_of_one_form_are_added() -> None:
    r"""1/4 |h - c| is at most 1/4 |h| + 1/4 |c|: both words have the form diag . U_z."""
    assert r"\tfrac{1}{2} \, \| U_{z} \|" in step_bound(models.gru).latex(("h", "h"))


def test_bad_inputs() -> None:
    with pytest.raises(UsageError, match="takes a cell"):
        step_bound("lstm")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="no block"):
        step_bound(models.lstm).latex(("h", "x"))
