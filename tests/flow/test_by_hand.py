"""A walk through a small net: its rows are the rules, with the numbers that a plain calculation gives."""

from __future__ import annotations

import ast
import json
import math
import operator

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.flow.by_hand import Walk, walk
from tinygraph.models import elman

OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
FUNCTIONS = {"tanh": math.tanh, "sigmoid": lambda a: 1 / (1 + math.exp(-a)), "sum_batch": float, "exp": math.exp}
FEEDS = {"w": 0.5, "u": 0.8, "b": 0.1, "x_1": 1.0, "x_2": -1.0, "y": 1.0}


def calculate(text: str) -> float:
    """The value of a formula of numbers."""

    def value(node: ast.expr) -> float:
        match node:
            case ast.BinOp(left, op, right):
                return OPERATIONS[type(op)](value(left), value(right))
            case ast.UnaryOp(ast.USub(), operand):
                return -value(operand)
            case ast.Call(ast.Name(name), [argument]):
                return FUNCTIONS[name](value(argument))
            case ast.Constant(number):
                return number
        raise AssertionError(f"{ast.unparse(node)} is not arithmetic")

    return value(ast.parse(text, mode="eval").body)


def scalar_net() -> tg.Node:
    g = tg.Graph()
    w, u, b = (g.parameter(name) for name in "wub")
    h = g.constant("h", 0)
    for t in (1, 2):
        with g.at(step=t):
            h = tg.tanh(w * g.input(f"x_{t}") + u * h + b, name="h")
    return tg.mul(0.5, (h - g.input("y")) ** 2, name="L")


@pytest.fixture
def walked() -> Walk:
    return walk(scalar_net(), FEEDS, digits=12)


def test_each_row_follows_from_its_numbers(walked: Walk) -> None:
    rows = [row for row in walked if row.equation]
    assert {row.backward for row in rows} == {False, True}
    for row in rows:
        assert calculate(row.numbers) == pytest.approx(float(row.value), abs=1e-10), row


def test_the_values_are_those_of_a_calculation_by_hand(walked: Walk) -> None:
    w, u, b, x1, x2, y = FEEDS.values()
    h1 = math.tanh(w * x1 + b)
    h2 = math.tanh(w * x2 + u * h1 + b)
    a2 = (h2 - y) * (1 - h2**2)
    a1 = a2 * u * (1 - h1**2)
    by_hand = {"h_1": h1, "h_2": h2, "L": (h2 - y) ** 2 / 2, "dw": a2 * x2 + a1 * x1, "du": a2 * h1, "db": a2 + a1}
    shown = {row.name: float(row.value) for row in walked}
    assert {name: shown[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-11)


def test_forward_comes_before_backward_and_steps_go_back(walked: Walk) -> None:
    assert [row.backward for row in walked] == sorted(row.backward for row in walked)
    steps = [row.step for row in walked if row.backward and row.step is not None]
    assert steps == sorted(steps, reverse=True)
    text = str(walked)
    assert text.index("forward") < text.index("h_1") < text.index("backward") < text.index("dh_1")


def test_vectors_and_one_parameter_alone() -> None:
    net = tg.unroll(elman, 2, I=1, H=2)
    loss = tg.sum(net.h[2], name="L")
    rng = np.random.default_rng(0)
    rows = list(walk(loss, net.initial(1) | {"x": rng.standard_normal((2, 1))}, net.parameters["U"]))
    names = [row.name for row in rows]
    assert "dU" in names
    assert "dW" not in names


def test_json_and_html(walked: Walk) -> None:
    rows = json.loads(walked.to_json())
    assert [row["name"] for row in rows] == [row.name for row in walked]
    assert walked._repr_html_().count("<tr>") == len(rows) + 2


def test_a_label_cannot_reach_out_of_the_html() -> None:
    g = tg.Graph()
    loss = tg.mul(g.parameter("w"), 2, name="<script>")
    assert "<script>" not in walk(loss, {"w": 1.0})._repr_html_()


def test_a_batch_is_refused() -> None:
    batch = {**FEEDS, "x_1": np.ones(3), "x_2": np.ones(3), "y": np.ones(3)}
    with pytest.raises(tg.errors.UsageError, match=r"(?s)one example.*fix: feed values without a batch"):
        walk(scalar_net(), batch)


@pytest.mark.parametrize("by_node", [False, True])
def test_what_simplifying_makes_needless_may_be_fed(by_node: bool) -> None:
    """U has no use in a first step from a zero state."""
    net = tg.unroll(elman, 1, I=1, H=2)
    feeds = net.initial(1) | {"x": np.ones((1, 1))}
    if by_node:
        feeds[net.parameters["U"]] = feeds.pop("U")
    assert "L" in {row.name for row in walk(tg.sum(net.h[1], name="L"), feeds, net.parameters["W"])}
    with pytest.raises(tg.errors.UnknownNameError, match="Q"):
        walk(tg.sum(net.h[1], name="L"), feeds | {"Q": 1.0}, net.parameters["W"])
