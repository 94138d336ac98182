r"""Notation: the one place where labels become symbols, in LaTeX, in text and in pictures.

`notation={"U": "W_{hh}", "h": "s"}` gives LaTeX for labels; a label may bring LaTeX of its own (`let(...,
latex=...)`), which the notation overrules. Without either, `W_i` is W with subscript i, and `alpha` a Greek
letter. A label within a scope, `layer1/W`, is renamed by its full name or by `W`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..errors import UnknownNameError, UsageError, expect, nearest
from ..graph.node import COTANGENT, Node
from ..graph.text import write_name
from .spelling import GREEK, spelled

_ESCAPES = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\hat{}", "~": r"\sim{}",
}  # fmt: skip


class Symbol(NamedTuple):
    """A symbol in LaTeX: its letter, what stands below it, and what above."""

    base: str
    below: str = ""
    above: str = ""

    def write(self, below: Iterable[str] = (), above: Iterable[str] = ()) -> str:
        """As LaTeX, with further subscripts and superscripts."""
        under, over = (",".join(filter(None, (own, *more))) for own, more in ((self.below, below), (self.above, above)))
        return self.base + (f"^{{{over}}}" if over else "") + (f"_{{{under}}}" if under else "")


class Notation:
    """Symbols for labels. `known` are the labels that there are; another name in `given` is an error.

    Raises `UsageError` for what is no dict from label to LaTeX, `UnknownNameError` for an unknown label.
    """

    def __init__(self, given: Mapping[str, str] | None = None, known: Iterable[str] | None = None) -> None:
        expect(given or {}, Mapping, "notation is a dict from label to LaTeX", '{"U": "W_{hh}"}')
        self.given = dict(given or {})
        labels = None if known is None else set(known)
        for label, latex in self.given.items():
            if not isinstance(label, str) or not isinstance(latex, str) or not latex.strip():
                raise UsageError(f"notation is from label to LaTeX, not from {label!r:.60} to {latex!r:.60}")
            if labels is not None and label not in labels:
                raise UnknownNameError(
                    f"notation renames {label!r}, and nothing has that label", fix=nearest(label, labels)
                )

    def find(self, label: str, own: str = "") -> str:
        """The LaTeX given for a label, or `own`, which the label brings along; empty without either."""
        return self.given.get(label) or self.given.get(label.rpartition("/")[2]) or own

    def symbol(self, label: str, own: str = "") -> Symbol:
        """The symbol of a label."""
        found = self.find(label, own)
        return _read(found) if found else _of_name(label)

    def text(self, label: str, own: str = "") -> str:
        """The label in plain characters, `W_hh`; one that nothing renames stays as it is."""
        found = self.find(label, own)
        if not found:
            return label
        base, below, above = map(spelled, _read(found))
        return base + (f"^{above}" if above else "") + (f"_{below}" if below else "")

    def name(self, node: Node, scope: bool = False, identifier: bool = False) -> str:
        """The name of a node in text, as `write_name` has it, with the label renamed: ds_3 for dh_3."""
        whole = write_name(node, scope, identifier)
        mark = COTANGENT if node.backward and node.label.startswith(COTANGENT) else ""
        label = node.label.removeprefix(mark) if mark else state_label(node)
        if not label or not self.find(label):
            return whole
        place = whole.rindex(node.name)
        rest = whole[place:].removeprefix(mark).removeprefix(label)
        return whole[:place] + mark + self.text(label) + rest


def state_label(node: Node) -> str:
    """The label of a node; that of a fed or learned initial state h_0 is h."""
    label = node.label
    return label.removesuffix(f"_{node.step}") if node.op.leaf and node.step is not None else label


def labels_of(nodes: Iterable[Node]) -> set[str]:
    """All labels that a notation may rename, also without their scopes; a cotangent has that of its node."""
    found: set[str] = set()
    for node in nodes:
        if node.label:
            barred = node.backward and node.label.startswith(COTANGENT)
            label = node.label[len(COTANGENT) :] if barred else node.label
            found |= {label, label.rpartition("/")[2], state_label(node)}
    return found


def word(text: str) -> str:
    """A word of a label as LaTeX."""
    if text in GREEK:
        return f"\\{text}"
    if (len(text) == 1 and text.isalpha()) or text.isdigit():
        return text
    escaped = "".join(_ESCAPES.get(c, c) if c.isprintable() else f"<{ord(c):x}>" for c in text)
    return rf"\mathrm{{{escaped}}}"


def _of_name(name: str) -> Symbol:
    base, _, below = name.partition("_")
    return Symbol(word(base), word(below)) if base and below else Symbol(word(name))


def _read(latex: str) -> Symbol:
    """The parts of a symbol given as LaTeX; marks within braces belong to its letter."""
    pieces = {"": "", "_": "", "^": ""}
    mark, depth = "", 0
    for character in latex.strip():
        depth += (character == "{") - (character == "}")
        if depth == 0 and character in "_^":
            mark = character
        else:
            pieces[mark] += character
    return Symbol(*(_bare(pieces[m]) if m else pieces[m].strip() for m in ("", "_", "^")))


def _bare(text: str) -> str:
    """Without the braces around it."""
    return text[1:-1] if text.startswith("{") and text.endswith("}") else text
