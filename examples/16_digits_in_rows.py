"""A digit read like a text: row after row, or pixel after pixel.

An image of 8 x 8 pixels is a sequence of 8 rows, or of 64 single pixels; an LSTM reads it and then says which digit
it was. Eight steps are easy. Sixty-four are harder: what the upper part of a loop looked like has to be kept until
the lower part has been seen. (Reading pixels: Le, Jaitly and Hinton 2015, arXiv:1504.00941.) The digits are
scikit-learn's: 1,797 images, a fifth of which, chosen at random, is kept for the test.

By rows 98.3% of the digits of the test are read as what they are, by pixels 97.5%; always to say the commonest digit
gives 7.8%. It takes 41 s.

Run it: python examples/16_digits_in_rows.py [--short] [--out FOLDER] [--seed N]
"""

import numpy as np
from digits import Digits, load
from panels import images
from story import Story

import tinygraph as tg
from tinygraph import models, viz

WAYS = {"rows": (8, 8), "pixels": (64, 1)}  # steps, and numbers read at each


def reader(way: str, hidden: int) -> models.Mapped:
    """An LSTM over the whole image, with a class at its end."""
    steps, size = WAYS[way]
    return models.classifier(tg.unroll(models.lstm, steps, I=size, H=hidden), classes=10)


def as_sequence(digits: Digits, way: str) -> np.ndarray:
    """Images (B, 8, 8) as a sequence (T, B, I)."""
    return digits.images.reshape(len(digits.images), *WAYS[way]).swapaxes(0, 1)


def said(net: models.Mapped, learner: models.Learner, digits: Digits, way: str) -> np.ndarray:
    """The digit that is likeliest for each image."""
    return learner.run(net.outputs.last, {"x": as_sequence(digits, way)}).argmax(axis=1)


def main() -> None:
    story = Story(__doc__)
    train, test = load()
    common = np.mean(test.labels == np.bincount(train.labels).argmax())
    for way, goal, updates in (("rows", ">= 95%", 1500), ("pixels", "", 3000)):
        updates = story.either(updates, 2)
        net = reader(way, hidden=story.either(64, 8))
        learner = models.Learner(net.initial(story.seed), rate=0.005, schedule="linear", updates=updates)
        feeds = {"x": as_sequence(train, way), "y": train.labels[None]}
        learner.fit(net.loss, feeds, updates=updates, batch=64, seed=story.seed)
        found = said(net, learner, test, way)
        right = found == test.labels
        story.score(f"digits read by {way}", right.mean(), common, trivial="always the commonest digit", goal=goal)
    wrong = np.flatnonzero(~right)[:10]
    titles = [f"{test.labels[i]}, read as {found[i]}" for i in wrong]
    story.picture(
        images([test.images[wrong]], [titles], title="what was read wrongly, by pixels"), "digits-misread.svg"
    )
    story.picture(
        viz.draw(reader("rows", 4).outputs.last, detail="cell", title="many to one: a digit, row by row"),
        "digits-in-rows.svg",
    )


if __name__ == "__main__":
    main()
