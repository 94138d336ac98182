"""Layer M: counts, normal forms, the `words` column of every row against differences, and wrong formulas told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from helpers.cases import Case, build, cases, draw, smooth_rows
from helpers.zoo import FLAT, SELECTING

import tinygraph as tg
from tinygraph import models
from tinygraph.cells import Input, Param, State, cell
from tinygraph.execute.arrays import NumpyArrays
from tinygraph.graph import Node
from tinygraph.graph.letters import Atom, Diagonal, Matrix, compose, letter, normal, total
from tinygraph.graph.tape import cone
from tinygraph.symbolic.running import leaf_values, run_tape
from tinygraph.symbolic.word_formulas import block_latex, words_latex
from tinygraph.symbolic.words import (
    NoWordsError,
    act,
    expand,
    local_words,
    net_of_steps,
    step_words,
    value_polynomials,
    words_of,
)

# Counts
PEEPHOLE = {("h", "h"): 7, ("h", "c"): 6, ("c", "h"): 3, ("c", "c"): 3}
COUNTS = {
    "elman": {("h", "h"): 1},
    "elman_step": {("h", "h"): 0},  # a derivative of zero
    "lstm": {("h", "h"): 4, ("h", "c"): 1, ("c", "h"): 3, ("c", "c"): 1},
    "lstm_peephole": PEEPHOLE,
    "lstm_peephole_full": PEEPHOLE,
    "gru": {("h", "h"): 5},
    "gru_new": {("h", "h"): 5},
    "gru_reset_after": {("h", "h"): 5},
    "mut1": {("h", "h"): 3},
    "mut2": {("h", "h"): 5},
    "mut3": {("h", "h"): 5},
    "highway": {("h", "h"): 4},
    "rntn": {("l", "l"): 3},  # twice through the tensor
}


@pytest.mark.parametrize("name", COUNTS)
def test_compact_words_per_block(name):
    assert step_words(models.CELLS[name]).count() == COUNTS[name]


def test_the_words_of_a_product_are_counted_without_expanding():
    counted = step_words(models.lstm)
    assert [counted.count(t)["h", "h"] for t in range(1, 6)] == [4, 19, 91, 436, 2089]
    assert counted.count(1000)["c", "c"] > 10**600


def paths(start: Node, end: Node) -> int:
    """The number of paths on the tape."""
    found = {start.id: 1}
    for node in cone([end]):
        if node.id != start.id:
            found[node.id] = sum(found[arg.id] for arg in node.args)
    return found[end.id]


@pytest.mark.parametrize("name", [name for name in COUNTS if name not in FLAT])
def test_the_count_is_that_of_the_paths_in_the_graph(name):
    counted = step_words(models.CELLS[name])
    for steps in (1, 2, 5):
        net = net_of_steps(models.CELLS[name], steps, dict.fromkeys(counted.net.cell.sizes, 2))
        for (new, old), count in counted.count(steps).items():
            assert count == paths(net.series[old][0], net.series[new].last)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", COUNTS)
def test_products_are_written_in_full_up_to_three_steps(name, steps):
    written = step_words(models.CELLS[name], steps)
    assert {b: len(w) for b, w in written.compact.items()} == step_words(models.CELLS[name]).count(steps)


def test_longer_products_are_refused():
    with pytest.raises(tg.errors.UsageError, match="too many"):
        step_words(models.elman, 4)


# Every cell against differences
@pytest.mark.parametrize("form", ["compact", "expanded"])
@pytest.mark.parametrize("name", models.CELLS)
def test_the_words_of_a_cell_are_its_jacobian(name, form):
    step = step_words(models.CELLS[name], sizes=dict.fromkeys(models.CELLS[name].sizes, 3))
    xp, rng = NumpyArrays(np.float64), np.random.default_rng(1)
    fed = leaf_values(step.roots, lambda node: rng.normal(size=node.shape), rng)
    values = run_tape(xp, step.roots, fed)
    for (new, old), words in getattr(step, form).items():
        end, start = step.net.series[new].last, step.net.series[old][0]

        def run(x: np.ndarray, start: Node = start, end: Node = end) -> np.ndarray:
            return run_tape(xp, step.roots, {**fed, start.id: x})[end.id]

        found = act(words, values, xp, np.eye(prod(start.shape)), prod(end.shape))
        np.testing.assert_allclose(found, differences(run, fed[start.id]), atol=1e-8)


def differences(run: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The Jacobian by central differences, entries in reading order."""
    columns = []
    for unit in np.eye(x.size):
        move = step * unit.reshape(x.shape)
        columns.append(np.ravel(run(x + move) - run(x - move)) / (2 * step))
    return np.array(columns).T.reshape(-1, x.size)


