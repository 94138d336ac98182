"""What is fed to a plan: any layout and number type that holds the values, batches of any size, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import FeedError
from tinygraph.nest import leaves

STEPS = 6
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def roots() -> list[Any]:
    net = tg.unroll(models.lstm, STEPS, I=3, H=4)
    loss = models.softmax_cross_entropy(models.readout(net, 5))
    return [loss, tg.grad(loss, net.graph.parameters)]


def whole_feeds(roots: Any, batch: int | None = 2, seed: int = 0) -> dict[str, Any]:
    """Whole numbers, which every number type holds."""
    feeds = random_feeds(roots[0].graph, seed, batch)
    return feeds | {"x": np.round(3 * feeds["x"])}


def spaced(array: Array) -> Array:
    """The same values, every other of a larger array, along all axes."""
    large = np.full([2 * n for n in array.shape], np.nan if array.dtype.kind == "f" else -9).astype(array.dtype)
    view = large[tuple([slice(None, None, 2)] * array.ndim)]
    view[...] = array
    return view


def backwards(array: Array) -> Array:
    """The same values, along negative strides."""
    turn = tuple([slice(None, None, -1)] * array.ndim)
    return array[turn].copy()[turn]


def read_only(array: Array) -> Array:
    frozen = array.copy()
    frozen.flags.writeable = False
    return frozen


def unaligned(array: Array) -> Array:
    """The same values, at an address that is no multiple of their size."""
    room = np.zeros(array.nbytes + 1, np.uint8)[1:]
    view = room.view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS: dict[str, Callable[[Array], Any]] = {
    "columns first": np.asfortranarray,
    "spaced": spaced,
    "backwards": backwards,
    "axes exchanged": lambda array: np.ascontiguousarray(array.T).T,
    "read only": read_only,
    "unaligned": unaligned,
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "lists": lambda array: array.tolist(),
}
NUMBERS: dict[str, Callable[[Array], Any]] = {
    **{name: lambda array, name=name: array.astype(name) for name in ("int8", "int64", "float16", "float32")},
    "long double": lambda array: array.astype(np.longdouble),
    "unmasked": np.ma.asarray,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layouts_and_number_types(roots: Any, dtype: str) -> None:
    """Of inputs, targets and parameters; one plan for all, in turn, so that nothing of one is taken for another."""
    plan, feeds = tg.plan(roots, dtype=dtype), whole_feeds(roots)
    expected = leaves(plan(feeds))
    other = whole_feeds(roots, seed=1)
    for number in (*[{k: make(v) for k, v in feeds.items()} for make in LAYOUTS.values()],
                   *[feeds | {"x": make(feeds["x"])} for make in NUMBERS.values()]):  # fmt: skip
        plan(other)
        for a, b in zip(leaves(plan(number)), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_repeated_examples(roots: Any) -> None:
    """Strides of zero."""
    one = whole_feeds(roots, batch=1)
    feeds = one | {name: np.broadcast_to(one[name], (STEPS, 4, *one[name].shape[2:])) for name in ("x", "y")}
    plan = tg.plan(roots, dtype="float64")
    for a, b in zip(leaves(plan(feeds)), leaves(tg.evaluate(roots, feeds)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_feeds_are_left_alone(roots: Any) -> None:
    feeds = whole_feeds(roots)
    before = {name: np.copy(value) for name, value in feeds.items()}
    tg.plan(roots, dtype="float64")(feeds)
    for name, value in before.items():
        np.testing.assert_array_equal(feeds[name], value)


def test_a_feed_changed_in_place_is_seen(roots: Any) -> None:
    """As an optimiser does; the same array is fed again."""
    plan, feeds = tg.plan(roots, dtype="float64"), whole_feeds(roots)
    plan(feeds)
    for value in feeds.values():
        if value.dtype.kind == "f":
            value *= 0.5
    for a, b in zip(leaves(plan(feeds)), leaves(tg.evaluate(roots, feeds)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


REFUSED: dict[str, Callable[[Array], Any]] = {
    "complex": lambda x: x + 0j,
    "objects": lambda x: x.astype(object),
    "words": lambda x: x.astype(str),
    "flags": lambda x: x > 0,
    "dates": lambda x: np.zeros(x.shape, "M8[s]"),
    "records": lambda x: np.zeros(x.shape, [("a", "f8")]),
    "nothing": lambda x: None,
    "ragged lists": lambda x: [[1.0], [1.0, 2.0]],
    "a step too few": lambda x: x[1:],
    "an axis too many": lambda x: x[None],
    "another batch": lambda x: x[:, :1],
    "masked": lambda x: np.ma.masked_greater(x, 0),
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_is_refused(roots: Any, how: str) -> None:
    """By the error that the interpreter gives, which names the input; also after a run that was right."""
    plan, feeds = tg.plan(roots), whole_feeds(roots)
    wrong = feeds | {"x": REFUSED[how](feeds["x"])}
    with pytest.raises(FeedError) as expected:
        tg.evaluate(roots, wrong)
    right = leaves(plan(feeds))
    with pytest.raises(FeedError) as found:
        plan(wrong)
    assert str(found.value) == str(expected.value)
    for a, b in zip(leaves(plan(feeds)), right, strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_threads_with_plans_of_one_graph(roots: Any) -> None:
    """Each with batches of its own sizes, planned as they come."""
    sizes = ([2, None, 5], [3, 2, None])
    feeds = [[whole_feeds(roots, batch, seed) for seed, batch in enumerate(some)] for some in sizes]
    expected = [[leaves(tg.plan(roots)(one)) for one in some] for some in feeds]
    found: list[list[Any]] = [[], []]
    begin = threading.Barrier(2)

    def run(k: int) -> None:
        begin.wait()
        plan = tg.plan(roots)
        for _ in range(10):
            found[k] = [leaves(plan(one)) for one in feeds[k]]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)
