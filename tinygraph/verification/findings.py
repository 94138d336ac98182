"""What the lint says of a claimed formula: right; or where it is wrong, by which numbers, and by which mistake."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

# The mistakes that have a name, each with what it means.
MISTAKES: dict[str, str] = {
    "missing term": "a term, a path or a time step is left out",
    "missing factor": "a factor of a product is left out",
    "extra": "a term or a factor too many",
    "sign": "plus for minus, or minus for plus",
    "transpose": "a matrix for its transpose",
    "order": "factors that do not commute, in the wrong order",
    "time": "a value of another time step",
    "layer": "a value of another layer",
    "derivative": "a value for its derivative, or the derivative of another function",
    "matrix": "another matrix of the same shape",
    "value": "another value of the same shape",
    "function": "a function, such as a square root, is left out",
    "scale": "a number such as 2 or 1/N too many or too few",
    "target": "the target's entry is set where it is changed",
    "condition": "a condition that is necessary but not sufficient, or the reverse",
    "shape": "a shape that does not fit",
    "unknown": "none of the usual mistakes",
}


LESS_LIKELY = ("value", "matrix", "scale")  # kinds that are looked for after all others
MOST_LINES = 12  # of a right formula that is printed; longer ones are in `corrected`


@dataclass(frozen=True)
class Mistake:
    """A named mistake: its `kind`, a key of `MISTAKES`, and `text`, which says what stands in place of what."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Counterexample:
    """An entry on which the claim and the right formula differ, with the numbers put in."""

    entry: tuple[int, ...]
    claimed: float
    right: float
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        where = f"entry {self.entry}" if self.entry else "its value"
        lines = [f"{where} is {self.right:.6g}, and the claim gives {self.claimed:.6g}"]
        for name, value in self.values.items():
            lines.append(
                f"  at {name} = {np.array2string(np.asarray(value), precision=4, separator=', ', prefix='  ')}"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Finding:
    """What the lint found of one formula.

    of               what the formula is claimed to be, such as `d h[t] / d h[t-1]`
    ok               whether it is right
    mistakes         the likeliest mistakes, which together turn the right formula into the claimed one
    counterexample   numbers that show the difference; None for a formula that is right or has no value
    corrected        the right formula as LaTeX, where it has one
    line             the line at fault, of a listing
    """

    of: str
    ok: bool
    mistakes: tuple[Mistake, ...] = ()
    counterexample: Counterexample | None = None
    corrected: str = ""
    line: str = ""

    @property
    def mistake(self) -> Mistake | None:
        """The likeliest mistake; None for a formula that is right."""
        return self.mistakes[0] if self.mistakes else None

    def __str__(self) -> str:
        if self.ok:
            return f"{self.of}: right"
        lines = [f"{self.of}: WRONG"]
        lines += [f"line: {self.line}"] if self.line else []
        lines += [f"mistake: {mistake}" for mistake in self.mistakes]
        lines += str(self.counterexample).split("\n") if self.counterexample else []
        formula = self.corrected.split("\n")
        lines += ["right: " + "\n    ".join(formula)] if self.corrected and len(formula) <= MOST_LINES else []
        return "\n  ".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        seen = self.counterexample
        shown = seen and {
            "entry": list(seen.entry), "claimed": seen.claimed, "right": seen.right,
            "values": {name: np.asarray(value).tolist() for name, value in seen.values.items()},
        }  # fmt: skip
        mistakes = [{"kind": m.kind, "text": m.text} for m in self.mistakes]
        return {
            "of": self.of, "ok": self.ok, "line": self.line, "mistakes": mistakes,
            "counterexample": shown, "corrected": self.corrected,
        }  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """The findings of a lint, one for each formula of the claim; the first wrong one speaks for all."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every formula is right."""
        return all(finding.ok for finding in self.findings)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings of the formulas that are wrong."""
        return tuple(finding for finding in self.findings if not finding.ok)

    @property
    def mistake(self) -> Mistake | None:
        """The likeliest mistake of the first wrong formula."""
        return self.wrong[0].mistake if self.wrong else None

    @property
    def counterexample(self) -> Counterexample | None:
        """The numbers that show that the first wrong formula is wrong."""
        return self.wrong[0].counterexample if self.wrong else None

    @property
    def corrected(self) -> str:
        """The first wrong formula put right, as LaTeX."""
        return self.wrong[0].corrected if self.wrong else ""

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    def to_json(self) -> str:
        """The verdict as JSON text."""
        return json.dumps({"ok": self.ok, "findings": [finding.to_dict() for finding in self.findings]}, indent=2)

    def _repr_html_(self) -> str:
        return "".join(map(_html, self.findings))


def _html(finding: Finding) -> str:
    head, *lines = str(replace(finding, corrected="")).split("\n")
    shown = "".join(f"<li>{html.escape(line.strip())}</li>" for line in lines)
    latex = f"<div>$$\n{html.escape(finding.corrected)}\n$$</div>" if finding.corrected and not finding.ok else ""
    return f"<div><p>{html.escape(head)}</p><ul>{shown}</ul>{latex}</div>"


def worst_entry(claimed: Any, right: Any) -> tuple[int, ...]:
    """The entry on which two arrays of one shape differ most."""
    difference = np.abs(np.asarray(claimed, float) - np.asarray(right, float))
    found: Sequence[Any] = np.unravel_index(int(np.argmax(np.nan_to_num(difference, nan=np.inf))), difference.shape)
    return tuple(int(i) for i in found)


def counterexample(claimed: Any, right: Any, values: Mapping[str, Any] | None = None) -> Counterexample:
    """The worst entry of two arrays of one shape."""
    entry = worst_entry(claimed, right)
    return Counterexample(entry, float(np.asarray(claimed)[entry]), float(np.asarray(right)[entry]), values or {})
