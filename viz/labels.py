"""What stands in a box: names with subscripts, and the sign of an operation.

A label is a run of spans, on the line, below or above it: `W_i` is W with subscript i, and a value `i` of
step 3 is i with subscript 3. LaTeX that a notation or a label brings is spelled in plain characters. The
sign of an operation comes from its row in the table: operands that are scalars or parameters are written
into it (`1 - ·`, `W ·`), the others are left out or shown as a dot.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tinygraph.graph import Node
from tinygraph.symbolic.notation import Symbol
from tinygraph.symbolic.spelling import GREEK, spelled

from .style import LABEL_LIMIT, SUBSCRIPT, TEXT, text_width


class Span(NamedTuple):
    """A piece of a label; its level is 0 on the line, -1 for a subscript, 1 for a superscript, 2 small on the line."""

    text: str
    level: int = 0


Label = tuple[Span, ...]

HOLE = "·"  # an operand that arrives by an edge

# What mathematicians write for what the table writes in ASCII.
_SIGNS = {"*": "⊙", "-": "−", "sigmoid": "σ", "sum_batch": "∑ batch", "mean_batch": "mean", "identity": "="}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def clean(text: str) -> str:
    """The text without what XML forbids (control characters, lone surrogates) on one line."""
    if text.isascii() and text.isprintable() and "  " not in text and text == text.strip():
        return text
    line = " ".join(text.split())
    return "".join(c if _allowed(c) else "\N{REPLACEMENT CHARACTER}" for c in line)


def _allowed(character: str) -> bool:
    code = ord(character)
    return 0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code >= 0x10000


def shortened(text: str, limit: int = LABEL_LIMIT) -> str:
    """The cleaned text, cut to `limit` characters."""
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


@lru_cache(maxsize=1 << 12)
def name_label(name: str, step: str | int | None = None) -> Label:
    """`W_i` as W with subscript i; a step joins the subscript."""
    base, _, below = shortened(name).partition("_")
    if not base:  # a name such as _x keeps its underscore
        base, below = shortened(name), ""
    return _marked(GREEK.get(base, base), GREEK.get(below, below), "", step)


def symbol_label(symbol: Symbol, step: str | int | None = None) -> Label:
    r"""A symbol given as LaTeX, such as \tilde h, with its own marks; a step joins the subscript."""
    base, below, above = (shortened(spelled(part)) for part in symbol)
    return _marked(base, below, above, step)


def _marked(base: str, below: str, above: str, step: str | int | None) -> Label:
    below = ",".join(part for part in (below, "" if step is None else str(step)) if part)
    return (Span(base), *([Span(above, 1)] if above else []), *([Span(below, -1)] if below else []))


def plain(label: Label) -> str:
    """The label as plain text, for tooltips and tests: `h_3`."""
    return "".join({-1: "_", 1: "^"}.get(span.level, "") + span.text for span in label)


@lru_cache(maxsize=1 << 12)
def label_width(label: Label, bold: bool = False) -> float:
    """The width of a label's text."""
    return sum(text_width(span.text, SUBSCRIPT if span.level else TEXT, bold) for span in label)


def operation_label(node: Node, written: dict[int, Label]) -> Label:
    """The sign of the operation of `node`, with the operands `written` by position in their places.

    >>> operation_label(h - 1, {1: name_label("1")})  # · − 1
    """
    op = node.op
    if op.text is None:
        inside = [text for _, text in sorted(written.items())]
        return _signed(op.name) + ((Span("("), *_joined(inside), Span(")")) if inside else ())
    hole = HOLE if written else ""
    holes = [f"\0{i}\0" if i in written else hole for i in range(len(node.args))]
    if op.arity is None and not written:
        holes = holes[:2]  # the sign between two operands stands for all
    if op.name == "matmul" and written:
        text = " ".join(holes)  # a product of matrices is written by putting them side by side
    elif op.name == "add" and written:
        text = "+ " + " + ".join(h for h in holes if h != hole)  # the order of a sum does not matter
    else:
        text = op.text.write(node, holes)
    if not written:
        return _signed(text.strip(" ()") or op.name)
    spans: list[Span] = []
    for index, part in enumerate(text.split("\0")):
        spans.extend(written[int(part)] if index % 2 else _infix(part))
    return tuple(spans)


def _signed(sign: str) -> Label:
    if sign.startswith("**"):
        exponent = sign[2:].strip("()")
        raised = exponent.translate(_RAISED) if set(exponent) <= set("-0123456789") else f"^{exponent}"
        return (Span(f"(·){raised}"),)
    return (Span(shortened(_SIGNS.get(sign, sign).replace("_", " "))),)


def _infix(part: str) -> list[Span]:
    words = [_SIGNS.get(word, word) if word else "" for word in part.split(" ")]
    text = " ".join(words)
    return [Span(text)] if text else []


def _joined(labels: list[Label]) -> Label:
    spans: list[Span] = []
    for index, label in enumerate(labels):
        spans.extend([Span(", ")] if index else [])
        spans.extend(label)
    return tuple(spans)
