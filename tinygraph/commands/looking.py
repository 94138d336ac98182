"""Commands that show what there is: `demo`, `cells`, `draw`, `card`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tinygraph import models, viz

from .. import demo as story
from ..card import make_card, parameter_count
from ..cells import Cell
from ..symbolic.steps import cell_text
from ..unrolling import unroll

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
    cell: Annotated[str, typer.Argument(help="Name of a cell; `tinygraph cells` lists them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The SVG file to write.")] = Path("net.svg"),
    steps: Annotated[int, typer.Option("--steps", "-T", help="Number of time steps.")] = 4,
    backward: Annotated[bool, typer.Option(help="Draw the flow of the gradient too.")] = False,
    loss: Annotated[bool, typer.Option(help="Add a readout and a loss at each step.")] = False,
    dark: Annotated[bool, typer.Option(help="Light lines on a dark ground.")] = False,
    whole: Annotated[bool, typer.Option(help="Do not fold a long net.")] = False,
) -> None:
    """Draw a cell unrolled over time, as SVG."""
    found = models.find_cell(cell)
    net = unroll(found, steps, sizes=dict.fromkeys(found.sizes, 4))
    what: object = models.softmax_cross_entropy(models.readout(net, 4)) if loss or backward else net
    fold = False if whole else "auto"
    drawing = viz.draw(
        what, backward=backward, title=f"{cell}, {steps} steps", fold=fold, theme="dark" if dark else "light"
    )
    drawing.save(out)
    Console().print(f"{out}: {net.cell.name} over {steps} steps", highlight=False)


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
