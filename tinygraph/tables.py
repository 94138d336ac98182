"""Tables as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence


def text_table(rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Lines with aligned columns; those numbered in `right` are aligned at their ends."""
    table = [list(row) for row in rows]
    count = max((len(row) for row in table), default=0)
    widths = [max((len(row[k]) for row in table if k < len(row)), default=0) for k in range(count)]
    sides = [str.rjust if k in set(right) else str.ljust for k in range(count)]
    return ["  ".join(map(_placed, row, sides, widths)).rstrip() for row in table]


def _placed(cell: str, side: Callable[[str, int], str], width: int) -> str:
    return side(cell, width)


def html_table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """A `<table>` of escaped text."""
    lines = [_html_row(head, "th")] * bool(head) + [_html_row(row, "td") for row in rows]
    return f"<table>{''.join(lines)}</table>"


def _html_row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def one_line(text: str) -> str:
    """The text on one line, without characters that do not print."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
