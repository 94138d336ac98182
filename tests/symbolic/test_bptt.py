r"""BPTT written out: what the lines say, done in plain NumPy, is the gradient; and the lines are the lecture's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from symbolic.written import Entries, Matrices, Reader

import tinygraph as tg
from tinygraph import models
from tinygraph.cells import Cell, Input, Param, State
from tinygraph.symbolic.expressions import moved, symbols
from tinygraph.symbolic.recurrences import Recurrence

SEEN, READ = 5, 8  # steps of the net in which the lines are found, and of those in which they are read
SIZES = {"I": 2}
OTHERS = 3
WRITTEN = ["elman", "lstm", "gru", "gru_reset_after"]


class Lesson:
    """A cell with a readout, a loss at each step and its written gradient, and values for all of it."""

    def __init__(self, cell: Cell | str, steps: int, batch: int | None = None, size: int | None = None, **how: Any):
        made = models.CELLS[cell] if isinstance(cell, str) else cell
        sizes = {name: size or SIZES.get(name, OTHERS) for name in made.sizes}
        self.net = tg.unroll(made, steps, sizes=sizes, initial=how.pop("initial", "zeros"))
        scores = models.readout(self.net, size or 4)
        self.losses = {}
        for t, score in scores.items():
            with self.net.graph.at(step=t, scope="loss"):
                self.losses[t] = tg.sum(tg.tanh(score) * score, name="L")
        self.how, self.steps, self.batch = how, steps, batch
        rng = np.random.default_rng(0)
        self.feeds: dict[str, Any] = {n: 0.6 * rng.standard_normal(p.shape) for n, p in self.net.parameters.items()}
        for name, nodes in self.net.graph.inputs.items():
            node = nodes[1] if isinstance(nodes, dict) else nodes
            front = ((steps,) if isinstance(nodes, dict) else ()) + (() if batch is None else (batch,))
            drawn = rng.standard_normal(front + node.shape)
            whole = drawn > 0 if node.kind == "boolean" else (drawn > 0).astype(int)
            self.feeds[name] = drawn if node.kind == "real" else whole

    def written(self) -> Any:
        return tg.bptt(self.losses, self.net.parameters, **self.how)

    def values(self) -> dict[tuple[str, int | None], np.ndarray]:
        """The value of every label at every step, also under its full name; `_0` of initial states is left out."""
        nodes = [node for node in self.net.graph if node.label and not node.backward]
        found = {}
        for node, value in zip(nodes, tg.evaluate(nodes, self.feeds), strict=True):
            label = node.label.removesuffix("_0") if node.op.leaf and node.step == 0 else node.label
            found.setdefault((label, node.step), value)
            found[f"{node.scope}/{label}", node.step] = value
        return found

    def gradients(self) -> dict[str, np.ndarray]:
        total = tg.add(list(self.losses.values()))
        return tg.evaluate(tg.grad(total, self.net.parameters), self.feeds)


def read_with(written: Any, lesson: Lesson, kind: type[Reader] = Reader, **options: Any) -> dict[str, np.ndarray]:
    reader = kind(written.recurrence, lesson.values(), lesson.steps, **options)
    return {name: reader.cotangent(node.name if node.step is None else name.removesuffix("_0"), node.step)
            for name, node in lesson.net.parameters.items()}  # fmt: skip


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-12, err_msg=name)


# What the lines say
@pytest.mark.parametrize("style", ["bar", "nabla"])
@pytest.mark.parametrize("name", models.CELLS)
def test_the_lines_are_the_gradient_for_more_steps_than_they_were_found_in(name, style):
    written = Lesson(name, SEEN, style=style).written()
    for steps in (SEEN, READ):
        lesson = Lesson(name, steps)
        assert_same(read_with(written, lesson), lesson.gradients())


@pytest.mark.parametrize("form", ["example", "entries"])
@pytest.mark.parametrize("name", WRITTEN)
def test_derivatives_as_primes(name, form):
    written = Lesson(name, SEEN, derivative="prime", form=form).written()
    kind: Any = Reader
    options: dict[str, Any] = {}
    if form == "entries":
        shapes = shapes_of(Lesson(name, SEEN).written().recurrence)
        kind, options = Entries, {"shapes": shapes}
    lesson = Lesson(name, SEEN)
    assert_same(read_with(written, lesson, kind, **options), lesson.gradients())
    assert r"\tanh'(" in written.latex


@pytest.mark.parametrize("name", WRITTEN)
def test_a_learned_initial_state_has_a_line(name):
    written = Lesson(name, SEEN, initial="learned").written()
    lesson = Lesson(name, READ, initial="learned")
    assert_same(read_with(written, lesson), lesson.gradients())


def test_stacked_layers_are_told_apart():
    def lesson(steps: int) -> tuple[Any, dict[int, Any], Any]:
        net = models.stack(models.gru, steps, layers=2, I=2, H=3)
        return net, {t: tg.sum(h**2) for t, h in net.output.items()}, net.parameters

    _, losses, parameters = lesson(SEEN)
    written = tg.bptt(losses, parameters)
    net, losses, parameters = lesson(READ)
    made = Lesson.__new__(Lesson)
    made.net, made.losses, made.steps = net, losses, READ
    rng = np.random.default_rng(0)
    made.feeds = {n: rng.standard_normal(p.shape) for n, p in parameters.items()}
    made.feeds["layer1/x"] = rng.standard_normal((READ, 2))
    assert_same(read_with(written, made), made.gradients())
    assert r"\bar{h}^{(\mathrm{layer1})}_{t}" in written.latex


def test_one_loss_at_the_end_and_one_scalar_loss():
    for given in ("last", "mean"):
        lesson = Lesson("lstm", SEEN)
        last = lesson.losses[SEEN]
        lesson.losses = {SEEN: last} if given == "last" else {1: models.mean_square(lesson.net.output)}
        if given == "mean":
            lesson.feeds["y"] = np.random.default_rng(1).standard_normal((SEEN, OTHERS))
        written = tg.bptt(lesson.losses if given == "last" else lesson.losses[1], lesson.net.parameters)
        assert_same(read_with(written, lesson), lesson.gradients())


@tg.cell
def twice(x: Input["I"], h: State["H"], W: Param["H I"], U: Param["H H"], b: Param["H"]):
    """The same product twice, and once with the other sign inside a nonlinearity."""
    return tg.tanh(W @ x + U @ h + U @ h) - tg.sigmoid(b - U @ h)


@pytest.mark.parametrize("style", ["bar", "nabla"])
def test_equal_terms_are_all_counted(style):
    written = Lesson(twice, SEEN, style=style).written()
    lesson = Lesson(twice, READ)
    assert_same(read_with(written, lesson), lesson.gradients())


def test_what_a_loss_does_not_depend_on_has_gradient_zero():
    net = tg.unroll(models.elman, 4, I=3, H=3)
    losses = {1: tg.sum(tg.step(net.h[1]) * net.parameters["b"])}
    for form in ("example", "batch"):
        written = lines_of(tg.bptt(losses, net.parameters, form=form))
        assert r"\bar{W} = 0" in written
        assert r"\bar{U} = 0" in written


# Conventions
@pytest.mark.parametrize("convention", ["columns", "rows"])
@pytest.mark.parametrize("name", WRITTEN)
def test_a_batch_is_written_as_products_of_matrices(name, convention):
    """With rows each example is a row, and each weight the transpose of ours."""
    written = Lesson(name, SEEN, form="batch", convention=convention).written()
    lesson = Lesson(name, READ, batch=3)
    rows = convention == "rows"
    values = {key: in_matrix(value, key, lesson, rows) for key, value in lesson.values().items()}
    reader = Matrices(written.recurrence, values, READ, rows=rows)
    for key, expected in lesson.gradients().items():
        found = reader.cotangent(key)
        np.testing.assert_allclose(found.T if rows and expected.ndim == 2 else found.reshape(expected.shape), expected,
                                   rtol=1e-12, atol=1e-12, err_msg=key)  # fmt: skip


def in_matrix(value: np.ndarray, key: tuple[str, int | None], lesson: Lesson, rows: bool) -> np.ndarray:
    """As rows or columns; weights are columns' W or rows' W^T."""
    if key[1] is None:
        weight = value if value.ndim == 2 else value.reshape(-1, 1)
        return weight.T if rows else weight
    if value.ndim == 1:  # a scalar of each example, or an initial state of all
        value = value.reshape(-1, 1) if key[0].endswith("L") else np.broadcast_to(value, (lesson.batch, value.size))
    return value if rows else value.T


@pytest.mark.parametrize("name", WRITTEN)
def test_one_example_in_rows(name):
    written = Lesson(name, SEEN, convention="rows").written()
    lesson = Lesson(name, READ)
    values = {key: np.atleast_2d(v).T if key[1] is None and v.ndim == 2 else np.atleast_2d(v)
              for key, v in lesson.values().items()}  # fmt: skip
    reader = Matrices(written.recurrence, values, READ, rows=True)
    for key, expected in lesson.gradients().items():
        np.testing.assert_allclose(reader.cotangent(key).T.reshape(expected.shape), expected, rtol=1e-12, atol=1e-12)


def shapes_of(found: Recurrence) -> dict[tuple[str, bool], Any]:
    lines = (*found.lines, *found.definitions)
    return {s.key: s.shape for line in lines for s in (line.left, *symbols(line.right))}


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_by_entries(name):
    shapes = shapes_of(Lesson(name, SEEN).written().recurrence)
    written = Lesson(name, SEEN, form="entries").written()
    lesson = Lesson(name, SEEN)
    assert_same(read_with(written, lesson, Entries, shapes=shapes), lesson.gradients())


@pytest.mark.parametrize("name", WRITTEN)
def test_a_net_of_numbers(name):
    written = Lesson(name, SEEN, size=1, form="scalar").written()
    lesson = Lesson(name, READ, size=1)
    values = {key: value.reshape(()) for key, value in lesson.values().items()}
    reader = Reader(written.recurrence, values, READ)
    for key, expected in lesson.gradients().items():
        assert reader.cotangent(key) == pytest.approx(expected.item(), rel=1e-12, abs=1e-12)
    assert "top" not in written.latex
    assert "odot" not in written.latex


# The lecture's lines
def with_softmax(**how: Any) -> Any:
    net = tg.unroll(models.elman, 4, I=2, H=3)
    models.softmax_cross_entropy(models.readout(net, 4))
    return tg.bptt({t: net.graph["L", t] for t in range(1, 5)}, net.parameters, **how)


def lines_of(written: Any) -> list[str]:
    return [line.replace("&= ", "= ").removesuffix(r" \\") for line in written.latex.split("\n")[1:-1]]


def test_the_rules_of_the_lecture_with_bars():
    assert lines_of(with_softmax()) == [
        r"z_{t} = W x_{t} + U h_{t-1} + b",
        r"\bar{o}_{t} = \operatorname{softmax}(o_{t}) - \mathbf{e}_{y_{t}}",
        r"\bar{h}_{t} = V^{\top} \bar{o}_{t} + U^{\top} \bar{z}_{t+1}, \quad t < T",
        r"\bar{h}_{T} = V^{\top} \bar{o}_{T}",
        r"\bar{z}_{t} = \bar{h}_{t} \odot \left(1 - h_{t}^{2}\right)",
        r"\bar{W} = \sum_{t=1}^{T} \bar{z}_{t} \, x_{t}^{\top}",
        r"\bar{U} = \sum_{t=1}^{T} \bar{z}_{t} \, h_{t-1}^{\top}",
        r"\bar{b} = \sum_{t=1}^{T} \bar{z}_{t}",
        r"\bar{V} = \sum_{t=1}^{T} \bar{o}_{t} \, h_{t}^{\top}",
        r"\bar{c} = \sum_{t=1}^{T} \bar{o}_{t}",
    ]


def test_the_rules_of_goodfellow_bengio_and_courville():
    r"""Deep Learning (2016), equations 10.19 to 10.28, in our letters: their W is U, their U is W."""
    assert lines_of(with_softmax(style="nabla")) == [
        r"\nabla_{o_{t}} L = \operatorname{softmax}(o_{t}) - \mathbf{e}_{y_{t}}",
        r"\nabla_{h_{t}} L = V^{\top} \left(\nabla_{o_{t}} L\right) "
        r"+ U^{\top} \operatorname{diag}(1 - h_{t+1}^{2}) \, \left(\nabla_{h_{t+1}} L\right), \quad t < T",
        r"\nabla_{h_{T}} L = V^{\top} \left(\nabla_{o_{T}} L\right)",
        r"\nabla_{W} L = \sum_{t=1}^{T} \operatorname{diag}(1 - h_{t}^{2}) \, \left(\nabla_{h_{t}} L\right)"
        r" \, x_{t}^{\top}",
        r"\nabla_{U} L = \sum_{t=1}^{T} \operatorname{diag}(1 - h_{t}^{2}) \, \left(\nabla_{h_{t}} L\right)"
        r" \, h_{t-1}^{\top}",
        r"\nabla_{b} L = \sum_{t=1}^{T} \operatorname{diag}(1 - h_{t}^{2}) \, \left(\nabla_{h_{t}} L\right)",
        r"\nabla_{V} L = \sum_{t=1}^{T} \left(\nabla_{o_{t}} L\right) \, h_{t}^{\top}",
        r"\nabla_{c} L = \sum_{t=1}^{T} \nabla_{o_{t}} L",
    ]


def test_the_vectorised_rules_with_an_example_a_row():
    assert lines_of(with_softmax(form="batch", convention="rows"))[2:8] == [
        r"\bar{H}_{t} = \bar{O}_{t} V^{\top} + \bar{Z}_{t+1} U^{\top}, \quad t < T",
        r"\bar{H}_{T} = \bar{O}_{T} V^{\top}",
        r"\bar{Z}_{t} = \bar{H}_{t} \odot \left(1 - H_{t}^{2}\right)",
        r"\bar{W} = \sum_{t=1}^{T} X_{t}^{\top} \bar{Z}_{t}",
        r"\bar{U} = \sum_{t=1}^{T} H_{t-1}^{\top} \bar{Z}_{t}",
        r"\bar{b} = \sum_{t=1}^{T} \mathbf{1}^{\top} \bar{Z}_{t}",
    ]


def test_numbers_and_entries():
    assert r"\bar{h}_{t} = v \, \bar{o}_{t} + u \, \bar{z}_{t+1}, \quad t < T" in lines_of(with_softmax(form="scalar"))
    entries = lines_of(with_softmax(form="entries"))
    assert r"\bar{h}_{T,i} = \sum_{j} V_{j,i} \, \bar{o}_{T,j}" in entries
    assert r"\bar{U}_{i,j} = \sum_{t=1}^{T} \bar{z}_{t,i} \, h_{t-1,j}" in entries


def test_the_rule_with_the_derivative_of_any_nonlinearity():
    lines = lines_of(with_softmax(derivative="prime"))
    assert r"\bar{z}_{t} = \bar{h}_{t} \odot \tanh'(z_{t})" in lines
    assert "dz[t] = dh[t] * tanh'(z[t])" in str(with_softmax(derivative="prime")).split("\n")


def test_as_text():
    text = str(with_softmax()).split("\n")
    assert text[2] == "dh[t] = V.T @ do[t] + U.T @ dz[t+1]    (1 <= t <= T-1)"
    assert text[6] == "dU    = sum[t=1..T] outer(dz[t], h[t-1])"


def test_notation():
    written = with_softmax(notation={"U": "W_{hh}", "h": "s", "z": "a"})
    assert lines_of(written)[2] == r"\bar{s}_{t} = V^{\top} \bar{o}_{t} + W_{hh}^{\top} \bar{a}_{t+1}, \quad t < T"
    assert "ds[t] = V.T @ do[t] + W_hh.T @ da[t+1]" in str(written)


def test_a_candidate_keeps_its_tilde():
    latex = Lesson("gru", SEEN).written().latex
    assert r"\bar{\tilde h}_{t} &= \bar{h}_{t} \odot \left(1 - z_{t}\right)" in latex
    assert r"\bar{c} &= " in latex, "the bias of the readout is another c"


# What must fail
@pytest.mark.parametrize("by", [-1, 1])
def test_a_line_shifted_in_time_is_caught(by):
    lesson = Lesson("elman", SEEN)
    written = lesson.written()
    found = written.recurrence
    caught = 0
    for place, line in enumerate(found.lines):
        wrong = [*found.lines]
        wrong[place] = replace(line, right=moved(line.right, by))
        if line.right == wrong[place].right or all(s.time is None for s in symbols(line.right)):
            continue
        try:
            broken = replace(written, recurrence=replace(found, lines=tuple(wrong)))
            assert_same(read_with(broken, lesson), lesson.gradients())
        except (AssertionError, KeyError, ValueError, RecursionError):
            caught += 1
        else:
            pytest.fail(f"not caught: {line.left}")
    assert caught >= 5


def test_the_tape_is_not_touched():
    lesson = Lesson("lstm", SEEN)
    size = len(lesson.net.graph)
    lesson.written()
    assert len(lesson.net.graph) == size


def test_the_same_equations_from_any_number_of_steps():
    assert len({Lesson("lstm", steps).written().latex for steps in (4, 5, 9)}) == 1


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"style": "dot"}, "no style"), ({"form": "matrix"}, "no form"), ({"convention": "row"}, "did you mean 'rows'"),
        ({"notation": {"hh": "s"}}, "nothing has that label"), ({"notation": {"U": ""}}, "label to LaTeX"),
    ],
)  # fmt: skip
def test_unknown_choices(how, message):
    with pytest.raises(tg.errors.TinygraphError, match=message):
        Lesson("elman", 4, **how).written()


def test_examples_that_meet_are_refused():
    net = tg.unroll(models.elman, 3, I=2, H=3)
    centred = {t: tg.sum((h - tg.mean_batch(h)) ** 2) for t, h in net.output.items()}
    with pytest.raises(tg.errors.DifferentiationError, match="meet"):
        tg.bptt(centred, net.parameters)
