"""The table itself: rows are complete and consistent, rules are closed, and adding a row is enough."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.cases import Case, build, cases, rows, smooth_rows
from helpers.gradients import check_first_order, check_forward, check_second_order, check_single_examples

import tinygraph as tg
from tinygraph.graph import Node, Op
from tinygraph.graph.node import KINDS
from tinygraph.graph.op import define
from tinygraph.ops.arithmetic import elementwise

ALL = rows(leaves=True)
ROWS = rows()


def takes_count(function: Callable[..., Any], count: int) -> bool:
    """Whether `function` can be called with `count` positional arguments."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    return len(required) <= count <= len(positional)


@pytest.mark.parametrize("name", ALL)
def test_a_row_is_found_under_its_name(name):
    assert tg.OPS[name].name == name
    assert getattr(tg, name) is tg.OPS[name]
    assert name in dir(tg)
    assert name.isidentifier()


@pytest.mark.parametrize("name", ALL)
def test_a_row_is_documented(name):
    op = tg.OPS[name]
    assert op.doc.strip().endswith("."), "a doc is a sentence"
    assert op.__doc__ == op.doc
    assert op.__name__ == name
    assert op.pitfall.strip()
    assert op.domain.analytic or op.domain.why_not, "say why the complex step does not apply"


@pytest.mark.parametrize("name", ALL)
def test_kinds(name):
    op = tg.OPS[name]
    assert op.gives in (*KINDS, "same")
    takes = (op.takes,) if isinstance(op.takes, str) else op.takes
    assert set(takes) <= {*KINDS, "number", "any"}
    if not isinstance(op.takes, str):
        assert len(op.takes) == op.arity
    assert op.gives != "same" or {"number", "any"} & set(takes), "the kind of what?"


@pytest.mark.parametrize("name", ROWS)
def test_arity(name):
    """Shape rule, run, attributes and VJP rules take as many operands as the row says."""
    op = tg.OPS[name]
    count = op.arity if op.arity is not None else 5
    assert takes_count(op.run, 2 + count)
    assert takes_count(op.shape, count)
    if callable(op.vjp):
        assert op.arity is None
        assert takes_count(op.vjp, 3 + count)
    else:
        assert len(op.vjp) in (0, op.arity)
        assert all(takes_count(rule, 2 + count) for rule in op.vjp if rule is not None)


@pytest.mark.parametrize("name", ROWS)
def test_examples_fit(name):
    """Every example builds, with the shapes that the rules say; a row that is not elementwise has some."""
    op = tg.OPS[name]
    assert op.elementwise or op.examples
    for case in cases(op):
        operands, output = build(case)
        assert output.op is op
        assert len(operands) in (op.arity, len(case.shapes))
        assert output.batched == op.batching(list(case.batched)), case


@pytest.mark.parametrize("name", ROWS)
def test_batching_follows_the_operands(name):
    """Batched if any operand is; rows that cross the batch say otherwise whatever the operands are."""
    op = tg.OPS[name]
    none, some = op.batching([False, False]), op.batching([False, True])
    assert none == some or (none, some) == (False, True)


@pytest.mark.parametrize("name", smooth_rows())
def test_rules_are_closed(name):
    """A rule yields a real node, all of whose ancestors are applications of rows of the table."""
    for case in cases(tg.OPS[name]):
        operands, output = build(case)
        cotangent = output.graph.input("g", output.shape, batched=output.batched)
        for index in case.real:
            rule = case.op.rule(index)
            made = rule(cotangent, output, *operands) if rule else None
            assert made is None or (isinstance(made, Node) and made.kind == "real"), case
    for node in output.graph:
        assert tg.OPS[node.op.name] is node.op


@pytest.mark.parametrize("name", smooth_rows())
def test_integers_and_booleans_have_no_rule(name):
    op = tg.OPS[name]
    case = cases(op)[0]
    for index, kind in enumerate(case.kinds):
        assert kind == "real" or op.rule(index) is None


@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_kind_is_named(name):
    """An operand of a kind that the row does not take is refused by an error that names row and operand."""
    op = tg.OPS[name]
    case = cases(op)[0]
    for index in range(len(case.shapes)):
        for kind in KINDS:
            kinds = tuple(kind if i == index else k for i, k in enumerate(case.kinds))
            if kind != case.kinds[index] and not accepted(op, index, kinds):
                with pytest.raises(tg.errors.KindError, match=f"^{name}: ") as caught:
                    build(replace(case, kinds=kinds))
                assert "x0" in str(caught.value)


def accepted(op: Op, index: int, kinds: tuple[str, ...]) -> bool:
    """Whether the row takes operands of these kinds: each allowed, the free ones all alike."""
    takes = [op.takes if isinstance(op.takes, str) else op.takes[i] for i in range(len(kinds))]
    allowed = {"any": KINDS, "number": ("real", "integer")}
    free = {kind for kind, wanted in zip(kinds, takes, strict=True) if wanted in allowed}
    return kinds[index] in allowed.get(takes[index], (takes[index],)) and len(free) <= 1


