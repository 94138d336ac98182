"""The lint of step Jacobians: right formulas pass, wrong ones are rejected, and the mistake has its name."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
import sympy
from helpers.wrong_formulas import ARRAYS, NODES, SIZE, Point, Unsupported, Wrong, right_formula, write, wrong_formulas

import tinygraph as tg
from tinygraph import models
from tinygraph.verification import word_mistakes
from tinygraph.verification.step_points import sizes_of

NAMED = 0.9  # of the single mistakes that must get their own name
QUICK = ("elman", "lstm", "gru", "gru_reset_after")  # cells of the default run; the slow one takes all
MOST = 8  # single mistakes of each other cell in the slow run


def blocks() -> Iterator[tuple[str, str, str]]:
    """All blocks of all cells for which the generator has a formula."""
    for name, made in models.CELLS.items():
        for new in made.states:
            for old in made.states:
                try:
                    if right_formula(made, new, old) is not None:
                        yield name, new, old
                except Unsupported:
                    pass


BLOCKS = [pytest.param(*block, marks=[] if block[0] in QUICK else [pytest.mark.slow]) for block in blocks()]


def judged(wrong: Wrong) -> tg.Finding:
    (finding,) = tg.lint(wrong.cell, wrong.claim, block=wrong.block)
    return finding


def share_of_true_names(formulas: list[Wrong]) -> float:
    """Of the single mistakes; every formula, single or not, is rejected."""
    true = []
    for wrong in formulas:
        finding = judged(wrong)
        assert not finding.ok, f"passes: {wrong}"
        assert finding.mistake is not None
        if wrong.single:
            true.append(finding.mistake.kind in wrong.kinds[0])
    return sum(true) / len(true)


# Right formulas
@pytest.mark.parametrize(("name", "new", "old"), BLOCKS)
def test_the_right_formula_passes(name, new, old):
    tree = right_formula(models.CELLS[name], new, old)
    assert tg.lint(models.CELLS[name], lambda v, t: write(tree, v, t, NODES), block=(new, old)).ok
    assert tg.lint(models.CELLS[name], lambda v, t: write(tree, v, t, ARRAYS), block=(new, old), over="numpy").ok


@pytest.mark.parametrize(("name", "new", "old"), BLOCKS)
def test_the_generator_knows_the_right_formula(name, new, old):
    """Its tree, at numbers of the interpreter, is the derivative of the interpreter's values."""
    made = models.CELLS[name]
    point, tree = Point.of(made, 0), right_formula(made, new, old)
    net = tg.unroll(made, 1, initial="fed", sizes=sizes_of(made, SIZE))
    feeds = {n: point.values[n] for n in (*net.parameters, *net.contexts)}
    feeds |= {n: point.values[n][2][None] for n in made.inputs}
    feeds |= {f"{state}_0": point.values[state][1] for state in made.states}
    moved = feeds[f"{old}_0"]
    columns = []
    for unit in 1e-6 * np.eye(len(moved)):
        ahead = tg.evaluate(net.series[new][1], feeds | {f"{old}_0": moved + unit})
        columns.append((ahead - tg.evaluate(net.series[new][1], feeds | {f"{old}_0": moved - unit})) / 2e-6)
    np.testing.assert_allclose(point.value(tree), np.stack(columns, axis=1), atol=1e-7)


def test_the_generator_knows_the_few_cells():
    assert {name for name, _, _ in blocks()} >= set(QUICK)


