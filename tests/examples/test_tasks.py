"""The page of tasks is what its script makes of the record; every example is in it, with the figures that it states."""

from __future__ import annotations

import ast
import re

import pytest
from helpers.examples import FOLDER

ROOT = FOLDER.parent
EXAMPLES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("[0-9]*.py"))}


@pytest.fixture
def tasks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import tasks

    return tasks


@pytest.fixture
def record(tasks):
    return tasks.read(tasks.RECORD)


def test_the_page_is_what_the_script_makes(tasks, record):
    assert tasks.PAGE.read_text(encoding="utf-8") == tasks.page(record)


def test_the_pictures_of_the_page_are_there(tasks):
    for name in tasks.PICTURES:
        assert "<svg " in (tasks.DOCS / name).read_text(encoding="utf-8")


def test_every_example_has_a_score_or_a_reason(tasks, record):
    scored = {line["example"] for line in record}
    assert scored.isdisjoint(tasks.WITHOUT_SCORE)
    assert scored | set(tasks.WITHOUT_SCORE) == set(EXAMPLES)
    for example in scored:
        assert 0 in {line["seed"] for line in record if line["example"] == example}


def test_the_figures_that_an_example_states_are_recorded(record):
    """Each share, and each score of the first seed for which there is a goal, stands in both."""
    for example in {line["example"] for line in record}:
        own = [line for line in record if line["example"] == example]
        said = ast.get_docstring(ast.parse(EXAMPLES[example])) or ""
        numbers = {number for line in own for number in re.findall(r"[\d.]+%", f"{line['score']} {line['baseline']}")}
        assert set(re.findall(r"\d+\.\d+%", said)) <= numbers, example
        for line in own:
            if line["goal"] and line["seed"] == 0:
                assert re.search(rf"(?<![\d.]){re.escape(line['score'])}", said), (example, line["what"], line["score"])


def test_every_example_is_run_by_ci():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^[^#\n]*examples/\[0-9\]\*\.py", text, re.MULTILINE)
    assert "--short" in text
    assert all("--short" in text or "Story(" in text for text in EXAMPLES.values())


def test_a_goal_can_be_missed(tasks):
    assert tasks.met("99.0%", ">= 99%", "12.5%") is True
    assert tasks.met("98.9%", ">= 99%", "12.5%") is False
    assert tasks.met("1.2e-09", "< 1e-8", "1.9") is True
    assert tasks.met("18.7", "< baseline", "33.3") is True
    assert tasks.met("33.4", "< baseline", "33.3") is False
    assert tasks.met("5", "", "6") is None
    with pytest.raises(ValueError, match="a goal is a comparison"):
        tasks.met("5", "about 5", "6")


def test_newer_scores_replace_older_ones_and_short_ones_do_not_count(tasks, tmp_path):
    line = '{"example": "07_copy", "what": "right", "score": "%s", "seed": %d, "short": %s}\n'
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text(line % ("90%", 1, "false") + line % ("91%", 0, "false"), encoding="utf-8")
    new.write_text(line % ("99%", 1, "false") + line % ("10%", 0, "true"), encoding="utf-8")
    assert [(found["seed"], found["score"]) for found in tasks.read(old, new, tmp_path / "none")] == [
        (0, "91%"),
        (1, "99%"),
    ]
