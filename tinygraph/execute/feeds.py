"""Feeds: values by name or node, checked against the tape before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import FeedError, GraphError, UnknownNameError, UsageError, nearest
from ..graph.node import Kind, Node
from ..graph.steps import Steps
from ..graph.tape import Graph

Feeds = Mapping[Any, Any]

# Which NumPy dtype kinds may be fed to a node of each kind. Nothing is rounded or reinterpreted.
_ACCEPTED: dict[Kind, str] = {"real": "fiu", "integer": "iu", "boolean": "b"}
_FIX: dict[Kind, str] = {
    "real": "feed numbers; flags and symbols can be made real with .astype(float)",
    "integer": "feed whole numbers of an integer dtype, such as array.astype(int)",
    "boolean": "feed booleans, such as array > 0 or array.astype(bool)",
}


class Fed(NamedTuple):
    """One checked feed: its leaf, or the sequence of leaves that it fills, and its data with time in front."""

    target: Node | Steps
    data: Any

    @property
    def name(self) -> str:
        return self.target.attrs["name"] if isinstance(self.target, Node) else self.target.name


@dataclass(frozen=True)
class Bound:
    """Checked feeds: the value of each leaf by node id, and the size of the batch (None without one)."""

    values: dict[int, Any]
    batch: int | None


def bind(graph: Graph, feeds: Feeds, needed: Iterable[Node], accepted_reals: str = "fiu") -> Bound:
    """Match feeds to leaves of `graph`, one by one; see `match`."""
    fed, batch = match(graph, feeds, needed, accepted_reals)
    values: dict[int, Any] = {}
    for one in fed:
        if isinstance(one.target, Node):
            values[one.target.id] = one.data
        else:
            values.update((node.id, one.data[t]) for t, node in enumerate(one.target.values()))
    return Bound(values, batch)


def match(
    graph: Graph, feeds: Feeds, needed: Iterable[Node], accepted_reals: str = "fiu"
) -> tuple[list[Fed], int | None]:
    """Checked feeds and the size of the batch, None without one.

    A leaf that is not batched takes its per-example shape. A batched one takes that shape with a
    batch axis in front, for all of them or for none; a sequence has the time axis before both.
    `accepted_reals` are the NumPy dtype kinds that this run takes for reals.

    Raises `FeedError`, `UnknownNameError`, `GraphError`, `UsageError`.
    """
    if not isinstance(feeds, Mapping):
        raise UsageError(f"feeds are a dict from name or node to array, not {type(feeds).__name__}")
    fed: list[Fed] = []
    batch: dict[int | None, str] = {}
    for key, given in feeds.items():
        target = _target(graph, key)
        name = target.name
        leaf = target if isinstance(target, Node) else next(iter(target.values()))
        data = _as_array(name, leaf, given, accepted_reals)
        time = () if isinstance(target, Node) else (len(target),)
        size = _batch_of(name, leaf, data.shape, time)
        if leaf.batched:
            batch.setdefault(size, name)
        fed.append(Fed(target, data))
    if len(batch) > 1:
        lines = [f"{name}: {'no batch axis' if size is None else f'batch of {size}'}" for size, name in batch.items()]
        raise FeedError(
            "feeds of different batch sizes", lines, "give every batched input the same batch axis, or none"
        )
    _check_complete(fed, needed)
    return fed, next(iter(batch), None)


def _target(graph: Graph, key: Any) -> Node | Steps:
    if isinstance(key, Node):
        if key.graph is not graph:
            raise GraphError("a feed for a node of another tape", [key.describe()])
        if key.op.name not in ("input", "parameter"):
            raise FeedError(
                "only inputs and parameters are fed", [key.describe()], "make it an input to set its value from outside"
            )
        return key
    if isinstance(key, str) and key in graph.parameters:
        return graph.parameters[key]
    if not isinstance(key, str) or key not in graph.inputs:
        raise UnknownNameError(
            f"nothing on this tape is fed under {key!r}", fix=nearest(key, [*graph.parameters, *graph.inputs])
        )
    return graph.inputs[key]


def _as_array(name: str, leaf: Node, given: Any, accepted_reals: str) -> Any:
    if isinstance(given, Node):
        raise FeedError(
            f"{name!r} is fed a node", [leaf.describe()], "feed arrays; tg.evaluate computes a node's value"
        )
    if np.ma.is_masked(given):
        fix = "fill them in, and feed what counts beside it: array.filled(0), ~np.ma.getmaskarray(array)"
        raise FeedError(f"{name!r} is fed an array with masked entries", [leaf.describe()], fix)
    try:
        data = np.asarray(given)
    except ValueError:
        raise FeedError(
            f"the values fed to {name!r} have different lengths", [leaf.describe()], "pad them and use a mask"
        ) from None
    accepted = accepted_reals if leaf.kind == "real" else _ACCEPTED[leaf.kind]
    if data.size and data.dtype.kind not in accepted:
        raise FeedError(f"{name!r} is {leaf.kind}, but the feed is {data.dtype}", [leaf.describe()], _FIX[leaf.kind])
    if data.dtype.kind == "u" and leaf.kind == "integer" and data.size and data.max() > np.iinfo(np.int64).max:
        raise FeedError(
            f"{name!r} is fed {data.max()}, which is too large for int64", [leaf.describe()], _FIX["integer"]
        )
    return data


def _batch_of(name: str, leaf: Node, shape: tuple[int, ...], time: tuple[int, ...]) -> int | None:
    """The size of the batch axis, None without one. Raises `FeedError` where the shape does not fit."""
    rest = shape[len(time) :]
    fits = shape[: len(time)] == time and rest[len(rest) - leaf.ndim :] == leaf.shape and len(rest) >= leaf.ndim
    extra = len(rest) - leaf.ndim
    if fits and extra == 0:
        return None
    if fits and extra == 1 and leaf.batched:
        return rest[0]
    wanted = _shape_text(*time, *leaf.shape)
    if leaf.batched:
        wanted += f" or, with a batch, {_shape_text(*time, 'B', *leaf.shape)}"
    raise FeedError(f"{name!r} is fed shape {shape}", [leaf.describe()], f"feed shape {wanted}")


def _shape_text(*sizes: int | str) -> str:
    return f"({', '.join(map(str, sizes))}{',' * (len(sizes) == 1)})"


def _check_complete(fed: Iterable[Fed], needed: Iterable[Node]) -> None:
    whole: set[str] = set()
    single: set[int] = set()
    for one in fed:
        if isinstance(one.target, Node):
            single.add(one.target.id)
        else:
            whole.add(one.target.name)
    missing: dict[str, Node] = {}
    for node in needed:
        if node.op.name in ("input", "parameter") and node.id not in single and node.attrs["name"] not in whole:
            missing.setdefault(node.attrs["name"], node)
    if missing:
        kinds = {"parameter": "net.initial(seed=0) gives initial parameters", "input": "add it to the feeds"}
        fix = "; ".join(dict.fromkeys(kinds[node.op.name] for node in missing.values()))
        names = ", ".join(repr(name) for name in list(missing)[:8])
        raise FeedError(f"no value is fed for {names}", [node.describe() for node in list(missing.values())[:8]], fix)
