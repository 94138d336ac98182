"""What the numbered examples share: their options, the clock, and how a score is reported beside a trivial one."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from time import process_time
from typing import Any


class Story:
    """One example as it runs: `story = Story(__doc__)` reads the options of the command line.

    short  whether to run for seconds only: a taste, not the score
    out    folder for pictures, and for scores.jsonl, a line for each score
    seed   from which everything random follows
    """

    def __init__(self, text: str | None) -> None:
        assert text is not None
        options = argparse.ArgumentParser(description=text.splitlines()[0])
        options.add_argument("--short", action="store_true", help="run for seconds: a taste, not the score")
        options.add_argument("--out", type=Path, default=Path(), help="folder for pictures and scores")
        options.add_argument("--seed", type=int, default=0, help="from which everything random follows")
        given = options.parse_args()
        self.short: bool = given.short
        self.out: Path = given.out
        self.seed: int = given.seed
        self.out.mkdir(parents=True, exist_ok=True)
        self.name = Path(sys.argv[0]).stem

    def either(self, full: int, short: int) -> int:
        """The first number for the full form, the second for the short one."""
        return short if self.short else full

    @property
    def seconds(self) -> float:
        """Of the processor, since the program began: other work on the machine does not count."""
        return process_time()

    def score(
        self, what: str, value: float, baseline: float, *, trivial: str, goal: str = "", form: str = ".1%"
    ) -> None:
        """Print a score beside that of a trivial answer, `trivial` in words, and append both to scores.jsonl.

        `goal` is what the full form is asked for; `form` how the two numbers are printed.
        """
        asked = f"; asked for: {goal}" if goal else ""
        print(f"{what}: {value:{form}} ({trivial}: {baseline:{form}}{asked}) after {self.seconds:.0f} s")
        line: dict[str, Any] = {
            "example": self.name,
            "what": what,
            "score": f"{value:{form}}",
            "baseline": f"{baseline:{form}}",
            "trivial": trivial,
            "goal": goal,
            "seed": self.seed,
            "short": self.short,
            "seconds": round(self.seconds),
        }
        with (self.out / "scores.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def picture(self, drawing: Any, name: str) -> None:
        """Save a drawing, of the net or of what it does, and say where it is."""
        drawing.save(self.out / name)
        print(f"picture: {self.out / name}")


def needs(module: str, package: str) -> Any:
    """An optional library, or an end to the program with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise SystemExit(f"this example needs {package}: pip install '{package}', or '.[tasks]' in a clone") from None
