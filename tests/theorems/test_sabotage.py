"""The code broken in one place: the statement that is about it turns false, or its failing version no longer fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.execute.interval_arrays import IntervalArrays
from tinygraph.flow import bounds, lyapunov, mean_field, products, truncation_bias
from tinygraph.passes.truncation import MODES
from tinygraph.theorems.checking import check_theorems
from tinygraph.theorems.vanishing import SLOPES

CELLS = {name: models.CELLS[name] for name in ("elman", "lstm", "lstm_peephole", "lstm_coupled")}


def spoiled(row: str, column: str, index: int, change: Callable[[Any], Any]) -> tg.Op:
    """A row of the table with one rule of a column changed."""
    op = tg.OPS[row]
    rules = list(getattr(op, column))
    rules[index] = lambda *given, rule=rules[index]: change(rule(*given))
    return replace(op, **{column: tuple(rules)})


def transposed(words: Any) -> Any:
    return {tuple(replace(one, transposed=not one.transposed) for one in word): c for word, c in words.items()}


def row(name: str, column: str, index: int, change: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setitem(tg.OPS, name, spoiled(name, column, index, change))


def wide_tanh(self: IntervalArrays, x: Any) -> Any:
    return self._each(lambda a: 1 - 1.999 / (self.iv.exp(2 * a) + 1), x)


# What is broken, and the statement that must notice.
SABOTAGE: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], Any]]] = {
    "the words of a product": ("textbook", row("mul", "words", 0, lambda p: -p)),
    "the words of a matrix": ("textbook", row("matmul", "words", 1, transposed)),
    "the adjoint of a matrix": ("induction", row("matmul", "vjp", 1, lambda g: -g)),
    "the adjoint of a product": ("paths", row("mul", "vjp", 1, lambda g: g * 2)),
    "the words of the gates": ("highway", row("mul", "words", 1, lambda p: p * 2)),
    "where chunks start": ("factors", lambda patch: patch.setitem(MODES, "chunk", lambda t, T, k1, k2: t - t % k1)),
    "how far sliding reaches": ("factors", lambda patch: patch.setitem(MODES, "sliding", lambda t, T, k1, k2: t - k2)),
    "the factors of a flow": (
        "randomised",
        lambda patch: patch.setattr(truncation_bias._Weighted, "_factor", lambda self, graph, before, here: None),
    ),
    "the certificate": (
        "certificate",
        lambda patch: patch.setattr(bounds, "ldl_pivots", lambda matrix: ((Fraction(1),), True)),
    ),
    "the interval of tanh": ("enclosure", lambda patch: patch.setattr(IntervalArrays, "tanh", wide_tanh)),
    "the largest slope": ("slopes", lambda patch: patch.setitem(SLOPES, "sigmoid", Fraction(1, 3))),
    "the rates of growth": (
        "sum-rule",
        lambda patch: patch.setattr(lyapunov, "log_diagonals", lambda r: 0.999 * products.log_diagonals(r)),
    ),
    "the quadrature": (
        "mean-field",
        lambda patch: patch.setattr(mean_field, "WIDTH", 3.0),
    ),
}


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_broken_place_is_noticed(monkeypatch, what):
    key, spoil = SABOTAGE[what]
    assert check_theorems(CELLS, key).ok
    spoil(monkeypatch)
    row = check_theorems(CELLS, key).rows[0]
    assert not row.ok
    assert not row.evidence.reason.startswith("raises")
