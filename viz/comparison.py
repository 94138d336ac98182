"""What is different, in pictures side by side: `viz.compare(models.elman, models.lstm)`, `viz.compare(loss, cut)`.

Of two graphs, what a pass did to each node is read off its map from old nodes to new:

    removed   the pass made nothing of it          merged   several nodes became one
    added     it was made of no old node           cut      it stops the gradient

Of cells, what the one to the left does not have is marked as added. A part of a cell is known by the equation that
it stands in, its operation, and what it is made of. Each mark is a colour, and a sign at the corner of the box.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

from tinygraph.cells import Cell
from tinygraph.errors import DrawingError
from tinygraph.graph import Node
from tinygraph.passes.rebuilding import Rewritten
from tinygraph.passes.truncation import Truncated
from tinygraph.symbolic.steps import cell_text
from tinygraph.unrolling import unroll

from .drawing import Drawing, draw
from .joining import side_by_side
from .labels import clean
from .marking import SVG, add_class, outline, parts, read, size, tspan, write_below, written
from .marks import number, text
from .style import MARGIN, REMOVED_DASH, SMALL_TEXT, TEXT, Theme, text_width

SIGNS = {"added": "+", "removed": "−", "merged": "∪", "cut": "‖"}
LEADING = TEXT * 1.5
SIZE = 2  # of the vectors of cells that are drawn; it does not show


@dataclass(frozen=True, repr=False)
class Comparison:
    """Pictures side by side, and `changes`: of each picture, the nodes by what happened to them."""

    drawing: Drawing
    changes: tuple[Mapping[str, tuple[Node, ...]], ...]

    @property
    def svg(self) -> str:
        return self.drawing.svg

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as `.svg`, `.png` or `.pdf`; the path. Raises `DrawingError`."""
        return self.drawing.save(path)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Comparison: {self.drawing.description}>"


def compare(before: Any, *after: Any, **options: Any) -> Comparison:
    """Draw graphs or cells side by side, with what is different.

    before, after  two cells or more; or what was given to a pass, and the `Rewritten` or `Truncated` that it returned
    options        as for `viz.draw`: theme, fold, notation, backward, ...

    Raises `DrawingError` for anything else, and what `viz.draw` raises.
    """
    if after and all(isinstance(one, Cell) for one in (before, *after)):
        return _compare_cells((before, *after), options)
    if len(after) == 1 and isinstance(after[0], (Rewritten, Truncated)):
        return _compare_graphs(before, after[0], options)
    raise DrawingError(
        "compare takes cells, or a graph and what a pass made of it",
        fix="viz.compare(models.elman, models.lstm), or viz.compare(loss, tg.passes.share(loss))",
    )


# Graphs
def _compare_graphs(before: Any, after: Rewritten | Truncated, options: Mapping[str, Any]) -> Comparison:
    moved = after.map if isinstance(after, Rewritten) else after.rewritten.map
    made = after.roots if isinstance(after, Rewritten) else after
    old, new = (list(draw(what, **options).names) for what in (before, made))
    shown, sources = set(new), Counter(moved[node] for node in old if node in moved)
    first = {node: "removed" for node in old if moved.get(node) not in shown}
    first |= {node: "merged" for node in old if node in moved and sources[moved[node]] > 1 and node not in first}
    second = {node: "merged" for node in new if sources[node] > 1}
    second |= {node: "cut" if node.op.name == "stop_gradient" else "added" for node in new if not sources[node]}
    titled = [
        draw(what, **{**options, "title": _heading(name, changes)})
        for what, name, changes in ((before, "before", first), (made, "after", second))
    ]
    return _joined(titled, [first, second])


def _heading(name: str, changes: Mapping[Node, str]) -> str:
    counts = Counter(changes.values())
    told = ", ".join(f"{counts[kind]} {kind} {sign}" for kind, sign in SIGNS.items() if counts[kind])
    return f"{name}: {told}" if told else name


# Cells
def _compare_cells(cells: Sequence[Cell], options: Mapping[str, Any]) -> Comparison:
    nets = [unroll(cell, 1, sizes=dict.fromkeys(cell.sizes, SIZE)) for cell in cells]
    pictures = [draw(net, **{"title": cell.name, **options}) for net, cell in zip(nets, cells, strict=True)]
    changes: list[dict[Node, str]] = [{}]
    for left, right in pairwise(pictures):
        known = Counter(_keys(list(left.names)).values())
        changes.append({})
        for node, key in _keys(list(right.names)).items():
            if known[key]:
                known[key] -= 1
            else:
                changes[-1][node] = "added"
    texts = [cell_text(cell).splitlines() for cell in cells]
    rooms = max(map(len, texts))
    lines = [_marked(own, earlier) for earlier, own in zip([texts[0], *texts], texts, strict=False)]
    return _joined([_with_lines(p, own, rooms) for p, own in zip(pictures, lines, strict=True)], changes)


