"""Makes docs/tasks.md, the scores of the examples, from docs/tasks.jsonl: python docs/tasks.py [FOLDER ...]

The folders are those that examples wrote to with --out. Their scores are added first, newer ones in place of older;
and the pictures that the page shows, if the folder has seed 0 alone.
"""

import ast
import json
import operator
import re
import shutil
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
EXAMPLES = DOCS.parent / "examples"
RECORD, PAGE = DOCS / "tasks.jsonl", DOCS / "tasks.md"

# Examples without a task that is scored, and what they show instead.
WITHOUT_SCORE = {
    "03_your_own_cell": "how a cell is written; its gradient is held against small differences",
    "04_the_formula_in_my_lecture": "formulas that are right and wrong; each verdict is tested",
    "05_min_char_rnn": "the same losses as plain NumPy, digit by digit",
    "23_beam_search": "that greedy decoding can miss the best answer, held against all answers",
}

# Pictures of full forms that the page shows, and what there is to see.
PICTURES = {
    "tagging.svg": "Will this letter come again? From the left no net can know more than the blue line; both ways do.",
    "brackets.svg": "How an LSTM counts: one unit goes down with each a and up with each b, beyond the 20 it learned.",
    "mackey-glass.svg": "A chaotic series, and a net that reads its own predictions.",
    "digits-drawn.svg": "Digits that a net has drawn, pixel by pixel.",
    "glimpses.svg": "A net that moves its eyes: first it looks at everything, then at the digit.",
    "dates.svg": "Where a net looks while it says a date, letter by letter.",
    "execute.svg": "Small programs that a net executes exactly, by how hard they are, after four curricula.",
}

COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
HEAD = """# Tasks

Every system does its job: the scores of the examples' full forms (`python examples/08_adding.py`), each beside that of
a trivial answer. Test data is never learned from. Everything random follows from `--seed`; an example is run with seeds
0, 1 and 2, or with 0 alone if it takes more than two minutes. Seconds are of one processor core, for the whole example
with seed 0. `python docs/tasks.py` makes this page from `tasks.jsonl`, where the examples' own lines are collected.
"""


def title(example: str) -> str:
    """What an example shows: its docstring up to the first colon or full stop."""
    text = ast.get_docstring(ast.parse((EXAMPLES / f"{example}.py").read_text(encoding="utf-8")))
    return re.split(r"[:.]\s", text or "")[0]


def number(text: str) -> float:
    """A score as it is printed: "99.5%", "0.004", "1.2e-09"."""
    return float(text.rstrip("%")) / (100 if text.endswith("%") else 1)


def met(score: str, goal: str, baseline: str) -> bool | None:
    """Whether a score meets its goal, such as ">= 99%" or "< baseline"; None without one. Raises `ValueError`."""
    if not goal:
        return None
    found = re.fullmatch(r"(>=|<=|>|<) (\S+)", goal)
    if not found:
        raise ValueError(f"a goal is a comparison with a number or with the baseline, not {goal!r}")
    sign, asked = found.groups()
    return bool(COMPARISONS[sign](number(score), number(baseline if asked == "baseline" else asked)))


def read(*paths: Path) -> list[dict[str, Any]]:
    """The scores of full forms in these files, by example and seed; of two for the same thing the last one."""
    lines = [json.loads(line) for path in paths if path.exists() for line in path.read_text("utf-8").splitlines()]
    kept = {(line["example"], line["what"], line["seed"]): line for line in lines if not line["short"]}
    return sorted(kept.values(), key=lambda line: (line["example"], line["seed"]))


def seconds(lines: list[dict[str, Any]], example: str) -> int:
    """What an example takes, with seed 0."""
    return max(line["seconds"] for line in lines if line["example"] == example and line["seed"] == 0)


def rows(lines: list[dict[str, Any]]) -> list[list[str]]:
    """The table: a row for each thing that is scored, its seeds side by side."""
    found = []
    for example in sorted({line["example"] for line in lines}):
        own = [line for line in lines if line["example"] == example]
        start, end = f"[{example}](../examples/{example}.py): {title(example)}", str(seconds(lines, example))
        for what in dict.fromkeys(line["what"] for line in own):
            seeds = [line for line in own if line["what"] == what]
            first, scores = seeds[0], ", ".join(line["score"] for line in seeds)
            trivial = f"{first['baseline']} ({first['trivial']})"
            found.append([start, what, scores, trivial, first["goal"], verdict(seeds), end])
            start = end = ""  # said once for each example
    return found


def verdict(seeds: list[dict[str, Any]]) -> str:
    """Whether the goal is met: by all seeds, some, or none."""
    found = {met(line["score"], line["goal"], line["baseline"]) for line in seeds}
    return "" if None in found else "yes" if found == {True} else "no" if found == {False} else "partly"


def page(lines: list[dict[str, Any]]) -> str:
    """The text of the page."""
    head = ["example", "scored", "seeds 0, 1, 2", "trivial", "goal", "met", "seconds"]
    table = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows(lines))]
    minutes = sum(seconds(lines, example) for example in {line["example"] for line in lines}) / 60
    total = f"\nAll of them once, with seed 0, take {minutes:.0f} minutes.\n\n## Without a score\n"
    others = [f"- [{name}](../examples/{name}.py) shows {why}." for name, why in WITHOUT_SCORE.items()]
    shown = [f"\n{text}\n\n![{text}]({name})" for name, text in PICTURES.items()]
    return "\n".join([HEAD, *table, total, *others, *shown, ""])


def take_pictures(folder: Path) -> None:
    """Copy what the page shows from a folder in which seed 0 alone was run."""
    if {line["seed"] for line in read(folder / "scores.jsonl")} == {0}:
        for name in PICTURES:
            if (folder / name).exists():
                shutil.copy(folder / name, DOCS)


def main() -> None:
    folders = [Path(folder) for folder in sys.argv[1:]]
    lines = read(RECORD, *(folder / "scores.jsonl" for folder in folders))
    RECORD.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    for folder in folders:
        take_pictures(folder)
    PAGE.write_text(page(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
