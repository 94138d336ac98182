r"""The Jacobian of a step, and the product of such Jacobians over time, written out: `tg.step_jacobian(cell)`.

    \frac{\partial h_{t}}{\partial h_{t-k}} = \prod_{j=0}^{k-1} \operatorname{diag}(h'_{t-j}) \, U

A product is written as one, from the latest step on the left to the earliest on the right; up to three
steps it can be multiplied out too, and beyond that its words are counted, since they grow exponentially.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..cells import Cell
from ..errors import UsageError, expect
from ..graph.tape import cone
from ..shapes import as_size
from .formulas import Latex, aligned
from .notation import labels_of
from .steps import relative_time
from .word_formulas import Names, sum_latex, words_latex
from .words import LONGEST_PRODUCT, StepWords, step_words


@dataclass(frozen=True)
class WrittenJacobian:
    """d (state at t) / d (state at t-k), as LaTeX. A notebook shows it.

    steps    the number k of steps; None stands for any
    latex    block by block up to three steps, derivatives as one letter each, h'; beyond these the product
    expanded  the same with the derivatives multiplied out, 1 - h^2
    product  as a product of step Jacobians over time
    """

    step: StepWords
    steps: int | None
    notation: Mapping[str, str] | None

    @property
    def latex(self) -> Latex:
        return words_latex(self.words, notation=self.notation) if self._short else self.product

    @property
    def expanded(self) -> Latex:
        """Raises `UsageError` beyond three steps."""
        return words_latex(self.words, expanded=True, notation=self.notation)

    @cached_property
    def words(self) -> StepWords:
        """The matrix words of all steps together. Raises `UsageError` beyond three steps."""
        if self.steps == 1:
            return self.step
        return step_words(self.step.net.cell, self.steps or LONGEST_PRODUCT + 1, sizes=self.step.net.sizes)

    @property
    def product(self) -> Latex:
        r"""\prod of the Jacobians of single steps; of several states, as block matrices J."""
        many, running = self._indices()
        states = list(self.step.net.cell.states)
        last = f"{many}-1" if self.steps is None else str(self.steps - 1)
        start = self._states(f"t-{many}" if self.steps is None else relative_time(1 - self.steps))
        left = rf"\frac{{\partial {self._states('t')}}}{{\partial {start}}}"
        symbol = rf"\prod_{{{running}=0}}^{{{last}}}"
        if len(states) == 1:
            body = sum_latex(self.step.compact[states[0], states[0]], Names(self.step, self.notation, f"t-{running}"))
            several = len(self.step.compact[states[0], states[0]]) > 1 or body.startswith("-")
            return aligned([rf"{left} &= {symbol} " + (rf"\left({body}\right)" if several else body)])
        names = Names(self.step, self.notation)
        rows = [" & ".join(sum_latex(self.step.compact[new, old], names) for old in states) for new in states]
        matrix = r"\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}"
        return aligned([f"{left} &= {symbol} J_{{t-{running}}}", f"J_{{t}} &= {matrix}"])

    @property
    def _short(self) -> bool:
        return self.steps is not None and self.steps <= LONGEST_PRODUCT

    def _states(self, now: str) -> str:
        names = Names(self.step, self.notation, now)
        shown = [names.of(self.step.net.series[state].last) for state in self.step.net.cell.states]
        return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"

    def _indices(self) -> tuple[str, str]:
        """A letter for the number of steps, and one that runs, which no label has."""
        taken = labels_of(cone(self.step.roots)) | set((self.notation or {}).values())
        free = [letter for letter in "kjlmnpq" if letter not in taken]
        return free[0], free[1]

    def __str__(self) -> str:
        return str(self.latex)

    def _repr_latex_(self) -> str:
        return self.latex._repr_latex_()


def step_jacobian(
    cell: Cell,
    steps: int | None = 1,
    *,
    notation: Mapping[str, str] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> WrittenJacobian:
    r"""The Jacobian of `steps` steps of a cell by its state, written out; None for any number of steps.

    `notation` renames labels, {"U": "W_{hh}"}. `sizes` matter only for cells that select entries.
    Raises `NoWordsError` for a cell whose Jacobian is no sum of matrix words, `ShapeError` or `UsageError` for a
    number of steps that is none, `UnknownNameError` for a notation of what the cell does not have.
    """
    expect(cell, Cell, "step_jacobian takes a cell", "such as models.lstm")
    count = None if steps is None else as_size(steps, "number of steps")
    if count == 0:
        raise UsageError("a Jacobian over time is that of at least one step", fix="steps=1 or more, or None for any")
    found = WrittenJacobian(step_words(cell, sizes=sizes), count, notation)
    Names(found.step, notation)  # says what is wrong with the notation
    return found
