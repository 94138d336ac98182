"""Stepping through a net: `viz.frames(loss, feeds).save("walk.html")`.

A frame is one row of `tg.walk`: its equation, with its numbers, and the parts of the picture that it is about.
Forward, the boxes come in one by one; backward, the dashed edges of the gradient.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from tinygraph.errors import DrawingError
from tinygraph.execute.feeds import Feeds
from tinygraph.flow.by_hand import Row, Working, work
from tinygraph.graph import Node, cone

from .drawing import Drawing, draw
from .labels import clean, plain
from .marks import escape
from .output import save_picture, write_file
from .page import Slide, write_page
from .still import write_still
from .style import THEMES

FRAME_LIMIT = 600  # frames; nobody steps through more
BOTH = "both"


@dataclass(frozen=True)
class Frame:
    """One step: a title, the rows of the walk worked at it, and the ids of the parts of the picture it is about."""

    title: str
    rows: tuple[Row, ...]
    now: tuple[str, ...]

    @property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """Each row as the sides of its equation: name, equation, equation with numbers, value."""
        return tuple(tuple(_sides(row)) for row in self.rows)


@dataclass(frozen=True, repr=False)
class Frames(Sequence[Frame]):
    """The frames in their order. `svg(i)` is the picture of one; `html` is the page to step through them.

    `drawings` has the picture in each theme; `first` the number of the frame at which each of its parts comes in.
    """

    title: str
    frames: tuple[Frame, ...]
    first: Mapping[str, int]
    drawings: tuple[Drawing, ...]

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | Sequence[Frame]:
        return self.frames[index]

    def svg(self, index: int) -> str:
        """One frame as SVG, all of one size: what comes later is pale, what happens now outlined, with its equation."""
        at = range(len(self))[index]
        drawing = self.drawings[0]
        texts = [(each.title, each.lines) for each in self.frames]
        todo = [part for part, first in self.first.items() if first > at]
        return write_still(drawing.svg, drawing.theme, texts, at, todo, self.frames[at].now)

    @property
    def html(self) -> str:
        """One page with buttons, a slider and keys (arrows, Home, End) that needs no network."""
        slides = [Slide(frame.title, frame.lines, frame.now) for frame in self.frames]
        pictures = [(drawing.theme, drawing.svg) for drawing in self.drawings]
        return write_page(self.title, pictures, slides, self.first, self.drawings[0].size)

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write `walk.html`, or one picture for each frame: `walk-01.svg`, ... (.png and .pdf too); the paths.

        Raises `DrawingError`.
        """
        target = Path(path)
        if target.suffix.lower() == ".html":
            return [write_file(target, self.html.encode("utf-8"))]
        digits = len(str(len(self)))
        return [
            save_picture(target.with_name(f"{target.stem}-{i + 1:0{digits}}{target.suffix}"), self.svg(i))
            for i in range(len(self))
        ]

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html)}" style="width:100%;height:640px;border:0" title="steps"></iframe>'

    def __repr__(self) -> str:
        return f"<Frames: {len(self)} frames>"


def frames(
    loss: Node,
    feeds: Feeds,
    wrt: Any = None,
    *,
    digits: int = 4,
    title: str = "",
    theme: str = BOTH,
    notation: Mapping[str, str] | None = None,
) -> Frames:
    """Step through a net: forward, then backward, an equation at a time, with the numbers of one example.

    loss      the node of a scalar
    feeds     values without a batch axis
    wrt       the nest of nodes to differentiate by; all parameters of the tape without it
    digits    the number of digits shown
    theme     "light", "dark", or "both": the page then follows the reader's preference
    notation  LaTeX for labels, as `viz.draw` and `tg.walk` take it

    The picture is that of the simplified net that `tg.walk` works on. Raises what `tg.walk` and `viz.draw` raise,
    and `DrawingError` for more than 600 steps.
    """
    themes = list(THEMES) if theme == BOTH else [theme]
    worked = work(loss, feeds, wrt, digits, notation)
    if len(worked.rows) > FRAME_LIMIT:
        raise DrawingError(
            f"{len(worked.rows):,} frames are more than {FRAME_LIMIT}", fix="step through a net of fewer time steps"
        )
    what = [worked.loss, worked.gradients]
    drawings = tuple(draw(what, backward=True, fold=False, theme=name, notation=notation) for name in themes)
    made, first = _Steps(worked, drawings[0]).make()
    return Frames(clean(title) or "Forward, then backward", made, first, drawings)


