"""The sequences and trees that examples generate, each against an independent reading of it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import pairwise, product
from math import log2

import numpy as np
import pytest
from forests import ONE, VALUE, plant
from helpers.examples import load_example

from tinygraph import models

RNG = np.random.default_rng


def test_counting_gives_chances_that_sum_to_one_and_their_mean_bits():
    example = load_example("06_character_model")
    learn, test = RNG(0).integers(0, 3, 40), RNG(1).integers(0, 3, 20)
    triples, pairs = Counter(zip(learn, learn[1:], learn[2:], strict=False)), Counter(pairwise(learn[:-1]))

    def chance(a, b, c):
        return (triples[a, b, c] + 1) / (pairs[a, b] + 3)

    assert all(sum(chance(a, b, c) for c in range(3)) == pytest.approx(1) for a, b in product(range(3), repeat=2))
    bits = [-log2(chance(a, b, c)) for a, b, c in zip(test, test[1:], test[2:], strict=False)]
    assert example.bits_by_counting(learn, test, 3) == pytest.approx(np.mean(bits))


def test_two_numbers_are_marked_one_in_each_half_and_added():
    example = load_example("08_adding")
    fed = example.draw(50, RNG(0))
    for numbers, y in zip(fed["x"].swapaxes(0, 1), fed["y"][0, :, 0], strict=True):
        marked = [t for t, (_, mark) in enumerate(numbers) if mark]
        assert [t < example.LENGTH / 2 for t in marked] == [True, False]
        assert sum(numbers[t, 0] for t in marked) == pytest.approx(y)


def test_parity_is_that_of_the_ones_so_far():
    fed = load_example("09_parity").draw(12, 30, RNG(0))
    for bits, tags in zip(fed["x"][:, :, 0].T.tolist(), fed["y"].T.tolist(), strict=True):
        assert tags == [bits[: t + 1].count(1) % 2 for t in range(12)]


def test_strings_have_as_many_b_as_a_and_their_targets_follow():
    example = load_example("10_brackets")
    fed = example.strings(range(1, 8))
    for n, (x, y, asked) in enumerate(zip(*(fed[name].swapaxes(0, 1) for name in ("x", "y", "asked")), strict=True), 1):
        said = "".join("ab"[i] for i in x[: 2 * n].argmax(-1))
        assert re.fullmatch("a+b+", said)
        assert said.count("a") == said.count("b") == n
        assert "".join("ab."[i] for i in y[: 2 * n]) == said[1:] + "."
        assert np.flatnonzero(asked).tolist() == [t for t, symbol in enumerate(said) if symbol == "b"]


def test_the_year_is_what_follows_in():
    example = load_example("11_year_in_a_sentence")
    parts, seen = RNG(0).integers(0, len(example.PARTS), 200), Counter()
    fed = example.draw(parts, RNG(1))
    for b in range(len(parts)):
        words = [example.WORDS[i] for i in fed["x"][fed["mask"][:, b], b].argmax(-1)]
        (year,) = re.findall(r"\bin (\d{4})\b", " ".join(words))
        assert example.YEARS[fed["y"][0, b]] == year
        seen["front" if words[0] == "in" else "end" if words[-2] == "in" else "middle"] += 1
    assert set(seen) == set(example.PLACES)


class Parser:
    """The grammar of the example read from the words: it consumes a noun phrase, and collects the verbs' numbers."""

    def __init__(self, words: list[str]) -> None:
        self.words, self.numbers = words, dict[int, bool]()
        self.at = 0
        plural = self.noun_phrase()
        self.verb(plural)
        assert self.words[self.at :] == ["."]

    def take(self, wanted: str) -> str:
        word = self.words[self.at]
        assert re.fullmatch(wanted, word), (wanted, word)
        self.at += 1
        return word

    def noun_phrase(self) -> bool:
        self.take("the")
        if self.words[self.at] in ("old", "small"):
            self.at += 1
        plural = bool(re.search("(s|men|children)$", self.take(r"\w+")))
        if self.words[self.at] == "near":
            self.at += 3
        if self.words[self.at] == "that":
            self.at += 1
            if self.words[self.at] == "the":
                self.verb(self.noun_phrase())
            else:
                self.verb(plural)
                self.noun_phrase()
        return plural

    def verb(self, plural: bool) -> None:
        self.numbers[self.at] = plural
        self.take("(see|hear|like|follow|call)" if plural else "(sees|hears|likes|follows|calls)")


def test_verbs_agree_with_their_subjects():
    example = load_example("12_agreement")
    chosen = example.sentences(RNG(0).integers(0, 4, 200), RNG(1))
    fed = example.feeds(chosen, max(map(len, chosen)))
    nearest = example.nearest_noun(chosen)
    nouns = re.compile("|".join(map("^{}$".format, example.NOUNS + example.PLURALS)))
    for b, words in enumerate(chosen):
        numbers = Parser(words).numbers
        assert {t + 1: bool(fed["y"][t, b]) for t in np.flatnonzero(fed["asked"][:, b])} == numbers
        for t in numbers:
            last = [word for word in words[:t] if nouns.match(word)][-1]
            assert nearest[t - 1, b] == (last in example.PLURALS)
    for wrong in (
        "the dog that the cats sees runs .",
        "the dog that the cats see hear .",
        "the dogs that sees the cat see .",
    ):
        with pytest.raises(AssertionError):
            Parser(wrong.split())