@pytest.mark.parametrize("name", [name for name in ROWS if tg.OPS[name].arity])
def test_too_few_operands_are_refused(name):
    case = cases(tg.OPS[name])[0]
    operands, _ = build(case)
    with pytest.raises(tg.errors.UsageError, match=name):
        tg.OPS[name](*operands[:-1])


@pytest.mark.parametrize("name", [name for name in ROWS if tg.OPS[name].elementwise and tg.OPS[name].arity != 1])
def test_shapes_that_do_not_broadcast_are_named(name):
    op = tg.OPS[name]
    count = op.arity or 2
    case = replace(cases(op)[0], shapes=((2,), (3,), (3,))[:count], batched=(True,) * count)
    case = replace(case, kinds=(case.kinds * 3)[:count] if op.arity is None else case.kinds)
    with pytest.raises(tg.errors.ShapeError, match=f"(?s)^{name}: .*x0.*x1"):
        build(case)


@pytest.mark.parametrize("name", [name for name in ROWS if tg.OPS[name].intern])
def test_equal_applications_of_an_interned_row_are_one_node(name):
    """Equal in operands and attributes: a transpose to another order is another node."""
    for case in cases(tg.OPS[name]):
        operands, output = build(case)
        assert case.op(*operands, **case.attrs) is output
    nodes = {}
    graph = tg.Graph()
    x = graph.input("x", (2, 3, 4))
    for case in cases(tg.OPS[name]):
        if case.shapes == (x.shape,):
            nodes.setdefault(str(case.attrs), case.op(x, **case.attrs))
    assert len(set(nodes.values())) == len({tuple(sorted(node.attrs.items())) for node in nodes.values()})


# Adding a row
@pytest.fixture
def cube() -> Iterator[Op]:
    """The whole of a new operation: x^3."""
    op = define(
        "cube",
        "The third power.",
        shape=elementwise,
        run=lambda xp, y, x: xp.multiply(x, xp.multiply(x, x)),
        vjp=(lambda g, y, x: g * (3 * x * x),),
        elementwise=True,
    )
    yield op
    del tg.OPS["cube"]


def test_a_new_row_is_a_function_of_the_package(cube):
    graph = tg.Graph()
    x = graph.input("x", (3,))
    y = tg.cube(x, name="y")
    value, slope = tg.evaluate([y, tg.grad(tg.sum(y), x)], {"x": [1, 2, 3]})
    assert y.name == "y"
    assert value.tolist() == [1, 8, 27]
    assert slope.tolist() == [3, 12, 27]
    assert "cube" in dir(tg)


def test_a_new_row_is_covered_by_the_checks_at_once(cube):
    """The sweeps over the table find it, and its rule is checked to every order."""
    assert "cube" in rows()
    assert "cube" in smooth_rows()
    for case in cases(cube):
        for check in (check_first_order, check_second_order, check_forward, check_single_examples):
            check(case, range(1))


def test_a_new_row_is_named_in_errors(cube):
    graph = tg.Graph()
    with pytest.raises(tg.errors.KindError, match=r"(?s)^cube: operand 1 is integer.*n = input"):
        tg.cube(graph.input("n", (), kind="integer"))
    with pytest.raises(tg.errors.UsageError, match=r"^cube takes 1 operand, got 0"):
        tg.cube()
    with pytest.raises(tg.errors.UsageError, match=r"^cube takes no further argument: 2"):
        tg.cube(graph.input("x", ()), 2)
    with pytest.raises(tg.errors.UsageError, match=r"^cube needs a node, got 'x'"):
        tg.cube("x")


def test_a_new_row_whose_run_gives_another_shape_is_blamed(cube):
    wrong = replace(cube, run=lambda xp, y, x: x[..., None])
    graph = tg.Graph()
    with pytest.raises(tg.errors.GraphError, match=r"(?s)^cube gave shape \(3, 1\).*its row"):
        tg.evaluate(wrong(graph.input("x", (3,))), {"x": np.zeros(3)})


def test_a_new_row_with_a_wrong_rule_fails_the_checks(cube):
    wrong = replace(cube, vjp=(lambda g, y, x: g * (2 * x * x),))
    with pytest.raises(AssertionError, match="cube"):
        check_first_order(Case(wrong, ((3,),), (True,), ("real",)), range(1))


def test_a_name_is_defined_once(cube):
    with pytest.raises(tg.errors.NameTakenError, match="cube"):
        define("cube", "Again.", shape=elementwise, run=lambda xp, y, x: x)


def test_an_unknown_operation_is_answered_with_the_nearest_name():
    with pytest.raises(AttributeError, match="tanh"):
        tg.tahn  # noqa: B018
