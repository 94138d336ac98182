"""The likeliest first word can lead nowhere: a net whose greedy answer is not its best one.

Greedy decoding takes the likeliest symbol at each step, beam search keeps the k likeliest beginnings:

    log p(y) = sum_t log p(y_t | y_1..y_{t-1})

The net is an Elman language model over a, b, c with random weights, where "a" ends what is said. Seeds are tried
in order until two beginnings find something better than one; the answers are held against all that can be said.

Run it: python examples/23_beam_search.py
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np

import tinygraph as tg
from tinygraph import models

LETTERS, LONGEST = "abc", 4
END, START = 0, 2  # "a" ends, and all begins behind a "c"
FIXED = 342  # what the search over seeds finds
MODEL = models.LanguageModel(models.Vocabulary(tuple(LETTERS)), "elman", hidden=4)
WHERE = {"start": START, "end": END, "longest": LONGEST}


def values_of(seed: int) -> dict:
    """Random weights, twice as large as a standard normal's."""
    rng = np.random.default_rng(seed)
    return {name: 2 * rng.standard_normal(p.shape) for name, p in MODEL.unroll(1).graph.parameters.items()}


def answers(seed: int, width: int) -> models.Hypothesis:
    """The best that a beam of this width finds; of width 1 it is the greedy answer."""
    step, state = models.language_step(MODEL, values_of(seed))
    return models.beam_search(step, state, **WHERE, width=width)[0]


def search() -> int:
    """The first seed where one beginning and two lead to different words, the second of them the best of all."""
    for seed in range(1000):
        one, two = answers(seed, 1), answers(seed, 2)
        said = one.ended and two.ended and one.symbols[:1] != two.symbols[:1] and one.symbols and two.symbols
        if said and two.log_probability > max(one.log_probability + 0.1, everything(seed)[0][0] - 1e-9):
            return seed
    raise SystemExit("no seed was found")


def everything(seed: int) -> list[tuple[float, str]]:
    """All words that can be said, from the unrolled net's loss, the likeliest first."""
    values, said = values_of(seed), []
    for length in range(LONGEST):
        net = MODEL.unroll(length + 1)
        for word in product((1, 2), repeat=length):
            feeds = {"x": np.array([START, *word]), "y": np.array([*word, END])}
            loss = tg.evaluate(net.loss, {**values, **net.zero_state(), **feeds})
            said.append((-float(loss) * (length + 1), word))
    return [(log_probability, spell(word)) for log_probability, word in sorted(said, reverse=True)]


def spell(symbols: tuple[int, ...]) -> str:
    return "".join(LETTERS[symbol] for symbol in symbols) or "(nothing)"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--short", action="store_true", help="take the seed that is known, without the search")
    options.add_argument(
        "--out", type=Path, default=Path("."), help="accepted for all examples; this one writes nothing"
    )
    seed = FIXED if options.parse_args().short else search()

    print(f"The net of seed {seed}.\n")
    for width in (1, 2, 3):
        found = answers(seed, width)
        print(f"k = {width}: {spell(found.symbols):10} with probability {np.exp(found.log_probability):.3f}")
    print("\nOf all that it can say, the likeliest are")
    for log_probability, word in everything(seed)[:4]:
        print(f"       {word:10} with probability {np.exp(log_probability):.3f}")


if __name__ == "__main__":
    main()
