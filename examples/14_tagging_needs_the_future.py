"""Tagging that needs the future: will this letter come again?

Each letter of a random sequence is tagged: 1 if the same letter follows later, else 0. A net that reads in both
directions can know. One that reads from the left cannot, however good it is: the letters to come are drawn by chance,
and all that is known of them is how many are left. With n left and K letters the tag is 1 with probability

    p(n) = 1 - (1 - 1/K)^n

so that the best of all one-way taggers is right with probability max(p, 1 - p), and its ceiling is the mean over
time.

Reference: Schuster and Paliwal 1997, doi:10.1109/78.650093.

The one-way net is right on 72.7% of the letters, its ceiling is 72.7%; both ways give 100.0%. It takes 8 s.

Run it: python examples/14_tagging_needs_the_future.py [--short] [--out FOLDER] [--seed N]
"""

import numpy as np
from panels import curves
from story import Story

import tinygraph as tg
from tinygraph import models, viz

LETTERS, LENGTH, HIDDEN, BATCH = 8, 15, 32, 64


def draw(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """`count` sequences: letters "x" (LENGTH, count, LETTERS) one-hot, tags "y" (LENGTH, count)."""
    letters = rng.integers(0, LETTERS, (LENGTH, count))
    same = letters[:, None] == letters[None]  # (t, s, count)
    later = np.triu(np.ones((LENGTH, LENGTH), bool), 1)[:, :, None]
    return {"x": np.eye(LETTERS)[letters], "y": (same & later).any(1).astype(int)}


def best_one_way() -> np.ndarray:
    """The probability (LENGTH,) that the best tagger is right at each step if it has not seen the future."""
    again = 1 - (1 - 1 / LETTERS) ** np.arange(LENGTH - 1, -1, -1)
    return np.maximum(again, 1 - again)


def train(net: models.Mapped, updates: int, seed: int) -> models.Learner:
    rng = np.random.default_rng(seed)
    learner = models.Learner(net.initial(seed), rate=0.01, schedule="linear", updates=updates)
    for _ in range(updates):
        learner.update(net.loss, draw(BATCH, rng))
    return learner


def main() -> None:
    story = Story(__doc__)
    updates, test = story.either(1500, 10), draw(4000, np.random.default_rng([story.seed, 1]))
    x, x_too = (tg.Graph().sequence("x", LENGTH, (LETTERS,)) for _ in range(2))
    nets = {
        "one way": models.tagger(tg.unroll(models.gru, LENGTH, inputs={"x": x}, H=HIDDEN), 2),
        "both ways": models.tagger(models.bidirectional(models.gru, LENGTH, inputs={"x": x_too}, H=HIDDEN), 2),
    }
    ceiling = float(best_one_way().mean())
    lines = {"the most that one way allows": (np.arange(1, LENGTH + 1), best_one_way())}
    for name, net in nets.items():
        scores = train(net, updates, story.seed).run(list(net.outputs.values()), {"x": test["x"]})
        shares = np.mean(np.argmax(scores, axis=-1) == test["y"], axis=1)
        lines[name] = np.arange(1, LENGTH + 1), shares
        goal = ">= 99%" if name == "both ways" else f">= {ceiling - 0.01:.1%}"
        story.score(name, shares.mean(), ceiling, trivial="the most that one way allows", goal=goal)
    story.picture(curves(lines, title="Will this letter come again?", x="step", y="share right"), "tagging.svg")
    story.picture(viz.draw(nets["both ways"].loss, detail="cell", title="both ways"), "tagging-net.svg")


if __name__ == "__main__":
    main()
