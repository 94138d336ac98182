"""Plans: what they merge, what they refuse, how they explain themselves; and a broken scheduler that is caught."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds

import tinygraph as tg
from tinygraph import models
from tinygraph.collection import no_garbage_collection
from tinygraph.errors import FeedError, GraphError, UnknownNameError, UsageError, ValueRangeError
from tinygraph.nest import leaves
from tinygraph.planning import batches, choosing, joining, products

STEPS = 12


def trained(cell: tg.Cell, steps: int = STEPS, **options: Any) -> list[Any]:
    net = tg.unroll(cell, steps, I=3, H=4, **options)
    loss = models.softmax_cross_entropy(models.readout(net, 5))
    return [loss, tg.grad(loss, net.graph.parameters)]


def feeds_of(roots: Any, batch: int | None = 3) -> dict[str, Any]:
    return random_feeds(leaves(roots)[0].graph, batch=batch)


def differs(roots: Any, feeds: dict[str, Any]) -> bool:
    expected, found = leaves(tg.evaluate(roots, feeds)), leaves(tg.plan(roots, dtype="float64")(feeds))
    return any(not np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(expected, found, strict=True))


# What is merged
def calls_in_recurrences(roots: Any) -> dict[int, int]:
    """By the number of calls of a kernel: how many kernels there are."""
    plan = tg.plan(roots)
    plan(feeds_of(roots))
    inside = [k.calls for k in plan.explain().kernels if k.recurrence is not None]
    return {count: inside.count(count) for count in sorted(set(inside))}


@pytest.mark.parametrize(("cell", "forward", "backward"), [(models.elman, 3, 3), (models.lstm, 10, 8)])
def test_calls_of_one_step(cell: tg.Cell, forward: int, backward: int) -> None:
    """elman: U h, + W x + b, tanh; back: + V^T, local derivative, U^T. lstm: the four gates go together."""
    found = calls_in_recurrences(trained(cell))
    assert found[STEPS] + found[STEPS - 1] <= forward + backward + 1


def test_the_inputs_are_multiplied_at_once() -> None:
    plan = tg.plan(trained(models.lstm))
    plan(feeds_of(plan.outputs))
    products = [k for k in plan.explain().kernels if k.function in ("matmul", "dot") and k.recurrence is None]
    assert max(k.nodes for k in products) == 4 * STEPS


def test_products_of_several_long_vectors_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back through the gates of an LSTM: dh = da_i U_i + da_f U_f + ... is one product a step."""
    monkeypatch.setattr(joining, "LONG", 4)
    plan = tg.plan(trained(models.lstm))
    plan(feeds_of(plan.outputs))
    found = [k for k in plan.explain().kernels if k.recurrence is not None and k.function in ("matmul", "dot")]
    back = found[-1]
    assert (back.calls, back.shape, back.flops) == (STEPS - 1, (3, 4), 2 * 3 * (4 * 4) * 4 * (STEPS - 1))


@pytest.mark.parametrize("initial", ["zeros", "learned", "fed"])
@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_the_initial_state_stands_before_the_states(name: str, initial: str) -> None:
    """So that the gradient of the recurrent weights is one product over h_0, h_1, ..."""
    plan = tg.plan(trained(models.CELLS[name], initial=initial))
    plan(feeds_of(plan.outputs))
    found = [k.calls for k in plan.explain().kernels if k.shape[-2:] == (4, 4) and k.function == "matmul"]
    assert found
    assert set(found) == {1}
    assert not any(k.function == "add" and k.shape[-2:] == (4, 4) for k in plan.explain().kernels)


def test_a_longer_net_has_as_many_kernels() -> None:
    counts = []
    for steps in (10, 20, 40):
        plan = tg.plan(trained(models.gru, steps))
        plan(feeds_of(plan.outputs))
        counts.append(len(plan.explain().kernels))
    assert len(set(counts)) == 1


