"""Graphviz and LaTeX, where they are installed, on many pictures in one run each."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

needs_graphviz = pytest.mark.skipif(
    not shutil.which("neato"), reason="no neato on the PATH: the DOT text was read by our own reader only"
)
needs_latex = pytest.mark.skipif(
    not shutil.which("pdflatex"), reason="no pdflatex on the PATH: the TikZ text was not compiled"
)


def graphviz_counts(texts: Sequence[str]) -> list[tuple[int, int]]:
    """How many nodes and edges of the picture graphviz draws of each DOT text; those of its legend aside."""
    run = ["neato", "-n2", "-Tsvg"]
    done = subprocess.run(run, input="\n".join(texts), capture_output=True, text=True, check=True)
    drawn = done.stdout.split("</svg>")[:-1]
    return [(len(re.findall(r'class="node node ', svg)), len(re.findall(r'class="edge ', svg))) for svg in drawn]


def latex_pages(texts: Sequence[str], folder: Path) -> int:
    """How many pages pdfLaTeX makes of these documents, put together as one. Fails with what it says if it cannot."""
    head = texts[0].partition(r"\definecolor")[0]
    pages = [re.sub(r"\\(begin|end)\{document\}", "", text[text.index(r"\definecolor") :]) for text in texts]
    whole = head.replace("[border=4pt]", "[border=4pt, multi=tikzpicture]")
    whole += "\n".join([r"\begin{document}", *(rf"\begingroup{page}\endgroup" for page in pages), r"\end{document}"])
    (folder / "all.tex").write_text(whole, encoding="ascii")
    run = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    done = subprocess.run(run, cwd=folder, capture_output=True, check=False)
    told = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, told[-1500:]
    found = re.search(r"\((\d+) pages?", told)
    assert found, told[-1500:]
    return int(found[1])
