"""A walk as one HTML page: the picture, the equation of each step, and controls; it asks for nothing from a network.

All text is written here as HTML. The script in the page only shows and hides what is there: it knows the parts
of the picture by their ids. Its policy allows that one script, by its hash, and no other.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from .labels import clean
from .marks import escape, number
from .style import FONT, NOW_EDGE, NOW_WIDTH, TODO, Theme


@dataclass(frozen=True)
class Slide:
    """One step of the page: a heading, lines of text that belong together, and the parts that it is about."""

    title: str
    lines: tuple[tuple[str, ...], ...]
    now: tuple[str, ...]


def write_page(
    title: str,
    pictures: Sequence[tuple[Theme, str]],
    slides: Sequence[Slide],
    first: Mapping[str, int],
    size: tuple[float, float],
) -> str:
    """The whole page.

    `pictures` has the SVG in one theme or two, of which the reader's preference chooses; `first` the slide at which
    each part of the picture comes in, by its id; `size` the width and height of the picture.
    """
    data = json.dumps({"first": first, "now": [slide.now for slide in slides]}, separators=(",", ":"))
    themes = [theme for theme, _ in pictures]
    figures = "".join(
        f'<div class="sheet {theme.name}">{_prefixed(svg, theme.name)}</div>\n' for theme, svg in pictures
    )
    steps = "\n".join(_section(i, slide, len(slides)) for i, slide in enumerate(slides))
    digest = b64encode(sha256(_SCRIPT.encode()).digest()).decode()
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
script-src 'sha256-{digest}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="{" ".join(theme.name for theme in themes)}">
<link rel="icon" href="data:,">
<title>{escape(clean(title))}</title>
<style>{_style(themes, size)}</style>
</head>
<body>
<h1>{escape(clean(title))}</h1>
<main>
<div class="picture" tabindex="0" role="group" aria-label="picture of the graph">
{figures}</div>
<div class="steps" aria-live="polite">
{steps}
</div>
</main>
<nav aria-label="steps">
<button class="previous" type="button" aria-label="previous step">◀</button>
<input class="slider" type="range" min="1" max="{len(slides)}" value="1" aria-label="step">
<output class="count">1 / {len(slides)}</output>
<button class="next" type="button" aria-label="next step">▶</button>
</nav>
<script type="application/json" class="data">{_for_script(data)}</script>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _section(index: int, slide: Slide, count: int) -> str:
    equations = "".join(
        '<p class="equation">' + "".join(f"<span>{escape(clean(part))}</span>" for part in line) + "</p>"
        for line in slide.lines
    )
    return f'<section data-step="{index + 1}"><h2>{escape(clean(slide.title))}</h2>{equations}</section>'


def _for_script(text: str) -> str:
    """JSON that cannot end the element that it stands in."""
    return text.replace("<", "\\u003c")


def _prefixed(svg: str, prefix: str) -> str:
    """The picture with ids of its own, so that two of them can stand on one page."""
    svg = re.sub(r'(<[a-z][^<>]*? id=")', rf"\1{prefix}-", svg)
    return svg.replace('aria-labelledby="title desc"', f'aria-labelledby="{prefix}-title {prefix}-desc"')


def _style(themes: list[Theme], size: tuple[float, float]) -> str:
    width, height = size
    rules = [_colours(themes[0], ":root")]
    for theme in themes[1:]:
        shown = "".join(f".{t.name}.sheet{{display:{'block' if t is theme else 'none'}}}" for t in themes)
        rules.append(f"@media (prefers-color-scheme: {theme.name}){{{_colours(theme, ':root')}{shown}}}")
        rules.insert(1, f".{theme.name}.sheet{{display:none}}")
    rules.append(
        f".sheet svg{{width:min(100cqw, 100cqh * {width / height:.4f});min-width:{number(width * 0.75)}px;"
        f"max-width:{number(width * 1.7)}px}}"
    )
    return _CSS + "\n".join(rules)


def _colours(theme: Theme, where: str) -> str:
    state = theme.paints["state"]
    return (
        f"{where}{{--ground:{theme.background};--text:{theme.text};--quiet:{theme.quiet};--panel:{theme.lane};"
        f"--line:{theme.lane_line};--now:{theme.now};--key:{state.fill};--edge:{state.line}}}"
    )


_CSS = f"""
*{{box-sizing:border-box}}
html,body{{height:100%;margin:0}}
body{{display:flex;flex-direction:column;height:100dvh;background:var(--ground);color:var(--text);
font:16px/1.45 {FONT}}}
h1{{font-size:1.05rem;margin:.5rem 1rem .25rem}}
main{{flex:1;min-height:0;display:flex;flex-direction:column}}
.picture{{flex:1;min-height:0;overflow:auto;container-type:size}}
.sheet svg{{display:block;margin:auto;height:auto}}
.steps{{flex:none;height:min(11.5rem,38dvh);overflow:auto;padding:.4rem 1rem;background:var(--panel);
border-block:1px solid var(--line)}}
.steps section[hidden]{{display:none}}
h2{{font-size:1rem;margin:0 0 .3rem;color:var(--quiet)}}
.equation{{margin:0 0 .35rem;overflow-wrap:anywhere}}
.equation span+span::before{{content:" = ";color:var(--quiet)}}
.equation span:first-child{{font-weight:bold}}
.equation span:nth-child(n+3){{display:block;padding-left:1.5rem}}
.equation:not(:has(span:nth-child(3))){{display:inline-block;margin-right:2rem}}
nav{{flex:none;display:flex;gap:.7rem;align-items:center;padding:.5rem 1rem;
padding-bottom:max(.5rem,env(safe-area-inset-bottom))}}
nav input{{flex:1;min-width:0;height:2.75rem;accent-color:var(--now)}}
nav button{{min-width:2.75rem;min-height:2.75rem;border:1.5px solid var(--edge);border-radius:.5rem;
background:var(--key);color:var(--text);font-size:1.1rem;cursor:pointer}}
nav button[aria-disabled=true]{{opacity:.4;cursor:default}}
.count{{font-variant-numeric:tabular-nums;white-space:nowrap}}
:focus-visible{{outline:3px solid var(--now);outline-offset:2px}}
svg .todo{{opacity:{TODO}}}
svg .gradient.todo{{opacity:0}}
svg .node.now>rect:first-of-type,svg .node.now>polygon{{stroke:var(--now);stroke-width:{NOW_WIDTH}}}
svg .edge.now>path:first-of-type,svg .gradient.now>path:first-of-type{{stroke:var(--now);
stroke-width:{NOW_WIDTH * NOW_EDGE:.2f}}}
svg .now>.head{{fill:var(--now)}}
"""

_SCRIPT = """
"use strict";
const {first, now} = JSON.parse(document.querySelector(".data").textContent);
const one = (name) => document.querySelector(name);
const steps = [...document.querySelectorAll(".steps section")];
const picture = one(".picture"), slider = one(".slider"), count = one(".count");
const previous = one(".previous"), next = one(".next");
const parts = new Map();  // the elements of each part: one for each theme
for (const part of document.querySelectorAll("svg [id]")) {
  const name = part.id.slice(part.id.indexOf("-") + 1);
  if (!parts.has(name)) parts.set(name, []);
  parts.get(name).push(part);
}
let at = 0;