# Every row against differences
def of_vectors(case: Case) -> list[int]:
    """The real operands whose Jacobian is a matrix: vector or scalar, with a result that is one too."""
    result = build(case)[1]
    small = result.ndim <= 1 and prod(result.shape) > 0
    return [i for i in case.real if small and len(case.shapes[i]) <= 1 and prod(case.shapes[i]) > 0]


def unbatched(name: str) -> list[Case]:
    return [c for c in cases(tg.OPS[name]) if not any(c.batched) and of_vectors(c)]


def check_words(case: Case, op: tg.Op) -> None:
    """The words of a row against differences, for each operand."""
    operands, result = build(replace(case, op=op))
    xp = NumpyArrays(np.float64)
    given = dict(zip([o.id for o in operands], draw(case, np.random.default_rng(2)), strict=True))
    values = run_tape(xp, [result], given)
    for i in of_vectors(case):
        right = np.eye(prod(case.shapes[i]))
        found = act(local_words(result, i), values, xp, right, prod(result.shape))

        def run(x: np.ndarray, i: int = i) -> np.ndarray:
            return run_tape(xp, [result], {**given, operands[i].id: x})[result.id]

        expected = differences(run, given[operands[i].id]).reshape(found.shape)
        np.testing.assert_allclose(found, expected, atol=1e-7, err_msg=str(case))


ROWS = [name for name in smooth_rows() if tg.OPS[name].words]


@pytest.mark.parametrize("name", ROWS)
def test_the_words_of_a_row_are_its_local_jacobian(name):
    assert unbatched(name)
    for case in unbatched(name):
        check_words(case, case.op)


@pytest.mark.parametrize("name", ROWS)
def test_wrong_words_of_a_row_are_found(name):
    """The words of another sign; a case without derivative cannot tell."""
    op = tg.OPS[name]
    wrong = replace(op, words=_negated(op.words))
    assert any(_objects(case, wrong) for case in unbatched(name))


def _negated(words):
    if callable(words):
        return lambda *given: _minus(words(*given))
    return tuple(rule and (lambda *given, rule=rule: _minus(rule(*given))) for rule in words)


def _minus(found):
    return {word: -c for word, c in found.items()} if hasattr(found, "keys") else -found


def _objects(case: Case, op: tg.Op) -> bool:
    try:
        check_words(case, op)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("name", tg.OPS)
def test_every_differentiable_row_has_words_or_a_reason(name):
    op = tg.OPS[name]
    assert bool(op.words) + bool(op.why_no_words) == op.differentiable


# The normal form
def test_one_function_written_in_two_ways_has_one_expanded_form():
    g = tg.Graph()
    h, U = g.input("h", (2,)), g.parameter("U", (2, 2))
    z, c = tg.sigmoid(U @ h), tg.tanh(h)
    written = [z * h + (1 - z) * c, c + z * (h - c)]
    compact = words_of(written, h)
    expanded = [expand(words, value_polynomials(written)) for words in compact]
    assert compact[0] != compact[1]
    assert expanded[0] == expanded[1] != {}


def entries(node: Node, how: str = "") -> Diagonal:
    """The diagonal of a node's value, or of its slope."""
    return Diagonal(((Atom(node, how), 1),))


def test_wrong_formulas_are_told_apart():
    """A dropped term, a transpose, another order and another sign, each against the right formula."""
    g = tg.Graph()
    h, U, b = g.input("h", (2,)), g.parameter("U", (2, 2)), g.parameter("b", (2,))
    y = tg.tanh(U @ h + b * h)
    (right,) = [expand(w, value_polynomials([y])) for w in words_of([y], h)]
    slope, W = entries(y, "'0"), Matrix(U)
    first, second = (slope, W), normal((slope, entries(b)))
    wrong = {
        "dropped": {first: 1},
        "transposed": {(slope, Matrix(U, True)): 1, second: 1},
        "order": {(W, slope): 1, second: 1},
        "sign": {first: 1, second: -1},
    }
    assert expand({first: 1, second: 1}, value_polynomials([y])) == right
    for name, words in wrong.items():
        assert expand(words, value_polynomials([y])) != right, name


