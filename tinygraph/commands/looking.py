"""Commands that show what there is: `demo`, `cells`, `draw`, `card`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tinygraph import models

from .. import demo as story
from ..card import make_card, parameter_count
from ..cells import Cell
from ..symbolic.steps import cell_text
from .picturing import Wish, notation_of, picture_of

app = typer.Typer()


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path("tinygraph-demo"),
    updates: Annotated[int, typer.Option(min=1, help="Updates of the character model.")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
) -> None:
    """The whole journey in a minute: a net is built, drawn, differentiated, checked, trained and sampled."""
    story.run(out, updates, seed, Console())


@app.command()
def cells(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the cells with their equations and references."""
    if as_json:
        print(json.dumps([_record(cell) for cell in models.CELLS.values()], indent=2))
        return
    console = Console()
    for cell in models.CELLS.values():
        console.print(Text.assemble((cell.name, "bold cyan"), "  ", cell.summary))
        console.print(Padding(Text(cell_text(cell)), (0, 4)))
        console.print(Padding(Text(cell.reference, "dim"), (0, 4, 1, 4)))


@app.command()
def draw(
    target: Annotated[
        str,
        typer.Argument(
            metavar="CELL",
            help="Name of a cell (`tinygraph cells` lists them), or your own Python file with the name of a net, of a "
            "loss or of a function that makes one: my_net.py:net. The file is run.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write: .svg, .png, .pdf, .dot, .tex; .html steps through.")
    ] = Path("net.svg"),
    steps: Annotated[int, typer.Option("--steps", "-T", help="Number of time steps.")] = 4,
    backward: Annotated[bool, typer.Option(help="Draw the flow of the gradient too.")] = False,
    loss: Annotated[bool, typer.Option(help="Add a readout and a loss at each step.")] = False,
    detail: Annotated[
        str, typer.Option(help="cell: a step is one box; gates; nodes: with local derivatives.")
    ] = "gates",
    rolled: Annotated[bool, typer.Option(help="Draw one step for all.")] = False,
    frames: Annotated[bool, typer.Option(help="Step through: a picture for each equation, or one .html page.")] = False,
    compare: Annotated[list[str] | None, typer.Option(help="Another cell to draw beside it, with what is new.")] = None,
    notation: Annotated[list[str] | None, typer.Option(help="LABEL=LATEX renames a symbol: U=W_{hh}.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the numbers that are stepped through.")] = 0,
    dark: Annotated[bool, typer.Option(help="Light lines on a dark ground.")] = False,
    whole: Annotated[bool, typer.Option(help="Do not fold a long net.")] = False,
) -> None:
    """Draw a cell unrolled over time, or a net of your own, in the format that the file's name ends in."""
    options = {
        "backward": backward,
        "detail": detail,
        "rolled": rolled,
        "notation": notation_of(notation or []),
        "theme": "dark" if dark else "light",
        "fold": False if whole else "auto",
    }
    stepped = frames or out.suffix.lower() == ".html"
    picture = picture_of(Wish(target, tuple(compare or ()), steps, loss or backward, stepped, seed, options))
    saved = picture.save(out)
    written = ", ".join(map(str, saved)) if isinstance(saved, list) else str(saved)
    Console().print(f"{written}: {' and '.join([target, *(compare or ())])}", highlight=False, soft_wrap=True)


@app.command()
def card(
    cell: Annotated[str, typer.Argument(help="Name of a cell; `tinygraph cells` lists them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The .md or .html file to write; else print Markdown."),
    ] = None,
) -> None:
    """All about a cell on one page: equations, Jacobian, bound, paths, picture, verification."""
    page = make_card(models.find_cell(cell))
    if out is None:
        print(page.markdown(), end="")
    else:
        print(", ".join(str(path) for path in page.save(out)))
    if not page.verified:
        raise typer.Exit(1)


def _record(cell: Cell) -> dict[str, object]:
    return {
        "name": cell.name,
        "summary": cell.summary,
        "inputs": {name: role.dims.text for name, role in cell.inputs.items()},
        "states": {name: role.dims.text for name, role in cell.states.items()},
        "parameters": {name: role.dims.text for name, role in cell.parameters.items()},
        "parameter_count": parameter_count(cell),
        "equations": cell_text(cell).splitlines(),
        "reference": cell.reference,
    }
