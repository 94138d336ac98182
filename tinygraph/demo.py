"""The demo: a net that learns to spell "hello", seen from its equations to its gradient; then a character model.

The hello net is built with the graph API itself, so this file is also the shortest example of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tinygraph import models, viz

from .differentiate import grad
from .execute.interpreter import evaluate
from .graph import Graph, Node, Steps
from .initialisers import initialise
from .ops.arithmetic import add
from .ops.batch import mean_batch
from .ops.nonlinear import tanh
from .ops.normalise import cross_entropy
from .progress import TrainingProgress
from .saving import save

END = "·"
SYMBOLS = "helo" + END
WORD = "hello"
HIDDEN = 8

Values = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Hello:
    """The hello net: a tape, its loss, its scores and hidden states by step, and its gradients."""

    graph: Graph
    loss: Node
    scores: Steps
    hidden: Steps
    gradients: dict[str, Node]


def build_hello() -> Hello:
    """h_t = tanh(W x_t + U h_{t-1} + b), o_t = V h_t + c; each letter predicts the next, the last one the end."""
    g = Graph()
    letters, steps = len(SYMBOLS), len(WORD)
    W, U, b = g.parameter("W", (HIDDEN, letters)), g.parameter("U", (HIDDEN, HIDDEN)), g.parameter("b", (HIDDEN,))
    V, c = g.parameter("V", (letters, HIDDEN)), g.parameter("c", (letters,))
    x = g.sequence("x", steps, (letters,))
    y = g.sequence("y", steps, (), kind="integer")
    scores, hidden, losses = Steps("o"), Steps("h"), []
    with g.at(step=0):
        h = g.constant("h", zeros=(HIDDEN,))
    for t in range(1, steps + 1):
        with g.at(step=t):
            h = hidden[t] = tanh(W @ x[t] + U @ h + b, name="h")
            scores[t] = add(V @ h, c, name="o")
            losses.append(cross_entropy(scores[t], y[t], name="L"))
    loss = mean_batch(add(losses), name="loss")
    return Hello(g, loss, scores, hidden, grad(loss, g.parameters))


def hello_feeds() -> Values:
    """The word as one-hot inputs (5, 1, 5) and the next letters as targets (5, 1): a batch of one."""
    codes = [SYMBOLS.index(letter) for letter in WORD + END]
    return {"x": np.eye(len(SYMBOLS))[codes[:-1]][:, None], "y": np.array(codes[1:])[:, None]}


def spell(net: Hello, values: Values) -> str:
    """What the net writes after "h" when its own letters are fed back to it."""
    written = WORD[0]
    for t in range(1, len(WORD) + 1):
        x = np.zeros((len(WORD), 1, len(SYMBOLS)))
        for place, letter in enumerate(written):
            x[place, 0, SYMBOLS.index(letter)] = 1
        written += SYMBOLS[int(np.argmax(evaluate(net.scores[t], values | {"x": x})))]
        if written.endswith(END):
            break
    return written


def check_gradients(net: Hello, values: Values, feeds: Values, seed: int = 0) -> dict[str, tuple[float, float]]:
    """For each parameter, the slope along a random direction: by the gradient graph, and by central differences."""
    rng = np.random.default_rng(seed)
    gradients = evaluate(net.gradients, values | feeds)
    slopes = {}
    for name, value in values.items():
        direction = rng.standard_normal(value.shape)
        up, down = (
            float(evaluate(net.loss, values | feeds | {name: value + sign * 1e-5 * direction})) for sign in (1, -1)
        )
        slopes[name] = float(np.sum(gradients[name] * direction)), (up - down) / 2e-5
    return slopes


def train_hello(net: Hello, values: Values, feeds: Values, most: int = 400) -> Iterator[tuple[int, float, str]]:
    """Adagrad with clipping until the net spells the word; yields the step, the loss and what it spells."""
    optimiser = models.Adagrad(rate=0.03)
    for step in range(1, most + 1):
        loss, gradients = evaluate([net.loss, net.gradients], values | feeds)
        optimiser.update(values, models.clip_by_value(gradients, 5))
        written = spell(net, values)
        yield step, float(loss), written
        if written == WORD + END and loss < 0.5:
            return


def run(folder: Path, updates: int, seed: int, console: Console) -> None:
    """The whole story, told on `console`; pictures and the graph are written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    started = perf_counter()
    written = [*_tell_hello(folder, seed, console), *_tell_characters(folder, updates, seed, console)]
    console.rule("[bold]Written")
    for path in written:
        console.print(f"  {path}")
    console.print(f"\nDone in {perf_counter() - started:.0f} s. Next, try:\n")
    for command in (
        "tinygraph cells",
        "tinygraph draw lstm --steps 3 -o lstm.svg",
        "tinygraph train README.md --steps 200 --out my-model",
    ):
        console.print(f"  [bold cyan]{command}")


