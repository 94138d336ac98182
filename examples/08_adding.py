"""The adding problem: two numbers far apart are to be added, and a simple net hardly learns it.

A sequence of random numbers from 0 to 1 goes by; two of them are marked, one in each half. After the last step the
net says their sum. The error of the last step has to reach the marks through all the steps between, and the gradient
of an Elman net fades on that way. The gates of an LSTM let it pass. Two charts show it for untrained nets of both
kinds.

Reference: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, experiment 4.

Mean square errors after 2,500 updates, 14 s for both: LSTM 0.0002, Elman 0.0218, 131.4 times as much (0.0687 and
0.1749 with two other seeds); to say 1 each time gives 0.1667.

Run it: python examples/08_adding.py [--short] [--out FOLDER] [--seed N]
"""

import numpy as np
from story import Story

import tinygraph as tg
from tinygraph import models, viz

LENGTH, HIDDEN, BATCH = 50, 32, 64


def draw(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """`count` sequences: "x" (LENGTH, count, 2) of a number and its mark, "y" (1, count, 1) the marked ones' sum."""
    numbers, marks = rng.random((LENGTH, count)), np.zeros((LENGTH, count))
    half = LENGTH // 2
    for first in (0, half):
        marks[first + rng.integers(0, half, count), np.arange(count)] = 1
    return {"x": np.stack([numbers, marks], axis=-1), "y": (numbers * marks).sum(0)[None, :, None]}


def train(name: str, updates: int, seed: int) -> float:
    """The mean square error, on new sequences, of a net of that cell after so many updates."""
    net = models.forecaster(tg.unroll(models.CELLS[name], LENGTH, I=2, H=HIDDEN))
    learner = models.Learner(net.initial(seed), rate=0.005, schedule="linear", updates=updates)
    rng, held_out = np.random.default_rng(seed), draw(1000, np.random.default_rng([seed, 1]))
    for update in range(1, updates + 1):
        learner.update(net.loss, draw(BATCH, rng))
        if update % max(1, updates // 5) == 0:
            print(f"{name:6} update {update:5}: mean square error {learner.run(net.loss, held_out):.4f}")
    return float(learner.run(net.loss, held_out))


def main() -> None:
    story = Story(__doc__)
    updates = story.either(2500, 10)
    variance = 2 / 12  # of a sum of two numbers: the error of always saying its mean, 1

    lstm, elman = train("lstm", updates, story.seed), train("elman", updates, story.seed)
    trivial = "always 1, the mean"
    story.score("lstm, mean square error", lstm, variance, trivial=trivial, goal="< 0.01", form=".4f")
    story.score("elman, mean square error", elman, variance, trivial=trivial, form=".4f")
    story.score("elman's error over the lstm's", elman / lstm, 1, trivial="as good", goal="> 5", form=".1f")

    for name in ("elman", "lstm"):
        flow = tg.gradient_flow(models.CELLS[name], LENGTH, seed=story.seed, reach=story.either(5, 2))
        story.picture(viz.chart(flow), f"adding-{name}.svg")


if __name__ == "__main__":
    main()
