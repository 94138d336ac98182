"""Rows that move a window over one, two or three axes: its patches, convolution and max-pooling.

A value has its channels first, (C, L...), and a window of widths K... stands at L - K + 1 places along each axis:

    patches_{c k p} = x_{c, p + k}        convolve_{f p} = sum_{c k} W_{f c k} x_{c, p + k}
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from ..errors import ShapeError
from ..graph.node import Node
from ..graph.op import Domain, Example, Op, define
from ..shapes import Shape, as_shape
from .choice import equal, real
from .linear import transpose
from .reduce import sum as sum_entries
from .structure import lead, reshape

WHY_NO_WORDS = "words act on vectors, and a window moves over a value with axes of its own"


def _places(lengths: Shape, widths: Shape) -> Shape:
    """How many places a window has along each axis. Raises `ShapeError` where it does not fit."""
    if len(lengths) != len(widths) or not 1 <= len(widths) <= 3:
        raise ShapeError(
            f"a window of {len(widths)} axes over a value of {len(lengths)}",
            fix="a value is (channels, L), (channels, L, L) or (channels, L, L, L), the window has a width for each L",
        )
    if any(not 1 <= k <= n for n, k in zip(lengths, widths, strict=True)):
        raise ShapeError(f"a window {widths} does not fit into {lengths}", fix="widths from 1 to the axis's length")
    return tuple(n - k + 1 for n, k in zip(lengths, widths, strict=True))


def _widths(x: Node, widths: Any) -> dict[str, Any]:
    return {"widths": as_shape(widths)}


def _offsets(widths: Shape, places: Shape) -> list[tuple[slice, ...]]:
    """For each place within the window, which entries of the value stand there."""
    ranges = product(*(range(k) for k in widths))
    return [tuple(slice(k, k + p) for k, p in zip(offset, places, strict=True)) for offset in ranges]


def _patches_shape(x: Node, *, widths: Shape) -> Shape:
    return (*x.shape[:1], *widths, *_places(x.shape[1:], widths))


def _patches(xp: Any, x: Any, front: Shape, channels: int, lengths: Shape, widths: Shape) -> Any:
    """The windows of a value: (..., C, K..., L - K + 1...)."""
    places = _places(lengths, widths)
    windows = [x[(Ellipsis, *at)] for at in _offsets(widths, places)]
    return xp.reshape(xp.stack(windows, -len(places) - 1), (*front, channels, *widths, *places))


def _unpatch_shape(x: Node, *, widths: Shape) -> Shape:
    if x.ndim != 1 + 2 * len(widths) or x.shape[1 : 1 + len(widths)] != widths:
        raise ShapeError(f"{x.shape} holds no patches of widths {widths}", fix="(channels, widths..., places...)")
    return (x.shape[0], *(p + k - 1 for p, k in zip(x.shape[1 + len(widths) :], widths, strict=True)))


def _unpatch(xp: Any, y: Node, x: Any) -> Any:
    widths, places = y.attrs["widths"], y.args[0].shape[1 + len(y.attrs["widths"]) :]
    front = lead(x, y.args[0])
    flat = xp.reshape(x, (*front, y.shape[0], prod(widths), *places))
    behind = (slice(None),) * len(places)
    parts = [
        xp.place(flat[(Ellipsis, k, *behind)], (Ellipsis, *at), front + y.shape)
        for k, at in enumerate(_offsets(widths, places))
    ]
    return xp.add(*parts)


patches = define(
    "patches",
    "All windows of a value (C, L...): patches(x, widths) has shape (C, *widths, L - width + 1...).",
    attrs=_widths,
    shape=_patches_shape,
    run=lambda xp, y, x: _patches(xp, x, lead(x, y.args[0]), y.shape[0], y.args[0].shape[1:], y.attrs["widths"]),
    vjp=(lambda g, y, x: unpatch(g, y.attrs["widths"]),),
    why_no_words=WHY_NO_WORDS,
    examples=tuple(
        Example((shape,), {"widths": widths})
        for shape, widths in (
            ((3, 5), (3,)), ((1, 3), (1,)), ((3, 3), (3,)), ((2, 3, 4), (2, 3)), ((0, 3), (2,)),
            ((1, 2, 3, 2), (2, 1, 2)),
        )
    ),
)  # fmt: skip
unpatch: Op = define(
    "unpatch",
    "The adjoint of patches: windows (C, *widths, P...) added up where they overlap, (C, P + width - 1...).",
    attrs=_widths,
    shape=_unpatch_shape,
    run=_unpatch,
    vjp=(lambda g, y, x: patches(g, y.attrs["widths"]),),
    why_no_words=WHY_NO_WORDS,
    examples=tuple(
        Example((shape,), {"widths": widths})
        for shape, widths in (
            ((3, 3, 3), (3,)), ((1, 1, 3), (1,)), ((2, 2, 3, 2, 2), (2, 3)), ((0, 2, 2), (2,)),
            ((1, 2, 1, 2, 1, 3, 1), (2, 1, 2)), ((2, 2, 2, 2, 2), (2, 2)),
        )
    ),
)  # fmt: skip


def _convolve_shape(x: Node, W: Node) -> Shape:
    if W.ndim < 2 or W.ndim != x.ndim + 1 or x.shape[0] != W.shape[1]:
        raise ShapeError(
            f"filters {W.shape} do not fit a value {x.shape}",
            fix="a value (channels, L...) takes filters (number of filters, channels, width...)",
        )
    return (W.shape[0], *_places(x.shape[1:], W.shape[2:]))


def _convolve(xp: Any, y: Node, x: Any, W: Any) -> Any:
    value, filters = y.args
    entries, places = prod(filters.shape[1:]), y.shape[1:]
    windows = _patches(xp, x, lead(x, value), value.shape[0], value.shape[1:], filters.shape[2:])
    windows = xp.reshape(windows, (*lead(x, value), entries, prod(places)))
    rows = xp.reshape(W, (*lead(W, filters), y.shape[0], entries))
    product_ = xp.matmul(rows, windows)
    return xp.reshape(product_, product_.shape[:-2] + y.shape)


def _value_cotangent(g: Node, y: Node, x: Node, W: Node) -> Node:
    entries, places = prod(W.shape[1:]), y.shape[1:]
    windows = transpose(reshape(W, (W.shape[0], entries))) @ reshape(g, (W.shape[0], prod(places)))
    return unpatch(reshape(windows, (*W.shape[1:], *places)), W.shape[2:])


def _filter_cotangent(g: Node, y: Node, x: Node, W: Node) -> Node:
    entries, places = prod(W.shape[1:]), prod(y.shape[1:])
    windows = reshape(patches(x, W.shape[2:]), (entries, places))
    return reshape(reshape(g, (W.shape[0], places)) @ transpose(windows), W.shape)


convolve = define(
    "convolve",
    "Filters (F, C, K...) moved over a value (C, L...) in one to three dimensions: (F, L - K + 1...). The filters are "
    "not turned around.",
    arity=2,
    shape=_convolve_shape,
    run=_convolve,
    vjp=(_value_cotangent, _filter_cotangent),
    why_no_words=WHY_NO_WORDS,
    examples=tuple(
        Example(shapes)
        for shapes in (
            ((3, 5), (2, 3, 3)), ((1, 3), (1, 1, 1)), ((3, 3), (3, 3, 3)), ((2, 3, 4), (3, 2, 2, 3)),
            ((1, 2, 3, 2), (2, 1, 2, 1, 2)), ((2, 3), (0, 2, 2)),
        )
    ),
)  # fmt: skip


def _pool_shape(x: Node, *, widths: Shape) -> Shape:
    return (*x.shape[:1], *_places(x.shape[1:], widths))


def _pool(xp: Any, y: Node, x: Any) -> Any:
    value, widths = y.args[0], y.attrs["widths"]
    windows = _patches(xp, x, lead(x, value), value.shape[0], value.shape[1:], widths)
    return xp.max(windows, tuple(range(-2 * len(widths), -len(widths))), False)


def _pool_vjp(g: Node, y: Node, x: Node) -> Node:
    widths = y.attrs["widths"]
    one_each = (y.shape[0], *(1 for _ in widths), *y.shape[1:])
    axes = tuple(range(-2 * len(widths), -len(widths)))
    hit = real(equal(patches(x, widths), reshape(y, one_each)))
    return unpatch(reshape(g, one_each) * hit / sum_entries(hit, axes, True), widths)


max_pool = define(
    "max_pool",
    "The maximum of each window of a value (C, L...): max_pool(x, widths) has shape (C, L - width + 1...); entries "
    "that tie share the derivative equally.",
    attrs=_widths,
    shape=_pool_shape,
    run=_pool,
    vjp=(_pool_vjp,),
    why_no_words="its derivative depends on which entry is the largest",
    domain=Domain(distinct=True),
    examples=tuple(
        Example((shape,), {"widths": widths})
        for shape, widths in (
            ((3, 5), (3,)), ((1, 3), (1,)), ((3, 3), (3,)), ((2, 3, 4), (2, 3)), ((0, 3), (2,)),
            ((1, 2, 3, 2), (2, 1, 2)),
        )
    ),
)  # fmt: skip
