"""One frame of a walk as a picture of its own: what comes later pale, what happens now outlined, its equation below."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Sequence

from .labels import clean
from .marks import number, text
from .style import MARGIN, NOW_EDGE, NOW_WIDTH, SMALL_TEXT, TEXT, TODO, Theme, text_width

SVG = "http://www.w3.org/2000/svg"
LEADING = SMALL_TEXT * 1.45
LINE_LIMIT = 9  # lines of text below the picture; the description has all of them
LEAST_WIDTH = 520.0
SHAPES = {f"{{{SVG}}}{name}" for name in ("rect", "polygon", "path")}

Texts = Sequence[tuple[str, Sequence[Sequence[str]]]]  # of each frame: its title, and lines by their sides


def write_still(svg: str, theme: Theme, texts: Texts, index: int, todo: Collection[str], now: Collection[str]) -> str:
    """The picture `svg` at frame `index` of those that `texts` tell of. All have one size."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    todo, now = set(todo), set(now)
    for part in root.iter(f"{{{SVG}}}g"):
        name, classes = part.get("id"), part.get("class", "")
        if name in todo:
            part.set("class", f"{classes} todo".strip())
            part.set("opacity", "0" if classes == "gradient" else str(TODO))
        elif name in now:
            part.set("class", f"{classes} now")
            _outline(part, theme)
    _caption(root, theme, texts, index)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _outline(part: ElementTree.Element, theme: Theme) -> None:
    shapes = [child for child in part if child.tag in SHAPES]
    node = shapes[0].tag != f"{{{SVG}}}path"
    for shape in shapes[:1]:
        shape.set("stroke", theme.now)
        shape.set("stroke-width", number(NOW_WIDTH if node else NOW_WIDTH * NOW_EDGE))
    for head in shapes:
        if head.get("class") == "head":
            head.set("fill", theme.now)


def _caption(root: ElementTree.Element, theme: Theme, texts: Texts, index: int) -> None:
    old, height = (float(part) for part in root.get("viewBox", "").split()[2:])
    width = max(old, LEAST_WIDTH)
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
    caption = ElementTree.fromstring(f'<g xmlns="{SVG}" class="caption">{"".join(words)}</g>')
    root.append(caption)
    for part, size in (("width", width), ("height", height + room)):
        root.set(part, number(size))
        for ground in root.findall(f"{{{SVG}}}rect[@class='background']"):
            ground.set(part, number(size))
    root.set("viewBox", f"0 0 {number(width)} {number(height + room)}")
    told = "; ".join(" = ".join(map(clean, line)) for line in sides)
    for element, words_of in (("title", clean(title)), ("desc", told)):
        found = root.find(f"{{{SVG}}}{element}")
        assert found is not None  # every picture has both
        found.text = words_of


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
