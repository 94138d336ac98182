"""Any net rolls and unrolls to itself; its rolled size does not depend on time; what it merges is independent."""

from __future__ import annotations

from typing import Any

import pytest
from graph.samples import random_feeds
from helpers.isomorphism import assert_isomorphic
from hypothesis import given, settings
from hypothesis import strategies as st
from rolling.checks import above, assert_antichains, assert_reads, assert_same_values, check, sequential
from rolling.nets import CELLS, NETS, Hand, with_gradient

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import GraphError, UsageError
from tinygraph.graph import Node, cone
from tinygraph.nest import leaves
from tinygraph.rolling import NodeClass, rerolling, unification
from tinygraph.rolling.keys import Keys

# The shortest length from which on the rolled size stays, and after how many steps it is the same again: a net with
# a loss at every third step rolls to one of three sizes. Second derivatives have more boundary cases. By default 5, 1.
SETTLES = {
    "some_losses": (18, 3),
    "jordan forced at times": (12, 2),
    "truncated": (12, 2),
    "hessian_product": (7, 1),
    "rntn plain": (6, 1),
}
GROWS = {
    "attention": "each position is a slice with an index of its own",
    "tree": "its shape is drawn anew for each size",
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_a_net_rolls_and_unrolls(name, steps):
    check(NETS[name](steps))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_a_net_of_any_length_rolls_and_unrolls(name):
    for steps in (*range(1, 13), 17, 23, 31, 40, 50) if name != "attention" else range(1, 12):
        check(NETS[name](steps))


@pytest.mark.parametrize("name", NETS)
def test_the_rolled_size_does_not_depend_on_time(name):
    """Neither the classes, nor the patterns in which they read, nor the cycles."""
    if name in GROWS:
        pytest.skip(GROWS[name])
    shortest, period = SETTLES.get(name, (4 if name in CELLS else 5, 1))
    one, two, three = (size(tg.roll(NETS[name](shortest + k * period))) for k in (0, 1, 6))
    assert one == two == three


def size(rolled: tg.Rolled) -> tuple[Any, ...]:
    reads = sum(len(c.reads) for c in rolled.classes)
    return len(rolled.classes), reads, [len(cycle) for cycle in rolled.cycles], rolled.recurrences


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("batch", [None, 3])
def test_values_are_kept(name, batch):
    roots = NETS[name](4)
    graph = leaves(roots)[0].graph
    unrolled = tg.roll(roots).unroll()
    new = leaves(unrolled)[0].graph
    feeds = {k: v for k, v in random_feeds(graph, batch=batch).items() if k in new.inputs or k in new.parameters}
    assert_same_values(roots, unrolled, feeds)


@pytest.mark.parametrize("name", NETS)
def test_every_cycle_is_one_of_nodes(name):
    """Of the classes on a cycle some are read by themselves, along nodes, not only along classes."""
    rolled = tg.roll(NETS[name](9))
    found = sequential(rolled)
    for cycle in rolled.cycles:
        assert found & set(cycle)
        spurious = [n for n in cycle if n not in found and len(rolled.classes[n]) > 1]
        assert spurious == []


# What is found, net by net
CYCLES = {
    "two layers": 4,
    "three layers": 6,
    "bidirectional": 4,
    "own_weights": 4,
    "shared_weights": 2,
    "summed_one_by_one": 3,  # the state, the loss, the gradient
    "tied_layers": 4,
    "hessian_product": 4,  # the state, its tangent, and both backward
    "no_weights": 1,
    **{name: 1 for name in CELLS if name.startswith("elman_step")},  # no gradient goes back through thresholds
    "no_repetition": 0,
    "jordan forced": 0,
    "jordan free": 2,
    "jordan forced at times": 0,
    "output_as_bias": 0,
}


@pytest.mark.parametrize("name", [*CELLS, *CYCLES])
def test_each_sweep_is_one_cycle(name):
    """Forward and backward, of each layer and direction, and none where time has collapsed."""
    assert len(tg.roll(NETS[name](12)).cycles) == CYCLES.get(name, 2)


@pytest.mark.parametrize("name", NETS)
def test_each_product_class_has_one_weight(name):
    """U_i h and U_f h are two parts of a net."""
    for c in tg.roll(NETS[name](6)).classes:
        for read in c.reads if c.op.name == "matmul" else []:
            weights = {
                node.args[read.slots[0]] for node in c.members if node.args[read.slots[0]].op.name == "parameter"
            }
            assert len(weights) < 2


@pytest.mark.parametrize(
    ("name", "delays"),
    [
        ("elman plain", {(1,)}),
        ("lstm plain", {(1,)}),
        ("gru plain", {(1,)}),
        ("skip", {(1, 2)}),
        ("twice_a_step", {(1,)}),
    ],
)
def test_delays_forward(name, delays):
    assert set(tg.roll(NETS[name](20)).recurrences[0].values()) == delays


def test_delays_by_name():
    def names(cell: str) -> Any:
        net = tg.unroll(models.CELLS[cell], 6, I=2, H=3)
        return tg.roll([series[6] for series in (net.series[s] for s in net.cell.states)]).recurrences

    assert names("elman") == [{"h": (1,)}]
    assert names("lstm") == [{"c": (1,), "h": (1,)}]
    assert names("gru") == [{"h": (1,)}]


def test_a_gradient_runs_in_the_order_of_its_net():
    """Its delays are negative: it reads what is later."""
    forward, backward = tg.roll(NETS["lstm plain"](7)).recurrences
    assert {d for found in forward.values() for d in found} == {1}
    assert {d for found in backward.values() for d in found} == {-1}


def test_two_directions():
    found = [set(r.values()) for r in tg.roll(NETS["bidirectional"](7)).recurrences]
    assert sorted(map(sorted, found)) == [[(-1,)], [(-1,)], [(1,)], [(1,)]]


@pytest.mark.parametrize("name", CELLS)
def test_times_are_those_of_the_net(name):
    """Time is found from the edges alone, and it is the time step that the nodes were made in.

    In the gradient what is made with the cotangent of h_{t-1}, such as a product with U^T, may count as step t.
    """
    rolled = tg.roll(NETS[name](7))
    checked = 0
    for c in rolled.classes:
        if c.first is not None and c.members[0].step is not None and not c.members[0].backward:
            assert [node.step for node in c.members] == list(range(c.first, c.first + len(c)))
            checked += len(c)
    assert checked > 7 * 8
    wrong = [c for c in rolled.classes if c.first and c.members[0].step and c.members[0].step != c.first]
    assert {c.members[0].step - c.first for c in wrong} <= {1}


def test_a_net_without_repetition_is_itself():
    rolled = check(NETS["no_repetition"](1))
    assert {len(c) for c in rolled.classes} == {1}


def test_one_leaf():
    x = tg.Graph().input("x", (2,))
    rolled = check(x)
    assert (len(rolled.classes), rolled.cycles, rolled.recurrences) == (1, [], [])


def test_early_and_late():
    """What an LSTM knows before its cycle begins: W x + b of all gates, all local derivatives."""
    rolled = tg.roll(NETS["lstm plain"](7))
    forward, backward = rolled.cycles
    for cycle in (forward, backward):
        for number in cycle:
            c = rolled.classes[number]
            late = rolled.late(c)
            assert late or len(c) == 1
            assert {read.source for read in late} <= set(cycle)
            assert {read.source for read in c.reads if read not in late}.isdisjoint(cycle)
    early = {rolled.names[read.source] for n in forward for read in rolled.classes[n].reads} - {
        rolled.names[n] for n in forward
    }
    assert {"b_i", "b_f", "b_g", "b_o"} <= early
    assert [rolled.late(c) for c in rolled.classes if not c.cyclic] == [[]] * sum(not c.cyclic for c in rolled.classes)


def test_depths():
    """Nodes of one depth depend on none of each other; both directions of a net have the same depths."""
    rolled = tg.roll(NETS["bidirectional"](6))
    found = [rolled.depths(cycle) for cycle in rolled.cycles]
    for depths in found:
        for number, own in depths.items():
            for node, depth in zip(rolled.classes[number].members, own, strict=True):
                within = [
                    depths[rolled.of(arg)[0].number][rolled.of(arg)[1]]
                    for arg in node.args
                    if rolled.of(arg)[0].number in depths
                ]
                assert depth == 1 + max(within, default=-1)
    lengths = sorted(1 + max(d for own in depths.values() for d in own) for depths in found)
    assert lengths == [2 * 6 + 5, 2 * 6 + 5, 4 * 6 - 1, 4 * 6 - 1] or len(set(lengths)) == 2


@pytest.mark.parametrize("name", ["lstm masked", "bidirectional", "tied_layers", "attention", "peephole"])
def test_names_and_steps_are_not_looked_at(name):
    """Without any provenance the classes are the same."""
    roots = NETS[name](6)
    before = tg.roll(roots)
    graph = leaves(roots)[0].graph
    graph.provenance[:] = [tg.graph.node.Provenance()] * len(graph)
    after = tg.roll(roots)
    assert [c.members for c in after.classes] == [c.members for c in before.classes]
    assert [(c.reads, c.first) for c in after.classes] == [(c.reads, c.first) for c in before.classes]


def test_it_is_deterministic():
    one, two = (tg.roll(NETS["attention"](5)) for _ in range(2))
    assert [[n.id for n in c.members] for c in one.classes] == [[n.id for n in c.members] for c in two.classes]
    assert str(one) == str(two)


# Random graphs
@settings(max_examples=100, deadline=None, derandomize=True)
@given(steps=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=25))
def test_random_graphs(steps):
    g = tg.Graph()
    W, p = g.parameter("W", (3, 3)), g.parameter("p", (3,))
    nodes: list[Node] = [*g.sequence("x", 3, (3,)).values(), g.input("v", (3,)), p, g.constant("", zeros=(3,))]
    for kind, i, j in steps:
        a, b = nodes[-1 - i % min(len(nodes), 6)], nodes[-1 - j % min(len(nodes), 6)]
        nodes.append((tg.tanh(a), W @ a, a @ W, a + b, a * b, 1 - a, tg.add([a, b, p]), tg.sum(a) * b)[kind])
    loss = tg.sum(nodes[-1])
    roots = [loss, nodes[-3:], tg.grad(loss, {"W": W, "p": p})]
    rolled = check(roots)
    repr(rolled), str(rolled)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(body=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=8))
