"""The page of frames in a real browser: it asks for nothing, and all controls move one state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.browser import Browser, find_browser

import tinygraph as tg
from tinygraph import viz
from tinygraph.card import LEGIBLE, make_card

from .hostile import LABELS
from .test_frames import by_hand, of_cell

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium or Chrome on the PATH: the page was not opened")
SIZES = {"slide": (1280, 720), "phone": (390, 844)}
STATE = """(() => ({
  count: document.querySelector(".count").textContent,
  slider: document.querySelector(".slider").valueAsNumber,
  said: document.querySelector(".slider").getAttribute("aria-valuetext"),
  shown: [...document.querySelectorAll(".steps section")].filter((s) => s.offsetHeight > 0).map((s) => +s.dataset.step),
  now: [...new Set([...document.querySelectorAll("svg .now")].map((p) => p.id.slice(p.id.indexOf("-") + 1)))].sort(),
  todo: [...new Set([...document.querySelectorAll("svg .todo")].map((p) => p.id.slice(p.id.indexOf("-") + 1)))].sort(),
}))()"""


@pytest.fixture(scope="module")
def frames() -> Any:
    return viz.frames(*by_hand(), title="Two steps")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert PROGRAM is not None
    found = Browser(PROGRAM, tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, frames: Any) -> Path:
    return Path(frames.save(tmp_path_factory.mktemp("page") / "walk.html")[0])


@pytest.fixture
def page(browser: Browser, path: Path) -> Browser:
    browser.resize(*SIZES["slide"])
    browser.prefer("light")
    browser.open(path)
    return browser


def at(page: Browser, frames: Any) -> int:
    """The frame that the page shows; everything on it tells of the same one."""
    state = page.run(STATE)
    index = int(state["slider"]) - 1
    assert state["count"] == f"{index + 1} / {len(frames)}"
    assert state["shown"] == [index + 1]
    assert state["said"] == f"{index + 1}: {frames[index].title}"
    assert state["now"] == sorted(set(frames[index].now))
    assert state["todo"] == sorted(part for part, first in frames.first.items() if first > index)
    return index


def test_it_loads_from_a_file_and_asks_for_nothing_else(page: Browser, path: Path, frames: Any) -> None:
    assert at(page, frames) == 0
    page.press("End")
    assert page.requests == [path.as_uri()]
    assert page.complaints == []


def test_buttons_keys_and_slider_move_one_state(page: Browser, frames: Any) -> None:
    last = len(frames) - 1
    page.click(".next")
    assert at(page, frames) == 1
    page.press("ArrowRight")  # the button has the focus
    assert at(page, frames) == 2
    page.click(".previous")
    assert at(page, frames) == 1
    page.press("End")
    assert at(page, frames) == last
    page.click(".next")
    page.press("ArrowRight")
    assert at(page, frames) == last
    page.press("Home")
    assert at(page, frames) == 0
    page.press("ArrowLeft")
    assert at(page, frames) == 0
    page.click(".slider")  # in the middle
    assert at(page, frames) == last // 2
    page.press("ArrowRight")  # the slider has the focus, and moves once
    assert at(page, frames) == last // 2 + 1
    page.run("document.querySelector('.slider').value = 4; "
             "document.querySelector('.slider').dispatchEvent(new Event('input'))")  # fmt: skip
    assert at(page, frames) == 3
    assert page.complaints == []


def test_every_step_shows_its_equation(page: Browser, frames: Any) -> None:
    for index, frame in enumerate(frames):
        assert at(page, frames) == index
        text = page.run("document.querySelector('.steps').innerText")
        assert all(row.value in text and row.numbers in text for row in frame.rows)
        page.press("ArrowRight")


def test_a_step_can_be_linked_to(browser: Browser, path: Path, frames: Any) -> None:
    for fragment, index in (("#7", 6), ("#99", len(frames) - 1), ("#0", 0), ("#<b>", 0)):
        browser.open(path, fragment)
        assert at(browser, frames) == index


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["by hand", "lstm"])
def test_it_is_usable_at_every_size(browser: Browser, tmp_path: Path, frames: Any, size: str, name: str) -> None:
    """Nothing hangs over the window, controls are large enough for a thumb, and what happens is in sight."""
    width, height = SIZES[size]
    shown = frames if name == "by hand" else of_cell("lstm")
    browser.resize(width, height, phone=size == "phone")
    browser.open(shown.save(tmp_path / "walk.html")[0])
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.documentElement.scrollHeight") <= height
    for selector in (".previous", ".next", ".slider"):
        box = browser.run(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
        assert box["height"] >= 44
        assert box["left"] >= 0
        assert box["right"] <= width
        assert box["bottom"] <= height
    letters = "Math.min(...[...document.querySelectorAll('.light svg .node text')].map((t) => t.getCTM().a * 12.5))"
    assert browser.run(letters) >= 8
    for step in (1, len(shown) // 2, len(shown)):
        browser.run(f"location.hash = '#{step}'; new Promise((done) => setTimeout(done, 30))")
        inside = browser.run("""(() => {
          const frame = document.querySelector(".picture").getBoundingClientRect();
          const boxes = [...document.querySelectorAll(".light svg .node.now")].map((p) => p.getBoundingClientRect());
          return boxes.some((b) => b.left >= frame.left - 1 && b.right <= frame.right + 1
            && b.top >= frame.top - 1 && b.bottom <= frame.bottom + 1);
        })()""")
        assert inside, step
    assert browser.complaints == []


def test_it_follows_light_and_dark(page: Browser) -> None:
    seen = "[...document.querySelectorAll('.sheet')].filter((s) => s.offsetHeight > 0).map((s) => s.className)"
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.run(seen) == ["sheet light"]
    light = page.run(ground)
    page.prefer("dark")
    assert page.run(seen) == ["sheet dark"]
    assert page.run(ground) != light


def test_it_can_be_read_aloud(page: Browser) -> None:
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    said = {
        (n["role"]["value"], n["name"]["value"]) for n in nodes if not n["ignored"] and n.get("name", {}).get("value")
    }
    assert {("button", "previous step"), ("button", "next step"), ("slider", "step"), ("heading", "Two steps")} <= said
    assert ("heading", "Given") in said
    assert any(role == "image" for role, _ in said), said
    ids = page.run("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(set(ids)) == len(ids)


def test_without_scripts_all_steps_are_there(browser: Browser, path: Path, frames: Any) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(path)
        shown = browser.run("[...document.querySelectorAll('.steps section')].filter((s) => s.offsetHeight > 0).length")
        assert shown == len(frames)
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)


def test_no_label_runs(browser: Browser, tmp_path: Path) -> None:
    """All hostile labels on one page."""
    g = tg.Graph()
    values = [g.input(f"{label}{i}") for i, label in enumerate(LABELS)]
    loss = tg.sum(tg.stack([tg.tanh(v, name=label) for v, label in zip(values, LABELS, strict=True)]), name="L")
    frames = viz.frames(loss, {f"{label}{i}": 0.5 for i, label in enumerate(LABELS)}, values[0], title=LABELS[0])
    path = frames.save(tmp_path / "walk.html")[0]
    browser.open(path)
    browser.press("End")
    assert browser.run("window.broken") is None
    assert browser.requests == [path.as_uri()]
    assert browser.complaints == []
    assert browser.run("document.querySelectorAll('script').length") == 2
    names = [row.name for row in frames[0].rows]
    found = browser.run("[...document.querySelectorAll('.steps section')][0].querySelectorAll('.equation').length")
    assert found == len(names), json.dumps(names)


def test_the_test_can_fail(browser: Browser, tmp_path: Path, frames: Any) -> None:
    """A page that asks for a picture, complains and runs foreign words is caught."""
    path = tmp_path / "wrong.html"
    wrong = '<img src="missing.png"><script>console.error("no"); window.broken = 1</script></body>'
    path.write_text(frames.html.replace("</body>", wrong), encoding="utf-8")
    browser.open(path)
    assert browser.complaints, "the policy of the page refuses both"
    assert browser.run("window.broken") is None
    policy = frames.html.index("<meta http-equiv")
    open_page = frames.html[:policy] + frames.html[frames.html.index(">", policy) + 1 :]
    path.write_text(open_page.replace("</body>", wrong), encoding="utf-8")
    browser.open(path)
    assert browser.run("window.broken") == 1
    assert len(browser.requests) == 2


def test_a_card_fits_a_phone(browser: Browser, tmp_path: Path) -> None:
    """Its picture stays legible: it scrolls in its frame, and the page does not."""
    (card,) = make_card(tg.models.elman).save(tmp_path / "elman.html")
    browser.resize(*SIZES["phone"], phone=True)
    browser.open(card)
    page, picture, natural = browser.run(
        "[document.documentElement.scrollWidth, document.querySelector('figure svg').getBoundingClientRect().width, "
        "document.querySelector('figure svg').viewBox.baseVal.width]"
    )
    assert page == SIZES["phone"][0]
    assert picture >= LEGIBLE * natural - 1
    assert browser.complaints == []
