"""What is written in boxes."""

from __future__ import annotations

import pytest

import tinygraph as tg
from tinygraph.viz.labels import clean, name_label, operation_label, plain, shortened


@pytest.mark.parametrize(
    ("name", "step", "shown"),
    [
        ("W", None, "W"), ("W_i", None, "W_i"), ("h", 3, "h_3"), ("a_i", 3, "a_i,3"), ("alpha", 2, "α_2"),
        ("_x", None, "_x"), ("W_", None, "W"), ("sigma_alpha", None, "σ_α"), ("", None, ""),
        ("x" * 50, None, "x" * 21 + "…"),
    ],
)  # fmt: skip
def test_names(name: str, step: int | None, shown: str) -> None:
    assert plain(name_label(name, step)) == shown


def test_forbidden_characters() -> None:
    assert clean("a\x00\ud800\ufffe\x7f\x85b\n c") == "a\ufffd\ufffd\ufffd\ufffd b c"
    assert shortened("ab\ncd", 4) == "ab …"


def test_signs() -> None:
    g = tg.Graph()
    x, y, m = g.input("x", (3,)), g.input("y", (3,)), g.input("m", (3, 3))
    shown = {
        x + y: "+", tg.add([x, y, x]): "+", x - y: "−", x * y: "⊙", m @ x: "@", -x: "−", x > y: ">", x[0:2]: "[0:2]",
        tg.sigmoid(x): "σ", x**3: "(·)³", x**-1: "(·)⁻¹", tg.concatenate([x, y, x]): "[; ]", tg.identity(x): "=",
        tg.log_softmax(x): "log softmax", tg.mean_batch(x): "mean",
    }  # fmt: skip
    assert {node: plain(operation_label(node, {})) for node in shown} == shown
    assert plain(operation_label(m @ x, {0: name_label("W_i")})) == "W_i ·"
    assert plain(operation_label(x + y, {1: name_label("b")})) == "+ b"
    assert plain(operation_label(1 - x, {0: name_label("1")})) == "1 − ·"


def test_every_operation_has_a_sign() -> None:
    g = tg.Graph()
    for op in tg.OPS.values():
        for example in op.examples[:1]:
            nodes = [g.input(f"{op.name}{i}", shape) for i, shape in enumerate(example.shapes)]
            if all(
                kind in ("real", "any", "number") for kind in ([op.takes] if isinstance(op.takes, str) else op.takes)
            ):
                assert plain(operation_label(op(*nodes, **example.attrs), {})).strip()