def test_random_cells(body):
    """A drawn cell, unrolled: from some length on its rolled size stays."""

    def roots(steps: int) -> Any:
        g = tg.Graph()
        U, W, b = g.parameter("U", (3, 3)), g.parameter("W", (3, 3)), g.parameter("b", (3,))
        x, h = g.sequence("x", steps, (3,)), g.constant("h_0", zeros=(3,))
        for t in x:
            nodes = [W @ x[t], U @ h]
            for kind, i, j in body:
                p, q = nodes[i % len(nodes)], nodes[j % len(nodes)]
                nodes.append((p + q, p * q, tg.tanh(p), tg.sigmoid(q) * p, p - q, p + b)[kind])
            h = tg.tanh(tg.add([nodes[-1], nodes[1]]))
        return with_gradient(tg.sum(h))

    sizes = [len(check(roots(steps)).classes) for steps in (6, 9, 12)]
    assert sizes[1] == sizes[2]


# Length
@pytest.mark.slow
def test_a_hundred_thousand_nodes():
    net = tg.unroll(models.elman, 4000, I=2, H=2)
    loss = models.softmax_cross_entropy(models.readout(net, 2))
    roots = [loss, tg.grad(loss, net.parameters)]
    assert len(cone(leaves(roots))) > 10**5
    assert size(tg.roll(roots)) == size(tg.roll(NETS["elman plain"](6)))


