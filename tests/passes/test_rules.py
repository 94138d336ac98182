"""What each pass does: every rule of simplification fires and is exact, copies merge, the dead go, anchors stay."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import Input, Param, State, models
from tinygraph.graph import Node, cone
from tinygraph.passes import PASSES, eliminate_dead, share, simplify
from tinygraph.passes.simplification import RULES

Nodes = dict[str, Node]


def leaves() -> Nodes:
    g = tg.Graph()
    shapes = {"x": (3,), "s": (), "M": (2, 3), "W": (4, 3), "b": (3,), "r": (), "one": (1,)}
    nodes = {n: g.parameter(n, shape) if n in "Wbr" else g.input(n, shape) for n, shape in shapes.items()}
    return nodes | {"zero": g.constant("k", zeros=(3,)), "flag": g.input("flag", kind="boolean")}


FEEDS = {
    "x": np.array([[1.0, -2, 3], [4, 5, -6]]), "s": np.array([2.0, -3]), "M": np.arange(12.0).reshape(2, 2, 3) - 4,
    "W": np.arange(12.0).reshape(4, 3), "b": np.array([1.0, 2, -1]), "r": 3.0, "one": np.array([[7.0], [8]]),
    "flag": np.array([True, False]),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """An expression, and the operations that are left of it, in the order of the tape (leaves aside)."""

    build: Callable[[Nodes], Node]
    left: tuple[str, ...]


def case(build: Callable[[Nodes], Node], *left: str) -> Case:
    return Case(build, left)


def filled(node: Node, value: int, shape: tuple[int, ...] = (3,)) -> Node:
    """A constant array of one number, kept as the number."""
    return node.graph.constant("", zeros=shape) if value == 0 else node.graph.constant("", ones=shape)


SIMPLER = {
    "add": [
        case(lambda n: n["x"] + 0),
        case(lambda n: 0 + n["x"]),
        case(lambda n: n["x"] + filled(n["x"], 0)),
        case(lambda n: tg.add([n["x"], 0, n["b"]]), "add"),
        case(lambda n: tg.add([n["x"]])),
        case(lambda n: n["s"] + filled(n["s"], 0), "broadcast_to"),
        case(lambda n: n["b"] + tg.spread(filled(n["b"], 0)), "spread"),
        case(lambda n: n["zero"] + filled(n["b"], 0)),
        case(lambda n: tg.spread(n["zero"]) + 0, "spread"),
    ],
    "sub": [
        case(lambda n: n["x"] - 0),
        case(lambda n: 0 - n["x"], "neg"),
        case(lambda n: n["x"] - n["x"], "spread"),
        case(lambda n: n["b"] - n["b"]),
        case(lambda n: n["s"] - filled(n["s"], 0), "broadcast_to"),
    ],
    "mul": [
        case(lambda n: n["x"] * 1),
        case(lambda n: 1 * n["x"]),
        case(lambda n: n["x"] * -1, "neg"),
        case(lambda n: n["x"] * 0, "spread"),
        case(lambda n: n["b"] * 0),
        case(lambda n: n["s"] * filled(n["s"], 1), "broadcast_to"),
        case(lambda n: n["one"] * filled(n["s"], 1, (2, 3)), "broadcast_to"),
        case(lambda n: n["b"] * tg.spread(n["b"].graph.number(1)), "spread"),
        case(lambda n: n["s"] * filled(n["s"], 0), "spread"),
    ],
    "div": [
        case(lambda n: n["x"] / 1),
        case(lambda n: 0 / n["x"], "spread"),
        case(lambda n: n["s"] / filled(n["s"], 1), "broadcast_to"),
    ],
    "neg": [case(lambda n: tg.neg(tg.neg(n["x"]))), case(lambda n: -(n["zero"] * 1))],
    "power": [case(lambda n: n["x"] ** 1)],
    "matmul": [
        case(lambda n: n["W"] @ filled(n["W"], 0)),
        case(lambda n: n["W"] @ tg.spread(filled(n["W"], 0)), "spread"),
        case(lambda n: n["x"] @ n["zero"], "spread"),
    ],
    "outer": [case(lambda n: tg.outer(n["x"], n["zero"]), "spread")],
    "dot": [case(lambda n: tg.dot(n["b"], n["zero"]))],
    "transpose": [
        case(lambda n: n["W"].T.T),
        case(lambda n: tg.transpose(n["W"], (0, 1))),
        case(lambda n: n["b"].T),
        case(lambda n: tg.transpose(tg.transpose(_cube(n), (1, 2, 0)), (2, 0, 1)), "reshape"),
        case(lambda n: tg.transpose(tg.transpose(_cube(n), (1, 2, 0)), (1, 2, 0)), "reshape", "transpose", "transpose"),
    ],
    "reshape": [
        case(lambda n: tg.reshape(n["x"], (3,))),
        case(lambda n: tg.reshape(tg.reshape(n["M"], (6,)), (3, 2)), "reshape"),
        case(lambda n: tg.reshape(tg.reshape(n["M"], (6,)), (2, 3))),
    ],
    "broadcast_to": [case(lambda n: tg.broadcast_to(n["x"], (3,)))],
    "sum_to": [case(lambda n: tg.sum_to(n["x"], (3,)))],
    "identity": [case(lambda n: tg.identity(n["x"])), case(lambda n: tg.identity(n["x"], name="anchor"), "identity")],
    "where": [
        case(lambda n: tg.where(n["s"] > 0, n["x"], n["x"])),
        case(lambda n: tg.where(n["flag"], n["b"], n["b"]), "spread"),
    ],
    "spread": [case(lambda n: tg.spread(n["x"])), case(lambda n: tg.spread(tg.spread(n["b"])), "spread")],
}  # fmt: skip
KEPT = {
    "x * 2": lambda n: n["x"] * 2,
    "x ** 2": lambda n: n["x"] ** 2,
    "x ** 0": lambda n: n["x"] ** 0,
    "x / 2": lambda n: n["x"] / 2,
    "1 / x": lambda n: 1 / n["x"],
    "x + y": lambda n: n["x"] + n["b"],
    "x - y": lambda n: n["x"] - n["b"],
    "W.T": lambda n: n["W"].T,
    "array of ones and twos": lambda n: n["x"] * np.array([1.0, 1.0, 2.0]),
    "Fraction": lambda n: n["x"] * Fraction(1, 2),
    "choice": lambda n: tg.where(n["flag"], n["x"], n["b"]),
}
CASES = [(rule, number) for rule, found in SIMPLER.items() for number in range(len(found))]


def _cube(n: Nodes) -> Node:
    return tg.reshape(tg.concatenate([n["x"], n["x"]], axis=0)[:6], (1, 2, 3))


def operations(root: Node) -> list[str]:
    return [node.op.name for node in cone([root]) if not node.op.leaf]


def assert_equal_values(before: Node, after: Node) -> None:
    known = {
        name: value for name, value in FEEDS.items() if name in after.graph.parameters or name in after.graph.inputs
    }
    old, new = tg.evaluate(before, FEEDS), tg.evaluate(after, known or {})
    assert (after.shape, after.batched, after.kind) == (before.shape, before.batched, before.kind)
    if known or not before.batched:
        np.testing.assert_array_equal(np.broadcast_to(new, np.shape(old)), old)


@pytest.mark.parametrize(("rule", "number"), CASES)
def test_a_rule_fires_and_is_exact(rule, number):
    wanted = SIMPLER[rule][number]
    root = wanted.build(leaves())
    after = simplify(root)
    tg.validate(after.graph)
    assert_equal_values(root, after.roots)
    left = [name for name in operations(after.roots) if name not in ("concatenate", "slice")]
    assert left == list(wanted.left)


def test_every_rule_has_a_case():
    assert set(SIMPLER) == set(RULES)
    assert all(SIMPLER.values())


@pytest.mark.parametrize("name", KEPT)
def test_what_is_simple_already_is_kept(name):
    root = KEPT[name](leaves())
    after = simplify(root)
    assert operations(after.roots) == operations(root)
    assert_equal_values(root, after.roots)


def test_a_zero_of_a_batch_still_has_one_value_per_example():
    """0 * x is batched if x is, also where x itself is gone from the tape."""
    nodes = leaves()
    loss = tg.sum(nodes["x"] * 0) + nodes["s"]
    after = simplify(loss)
    assert "x" not in after.graph.inputs
    assert tg.evaluate(after.roots, {"s": FEEDS["s"]}).tolist() == FEEDS["s"].tolist()


def test_simplification_reaches_through_rounds():
    """What a rule leaves is looked at by the rules of its users."""
    nodes = leaves()
    x = nodes["x"]
    after = simplify(tg.neg(tg.neg((x * 1 + 0) ** 1)) - (x * 0))
    assert operations(after.roots) == []


def test_gradients_lose_their_ones_and_zeros():
    net = tg.unroll(models.lstm, 3, I=2, H=3)
    gradients = tg.grad(tg.sum(net.h[3]), net.parameters)
    before = len(cone(gradients.values()))
    assert len(simplify(gradients).graph) < before


def test_labelled_nodes_outlive_their_simplification():
    nodes = leaves()
    with nodes["x"].graph.at(step=3):
        h = nodes["x"].graph.relabel(nodes["x"] * 1, "h")
    after = simplify(h * 2)
    assert (after.of(h).name, after.of(h).op.name) == ("h_3", "identity")


# Sharing
def test_equal_applications_become_one():
    nodes = leaves()
    x, z = nodes["x"], nodes["b"]
    root = (1 - z) * x + (1 - z) * (x + z) + tg.sum(x, axis=0) * tg.sum(x, axis=-1)
    after = share(root)
    assert operations(root).count("sub") == 2
    assert operations(after.roots).count("sub") == 1
    assert operations(after.roots).count("sum") == 1
    assert_equal_values(root, after.roots)


def test_sharing_goes_on_above_what_is_shared():
    x = leaves()["x"]
    root = tg.exp(tg.tanh(x)) * tg.exp(tg.tanh(x))
    assert operations(share(root).roots) == ["tanh", "exp", "mul"]


def test_applications_that_differ_stay_apart():
    nodes = leaves()
    M, x, b = nodes["M"], nodes["x"], nodes["b"]
    root = (
        tg.sum(tg.sum(M, axis=0) - tg.sum(M, axis=0, keepdims=True)) + tg.sum((x - b) * (b - x)) + tg.sum(x**2 - x**3)
    )
    after = share(root)
    assert operations(after.roots) == operations(root)
    assert_equal_values(root, after.roots)


def test_anchors_stay_apart():
    """Two states that are the same value are two nodes, each with its own label."""
    nodes = leaves()
    g, x = nodes["x"].graph, nodes["x"]
    value = tg.tanh(x)
    with g.at(step=1):
        h, c = tg.identity(value, name="h"), tg.identity(value, name="c")
    after = share([h, c])
    assert after.of(h) is not after.of(c)
    assert [node.name for node in after.roots] == ["h_1", "c_1"]
    assert after.of(h).args == after.of(c).args


@pytest.mark.parametrize("name", PASSES)
def test_jacobians_between_states_are_those_of_before(name):
    """Where two states are one value, the Jacobian by one of them holds the other fixed, also after a pass."""

    @tg.cell
    def twin(x: Input["H"], h: State["H"], c: State["H"], U: Param["H H"]):
        """Both new states are the same value."""
        value = tg.tanh(x + U @ h + c)
        return value, value

    net = tg.unroll(twin, 2, H=3)
    after = PASSES[name]([net.h[2], net.c[2]])
    feeds = {"U": np.diag([1.0, 2, 3]), "x": np.ones((2, 3))}
    for output, wrt in ((net.h[2], net.h[1]), (net.h[2], net.c[1]), (net.c[2], net.c[1]), (net.c[2], net.h[2])):
        expected = tg.evaluate(tg.jacobian(output, wrt), feeds)
        found = tg.evaluate(tg.jacobian(after.of(output), after.of(wrt)), feeds)
        np.testing.assert_allclose(found, expected, atol=1e-14, err_msg=f"d {output.name} / d {wrt.name}")


def test_a_label_keeps_its_step_where_copies_merge():
    """The first copy has no label and stands at another step."""
    x = leaves()["x"]
    with x.graph.at(step=1):
        plain = tg.tanh(x)
    with x.graph.at(step=2, scope="head"):
        named = tg.tanh(x, name="y")
    after = share([plain, named])
    assert (after.of(named).name, after.of(named).scope) == ("y_2", "head")
    assert (after.of(plain).step, after.of(plain).label) == (1, "")


def test_labelled_copies_stay_apart():
    """A derivative by one of them holds the other fixed, as before."""
    x = leaves()["x"]
    a, b = tg.tanh(x, name="a"), tg.tanh(x, name="b")
    after = share([a, b])
    assert [node.label for node in after.roots] == ["a", "b"]
    assert after.of(a) not in cone([after.of(b)])


def test_parameters_and_inputs_are_never_merged():
    g = tg.Graph()
    a, b = g.parameter("a", (2,)), g.parameter("b", (2,))
    after = share(a * b + g.input("c", (2,)) * g.input("d", (2,)))
    assert set(after.graph.parameters) == {"a", "b"}
    assert set(after.graph.inputs) == {"c", "d"}
    assert len({*after.graph.parameters.values(), *after.graph.inputs.values()}) == 4


def test_the_gradient_of_a_gru_is_shared():
    net = tg.unroll(models.gru, 3, I=2, H=3)
    roots = [net.h[3], tg.grad(tg.sum(net.h[3]), net.parameters)]
    nodes = cone([net.h[3], *roots[1].values()])
    assert len(share(roots).graph) < len(nodes)


# The dead
def test_the_dead_are_dropped():
    nodes = leaves()
    root = tg.tanh(nodes["x"])
    tg.exp(nodes["s"] * nodes["r"])
    after = eliminate_dead(root)
    assert [node.op.name for node in after.graph] == ["input", "tanh"]
    assert (list(after.graph.inputs), list(after.graph.parameters)) == (["x"], [])


def test_the_living_stay_in_order():
    net = tg.unroll(models.lstm, 3, I=2, H=3)
    living = cone([net.h[2]])
    after = eliminate_dead(net.h[2])
    kept = [after.of(node).id for node in living]
    assert kept == sorted(kept)
    assert [node.op.name for node in after.graph if not node.op.leaf] == [n.op.name for n in living if not n.op.leaf]


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_says_what_it_does(name):
    """Its docstring is `before -> after`, and it stands in a file of its own."""
    assert "->" in PASSES[name].__doc__
    modules = [function.__module__ for function in PASSES.values()]
    assert modules.count(PASSES[name].__module__) == 1
