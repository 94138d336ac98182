"""Everything that the README shows is run: its Python, its commands, and what it says they print."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHOWN = ("text", "latex")


def python_blocks() -> list[tuple[str, str]]:
    """Each Python block with the output that the README shows for it (the next block, if it is output)."""
    following = [*BLOCKS[1:], ("", "")]
    return [
        (code, after if kind_after in SHOWN else "")
        for (kind, code), (kind_after, after) in zip(BLOCKS, following, strict=True)
        if kind == "python"
    ]


def commands() -> list[str]:
    return [line for kind, code in BLOCKS if kind == "sh" for line in code.splitlines() if line.startswith("tinygraph")]


@pytest.mark.parametrize("block", range(len(python_blocks())))
def test_python_blocks_run_and_print_what_is_shown(block: int, tmp_path: Path) -> None:
    code, shown = python_blocks()[block]
    script = tmp_path / "block.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert shown.strip() in done.stdout.replace(str(tmp_path), "")


def test_commands_run_in_order(tmp_path: Path) -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    assert len(commands()) >= 6
    for command in commands():
        words = shlex.split(command)
        done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if "-o" in words:  # a card has its picture inside
            assert "<svg " in (tmp_path / words[words.index("-o") + 1]).read_text(encoding="utf-8")
    assert (tmp_path / "my-model" / "model.safetensors").exists()


def test_readme_has_two_commands_that_set_up_and_run() -> None:
    start = README.partition("## Start")[2]
    lines = re.search(r"```sh\n(.*?)```", start, re.DOTALL)
    assert lines is not None
    demo, tests = lines[1].strip().splitlines()
    assert demo.endswith("tinygraph demo")
    assert tests.endswith("pytest")
    assert all("venv .venv" in line and "pip install" in line for line in (demo, tests))


def test_pictures_are_drawn_by_the_code_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python docs/pictures.py` would change nothing, and the README or the page of pictures shows each."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from pictures import charts, pictures

    for name in charts():
        assert f"docs/{name}" in README or f"]({name})" in PAGE
        assert "<svg " in (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name, svg in pictures().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == svg
        assert f"docs/{name}" in README or f"]({name})" in PAGE
