"""A verification that fails says why: a row of the table is spoiled, and the report names the mistake."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tinygraph as tg
from tinygraph import Input, Param, State, cell, models
from tinygraph.graph.letters import Matrix
from tinygraph.ops.nonlinear import tanh
from tinygraph.verification.diagnosis import wrong_adjoint, wrong_words
from tinygraph.verification.verification import verify

SMALL = {"steps": 3, "size": 3}


@cell
def simple(x: Input["I"], h: State["H"], W: Param["H I"], U: Param["H H"]):
    """An own cell, so that the rows that it names can be changed."""
    return tanh(W @ x + U @ h)


@pytest.fixture
def spoiled(monkeypatch):
    """Change one rule of a row, in the table and where the equations of a cell name the operation."""

    def spoil(made, name, column, index, change):
        rules = list(getattr(tg.OPS[name], column))
        rules[index] = lambda *given, rule=rules[index]: change(rule, *given)
        row = replace(tg.OPS[name], **{column: tuple(rules)})
        monkeypatch.setitem(tg.OPS, name, row)
        if name in made.function.__globals__:
            monkeypatch.setitem(made.function.__globals__, name, row)

    return spoil


def flipped(rule, *given):
    return {tuple(Matrix(one.node, not one.transposed) for one in word): c for word, c in rule(*given).items()}


def negated(rule, *given):
    return -rule(*given)


def not_transposed(rule, g, y, a, b):
    return a @ g if a.ndim == 2 and a.shape[0] == a.shape[1] and b.ndim == 1 else rule(g, y, a, b)


def nothing(rule, g, *rest):
    return rule(g, *rest) * 0


# The row and operand that are spoiled, how, and what the report must say.
ADJOINT = [
    (simple, "matmul", 1, not_transposed, "transpose: U.T in place of U"),
    (simple, "tanh", 0, negated, "sign: the sign of diag(h'[t]) @ U"),
    (simple, "matmul", 1, nothing, "missing term: diag(h'[t]) @ U is left out"),
    (models.gru, "sub", 1, nothing, "missing term: -diag(z'[t] * c[t]) @ U_z is left out"),
    (simple, "matmul", 0, negated, "the adjoint of W; sign"),
    (simple, "matmul", 0, nothing, "the adjoint of W; missing term"),
]
WORDS = [
    (simple, "matmul", 1, flipped, "transpose: U in place of U.T"),
    (simple, "tanh", 0, negated, "sign"),
    (models.lstm, "sigmoid", 0, negated, "sign"),
]


@pytest.mark.parametrize(("made", "name", "index", "change", "text"), ADJOINT)
def test_a_spoiled_adjoint_is_explained(spoiled, made, name, index, change, text):
    spoiled(made, name, "vjp", index, change)
    report = verify(made, **SMALL)
    details = [row.detail for row in report.rows if row.applies and not row.agrees]
    assert details
    assert all(text in detail and "entry (" in detail for detail in details), str(report)


@pytest.mark.parametrize(("made", "name", "index", "change", "text"), WORDS)
def test_spoiled_words_are_explained(spoiled, made, name, index, change, text):
    spoiled(made, name, "words", index, change)
    report = verify(made, **SMALL)
    details = [row.detail for row in report.rows if row.applies and not row.agrees]
    assert details
    assert all("right after one change, " + text in detail for detail in details), str(report)


@pytest.mark.parametrize("made", [simple, models.lstm, models.gru], ids=lambda made: made.name)
def test_what_is_right_needs_no_explanation(made):
    assert wrong_words(made) == wrong_adjoint(made) == ""
