"""The visual language on one sheet: every kind of box, line and mark, with what it means."""

from __future__ import annotations

from collections.abc import Iterator

from .drawing import Drawing
from .geometry import Rectangle
from .labels import Label, Span, label_width, name_label
from .looks import CARRIED_WIDTH, EDGE_WIDTH, FOLDED_DASH, GRADIENT_WIDTH
from .marks import arrow, at, dash_of, escape, label_text, number, shape, text
from .reach_chart import cut_look
from .scale import Scale
from .style import (
    BOX_HEIGHT,
    DOT,
    FONT,
    FORCED_DASH,
    GRADIENT_DASH,
    HEADER_TEXT,
    MARGIN,
    MARK_HEIGHT,
    TAG_SCALE,
    TEXT,
    ZERO_DASH,
    Paint,
    Theme,
    letters_on,
    mixed,
    rail_colour,
    text_width,
    theme_named,
)

SAMPLE = 92.0  # the width of the column of samples
GAP = 16.0  # behind the column of names
ROW = 30.0
GUTTER = 30.0  # between the two columns of the sheet

BOXES: dict[str, tuple[Label, str, str]] = {
    "parameter": (name_label("W"), "parameter", "one node for all steps; its line leads to every use"),
    "input": (name_label("x", 3), "input", "given at a step, or once for all steps"),
    "mask": (name_label("m", 3), "mask", "which examples of a batch still go on at this step"),
    "constant": ((*name_label("h", 0), Span(" = 0")), "constant", "such as the state before the first step"),
    "state": (name_label("h", 3), "state", "carried from step to step"),
    "value": ((*name_label("i", 3), Span(" = σ")), "named value", "a gate, an output: what the equations name"),
    "op": ((Span("W ·"),), "operation", "its sign; a dot stands for what comes by an edge"),
    "loss": (name_label("L", 3), "loss or result", "a scalar that leads to scalars only"),
    "cell": (
        (*name_label("h", 3), Span(", "), *name_label("c", 3)),
        "cell",
        "all that a step computes its states from",
    ),
    "delay": ((Span("delay 1"),), "delay", "in a rolled picture: the value of one step before"),
    "fold": ((Span("⋯"),), "folded", "steps, nodes or parameters that are not drawn one by one"),
}


def legend(*, theme: str = "light") -> Drawing:
    """A sheet with every kind of box, line and mark, and what it means. Raises `DrawingError` for an unknown theme."""
    paint = theme_named(theme)
    parts = [
        ("Boxes", list(_boxes(paint))),
        ("Lines", list(_lines(paint))),
        ("On lines and in boxes", list(_marks(paint))),
    ]
    body: list[str] = []
    x, width, height = MARGIN, 0.0, 0.0
    for column in (parts[:1], parts[1:]):
        y = MARGIN
        names = max(text_width(name, TEXT, bold=True) for _, rows in column for _, name, _ in rows) + GAP
        for title, rows in column:
            body.append(text(x, y + HEADER_TEXT, title, HEADER_TEXT, paint.text, "start", bold=True))
            y += ROW
            for row in rows:
                body += _written(row, x, x + SAMPLE + names, y, paint)
                y += ROW
            y += ROW / 2
        widest = max(text_width(meaning, TEXT) for _, rows in column for _, _, meaning in rows)
        width, height = x + SAMPLE + names + widest, max(height, y)
        x = width + GUTTER
    words = f"the {sum(len(rows) for _, rows in parts)} kinds of boxes, lines and marks, with what they mean"
    w, h = number(width + MARGIN), number(height + MARGIN)
    size = f'width="{w}" height="{h}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" {size} '
        f'role="img" aria-labelledby="title desc" class="tinygraph {paint.name}" font-family="{escape(FONT)}" '
        f'font-size="{number(TEXT)}">',
        '<title id="title">Legend</title>',
        f'<desc id="desc">{escape(words)}</desc>',
        f'<rect class="background" {size} fill="{paint.background}"/>',
        *body,
        "</svg>",
    ]
    return Drawing("\n".join(lines) + "\n", words, 0, 0, 0, 0, 0, theme=paint)


Row = tuple[list[str], str, str]


def _written(row: Row, x: float, words: float, y: float, theme: Theme) -> list[str]:
    sample, name, meaning = row
    line = y + BOX_HEIGHT / 2 + TEXT / 3
    return [
        f'<g transform="translate({number(x)} {number(y)})">{"".join(sample)}</g>',
        text(x + SAMPLE, line, name, TEXT, theme.text, "start", bold=True),
        text(words, line, meaning, TEXT, theme.quiet, "start"),
    ]


def _boxes(theme: Theme) -> Iterator[Row]:
    for kind, (label, name, meaning) in BOXES.items():
        colour = rail_colour(theme, 0)[0]
        tag = Paint(colour, colour, theme.background, bold=True)
        paint = tag if kind == "parameter" else theme.paints[kind]
        r = Rectangle(0.0, 0.0, max(label_width(label, paint.bold) + 22, 34.0), BOX_HEIGHT)
        yield [shape(kind, r, paint), label_text(label, r.middle, paint, 1.0)], name, meaning


