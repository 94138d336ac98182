"""The gradient checks can fail: a broken rule in any row, for any operand, is found.

Each rule in turn is flipped, zeroed, or made wrong by a thousandth, in a copy of its row; the check of
`test_gradients` must then object wherever that operand's gradient is not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers.cases import Case, cases, smooth_rows
from helpers.gradients import Projection, check_first_order, check_forward, check_second_order, check_single_examples

import tinygraph as tg
from tinygraph.graph import Node, Op

BREAKS: dict[str, Callable[[Node], Node]] = {
    "flipped": lambda cotangent: -cotangent,
    "zeroed": lambda cotangent: cotangent * 0,
    "a thousandth off": lambda cotangent: cotangent * Fraction(1001, 1000),
}
WITH_RULES = [name for name in smooth_rows() if tg.OPS[name].differentiable]


def sabotaged(op: Op, index: int, spoil: Callable[[Node], Node]) -> Op:
    """A copy of the row whose rule for operand `index` is spoiled."""
    if callable(op.vjp):
        every = op.vjp
        return replace(op, vjp=lambda i, *given: spoil(every(i, *given)) if i == index else every(i, *given))
    rules = list(op.vjp)
    rules[index] = lambda *given, rule=op.vjp[index]: spoil(rule(*given))
    return replace(op, vjp=tuple(rules))


def operands_with_rules(case: Case) -> Iterator[int]:
    return (i for i in case.real if case.op.rule(i) is not None)


def matters(case: Case, index: int) -> bool:
    """Whether the gradient by this operand is not zero."""
    projection = Projection(case)
    gradient = tg.evaluate(projection.gradients[f"x{index}"], projection.feeds(0))
    return bool(np.any(np.abs(gradient) > 1e-3))


def objects(check: Callable[[Case, range], None], case: Case) -> bool:
    """Whether the check fails as a check, with an assertion."""
    try:
        check(case, range(1))
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("name", WITH_RULES)
def test_a_broken_rule_is_found(name, how):
    """In every case where it matters, and for each rule of the row there is such a case."""
    found: dict[int, bool] = {}
    for case in cases(tg.OPS[name]):
        for index in operands_with_rules(case):
            found.setdefault(index, False)
            if matters(case, index):
                broken = replace(case, op=sabotaged(case.op, index, BREAKS[how]))
                assert objects(check_first_order, broken), f"{case}: rule {index} {how} passes"
                found[index] = True
    assert found
    assert all(found.values()), f"no case of {name} tests the rules of operands {found}"


@pytest.mark.parametrize("name", WITH_RULES)
def test_the_sound_row_passes_the_same_check(name):
    """So that what fails above fails for the sabotage alone."""
    assert not any(objects(check_first_order, replace(case, op=replace(case.op))) for case in cases(tg.OPS[name]))


def with_rule(rule: Callable[..., Any]) -> Case:
    """x^2 with a rule of its own, for one vector."""
    square = replace(tg.OPS["mul"], name="square", arity=1, run=lambda xp, y, x: xp.multiply(x, x), vjp=(rule,))
    return Case(square, ((3,),), (True,), ("real",))


def test_a_rule_whose_derivative_is_wrong_is_found():
    """Right at first order; the second derivative is stopped."""
    case = with_rule(lambda g, y, x: g * (2 * tg.stop_gradient(x)))
    assert not objects(check_first_order, case)
    assert objects(check_second_order, case)


def test_a_rule_that_is_not_linear_in_the_cotangent_is_found():
    """Forward mode differentiates a rule by its cotangent, so a rule must be linear in it."""
    case = with_rule(lambda g, y, x: g * g * g * (2 * x))
    assert objects(check_forward, case)


def test_a_row_that_mixes_the_examples_is_found():
    """A sum over the batch axis in place of the axis of the example."""
    broken = replace(tg.OPS["neg"], run=lambda xp, y, x: xp.negative(x) + xp.sum_axis(x, 0))
    assert objects(check_single_examples, Case(broken, ((3,),), (True,), ("real",)))