@pytest.mark.slow
def test_a_million_nodes():
    net = tg.unroll(models.elman, 40_000, I=1, H=1)
    loss = models.softmax_cross_entropy(models.readout(net, 2))
    roots = [loss, tg.grad(loss, net.parameters)]
    assert len(cone(leaves(roots))) > 10**6
    rolled = tg.roll(roots)
    assert size(rolled) == size(tg.roll(NETS["elman plain"](6)))
    assert_isomorphic(leaves(roots), leaves(rolled.unroll()))


@pytest.mark.parametrize("depth", [1000])
def test_long_graphs_that_do_not_repeat_as_nets_do(depth):
    """A chain, a chain of sums of everything before, and one long sum: nothing recurses, nothing is quadratic."""
    g = tg.Graph()
    x = h = g.input("x", (1,))
    for k in range(depth):
        h = tg.sin(h) if k % 2 else h * x
    ends = [tg.exp(h * k) for k in range(depth)]
    check([h, tg.add(ends)])


# Wrong use
def test_wrong_use():
    a, b = tg.Graph().input("x"), tg.Graph().input("x")
    with pytest.raises(GraphError, match="different tapes"):
        tg.roll([a, b])
    for nothing in ([], 3, [a, "b"], None):
        with pytest.raises(UsageError):
            tg.roll(nothing)
    with pytest.raises(UsageError, match="nothing for this node"):
        tg.roll(a).of(b)
    with pytest.raises(UsageError, match="knows nodes"):
        tg.roll(a).of("x")