def test_what_cancels_is_gone_and_scalars_go_to_the_front():
    g = tg.Graph()
    v, s, U = g.input("v", (2,)), g.input("s"), g.parameter("U", (2, 2))
    vector, scalar, W = letter(entries(v)), letter(entries(s)), letter(Matrix(U))
    assert compose(W, scalar) == compose(scalar, W)
    assert compose(W, vector) != compose(vector, W)
    assert total(compose(W, vector), compose({(): -1}, W, vector)) == {}


def test_a_transposed_parameter_is_the_letter_of_the_parameter():
    g = tg.Graph()
    h, U = g.input("h", (2,)), g.parameter("U", (2, 2))
    assert words_of([U.T @ h, h @ U, h @ U.T, U @ h], h) == [{(Matrix(U, t),): 1} for t in (True, True, False, False)]


# Where there are none
def test_a_matrix_that_depends_on_the_state_has_no_words():
    g = tg.Graph()
    h = g.input("h", (2,))
    with pytest.raises(NoWordsError, match="rank 2"):
        words_of([tg.outer(h, h) @ h], h)


def test_a_row_without_words_says_so():
    g = tg.Graph()
    h = g.input("h", (2,))
    with pytest.raises(NoWordsError, match="logsumexp has no matrix words"):
        words_of([tg.logsumexp(h)], h)


# LaTeX
@cell
def selecting(h: State["H"], A: Param["H H H"]):
    """Entries taken with and without gaps, and a bilinear form."""
    return tg.bilinear(h, A, h) * tg.sum(h[::2]) * tg.sum(h[1:3])


def test_selections_and_contractions_that_differ_are_written_differently():
    latex = words_latex(step_words(selecting, sizes={"H": 5}))
    for sign in ("E_{[0,2,4]}", "E_{[1:3]}", r"\langle A, h_{t-1} \rangle_{2}", r"\langle A, h_{t-1} \rangle_{3}"):
        assert sign in latex


def test_the_words_of_an_elman_step():
    step = step_words(models.elman)
    left = r"\frac{\partial h_{t}}{\partial h_{t-1}} = "
    assert block_latex(step, ("h", "h")) == left + r"\operatorname{diag}(h'_{t}) \, U"
    assert block_latex(step, ("h", "h"), expanded=True) == left + r"-\operatorname{diag}(h_{t}^{2}) \, U + U"


def test_the_gate_of_a_gru_is_one_letter():
    assert r"\left(1 - z_{t}\right)" in block_latex(step_words(models.gru), ("h", "h"))


@pytest.mark.parametrize("name", [name for name in models.CELLS if name not in SELECTING])
def test_the_words_are_those_of_any_size(name):
    made = models.CELLS[name]
    written = {words_latex(step_words(made, sizes=dict.fromkeys(made.sizes, n))) for n in (2, 3, 5)}
    assert len(written) == 1
    assert written.pop().count("&=") == len(made.states) ** 2


def test_three_steps_are_written_as_a_product():
    latex = words_latex(step_words(models.elman, 3))
    assert latex.count("U") == 3
    assert "h'_{t-2}" in latex


def test_an_unknown_block_is_an_error():
    with pytest.raises(tg.errors.UnknownNameError, match="no block"):
        block_latex(step_words(models.elman), ("h", "c"))


@cell
def joined(x: Input["I"], h: State["H"], W: Param["H H+I"], U: Param["H H"]):
    """A cell of the other letters: a join, a slice, a softmax, a sum, a quotient and a bilinear form."""
    p = tg.softmax(W @ tg.concatenate([h, x]))
    gate = tg.relu(U @ h) / (2 + p)
    return gate * h[0] + tg.bilinear(h, U, p) * p


def test_a_cell_of_every_other_letter():
    step = step_words(joined, sizes={"I": 2, "H": 3})
    xp, rng = NumpyArrays(np.float64), np.random.default_rng(0)
    fed = leaf_values(step.roots, lambda node: rng.normal(size=node.shape), rng)
    start, end = step.net.h[0], step.net.h[1]
    values = run_tape(xp, step.roots, fed)
    expected = differences(lambda x: run_tape(xp, step.roots, {**fed, start.id: x})[end.id], fed[start.id])
    for words in (step.compact, step.expanded):
        np.testing.assert_allclose(act(words["h", "h"], values, xp, np.eye(3), 3), expected, atol=1e-8)
    assert "None" not in words_latex(step)
