"""Every statement of the table holds, and every failing version fails for the stated reason."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

import tinygraph as tg
from tinygraph import Input, Param, State, cell, models
from tinygraph.errors import GraphError, UnknownNameError, UsageError
from tinygraph.theorems import checking
from tinygraph.theorems.checking import THEOREMS, Checked, check_theorems
from tinygraph.theorems.formulas import TEXTBOOK
from tinygraph.theorems.statement import Evidence, Failing, Theorem
from tinygraph.theorems.step_formulas import DROPPED, MISTAKES, SHIFTED

FAILING = [(key, place) for key, theorem in THEOREMS.items() for place in range(len(theorem.failing))]


@cache
def checked(key: str) -> Checked:
    return check_theorems(models.CELLS, [key]).rows[0]


@pytest.mark.parametrize("key", THEOREMS)
def test_it_holds(key):
    found = checked(key).evidence
    assert found.holds, found.reason
    assert found.numbers, "evidence has numbers"


@pytest.mark.parametrize(("key", "place"), FAILING)
def test_a_failing_version_fails_for_the_stated_reason(key, place):
    found = checked(key).failed[place]
    assert found.ok, f"with {found.changed}: {found.outcome}; stated: {found.stated}"


@pytest.mark.parametrize("key", THEOREMS)
def test_a_row_is_complete(key):
    row = THEOREMS[key]
    assert row.key == key
    assert row.failing, "a check that cannot fail says nothing"
    assert row.statement.endswith(".")
    assert row.latex.count("{") == row.latex.count("}")
    assert row.kind in ("exact", "rigorous", "numeric", "statistical")
    assert all(failing.because for failing in row.failing)


def test_all_numbers_of_the_theory_are_there():
    """1 to 15, the meanings of truncation, and the small-n lemma."""
    numbers = {row.number.split(",")[0] for row in THEOREMS.values()}
    assert numbers >= {str(n) for n in range(1, 16)} | {"truncation", "small n"}


def test_keys_are_different():
    assert len(THEOREMS) == sum(len(family.THEOREMS) for family in checking.FAMILIES)


@pytest.mark.parametrize("mistake", [*MISTAKES, DROPPED, SHIFTED])
def test_a_mistake_is_named_for_every_textbook_cell(mistake):
    """Not for the first cell alone. In a formula that is one matrix or nothing, not all mistakes show."""
    reason = THEOREMS["textbook"].run(models.CELLS, {"mistake": mistake}).reason
    told = dict(one.split(", ", 1) for one in reason.split("; "))
    silent = {name for name in models.CELLS if name in TEXTBOOK} - told.keys()
    assert silent <= {"linear", "elman_linear", "elman_step"}
    assert all(what.endswith(mistake) for what in told.values()), told


# The machinery can fail
def lenient(*, wrong: bool = False) -> Evidence:
    return Evidence("always true")


def fragile(*, wrong: bool = False) -> Evidence:
    if wrong:
        raise GraphError("an accident")
    return Evidence("true")


def other_reason(*, wrong: bool = False) -> Evidence:
    return Evidence("", "something else") if wrong else Evidence("true")


@pytest.mark.parametrize(
    ("check", "outcome"),
    [(lenient, "holds: always true"), (fragile, "raises GraphError: an accident"), (other_reason, "something else")],
)
def test_a_failing_version_that_does_not_fail_as_stated_is_caught(monkeypatch, check, outcome):
    row = Theorem(
        "x", "0", "A title", "A statement.", "x", "exact", check, (Failing(("wrong", True), "the reason"),), {}
    )
    monkeypatch.setitem(THEOREMS, "x", row)
    report = check_theorems(models.CELLS, "x")
    assert not report.ok
    assert report.rows[0].evidence.holds
    assert report.rows[0].failed[0].outcome == outcome
    assert "CANNOT FAIL" in str(report)
    assert "MUST FAIL" in str(report)
    no_failing = replace(row, failing=())
    monkeypatch.setitem(THEOREMS, "x", no_failing)
    assert not check_theorems(models.CELLS, ["x"]).ok


def test_a_false_statement_is_caught(monkeypatch):
    wrong = replace(THEOREMS["slopes"], given={"claimed": {"tanh": 2}})
    monkeypatch.setitem(THEOREMS, "slopes", wrong)
    report = check_theorems(models.CELLS, ["slopes"])
    assert not report.ok
    assert "FALSE" in str(report)


def test_a_check_that_raises_is_a_row(monkeypatch):
    row = Theorem("x", "0", "A title", "A statement.", "x", "exact", fragile, (), {"wrong": True})
    monkeypatch.setitem(THEOREMS, "x", row)
    assert check_theorems(models.CELLS, ["x"]).rows[0].evidence.reason == "raises GraphError: an accident"


# The report
def test_the_report():
    report = tg.check_theorems(models.CELLS, ["slopes", "explosion"])
    assert report.ok
    told = json.loads(report.to_json())
    assert told["ok"]
    assert [row["number"] for row in told["statements"]] == ["11", "9"]
    for row in told["statements"]:
        assert {"statement", "latex", "kind", "evidence", "failing", "seconds", "verdict"} <= set(row)
        assert all(one["ok"] and one["stated"] in one["outcome"] for one in row["failing"])
    assert str(report).splitlines()[0].startswith("2 statements, 4 failing versions")
    assert "The largest slopes" in report._repr_html_()


@cell
def forgetful(x: Input["H"], h: State["H"], U: Param["H H"], V: Param["H H"]):
    """Ends in a product of two nonlinearities."""
    return tg.tanh(U @ h + x) * tg.sigmoid(V @ h)


def test_own_cells_are_checked_too():
    """Statements about every cell run over those that are added."""
    report = check_theorems({**models.CELLS, "forgetful": forgetful}, ["paths", "sum-rule", "induction", "textbook"])
    assert report.ok
    told = {row.theorem.key: row.evidence.numbers for row in report.rows}
    assert "forgetful 2, 4, 8, 16, 32" in told["paths"]
    assert told["induction"].startswith(f"{len(models.CELLS) + 1} cells")
    assert "forgetful" in told["textbook"].split("no formula here for")[1]


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (UnknownNameError, "slopes", lambda: check_theorems(models.CELLS, ["slope"])),
        (UnknownNameError, "'lstm'", lambda: check_theorems({"elman": models.elman}, ["highway"])),
        (UsageError, "CELLS", lambda: check_theorems(models.elman)),
        (UsageError, "to be a cell", lambda: check_theorems({"elman": "elman"})),
    ],
)
def test_wrong_input(error, match, call):
    with pytest.raises(error, match=match):
        call()
