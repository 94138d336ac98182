"""What is measured of ourselves besides the works; each in a process of its own: `python -m benchmarks.tasks NAME`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygraph as tg
from tinygraph import models
from tinygraph.graph.tape import cone
from tinygraph.nest import leaves

from .measuring import CLOCKS, growth, interleaved
from .peers import PEERS, plan
from .works import WORKS, Work, problem, roots

TEXT = "the quick brown fox jumps over the lazy dog. "


def ready(work: Work, clock: str) -> dict[str, float]:
    """Nodes, and seconds to build, differentiate and plan, with the calls for the work's batch.

    A small one is made before, since the first plan of a process loads SciPy.
    """
    now = CLOCKS[clock]
    tg.plan(roots(work.cut(3, 8))).program(work.batch)
    start = now()
    wanted = roots(work)
    built = now()
    tg.plan(wanted).program(work.batch)
    done = now()
    nodes = len(cone(leaves(wanted)))
    return {
        "nodes": nodes,
        "build": built - start,
        "plan": done - built,
        "seconds": done - start,
        "microseconds a node": 1e6 * (done - start) / nodes,
    }


def ready_work(name: str, clock: str) -> dict[str, float]:
    """Of one of the works."""
    return ready(WORKS[name], clock)


def ready_lstm(steps: str, clock: str) -> dict[str, float]:
    """Of an LSTM of so many steps."""
    return ready(WORKS["lstm_small"].cut(int(steps), 64), clock)


def memory(who: str, name: str) -> int:
    """Bytes by which the peak of memory grows when a peer, or the plan, is made and does a work twice."""
    given = problem(WORKS[name])
    make = plan if who == "plan" else PEERS[who][0]
    small = make(problem(WORKS[name].cut(2, 8)))  # what is loaded late is no part of the work
    small.step()

    def do() -> None:
        runner = make(given)
        runner.step()
        runner.step()

    return growth(do)


def model(hidden: int = 128) -> models.LanguageModel:
    """A small language model over the text of these tasks."""
    return models.LanguageModel(models.Vocabulary.of(TEXT), cell="lstm", hidden=hidden)


def truncated_memory(times: str) -> int:
    """Bytes by which memory grows in truncated training on chunks of 20 steps, through `times` times 200 symbols."""
    settings = models.Settings(updates=10 * int(times), steps=20, batch=4, validation=0.0)
    text = (TEXT * (1 + 200 * 4 * int(times) // len(TEXT)))[: 200 * 4 * int(times) + 4]
    models.train(model(16), TEXT * 9, models.Settings(updates=2, steps=20, batch=4, validation=0.0))
    return growth(lambda: models.train(model(16), text, settings))


def training(budget: str, clock: str) -> dict[str, float]:
    """Characters per second in updates of a language model, through the plan and through the interpreter."""
    settings = models.Settings()
    unfolded = model().unroll(settings.steps)
    wanted = [unfolded.loss, unfolded.gradients, unfolded.state]
    rng = np.random.default_rng(0)
    symbols = rng.integers(0, len(unfolded.model.vocabulary), (2, settings.steps, settings.batch))

    def updates(compute: Callable[[Any], Any]) -> Callable[[], None]:
        values = unfolded.net.initial(settings.seed)
        optimiser = models.make_optimiser(settings.optimiser, settings.rate)
        state = unfolded.zero_state(settings.batch)

        def update() -> None:
            _, gradients, after = compute({**values, **state, "x": symbols[0], "y": symbols[1]})
            state.update(after)
            optimiser.update(values, models.CLIPPING[settings.clip](gradients, settings.threshold), 1.0)

        return update

    ways = {"plan": updates(tg.plan(wanted)), "interpreter": updates(lambda feeds: tg.evaluate(wanted, feeds))}
    count = settings.steps * settings.batch
    return {name: count / one.median for name, one in interleaved(ways, float(budget), clock).items()}


TASKS: dict[str, Callable[..., Any]] = {
    "ready_work": ready_work,
    "ready_lstm": ready_lstm,
    "memory": memory,
    "truncated_memory": truncated_memory,
    "training": training,
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
