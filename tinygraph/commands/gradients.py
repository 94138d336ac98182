"""Commands about gradients: `verify`, `flow`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tinygraph import models, viz

from ..errors import UsageError
from ..flow.summary import gradient_flow
from ..theorems.checking import check_theorems
from ..verification.verification import Report, verify_graph
from ..verification.verification import verify as verify_cell

app = typer.Typer()


@app.command()
def verify(
    cells: Annotated[list[str] | None, typer.Argument(help="Names of cells or nets.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All cells that there are.")] = False,
    theorems: Annotated[
        bool, typer.Option("--theorems", help="Statements, each with a version that must fail.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove that words, SymPy, a finite field, the gradient and plain numbers agree; exit status 1 if not."""
    if bool(cells) + every + theorems != 1:
        raise UsageError("verify needs the names of cells, --all or --theorems", fix="tinygraph verify lstm")
    if theorems:
        found = check_theorems(models.CELLS)
        print(found.to_json() if as_json else found)
        if not found.ok:
            raise typer.Exit(1)
        return
    reports = []
    for system in _chosen(cells):
        report = _verified(system)
        reports.append(report)
        if not as_json:
            print(report, end="\n\n", flush=True)
    if as_json:
        print(json.dumps([json.loads(report.to_json()) for report in reports], indent=2))
    else:
        _summary(reports)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


@app.command()
def flow(
    cell: Annotated[str, typer.Argument(help="Name of a cell; `tinygraph cells` lists them.")],
    steps: Annotated[int, typer.Option("--steps", "-T", min=1, help="Number of time steps.")] = 100,
    size: Annotated[int, typer.Option(min=1, help="Units: every size of the cell.")] = 16,
    gain: Annotated[float, typer.Option(help="Factor on the recurrent matrices.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of parameters and inputs.")] = 0,
    plot: Annotated[Path | None, typer.Option("--plot", "-o", help="Chart to write, .svg or .png.")] = None,
    dark: Annotated[bool, typer.Option(help="A dark chart.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How a cell's gradient travels through time: norms by distance, rates of growth, the gates on its way."""
    system = models.find_system(cell)
    if system.cell is None:
        raise UsageError(f"{cell} is a net of several cells, and flow follows the states of one", fix="layered_2, lstm")
    found = gradient_flow(system.cell, steps, size=size, gain=gain, seed=seed)
    print(found.to_json() if as_json else found)
    if plot is not None:
        viz.chart(found, theme="dark" if dark else "light").save(plot)


def _chosen(names: list[str] | None) -> list[models.System]:
    return [models.find_system(name) for name in names or models.CELLS]


def _verified(system: models.System) -> Report:
    """A cell of the table by its words too; what is made of cells as the graph that it is."""
    if system.name in models.CELLS:
        return verify_cell(models.CELLS[system.name])
    return verify_graph(system.build().outputs, name=system.name)


def _summary(reports: list[Report]) -> None:
    wrong = [report.cell for report in reports if not report.ok]
    seconds = sum(row.seconds for report in reports for row in report.rows)
    verdict = f"not verified: {', '.join(wrong)}" if wrong else "all verified"
    Console().print(f"{len(reports)} cells in {seconds:.1f} s; {verdict}", highlight=False)