# Wrong formulas
def sample(name: str, single: int, pairs: int) -> list[Wrong]:
    """About that many single mistakes of a cell, spread over all of them, and pairs."""
    found = list(wrong_formulas(models.CELLS[name], pairs))
    ones, twos = [w for w in found if w.single], [w for w in found if not w.single]
    return ones[:: max(-(-len(ones) // single), 1)] + twos[:: max(-(-len(twos) // pairs), 1) if pairs else 1]


def test_a_sample_of_wrong_formulas_is_rejected_and_named():
    found = [wrong for name in QUICK for wrong in sample(name, 12, 2)]
    assert len(found) >= 40
    assert share_of_true_names(found) >= NAMED


@pytest.mark.slow
def test_five_hundred_wrong_formulas(capsys):
    """Over all cells; of the few, every single mistake."""
    found = [wrong for name in QUICK for wrong in wrong_formulas(models.CELLS[name], 40)]
    found += [wrong for name in models.CELLS if name not in QUICK for wrong in sample(name, MOST, 2)]
    single = sum(wrong.single for wrong in found)
    assert len(found) >= 500
    share = share_of_true_names(found)
    with capsys.disabled():
        print(f"\n{len(found)} wrong formulas, all rejected; {share:.1%} of {single} single mistakes get their name")
    assert share >= NAMED


def test_a_lint_that_knows_no_mistake_rejects_all_the_same(monkeypatch):
    """The verdict does not hang on the catalogue."""
    monkeypatch.setattr(word_mistakes.WordMistakes, "variants", lambda self: iter(()))
    for wrong in list(wrong_formulas(models.elman, pairs=0)):
        finding = judged(wrong)
        assert not finding.ok
        assert finding.mistake.kind == "unknown"


# The same over NumPy and SymPy
def elman_claims(diag, U, h, before):
    slope = diag(1 - h * h)
    return {
        "": slope @ U,
        "transpose": slope @ U.T,
        "order": U @ slope,
        "missing factor": U,
        "sign": -1 * slope @ U,
        "time": diag(1 - before * before) @ U,
    }


@pytest.mark.parametrize("kind", ["", "transpose", "order", "missing factor", "sign", "time"])
@pytest.mark.parametrize("over", ["nodes", "numpy"])
def test_claims_over_nodes_and_arrays(over, kind):
    diag = tg.diag if over == "nodes" else np.diag
    verdict = tg.lint(models.elman, lambda v, t: elman_claims(diag, v.U, v.h[t], v.h[t - 1])[kind], over=over)
    assert verdict.ok == (not kind)
    if kind:
        assert verdict.mistake.kind == kind


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("kind", ["", "transpose", "order", "missing factor", "sign", "time"])
def test_claims_over_sympy(kind, n):
    """A matrix of the symbols that a user asks for, and a function of them."""

    class Vector:
        """A column, multiplied entry by entry."""

        def __init__(self, column):
            self.column = column

        def __mul__(self, other):
            return Vector(self.column.multiply_elementwise(other.column))

        def __rsub__(self, number):
            return Vector(sympy.ones(*self.column.shape) * number - self.column)

    def claim(v, t):
        return elman_claims(lambda x: sympy.diag(*x.column), v.U, Vector(v.h[t]), Vector(v.h[t - 1]))[kind]

    v, t = tg.symbols(models.elman, n=n)
    for verdict in (tg.lint(models.elman, claim(v, t)), tg.lint(models.elman, claim, over="sympy", n=n)):
        assert verdict.ok == (not kind)
        if kind:
            assert verdict.mistake.kind == kind


def test_sympy_claims_may_be_multiplied_out():
    v, t = tg.symbols(models.elman)
    h, U = v.h[t], v.U
    expanded = sympy.Matrix(2, 2, lambda i, j: U[i, j] - h[i] * h[i] * U[i, j])
    assert tg.lint(models.elman, expanded).ok
    assert not tg.lint(models.elman, expanded.subs(h[0], h[1])).ok


def test_a_tiny_error_is_no_rounding():
    """One in 10^12: floats agree, the field does not."""
    off = tg.lint(models.elman, lambda v, t: tg.diag(1 - v.h[t] ** 2) @ v.U * (1 + 1e-12))
    assert not off.ok


# Two mistakes, several blocks, several steps
def test_two_mistakes_are_both_named():
    def claim(v, t):
        to_z = tg.diag((v.h[t - 1] - v.c[t]) * v.z[t] * (1 - v.z[t])) @ v.U_z.T
        inside = tg.diag(v.r[t]) + tg.diag(v.h[t - 1] * v.r[t] * (1 - v.r[t])) @ v.U_r
        return to_z - tg.diag(v.z[t]) + tg.diag((1 - v.z[t]) * (1 - v.c[t] ** 2)) @ v.U @ inside

    (finding,) = tg.lint(models.gru, claim)
    assert sorted(mistake.kind for mistake in finding.mistakes) == ["sign", "transpose"]


def test_several_blocks_are_judged_each_by_itself():
    claims = {
        ("c", "c"): lambda v, t: tg.diag(v.f[t]),
        ("h", "c"): lambda v, t: tg.diag(v.o[t] * (1 - tg.tanh(v.c[t]) ** 2)),
    }
    verdict = tg.lint(models.lstm, claims)
    assert [finding.ok for finding in verdict] == [True, False]
    assert verdict.wrong[0].of == "d h[t] / d c[t-1] of lstm"
    assert verdict.mistake.text == "the factor f[t] is left out"


def test_a_state_alone_means_its_own_block():
    assert tg.lint(models.lstm, {"c": lambda v, t: tg.diag(v.f[t])}).ok


def test_the_product_of_two_steps_has_an_order():
    def product(v, *steps):
        first, second = (tg.diag(1 - v.h[s] ** 2) @ v.U for s in steps)
        return first @ second

    assert tg.lint(models.elman, lambda v, t: product(v, t, t - 1), steps=2).ok
    assert not tg.lint(models.elman, lambda v, t: product(v, t - 1, t), steps=2).ok


def test_zero_is_a_claim():
    verdict = tg.lint(models.elman, lambda v, t: 0)
    assert verdict.mistake.kind == "missing term"


def test_a_slip_inside_a_value_without_a_name():
    """gru_reset_after multiplies by U h + b_U, which a formula must write out."""

    def claim(v, t, inside):
        z, r, c = (tg.diag(gate) for gate in (v.z[t] * (1 - v.z[t]), v.r[t] * (1 - v.r[t]), 1 - v.c[t] ** 2))
        kept = tg.diag(v.z[t]) + tg.diag(v.h[t - 1] - v.c[t]) @ z @ v.U_z
        return kept + tg.diag(1 - v.z[t]) @ c @ (tg.diag(inside) @ r @ v.U_r + tg.diag(v.r[t]) @ v.U)

    assert tg.lint(models.gru_reset_after, lambda v, t: claim(v, t, v.U @ v.h[t - 1] + v.b_U)).ok
    verdict = tg.lint(models.gru_reset_after, lambda v, t: claim(v, t, v.U.T @ v.h[t - 1] + v.b_U))
    assert verdict.mistake.kind == "transpose"
    assert "(U.T @ h[t-1] + b_U) in place of (U @ h[t-1] + b_U)" in verdict.mistake.text


# What a verdict shows
def test_a_verdict_tells_its_story():
    verdict = tg.lint(models.elman, lambda v, t: tg.diag(1 - v.h[t] ** 2) @ v.U.T)
    text = str(verdict)
    for part in ("d h[t] / d h[t-1] of elman: WRONG", "transpose: U.T in place of U", "entry", "at U = ", "right: "):
        assert part in text
    assert verdict.corrected in text
    assert "<li>mistake: transpose" in verdict._repr_html_()
    data = json.loads(verdict.to_json())
    seen = data["findings"][0]["counterexample"]
    assert data["ok"] is False
    assert abs(seen["claimed"] - seen["right"]) > 1e-3
    i, j = seen["entry"]
    h, U = np.array(seen["values"]["h[t]"]), np.array(seen["values"]["U"])
    assert (np.diag(1 - h**2) @ U)[i, j] == pytest.approx(seen["right"])
    assert (np.diag(1 - h**2) @ U.T)[i, j] == pytest.approx(seen["claimed"])


def test_a_verdict_is_the_same_each_time():
    def claim(v, t):
        return tg.diag(1 - v.h[t]) @ v.U

    assert tg.lint(models.elman, claim).to_json() == tg.lint(models.elman, claim).to_json()


# Bad claims
def test_a_shape_that_does_not_fit_is_a_finding():
    assert tg.lint(models.elman, lambda v, t: v.W).mistake.kind == "shape"
    assert tg.lint(models.elman, lambda v, t: v.U @ v.W.T).mistake.kind == "shape"
    assert tg.lint(models.elman, lambda v, t: v.W, over="numpy").mistake.kind == "shape"


@pytest.mark.parametrize(
    ("claim", "options", "message"),
    [
        (lambda v, t: np.eye(3), {}, 'over="numpy"'),
        (lambda v, t: v.U, {"over": "jax"}, "over nodes, numpy, sympy"),
        (lambda v, t: v.U, {"block": ("h", "x")}, "no block"),
        (3, {}, "a function of the step's values"),
        (sympy.Matrix(2, 2, sympy.symbols("a b c d")), {}, "symbols that the step does not"),
        (lambda v, t: v.h[t + 5], {}, "does not exist"),
        (lambda v, t: v["V"], {}, "nothing is named 'V'"),
    ],
)
def test_bad_claims_are_refused(claim, options, message):
    with pytest.raises(tg.errors.TinygraphError, match=message):
        tg.lint(models.elman, claim, **options)


def test_one_claim_for_a_cell_of_two_states_needs_a_block():
    with pytest.raises(tg.errors.UsageError, match="block="):
        tg.lint(models.lstm, lambda v, t: tg.diag(v.f[t]))


def test_what_is_no_cell_is_refused():
    with pytest.raises(tg.errors.UsageError, match="a cell, or the node"):
        tg.lint("elman", lambda v, t: v.U)
    with pytest.raises(tg.errors.UsageError, match="cell's step"):
        tg.symbols("elman")
