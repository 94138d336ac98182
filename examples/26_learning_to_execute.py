"""Learning to execute: a net reads small programs letter by letter and says what they print.

    j=31
    for i in range(4):j+=52
    print((j-7))                  239

Hard programs alone are a poor teacher. Four curricula choose, for each program of the training, how many digits its
numbers have and how many operations are put into one another: "baseline" as hard as it gets from the beginning;
"naive" from easy to hard; "mix" any at any time; "combined" half of it as naive and half as mix. All are tested on
the same new programs of every difficulty, without a teacher. Reference: Zaremba and Sutskever 2014, arXiv:1410.4615.

Of all programs together "mix" executes 57.8% exactly, "combined" 53.8%, "naive" 18.2% and "baseline" 16.5%; one answer
for all gives 4.4%. By digits and nesting the best, all of "mix", are 97.5% (1, 1), 37.0% (2, 1), 80.5% (1, 2) and 16.0%
(2, 2); asked for were 80%, 25%, 50% and 10%. It takes 503 s.

Run it: python examples/26_learning_to_execute.py [--short] [--out FOLDER] [--seed N]
"""

from collections.abc import Callable
from itertools import islice, repeat

import numpy as np
from pairs import Pair, Pupil, alphabet, commonest, in_batches
from panels import table
from programs import NAMES, program
from story import Story

DIGITS, NESTING, TESTS = 2, 2, 200  # the hardest, and how many programs of each kind are tested
MINIMUM = {(1, 1): 0.8, (2, 1): 0.25, (1, 2): 0.5, (2, 2): 0.1}  # what the best curriculum of each kind is asked for

Kind = tuple[int, int]  # digits, nesting

LETTERS = alphabet(["0123456789()+-*<=:\n", NAMES, "for i in range print if else"])
FIGURES = alphabet(["-0123456789"])


def baseline(done: float, rng: np.random.Generator) -> Kind:
    return DIGITS, NESTING


def naive(done: float, rng: np.random.Generator) -> Kind:
    """More digits until they are all, then with one operation more again from the fewest."""
    stage = int(done * DIGITS * NESTING)
    return stage % DIGITS + 1, stage // DIGITS + 1


def mix(done: float, rng: np.random.Generator) -> Kind:
    return int(rng.integers(1, DIGITS + 1)), int(rng.integers(1, NESTING + 1))


def combined(done: float, rng: np.random.Generator) -> Kind:
    return naive(done, rng) if rng.random() < 0.5 else mix(done, rng)


CURRICULA: dict[str, Callable[[float, np.random.Generator], Kind]] = {
    curriculum.__name__: curriculum for curriculum in (baseline, naive, mix, combined)
}


def taught(name: str, tested: set[str], story: Story) -> Pupil:
    """A pupil at the end of a curriculum, in which no program is one of those that are tested."""
    rng, updates = np.random.default_rng(story.seed), story.either(2500, 1)
    net = {"hidden": story.either(96, 8), "bidirectional": True, "attention": "general", "attend": "last"}
    pupil = Pupil(LETTERS, FIGURES, updates=updates, rate=0.005, seed=story.seed, **net)

    def draw(count: int, done: float) -> list[Pair]:
        drawn = (program(*CURRICULA[name](done, rng), rng) for _ in repeat(None))
        return list(islice((pair for pair in drawn if pair[0] not in tested), count))

    for batch in in_batches(draw, updates=updates, size=story.either(64, 8), rng=rng):
        pupil.learn(batch)
    return pupil


def main() -> None:
    story = Story(__doc__)
    rng = np.random.default_rng(1000 + story.seed)
    kinds = [(digits, nesting) for nesting in range(1, NESTING + 1) for digits in range(1, DIGITS + 1)]
    tests = {kind: [program(*kind, rng) for _ in range(story.either(TESTS, 4))] for kind in kinds}
    every = [pair for pairs in tests.values() for pair in pairs]
    found, tested = {}, {text for text, _ in every}
    for name in CURRICULA:
        pupil = taught(name, tested, story)
        found[name] = {kind: float(pupil.right(pairs).mean()) for kind, pairs in tests.items()}
        print(", ".join(f"digits {d}, nesting {n}: {share:.1%}" for (d, n), share in found[name].items()))
        share = float(np.mean(list(found[name].values())))
        story.score(f"programs executed exactly, {name}", share, commonest(every), trivial="one answer for all")
    for kind, least in MINIMUM.items():
        best = max(found, key=lambda name: found[name][kind])
        what = f"digits {kind[0]}, nesting {kind[1]}, best by {best}"
        story.score(
            what, found[best][kind], commonest(tests[kind]), trivial="one answer for all", goal=f">= {least:.0%}"
        )

    shown = [source for source, _ in tests[DIGITS, NESTING][:3]]
    for source, answer in zip(shown, pupil.answers(shown, longest=8), strict=True):
        print(f"\n{source}\n>>> {answer}")
    columns = [f"digits {digits},\nnesting {nesting}" for digits, nesting in kinds]
    values = [[found[name][kind] for kind in kinds] for name in CURRICULA]
    story.picture(table(values, list(CURRICULA), columns, title="programs executed exactly"), "execute.svg")


if __name__ == "__main__":
    main()
