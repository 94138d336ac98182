"""Derivatives of every row of the table: first and second order, forward mode, and the batch.

Each row runs over its cases (shapes, attributes, which operands are batched) and over random seeds.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers.cases import Case, cases, crosses_the_batch, smooth_rows
from helpers.gradients import check_first_order, check_forward, check_second_order, check_single_examples

import tinygraph as tg

SEEDS = [pytest.param(range(3), id="3 seeds"), pytest.param(range(3, 20), id="20 seeds", marks=pytest.mark.slow)]
SMOOTH = smooth_rows()
BY_EXAMPLE = [name for name in SMOOTH if not crosses_the_batch(tg.OPS[name])]


def over_cases(check: Callable[[Case, range], None], name: str, seeds: range) -> None:
    for case in cases(tg.OPS[name]):
        check(case, seeds)


@pytest.mark.parametrize("name", SMOOTH)
def test_every_row_has_enough_cases(name):
    """At least 12 per row, so that no row passes for want of examples."""
    assert len(cases(tg.OPS[name])) >= 12, f"give the row {name!r} more `examples`"


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", SMOOTH)
def test_gradient(name, seeds):
    over_cases(check_first_order, name, seeds)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", SMOOTH)
def test_second_order(name, seeds):
    over_cases(check_second_order, name, seeds)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", SMOOTH)
def test_forward_mode_is_the_transpose_of_reverse_mode(name, seeds):
    over_cases(check_forward, name, seeds)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", BY_EXAMPLE)
def test_batch_equals_its_examples(name, seeds):
    """With equal sizes everywhere, so that a batch axis that aligns with another by accident shows."""
    over_cases(check_single_examples, name, seeds)
