"""Numbers in words, from English and Spanish to French and German, letter by letter.

    seventy-seven   ->   soixante-dix-sept   or   siebenundsiebzig

One encoder reads both languages; each target has a decoder of its own, which looks at what was read. Shown are
English to French, English to German and Spanish to French; Spanish to German never. (Several decoders: Dong, Wu, He,
Yu and Wang 2015, doi:10.3115/v1/P15-1166; pairs never shown: Johnson et al. 2017, arXiv:1611.04558.) A fifth of the
numbers up to 9,999 is kept for the test, in all languages, and the answers there are the net's own from the first
letter to the last.

Of the numbers 99.0% are right to the last letter from English to French, 96.6% from English to German, 99.2% from
Spanish to French; one number for all gives 0.1%. From Spanish to German, never shown, it is 7.5%: the words are German,
but of other numbers, since that decoder has only learned to look at what was read of English. It takes 210 s.

Run it: python examples/24_number_words.py [--short] [--out FOLDER] [--seed N]
"""

from collections.abc import Iterator

import numpy as np
from pairs import Pair, Pupil, alphabet, commonest, in_batches
from panels import table
from story import Story, needs

SHOWN = [("en", "fr"), ("en", "de"), ("es", "fr")]
NEVER = ("es", "de")
NAMES = {"en": "English", "es": "Spanish", "fr": "French", "de": "German"}


Way = tuple[str, str]  # from one language to another


def spelled(numbers: list[int], language: str) -> dict[int, str]:
    """Numbers in words."""
    say = needs("num2words", "num2words").num2words
    return {number: say(number, lang=language) for number in numbers}


def main() -> None:
    story = Story(__doc__)
    rng, updates = np.random.default_rng(story.seed), story.either(2250, 3)
    numbers = rng.permutation(10_000)[: story.either(10_000, 100)].tolist()
    words = {language: spelled(numbers, language) for language in NAMES}
    test, train = numbers[: len(numbers) // 5], numbers[len(numbers) // 5 :]

    def pairs(way: Way, some: list[int]) -> list[Pair]:
        source, target = way
        return [(words[source][number], words[target][number]) for number in some]

    def lessons(way: Way) -> Iterator[list[Pair]]:
        def draw(count: int, done: float) -> list[Pair]:
            return pairs(way, rng.choice(train, count).tolist())

        return in_batches(draw, updates=updates // len(SHOWN), size=story.either(64, 8), rng=rng)

    read = alphabet([*words["en"].values(), *words["es"].values()])
    say = {target: alphabet(list(words[target].values())) for target in ("fr", "de")}
    net = {"hidden": story.either(64, 8), "bidirectional": True, "attention": "general", "attend": "last"}
    pupil = Pupil(read, say, updates=updates, rate=0.005, seed=story.seed, **net)
    for batches in zip(*map(lessons, SHOWN), strict=True):
        for (_, target), batch in zip(SHOWN, batches, strict=True):
            pupil.learn(batch, target)

    right = {}
    for way in (*SHOWN, NEVER):
        asked, what = pairs(way, test), f"{NAMES[way[0]]} to {NAMES[way[1]]}"
        right[way] = float(pupil.right(asked, way[1]).mean())
        told = {"trivial": "one number for all"} | ({} if way == NEVER else {"goal": ">= 95%"})
        story.score(what + (", never shown" if way == NEVER else ""), right[way], commonest(asked), **told)

    for source, target in ("en", "fr"), ("en", "de"), NEVER:
        said = pupil.answers([words[source][number] for number in test[:3]], longest=60, target=target)
        for number, answer in zip(test[:3], said, strict=True):
            print(f"  {words[source][number]:50} {answer}")
    shares = [[right[source, target] for target in ("fr", "de")] for source in ("en", "es")]
    title = "numbers said exactly (Spanish to German: never shown)"
    story.picture(table(shares, ["English", "Spanish"], ["French", "German"], title=title), "number-words.svg")


if __name__ == "__main__":
    main()