class _Steps:
    """Which frame each part of the picture belongs to."""

    def __init__(self, worked: Working, drawing: Drawing) -> None:
        self.worked, self.drawing = worked, drawing
        self.nodes = cone([worked.loss, *worked.gradients])
        self.given = [i for i, row in enumerate(worked.rows) if not row.equation]
        self.worked_rows = [i for i, row in enumerate(worked.rows) if row.equation]
        self.frame_of_row = dict.fromkeys(self.given, 0)
        self.frame_of_row |= {row: i for i, row in enumerate(self.worked_rows, start=bool(self.given))}

    def make(self) -> tuple[tuple[Frame, ...], dict[str, int]]:
        forward, backward = self._forward(), self._backward()
        first: dict[str, int] = {}
        now: list[list[str]] = [[] for _ in range(len(self.worked_rows) + bool(self.given))]
        scene, layout = self.drawing.parts("frames")
        node_of = {name: node for node, name in self.drawing.names.items()}
        for box in scene.boxes:
            node = node_of.get(box.id)
            if node is None:
                continue
            first[box.id] = forward[node]
            now[forward[node]].append(box.id)
            if node in backward and backward[node] != forward[node]:
                now[backward[node]].append(box.id)
        for edge in scene.edges:
            target, source = node_of.get(scene.boxes[edge.target].id), node_of.get(scene.boxes[edge.source].id)
            if target is not None and source is not None:
                first[edge.id] = forward[target]
                now[forward[target]].append(edge.id)
                if edge.gradient and source in backward:
                    first[f"{edge.id}--back"] = backward[source]
                    now[backward[source]].append(f"{edge.id}--back")
        for route in layout.routes:
            dots, comes = f"{route.net}--dots", first.get(scene.edges[route.edge].id, 0)
            if f'<g id="{dots}">' in self.drawing.svg:
                first[dots] = min(comes, first.get(dots, comes))
        rows = [tuple(self.worked.rows[i] for i in self.given)] if self.given else []
        rows += [(self.worked.rows[i],) for i in self.worked_rows]
        labels = {box.id: plain(box.label) for box in scene.boxes}
        made = [
            Frame(_title(own, [labels[p] for p in parts if p in labels]), own, tuple(parts))
            for own, parts in zip(rows, now, strict=True)
        ]
        return tuple(made), first

    def _forward(self) -> dict[Node, int]:
        """The frame at which each node is computed: its own, or that of the equation that it is written into."""
        return self._frames_of([node for node in self.nodes if not node.backward])

    def _backward(self) -> dict[Node, int]:
        """The frame at which the gradient reaches each node.

        A cotangent that simplifying left no equation of its own, such as that of the loss, which is 1, is there
        when the cotangents that it follows from are.
        """
        frame_of = self._frames_of(self.nodes)
        start = min((self.frame_of_row[i] for i in self.worked_rows if self.worked.rows[i].backward), default=0)
        users: dict[Node, list[Node]] = {}
        for node in cone([self.worked.loss]):
            for arg in node.args:
                users.setdefault(arg, []).append(node)
        found: dict[Node, int] = {}
        for node in reversed(cone([self.worked.loss])):
            if node in self.worked.passed:
                cotangent = self.worked.passed[node]
                own = frame_of.get(cotangent, start) if cotangent is not None else start
                found[node] = max([start, own, *(found[user] for user in users.get(node, ()) if user in found)])
        return found

    def _frames_of(self, nodes: list[Node]) -> dict[Node, int]:
        row_of = {node: i for i, node in enumerate(self.worked.nodes)}
        user: dict[Node, Node] = {}
        for node in self.nodes:
            for arg in node.args:
                user.setdefault(arg, node)
        found: dict[Node, int] = {}
        for node in reversed(nodes):
            if node in row_of:
                found[node] = self.frame_of_row[row_of[node]]
            elif node in user:
                found[node] = found.get(user[node], 0)
            else:
                found[node] = 0
        return found


def _title(rows: tuple[Row, ...], boxes: list[str]) -> str:
    """`Backward, t = 2: dh_2`; a row that has a number for a name says at which boxes it is."""
    row = rows[0]
    if not row.equation:
        return "Given"
    way, step = "Backward" if row.backward else "Forward", "" if row.step is None else f", t = {row.step}"
    where = f" at {', '.join(boxes[:4])}" if row.name.startswith("%") and boxes else ""
    return f"{way}{step}: {row.name}{where}"


def _sides(row: Row) -> list[str]:
    """Name, equation, numbers, value; without repeating what is the same."""
    sides = [row.name]
    for part in (row.equation, row.numbers, row.value):
        if part and part != sides[-1]:
            sides.append(part)
    return sides
