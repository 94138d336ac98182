"""As many b as a: a net that has to count, and what it counts with.

Strings a^n b^n are read a symbol at a time, and the next one is to be named from the first b on, when everything is
certain: n - 1 more b, then the end. (Read a as an opening bracket, b as a closing one.) No finite memory can do this
for all n. Nets are trained on n = 1..20 and asked about n = 1..60: up to which n are they always right? An LSTM
counts up and down in its cell state, which the chart shows, and goes on beyond 20.

Reference: Gers and Schmidhuber 2001, doi:10.1109/72.963769.

The LSTM is right up to n = 60, all that it is asked (39 and 26 with two other seeds), the Elman net up to 21. It takes
13 s.

Run it: python examples/10_brackets.py [--short] [--out FOLDER] [--seed N]
"""

import numpy as np
from panels import curves
from story import Story

import tinygraph as tg
from tinygraph import models

A, B, END = 0, 1, 2
TRAINED, TRIED, HIDDEN = 20, 60, 4


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


def reach(learner: models.Learner, name: str) -> int:
    """The n up to which all strings are right: everything that follows a b, the end included."""
    net, feeds = net_of(name, TRIED), strings(range(1, TRIED + 1))
    scores = learner.run(list(net.outputs.values()), {"x": feeds["x"]})
    right = np.all((np.argmax(scores, axis=-1) == feeds["y"]) | ~feeds["asked"], axis=0)
    return int(np.argmin([*right, False]))


def cell_state(learner: models.Learner, n: int) -> np.ndarray:
    """The cell state (2 n, HIDDEN) of the LSTM while it reads a^n b^n."""
    c = net_of("lstm", n).net.c
    return np.array(learner.run([c[t] for t in range(1, 2 * n + 1)], {"x": strings(range(n, n + 1))["x"]}))[:, 0]


def main() -> None:
    story = Story(__doc__)
    for name in ("elman", "lstm"):
        learner, goal = train(name, story.either(6000, 30), story.seed), f"> {TRAINED}" if name == "lstm" else ""
        trivial = "the longest string learned"
        story.score(f"{name}, right up to n", reach(learner, name), TRAINED, trivial=trivial, goal=goal, form=".0f")
    units = cell_state(learner, TRAINED + 5)
    places = np.arange(1, len(units) + 1)
    lines = {f"unit {i}": (places, unit) for i, unit in enumerate(units.T, start=1)}
    title = f"The cell state of the LSTM over {TRAINED + 5} a and as many b"
    story.picture(curves(lines, title=title, x="symbols read", y="c"), "brackets.svg")


if __name__ == "__main__":
    main()
