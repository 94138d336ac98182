"""As many b as a: a net that has to count, and what it counts with.

Strings a^n b^n are read a symbol at a time, and the next one is to be named. While a goes on nobody can know what
follows; from the first b on everything is certain: n - 1 more, then the end. No finite memory can do this for all n. An
LSTM trained up to n = 10 counts up and down in its cell state, which the chart shows, and goes on beyond 10. (Read a
as an opening bracket, b as a closing one.)

Reference: Gers and Schmidhuber 2001, doi:10.1109/72.963769.

Run it: python examples/10_brackets.py [--short] [--out FOLDER] [--seed N]
"""

import numpy as np
from panels import curves
from story import Story

import tinygraph as tg
from tinygraph import models

A, B, END = 0, 1, 2
TRAINED, TRIED, HIDDEN = 10, 30, 8


def strings(counts: range) -> dict[str, np.ndarray]:
    """a^n b^n for each n: "x" (steps, strings, 2) one-hot, what follows "y", and whether that is certain, "asked"."""
    symbols = [np.array([A] * n + [B] * n + [END]) for n in counts]
    read = models.pad([s[:-1] for s in symbols], range(len(symbols)))
    follows = models.pad([s[1:] for s in symbols], range(len(symbols)))
    return {"x": np.eye(2)[read.values], "y": follows.values, "asked": read.mask & (read.values == B)}


def net_of(name: str, most: int) -> models.Mapped:
    """Scores of what follows each symbol of strings up to n = `most`, and a loss where it is asked for."""
    return models.tagger(tg.unroll(models.CELLS[name], 2 * most, I=2, H=HIDDEN), 3, asked=True)


def train(name: str, updates: int, seed: int) -> models.Learner:
    net, feeds = net_of(name, TRAINED), strings(range(1, TRAINED + 1))
    learner = models.Learner(net.initial(seed), rate=0.02, schedule="linear", updates=updates)
    for _ in range(updates):
        learner.update(net.loss, feeds)
    return learner


def right(learner: models.Learner, name: str) -> np.ndarray:
    """For each n = 1..TRIED, whether all that follows a b is named rightly, the end included."""
    net, feeds = net_of(name, TRIED), strings(range(1, TRIED + 1))
    scores = learner.run(list(net.outputs.values()), {"x": feeds["x"]})
    return np.all((np.argmax(scores, axis=-1) == feeds["y"]) | ~feeds["asked"], axis=0)


def main() -> None:
    story = Story(__doc__)
    for name in ("elman", "lstm"):
        learner = train(name, story.either(4000, 30), story.seed)
        answers = right(learner, name)
        print(f"{name}, right for n =", *np.flatnonzero(answers) + 1)
        beyond = answers[TRAINED : 2 * TRAINED]
        goal = ">= 100%" if name == "lstm" else ""
        story.score(
            f"{name}, strings right for n = 11..20", beyond.mean(), 0, trivial="an end where one was seen", goal=goal
        )
    net = net_of("lstm", 2 * TRAINED)
    fed = strings(range(2 * TRAINED, 2 * TRAINED + 1))
    cells = learner.run(list(net.net.c.values())[1:], {"x": fed["x"]})
    units = np.array(cells)[:, 0]
    chart = curves(
        {f"unit {i + 1}": (np.arange(1, len(units) + 1), units[:, i]) for i in range(HIDDEN)},
        title="The cell state of the LSTM over 20 a and then 20 b",
        x="step",
        y="c",
    )
    story.picture(chart, "brackets.svg")


if __name__ == "__main__":
    main()
