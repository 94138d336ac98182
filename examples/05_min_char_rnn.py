"""min-char-rnn (Andrej Karpathy, 2015) twice: with tinygraph, and in plain NumPy with its gradient written by hand.

    h_t = tanh(W x_t + U h_{t-1} + b),   o_t = V h_t + c,   loss = sum over 25 steps of -log softmax(o_t)[x_{t+1}]

Adagrad moves the parameters, each entry of the gradient is cut to [-5, 5], and the state is carried from one
chunk of the text to the next. Both start from the same values, read the same text and do the same operations in
the same order, so their losses agree to the last bits. That matters: with this rate the first updates are chaotic,
and what is rounded in another order is a different curve after forty of them.

Run it: python examples/05_min_char_rnn.py [FILE] [--short] [--out FOLDER]
"""

import argparse
from itertools import islice
from pathlib import Path

import numpy as np

import tinygraph as tg
from tinygraph import models

RATE, LARGEST, EPSILON = 0.1, 5, 1e-8


def initial(size, hidden=100, seed=0):
    """Small random weights and zero biases, by name."""
    rng = np.random.default_rng(seed)
    shapes = {"W": (hidden, size), "U": (hidden, hidden), "V": (size, hidden)}
    weights = {name: 0.01 * rng.standard_normal(shape) for name, shape in shapes.items()}
    return weights | {"b": np.zeros(hidden), "c": np.zeros(size)}


def chunks(text, steps):
    """Inputs, the symbols after them, and whether the text begins anew: without end."""
    while True:
        for start in range(0, len(text) - steps, steps):
            yield text[start : start + steps], text[start + 1 : start + steps + 1], start == 0


# With tinygraph: the cell, a readout, a loss; the gradient is derived.
def with_tinygraph(text, values, steps=25):
    """The loss of each update of `values`."""
    size, hidden = values["V"].shape
    net = tg.unroll(models.elman, steps, initial="fed", I=size, H=hidden)
    y = net.graph.sequence("y", steps, kind="integer")
    loss = tg.add([tg.cross_entropy(o, y[t]) for t, o in models.readout(net, size).items()])
    gradients = tg.grad(loss, net.graph.parameters)
    optimiser = models.Adagrad(RATE, EPSILON)
    for x, following, anew in chunks(text, steps):
        h = np.zeros(hidden) if anew else h
        feeds = values | {"x": np.eye(size)[x], "y": following, "h_0": h}
        value, found, h = tg.evaluate([loss, gradients, net.h.last], feeds)
        optimiser.update(values, models.clip_by_value(found, LARGEST))
        yield float(value)


# In plain NumPy: the same, with each derivative worked out on paper.
def by_hand(text, values, steps=25):
    """The loss of each update of `values`."""
    squares = {name: np.zeros_like(value) for name, value in values.items()}
    for x, following, anew in chunks(text, steps):
        h = np.zeros(len(values["b"])) if anew else h
        value, gradients, h = loss_and_gradient(values, x, following, h)
        for name, gradient in gradients.items():
            cut = np.clip(gradient, -LARGEST, LARGEST)
            squares[name] += cut**2
            # The quotient first, as in models.Adagrad: "RATE * cut / ..." rounds differently.
            values[name] -= RATE * (cut / np.sqrt(squares[name] + EPSILON))
        yield float(value)


def loss_and_gradient(values, x, y, h_0):
    """The loss of a chunk, its gradient by name, and the last state."""
    W, U, V, b, c = (values[name] for name in "WUVbc")
    loss, h, p = 0.0, {-1: h_0}, {}
    for t in range(len(x)):
        h[t] = np.tanh(W[:, x[t]] + U @ h[t - 1] + b)
        o = V @ h[t] + c
        p[t] = np.exp(o - o.max()) / np.sum(np.exp(o - o.max()))
        loss -= np.log(p[t][y[t]])
    d = {name: np.zeros_like(value) for name, value in values.items()}
    from_later = np.zeros_like(h_0)
    for t in reversed(range(len(x))):
        do = p[t].copy()
        do[y[t]] -= 1
        d["V"] += np.outer(do, h[t])
        d["c"] += do
        da = (1 - h[t] ** 2) * (V.T @ do + from_later)
        d["W"][:, x[t]] += da
        d["U"] += np.outer(da, h[t - 1])
        d["b"] += da
        from_later = U.T @ da
    return loss, d, h[len(x) - 1]


def write(vocabulary, values, length=200, seed=0):
    """Text from the trained net, one symbol at a time."""
    size, hidden = values["V"].shape
    net = tg.unroll(models.elman, 1, I=size, H=hidden)
    step = models.Online(net, values, head=lambda net: models.readout(net, size)).step
    rng, state, written = np.random.default_rng(seed), None, [0]
    for _ in range(length):
        scores, state = step(np.eye(size)[written[-1]], state)
        written.append(models.choose(scores, rng))
    return vocabulary.decode(written[1:])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("file", nargs="?", type=Path, help="a text; without it, Python's own library")
    options.add_argument("--short", action="store_true", help="200 updates in place of 2000")
    options.add_argument("--out", type=Path, default=Path("."), help="folder for the losses")
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    text = models.read_texts([given.file]) if given.file else models.standard_library_text()
    vocabulary = models.Vocabulary.of(text)
    symbols = vocabulary.encode(text)
    print(f"{len(symbols):,} characters, {len(vocabulary)} different ones\n")

    ours, theirs = initial(len(vocabulary)), initial(len(vocabulary))
    both = zip(with_tinygraph(symbols, ours), by_hand(symbols, theirs), strict=True)
    updates = 200 if given.short else 2000
    losses = []
    for pair in islice(both, updates):
        losses.append(pair)
        if len(losses) == 1 or len(losses) % (updates // 10) == 0:
            print(f"update {len(losses):5}   tinygraph {pair[0]:.9f}   by hand {pair[1]:.9f}")
    print(f"\nLargest difference of the losses: {np.abs(np.subtract(*np.transpose(losses))).max():.1e}")
    log = given.out / "min_char_rnn.csv"
    np.savetxt(log, losses, delimiter=",", header="tinygraph,by hand", comments="")
    print(f"All of them: {log}\n\nIt writes:\n\n{write(vocabulary, ours)}")


if __name__ == "__main__":
    main()
