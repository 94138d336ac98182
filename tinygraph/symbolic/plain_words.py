"""Matrix words as plain text: `diag(z'[t] * h[t-1]) @ U_z`, for messages and the terminal."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ..graph.formula import Style
from ..graph.letters import Atom, Contraction, Diagonal, Letter, Matrix, Ones, Selection, Word
from ..graph.node import Node
from ..graph.text import TEXT, write_name
from .steps import relative_time
from .word_formulas import Names
from .words import SLOPE, StepWords


class PlainNames(Names):
    """The names of a step's nodes, and the words made of them, as plain text."""

    def __init__(self, step: StepWords) -> None:
        super().__init__(step)
        self.style = plain_style(step.net.steps)

    def word(self, word: Word, coefficient: int | Fraction = 1) -> str:
        """One term with its sign: `-diag(c[t] * z'[t]) @ U_z`."""
        letters = " @ ".join(map(self.letter, word)) or "I"
        if coefficient in (1, -1):
            return f"{'-' * (coefficient < 0)}{letters}"
        return f"{coefficient} * {letters}"

    def letter(self, one: Letter) -> str:
        match one:
            case Diagonal(factors):
                product = " * ".join(self.atom(atom, exponent) for atom, exponent in factors)
                return product if all(atom.node.shape == () for atom, _ in factors) else f"diag({product})"
            case Matrix(node, transposed):
                return self.of(node) + ".T" * transposed
            case Ones(rows, _):
                return "1" if rows != 1 else "1.T"
            case Selection(indices, _, transposed):
                shown = f"{indices[0]}:{indices[-1] + 1}" if len(indices) > 1 else str(indices[0])
                return f"E[{shown}]{'.T' * transposed}"
            case Contraction(tensor, vector, _):
                return f"<{self.of(tensor)}, {self.of(vector)}>"

    def atom(self, atom: Atom, exponent: int = 1) -> str:
        text = self._value(atom)
        return text if exponent == 1 else f"{text}**{exponent}"

    def _value(self, atom: Atom) -> str:
        text = self.of(atom.node)
        if not atom.how.startswith(SLOPE):
            return f"{atom.how}({text})" if atom.how else text
        if len(atom.node.args) > 1:
            return f"d{int(atom.how[1:]) + 1} {text}"
        head, mark, rest = text.partition("(" if "(" in text else "[")
        return f"{head}'{mark}{rest}" if head else f"{text}'"


def plain_style(last: int) -> Style:
    """The text style in which step `last` is written t: `h[t-1]`."""

    def name(node: Node, scope: bool, identifier: bool) -> str:
        where = node.where
        if node.op.name == "parameter" or where.step is None or not where.label:
            return write_name(node, scope, identifier)
        return f"{where.label}[{relative_time(where.step - last + 1)}]"

    return replace(TEXT, name=name, longest=200)
