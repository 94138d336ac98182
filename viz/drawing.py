"""`draw`, and the picture that it returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from tinygraph.collection import no_garbage_collection
from tinygraph.errors import DrawingError, expect
from tinygraph.graph import Node
from tinygraph.passes.truncation import Truncated

from .attending import attend, find_looks
from .closing import close, closed_lanes
from .dot_text import write_dot
from .geometry import Layout
from .labels import clean
from .layout import lay_out
from .measuring import NO_MEASURES, badges_named, measure
from .output import save_picture
from .rail_folding import fold_rail
from .reach import Reach
from .repeats import UnlikeError
from .rolling_up import roll_up
from .scene import Scene, build_scene
from .selection import is_tree, nets_of, select
from .slopes import slope_values
from .style import Theme, theme_named
from .svg import Caption, size_of, write_svg
from .tikz import write_tikz

Parts = tuple[Scene, Layout]


@dataclass(frozen=True, repr=False)
class Drawing:
    """A picture. It shows itself in a notebook; `svg` is its text.

    `names` has the id of the element that shows each node: `names[net.h[3]]` is "h_3".
    `nodes`, `edges` and `gradients` count what is drawn, `absorbed` the scalar constants written into
    operations, `hidden` the nodes of folded steps, `enclosed` those inside the boxes of cells.
    """

    svg: str
    description: str
    nodes: int
    edges: int
    gradients: int
    absorbed: int
    hidden: int
    theme: Theme = field(compare=False)
    names: Mapping[Node, str] = field(compare=False, default_factory=dict)
    whole: Callable[[], Parts] | None = field(compare=False, default=None)
    enclosed: int = 0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, in units of the picture."""
        return size_of(self.svg)

    @property
    def dot(self) -> str:
        """The picture in the DOT language, every box and edge pinned to its place: for `neato -n2`."""
        return write_dot(*self.parts("DOT"), self.theme, self.description)

    @property
    def tex(self) -> str:
        """The picture as a LaTeX document of its own, in TikZ."""
        return write_tikz(*self.parts("TikZ"), self.theme, self.description)

    @property
    def scene(self) -> Scene | None:
        """All boxes and edges; None for a picture that is put together of others."""
        return self.whole()[0] if self.whole else None

    @property
    def layout(self) -> Layout | None:
        """Their places; None for a picture that is put together of others."""
        return self.whole()[1] if self.whole else None

    def parts(self, language: str) -> Parts:
        """All boxes and edges, and their places. Raises `DrawingError` for a picture that is put together of others."""
        if self.whole is None:
            raise DrawingError(
                f"pictures side by side are not written in {language}, nor is the legend alone", fix="save one picture"
            )
        return self.whole()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture, whole or not at all; the path.

        As `.svg`; as `.png` or `.pdf`, by rsvg-convert or cairosvg; as `.dot` for graphviz; as `.tex` for papers.
        Raises `DrawingError` for another suffix, a converter that is missing, or a file that cannot be written.
        """
        return save_picture(path, self.svg, {".dot": lambda: self.dot, ".tex": lambda: self.tex})

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<Drawing: {self.description}>"


@no_garbage_collection()
def draw(
    what: Any,
    *,
    backward: bool = False,
    detail: str = "gates",
    rolled: bool = False,
    open: Any = (),
    closed: Any = (),
    feeds: Mapping[Any, Any] | None = None,
    badges: Any = (),
    title: str = "",
    fold: Any = "auto",
    theme: str = "light",
    truncation: Truncated | None = None,
    notation: Mapping[str, str] | None = None,
    legend: bool = True,
    attention: str = "",
    colours: Sequence[str] = (),
) -> Drawing:
    """Draw an unrolled net, a stack of nets, a graph, a node, or nodes in lists and dicts: all that they depend on.

    what      a net is drawn from its last states down, a graph from all that nothing uses, what `models.compose`
              returned as a tree, and what `tg.truncate` returned as the graph that it made, with its truncation
    backward  draw the flow of the gradient too: a reversed edge beside each forward edge that a
              cotangent crosses, from the loss (the roots) to what it is differentiated by (the nodes
              whose gradients are among the roots; without any, the parameters)
    detail    "cell": each step of a cell is one box, with the weights written on the edges, the figure of lectures;
              "gates": each operation is a box; "nodes": with its local derivatives on the edges that enter it
    rolled    draw one step for all: what is read from another step comes round through a box that delays it. With
              `backward` and `feeds`, gradients are those of all steps together
    open      scopes that are shown in whole, such as {"layer1"}, where the rest is closed
    closed    scopes of which each step is one box, where the rest is open
    feeds     values of parameters and inputs. With `backward`, edges get the width and colour of log10 of the norm of
              the gradient that goes along them: that of the sum of what is differentiated. An edge that stands for
              several has the root of the sum of their squares
    badges    small numbers in the boxes: "value", "norm", "gradient" (its norm, but that of one number with its sign),
              "shape"; norms are over entries and examples
    title     a heading
    fold      "auto" folds more than 8 steps into the first 3 and last 2; (first, last) says how many to
              draw; True always folds, False never. Columns of more than 120 boxes are cut, unless False,
              and so is a rail of more than 40 parameters
    theme     "light" or "dark"
    truncation  what `tg.truncate` returned for these steps: dashed lines where gradients are cut, and beside the
              picture a chart of the pairs (s, t) that are kept, in which the loss at t reaches step s
    notation  LaTeX for labels, {"U": "W_{hh}"}, spelled in plain characters with subscripts and accents
    legend    whether what the boxes and lines mean stands below
    attention  the label of weights, such as "alpha", with which steps look at a memory: it is drawn as edges from what
              is remembered to the steps that look at it, as strong as the weights for these `feeds`
    colours   names of parameters, such as ("W", "U"), that have the first colours: those of other pictures

    Raises `DrawingError` for what cannot be drawn, `GraphError` for nodes of different tapes,
    `UnknownNameError` for a notation of what is not drawn.
    """
    paint = theme_named(theme)
    if not isinstance(title, str):
        raise DrawingError(f"a title is text, not {title!r:.60}")
    if not isinstance(colours, (list, tuple)) or not all(isinstance(name, str) for name in colours):
        raise DrawingError(f"colours={colours!r:.60} does not name parameters", fix='colours=("W", "U")')
    expect(truncation, (Truncated, type(None)), "a truncation is what tg.truncate returned", "tg.truncate(losses, ...)")
    if isinstance(what, Truncated):
        what, truncation = list(what.losses.values()), what
    reach = Reach(truncation.first) if truncation else None
    selection = select(what, bool(backward))
    noted = badges_named(badges, feeds is not None)
    _check_rolled(rolled and bool(noted or reach or attention or (feeds is not None and not backward)))
    measures = measure(selection, feeds) if feeds is not None else NO_MEASURES
    if detail == "nodes":
        measures = replace(measures, slopes=slope_values(selection, feeds) if feeds is not None else {})
    if attention and feeds is None:
        raise DrawingError("the weights of attention need values", fix="give feeds: net.initial(seed=0) | {...}")

    @no_garbage_collection()
    def laid_out(repeats: bool = False) -> Parts:
        if rolled:
            scene = roll_up(selection, notation, measures)
        else:
            scene = build_scene(selection, fold, notation, reach, measures, noted, repeats)
        scene = close(scene, closed_lanes(scene.lanes, detail, open, closed))
        scene = attend(scene, find_looks(selection, attention), measures.values) if attention else scene
        scene = scene if fold is False else fold_rail(scene)
        scene = replace(scene, colours=tuple(colours)) if colours else scene
        return scene, lay_out(scene)

    def drawing(scene: Scene, layout: Layout) -> Drawing:
        caption = Caption(clean(title) or _default_title(what), _describe(scene), clean(title), bool(legend))
        drawn, elements = {box.id for box in scene.boxes}, scene.elements
        shown = [node for node in selection.nodes if elements[scene.left_out.get(node.id, node).id] in drawn]
        return Drawing(
            write_svg(scene, layout, paint, caption),
            caption.description,
            nodes=scene.count_boxes().total(),
            edges=scene.count_edges(),
            gradients=scene.count_edges(gradient=True),
            absorbed=scene.absorbed,
            hidden=scene.hidden,
            enclosed=scene.enclosed,
            names={node: elements[node.id] for node in shown},
            theme=paint,
            whole=cache(laid_out) if scene.repeats else lambda: (scene, layout),
        )

    repeats = detail == "gates" and fold is False and not closed and feeds is None and reach is None
    try:
        return drawing(*laid_out(repeats))
    except UnlikeError:
        return drawing(*laid_out())


def _check_rolled(more: bool) -> None:
    if more:
        raise DrawingError(
            "a rolled picture is of all steps at once: it has no numbers of one of them, and no truncation",
            fix="draw these unrolled; viz.side_by_side puts the two beside each other",
        )


def _default_title(what: Any) -> str:
    nets = nets_of(what)
    if is_tree(what):
        return clean(f"{what.cell.name} over a tree")
    if not nets:
        return "Computation graph"
    cells = ", ".join(net.cell.name for net in nets)
    return clean(f"{cells} unrolled over {nets[0].steps} step{'s' * (nets[0].steps != 1)}")


def _describe(scene: Scene) -> str:
    """One sentence for those who do not see the picture."""
    timed = [i for i, column in enumerate(scene.columns) if isinstance(column.place, int) and not column.hidden]
    steps = sum(map(scene.copies, timed))
    folded = sum(column.hidden for column in scene.columns)
    counts = scene.count_boxes()
    parts = [f"{counts.total()} nodes, {scene.count_edges()} edges"]
    if scene.enclosed:
        parts.append(f"{scene.enclosed:,} more nodes inside the boxes")
    if steps:
        parts.append(f"{steps} columns of time steps" + (f" and {folded:,} steps folded" if folded else ""))
    if scene.reach:
        parts.append(f"gradient cut before steps {', '.join(map(str, sorted(scene.reach.cuts)[:12])) or 'none'}")
    gradients = scene.count_edges(gradient=True)
    if gradients:
        parts.append(f"gradient along {gradients} edges")
    names = [kind for kind in ("parameter", "input", "state", "cell", "loss") if counts[kind]]
    listed = ", ".join(f"{counts[kind]} {kind}{'s' * (counts[kind] != 1 and kind != 'loss')}" for kind in names)
    return "; ".join([*parts, listed] if listed else parts)
