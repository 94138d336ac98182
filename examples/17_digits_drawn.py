"""Digits drawn pixel by pixel: a language model whose text is an image.

    p(image | digit) = product over t of p(pixel_t | pixel_1..pixel_{t-1}, digit)

Each pixel has one of a few levels of grey. An LSTM reads the pixels before it, row by row, and says how likely each
level is; sampled from left to right and from top to bottom, it draws. How well it knows digits is measured in bits
for a pixel of images it has not seen; the trivial model knows, of each place, how often it has each level. (Van den
Oord et al. 2016, arXiv:1601.06759.) Then a reader that was trained on real digits is asked what it sees in those
that were drawn.

The net needs 0.678 bits for a pixel, the trivial model 1.143. The reader is right about 99% of real digits, and reads
95.5% of those that were drawn as what they are. It takes 34 s.

Run it: python examples/17_digits_drawn.py [--short] [--out FOLDER] [--seed N]
"""

import numpy as np
from digits import Digits, load, reader
from panels import images
from story import Story

from tinygraph import models, viz

LEVELS = 4


def histogram_bits(train: np.ndarray, test: np.ndarray) -> float:
    """Bits for a pixel by how often each place (row, column) of the training has each level, with add-one smoothing."""
    counts = 1 + np.array([(train == level).sum(axis=0) for level in range(LEVELS)])
    shares = counts / counts.sum(axis=0)
    return float(-np.log2(np.take_along_axis(shares, test, axis=0)).mean())


def main() -> None:
    story = Story(__doc__)
    train, test = (Digits(models.quantised(d.images, LEVELS), d.labels) for d in load())
    model = models.PixelModel(8, 8, levels=LEVELS, classes=10, hidden=story.either(96, 8), embedding=4)
    net, updates = model.unroll(), story.either(1500, 2)
    learner = models.Learner(net.initial(story.seed), rate=0.005, schedule="linear", updates=updates)
    learner.fit(net.loss, model.feeds(train.images, train.labels), updates=updates, batch=64, seed=story.seed)
    bits = learner.run(net.loss, model.feeds(test.images, test.labels)) / np.log(2)
    trivial = histogram_bits(train.images, test.images)
    story.score("bits for a pixel", bits, trivial, trivial="how often each place has each level", form=".3f")

    labels = np.repeat(np.arange(10), story.either(20, 1))
    drawn = model.sample_each(learner.values, labels, seed=story.seed)
    encoder, learned = reader(train, updates=story.either(800, 2), seed=story.seed)
    read, known = (learned.run(encoder.scores, {"x": some[:, None]}).argmax(axis=1) for some in (drawn, test.images))
    print(f"the reader is right about {np.mean(known == test.labels):.1%} of real digits")
    story.score("drawn digits read as what they are", np.mean(read == labels), 0.1, trivial="chance")

    rows = drawn.reshape(10, -1, 8, 8).swapaxes(0, 1)[:4]
    titles = [[str(digit) if row == 0 else "" for digit in range(10)] for row in range(len(rows))]
    story.picture(images(rows, titles, title="drawn pixel by pixel"), "digits-drawn.svg")
    small = models.PixelModel(1, 4, levels=LEVELS, classes=10, hidden=4)
    story.picture(viz.draw(small.unroll().loss, detail="cell", title="each pixel from those before it"), "pixels.svg")


if __name__ == "__main__":
    main()
