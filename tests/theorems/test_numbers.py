"""Numbers that the theory quotes, computed: words and paths of a step, the errors of numeric derivatives, small n."""

from __future__ import annotations

import numpy as np
import pytest

from tinygraph import models
from tinygraph.flow.paths import count_paths
from tinygraph.flow.products import spectral_radius, transient
from tinygraph.symbolic.words import net_of_steps, step_words
from tinygraph.theorems.small_sizes import agreement_at, vandermonde, wrong_formulas
from tinygraph.theorems.vanishing import cayley
from tinygraph.verification.comparisons import adjoint_and_central_differences, adjoint_and_complex_step, ends_of

# Compact words per block: cc, ch, hc, hh of a cell with a memory, else of its one block.
WORDS = {
    "elman": (1,), "gru": (5,), "mut1": (3,), "mut2": (5,), "mut3": (5,), "highway": (4,),
    "lstm": (1, 3, 1, 4), "lstm_peephole": (3, 3, 6, 7),
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
def test_words_and_paths_of_a_step(name):
    """As many words as paths, block by block."""
    cell = models.CELLS[name]
    states = sorted(cell.states)
    words = step_words(cell).count()
    assert tuple(words[new, old] for new in states for old in states) == WORDS[name]
    net = net_of_steps(cell, 1, dict.fromkeys(cell.sizes, 2))
    assert words == {(a, b): count_paths(net.series[a][1], net.series[b][0]) for a in states for b in states}


@pytest.mark.parametrize("name", ["elman", "lstm", "gru", "gru_reset_after"])
def test_errors_of_numeric_derivatives(name):
    """Central differences at 1e-5 come to about 4e-9, the complex step to 1.6e-13."""
    central = max(adjoint_and_central_differences(ends_of(models.CELLS[name], 4, 3), seed).error for seed in range(2))
    assert central <= 4e-9
    complex_step = max(adjoint_and_complex_step(ends_of(models.CELLS[name], 4, 3), seed).error for seed in range(2))
    assert complex_step <= 1.6e-13


def test_the_transient_of_a_defective_matrix():
    matrix = [[0.9, 5], [0, 0.9]]
    assert spectral_radius(matrix) == pytest.approx(0.9)
    assert np.exp(transient(matrix, 10).log_norms[-1]) == pytest.approx(19.4, abs=0.05)


def test_the_cayley_matrix():
    """(I - A)(I + A)^-1 by NumPy."""
    A = np.array([[0, 1 / 2, -1], [-1 / 2, 0, 2 / 3], [1, -2 / 3, 0]])
    np.testing.assert_allclose(np.array(cayley(), float), (np.eye(3) - A) @ np.linalg.inv(np.eye(3) + A), atol=1e-15)


# The small-n lemma
@pytest.mark.parametrize("letters", [0, 1, 2])
def test_the_lemma_is_sharp_for_each_number_of_letters(letters):
    """Independent at n = k + 1, dependent at n = k."""
    assert agreement_at(n=letters + 1, letters=letters).holds
    if letters:
        assert not agreement_at(n=letters, letters=letters).holds


@pytest.mark.parametrize("n", range(1, 5))
def test_the_vandermonde_word_vanishes_up_to_its_number_of_letters(n):
    """At n = k = 1 .. 4, and at none of n = k + 1."""
    assert vandermonde(most=n).holds
    assert not vandermonde(more=1, most=n).holds


@pytest.mark.slow
def test_the_lemma_for_three_letters():
    """With powers 0 and 1 of the diagonal between."""
    assert agreement_at(n=4, letters=3, powers=(0, 1)).holds


def test_how_many_wrong_formulas_pass():
    """At n = 1 at least a third of them, at n = 2 and 3 none."""
    wrong, passed = map(int, np.array(wrong_formulas(models.CELLS, n=1).numbers.split())[[1, 4]])
    assert passed > wrong / 3
    assert wrong_formulas(models.CELLS, n=2).holds
    assert wrong_formulas(models.CELLS, n=3).holds
