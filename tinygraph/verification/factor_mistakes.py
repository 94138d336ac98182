"""What may stand by mistake in place of one factor of a word: a transpose, a value of another time, a wrong slope."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph.letters import Atom, Matrix, Polynomial, monomial_product
from ..graph.node import Node
from ..symbolic.plain_words import PlainNames
from ..symbolic.words import SLOPE, StepWords, slope
from .findings import Mistake
from .siblings import Siblings
from .value_slips import Slip, slips_of
from .word_changes import Change, Part, single, with_atom, with_letter


class FactorMistakes:
    """The mistakes in one factor, for the words of a step."""

    def __init__(self, step: StepWords, names: PlainNames) -> None:
        self.names = names
        self.siblings = Siblings(step)
        self._known_slips: dict[Node, list[Slip]] = {}

    def replacements(self, part: Part) -> Iterator[tuple[Mistake, Change]]:
        """A part replaced, in all places where a word has it."""
        text = self.text(part)
        if isinstance(part, Atom):
            yield Mistake("missing factor", f"the factor {text} is left out"), with_atom(part, Polynomial({(): 1}))
            for kind, shown, polynomial in self._other_atoms(part):
                yield Mistake(kind, f"{shown} in place of {text}"), with_atom(part, polynomial)
        elif isinstance(part, Matrix):
            flipped = Matrix(part.node, not part.transposed)
            yield Mistake("transpose", f"{self.text(flipped)} in place of {text}"), with_letter(part, (flipped,))
            yield Mistake("missing factor", f"the factor {text} is left out"), with_letter(part, ())
            for other in self.siblings.matrices(part.node):
                for one in (Matrix(other, part.transposed), Matrix(other, not part.transposed)):
                    shown = f"{self.text(one)} in place of {text}"
                    yield Mistake("matrix", shown), with_letter(part, (one,))

    def _other_atoms(self, atom: Atom) -> Iterator[tuple[str, str, Polynomial]]:
        """What may stand by mistake in place of a factor: (kind, text, polynomial)."""
        is_slope = atom.how.startswith(SLOPE)
        for other in self.siblings.in_time(atom.node):
            shifted = Atom(other, atom.how)
            yield "time", self.text(shifted), single(shifted)
        for kind, slip in [] if is_slope else self._slips(atom.node):
            yield kind, self.names.of(slip), Polynomial.of(slip)
        if is_slope:
            yield from self._slopes(atom)
            yield "derivative", self.names.of(atom.node), single(Atom(atom.node))
        elif not atom.how:
            yield from self._other_values(atom.node)
        if is_slope:
            for other in self.siblings.values(atom.node):
                if len(other.args) == 1 and other.op.elementwise and other.op.differentiable:
                    one = Atom(other, atom.how)
                    yield "value", self.text(one), single(one)

    def _other_values(self, node: Node) -> Iterator[tuple[str, str, Polynomial]]:
        name = self.names.of
        if node.op.elementwise and len(node.args) == 1 and node.op.differentiable:
            yield "derivative", self.text(Atom(node, f"{SLOPE}0")), single(Atom(node, f"{SLOPE}0"))
        if node.op.name == "sub":
            a, b = node.args
            one, other = Polynomial.of(a), Polynomial.of(b)
            yield "missing term", f"{name(b)} alone", other
            yield "missing term", f"{name(a)} alone", one
            yield "missing term", f"-{name(b)} alone", -other
            yield "sign", f"{name(a)} + {name(b)}", one + other
            yield "sign", f"{name(b)} - {name(a)}", other - one
            for shifted in self.siblings.in_time(b):
                yield "time", f"{name(a)} - {name(shifted)}", one - Polynomial.of(shifted)
        yield "value", f"1 - {name(node)}", 1 - Polynomial.of(node)
        for other_node in self.siblings.values(node):
            yield "value", name(other_node), Polynomial.of(other_node)

    def _slopes(self, atom: Atom) -> Iterator[tuple[str, str, Polynomial]]:
        """Mistakes in the derivative of a nonlinearity, such as 1 + y^2 or 1 - y for 1 - y^2."""
        right = slope(atom.node, int(atom.how[1:]))
        text = self.polynomial_text
        y = Polynomial.of(atom.node)
        common = min((dict(term).get(Atom(atom.node), 0) for term in right.terms), default=0)
        rests = [(right, Polynomial({(): 1}))]
        if common > 0:
            rests.append((right * y**-common, y**common))
            for factor in rests[1]:
                yield "missing factor", text(factor), factor
        for rest, factor in rests:
            for kind, varied in self._varied(rest):
                yield kind, text(factor * varied), factor * varied
        for shifted in self.siblings.in_time(atom.node):
            late = Polynomial.of(shifted)
            if common > 0:
                varied = rests[1][0] * late
                yield "time", text(varied), varied

    def _varied(self, polynomial: Polynomial) -> Iterator[tuple[str, Polynomial]]:
        for term, coefficient in polynomial.terms.items():
            rest = Polynomial({m: c for m, c in polynomial.terms.items() if m != term})
            one = Polynomial({term: coefficient})
            if rest.terms:
                yield "missing term", rest
                yield "sign", rest - one
            for atom, exponent in term:
                lower = Polynomial({monomial_product(term, ((atom, -1),)): coefficient})
                if exponent > 1:
                    yield "missing factor", rest + lower
                none = Polynomial({monomial_product(term, ((atom, -exponent),)): coefficient})
                others = [("time", other) for other in self.siblings.in_time(atom.node)]
                for kind, other in (*others, *self._slips(atom.node)):
                    wrong = single(Atom(other, atom.how))
                    yield kind, rest + lower * wrong
                    if exponent > 1:
                        yield kind, rest + none * wrong**exponent
        if len(polynomial.terms) > 1:
            yield "sign", -polynomial

    def _slips(self, node: Node) -> list[Slip]:
        """The mistaken forms of a value that a formula writes out."""
        if node not in self._known_slips:
            self._known_slips[node] = slips_of(node, self.siblings.in_time)
        return self._known_slips[node]

    # Text
    def text(self, part: Part) -> str:
        """A letter, or a factor of a diagonal."""
        return self.names.atom(part) if isinstance(part, Atom) else self.names.letter(part)

    def polynomial_text(self, polynomial: Polynomial) -> str:
        """A polynomial in parentheses, as it would be typed."""
        shown: list[str] = []
        for term, coefficient in polynomial.terms.items():
            factors = [self.names.atom(atom, e) for atom, e in term]
            number = [] if factors and abs(coefficient) == 1 else [str(abs(coefficient))]
            sign = ("-" if coefficient < 0 else "") if not shown else (" - " if coefficient < 0 else " + ")
            shown.append(sign + " * ".join(number + factors))
        return f"({''.join(shown) or '0'})"