function show(step) {
  at = Math.max(0, Math.min(steps.length - 1, step));
  steps.forEach((section, i) => { section.hidden = i !== at; });
  one(".steps").scrollTop = 0;
  for (const [name, step] of Object.entries(first)) {
    for (const part of parts.get(name) || []) part.classList.toggle("todo", step > at);
  }
  for (const part of document.querySelectorAll("svg .now")) part.classList.remove("now");
  for (const name of now[at]) for (const part of parts.get(name) || []) part.classList.add("now");
  slider.value = at + 1;
  slider.setAttribute("aria-valuetext", `${at + 1}: ${steps[at].firstElementChild.textContent}`);
  count.textContent = `${at + 1} / ${steps.length}`;
  previous.setAttribute("aria-disabled", at === 0);
  next.setAttribute("aria-disabled", at === steps.length - 1);
  reveal();
}

// Scroll the picture, and nothing else, to what the step is about; where that is too large, to its last box.
function reveal() {
  const seen = [...document.querySelectorAll("svg .node.now")].map((part) => part.getBoundingClientRect());
  const boxes = seen.filter((box) => box.width > 0), frame = picture.getBoundingClientRect();
  if (boxes.length === 0) return;
  const shift = (low, high) => {
    let from = Math.min(...boxes.map((box) => box[low])), to = Math.max(...boxes.map((box) => box[high]));
    if (to - from > frame[high] - frame[low]) ({[low]: from, [high]: to} = boxes[boxes.length - 1]);
    return from < frame[low] || to > frame[high] ? (from + to - frame[low] - frame[high]) / 2 : 0;
  };
  picture.scrollBy(shift("left", "right"), shift("top", "bottom"));
}

previous.addEventListener("click", () => show(at - 1));
next.addEventListener("click", () => show(at + 1));
slider.addEventListener("input", () => show(slider.valueAsNumber - 1));
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const target = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: steps.length - 1}[event.key];
  if (target === undefined) return;
  event.preventDefault();
  show(target);
});
window.addEventListener("hashchange", () => show((parseInt(location.hash.slice(1)) || 1) - 1));
show((parseInt(location.hash.slice(1)) || 1) - 1);
"""