@pytest.mark.parametrize(
    ("write", "calls"),
    [
        (lambda a, b, c, d: a * c + b * c, ["add", "multiply"]),
        (lambda a, b, c, d: a * c - c * b, ["subtract", "multiply"]),
        (lambda a, b, c, d: -(a * c) - b * c + d, ["add", "multiply", "subtract"]),
        (lambda a, b, c, d: a * c * d + d * b * c, ["add", "multiply", "multiply"]),
        (lambda a, b, c, d: a * c + c, ["multiply", "add"]),  # as it is
        (lambda a, b, c, d: a * c + b * d, ["multiply", "add"]),  # both products in one call
    ],
)
def test_common_factors(write: Callable[..., Any], calls: list[str]) -> None:
    g = tg.Graph()
    roots = [write(*(g.input(name, (3,)) for name in "abcd"))]
    plan = tg.plan(roots)
    feeds = feeds_of(roots)
    plan(feeds)
    assert [k.function for k in plan.explain().kernels for _ in range(k.calls)] == calls
    assert not differs(roots, feeds)


def test_a_product_with_another_use_stays() -> None:
    g = tg.Graph()
    a, b, c = (g.input(name, (3,)) for name in "abc")
    used = a * c
    roots = [used + b * c, used]
    plan = tg.plan(roots)
    plan(feeds_of(roots))
    assert sum(k.nodes for k in plan.explain().kernels if k.function == "multiply") == 2


def test_a_cross_entropy_and_its_gradient_take_one_exponential() -> None:
    plan = tg.plan(trained(models.elman))
    plan(feeds_of(plan.outputs))
    functions = [k.function for k in plan.explain().kernels]
    assert functions.count("log") == functions.count("maximum.reduce") == 1
    assert functions.count("exp") == 2  # of log sum exp, and of the logarithm of the softmax
    assert not {"cross_entropy", "softmax", "one_hot"} & set(functions)


