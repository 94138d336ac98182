"""Commands that learn and write: `train`, `sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tinygraph import models

from ..errors import UsageError
from ..progress import TrainingProgress

app = typer.Typer()


def _option(help: str, *names: str, **limits: Any) -> Any:
    return typer.Option(*names, help=help, show_default=False, **limits)


@app.command()
def train(
    files: Annotated[list[Path] | None, typer.Argument(help="UTF-8 text files; without one, Python's library.")] = None,
    out: Annotated[Path, _option("Folder for checkpoint and metrics.  [model]", "--out", "-o")] = Path("model"),
    resume: Annotated[bool, _option("Go on from the checkpoint in the folder.", "--resume")] = False,
    overwrite: Annotated[bool, _option("Replace a checkpoint in the folder.", "--overwrite")] = False,
    cell: Annotated[str | None, _option("Name of the cell.  [lstm]")] = None,
    hidden: Annotated[int | None, _option("Units in each layer.  [128]", min=1)] = None,
    layers: Annotated[int | None, _option("Number of layers.  [1]", min=1)] = None,
    embedding: Annotated[int | None, _option("Columns of an embedding; 0 is one-hot.  [0]", min=0)] = None,
    unit: Annotated[str | None, _option("Symbols: characters or words.  [characters]")] = None,
    steps: Annotated[int | None, _option("Updates in the whole run.  [2000]", "--steps", "-n", min=1)] = None,
    unroll_steps: Annotated[
        int | None, _option("Time steps of a chunk: k1.  [25]", "--unroll", "--k1", "-T", min=1)
    ] = None,
    truncation: Annotated[str | None, _option("chunk, sliding, k1_k2 or last.  [chunk]")] = None,
    k2: Annotated[int | None, _option("Steps that a loss reaches back, but for chunks.", "--k2", min=1)] = None,
    batch: Annotated[int | None, _option("Parallel streams of text.  [16]", min=1)] = None,
    optimiser: Annotated[str | None, _option("sgd, momentum, adagrad, rmsprop or adam.  [adam]")] = None,
    rate: Annotated[float | None, _option("Learning rate.  [the optimiser's own]")] = None,
    schedule: Annotated[str | None, _option("constant, linear, cosine, halving or warm_up.  [constant]")] = None,
    clip: Annotated[str | None, _option("Clipping: global, norm, value or none.  [global]")] = None,
    threshold: Annotated[float | None, _option("Threshold of the clipping.  [5]")] = None,
    validation: Annotated[float | None, _option("Share of the text held out.  [0.05]")] = None,
    validate_every: Annotated[int | None, _option("Updates between validations.  [200]", min=1)] = None,
    patience: Annotated[
        int | None, _option("Validations without progress before stopping; 0: never.  [0]", min=0)
    ] = None,
    save_every: Annotated[int, _option("Updates between checkpoints.  [200]", min=1)] = 200,
    seed: Annotated[int | None, _option("Seed of all random numbers.  [0]", min=0)] = None,
    engine: Annotated[str | None, _option("plan, or interpreter: the slow reference.  [plan]")] = None,
    precision: Annotated[str | None, _option("float64 or float32.  [float64]")] = None,
) -> None:
    """Train a language model on text; Ctrl-C saves, and --resume goes on as if nothing had happened."""
    text = models.read_texts(files) if files else models.standard_library_text()
    architecture = {"cell": cell, "hidden": hidden, "layers": layers, "embedding": embedding}
    settings = {
        "steps": unroll_steps,
        "truncation": truncation,
        "k2": k2,
        "engine": engine,
        "precision": precision,
        "batch": batch,
        "optimiser": optimiser,
        "rate": rate,
        "schedule": schedule,
        "clip": clip,
        "threshold": threshold,
        "validation": validation,
        "validate_every": validate_every,
        "patience": patience,
        "seed": seed,
    }
    if resume:
        run = models.resume_run(out, text, steps, {**architecture, **settings, "unit": unit})
    else:
        model = models.LanguageModel(models.Vocabulary.of(text, unit or "characters"), **_given(architecture))
        run = models.Run(model, model.vocabulary.encode(text), models.Settings(**_given(settings | {"updates": steps})))
        if (out / models.CHECKPOINT).exists() and not overwrite:
            raise UsageError(
                f"{out} holds a checkpoint already", fix="--resume goes on from it, --overwrite replaces it"
            )
    console = Console()
    console.print(f"{run.describe()}; checkpoint in {out}", highlight=False, soft_wrap=True)
    with TrainingProgress(console, run.settings.updates, run.model.vocabulary.unit, run.progress.update) as progress:
        finished = models.keep(run, out, save_every=save_every, show=progress.show)
    update = run.progress.update
    if not finished:
        console.print(f"Stopped at update {update} and saved; the same command with --resume goes on.", soft_wrap=True)
    else:
        early = " (stopped early)" if run.stopped_early else ""
        console.print(f"Done at update {update}{early}. Next: tinygraph sample {out}", highlight=False, soft_wrap=True)


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(help="The folder that `tinygraph train` wrote.")],
    length: Annotated[int, typer.Option("--length", "-n", min=1, help="Symbols to write.")] = 400,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest symbol; above 1 is wilder.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Choose among the k likeliest; 0 among all.")] = 0,
    start: Annotated[str, typer.Option(help="Text to go on from.")] = "",
    stop: Annotated[str, typer.Option(help="Symbol to stop before.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choices.")] = 0,
) -> None:
    """Write text with a trained model, symbol by symbol."""
    saved = models.read_run(folder)
    options: dict[str, Any] = {
        "start": start,
        "length": length,
        "temperature": temperature,
        "top_k": top_k,
        "stop": stop,
    }
    symbols = models.sample(saved.model, saved.values(), seed=seed, **options)
    print(start + next(symbols, ""), end="", flush=True)
    for symbol in symbols:
        print(symbol, end="", flush=True)
    print()


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
