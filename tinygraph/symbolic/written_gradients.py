r"""Backpropagation through time written out, as lectures print it: `tg.bptt(losses, net.parameters)`.

    \bar{h}_{t} = V^{\top} \bar{o}_{t} + U^{\top} \bar{z}_{t+1}, \quad t < T

in bar or nabla notation, for one example, a batch, single numbers or entries, with columns or rows. What is
printed is the recurrence that `recurrences` found in the gradient graph; here it only gets its signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UnknownNameError, nearest
from ..graph.formula import Style
from ..graph.node import COTANGENT
from ..graph.op import ATOM, PREFIX, PRODUCT, SUM
from ..graph.text import TEXT
from .conventions import by_entries, in_columns, in_rows, of_numbers
from .expressions import Apply, Entry, Expression, Moment, Number, Slope, Total, factors, is_cotangent, symbols
from .expressions import Symbol as Name
from .formulas import Latex, style
from .notation import Notation, Symbol
from .recurrences import Line, Recurrence, find_recurrence
from .word_formulas import primed

STYLES = ("bar", "nabla")
FORMS = ("example", "batch", "scalar", "entries")
CONVENTIONS = ("columns", "rows")
DERIVATIVES = ("value", "prime")


@dataclass(frozen=True)
class Backpropagation:
    """The equations: `recurrence.lines` as data, `latex`, and text by `str`. A notebook shows the LaTeX."""

    recurrence: Recurrence
    notation: Notation
    style: str
    form: str
    convention: str

    @property
    def latex(self) -> Latex:
        """An `aligned` environment: what the letters stand for, then the backward pass, weights last."""
        signs = _Latex(self)
        lines = [f"{left} &= {right}" + (rf", \quad {when}" if when else "") for left, right, when in signs.equations()]
        return Latex("\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}")

    @property
    def legend(self) -> str:
        """One sentence that says what vectors and weights are in these equations."""
        if self.form == "scalar":
            return "Every variable is a number."
        if self.form == "entries":
            return "Each equation is that of one entry of one example; a weight's row index comes first."
        rows = self.convention == "rows"
        many = f"; a matrix has an example a {'row' if rows else 'column'}" if self.form == "batch" else ""
        where = "from the right, as the transpose of the column convention's" if rows else "from the left"
        return f"Vectors are {self.convention}{many}; a weight acts {where}."

    def __str__(self) -> str:
        found = _Text(self).equations()
        width = max((len(left) for left, _, _ in found), default=0)
        return "\n".join(
            f"{left:<{width}} = {right}" + (f"    ({when})" if when else "") for left, right, when in found
        )

    def _repr_latex_(self) -> str:
        return self.latex._repr_latex_()


def bptt(
    losses: Any,
    wrt: Any,
    *,
    style: str = "bar",
    form: str = "example",
    convention: str = "columns",
    derivative: str = "value",
    notation: Mapping[str, str] | None = None,
) -> Backpropagation:
    r"""Backpropagation through time written out: the recursion of the gradient of `losses` by `wrt`.

    losses      the scalar losses by step, {t: L_t}, whose sum is differentiated; or one scalar
    wrt         nodes to differentiate by, such as `net.parameters`; any nesting
    style       "bar": \bar h is the cotangent of h, and each sum that enters a nonlinearity has a letter;
                "nabla": \nabla_{h_t} L, without these letters (Goodfellow, Bengio and Courville 2016,
                "Deep Learning", section 10.2.2)
    form        "example": vectors of one example; "batch": matrices of a whole batch; "scalar": a net of
                numbers; "entries": each entry, with its sums
    convention  "columns": h = U h, as everywhere here; "rows": h U, with an example a row and each weight
                the transpose of ours
    derivative  of a nonlinearity, in bar style: "value", 1 - h^2, or "prime", \tanh'(z)
    notation    LaTeX for labels, {"U": "W_{hh}"}

    The equations are found in the gradient graph of the net as it is unrolled; bounds near its last step T
    are printed relative to T. Four steps or more show a repeating line apart from those of both ends.

    Raises `UnknownNameError` for an unknown choice or label, and `UsageError` or
    `DifferentiationError` where there is no such form.
    """
    for what, given, known in (
        ("style", style, STYLES),
        ("form", form, FORMS),
        ("convention", convention, CONVENTIONS),
        ("derivative", derivative, DERIVATIVES),
    ):
        if given not in known:
            raise UnknownNameError(f"no {what} {given!r:.60}", fix=nearest(given, known))
    found = find_recurrence(losses, wrt, letters=style == "bar", primes=derivative == "prime")
    names = {s.name for line in (*found.definitions, *found.lines) for s in (line.left, *symbols(line.right))}
    known_names = names | {name.rpartition("/")[2] for name in names}
    if form == "scalar":
        found = of_numbers(found)
    elif convention == "rows":
        found = in_rows(found, batch=form == "batch")
    else:
        found = in_columns(found, batch=form == "batch")
    if form == "entries":
        found = by_entries(found)
    return Backpropagation(found, Notation(notation, known_names), style, form, convention)


class _Signs:
    """Writes equations; what a name, a sum and a bound look like is that of a subclass."""

    signs: Style

    def __init__(self, what: Backpropagation) -> None:
        self.what, self.found, self.notation = what, what.recurrence, what.notation
        self.nabla = what.style == "nabla"

    def equations(self) -> list[tuple[str, str, str]]:
        """Left side, right side, and the steps for which the equation holds, if not for all."""
        lines = (*self.found.definitions, *self.found.lines)
        several = {line.left for line in lines if sum(other.left == line.left for other in lines) > 1}
        return [self.equation(line, line.left in several) for line in lines]

    def equation(self, line: Line, several: bool) -> tuple[str, str, str]:
        first, last = line.first, line.last
        at = first if first is not None and self._same(first, last) else None
        when = ""
        if first is not None and last is not None and at is None:
            whole = first == Moment(1) and last == Moment(0, True)
            when = "" if whole and not several else self.when(first, last)
        return self.name(line.left, at), self.write(line.right, at)[0], when

    def _same(self, first: Moment | None, last: Moment | None) -> bool:
        return first is not None and last is not None and first.step(self.found.steps) == last.step(self.found.steps)

    def time(self, offset: int, at: Moment | None) -> str:
        """A step: relative to t, or to the one step at which an equation holds."""
        if at is not None and not at.from_end:
            return str(at.offset + offset)
        base, more = ("t", offset) if at is None else ("T", at.offset + offset)
        return f"{base}{more:+d}" if more else base

    def moment(self, moment: Moment) -> str:
        return self.time(0, moment)

    def write(self, e: Expression, at: Moment | None) -> tuple[str, int]:
        """The text, and how strongly it binds."""
        match e:
            case Number():
                return self.signs.number(e.value), PREFIX if e.value < 0 else ATOM
            case Name():
                return self.symbol(e, at)
            case Total():
                return self.total(e, at)
            case Entry():
                return self.entry(self.write(e.body, at)[0], ",".join(e.indices)), ATOM
            case Slope():
                return self.slope(e, self.write(e.body, at)[0]), ATOM
            case Apply():
                rule = getattr(self, f"_{e.op.name}", None)
                return rule(e, at) if rule else self.call(e, at)

    def call(self, e: Apply, at: Moment | None) -> tuple[str, int]:
        """By the form of the row."""
        operands = [self.write(arg, at) for arg in e.args]
        form = self.signs.form(e.op)
        if form is None:
            return self.signs.call(e, [text for text, _ in operands]), ATOM  # type: ignore[arg-type]  # prints as a node
        shown = [self.grouped(text, level, form.needs(i)) for i, (text, level) in enumerate(operands)]
        return form.write(e, shown), form.level  # type: ignore[arg-type]  # prints as a node

    def grouped(self, text: str, level: int, needed: int) -> str:
        return self.signs.group.format(text) if level < needed else text

    def _add(self, e: Apply, at: Moment | None) -> tuple[str, int]:
        terms = sorted(e.args, key=self._runs_on)
        text = ""
        for term in terms:
            signed, minus = term, isinstance(term, Apply) and term.op.name == "neg"
            if minus and isinstance(term, Apply):
                signed = term.args[0]
            shown, level = self.write(signed, at)
            shown = self.grouped(shown, level, PRODUCT if minus else SUM)
            text += ((" - " if text else "-") if minus else " + " if text else "") + shown
        return text, SUM

    def _runs_on(self, term: Expression) -> bool:
        """Whether what follows might be read as part of the term: a sum over time comes last."""
        return isinstance(term, Total) and not self._same(term.first, term.last)

    def symbol(self, e: Name, at: Moment | None) -> tuple[str, int]:
        return self.name(e, at), ATOM

    def name(self, e: Name, at: Moment | None) -> str:
        raise NotImplementedError

    def total(self, e: Total, at: Moment | None) -> tuple[str, int]:
        raise NotImplementedError

    def entry(self, text: str, indices: str) -> str:
        raise NotImplementedError

    def slope(self, e: Slope, text: str) -> str:
        raise NotImplementedError

    def when(self, first: Moment, last: Moment) -> str:
        raise NotImplementedError


class _Latex(_Signs):
    """In LaTeX."""

    def __init__(self, what: Backpropagation) -> None:
        super().__init__(what)
        self.signs = style(self.notation, str)
        lines = (*self.found.definitions, *self.found.lines)
        self.bases = {self._symbol(s).base for line in lines for s in (line.left, *symbols(line.right))}

    def _symbol(self, e: Name) -> Symbol:
        _, _, local = e.name.rpartition("/")
        return self.notation.symbol(local, self.notation.find(e.name, self.found.own.get(e.key, "")))

    def name(self, e: Name, at: Moment | None) -> str:
        found = self._symbol(e)
        within = e.name.rpartition("/")[0]
        if self.what.form == "batch" and e.key not in self.found.shared:
            found = found._replace(base=self._cased(found.base, str.upper))
        elif self.what.form == "scalar" and e.time is None:
            found = found._replace(base=self._cased(found.base, str.lower))
        if e.bar and not self.nabla:
            found = found._replace(base=rf"\bar{{{found.base}}}")
        below = [self.time(e.time, at) if e.time is not None else "", ",".join(e.indices)]
        text = found.write(below, [rf"(\mathrm{{{within}}})"] if within else [])
        return rf"\nabla_{{{text}}} L" if e.bar and self.nabla else text

    def _cased(self, base: str, change: Any) -> str:
        """A letter in another case, unless another symbol has that one."""
        letter = base[-1:] if base[:1] == "\\" and " " in base else base
        changed = base.removesuffix(letter) + change(letter)
        return changed if len(letter) == 1 and changed not in self.bases else base

    def symbol(self, e: Name, at: Moment | None) -> tuple[str, int]:
        return self.name(e, at), PREFIX if e.bar and self.nabla else ATOM

    def total(self, e: Total, at: Moment | None) -> tuple[str, int]:
        if e.first is None or e.last is None:
            return rf"\sum_{{{e.index}}} {self.grouped(*self.write(e.body, at), PRODUCT)}", SUM
        if self._same(e.first, e.last):
            return self.write(e.body, e.first)
        body = self.grouped(*self.write(e.body, None), PRODUCT)
        return rf"\sum_{{t={self.moment(e.first)}}}^{{{self.moment(e.last)}}} {body}", SUM

    def slope(self, e: Slope, text: str) -> str:
        form = e.op.latex
        return primed(form.write(e, [text]) if form else f"{e.op.name}({text})")  # type: ignore[arg-type]  # prints as a node

    def entry(self, text: str, indices: str) -> str:
        return rf"\left({text}\right)_{{{indices}}}"

    def when(self, first: Moment, last: Moment) -> str:
        strict = last.from_end and last.offset == -1
        end = "t < T" if strict else rf"t \le {self.moment(last)}"
        return end if first == Moment(1) and strict else rf"{self.moment(first)} \le {end}"

    def _matmul(self, e: Apply, at: Moment | None) -> tuple[str, int]:
        a, b = e.args
        return f"{self._factor(a, at)} {self._factor(b, at)}", PRODUCT

    def _outer(self, e: Apply, at: Moment | None) -> tuple[str, int]:
        a, b = e.args
        return rf"{self._factor(a, at)} \, {self._transposed(b, at)}", PRODUCT

    def _transpose(self, e: Apply, at: Moment | None) -> tuple[str, int]:
        return self._transposed(e.args[0], at), ATOM

    def _transposed(self, e: Expression, at: Moment | None) -> str:
        text, level = self.write(e, at)
        return self.grouped(text, level if isinstance(e, Name) else SUM, ATOM) + r"^{\top}"

    def _factor(self, e: Expression, at: Moment | None) -> str:
        """A factor of a product of matrices; such a product itself needs no parentheses."""
        text, level = self.write(e, at)
        chain = isinstance(e, Apply) and (e.op.name == "matmul" or (e.op.name == "mul" and self._as_diagonal(e)))
        return self.grouped(text, level, 0 if chain else ATOM)

    def _as_diagonal(self, e: Apply) -> bool:
        """Whether an elementwise product is written diag(a) times a gradient."""
        found = factors(e)
        barred = [f for f in found if is_cotangent(f)]
        rest = [f for f in found if not is_cotangent(f)]
        return self.nabla and len(barred) == 1 and barred[0].ndim == 1 and all(f.ndim == 1 for f in rest)

    def _mul(self, e: Apply, at: Moment | None) -> tuple[str, int]:
        if not self._as_diagonal(e):
            return self.call(e, at)
        found = factors(e)
        rest = [self.write(f, at) for f in found if not is_cotangent(f)]
        inside = (
            r" \odot ".join(self.grouped(text, level, PRODUCT) for text, level in rest) if len(rest) > 1 else rest[0][0]
        )
        (gradient,) = (f for f in found if is_cotangent(f))
        return rf"\operatorname{{diag}}({inside}) \, {self._factor(gradient, at)}", PRODUCT

    def _sum_batch(self, e: Apply, at: Moment | None) -> tuple[str, int]:
        if self.what.form != "batch":
            return self.call(e, at)
        if self.what.convention == "rows":
            return rf"\mathbf{{1}}^{{\top}} {self._factor(e.args[0], at)}", PRODUCT
        return rf"{self._factor(e.args[0], at)} \mathbf{{1}}", PRODUCT


class _Text(_Signs):
    """In plain characters."""

    signs = TEXT

    def name(self, e: Name, at: Moment | None) -> str:
        label = self.notation.text(e.name, self.notation.find(e.name))
        inside = ", ".join(filter(None, (self.time(e.time, at) if e.time is not None else "", *e.indices)))
        text = f"{label}[{inside}]" if inside else label
        return text if not e.bar else f"grad({text})" if self.nabla else COTANGENT + text

    def total(self, e: Total, at: Moment | None) -> tuple[str, int]:
        if e.first is None or e.last is None:
            return f"sum_{e.index} {self.grouped(*self.write(e.body, at), PRODUCT)}", SUM
        if self._same(e.first, e.last):
            return self.write(e.body, e.first)
        bounds = f"t={self.moment(e.first)}..{self.moment(e.last)}"
        return f"sum[{bounds}] {self.grouped(*self.write(e.body, None), PRODUCT)}", SUM

    def slope(self, e: Slope, text: str) -> str:
        return f"{e.op.name}'({text})"

    def entry(self, text: str, indices: str) -> str:
        return f"({text})[{indices}]"

    def when(self, first: Moment, last: Moment) -> str:
        return f"{self.moment(first)} <= t <= {self.moment(last)}"