@pytest.mark.parametrize("batched", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize("many", [0, choosing.MANY])
def test_cross_entropy(batched: tuple[bool, bool], scale: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of vectors and of several at once, with a batch or without; large scores keep their digits.

    Also as if a vector were many already, whose maxima are found entry by entry.
    """
    monkeypatch.setattr(choosing, "MANY", many)
    g = tg.Graph()
    roots: list[Any] = []
    for k, shape in enumerate([(), (2,), (3, 2)]):
        x = g.input(f"x{k}", (*shape, 4), batched=batched[0])
        y = g.input(f"y{k}", shape, kind="integer", batched=batched[1])
        loss = tg.sum(tg.cross_entropy(scale * x, y)) + tg.sum(tg.log_softmax(x, 0) * tg.softmax(x))
        roots += [loss, tg.grad(loss, x)]
    assert not differs(roots, feeds_of(roots))


def forced(teacher: bool) -> list[Any]:
    """An output-recurrent net h = tanh(W x + R y) (Jordan 1986), y the target or the net's own output."""
    g = tg.Graph()
    W, R, V = (g.parameter(name, shape) for name, shape in (("W", (4, 3)), ("R", (4, 2)), ("V", (2, 4))))
    x, y = g.sequence("x", STEPS, (3,)), g.sequence("y", STEPS, (2,))
    before, losses = g.constant("o_0", zeros=(2,)), []
    for t in range(1, STEPS + 1):
        o = V @ tg.tanh(W @ x[t] + R @ before)
        losses.append(tg.sum((o - y[t]) ** 2))
        before = y[t] if teacher else o
    loss = tg.mean_batch(tg.add(losses))
    return [loss, tg.grad(loss, g.parameters)]


def test_teacher_forcing_collapses_time() -> None:
    free, teacher = (tg.plan(forced(flag)) for flag in (False, True))
    assert any(free.classes.cyclic)
    assert not any(teacher.classes.cyclic)
    assert len(teacher.batches) < STEPS * 4 < len(free.batches)


def test_gates_stand_step_by_step() -> None:
    """What computes the gates of one step sees one row of numbers: the sigmoids, and all four through one tanh."""
    plan = tg.plan(trained(models.lstm))
    plan(feeds_of(plan.outputs))
    calls = [call for call in plan.program(3).calls if call.function is np.tanh and len(call.items) == 4]
    assert len(calls) == STEPS
    assert all(array.shape == (4 * 3 * 4,) and array.flags.c_contiguous for call in calls for array in call.args)


def test_a_bias_stands_where_its_product_is_added() -> None:
    """Of a lone product over all steps; the gates of an LSTM are one product of all, which has no sum for nothing."""
    for cell, gemms in ((models.elman, 2), (models.lstm, 1)):
        plan = tg.plan(trained(cell))
        plan(feeds_of(plan.outputs))
        outside = [k for k in plan.explain().kernels if k.recurrence is None]
        assert sum("gemm" in k.function for k in outside) == gemms


def test_large_products_are_numpys_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads of two libraries would stand in each other's way; small products start none."""
    monkeypatch.setattr(products, "SMALL", 100)
    for cell in (models.elman, models.lstm):
        plan = tg.plan(trained(cell))
        plan(feeds_of(plan.outputs))
        sizes = [args[1].shape[1] * args[4].size for _, args in calls_of_blas(plan)]
        assert sizes
        assert max(sizes) <= 100
        assert not differs(plan.outputs, feeds_of(plan.outputs))


def calls_of_blas(plan: tg.Plan) -> list[tuple[Any, Any]]:
    calls = plan.program(3).calls
    return [(call.function, call.args) for call in calls if "gem" in getattr(call.function, "__name__", "")]


def test_products_of_short_vectors_are_added_to_what_the_loss_gives() -> None:
    """dh = V^T dy + da_i U_i + ... of an LSTM stands in the place of its first term, though dh_T is that alone."""
    plan = tg.plan(trained(models.lstm))
    plan(feeds_of(plan.outputs))
    found = [k for k in plan.explain().kernels if k.recurrence is not None and "gemm" in k.function]
    assert [(k.calls, k.nodes) for k in found][-1] == (4 * (STEPS - 1), STEPS - 1)
    assert not any(k.function == "positive" for k in plan.explain().kernels)


def test_values_that_pass_by_share_their_room() -> None:
    """Room for the states and what the gradient needs grows with T, room for the rest does not."""
    roots = trained(models.lstm)
    plan = tg.plan(roots)
    plan(feeds_of(roots))
    kept = sum(plan.explain().memory)
    apart = 4 * 3 * sum(np.prod(item.shape, dtype=int) for item in plan.classes.items)
    assert kept < 0.45 * apart


def test_matrices_that_products_alone_read_have_no_place() -> None:
    """Products copy them in their own form, straight from what is fed; one that is a value or penalised has a place."""
    net = tg.unroll(models.lstm, STEPS, I=3, H=4)
    loss = models.softmax_cross_entropy(models.readout(net, 5))
    parameters = net.graph.parameters
    penalised = loss + tg.sum(parameters["U_f"] ** 2)
    roots = [penalised, parameters["W_i"], tg.grad(penalised, parameters)]
    plan = tg.plan(roots)
    plan(feeds_of(roots))
    storage = plan.program(3).emitter.storage
    fed = {plan.classes.items[i].node.label for i in storage.fed}
    assert fed == {"V", *(w + gate for w in "WU" for gate in ("_i", "_f", "_g", "_o"))} - {"U_f", "W_i"}
    assert not differs(roots, feeds_of(roots))


@pytest.mark.parametrize("batch", [None, 3])
def test_a_product_that_is_broadcast_in_its_sum(batch: int | None) -> None:
    """A vector U s added to each row of a matrix, in a recurrence: additive attention."""
    net = tg.unroll(models.attend_first(models.elman), 4, I=2, H=3, S=3, A=2, D=3)
    loss = models.mean_square(net.output)
    roots = [loss, tg.grad(loss, net.graph.parameters)]
    assert not differs(roots, feeds_of(roots, batch))


def test_a_first_step_with_nothing_fed_stands_apart() -> None:
    """Where the first step reads a constant its terms have no batch axis, and those of the others have one."""
    found = models.PixelModel(1, 3, levels=3, cell="elman", hidden=2, embedding=4).unroll()
    roots = [found.loss, found.gradients]
    assert not differs(roots, feeds_of(roots))


@pytest.mark.parametrize("batch", [None, 3])
def test_matrices_of_each_example_that_are_added_up(batch: int | None) -> None:
    """The gradient of a memory that attention reads at every step: outer products, not summed over the batch."""
    g = tg.Graph()
    rows, queries = g.sequence("x", 4, (2,)), g.sequence("q", 3, (2,))
    memory = tg.stack(list(rows.values()))
    seen = [tg.softmax(memory @ q) @ memory for q in queries.values()]
    roots = tg.grad(tg.sum_batch(tg.add([tg.sum(s * s) for s in seen])), rows)
    assert not differs(roots, feeds_of(roots, batch))


# Runs
def test_batch_sizes_are_planned_as_they_come() -> None:
    roots = trained(models.elman)
    plan = tg.plan(roots, dtype="float64")
    for batch in (2, None, 5, 2):
        feeds = feeds_of(roots, batch)
        for a, b in zip(leaves(plan(feeds)), leaves(tg.evaluate(roots, feeds)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert set(plan.programs) == {2, None, 5}


def test_results_are_not_overwritten_by_the_next_run() -> None:
    roots = trained(models.elman)
    plan, first, second = tg.plan(roots), feeds_of(roots), random_feeds(roots[0].graph, seed=1, batch=3)
    kept = leaves(plan(first))
    before = [np.copy(value) for value in kept]
    plan(second)
    for a, b in zip(kept, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_feeds_of_other_layouts_and_dtypes() -> None:
    roots = trained(models.elman)
    plan, feeds = tg.plan(roots, dtype="float64"), feeds_of(roots)
    expected = plan(feeds)
    other = {name: np.asfortranarray(value) for name, value in feeds.items()}
    other["y"] = feeds["y"].astype(np.uint8)
    other["x"] = feeds["x"][:, ::-1][:, ::-1]
    for a, b in zip(leaves(plan(other)), leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def test_separate_plans_run_in_threads() -> None:
    roots = trained(models.lstm)
    feeds = [random_feeds(roots[0].graph, seed=seed, batch=3) for seed in range(4)]
    expected = [tg.plan(roots)(one) for one in feeds]
    found: list[Any] = [None] * 4

    def run(k: int) -> None:
        plan = tg.plan(roots)
        for _ in range(20):
            found[k] = plan(feeds[k])

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_plan_gives_the_same_bytes() -> None:
    roots = trained(models.gru)
    feeds = feeds_of(roots)
    for a, b in zip(leaves(tg.plan(roots)(feeds)), leaves(tg.plan(roots)(feeds)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_node_of_a_sequence_can_be_fed() -> None:
    roots = trained(models.elman, 2)
    feeds = feeds_of(roots)
    graph = roots[0].graph
    x = feeds.pop("x")
    single = feeds | {graph.inputs["x"][1]: x[0], graph.inputs["x"][2]: x[1]}
    assert tg.plan(roots)(single)[0] == tg.plan(roots)(feeds | {"x": x})[0]


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_left_as_it_was(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        plan = tg.plan(trained(models.elman))
        assert gc.isenabled() == enabled
        with suppress(UsageError), no_garbage_collection():
            assert not gc.isenabled()
            raise UsageError("planning failed")
        assert gc.isenabled() == enabled
        plan(feeds_of(plan.outputs))
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_what_was_made_meanwhile_is_old() -> None:
    """So that the collector does not look through all of it at once; what others froze stays frozen."""
    gc.collect()
    with no_garbage_collection():
        kept = [[k] for k in range(100_000)]
    assert gc.get_count()[0] < len(kept) / 10
    assert gc.get_freeze_count() == 0
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with no_garbage_collection():
            pass
        assert gc.get_freeze_count() == frozen
    finally:
        gc.unfreeze()


# Wrong input
@pytest.mark.parametrize(
    ("error", "change"),
    [
        (FeedError, lambda f: f | {"x": f["x"][:-1]}),
        (FeedError, lambda f: {k: v for k, v in f.items() if k != "U"}),
        (FeedError, lambda f: f | {"y": f["y"].astype(float)}),
        (FeedError, lambda f: f | {"y": f["y"][:, :1]}),
        (UnknownNameError, lambda f: f | {"z": 1.0}),
        (ValueRangeError, lambda f: f | {"y": f["y"] + 7}),
        (UsageError, lambda f: 3),
    ],
)
def test_wrong_feeds(error: type[Exception], change: Callable[[Any], Any]) -> None:
    """The same errors as from `evaluate`."""
    roots = trained(models.elman)
    feeds = change(feeds_of(roots))
    with pytest.raises(error) as expected:
        tg.evaluate(roots, feeds)
    with pytest.raises(error) as found:
        tg.plan(roots)(feeds)
    assert str(found.value) == str(expected.value)


def test_wrong_outputs() -> None:
    roots = trained(models.elman)
    with pytest.raises(UsageError, match="float16"):
        tg.plan(roots, dtype="float16")
    for nothing in ([], 3, "loss"):
        with pytest.raises(UsageError, match="made of nodes"):
            tg.plan(nothing)
    with pytest.raises(GraphError):
        tg.plan([roots[0], trained(models.elman)[0]])


# Sabotage: each breaks one stage, and the values tell
def late_first(classes: Any) -> Any:
    found = SCHEDULE(classes)
    recurrence = [k for k, one in enumerate(found) if one.recurrence >= 0]
    a, b = recurrence[4], recurrence[5]
    found[a], found[b] = found[b], found[a]
    return found


SCHEDULE = batches.schedule
BROKEN = {
    "two batches exchanged": (("tinygraph.planning.compiled.schedule", late_first),),
    "every value passes by": (("tinygraph.planning.uses.Uses.ring", lambda self, members: 1),),
    "any operand is overwritten": (
        ("tinygraph.planning.overwriting._overwritten", lambda c, u, h, members, slot: _whole_class(c, members, slot)),
    ),
    "room is shared at any time": (
        ("tinygraph.planning.arena.WORTH", 1),
        ("tinygraph.planning.arena.Lifetime.meets", lambda self, other: False),
    ),
    "delayed beyond its users": (
        ("tinygraph.planning.batches._delayed", lambda classes: [99 * (not one) for one in classes.cyclic]),
    ),
    "no last batch": (
        ("tinygraph.planning.compiled.schedule", lambda classes: SCHEDULE(classes)[:-1]),
    ),
    "any grid is steady": (
        ("tinygraph.planning.emission.step_between", lambda offsets: offsets[1] - offsets[0] if offsets[1:] else 0),
    ),
}  # fmt: skip


def _whole_class(classes: Any, members: Any, slot: int) -> bool:
    items = classes.items
    source = {classes.of[items[i].args[slot]] for i in members}
    same = items[items[members[0]].args[slot]].shape == items[members[0]].shape
    return len(source) == 1 and same and len(classes.members[next(iter(source))]) == len(members)


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_stage_is_caught(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = trained(models.lstm)
    feeds = feeds_of(roots)
    assert not differs(roots, feeds)
    for target, replacement in BROKEN[how]:
        monkeypatch.setattr(target, replacement)
    with suppress(GraphError, ValueRangeError, IndexError):  # a view beyond its buffer, integers that were overwritten
        assert differs(roots, feeds)
