r"""Matrix words as LaTeX: d h_t / d h_{t-1} = diag(h'_t) U, compact or with the derivatives multiplied out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from ..errors import UnknownNameError, nearest
from ..graph.formula import Style, equations
from ..graph.letters import Atom, Contraction, Diagonal, Letter, Matrix, Ones, Selection, Word, Words
from ..graph.node import Node
from ..graph.op import ATOM
from ..graph.table import OPS
from ..graph.tape import cone
from .formulas import Latex, aligned, style
from .notation import Notation, labels_of
from .steps import relative_time
from .words import SLOPE, Block, StepWords


def words_latex(step: StepWords, *, expanded: bool = False, notation: Mapping[str, str] | None = None) -> Latex:
    """All blocks of the Jacobian as an `aligned` environment, row by row; `expanded` multiplies out."""
    lines = [block_latex(step, block, expanded=expanded, notation=notation) for block in step.compact]
    return aligned(line.replace(" = ", " &= ", 1) for line in lines)


def block_latex(
    step: StepWords, block: Block, *, expanded: bool = False, notation: Mapping[str, str] | None = None
) -> str:
    """One block as an equation. Raises `UnknownNameError` for a block that the cell does not have."""
    if block not in step.compact:
        known = [f"{new}, {old}" for new, old in step.compact]
        raise UnknownNameError(f"the Jacobian has no block {block!r}", fix=nearest(", ".join(block), known))
    names = Names(step, notation)
    new, old = step.net.series[block[0]].last, step.net.series[block[1]][step.since]
    words = (step.expanded if expanded else step.compact)[block]
    left = rf"\frac{{\partial {names.of(new)}}}{{\partial {names.of(old)}}}"
    return f"{left} = {sum_latex(words, names)}"


class Names:
    """The symbols of a step's nodes: a label, that of the state a node becomes, or else its formula.

    `now` is what the last step is called.
    """

    def __init__(self, step: StepWords, notation: Mapping[str, str] | None = None, now: str = "t") -> None:
        last = step.net.steps
        known = Notation(notation, labels_of(cone(step.roots)))
        self.style: Style = style(known, lambda t: relative_time(t - last + 1, now))
        self.labelled: dict[int, Node] = {}
        for node in cone(step.roots):
            form = node.op.latex
            if node.label and form is not None and form.template == "{0}":  # an identity that carries a label
                self.labelled.setdefault(node.args[0].id, node)

    def of(self, node: Node) -> str:
        """A symbol, or a formula in parentheses where it needs them."""
        node = self.labelled.get(node.id, node) if not node.label else node
        if node.label or node.op.leaf:
            return self.style.name(node, False, False)
        text = self.formula(node)
        form = self.style.form(node.op)
        return text if form is None or form.level == ATOM else self.style.group.format(text)

    def formula(self, node: Node) -> str:
        """The equation of a node without a label, by labelled nodes and leaves."""
        inside, rest = {node.id: node}, [node]
        while rest:
            for arg in rest.pop().args:
                shown = arg.label or arg.id in self.labelled
                if arg.id not in inside and ("value" in arg.attrs or not (shown or arg.op.leaf)):
                    inside[arg.id] = arg
                    rest.append(arg)
        return equations([inside[i] for i in sorted(inside)], self.style)[-1].right

    def letter(self, one: Letter) -> str:
        """One letter of a word."""
        match one:
            case Diagonal(factors):
                product = r" \odot ".join(self.atom(atom, exponent) for atom, exponent in factors)
                scalar = all(atom.node.shape == () for atom, _ in factors)
                return product if scalar else rf"\operatorname{{diag}}({product})"
            case Matrix(node, transposed):
                return self.of(node) + (r"^{\top}" if transposed else "")
            case Ones(rows, _):
                return r"\mathbf{1}" if rows != 1 else r"\mathbf{1}^{\top}"
            case Selection(indices, _, transposed):
                run = len(indices) > 1 and list(indices) == list(range(indices[0], indices[-1] + 1))
                shown = f"{indices[0]}:{indices[-1] + 1}" if run else ",".join(map(str, indices))
                return f"E_{{[{shown}]}}" + (r"^{\top}" if transposed else "")
            case Contraction(tensor, vector, axis):
                number = tensor.ndim + axis + 1  # the axis that is summed over, counted from 1
                return rf"\langle {self.of(tensor)}, {self.of(vector)} \rangle_{{{number}}}"

    def atom(self, atom: Atom, exponent: int) -> str:
        """A factor of a diagonal."""
        text = self.of(atom.node)
        if atom.how.startswith(SLOPE):
            text = primed(text) if len(atom.node.args) == 1 else rf"\partial_{{{int(atom.how[1:]) + 1}}} {text}"
        elif atom.how:
            form = OPS[atom.how].latex
            text = form.write(atom.node, [text]) if form else rf"\operatorname{{{atom.how}}}({text})"
        if exponent == 1:
            return text
        plain = "'" not in text and "^" not in text and "(" not in text
        return f"{text}^{{{exponent}}}" if plain else rf"\left({text}\right)^{{{exponent}}}"


def sum_latex(words: Words, names: Names) -> str:
    """A sum of words."""
    if not words:
        return "0"
    text = ""
    for word, coefficient in words.items():
        sign = ("-" if coefficient < 0 else "") if not text else (" - " if coefficient < 0 else " + ")
        text += sign + _term(word, -coefficient if coefficient < 0 else coefficient, names)
    return text


def _term(word: Word, coefficient: int | Fraction, names: Names) -> str:
    letters = [names.letter(one) for one in word]
    if coefficient == 1:
        return r" \, ".join(letters) or "I"
    return r" \, ".join([number_latex(coefficient), *(letters or ["I"])])


def number_latex(number: int | Fraction) -> str:
    """A whole number, or a ratio as a small fraction."""
    ratio = Fraction(number)
    return str(ratio) if ratio.denominator == 1 else rf"\tfrac{{{ratio.numerator}}}{{{ratio.denominator}}}"


def primed(text: str) -> str:
    r"""h'_{t} or \tanh'(c_{t}); any other formula is primed as a whole."""
    call = re.fullmatch(r"(\\\w+(?:\{\w+\})?)(\(.*\))", text)
    if call:
        return f"{call[1]}'{call[2]}"
    if "(" in text or "^" in text:
        return rf"\left({text}\right)'"
    base, mark, subscript = text.partition("_")
    return f"{base}'{mark}{subscript}"
