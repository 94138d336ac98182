"""How pictures look: the only place with colours, fonts and measures.

Kinds of nodes differ by shape and outline as well as by colour, so a picture reads in grey and
with any colour vision. Line colours follow Okabe and Ito (2008), "Color universal design"; when a
net has more parameters than the palette has colours, the next rounds are dashed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import combining

from tinygraph.errors import DrawingError, nearest

FONT = "DejaVu Sans, Helvetica, Arial, sans-serif"

# Measures, in units of the picture. A slide of 960 x 540 pt holds 1320 x 740 of them with no text below 8 pt.
TEXT = 12.5
SUBSCRIPT = 11.0
TAG_SCALE = 0.92  # the letters of a tag or mark, beside those of a box
HEIGHT = {0: 0.0, -1: -3.0, 1: 4.0, 2: 0.0}  # of a subscript, a superscript and a badge over the line
HEADER_TEXT = 13.0
TITLE_TEXT = 18.0
SMALL_TEXT = 11.0
LINE_HEIGHT = 17.6  # of the legend and the notes
LEGEND_WIDTH = 330.0  # of a legend's lines at least, below a small picture
BOX_HEIGHT = 21.0
BOX_PADDING = 7.0
BOX_MINIMUM = 28.0
CORNER = 4.0
BEND = 5.0  # the radius of an edge's corner
GAP = 13.0  # between two boxes of a row
EDGE_GAP = 8.0  # between an edge and what stands beside it
SIDE = 6.0  # the least distance of an entering edge from the corner of a box
PORT_GAP = 8.0  # between two edges that enter a box
TRACK = 8.0  # between two parallel edges
RAIL_TRACK = 16.0  # between two lines of the parameter rail: the height of a tag
TAG_HEIGHT = 15.0
MARK_HEIGHT = 14.0  # of what is written on an edge
MARK_PADDING = 3.5
MARK_GAP = 4.0  # between two marks, and between a mark and the head of its edge
CHANNEL = 6.5  # free space above and below the edges between two rows
CLEARANCE = 11.0  # between a column and the edges beside it
MARGIN = 14.0
LANE_PADDING = 6.0
LANE_GAP = 14.0  # between two lanes
ARROW = 6.0
ARROW_WIDTH = 5.6
DOT = 2.1
GRADIENT_OFFSET = 3.5
NOW_WIDTH = 3.6  # the outline of what a frame is about
NOW_EDGE = 0.8  # of that, for an edge
REMOVED_DASH = "3 2.5"
TODO = 0.22  # the opacity of what a later frame brings
GRADIENT_DASH = "4 2.5"
FAINT = 0.45  # the opacity of edges beside which gradients are measured
FORCED_DASH = "7 2.5 1.5 2.5"  # of a value that is fed in place of a state
ZERO_DASH = "1 4"  # of a gradient that is exactly zero
FLOW_WIDTH = (0.9, 5.0)  # of the weakest and the strongest gradient
FLOW_DECADES = (12.0, 2.0)  # that a scale spans at most and at least; what is weaker looks like the weakest
JOINT = 52.0  # between two pictures side by side
CUT_WIDTH = 2.0
CUT_DASH = "9 5"
CUT_GAP = 10.0  # room for the line of a cut, between the edges of a gap and the next column
CELL = 16.0  # a square of the chart of truncation
SIGN_LIMIT = 240.0  # of an operation with the operands that are written into it; a wider one goes without them
DETAIL_LIMIT = 400  # characters of a tooltip
LABEL_LIMIT = 22  # characters of a label; the whole label is in the tooltip


@dataclass(frozen=True)
class Paint:
    """How the boxes of one kind are filled, outlined and lettered."""

    fill: str
    line: str
    text: str
    width: float = 1.2
    dash: str = ""
    bold: bool = False


@dataclass(frozen=True)
class Theme:
    """All colours of one theme: paints by kind of node, line colours by kind of edge."""

    name: str
    background: str
    text: str
    quiet: str
    lane: str
    lane_line: str
    chunks: tuple[str, str]  # the ground of chunks of steps in turn
    edge: str
    carried: str
    gradient: str
    attention: str
    now: str
    changes: Mapping[str, str]  # added, removed, merged, cut
    paints: Mapping[str, Paint]
    rail: tuple[str, ...]
    flow: tuple[str, ...]  # from the weakest gradient to the strongest; lightness alone tells them apart


LIGHT = Theme(
    name="light",
    background="#ffffff",
    text="#1b1f24",
    quiet="#5b6470",
    lane="#f3f5f8",
    lane_line="#d5dae1",
    chunks=("#e3edf8", "#fbf0dc"),
    edge="#59626e",
    carried="#12416e",
    gradient="#c2185b",
    attention="#7a3d00",
    now="#d96c00",
    changes={"added": "#00805e", "removed": "#b3261e", "merged": "#5b3fa0", "cut": "#c2185b"},
    paints={
        "op": Paint("#ffffff", "#59626e", "#1b1f24"),
        "value": Paint("#fff1cf", "#8a6100", "#1b1f24", 1.5),
        "cell": Paint("#cfe3f7", "#12416e", "#0b2a49", 2.2, bold=True),
        "state": Paint("#cfe3f7", "#12416e", "#0b2a49", 2.2, bold=True),
        "input": Paint("#dff0dc", "#2f6b2f", "#1b1f24", 1.5),
        "mask": Paint("#ffffff", "#2f6b2f", "#1b1f24", 1.5, "5 2"),
        "constant": Paint("#eceff3", "#59626e", "#1b1f24", 1.2, "4 2.5"),
        "loss": Paint("#f6d7de", "#8c1d3c", "#4d0c1f", 1.8, bold=True),
        "fold": Paint("#ffffff", "#7b8591", "#3a424d", 1.2, "2.5 2.5"),
        "delay": Paint("#12416e", "#12416e", "#ffffff", 1.2),
    },
    rail=("#0072b2", "#b85400", "#00805e", "#a8558a", "#4467c4", "#8a7400", "#5b3fa0", "#4a4f57"),
    flow=("#d9c3cd", "#d495b3", "#c9588c", "#a01f63", "#5c0a38"),
)

DARK = Theme(
    name="dark",
    background="#14181d",
    text="#eef1f5",
    quiet="#a4aeba",
    lane="#1c2229",
    lane_line="#38424d",
    chunks=("#1a2a3c", "#332a17"),
    edge="#a9b3bf",
    carried="#8cc4ff",
    gradient="#ff7aa8",
    attention="#ffb870",
    now="#ffd166",
    changes={"added": "#2fc79c", "removed": "#ff8a80", "merged": "#b79cf0", "cut": "#ff7aa8"},
    paints={
        "op": Paint("#232a32", "#a9b3bf", "#eef1f5"),
        "value": Paint("#4a3a10", "#f0c75e", "#fff6df", 1.5),
        "cell": Paint("#133a5e", "#8cc4ff", "#eaf4ff", 2.2, bold=True),
        "state": Paint("#133a5e", "#8cc4ff", "#eaf4ff", 2.2, bold=True),
        "input": Paint("#1d3d24", "#8fd19a", "#eef7ef", 1.5),
        "mask": Paint("#14181d", "#8fd19a", "#eef7ef", 1.5, "5 2"),
        "constant": Paint("#2a313a", "#a9b3bf", "#eef1f5", 1.2, "4 2.5"),
        "loss": Paint("#571b2e", "#ff9db5", "#fff0f4", 1.8, bold=True),
        "fold": Paint("#14181d", "#8b95a1", "#cfd6de", 1.2, "2.5 2.5"),
        "delay": Paint("#8cc4ff", "#8cc4ff", "#14181d", 1.2),
    },
    rail=("#56b4e9", "#e69f00", "#2fc79c", "#e08fc0", "#8fb7ff", "#f0e442", "#b79cf0", "#c3cad3"),
    flow=("#59404c", "#8d4d6c", "#c95f93", "#ff8dbd", "#ffdbea"),
)

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
RAIL_DASHES = ("", "7 3", "2 2.5", "9 3 2 3")  # of the lines of parameters, one for each round of the palette


def theme_named(name: object) -> Theme:
    """The theme of this name. Raises `DrawingError`."""
    if not isinstance(name, str) or name not in THEMES:
        raise DrawingError(f"there is no theme {name!r:.60}", fix=nearest(name, THEMES))
    return THEMES[name]


def letters_on(theme: Theme, fill: str) -> str:
    """The colour of letters that can be read on `fill`: the theme's text or its background."""

    def light(colour: str) -> float:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    return max((theme.text, theme.background), key=lambda colour: abs(light(colour) - light(fill)))


def mixed(ground: str, colour: str, share: float) -> str:
    """A colour that is as opaque as `share`, from 0 to 1, on a ground."""
    pairs = [(int(ground[i : i + 2], 16), int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def rail_colour(theme: Theme, index: int) -> tuple[str, str]:
    """Colour and dash pattern of the line of parameter number `index`."""
    return theme.rail[index % len(theme.rail)], RAIL_DASHES[index // len(theme.rail) % len(RAIL_DASHES)]


# Advance widths of DejaVu Sans, in hundredths of the font size, from the space to the tilde. It is
# the widest font of the stack, so that text fits with the others too.
_WIDTHS = (
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79,
    60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63,
    63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
)  # fmt: skip
_BOLD = 1.15


@lru_cache(maxsize=1 << 16)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text; characters outside ASCII count as wide ones, but accents have no width."""
    plain = (c for c in text if not combining(c))
    hundredths = sum(_WIDTHS[ord(c) - 32] if 32 <= ord(c) < 127 else 32 if c == "·" else 85 for c in plain)
    return hundredths / 100 * size * (_BOLD if bold else 1.0)