def _tell_hello(folder: Path, seed: int, console: Console) -> list[Path]:
    console.rule("[bold]1. A net from its equations")
    net, feeds = build_hello(), hello_feeds()
    values = initialise(net.graph.parameters, seed)
    console.print(f'"{WORD}" and an end symbol, one letter a step. The whole tape, as equations:\n')
    console.print(Text(net.graph.text([net.loss])), "\n", soft_wrap=True)
    forward, backward, saved = (folder / name for name in ("hello.svg", "hello-gradient.svg", "hello.json"))
    viz.draw(net.loss, title="hello, unrolled").save(forward)
    viz.draw([net.loss, net.gradients], backward=True, title="hello, and its gradient").save(backward)
    save(net.graph, saved)
    console.print(f"Drawn in {forward.name}, with its gradient in {backward.name}: {len(net.graph)} nodes.\n")

    console.rule("[bold]2. Its gradient is a graph too: is it right?")
    console.print(_gradient_table(check_gradients(net, values, feeds, seed)))

    console.rule("[bold]3. Training until it spells the word")
    before = _gradient_norms(net, values, feeds)
    for step, loss, spelled in train_hello(net, values, feeds):
        if step in (1, 5, 10) or step % 20 == 0 or spelled == WORD + END:
            last = f"  update {step:>3}   loss {loss:6.3f}   spells {spelled}"
        if step in (1, 5, 10) or step % 20 == 0:
            console.print(last, highlight=False)
    console.print(f"[green]{last}   ({END} is the end symbol)\n", highlight=False)

    console.rule("[bold]4. How large is the gradient at each step?")
    console.print(_norm_table(before, _gradient_norms(net, values, feeds)))
    return [forward, backward, saved]


def _gradient_norms(net: Hello, values: Values, feeds: Values) -> list[float]:
    """The norm of d loss / d h_t for each step t."""
    cotangents = grad(net.loss, list(net.hidden.values()))
    return [float(np.linalg.norm(g)) for g in evaluate(cotangents, values | feeds)]


def _gradient_table(slopes: dict[str, tuple[float, float]]) -> Table:
    table = Table("parameter", "gradient graph", "central differences", "relative difference")
    for name, (ours, difference) in slopes.items():
        relative = abs(ours - difference) / max(abs(ours), abs(difference), 1e-12)
        table.add_row(name, f"{ours: .9f}", f"{difference: .9f}", f"{relative:.1e}")
    return table


def _norm_table(before: list[float], after: list[float]) -> Table:
    table = Table("step", "reads", "writes", "|dL/dh| before training", "after training")
    top = max(*before, *after)
    for t, (old, new) in enumerate(zip(before, after, strict=True), start=1):
        bars = [f"{value:.4f} " + "█" * max(1, round(12 * value / top)) for value in (old, new)]
        table.add_row(str(t), WORD[t - 1], (WORD + END)[t], *bars)
    return table


def _tell_characters(folder: Path, updates: int, seed: int, console: Console) -> list[Path]:
    console.rule("[bold]5. A character model on Python's standard library")
    text = models.standard_library_text()
    model = models.LanguageModel(models.Vocabulary.of(text), cell="gru", hidden=64)
    settings = models.Settings(updates=updates, batch=8, optimiser="adam", rate=0.005, validation=0, seed=seed)
    console.print(
        f"{len(text):,} characters, {len(model.vocabulary)} different ones; a GRU of {model.hidden} units, "
        f"unrolled over {settings.steps} steps, {settings.batch} streams at once."
    )
    run = models.Run(model, model.vocabulary.encode(text), settings)
    with TrainingProgress(console, updates, "characters") as progress:
        for report in run.updates_until():
            progress.show(report)
    sample = "def " + "".join(models.sample(model, run.values, start="def ", length=300, temperature=0.6, seed=seed))
    console.print("\nIt has learned this much of Python in that time:\n")
    console.print(Panel(Text(sample), expand=False))
    path = folder / "sample.txt"
    path.write_text(sample, encoding="utf-8")
    return [path]
