"""The reference interpreter: numbers of each dtype, batches, structures, what is copied and what is let go."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import sympy
from graph.samples import BATCH, SIZE, STEPS, each_net, every_row, random_feeds, trained
from helpers.cases import cases, draw, rows
from helpers.zoo import few

import tinygraph as tg
from tinygraph import models
from tinygraph.nest import leaves

REAL = {"float64": np.float64, "float32": np.float32, "complex128": np.complex128}


def elman_by_hand(values, x, h):
    """h_t for all t, for one example, in plain NumPy."""
    states = []
    for x_t in x:
        h = np.tanh(values["W"] @ x_t + values["U"] @ h + values["b"])
        states.append(h)
    return np.array(states)


@pytest.fixture
def net():
    return tg.unroll(models.elman, STEPS, I=2, H=SIZE)


def feeds_of(net, *batch):
    rng = np.random.default_rng(0)
    return net.initial(seed=0) | {"b": rng.standard_normal(SIZE), "x": rng.standard_normal((STEPS, *batch, 2))}


# Batches and the order of feeds
def test_feeds_are_time_batch_features(net):
    """Each example is what it would be alone, in plain NumPy."""
    feeds = feeds_of(net, BATCH)
    found = np.array(tg.evaluate([net.h[t] for t in (1, 2, 3)], feeds))
    for b in range(BATCH):
        expected = elman_by_hand(feeds, feeds["x"][:, b], np.zeros(SIZE))
        np.testing.assert_allclose(found[:, b], expected, rtol=1e-14)


def test_without_a_batch(net):
    feeds = feeds_of(net)
    found = tg.evaluate(net.h[3], feeds)
    np.testing.assert_allclose(found, elman_by_hand(feeds, feeds["x"], np.zeros(SIZE))[-1], rtol=1e-14)


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_sizes_of_the_batch(net, batch):
    feeds = feeds_of(net, batch)
    states, total = tg.evaluate([net.h[3], tg.sum_batch(net.h[3])], feeds)
    assert states.shape == (batch, SIZE)
    np.testing.assert_allclose(total, states.sum(axis=0), rtol=1e-14, atol=1e-15)


@each_net("name", "how")
def test_a_batch_is_its_examples(name, how):
    """The outputs of a cell in a batch are those of its examples one by one."""
    sample = trained(name, how)
    together = tg.evaluate(sample.roots["output"], sample.feeds)
    batched = [
        n for n, leaf in sample.graph.inputs.items() if (leaf if isinstance(leaf, tg.Node) else leaf.last).batched
    ]
    for b in range(BATCH):
        alone = dict(sample.feeds)
        for key in batched:
            axis = 0 if isinstance(sample.graph.inputs[key], tg.Node) else 1
            alone[key] = np.take(sample.feeds[key], b, axis)
        singles = tg.evaluate(sample.roots["output"], alone)
        for node, found, expected in zip(sample.roots["output"], singles, together, strict=True):
            np.testing.assert_allclose(found, expected[b] if node.batched else expected, rtol=1e-13, atol=1e-14)


def test_an_unbatched_input_is_shared_by_the_batch():
    g = tg.Graph()
    x, k = g.input("x", (2,)), g.input("k", (2,), batched=False)
    value = tg.evaluate(x * k, {"x": np.ones((5, 2)), "k": [1, 2]})
    assert value.tolist() == [[1, 2]] * 5


def test_a_feed_by_node(net):
    """A parameter, an input, or one step of a sequence may be fed by its node."""
    feeds = feeds_of(net, BATCH)
    by_node = {net.parameters[name]: feeds[name] for name in net.parameters}
    by_node |= {net.x[t]: feeds["x"][t - 1] for t in net.x}
    np.testing.assert_array_equal(tg.evaluate(net.h[3], by_node), tg.evaluate(net.h[3], feeds))


def test_feeds_that_are_not_needed_are_allowed(net):
    feeds = feeds_of(net)
    assert tg.evaluate(net.parameters["b"], feeds).tolist() == feeds["b"].tolist()


def test_lists_and_python_numbers_may_be_fed():
    g = tg.Graph()
    y = g.input("x", (2,)) * g.parameter("a") + tg.real(g.input("n", kind="integer"))
    assert tg.evaluate(y, {"x": [1, 2], "a": 3, "n": 4}).tolist() == [7, 10]


# Structure and copies
def test_the_structure_of_the_outputs_is_kept(net):
    feeds = feeds_of(net)
    h = net.h
    found = tg.evaluate({"a": [h[1], (h[2], {"b": h[3]})], "c": h[0], "d": [], "e": {}}, feeds)
    assert (list(found), type(found["a"]), type(found["a"][1]), found["d"], found["e"]) == (
        list("acde"),
        list,
        tuple,
        [],
        {},
    )
    for value, node in zip(leaves(found), (h[1], h[2], h[3], h[0]), strict=True):
        np.testing.assert_array_equal(value, tg.evaluate(node, feeds))


def test_a_series_of_a_net_is_a_structure(net):
    found = tg.evaluate(net.output, feeds_of(net))
    assert list(found) == [1, 2, 3]


def test_nothing_asked_nothing_computed():
    assert tg.evaluate([]) == []
    assert tg.evaluate({"a": {}}) == {"a": {}}


def test_a_node_asked_twice_is_two_values(net):
    first, second = tg.evaluate([net.h[1], net.h[1]], feeds_of(net))
    first[:] = 0
    assert np.any(second != 0)


VIEWS = {
    "leaf": lambda x: x, "identity": lambda x: tg.identity(x), "slice": lambda x: x[:], "transpose": lambda x: x.T,
    "reshape": lambda x: tg.reshape(tg.reshape(x, (1, 3)), (3,)), "stop": lambda x: tg.stop_gradient(x),
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_results_are_copies(view):
    """Changing a result changes neither a feed nor a constant of the graph."""
    function = VIEWS[view]
    g = tg.Graph()
    x, k = g.input("x", (3,)), g.constant("k", [1.0, 2.0, 3.0])
    data = np.array([1.0, 2.0, 3.0])
    for node in (function(x), function(k)):
        result = tg.evaluate(node, {"x": data})
        result[:] = 99
        assert data.tolist() == [1, 2, 3]
        assert tg.evaluate(node, {"x": data}).tolist() == [1, 2, 3]


def test_running_does_not_change_the_feeds():
    sample = every_row(stride=4)
    before = {name: np.array(value) for name, value in sample.feeds.items()}
    tg.evaluate(sample.roots, sample.feeds)
    for name, value in sample.feeds.items():
        np.testing.assert_array_equal(value, before[name])


def test_running_does_not_grow_the_tape(net):
    size = len(net.graph)
    tg.evaluate(net.h[3], feeds_of(net))
    assert len(net.graph) == size


def test_equal_runs_are_equal_to_the_bit(net):
    feeds = feeds_of(net, BATCH)
    gradients = tg.grad(tg.sum(net.h[3]), net.parameters)
    first, second = tg.evaluate(gradients, feeds), tg.evaluate(gradients, feeds)
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


# Dtypes
@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("name", rows())
def test_each_kind_has_its_dtype(name, dtype):
    """Reals have the dtype of the run, integers and booleans their own, in every row."""
    for case in cases(tg.OPS[name])[::3]:
        sample_graph = tg.Graph()
        operands = [
            sample_graph.input(f"x{i}", shape, kind=kind, batched=batched)
            for i, (shape, kind, batched) in enumerate(zip(case.shapes, case.kinds, case.batched, strict=True))
        ]
        feeds = {f"x{i}": v for i, v in enumerate(draw(case, np.random.default_rng(0)))}
        output = case.op(*operands, **case.attrs)
        found = np.asarray(tg.evaluate(output, feeds, dtype=dtype))
        wanted = {"real": REAL[dtype], "integer": np.int64, "boolean": np.bool_}[output.kind]
        assert found.dtype == wanted, case


@each_net("name", "how")
def test_float32_is_near_float64(name, how):
    sample = trained(name, how)
    exact = leaves(tg.evaluate(sample.roots, sample.feeds))
    rough = leaves(tg.evaluate(sample.roots, sample.feeds, dtype="float32"))
    for a, b in zip(exact, rough, strict=True):
        assert b.dtype == np.float32
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-6)


def test_float32_is_rounded():
    """So that it is not float64 under another name."""
    g = tg.Graph()
    third = g.input("x") / 3
    exact, rough = (tg.evaluate(third, {"x": 1.0}, dtype=dtype) for dtype in ("float64", "float32"))
    assert exact == 1 / 3
    assert rough == np.float32(1) / np.float32(3) != exact


def test_integers_are_never_cast():
    """2^24 + 1 has no float32; as an integer it goes through such a run unharmed."""
    g = tg.Graph()
    big = 2**24 + 1
    n = g.input("n", (2,), kind="integer")
    k = g.constant("k", [big, 2**53 + 1], kind="integer")
    found = tg.evaluate([n[::1], tg.concatenate([n, k]), tg.equal(n, k)], {"n": [big, 2**53 + 1]}, dtype="float32")
    assert [value.dtype for value in found] == [np.int64, np.int64, np.bool_]
    assert found[1].tolist() == [big, 2**53 + 1] * 2
    assert found[2].tolist() == [True, True]


def test_indices_of_a_large_table_in_float32():
    g = tg.Graph()
    table = g.constant("table", zeros=(2**24 + 2,))
    index = g.input("n", kind="integer")
    one = tg.place(g.input("x", (1,)), index=((2**24 + 1, 2**24 + 2, 1),), shape=(2**24 + 2,))
    value = tg.evaluate(tg.gather(table + one, index), {"n": 2**24 + 1, "x": [5.0]}, dtype="float32")
    assert value == 5


def test_ratios_are_converted_once():
    """A third in float32 is the nearest float32 to 1/3, not a float64 rounded twice or an object."""
    g = tg.Graph()
    third = tg.evaluate(g.number(Fraction(1, 3)), dtype="float32")
    assert third.dtype == np.float32
    assert third == np.float32(1 / 3)


def test_the_dtype_may_be_numpys(net):
    feeds = feeds_of(net)
    for dtype in (np.float32, np.dtype("float32")):
        assert tg.evaluate(net.h[1], feeds, dtype=dtype).dtype == np.float32


def test_complex_runs_extend_real_ones():
    """Where the imaginary part is 0 the real part is the same, and a holomorphic net is differentiated by it."""
    net = tg.unroll(models.elman, 2, I=2, H=SIZE)
    feeds = net.initial(seed=0) | {"x": np.full((2, 2), 0.5)}
    real, complex_ = (tg.evaluate(net.h[2], feeds, dtype=dtype) for dtype in ("float64", "complex128"))
    np.testing.assert_allclose(complex_.real, real, rtol=1e-14)
    assert not complex_.imag.any()
    moved = feeds | {"b": feeds["b"] + 1e-30j * np.eye(SIZE)[0]}
    slope = tg.evaluate(net.h[2], moved, dtype="complex128").imag / 1e-30
    expected = tg.evaluate(tg.jacobian(net.h[2], net.parameters["b"]), feeds)[:, 0]
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


def test_sympy_gives_formulas():
    g = tg.Graph()
    x, W = g.input("x", (2,)), g.parameter("W", (2, 2))
    a, b, c, d, u, v = sympy.symbols("a b c d u v")
    feeds = {"x": np.array([u, v]), "W": np.array([[a, b], [c, d]])}
    found = tg.evaluate(tg.tanh(W @ x) + Fraction(1, 2), feeds, dtype="sympy")
    half = sympy.Rational(1, 2)
    assert found.tolist() == [sympy.tanh(a * u + b * v) + half, sympy.tanh(c * u + d * v) + half]


@pytest.mark.parametrize("name", few())
def test_sympy_agrees_with_numbers(name):
    """One step of each cell as a formula, then with numbers put in, is the step computed with numbers."""
    cell = models.CELLS[name]
    net = tg.unroll(cell, 1, sizes=dict.fromkeys(cell.sizes, 2), initial="fed")
    numbers = random_feeds(net.graph, batch=None)
    symbols, known = {}, {}
    for key, value in numbers.items():
        if np.asarray(value).dtype.kind != "f":
            symbols[key] = value
            continue
        names = [sympy.Symbol(f"{key}_{i}", real=True) for i in range(np.size(value))]
        symbols[key] = np.array(names, dtype=object).reshape(np.shape(value))
        known |= dict(zip(names, np.ravel(value), strict=True))
    formula = tg.evaluate(net.output[1], symbols, dtype="sympy")
    found = [float(entry.subs(known)) for entry in formula.ravel()]
    np.testing.assert_allclose(found, tg.evaluate(net.output[1], numbers).ravel(), rtol=1e-12)


def test_symbols_are_exact():
    g = tg.Graph()
    x = g.input("x")
    value = tg.evaluate((x * 3 - x - 2 * x) + (x / 3) * 3 - x, {"x": np.array(sympy.Symbol("q"))}, dtype="sympy")
    assert sympy.simplify(value.item() if hasattr(value, "item") else value) == 0


# Memory
def test_values_are_let_go_after_their_last_use():
    """A chain of 50 arrays of 1.6 MB needs few of them at once."""
    g = tg.Graph()
    h = g.input("x", (200_000,))
    for _ in range(50):
        h = tg.tanh(h)
    total = tg.sum(h)
    x = np.linspace(0, 1, 200_000)
    tracemalloc.start()
    try:
        tg.evaluate(total, {"x": x})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * x.nbytes


def test_values_that_are_asked_for_are_kept():
    g = tg.Graph()
    h = first = tg.tanh(g.input("x", (4,)))
    for _ in range(5):
        h = tg.tanh(h)
    a, b = tg.evaluate([first, h], {"x": np.ones(4)})
    np.testing.assert_allclose(a, np.tanh(np.ones(4)))
    assert np.all(b < a)


def test_a_long_chain():
    """Nothing recurses: 30,000 steps, with the gradient."""
    g = tg.Graph()
    x = h = g.input("x")
    for _ in range(10_000):
        h = h + 1
    assert tg.evaluate([h, tg.grad(h, x)], {"x": 0}) == [10_000, 1]


# Finite or not
def test_check_finite_lets_good_runs_pass(net):
    feeds = feeds_of(net, BATCH)
    checked = tg.evaluate(net.h[3], feeds, check_finite=True)
    np.testing.assert_array_equal(checked, tg.evaluate(net.h[3], feeds))


@pytest.mark.filterwarnings("error")
def test_without_the_check_a_nan_is_a_value(net):
    """No warning either: a run that overflows says so when it is asked to."""
    feeds = feeds_of(net) | {"b": np.full(SIZE, np.nan)}
    assert np.isnan(tg.evaluate(net.h[3], feeds)).all()
    assert np.isinf(tg.evaluate(tg.exp(net.x[1] * 1000), feeds_of(net) | {"x": np.ones((STEPS, 2))})).all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_the_first_bad_value_is_named(net, step, dtype):
    """An infinity that comes up at step t is told from step t, not from what it spoils later."""
    with net.graph.at(step=step):
        burst = tg.log(net.h[step] * 0, name="burst")
    later = tg.sum(burst * 2)
    with pytest.raises(tg.errors.NonFiniteError, match=rf"(?s)first at burst_{step}, time step {step}.*from"):
        tg.evaluate(later, feeds_of(net), dtype=dtype, check_finite=True)