# The checks can fail
def test_uniting_different_operations_is_caught(monkeypatch):
    """tanh with sigmoid."""
    roots = NETS["lstm plain"](4)
    nodes = cone(leaves(roots))

    def wrong(*given: Any) -> list[int]:
        of = unification.unify(*given)
        tanh, sigmoid = (next(of[i] for i, n in enumerate(nodes) if n.op.name == name) for name in ("tanh", "sigmoid"))
        return [min(tanh, sigmoid) if name in (tanh, sigmoid) else name for name in of]

    monkeypatch.setattr(rerolling, "unify", wrong)
    with pytest.raises(AssertionError):
        check(roots)


def test_uniting_different_weights_is_caught(monkeypatch):
    """Keys that do not say which weight is read: U_i h_t is taken for U_f h_t. It unrolls, but all is one tangle."""

    def blind(nodes: Any, args: Any) -> Keys:
        numbers: dict[Any, int] = {}
        looks = [(n.op.name, n.shape, n.batched, n.kind, len(n.args), n.op.leaf and n.id) for n in nodes]
        of = [numbers.setdefault(look, len(numbers)) for look in looks]
        products = (k for k, n in zip(of, nodes, strict=True) if n.op.name == "matmul")
        return Keys(of, frozenset(products), frozenset())

    monkeypatch.setattr(rerolling, "keys_of", blind)
    assert check(NETS["lstm plain"](4))
    with pytest.raises(AssertionError):
        test_each_product_class_has_one_weight("lstm plain")


def test_a_pattern_that_is_one_off_is_caught():
    rolled = tg.roll(NETS["elman plain"](6))
    cycle = rolled.cycles[0]
    read = next(r for n in cycle for r in rolled.late(rolled.classes[n]) if len(r.members) == 5 and r.start == 0)
    object.__setattr__(read, "start", 1)
    object.__setattr__(read, "members", range(read.members[0], read.members[-1]))
    with pytest.raises(AssertionError):
        assert_reads(rolled)


def test_a_cycle_taken_for_none_is_caught():
    rolled = tg.roll(NETS["elman plain"](6))
    wrong = tuple(NodeClass(c.number, c.members, c.first, c.reads, c.component, False, c.level) for c in rolled.classes)
    with pytest.raises(AssertionError, match="reads itself"):
        assert_antichains(tg.Rolled(rolled.roots, wrong, rolled.components))


def test_a_shifted_weight_is_no_isomorphism():
    """The isomorphism sees the order of operands, attributes, parameters, and a node shared or not."""

    def nets() -> dict[str, Node]:
        net = Hand()
        h, x = net.step(net.x(1), net.start), net.x(2)
        P = net.graph.parameter("P", (3, 3))
        return {
            "right": net.U @ h + net.W @ x, "order": net.W @ x + net.U @ h, "weight": P @ h + net.W @ x,
            "power": h**2, "cube": h**3, "shared": h * h, "copied": h * net.step(net.graph.inputs["x_1"], net.start),
        }  # fmt: skip

    for a, b in (
        ("right", "order"),
        ("right", "weight"),
        ("power", "cube"),
        ("shared", "copied"),
        ("copied", "shared"),
    ):
        with pytest.raises(AssertionError):
            assert_isomorphic([nets()[a]], [nets()[b]])
        assert_isomorphic([nets()[a]], [nets()[a]])


def test_paths_are_seen():
    """`above` against networkx."""
    networkx = pytest.importorskip("networkx")
    rolled = tg.roll(NETS["tree"](3))
    edges = leaves(rolled.roots)[0].graph.to_networkx(leaves(rolled.roots))
    for node, bits in above(rolled).items():
        numbers = {rolled.of(leaves(rolled.roots)[0].graph.nodes[a])[0].number for a in networkx.ancestors(edges, node)}
        assert bits == sum(1 << n for n in numbers)
