r"""LaTeX of Jacobians, read back: each word of each block, and products over time, against words and numbers.

The reader knows the signs (a product of letters, diag, primes, powers); what a symbol is worth comes from a
run of the step, and the slope of one from differences of its operation.
"""

from __future__ import annotations

import re
from math import prod
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.execute.arrays import NumpyArrays
from tinygraph.graph.tape import cone
from tinygraph.symbolic.running import leaf_values, run_tape
from tinygraph.symbolic.word_formulas import Names
from tinygraph.symbolic.words import NoWordsError, StepWords, act

XP = NumpyArrays(np.float64)
SMOOTH = 1e-6


def has_words(name: str) -> bool:
    try:
        tg.step_jacobian(models.CELLS[name])
    except NoWordsError:
        return False
    return True


NAMED = [name for name in models.CELLS if has_words(name)]


def split(text: str, mark: str) -> list[str]:
    r"""The parts of a text between marks that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for found in re.finditer(r"\\left|\\right|\\langle|\\rangle|[{}()\[\]]|" + re.escape(mark), text):
        token = found[0]
        if token == mark and depth == 0:
            parts.append(text[start : found.start()])
            start = found.end()
        elif token in "{([" or token == r"\langle":
            depth += 1
        elif token in "})]" or token == r"\rangle":
            depth -= 1
    return [*parts, text[start:]]


def words_in(text: str) -> list[tuple[float, list[str]]]:
    """The words of a sum, each with its coefficient and its letters."""
    if text == "0":
        return []
    found = []
    for number, plus in enumerate(split(text, " + ")):
        for place, word in enumerate(split(plus, " - ")):
            sign = -1.0 if place else 1.0
            if number == 0 and place == 0 and word.startswith("-"):
                sign, word = -1.0, word[1:]
            letters = split(word, r" \, ")
            ratio = re.fullmatch(r"\\tfrac\{(\d+)\}\{(\d+)\}|(\d+)", letters[0])
            if ratio:
                sign *= float(ratio[3]) if ratio[3] else int(ratio[1]) / int(ratio[2])
                letters = letters[1:]
            found.append((sign, [letter for letter in letters if letter != "I"]))
    return found


class Symbols:
    """What symbols are worth in a run of a step."""

    def __init__(self, step: StepWords, values: dict[int, Any]) -> None:
        names = Names(step)
        self.values = values
        self.nodes: dict[str, Any] = {}
        for node in cone(step.roots):
            text = names.of(node)
            known = self.nodes.setdefault(text, node)
            assert np.array_equal(values[known.id], values[node.id]), f"two values are called {text}"

    def value(self, text: str) -> Any:
        """One factor of a diagonal: a symbol, its slope, a function of it, or a power of these."""
        if text in self.nodes:
            return XP.real(self.values[self.nodes[text].id])
        power = re.fullmatch(r"(.*)\^\{(-?\d+)\}", text)
        if power:
            return self.value(bare(power[1])) ** float(power[2])
        if text.endswith(r"\right)'"):
            return self.slope(bare(text[:-1]))
        if "'" in text:
            return self.slope(text.replace("'", "", 1))
        above = re.fullmatch(r"\\mathbf\{1\}\[(.*) > 0\]", text)
        if above:
            return (self.value(above[1] if above[1] in self.nodes else bare(above[1])) > 0).astype(float)
        name, inside = re.fullmatch(r"\\(sigma|cos|sin|exp|tanh)\((.*)\)", text).groups()
        function = {"sigma": lambda x: 1 / (1 + np.exp(-x))}.get(name) or getattr(np, name)
        return function(self.value(inside))

    def slope(self, text: str) -> Any:
        node = self.nodes[text if text in self.nodes else rf"\left({text}\right)"]
        (arg,) = node.args
        x = self.values[arg.id]
        ends = [node.op.run(XP, node, x + move) for move in (SMOOTH, -SMOOTH)]
        return (ends[0] - ends[1]) / (2 * SMOOTH)

    def letter(self, text: str, right: np.ndarray) -> np.ndarray:
        """A letter times what stands on its right."""
        diagonal = re.fullmatch(r"\\operatorname\{diag\}\((.*)\)", text)
        factors = split(diagonal[1] if diagonal else text, r" \odot ")
        if text.startswith(r"\mathbf{1}") and "[" not in text:
            return np.sum(right, axis=0, keepdims=True) if text.endswith("top}") else np.ones(()) * right
        plain = text.removesuffix(r"^{\top}")
        if not diagonal and plain in self.nodes and self.nodes[plain].ndim == 2:
            matrix = self.values[self.nodes[plain].id]
            return (matrix if plain == text else matrix.T) @ right
        value = prod((self.value(factor) for factor in factors), start=np.ones(()))
        return value[..., None] * right if np.ndim(value) else value * right

    def matrix(self, letters: list[str], size: int) -> np.ndarray:
        right = np.eye(size)
        for letter in reversed(letters):
            right = self.letter(letter, right)
        return right


def bare(text: str) -> str:
    return text.removeprefix(r"\left(").removesuffix(r"\right)")


def a_run(step: StepWords, fed: dict[int, Any] | None = None) -> dict[int, Any]:
    rng = np.random.default_rng(3)
    leaves = leaf_values(step.roots, lambda node: rng.normal(size=node.shape), rng)
    return run_tape(XP, step.roots, leaves | (fed or {}))


MOST_EXPANDED = 30  # compact words that are multiplied out and read: those of two steps of a GRU are 25


def readable(name: str) -> bool:
    r"""Whether the words of a cell have no letter that the reader does not know."""
    text = tg.step_jacobian(models.CELLS[name]).latex
    return not any(mark in text for mark in ("E_{", r"\langle", r"\partial_", r"\mathbf{1} "))


def sides(latex: str) -> list[str]:
    return [line.split(" &= ")[1].removesuffix(r" \\") for line in latex.split("\n")[1:-1]]


@pytest.mark.parametrize("form", ["latex", "expanded"])
@pytest.mark.parametrize("steps", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMED)
def test_every_word_is_what_the_latex_says(name, steps, form):
    if not readable(name):
        pytest.skip("has a letter that the reader does not know")
    if len(models.CELLS[name].parameters) > 12 and steps > 1:
        pytest.skip("has thousands of words")
    cell = models.CELLS[name]
    if form == "expanded" and sum(tg.step_jacobian(cell).words.count(steps).values()) > MOST_EXPANDED:
        pytest.skip("has thousands of words")
    written = tg.step_jacobian(cell, steps, sizes=dict.fromkeys(cell.sizes, 3))
    step, values = written.words, a_run(written.words)
    blocks = step.compact if form == "latex" else step.expanded
    at = Symbols(step, values)
    for text, ((new, old), words) in zip(sides(getattr(written, form)), blocks.items(), strict=True):
        read = words_in(text)
        assert len(read) == len(words)
        rows, columns = (prod(step.net.series[state].last.shape) for state in (new, old))
        for (coefficient, letters), (word, expected) in zip(read, words.items(), strict=True):
            assert coefficient == pytest.approx(float(expected), abs=1e-15)
            matrix = act({word: 1}, values, XP, np.eye(columns), rows)
            np.testing.assert_allclose(at.matrix(letters, columns), matrix, atol=1e-7, err_msg=str(letters))


def blocks_of(side: str, states: int) -> list[list[str]]:
    if states == 1:
        return [[side]]
    inside = side.removeprefix(r"\begin{pmatrix} ").removesuffix(r" \end{pmatrix}")
    return [row.split(" & ") for row in inside.split(r" \\ ")]


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", NAMED)
def test_a_product_over_time_is_the_jacobian_of_its_steps(name, steps):
    """The factors as they are written, multiplied from left to right, against differences of the whole way."""
    if not readable(name):
        pytest.skip("has a letter that the reader does not know")
    cell = models.CELLS[name]
    written = tg.step_jacobian(cell, steps, sizes=dict.fromkeys(cell.sizes, 3))
    lines = sides(written.product)
    head, _, body = lines[0].partition("} ")
    assert head == rf"\prod_{{j=0}}^{{{steps - 1}"
    body = lines[1] if len(lines) > 1 else bare(body.replace("t-j", "t"))
    step, states = written.step, list(cell.states)
    rng = np.random.default_rng(5)
    start = {s: rng.normal(size=step.net.series[s][0].shape) for s in states}
    inputs = [{n: rng.normal(size=step.net.series[n][1].shape) for n in cell.inputs} for _ in range(steps)]

    def run(state: dict[str, Any], s: int) -> tuple[dict[str, Any], dict[int, Any]]:
        fed = {step.net.series[name][0].id: value for name, value in state.items()}
        real = [n for n in cell.inputs if step.net.series[n][1].kind == "real"]
        values = a_run(step, fed | {step.net.series[n][1].id: inputs[s][n] for n in real})
        return {name: values[step.net.series[name].last.id] for name in states}, values

    def whole(flat: np.ndarray) -> np.ndarray:
        state, place = {}, 0
        for name, value in start.items():
            state[name] = flat[place : place + value.size].reshape(value.shape)
            place += value.size
        for s in range(steps):
            state, _ = run(state, s)
        return np.concatenate([np.ravel(state[name]) for name in states])

    factors, state = [], start
    for s in range(steps):
        state, values = run(state, s)
        at = Symbols(step, values)
        factors.append(np.block([
            [sum((c * at.matrix(word, start[old].size) for c, word in words_in(text)),
                 start=np.zeros((start[new].size, start[old].size))) for text, old in zip(row, states, strict=True)]
            for row, new in zip(blocks_of(body, len(states)), states, strict=True)
        ]))  # fmt: skip
    flat = np.concatenate([np.ravel(value) for value in start.values()])
    expected = [(whole(flat + 1e-5 * unit) - whole(flat - 1e-5 * unit)) / 2e-5 for unit in np.eye(flat.size)]
    product = np.eye(flat.size)
    for j in range(steps):
        product = product @ factors[steps - 1 - j]
    np.testing.assert_allclose(product, np.array(expected).T, atol=1e-6)


def test_any_number_of_steps_is_a_product():
    left = r"\frac{\partial h_{t}}{\partial h_{t-k}} &= "
    assert left + r"\prod_{j=0}^{k-1} \operatorname{diag}(h'_{t-j}) \, U" in tg.step_jacobian(models.elman, None).latex
    assert r"\prod_{j=0}^{999}" in tg.step_jacobian(models.lstm, 1000).latex
    assert "J_{t} &= \\begin{pmatrix}" in tg.step_jacobian(models.lstm, None).latex


def test_notation_and_letters_that_are_taken():
    written = tg.step_jacobian(models.elman, None, notation={"U": "W_{hh}", "h": "s", "b": "k"})
    expected = r"\frac{\partial s_{t}}{\partial s_{t-j}} &= \prod_{l=0}^{j-1} \operatorname{diag}(s'_{t-l}) \, W_{hh}"
    assert expected in written.latex


def test_refusals():
    with pytest.raises(tg.errors.UsageError, match="at least one step"):
        tg.step_jacobian(models.elman, 0)
    with pytest.raises(tg.errors.UnknownNameError, match="did you mean 'U'"):
        tg.step_jacobian(models.elman, notation={"UU": "V"})
    with pytest.raises(tg.errors.UsageError, match="too many"):
        tg.step_jacobian(models.elman, 4).expanded  # noqa: B018
    with pytest.raises(tg.errors.UsageError, match="takes a cell"):
        tg.step_jacobian("elman")


# What must fail
@pytest.mark.parametrize(
    ("right", "wrong"),
    [(r"U_{z} +", r"U_{r} +"), ("h_{t-1}", "h_{t}"), (" - ", " + "), (r"z'_{t}", r"z_{t}"), (r" \, U \, ", r" \, ")],
)
def test_a_wrong_letter_is_read_as_wrong(right, wrong):
    written = tg.step_jacobian(models.gru, sizes={"I": 3, "H": 3})
    values = a_run(written.words)
    at = Symbols(written.words, values)
    (text,) = sides(written.latex)
    assert right in text
    read, other = (sum(c * at.matrix(w, 3) for c, w in words_in(t)) for t in (text, text.replace(right, wrong, 1)))
    assert np.abs(read - other).max() > 1e-3
