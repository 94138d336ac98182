"""The data that examples generate, each against an independent reading of it."""

from __future__ import annotations

import ast
from datetime import date, datetime

import numpy as np
import pytest
from digits import Digits
from helpers.examples import load_example
from pairs import Pupil, alphabet, commonest, in_batches
from programs import program

DIGITS = Digits(np.random.default_rng(0).random((20, 8, 8)), np.zeros(20, dtype=int))  # of noise: no library is needed


def executed(text: str) -> str:
    """What a program prints, by walking its syntax tree with Python's own arithmetic."""
    variables: dict[str, int] = {}
    printed = []

    def value(node: ast.expr) -> int:
        match node:
            case ast.Constant(value=int(number)):
                return number
            case ast.Name(id=name):
                return variables[name]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return value(left) + value(right)
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return value(left) - value(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return value(left) * value(right)
            case ast.IfExp(test=ast.Compare(left=a, ops=[ast.Lt()], comparators=[b]), body=body, orelse=other):
                return value(body) if value(a) < value(b) else value(other)
        raise AssertionError(ast.dump(node))

    def run(lines: list[ast.stmt]) -> None:
        for line in lines:
            match line:
                case ast.Assign(targets=[ast.Name(id=name)], value=right):
                    variables[name] = value(right)
                case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=right):
                    variables[name] += value(right)
                case ast.For(iter=ast.Call(args=[rounds]), body=body):
                    for _ in range(value(rounds)):
                        run(body)
                case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[shown])):
                    printed.append(str(value(shown)))
                case _:
                    raise AssertionError(ast.dump(line))

    run(ast.parse(text).body)
    (answer,) = printed
    return answer


def operations(text: str) -> int:
    nodes = list(ast.walk(ast.parse(text)))
    return sum(isinstance(node, (ast.BinOp, ast.IfExp, ast.For)) for node in nodes)


@pytest.mark.parametrize("digits", [1, 2, 4])
@pytest.mark.parametrize("nesting", [1, 2, 3])
def test_programs_print_what_is_said_of_them(digits, nesting):
    rng, texts = np.random.default_rng(10 * digits + nesting), ""
    for _ in range(60):
        text, answer = program(digits, nesting, rng)
        assert executed(text) == answer
        assert operations(text) == nesting
        assert all(len(number) <= digits for number in "".join(c if c.isdigit() else " " for c in text).split())
        texts += text
    assert all(part in texts for part in ("+", "-", "*", " if ", "for "))
    assert set(texts) <= set(load_example("26_learning_to_execute").LETTERS.symbols)


def test_each_curriculum_ends_with_the_hardest_and_naive_begins_with_the_easiest():
    example = load_example("26_learning_to_execute")
    rng, hardest = np.random.default_rng(0), (example.DIGITS, example.NESTING)
    for name, curriculum in example.CURRICULA.items():
        found = {curriculum(0.999, rng) for _ in range(200)}
        assert hardest in found
        assert (len(found) > 1) == (name in ("mix", "combined"))
    assert example.naive(0, rng) == (1, 1)
    assert example.baseline(0, rng) == hardest


FORMATS = [
    "%d %B %Y", "%B %d, %Y", "%A, %d %B %Y", "the %d of %B, %Y", "%b %d %Y", "%a %d %b %Y", "%d.%m.%Y", "%d/%m/%Y",
    "%Y %B %d",
]  # fmt: skip


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(2004, 2, 29), date(1999, 11, 12), date(2033, 3, 3)])
def test_each_form_of_a_date_is_read_as_that_date(day):
    found = load_example("25_dates").forms(day)
    for form, way in zip(found, FORMATS, strict=True):
        plain = form
        for ending in ("th", "st", "nd", "rd"):
            for digit in "0123456789":
                plain = plain.replace(f"{digit}{ending}", digit)
        assert datetime.strptime(plain, way).date() == day


def test_dates_in_letters():
    """The ordinal of each day, as a table would have it."""
    example = load_example("25_dates")
    ends = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
    for d in range(1, 32):
        assert f"the {d}{ends.get(d, 'th')} of January, 2000" in example.forms(date(2000, 1, d))
    assert example.FIRST.toordinal() + example.DAYS - 1 == date(2099, 12, 31).toordinal()


def test_captions():
    caption = load_example("19_captions").caption
    assert " ".join(caption(3, 8)) == "a three and an eight"
    assert " ".join(caption(8, 0)) == "an eight and a zero"
    assert " ".join(caption(6, 6)) == "two sixes"


def test_films_show_the_movement_of_their_labels():
    """By the centre of the ink from frame to frame, which moves as the digit does."""
    example = load_example("20_moving_image")
    frames, labels = example.films(DIGITS, np.random.default_rng(0))
    pictures = frames.reshape(*labels.shape, example.FIELD, example.FIELD)
    ink, places = pictures.sum(axis=(2, 3)), np.arange(example.FIELD)
    centre = np.stack([(pictures.sum(axis=3) @ places) / ink, (pictures.sum(axis=2) @ places) / ink], axis=-1)
    np.testing.assert_allclose(centre[1:] - centre[:-1], np.array(example.WAYS)[labels[1:] - 1], atol=1e-9)
    assert (labels[0] == 0).all()
    assert len(set(labels[1:].ravel())) == 4


def test_fields_hold_their_digit():
    made = load_example("18_digits_glimpsed").fields(DIGITS, np.random.default_rng(0))
    for field, image in zip(made, DIGITS.images, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(field, (8, 8)).reshape(-1, 8, 8)
        assert (windows == image).all(axis=(1, 2)).any()
        assert field.sum() == pytest.approx(image.sum())


def test_number_words():
    pytest.importorskip("num2words")
    spelled = load_example("24_number_words").spelled
    assert spelled([71, 80, 200], "fr") == {71: "soixante et onze", 80: "quatre-vingts", 200: "deux cents"}
    assert spelled([77], "de") == {77: "siebenundsiebzig"}


def test_batches_are_of_similar_length_and_all_that_were_asked_for():
    rng, asked = np.random.default_rng(0), []

    def draw(count, done):
        asked.append((count, done))
        return [("a" * n, "b" * n) for n in rng.integers(1, 60, count)]

    batches = list(in_batches(draw, updates=40, size=8, rng=rng))
    assert [len(batch) for batch in batches] == [8] * 40
    assert [done for _, done in asked] == [0, 0.4, 0.8]
    spread = [max(len(a) for a, _ in batch) - min(len(a) for a, _ in batch) for batch in batches]
    assert max(spread) < 30


def test_a_pupil_learns_and_answers():
    """To say a letter in the other case: all right after a moment, and all answers in the order of the questions."""
    rng = np.random.default_rng(0)
    some = ["".join(rng.choice(list("abc"), n)) for n in (1, 3, 2, 3, 1, 2)] * 6
    pairs = [(text, text.upper()) for text in some]
    pupil = Pupil(alphabet(some), alphabet(["ABC"]), updates=60, rate=0.02, hidden=16, attention="dot", attend="last")
    assert not pupil.right(pairs).all()
    for _ in range(60):
        pupil.learn(pairs)
    assert pupil.answers(some, longest=5) == [text.upper() for text in some]
    assert pupil.right(pairs).all()
    assert not pupil.right([("abc", "ABCA")]).any()
    assert pupil.looks(("ab", "AB")).shape == (3, 2)
    assert commonest([("x", "A"), ("y", "A"), ("z", "B"), ("a", "C")]) == 0.5
