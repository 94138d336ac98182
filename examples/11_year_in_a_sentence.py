"""The year in a sentence: "in 2013 I went to Nepal", "I went to Nepal in 2013". When was it?

A net that reads word after word has one set of weights for all places, and finds the year wherever it stands. A net
without memory that sees the whole sentence at once has weights for each place, and has to learn every year at every
place again. Both learn from 1,000 sentences, with the year in front, in the middle or at the end, and are asked about
others. Other numbers, as in "a song called 1999", mislead.

Reference: Goodfellow, Bengio and Courville 2016, Deep Learning, chapter 10, which begins with such sentences.

Of 2,000 new sentences the recurrent net gets 100.0% right, the net without memory 73.2%, in 7 s for both.

Run it: python examples/11_year_in_a_sentence.py [--short] [--out FOLDER] [--seed N]
"""

from itertools import product

import numpy as np
from story import Story

import tinygraph as tg
from tinygraph import models, viz

YEARS = [str(year) for year in range(1980, 2020)]
WHO = ["I", "we", "they", "my sister", "the old man", "her best friend"]
DID = ["went to", "came back from", "wrote about", "dreamt of", "took pictures of", "sang songs of"]
WHERE = ["Nepal", "Peru", "the sea", "the high mountains"]
WITH = ["with friends", "on a train", "to a song called NUMBER", "after reading the novel NUMBER twice"]
PARTS = list(product(YEARS, WHO, DID, WHERE, WITH))
WORDS = sorted({word for part in (YEARS, WHO, DID, WHERE, WITH, ["in"]) for text in part for word in text.split()})
LONGEST, HIDDEN, BATCH = 17, 64, 64
PLACES = ("front", "middle", "end")


def sentence(part: tuple[str, ...], place: str, number: str) -> str:
    """The sentence of these parts with the year at one of the places."""
    year, who, did, where, company = part
    clauses = [f"{who} {did} {where}", company.replace("NUMBER", number)]
    clauses.insert(PLACES.index(place), f"in {year}")
    return " ".join(clauses)


def draw(parts: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sentences of the parts of these numbers: "x" (LONGEST, B, WORDS) one-hot, "mask" (LONGEST, B), "y" (1, B)."""
    x, mask = np.zeros((LONGEST, len(parts), len(WORDS))), np.zeros((LONGEST, len(parts)), bool)
    for b, part in enumerate(parts):
        words = sentence(PARTS[part], str(rng.choice(PLACES)), str(rng.choice(YEARS))).split()
        x[np.arange(len(words)), b, [WORDS.index(word) for word in words]] = 1
        mask[: len(words), b] = True
    return {"x": x, "mask": mask, "y": np.array([[YEARS.index(PARTS[part][0]) for part in parts]])}


def at_once(feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with all words side by side, as one step: "x" (1, B, LONGEST WORDS)."""
    x = feeds["x"].swapaxes(0, 1)
    return {"x": x.reshape(1, len(x), -1), "y": feeds["y"]}


def train(net: models.Mapped, feeds: dict[str, np.ndarray], updates: int, seed: int) -> models.Learner:
    learner = models.Learner(net.initial(seed), rate=0.005, schedule="linear", updates=updates)
    learner.fit(net.loss, feeds, updates=updates, batch=BATCH, seed=seed)
    return learner


def right(learner: models.Learner, net: models.Mapped, feeds: dict[str, np.ndarray]) -> float:
    scores = learner.run(net.outputs[1], {name: array for name, array in feeds.items() if name != "y"})
    return float(np.mean(np.argmax(scores, axis=-1) == feeds["y"][0]))


def main() -> None:
    story = Story(__doc__)
    rng = np.random.default_rng(story.seed)
    learn, test = np.split(rng.permutation(len(PARTS))[:3000], [1000])
    print("\n".join(sentence(PARTS[part], place, "1999") for part, place in zip(learn, PLACES, strict=False)))
    shown, new = draw(learn, rng), draw(test, rng)

    reading = models.classifier(tg.unroll(models.gru, LONGEST, I=len(WORDS), H=HIDDEN, mask=True), len(YEARS))
    seeing = models.classifier(tg.unroll(models.memoryless, 1, I=LONGEST * len(WORDS), H=HIDDEN), len(YEARS))
    for name, net, view in (("gru", reading, dict), ("no memory", seeing, at_once)):
        learner = train(net, view(shown), story.either(1000, 10), story.seed)
        goal = ">= 99%" if name == "gru" else ""
        story.score(name, right(learner, net, view(new)), 1 / len(YEARS), trivial="any year", goal=goal)
    story.picture(viz.draw(reading.loss, detail="cell", title="many to one: the year"), "year.svg")


if __name__ == "__main__":
    main()
