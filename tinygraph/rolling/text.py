"""The text form of a rolled net: one equation for each class, and one more for each boundary case.

t     node     equation                          shape
1..5  x[t]     input                             (3,) per example
1     h[t]   = tanh(W @ x[t] + U @ h_0 + b)      (4,) per example
2..5  h[t]   = tanh(W @ x[t] + U @ h[t-1] + b)   (4,) per example

A class without a label that is read once, at its own time, is written into the equation that reads it.
Labels and names serve here, and nowhere else in this package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ..graph.formula import equations, plain_number
from ..graph.node import Node
from ..graph.text import TEXT
from ..nest import leaves
from .reads import Read, progressions

if TYPE_CHECKING:
    from .rolled import NodeClass, Rolled

LARGEST = 16  # nodes in one equation
FORMS = 6  # equations of one class; of a class that is less regular the rest is counted
TERMS = 3  # operands that one pattern puts side by side; more are written as a range

Row = tuple[str, str, str, str, str]


def write_rolled(rolled: Rolled) -> str:
    """The equations as an aligned table, and below it what each cycle reads across steps."""
    writer = _Writer(rolled)
    rows: list[Row] = [("t", "node", " ", "equation", "shape")]
    for c in rolled.classes:
        if not writer.inlined[c.number] and plain_number(c.members[0]) is None:
            rows += writer.rows(c)
    when, name, right = (max(min(len(row[k]), most) for row in rows) for k, most in ((0, 8), (1, 12), (3, 72)))
    lines = [f"{a:<{when}}  {b:<{name}} {sign} {c:<{right}}  {d}".rstrip() for a, b, sign, c, d in rows]
    return "\n".join([*lines, *map(_cycle, rolled.cycles, rolled.recurrences)])


def _cycle(numbers: Sequence[int], recurrence: Mapping[str, Sequence[int]]) -> str:
    """`a cycle of 5 classes: h at delay 1`."""
    read = [f"{name} at delay {' and '.join(map(str, delays))}" for name, delays in recurrence.items()]
    return f"a cycle of {len(numbers)} classes: {', '.join(read) or 'none is read across steps'}"


def class_names(rolled: Rolled) -> list[str]:
    """A name for each class, from what its members are called: `h`, `layer1/h` where another one is `h`, else `%7`."""
    names = [_label(c) or f"%{c.number}" for c in rolled.classes]
    for scoped in (True, False):
        count = Counter(names)
        for c in rolled.classes:
            name, scope = names[c.number], c.members[-1].scope
            if count[name] > 1 and (scope or not scoped):
                names[c.number] = f"{scope}/{name}" if scoped else f"{name}%{c.number}"
    return names


def _label(c: NodeClass) -> str:
    """What most members are called, or all but for a number (x_1, x_2, ...); nothing if most have no label."""
    labels = Counter(node.label for node in c.members)
    if c.first is None:
        return c.members[0].name if c.members[0].label else ""
    label, count = labels.most_common(1)[0]
    stems = {label.rstrip("_0123456789") for label in labels}
    return label if 2 * count > len(c) else stems.pop() if len(stems) == 1 else ""


class _Writer:
    """Names, and for each operand of each member the pattern that it belongs to."""

    def __init__(self, rolled: Rolled) -> None:
        self.rolled = rolled
        self.names = rolled.names
        self.inlined = _inlined(rolled)
        self.patterns = [_patterns(c) for c in rolled.classes]

    def rows(self, c: NodeClass) -> Iterator[Row]:
        """One row for each form that the equation of a class takes."""
        node = c.members[0]
        shape = f"{node.shape}{' per example' if node.batched else ''}{'' if node.kind == 'real' else f' {node.kind}'}"
        name = self.names[c.number] + ("" if c.first is None else "[t]")
        if node.op.leaf:
            yield _times(c, range(len(c))), name, " ", node.op.name, shape
            return
        forms: dict[tuple[Read, ...], list[int]] = {}
        for place in range(len(c)):
            inside = self.inside(c, place)
            forms.setdefault(tuple([r for k, at in inside for r in self.patterns[k.number][at]]), []).append(place)
        for number, places in enumerate(forms.values()):
            if number == FORMS:
                yield "...", name, " ", f"and {len(forms) - FORMS} more forms", shape
                return
            yield _times(c, places), name, "=", self.right(c, places[0]), shape

    def inside(self, c: NodeClass, place: int) -> list[tuple[NodeClass, int]]:
        """What the equation of one member is made of: itself, and what is written into it."""
        found = [(c, place)]
        for reader, at in found:  # grows while it is walked
            for read, arg in zip(self.patterns[reader.number][at], reader.members[at].args, strict=True):
                if self.inlined[read.source]:
                    found.append(self.rolled.of(arg))
        return found

    def right(self, c: NodeClass, place: int) -> str:
        """The right side of the equation of one member; t is its time."""
        if _wide(c):
            wide = dict.fromkeys(self.patterns[c.number][place])
            return f"{c.op.name}({', '.join(self.operand(c, place, read, read.slots) for read in wide)})"
        symbols: dict[Node, str] = {}
        inside = self.inside(c, place)
        for reader, at in inside:
            for slot, read in enumerate(self.patterns[reader.number][at]):
                symbols[reader.members[at].args[slot]] = self.operand(reader, at, read, range(slot, slot + 1))
        style = replace(TEXT, name=lambda node, *_: symbols.get(node, ""), longest=10**9, distinct=False)
        return equations(sorted((k.members[at] for k, at in inside), key=lambda node: node.id), style)[-1].right

    def operand(self, reader: NodeClass, place: int, read: Read, slots: range) -> str:
        """What a pattern reads for one member: `h[t-1]`, `h[5]`, `x[t/2]`, or `L[1..5]` over several slots."""
        source = self.rolled.classes[read.source]
        plain = plain_number(source.members[0])
        if plain is not None:
            return str(plain)
        name = self.names[read.source]
        if source.first is None:
            return name
        delay = self.rolled.delay(reader, read)
        if delay is not None:
            return f"{name}[{_affine(Fraction(1), Fraction(-delay))}]"
        start = source.first + read.start + read.by_member * read.members.index(place)
        first, last = (start + read.by_slot * read.slots.index(slot) for slot in (slots[0], slots[-1]))
        if first != last:
            return f"{name}[{first}..{last}]"
        if not read.by_member or reader.first is None:
            return f"{name}[{first}]"
        slope = Fraction(read.by_member, read.members.step)
        return f"{name}[{_affine(slope, first - slope * (reader.first + place))}]"


def _inlined(rolled: Rolled) -> list[bool]:
    """Which classes are written into the equation that reads them."""
    readers: list[list[tuple[NodeClass, Read]]] = [[] for _ in rolled.classes]
    for c in rolled.classes:
        for read in c.reads:
            readers[read.source].append((c, read))
    roots = {rolled.of(root)[0].number for root in leaves(rolled.roots)}
    found = [c.number not in roots and _read_once(rolled, c, readers[c.number]) for c in rolled.classes]
    size: dict[Node, int] = {}  # of an equation; where one would be too large, its class gets its own
    for node in sorted((node for c in rolled.classes for node in c.members), key=lambda node: node.id):
        number = rolled.of(node)[0].number
        size[node] = 1 + sum(size[arg] for arg in node.args if found[rolled.of(arg)[0].number])
        found[number] &= size[node] <= LARGEST
    return found


def _read_once(rolled: Rolled, c: NodeClass, readers: Sequence[tuple[NodeClass, Read]]) -> bool:
    """Whether each member of a class that has no name is read once, at its own time, in one place of one class."""
    if c.op.leaf or _label(c) or _wide(c):
        return False
    places = {(reader.number, read.slots) for reader, read in readers}
    singly = all(len(read.slots) == 1 and (read.by_member or len(read.members) == 1) for _, read in readers)
    in_time = all(c.first is None or rolled.delay(reader, read) == 0 for reader, read in readers)
    return len(places) == 1 and singly and in_time and sum(len(read.members) for _, read in readers) == len(c)


def _wide(c: NodeClass) -> bool:
    return any(len(read.slots) > TERMS for read in c.reads)


def _patterns(c: NodeClass) -> list[list[Read]]:
    """The pattern of each operand of each member."""
    found: list[dict[int, Read]] = [{} for _ in c.members]
    for read in c.reads:
        for place in read.members:
            found[place].update(dict.fromkeys(read.slots, read))
    return [[row[slot] for slot in sorted(row)] for row in found]


def _times(c: NodeClass, places: Sequence[int]) -> str:
    """`2..5`, `2,4..10`, `1, 7`, or nothing where there is no time."""
    if c.first is None:
        return ""
    parts = []
    for run, first, _ in progressions([(place, c.first + place) for place in places]):
        last = first + run[-1] - run[0]
        middle = f",{first + run.step}" if run.step > 1 and len(run) > 2 else ""
        parts.append(str(first) if len(run) == 1 else f"{first}{middle}..{last}")
    return ", ".join(parts)


def _affine(slope: Fraction, constant: Fraction) -> str:
    """`t`, `t-1`, `6-t`, `t/2+1`, `2*t`."""
    if slope == -1:
        return f"{constant}-t"
    times = "t" if slope.numerator == 1 else f"{slope.numerator}*t"
    scaled = times if slope.denominator == 1 else f"{times}/{slope.denominator}"
    return scaled + (f"{'+' if constant > 0 else '-'}{abs(constant)}" if constant else "")