def test_feelings_follow_the_words():
    example = load_example("13_sentiment_with_negation")
    english = example.ENGLISH
    feelings = {word: value - 2 for word, value in english.values.items()}

    def felt(words: list[str]) -> int:
        """Of one clause, or of two, by plain numbers from -2 to 2."""
        for sign in ("but", "and"):
            if sign in words:
                first, second = felt(words[: words.index(sign)]), felt(words[words.index(sign) + 1 :])
                return second if sign == "but" else max(-2, min(2, first + second))
        if len(words) == 1:
            return feelings[words[0]]
        rest, strength = felt(words[1:]), {"not": -1, "never": -2, "very": 2, "fairly": 1}[words[0]]
        return 0 if rest == 0 else strength if rest > 0 else -strength

    forest = plant(english, models.recursive, example.SHAPES, 1)
    words = forest.draw(20, RNG(0))
    answers = forest.answers(words)[1].ravel()
    sentences = [[english.words[i] for i in sentence] for sentence in example.sentences(forest, words)]
    assert [felt(sentence) + 2 for sentence in sentences] == answers.tolist()
    bags = example.in_a_bag(example.sentences(forest, words))["x"][0]
    assert [dict(Counter(sentence)) for sentence in sentences] == [
        {word: int(n) for word, n in zip(english.words, bag, strict=True) if n} for bag in bags
    ]


def test_a_tag_says_whether_the_letter_comes_again():
    example = load_example("14_tagging_needs_the_future")
    fed = example.draw(40, RNG(0))
    for letters, tags in zip(fed["x"].argmax(-1).T.tolist(), fed["y"].T.tolist(), strict=True):
        assert tags == [int(letter in letters[t + 1 :]) for t, letter in enumerate(letters)]
    for left in range(4):  # all that can follow, counted
        again = np.mean([0 in later for later in product(range(example.LETTERS), repeat=left)])
        assert example.best_one_way()[example.LENGTH - 1 - left] == pytest.approx(max(again, 1 - again))


def test_mackey_glass_obeys_its_equation():
    example = load_example("15_time_series")
    x = example.mackey_glass(400, RNG(0), every=0.1)
    late, now = x[:-171], x[170:-1]  # 17 units are 170 steps
    slope = (x[171:] - x[169:-2]) / 0.2
    right = 0.2 * late / (1 + late**10) - 0.1 * now
    assert np.abs(slope - right).max() < 0.1 * np.abs(right).max()
    np.testing.assert_array_equal(
        example.mackey_glass(6, RNG(0), every=6), example.mackey_glass(400, RNG(0), every=6)[:6]
    )


def test_a_window_is_followed_by_the_change_to_the_next_value():
    series = RNG(0).standard_normal(9)
    fed = load_example("15_time_series").windows(series, 4)
    for b in range(5):
        np.testing.assert_array_equal(fed["x"][:, b, 0], series[b : b + 4])
        assert fed["y"][0, b, 0] == series[b + 4] - series[b + 3]


def spelled(tree, words) -> str:
    """An expression in Python's own signs; xor is `!=`."""
    if tree == VALUE:
        return next(words)
    if tree[0] == ONE:
        return f"({next(words)} {spelled(tree[1], words)})"
    left, sign = spelled(tree[0], words), next(words)
    return f"({left} {sign} {spelled(tree[1][1], words)})"


def value(node: ast.expr) -> int:
    """What Python's grammar and arithmetic make of it."""
    match node:
        case ast.Constant(value=number):
            return int(number)
        case ast.UnaryOp(op=ast.Not(), operand=a):
            return int(not value(a))
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return -value(a)
        case ast.BoolOp(op=sign, values=[a, b]):
            return value(a) and value(b) if isinstance(sign, ast.And) else value(a) or value(b)
        case ast.Compare(left=a, ops=[ast.NotEq()], comparators=[b]):
            return int(value(a) != value(b))
        case ast.BinOp(left=a, op=sign, right=b):
            return value(a) + value(b) if isinstance(sign, ast.Add) else value(a) * value(b)
    raise AssertionError(ast.dump(node))


@pytest.mark.parametrize("name", ["LOGIC", "DIGITS"])
def test_trees_mean_what_python_makes_of_them(name):
    example = load_example("21_logic_trees")
    language = getattr(example, name)
    python = {"false": "False", "true": "True", "xor": "!="}
    forest = plant(language, models.recursive, [example.grow(depth, RNG(depth)) for depth in range(6)], 2)
    words = forest.draw(10, RNG(0))
    answers = forest.answers(words)[1]
    for b, column in enumerate(words.T):
        text = iter([python.get(word, word) for word in (language.words[i] for i in column)])
        found = [value(ast.parse(spelled(tree, text), mode="eval").body) % language.meanings for tree in forest.trees]
        assert found == answers[:, b].tolist()


def test_every_phrase_that_means_something_is_asked_about():
    forest = plant(load_example("21_logic_trees").LOGIC, models.recursive, [(ONE, (VALUE, ("two", VALUE)))], 2)
    (phrases,), (whole,) = [forest.answers(np.array([[2], [1], [3], [0]]))[i].T for i in (0, 1)]  # not (true and false)
    assert phrases.tolist() == [1, 0, 0, 1]
    assert whole.tolist() == [1]
    assert len(forest.scores) == 4
    assert forest.roots == [forest.scores.last]
