r"""Pictures in TikZ, for papers: a document of its own (`pdflatex net.tex`), all in ASCII.

Each box is a node named as in the SVG, (h_3), so that more can be drawn around it; looks are styles at the head of
the picture, one for each kind. A character that LaTeX has no command for is written \glyph{1F600}: XeLaTeX and LuaLaTeX
show it where the font has it, pdfLaTeX its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, pairwise
from unicodedata import normalize

from .below import MIDDLE, SAMPLE, Box, Part, Patch, Stroke, Words, in_lines, notes, samples
from .dots import find_junctions
from .geometry import Layout, Point, Rectangle
from .labels import Label, Span, clean
from .looks import Line, Looks
from .marks import DOUBLE, clean_keeping_spaces, corners, inset, number, radius
from .reach_chart import TITLES
from .scene import Scene
from .style import (
    BEND,
    CELL,
    CUT_DASH,
    CUT_WIDTH,
    DOT,
    FAINT,
    HEADER_TEXT,
    LEGEND_WIDTH,
    SMALL_TEXT,
    SUBSCRIPT,
    TAG_SCALE,
    TEXT,
    Paint,
    Theme,
)

_COMMANDS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}", "-": r"{-}",
    "−": r"\ensuremath{-}", "·": r"\ensuremath{\cdot}", "⊙": r"\ensuremath{\odot}", "×": r"\ensuremath{\times}",
    "∑": r"\ensuremath{\Sigma}", "⋯": r"\ensuremath{\cdots}", "⋮": r"\ensuremath{\vdots}", "…": r"\dots{}",
    "⁻": r"\textsuperscript{{-}}", "∂": r"\ensuremath{\partial}", "′": r"\ensuremath{'}",
    "≥": r"\ensuremath{\geq}", "≤": r"\ensuremath{\leq}", "↑": r"\ensuremath{\uparrow}",
    "→": r"\ensuremath{\rightarrow}",
    "α": r"\ensuremath{\alpha}", "β": r"\ensuremath{\beta}", "γ": r"\ensuremath{\gamma}", "δ": r"\ensuremath{\delta}",
    "ε": r"\ensuremath{\epsilon}", "ζ": r"\ensuremath{\zeta}", "η": r"\ensuremath{\eta}",
    "θ": r"\ensuremath{\theta}", "ι": r"\ensuremath{\iota}", "κ": r"\ensuremath{\kappa}",
    "λ": r"\ensuremath{\lambda}", "μ": r"\ensuremath{\mu}", "ν": r"\ensuremath{\nu}", "ξ": r"\ensuremath{\xi}",
    "π": r"\ensuremath{\pi}", "ρ": r"\ensuremath{\rho}", "σ": r"\ensuremath{\sigma}", "τ": r"\ensuremath{\tau}",
    "φ": r"\ensuremath{\phi}", "χ": r"\ensuremath{\chi}", "ψ": r"\ensuremath{\psi}", "ω": r"\ensuremath{\omega}",
    "Γ": r"\ensuremath{\Gamma}", "Δ": r"\ensuremath{\Delta}", "Θ": r"\ensuremath{\Theta}",
    "Λ": r"\ensuremath{\Lambda}", "Ξ": r"\ensuremath{\Xi}", "Π": r"\ensuremath{\Pi}",
    "Σ": r"\ensuremath{\Sigma}", "Φ": r"\ensuremath{\Phi}", "Ψ": r"\ensuremath{\Psi}",
    "Ω": r"\ensuremath{\Omega}",
    **{raised: rf"\textsuperscript{{{digit}}}" for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}  # fmt: skip
_ACCENTS = {
    "\u0300": r"\`", "\u0301": r"\'", "\u0302": r"\^", "\u0303": r"\~", "\u0304": r"\=", "\u0308": r'\"',
}  # fmt: skip

_HEAD = r"""\documentclass[border=4pt]{standalone}
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{\usepackage{helvet}}
\usepackage{textcomp}
\usepackage{iftex}
\usepackage{tikz}
\usetikzlibrary{arrows.meta}
\iftutex\newcommand{\glyph}[1]{\symbol{"#1}}\else\newcommand{\glyph}[1]{[U+#1]}\fi
"""
_TIP = "{Latex[length=6pt, width=5.6pt]}"


def write_tikz(scene: Scene, layout: Layout, theme: Theme, description: str) -> str:
    """The whole document."""
    return _Writer(scene, layout, theme).document(description)


def in_tex(text: str) -> str:
    """Any text as LaTeX of text mode, in ASCII."""
    written: list[str] = []
    for character in text:
        letter, accent = _parted(character)
        if not letter and accent and written and len(written[-1]) == 1 and written[-1].isalnum():
            written[-1] = f"{accent}{{{written[-1]}}}"
        elif letter and accent:
            written.append(f"{accent}{{{letter}}}")
        elif character in _COMMANDS:
            written.append(_COMMANDS[character])
        elif " " <= character < "\x7f":
            written.append(character)
        else:
            written.append(rf"\glyph{{{ord(character):X}}}")
    return "".join(written)


def _parted(character: str) -> tuple[str, str]:
    """A letter and the command of its accent, as far as there are; an accent alone goes with the letter before it."""
    letter, mark = normalize("NFD", character)[:-1], normalize("NFD", character)[-1:]
    known = not letter or (letter.isascii() and letter.isalpha() and len(letter) == 1)
    return (letter, _ACCENTS[mark]) if known and mark in _ACCENTS else ("", "")


class _Writer:
    def __init__(self, scene: Scene, layout: Layout, theme: Theme) -> None:
        self.scene, self.layout, self.theme = scene, layout, theme
        self.looks = Looks(scene, theme)
        self.lines = [self.looks.line(edge) for edge in scene.edges]
        self.colours: dict[str, str] = {}

    def document(self, description: str) -> str:
        ground = self._colour(self.theme.background)
        body = [*self._panels(), *self._edges(), *self._dots(), *self._marks(), *self._boxes(), *self._cuts()]
        body += [*self._legend(), *self._chart()]
        styles = [f"  {kind}/.style={{{self._paint(paint)}}}," for kind, paint in self.theme.paints.items()]
        defined = [rf"\definecolor{{{name}}}{{HTML}}{{{code[1:].upper()}}}" for code, name in self.colours.items()]
        return (
            _HEAD
            + "\n".join(defined)
            + f"\n\\begin{{document}}\n\\pagecolor{{{ground}}}\n% {in_tex(clean(description))}\n\\sffamily\n"
            + "\\begin{tikzpicture}[\n  x=1pt, y=-1pt, inner sep=0pt,\n"
            + f"  edge/.style={{-{_TIP}, rounded corners={number(BEND)}pt}},\n"
            + f"  back/.style={{{_TIP}-, rounded corners={number(BEND)}pt}},\n"
            + "\n".join(styles)
            + "\n]\n"
            + "\n".join(body)
            + "\n\\end{tikzpicture}\n\\end{document}\n"
        )  # fmt: skip

    def _colour(self, code: str) -> str:
        return self.colours.setdefault(code, f"tg{len(self.colours)}")

    def _paint(self, paint: Paint) -> str:
        dash = f", {_dashes(paint.dash)}" if paint.dash else ""
        return (
            f"draw={self._colour(paint.line)}, fill={self._colour(paint.fill)}, text={self._colour(paint.text)}, "
            f"line width={number(paint.width)}pt{dash}"
        )

    def _panels(self) -> Iterator[str]:
        look = f"draw={self._colour(self.theme.lane_line)}, fill={self._colour(self.theme.lane)}, rounded corners=8pt"
        for chunk, r in self.layout.chunks:
            yield rf"\fill[{self._colour(self.theme.chunks[chunk % 2])}] {_rectangle(r)};"
        chunks = self.scene.chunks
        for column, _, r in self.layout.panels:
            ground = look.replace(f"fill={self._colour(self.theme.lane)}, ", "") if column in chunks else look
            yield rf"\draw[{ground}] {_rectangle(r)};"
        for column, place in self.layout.headings:
            yield self._text(place, self.scene.columns[column].title, HEADER_TEXT, "base")
        for name, place in self.layout.lane_names:
            yield self._text(place, clean(name), SMALL_TEXT, "west")

    def _text(self, place: Point, words: str, size: float, anchor: str) -> str:
        look = f"anchor={anchor}, text={self._colour(self.theme.text)}, font={_font(size)}\\bfseries"
        return rf"\node[{look}] at {_xy(place)} {{{in_tex(words)}}};"

    def _edges(self) -> Iterator[str]:
        forward = f"edge, opacity={FAINT}" if self.looks.scale else "edge"  # gradients come to the fore
        for route in self.layout.routes:
            yield self._edge(self.lines[route.edge], route.points, forward)
        for route in self.layout.gradients:
            edge = self.scene.edges[route.edge]
            joint = route.net == self.scene.boxes[edge.target].id  # dashes begin at the common end of a net
            way, style = (route.points[::-1], "edge") if joint else (route.points, "back")
            yield self._edge(self.looks.gradient(edge), way, style)

    def _edge(self, line: Line, points: list[Point], style: str) -> str:
        dash = f", {_dashes(line.dash)}" if line.dash else ""
        look = f"{style}{', ' * bool(style)}draw={self._colour(line.colour)}, line width={number(line.width)}pt{dash}"
        shortest = min(abs(x - u) + abs(y - v) for (x, y), (u, v) in pairwise(points))
        bend = f", rounded corners={number(shortest / 2)}pt" if shortest < 2 * BEND else ""
        return rf"\draw[{look}{bend}] {' -- '.join(map(_xy, points))};"

    def _dots(self) -> Iterator[str]:
        routes = self.layout.routes
        colours = self.looks.dots(routes, self.lines)
        sources = [self.scene.edges[route.edge].source for route in routes]
        for net, points in find_junctions(routes, sources).dots.items():
            for point in points:
                colour = self._colour(colours.get((net, point), colours[net]))
                yield rf"\fill[{colour}] {_xy(point)} circle ({number(DOT)}pt);"

    def _marks(self) -> Iterator[str]:
        for index, place, r in self.layout.marks:
            mark = self.scene.edges[index].marks[place]
            paint = self.looks.mark(mark)
            yield rf"\draw[{self._paint(paint)}, rounded corners=3pt] {_rectangle(r)};"
            look = f"text={self._colour(paint.text)}, font={_font(TEXT * TAG_SCALE)}{_bold(paint)}"
            yield rf"\node[{look}] at {_xy(r.middle)} {{{_label(mark.label)}}};"

    def _boxes(self) -> Iterator[str]:
        for box, r in zip(self.scene.boxes, self.layout.boxes, strict=True):
            paint = self.looks.paint(box)
            look = box.kind if box.kind in self.theme.paints else self._paint(paint)
            yield f"% {box.id}: {in_tex(box.detail)}"
            yield rf"\draw[{look}] {_outline(box.kind, r)};"
            if box.kind in DOUBLE:
                second = f"draw={self._colour(paint.line)}, line width=0.7pt, rounded corners=2.5pt"
                yield rf"\draw[{second}] {_rectangle(inset(r))};"
            size = f"minimum width={number(r.width)}pt, minimum height={number(r.height)}pt"
            words = f"{size}, text={self._colour(paint.text)}, font={_font(TEXT)}{_bold(paint)}"
            yield rf"\node[{words}] ({box.id}) at {_xy(r.middle)} {{{_label(box.label)}}};"

    def _legend(self) -> Iterator[str]:
        room = max(LEGEND_WIDTH, self.layout.width)
        kinds, _, row = in_lines(samples(self.scene, self.layout, self.looks, self.lines), room, 0)
        told, _, _ = in_lines(notes(self.scene), room, row)
        for x, y, parts in [*kinds, *told]:
            yield rf"\begin{{scope}}[shift={{{_xy((x, y + self.layout.height + 2 * SMALL_TEXT))}}}]"
            yield from map(self._part, parts)
            yield r"\end{scope}"

    def _part(self, part: Part) -> str:
        """A part of what stands below the picture."""
        quiet = self._colour(self.theme.quiet)
        match part:
            case Box(kind):
                return rf"\draw[{self._paint(self.looks.sample(kind))}] {_outline(kind, SAMPLE)};"
            case Patch(place, fill):
                look = f"fill={self._colour(fill)}" if fill else f"draw={quiet}, line width=1.2pt, rounded corners=3pt"
                return rf"\path[{look}] {_rectangle(place)};"
            case Stroke(start, end, line, head):
                return self._edge(line, [(start, MIDDLE), (end, MIDDLE)], f"-{_TIP}" if head else "")
            case Words(x, words):
                look = f"anchor=mid west, text={quiet}, font={_font(SMALL_TEXT)}"
                return rf"\node[{look}] at {_xy((x, MIDDLE))} {{{in_tex(words)}}};"

    def _chart(self) -> Iterator[str]:
        """The pairs that a truncation keeps: full squares; t upwards, s to the right."""
        chart, reach = self.layout.chart, self.scene.reach
        if chart is None or reach is None:
            return
        for i, words in enumerate(TITLES):
            yield self._text((chart.x, chart.y + (i + 0.5) * HEADER_TEXT * 1.2), words, SMALL_TEXT, "west")
        for step in range(1, reach.steps + 1):
            across, up = chart.x + (step + 0.4) * CELL, chart.bottom - (step + 0.6) * CELL
            yield self._text((across, chart.bottom - 0.5 * CELL), str(step), SUBSCRIPT, "center")
            yield self._text((chart.x + 0.4 * CELL, up), str(step), SUBSCRIPT, "center")
        colour = self._colour(self.theme.carried)
        for s, t, kept in reach.pairs:
            r = Rectangle(chart.x + s * CELL, chart.bottom - (t + 1) * CELL, CELL * 0.8, CELL * 0.8)
            yield rf"\{'fill' if kept else 'path'}[draw={colour}, {colour}] {_rectangle(r)};"

    def _cuts(self) -> Iterator[str]:
        look = f"draw={self._colour(self.theme.text)}, line width={number(CUT_WIDTH)}pt, {_dashes(CUT_DASH)}"
        for _, top, bottom in self.layout.cuts:
            yield rf"\draw[{look}] {_xy(top)} -- {_xy(bottom)};"


def _outline(kind: str, r: Rectangle) -> str:
    points = corners(kind, r)
    if points:
        return " -- ".join([*map(_xy, points), "cycle"])
    return f"[rounded corners={number(radius(kind, r))}pt] {_rectangle(r)}"


def _rectangle(r: Rectangle) -> str:
    return f"{_xy((r.x, r.y))} rectangle {_xy((r.right, r.bottom))}"


def _xy(point: Point) -> str:
    return f"({number(point[0])},{number(point[1])})"


def _dashes(pattern: str) -> str:
    turns = zip(pattern.split(), cycle(("on", "off")), strict=False)
    return f"dash pattern={' '.join(f'{turn} {length}pt' for length, turn in turns)}"


def _font(size: float) -> str:
    return rf"\fontsize{{{number(size)}}}{{{number(size * 1.2)}}}\selectfont"


def _bold(paint: Paint) -> str:
    return r"\bfseries" if paint.bold else ""


def _label(label: Label) -> str:
    return "".join(map(_span, label))


def _span(span: Span) -> str:
    text = in_tex(clean_keeping_spaces(span.text))
    if span.level == 2:
        return rf"{{{_font(SUBSCRIPT)}\enspace {text.lstrip()}}}"
    return {0: text, -1: rf"\textsubscript{{{text}}}", 1: rf"\textsuperscript{{{text}}}"}[span.level]
