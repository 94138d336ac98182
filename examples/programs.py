"""Small programs and what they print, generated: for learning to execute.

    j=31
    for i in range(4):j+=52
    print((j-7))                  239

Two numbers say how hard a program is: how many digits its numbers have, and its nesting, which is how many
operations are put into one another: sums, differences, products with a small number, choices, and loops. After each
the value may be stored in a variable. Reference: Zaremba and Sutskever 2014, arXiv:1410.4615, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NAMES = "abcdefgh"  # of variables, no name twice in a program
SMALL = 4  # the greatest factor, and the greatest number of rounds of a loop


@dataclass
class Program:
    """A program as it grows: complete lines, and an expression with its value that the rest is built around."""

    digits: int
    rng: np.random.Generator
    lines: list[str] = field(default_factory=list)
    expression: str = ""
    value: int = 0

    def __post_init__(self) -> None:
        self.names = list(self.rng.permutation(list(NAMES)))
        self.value = self.number()
        self.expression = str(self.value)

    def number(self) -> int:
        """A number with so many digits, or fewer."""
        return int(self.rng.integers(10**self.digits))

    def small(self) -> int:
        return int(self.rng.integers(2, SMALL + 1))

    def add(self) -> None:
        n = self.number()
        self.expression, self.value = f"({self.expression}+{n})", self.value + n

    def subtract(self) -> None:
        n = self.number()
        self.expression, self.value = f"({self.expression}-{n})", self.value - n

    def multiply(self) -> None:
        n = self.small()
        self.expression, self.value = f"({self.expression}*{n})", self.value * n

    def choose(self) -> None:
        a, b, n = self.number(), self.number(), self.number()
        self.expression = f"({self.expression} if {a}<{b} else {n})"
        self.value = self.value if a < b else n

    def loop(self) -> None:
        rounds, n = self.small(), self.number()
        self.store()
        self.lines.append(f"for i in range({rounds}):{self.expression}+={n}")
        self.value += rounds * n

    def store(self) -> None:
        """The value in a variable, which stands for it from now on."""
        name = str(self.names.pop())
        self.lines.append(f"{name}={self.expression}")
        self.expression = name

    @property
    def text(self) -> str:
        return "\n".join([*self.lines, f"print({self.expression})"])


OPERATIONS = (Program.add, Program.subtract, Program.multiply, Program.choose, Program.loop)


def program(digits: int, nesting: int, rng: np.random.Generator) -> tuple[str, str]:
    """A program with so many operations on numbers of up to so many digits, and what it prints."""
    made = Program(digits, rng)
    for number in range(nesting):
        if number and made.expression not in NAMES and rng.random() < 0.3:
            made.store()
        OPERATIONS[rng.integers(len(OPERATIONS))](made)
    return made.text, str(made.value)
