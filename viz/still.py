"""One frame of a walk as a picture of its own: what comes later pale, what happens now outlined, its equation below."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from xml.etree.ElementTree import Element

from .labels import clean
from .marking import add_class, outline, parts, read, size, tell, write_below, written
from .marks import text
from .style import MARGIN, SMALL_TEXT, TEXT, TODO, Theme, text_width

LEADING = SMALL_TEXT * 1.45
LINE_LIMIT = 9  # lines of text below the picture; the description has all of them
LEAST_WIDTH = 520.0

Texts = Sequence[tuple[str, Sequence[Sequence[str]]]]  # of each frame: its title, and lines by their sides


def write_still(svg: str, theme: Theme, texts: Texts, index: int, todo: Collection[str], now: Collection[str]) -> str:
    """The picture `svg` at frame `index` of those that `texts` tell of. All have one size."""
    root, later, current = read(svg), set(todo), set(now)
    for part in parts(root):
        if part.get("id") in later:
            part.set("opacity", "0" if part.get("class") == "gradient" else str(TODO))
            add_class(part, "todo")
        elif part.get("id") in current:
            outline(part, theme.now)
            add_class(part, "now")
    _caption(root, theme, texts, index)
    return written(root)


def _caption(root: Element, theme: Theme, texts: Texts, index: int) -> None:
    own, height = size(root)
    width = max(own, LEAST_WIDTH)
    lines = [_wrapped(sides, width - 2 * MARGIN) for _, sides in texts]
    room = (min(max(map(len, lines)), LINE_LIMIT) + 1.9) * LEADING
    title, sides = texts[index]
    shown = lines[index]
    if len(shown) > LINE_LIMIT:
        shown = [*shown[: LINE_LIMIT - 1], "…"]
    words = [text(MARGIN, height + LEADING * 0.4, clean(title), TEXT, theme.text, "start", bold=True)]
    words += [
        text(MARGIN, height + (i + 1.7) * LEADING, line, SMALL_TEXT, theme.text, "start")
        for i, line in enumerate(shown)
    ]
    write_below(root, words, width, room)
    tell(root, clean(title), "; ".join(" = ".join(map(clean, line)) for line in sides))


def _wrapped(lines: Sequence[Sequence[str]], width: float) -> list[str]:
    """Equations as lines of text, one below the other; long ones go on in the next line."""
    found: list[str] = []
    for sides in lines:
        line = ""
        for word in " = ".join(map(clean, sides)).split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, SMALL_TEXT) > width:
                found.append(line)
                longer = f"    {word}"
            line = longer
        found.append(line)
    return found