def _keys(nodes: list[Node]) -> dict[Node, tuple[Any, ...]]:
    """What each node is known by: its name; or the equation it stands in, its operation and what it is made of."""
    owner: dict[Node, str] = {}
    for node in reversed(nodes):
        owner.setdefault(node, "")
        for arg in node.args:
            owner.setdefault(arg, node.label or owner[node])
    keys: dict[Node, tuple[Any, ...]] = {}
    for node in nodes:
        if node.label:
            keys[node] = ("named", node.label)
        else:
            keys[node] = (owner[node], node.op.name, *sorted(arg.label or arg.op.name for arg in node.args))
    return keys


Line = list[tuple[str, bool]]  # pieces of a line, and whether each is new


def _marked(lines: Sequence[str], earlier: Sequence[str]) -> list[Line]:
    """Equations in pieces: of one that an earlier cell has too, by its left side, the words that it does not have."""
    known = {line.partition("=")[0].strip(): line for line in earlier}
    found: list[Line] = []
    for line in lines:
        own, other = _words(line), _words(known.get(line.partition("=")[0].strip(), ""))
        new = set(range(len(own)))
        for block in SequenceMatcher(None, other, own, autojunk=False).get_matching_blocks():
            new -= set(range(block.b, block.b + block.size))
        found.append([(word, i in new and not word.isspace()) for i, word in enumerate(own)])
    return found


def _words(line: str) -> list[str]:
    return re.findall(r"\w+(?:\[[^\]]*\])?|\s+|.", line)


def _with_lines(drawing: Drawing, lines: list[Line], rooms: int) -> Drawing:
    """The picture with equations below it; all pictures leave the same room."""
    root, colour = read(drawing.svg), drawing.theme.changes["added"]
    width, height = size(root)
    texts = []
    for i, line in enumerate(lines):
        body = "".join(tspan(_clean(word), colour if new else "") for word, new in line)
        place = f'x="{number(MARGIN)}" y="{number(height + (i + 0.8) * LEADING)}"'
        look = f'font-size="{number(TEXT)}" fill="{drawing.theme.text}" xml:space="preserve"'
        texts.append(f"<text {place} {look}>{body}</text>")
        width = max(width, text_width("".join(word for word, _ in line), TEXT, bold=True) + 2 * MARGIN)
    write_below(root, texts, width, (rooms + 0.8) * LEADING)
    return replace(drawing, svg=written(root))


def _clean(word: str) -> str:
    return " " if word.isspace() else clean(word)


# Both
def _joined(pictures: Sequence[Drawing], changes: Sequence[Mapping[Node, str]]) -> Comparison:
    marked = [_mark(picture, own) for picture, own in zip(pictures, changes, strict=True)]
    by_kind = [
        {kind: tuple(node for node, change in own.items() if change == kind) for kind in SIGNS if kind in own.values()}
        for own in changes
    ]
    return Comparison(side_by_side(*marked), tuple(by_kind))


def _mark(drawing: Drawing, changes: Mapping[Node, str]) -> Drawing:
    """The picture with its changed nodes outlined and signed, and the edges into them in their colour."""
    root, theme = read(drawing.svg), drawing.theme
    of = {drawing.names[node]: change for node, change in changes.items() if node in drawing.names}
    for part in parts(root):
        name = part.get("id", "")
        change = of.get(name) or of.get(part.get("data-to", ""))
        if change and "gradient" not in part.get("class", "").split():
            outline(part, theme.changes[change], REMOVED_DASH if change in ("removed", "cut") else "")
            add_class(part, change)
            if name in of:
                part.append(_sign(part, change, theme))
    return replace(drawing, svg=written(root))


def _sign(box: Any, change: str, theme: Theme) -> Any:
    """A sign at the upper right corner of a box."""
    shape = next(child for child in box if child.tag in (f"{{{SVG}}}rect", f"{{{SVG}}}polygon"))
    if shape.get("points"):
        corners = [tuple(map(float, pair.split(","))) for pair in shape.get("points").split()]
        right, top = max(x for x, _ in corners), min(y for _, y in corners)
    else:
        right, top = float(shape.get("x")) + float(shape.get("width")), float(shape.get("y"))
    look = f'<circle cx="{number(right)}" cy="{number(top)}" r="6" fill="{theme.changes[change]}"/>'
    sign = text(right, top + 4, SIGNS[change], SMALL_TEXT, theme.background, "middle", bold=True)
    return read(f'<g xmlns="{SVG}" class="sign">{look}{sign}</g>')
