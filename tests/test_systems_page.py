"""The page of all systems is what `docs/systems.py` writes, and each reference that it names is there."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import tinygraph as tg
from tinygraph import models

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.splitlines() if line.startswith("| `")]


@pytest.fixture
def systems(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import systems

    return systems


@cache
def functions(path: str) -> set[str]:
    """The tests of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_system_is_on_the_page_and_nothing_else(systems: Any) -> None:
    assert len(LINES) == len(models.SYSTEMS)
    for line, system in zip(LINES, models.SYSTEMS.values(), strict=True):
        assert line.startswith(f"| {' | '.join(systems.known(system))} | ")


def test_every_system_has_a_reference_that_is_there(systems: Any) -> None:
    assert set(systems.REFERENCES) == set(models.SYSTEMS)
    for line, name in zip(LINES, models.SYSTEMS, strict=True):
        path, _, function = systems.REFERENCES[name].partition("::")
        assert function in functions(path), f"{name}: {path} has no {function}"
        assert line.endswith(f"| `{path.removeprefix('tests/')}::{function}` |")


def test_no_column_is_empty(systems: Any) -> None:
    for line in LINES:
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == len(systems.COLUMNS)
        assert all(cells)


@pytest.mark.parametrize("name", ["gru", "deep_output", "translator", "glimpses", "parity"])
def test_rows_say_what_is_found_out(systems: Any, name: str) -> None:
    assert f"| {' | '.join(systems.row(models.SYSTEMS[name]))} |" in LINES


@pytest.mark.slow
def test_the_page_is_written_by_the_code_as_it_is(systems: Any) -> None:
    assert systems.page() == PAGE


def test_a_wrong_gradient_is_no_row(systems: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spoiled derivative, seen by the column of the gradient and by that of the verification."""
    row = tg.OPS["tanh"]
    spoiled = replace(row, vjp=(lambda g, y, x: -row.vjp[0](g, y, x),))
    monkeypatch.setitem(models.CELLS["elman"].function.__globals__, "tanh", spoiled)
    made = models.CELLS["elman"].variant("spoiled", "Spoiled.", activation=spoiled)
    system = replace(models.SYSTEMS["elman"], make=lambda steps: models.small_nets.of_cell(made, steps), cell=None)
    with pytest.raises(AssertionError, match="the gradient is off"):
        systems.row(system)
    with pytest.raises(AssertionError, match="NOT VERIFIED"):
        systems.verified(system, system.build())
