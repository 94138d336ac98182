"""Every cell is verified; a rule spoiled anywhere is not, and the report names the side that is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from helpers.zoo import FLAT, RECTANGULAR, few

import tinygraph as tg
from tinygraph import models
from tinygraph.cells import Input, Param, State, cell
from tinygraph.errors import UsageError
from tinygraph.graph.letters import Matrix
from tinygraph.passes.rebuilding import rebuild
from tinygraph.symbolic import field
from tinygraph.symbolic.words import step_words
from tinygraph.verification import comparisons
from tinygraph.verification.verification import (
    ADJOINT_CENTRAL,
    ADJOINT_COMPLEX,
    FIELD_ADJOINT,
    WORDS_FIELD,
    WORDS_SYMPY,
    verify,
)

WORDS = {WORDS_SYMPY, WORDS_FIELD}
ADJOINTS = {FIELD_ADJOINT, ADJOINT_CENTRAL, ADJOINT_COMPLEX}
SMALL = {"steps": 4, "size": 3}
WITHOUT_WORDS: set[str] = set()  # cells whose Jacobian is no sum of words; each with its reason in the report


def differing(report):
    return {row.what for row in report.rows if row.applies and not row.agrees}


@pytest.mark.parametrize("name", few())
def test_every_cell_is_verified_over_many_steps(name):
    report = verify(models.CELLS[name])
    assert report.ok, str(report)


@pytest.mark.parametrize("name", models.CELLS)
def test_every_cell_is_verified(name):
    report = verify(models.CELLS[name], **SMALL)
    assert report.ok, str(report)
    assert differing(report) == set()
    assert {row.what for row in report.rows} == WORDS | ADJOINTS
    applying = {row.what for row in report.rows if row.applies}
    assert applying >= {FIELD_ADJOINT, ADJOINT_CENTRAL}
    assert (WORDS_FIELD in applying) == (name not in WITHOUT_WORDS)
    for row in report.rows:
        assert row.error <= (1e-9 if row.what in WORDS | {FIELD_ADJOINT} else 1e-7)


# Sabotage: a row as it is used by the cells, spoiled on one side
def spoil_vjp(op, change, index=0):
    rules = list(op.vjp)
    rules[index] = lambda *given, rule=rules[index]: change(rule(*given))
    return replace(op, vjp=tuple(rules))


def spoil_words(op, change, index=0):
    rules = list(op.words)
    rules[index] = lambda *given, rule=rules[index]: change(rule(*given))
    return replace(op, words=tuple(rules))


@pytest.fixture
def with_row(monkeypatch):
    """Put another row in the place of one, in the table and where the equations of a cell name it."""

    def put(made, name, row):
        monkeypatch.setitem(tg.OPS, name, row)
        if name in made.function.__globals__:
            monkeypatch.setitem(made.function.__globals__, name, row)

    return put


@pytest.mark.parametrize(
    "change", [lambda g: -g, lambda g: g * 0, lambda g: g * Fraction(1001, 1000)], ids=["sign", "zero", "thousandth"]
)
@pytest.mark.parametrize(("name", "index"), [("tanh", 0), ("matmul", 0), ("matmul", 1)])
def test_a_wrong_vjp_is_found_by_the_adjoint_alone(with_row, name, index, change):
    with_row(models.lstm, name, spoil_vjp(tg.OPS[name], change, index))
    report = verify(models.lstm, **SMALL)
    assert not report.ok
    assert differing(report) == ADJOINTS


@pytest.mark.parametrize(("made", "name", "index"), [("lstm", "sigmoid", 0), ("lstm", "mul", 1), ("gru", "sub", 1)])
def test_a_wrong_vjp_of_the_gates_is_found(with_row, made, name, index):
    made = models.CELLS[made]
    with_row(made, name, spoil_vjp(tg.OPS[name], lambda g: -g, index))
    assert differing(verify(made, **SMALL)) == ADJOINTS


def test_a_transposed_adjoint_is_found(with_row):
    """W g in place of W^T g: square, so that shapes do not tell."""
    matmul = tg.OPS["matmul"]
    wrong = (matmul.vjp[0], lambda g, y, a, b: a @ g if a.shape[0] == a.shape[-1] else matmul.vjp[1](g, y, a, b))
    with_row(models.elman, "matmul", replace(matmul, vjp=wrong))
    assert differing(verify(models.elman, **SMALL)) == ADJOINTS


@pytest.mark.parametrize("change", [lambda p: -p, lambda p: p + 1, lambda p: p * 0], ids=["sign", "term", "dropped"])
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_wrong_words_of_a_nonlinearity_are_found_by_the_words_alone(with_row, name, change):
    with_row(models.lstm, name, spoil_words(tg.OPS[name], change))
    report = verify(models.lstm, **SMALL)
    assert not report.ok
    assert differing(report) == WORDS


def flipped(words):
    return {tuple(replace(one, transposed=not one.transposed) for one in word): c for word, c in words.items()}


def test_a_transposed_letter_is_found_and_its_entry_named(with_row):
    with_row(models.elman, "matmul", spoil_words(tg.OPS["matmul"], flipped, 1))
    report = verify(models.elman, **SMALL)
    assert differing(report) == WORDS
    assert all("entry (1, 0) of d h / d h" in row.detail for row in report.rows if row.what in WORDS)


WRONG = {
    "dropped": lambda words: dict(list(words.items())[1:]),
    "sign": lambda words: {word: -c for word, c in words.items()},
    "order": lambda words: {word[::-1]: c for word, c in words.items()},
    "transposed": lambda words: {
        tuple(replace(one, transposed=True) if isinstance(one, Matrix) else one for one in word): c
        for word, c in words.items()
    },
}


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("name", [name for name in models.CELLS if name not in FLAT | RECTANGULAR])
def test_the_field_tells_wrong_words_of_each_kind_apart(monkeypatch, name, how):
    block, words = next(iter(step_words(models.CELLS[name]).compact.items()))
    if WRONG[how](words) == words:
        pytest.skip("a single letter has no order")

    def spoiled(made, **options):
        step = step_words(made, **options)
        return replace(step, compact={**step.compact, block: WRONG[how](step.compact[block])})

    assert comparisons.words_and_field(models.CELLS[name], 3, 4, 0).differs == ""
    monkeypatch.setattr(comparisons, "step_words", spoiled)
    assert (
        f"of d {block[0]} / d {block[1]} at step 1" in comparisons.words_and_field(models.CELLS[name], 3, 4, 0).differs
    )


def test_a_wrong_rule_of_the_field_is_found_by_both_its_neighbours(monkeypatch):
    monkeypatch.setitem(field.SLOPES, "tanh", lambda f, x, y: 1 - y)
    assert differing(verify(models.elman, **SMALL)) == {WORDS_FIELD, FIELD_ADJOINT}


def test_a_wrong_value_is_no_matter_of_derivatives(with_row):
    """sigma(2x) with the derivative of sigma: the rule no longer fits the function, as differences see."""
    sigmoid = tg.OPS["sigmoid"]
    with_row(models.gru, "sigmoid", replace(sigmoid, run=lambda xp, y, x: xp.sigmoid(xp.add(x, x))))
    assert {ADJOINT_CENTRAL, ADJOINT_COMPLEX} <= differing(verify(models.gru, **SMALL))


# What does not apply
@cell
def fast_weights(x: Input["H"], h: State["H"], M: State["H H"], U: Param["H H"]):
    """A state that is a matrix."""
    new = tg.tanh(U @ h + M @ x)
    return new, M + tg.outer(new, h)


@cell
def rectified(x: Input["I"], h: State["H"], W: Param["H I"], U: Param["H H"]):
    """Not smooth."""
    return tg.relu(W @ x + U @ h)


@cell
def leaky(x: Input["I"], h: State["H"], s: State[""], w: Param["I"], U: Param["H H"]):
    """A scalar state, and a number that is no whole one."""
    s = tg.tanh(w @ x + s)
    return h + Fraction(1, 3) * (s * tg.tanh(U @ h) - 0.1 * h), s


@cell
def symbols(x: Input["", "integer"], keep: Input["", "boolean"], h: State["H"], E: Param["5 H"], U: Param["H H"]):
    """Integer and boolean inputs."""
    return tg.where(keep, tg.tanh(tg.gather(E, x) + U @ h), h)


def test_a_matrix_state_has_no_words_but_is_verified():
    report = verify(fast_weights, **SMALL)
    assert report.ok, str(report)
    assert report.latex == ""
    left_out = [row for row in report.rows if not row.applies]
    assert {row.what for row in left_out} == WORDS
    assert all("of rank 2, and depends on a state" in row.detail for row in left_out)


def test_a_kink_leaves_out_sympy_with_its_reason():
    report = verify(rectified, **SMALL)
    assert report.ok, str(report)
    assert {row.what for row in report.rows if not row.applies} == {WORDS_SYMPY}
    assert "not smooth" in str(report)


@pytest.mark.parametrize("made", [leaky, symbols])
def test_scalars_and_other_kinds_are_verified(made):
    report = verify(made, **SMALL)
    assert report.ok, str(report)
    assert WORDS_FIELD in {row.what for row in report.rows if row.applies}


def test_a_cell_beyond_the_field_is_not_ok():
    @cell
    def rooted(h: State["H"]):
        return tg.power(h, Fraction(1, 3)) * h

    report = verify(rooted, **SMALL)
    assert not report.ok
    assert "the power 1/3 is no operation of a finite field" in str(report)


def test_a_maximum_in_the_field_is_a_choice():
    """Of the largest residue: over any axes, kept or not, the same entry as by `argmax`, with its derivative."""
    xp = field.FieldArrays(0)
    x = xp.draw((2, 3, 4))
    for axes in ((0,), (1,), (-1,), (0, 2), (-3, -1), (0, 1, 2)):
        numbers = np.array(field.values(x)).reshape(x.shape)
        for keepdims in (False, True):
            found = xp.max(x, axes, keepdims)
            assert field.values(found) == np.ravel(numbers.max(axis=axes, keepdims=keepdims)).tolist()
            assert found.shape == numbers.max(axis=axes, keepdims=keepdims).shape
    tangent_of = dict(zip(field.values(x), field.tangents(x), strict=True))
    assert all(tangent_of[e.value] == e.tangent for e in np.ravel(xp.max(x, (0, 2), False)))
    np.testing.assert_array_equal(xp.argmax(x, 1), numbers.argmax(axis=1))


# Graphs
def test_any_graph_is_verified_and_stays_as_it_is():
    """Scores, pooled maxima and a loss over a batch; again gives the same."""
    encoder = models.ImageEncoder((1, 5, 5), features=2, classes=2, banks=(2,), width=2)
    before = encoder.graph.text()
    for outputs in (encoder.scores, [encoder.features, {"scores": encoder.scores}]):
        reports = [tg.verify_graph(outputs, name="encoder") for _ in range(2)]
        assert all(report.ok for report in reports), str(reports[0])
        assert {row.what for row in reports[0].rows if row.applies} == ADJOINTS
    assert encoder.graph.text() == before


@pytest.mark.parametrize("name", ["tanh", "max_pool", "convolve"])
def test_a_wrong_vjp_in_a_graph_is_found(monkeypatch, name):
    encoder = models.ImageEncoder((1, 4, 4), features=2, classes=2, banks=(2,), width=2)
    spoiled = spoil_vjp(tg.OPS[name], lambda g: g * Fraction(1001, 1000))
    monkeypatch.setattr("tinygraph.verification.verification.rebuild", lambda roots: rebuild(roots, swapped(spoiled)))
    report = tg.verify_graph(encoder.scores)
    assert not report.ok
    assert differing(report) == ADJOINTS


def swapped(row):
    """A rule that puts another row in the place of the one of that name."""
    return lambda node, args: row.apply(args[0].graph, args, node.attrs) if node.op.name == row.name else None


def test_no_graph():
    for nothing in ([], "net", tg.Graph().input("k", (), kind="integer")):
        with pytest.raises(UsageError, match="real nodes"):
            tg.verify_graph(nothing)


# The report
def test_the_report_as_text_html_and_json():
    report = verify(models.lstm, **SMALL)
    lines = str(report).split("\n")
    assert lines[:2] == ["lstm: verified", "words: h/h 4, h/c 1, c/h 3, c/c 1"]
    assert len(lines) == 2 + len(report.rows)
    data = json.loads(report.to_json())
    assert data["ok"] is True
    assert len(data["rows"]) == len(report.rows)
    assert data["latex"] == report.latex
    assert report._repr_html_().count("<tr>") == len(report.rows)
    assert r"\frac{\partial h_{t}}{\partial c_{t-1}}" in report.latex


def test_the_same_seed_gives_the_same_report():
    def told():
        return [replace(row, seconds=0.0) for row in verify(models.gru, **SMALL).rows]

    assert told() == told()


def test_only_cells_are_verified():
    with pytest.raises(tg.errors.UsageError, match="takes a cell"):
        verify("lstm")