def _lines(theme: Theme) -> Iterator[Row]:
    yield _line(theme.edge, EDGE_WIDTH), "value", "from an operand to the operation that uses it"
    yield _line(theme.carried, CARRIED_WIDTH), "state over time", "a state that the next step reads"
    (first, solid), (second, dashed) = rail_colour(theme, 0), rail_colour(theme, len(theme.rail) + 1)
    uses = [*_line(first, EDGE_WIDTH, solid, y=5.0), *_line(second, EDGE_WIDTH, dashed, y=16.0)]
    yield uses, "use of a parameter", "in the colour of its tag; after eight colours dashed"
    yield (
        _line(theme.paints["input"].line, EDGE_WIDTH, FORCED_DASH),
        "given",
        "a target in place of a state: teacher forcing",
    )
    yield (
        _line(theme.carried, CARRIED_WIDTH, FOLDED_DASH),
        "over folded steps",
        "or, in a rolled picture, before the first step",
    )
    dot = f'<circle cx="36" cy="10.5" r="{number(DOT)}" fill="{theme.edge}"/>'
    branch = f'<path d="M36 10.5V21" fill="none" stroke="{theme.edge}" stroke-width="{EDGE_WIDTH}"/>'
    yield [*_line(theme.edge, EDGE_WIDTH), branch, dot], "branch", "a dot is a branch; without one, lines only cross"
    back = _line(theme.gradient, GRADIENT_WIDTH, GRADIENT_DASH, back=True)
    yield back, "gradient", "against the forward edge, where a cotangent goes"
    scale = Scale(-4.0, 0.0)
    thick = [
        piece
        for norm, y in ((1.0, 2.0), (1e-2, 10.5), (1e-4, 18.0))
        for piece in _line(scale.colour(norm, theme), scale.width(norm), y=y, back=True)
    ]
    yield thick, "measured gradient", "log10 of its norm, as width and colour"
    yield _line(theme.quiet, EDGE_WIDTH, ZERO_DASH, back=True), "zero gradient", "of norm exactly 0"
    yield [f'<path d="M0 10.5H72" {cut_look(theme)}/>'], "gradient cut", "truncation: no gradient passes here"
    grounds = [f'<path d="M{36 * i} 2h36v17h-36z" fill="{fill}"/>' for i, fill in enumerate(theme.chunks)]
    yield grounds, "chunk", "steps between cuts, behind their columns"
    attention = [mixed(theme.background, theme.attention, share) for share in (1.0, 0.5)]
    lines = [*_line(attention[0], 3.0, y=5.0), *_line(attention[1], 2.0, y=16.0)]
    yield lines, "attention", "from what is remembered, as strong as the weight"


def _marks(theme: Theme) -> Iterator[Row]:
    colour = rail_colour(theme, 0)[0]
    weight = Paint(theme.background, colour, colour, 1.2, bold=True)
    yield _marked(theme, colour, name_label("W"), weight), "weight", "what multiplies the value on its way"
    scale = Scale(-4.0, 0.0)
    fill = scale.colour(1e-1, theme)
    measured = Paint(fill, colour, letters_on(theme, fill), 2.0, bold=True)
    yield (
        _marked(theme, colour, name_label("W"), measured),
        "weight, measured",
        "filled by the gradient through this use",
    )
    slope = Paint(theme.background, theme.quiet, theme.quiet)
    label = (Span("1 − h"), Span("2", 1))
    yield _marked(theme, theme.edge, label, slope), "local derivative", "of the operation by this operand"
    r, badge = Rectangle(0.0, 0.0, 84.0, BOX_HEIGHT), (*name_label("h", 3), Span("  0.46", 2))
    paint = theme.paints["state"]
    yield (
        [shape("state", r, paint), label_text(badge, r.middle, paint, 1.0)],
        "badge",
        "value or ‖norm‖, ∂ gradient or its ‖∂‖, (shape)",
    )


def _line(colour: str, width: float, dash: str = "", *, y: float = BOX_HEIGHT / 2, back: bool = False) -> list[str]:
    ends = [(72.0, y), (0.0, y)] if back else [(0.0, y), (72.0, y)]
    stop = 3 if back else 69
    way = f"M{number(ends[0][0])} {number(y)}H{stop}"
    line = f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="{number(width)}"{dash_of(dash)}/>'
    return [line, arrow(ends, colour, width)]


def _marked(theme: Theme, colour: str, label: Label, paint: Paint) -> list[str]:
    width = label_width(label, paint.bold) * TAG_SCALE + 9
    r = Rectangle(36.0 - width / 2, (BOX_HEIGHT - MARK_HEIGHT) / 2, width, MARK_HEIGHT)
    frame = f'<rect {at(r)} rx="3" fill="{paint.fill}" stroke="{paint.line}" stroke-width="{number(paint.width)}"/>'
    return [*_line(colour, EDGE_WIDTH), frame, label_text(label, r.middle, paint, TAG_SCALE)]
