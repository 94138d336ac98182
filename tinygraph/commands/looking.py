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
from ..card import make_card, make_system_card
from ..symbolic.steps import cell_text
from .listing import record
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
    """List the cells, and the nets that are made of them, with their equations and references."""
    if as_json:
        print(json.dumps([record(system) for system in models.SYSTEMS.values()], indent=2))
        return
    console = Console()
    for system in models.SYSTEMS.values():
        console.print(Text.assemble((system.name, "bold cyan"), "  ", system.summary))
        if system.cell is not None:
            console.print(Padding(Text(cell_text(system.cell)), (0, 4)))
        console.print(Padding(Text(system.reference, "dim"), (0, 4, 1, 4)))
    console.print("The equations of a net of several cells: tinygraph card NAME", style="dim")


@app.command()
def draw(
    target: Annotated[
        str,
        typer.Argument(
            metavar="CELL",
            help="Name of a cell (`tinygraph cells` lists them); your own Python file with the name of a net, a loss "
            "or a function that makes one: my_net.py:net (the file is run); or the metrics.jsonl of a training run.",
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
    opened: Annotated[
        list[str] | None, typer.Option("--open", help="A scope to show in whole, with --detail cell.")
    ] = None,
    closed: Annotated[list[str] | None, typer.Option(help="A scope of which each step is one box.")] = None,
    rolled: Annotated[bool, typer.Option(help="Draw one step for all.")] = False,
    frames: Annotated[bool, typer.Option(help="Step through: a picture for each equation, or one .html page.")] = False,
    attention: Annotated[str, typer.Option(help="Draw the weights with this label, such as alpha, as edges.")] = "",
    gates: Annotated[bool, typer.Option(help="A chart of what the gates do, in place of the net.")] = False,
    compare: Annotated[list[str] | None, typer.Option(help="Another cell to draw beside it, with what is new.")] = None,
    notation: Annotated[list[str] | None, typer.Option(help="LABEL=LATEX renames a symbol: U=W_{hh}.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the numbers that are stepped through.")] = 0,
    dark: Annotated[bool, typer.Option(help="Light lines on a dark ground.")] = False,
    whole: Annotated[bool, typer.Option(help="Do not fold a long net.")] = False,
) -> None:
    """Draw a cell unrolled over time, a net of your own, or a run's loss, in the format that the file name has."""
    options = {
        "backward": backward,
        "detail": detail,
        "open": opened or [],
        "closed": closed or [],
        "rolled": rolled,
        "attention": attention,
        "notation": notation_of(notation or []),
        "theme": "dark" if dark else "light",
        "fold": False if whole else "auto",
    }
    stepped = frames or out.suffix.lower() == ".html"
    wish = Wish(target, tuple(compare or ()), steps, loss or backward, stepped, gates, seed, options)
    picture = picture_of(wish)
    saved = picture.save(out)
    written = ", ".join(map(str, saved)) if isinstance(saved, list) else str(saved)
    Console().print(f"{written}: {' and '.join([target, *(compare or ())])}", highlight=False, soft_wrap=True)


@app.command()
def card(
    name: Annotated[str, typer.Argument(help="Name of a cell or net; `tinygraph cells` lists them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The .md or .html file to write; else print Markdown."),
    ] = None,
) -> None:
    """All about a cell on one page: equations, Jacobian, bound, paths, picture, verification."""
    page = make_card(models.CELLS[name]) if name in models.CELLS else make_system_card(models.find_system(name))
    if out is None:
        print(page.markdown(), end="")
    else:
        print(", ".join(str(path) for path in page.save(out)))
    if not page.verified:
        raise typer.Exit(1)
