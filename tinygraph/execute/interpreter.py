"""The reference interpreter: one operation after another, in the order of the tape.

It is short on purpose: every faster way of running a graph is held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import GraphError, NonFiniteError, TinygraphError, UsageError, nearest
from ..graph.node import Node
from ..graph.tape import cone
from ..nest import leaves, map_nest
from .arrays import ComplexArrays, NumpyArrays
from .feeds import Feeds, bind


def _symbolic(dtype: str, batch: int | None) -> NumpyArrays:
    from .symbolic_arrays import SymbolicArrays  # SymPy takes 0.2 s to import

    return SymbolicArrays(dtype, batch)


def _intervals(dtype: str, batch: int | None) -> NumpyArrays:
    from .interval_arrays import IntervalArrays  # mpmath takes 0.1 s to import

    return IntervalArrays(dtype, batch)


# How to run: the name of a dtype, the array protocol, and the dtype kinds that may be fed to reals.
ARRAYS: dict[str, tuple[Callable[[str, int | None], NumpyArrays], str]] = {
    "float64": (NumpyArrays, "fiu"),
    "float32": (NumpyArrays, "fiu"),
    "complex128": (ComplexArrays, "fiuc"),
    "sympy": (_symbolic, "fiuO"),
    "interval": (_intervals, "fiuO"),
}


def evaluate(outputs: Any, feeds: Feeds | None = None, *, dtype: str = "float64", check_finite: bool = False) -> Any:
    """The values of `outputs`, a node or any nesting of lists and dicts of nodes, as the same structure.

    `feeds` maps names or nodes to arrays: parameters (*shape), inputs (*shape) or (batch, *shape),
    sequences with time in front. `dtype` is "float64", "float32", "complex128", "sympy", or "interval"
    (mpmath intervals of 40 digits that contain the true values).
    With `check_finite` the first NaN or infinity is traced to its node, time step and operands.

    Raises `FeedError`, `UnknownNameError`, `ValueRangeError` (an index outside its table),
    `NonFiniteError`, `GraphError` (nodes of several tapes), `UsageError`.
    """
    roots = leaves(outputs)
    for root in roots:
        if not isinstance(root, Node):
            raise UsageError(f"outputs are nodes, not {root!r:.60}")
    if not roots:
        return outputs
    nodes = cone(roots)
    factory, accepted = _protocol(dtype)
    bound = bind(roots[0].graph, feeds or {}, nodes, accepted)
    values = _run(nodes, {root.id for root in roots}, bound.values, factory(dtype, bound.batch), check_finite)
    return map_nest(lambda root: np.array(values[root.id])[()], outputs)


def _protocol(dtype: str) -> tuple[Callable[[str, int | None], NumpyArrays], str]:
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
    if name not in ARRAYS:
        raise UsageError(f"no run in dtype {name!r}", fix=nearest(name, ARRAYS))
    return ARRAYS[name]


def _run(nodes: list[Node], kept: set[int], fed: dict[int, Any], xp: NumpyArrays, check_finite: bool) -> dict[int, Any]:
    """Values by node id; a value that is not kept is dropped after its last use."""
    last_use = {arg.id: node.id for node in nodes for arg in node.args}
    values: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for node in nodes:
            values[node.id] = _fed(xp, node, fed[node.id]) if node.id in fed else _apply(xp, node, values)
            if check_finite and node.kind == "real" and not xp.finite(values[node.id]):
                raise _non_finite(node, values)
            for arg in node.args:
                if last_use[arg.id] == node.id and arg.id not in kept:
                    values.pop(arg.id, None)
    return values


def _fed(xp: NumpyArrays, node: Node, value: Any) -> Any:
    try:
        return xp.array(value, node.kind)
    except TinygraphError as error:
        raise error.within(f"the feed of {node.name!r}", [node.describe()]) from None


def _apply(xp: NumpyArrays, node: Node, values: dict[int, Any]) -> Any:
    operands = [values[arg.id] for arg in node.args]
    if node.op.elementwise:
        operands = [_aligned(v, arg, node.ndim) for v, arg in zip(operands, node.args, strict=True)]
    try:
        value = np.asarray(node.op.run(xp, node, *operands))
    except TinygraphError as error:
        raise error.within(node.op.name, [node.describe()]) from None
    except Exception as error:
        error.add_note(f"while computing {node.describe()}")
        raise
    batch = () if xp.batch is None or not node.batched else (xp.batch,)
    if value.shape != batch + node.shape:
        raise GraphError(
            f"{node.op.name} gave shape {value.shape} where the tape says {batch + node.shape}", [node.describe()],
            "its row in the table of operations is wrong",
        )  # fmt: skip
    return value


def _aligned(value: Any, arg: Node, rank: int) -> Any:
    """Axes of size 1 behind the batch axis, so that (B,) * (B, H) aligns by example and not by accident."""
    if arg.ndim == rank or value.ndim == arg.ndim:
        return value
    return value.reshape(value.shape[:1] + (1,) * (rank - arg.ndim) + value.shape[1:])


def _non_finite(node: Node, values: dict[int, Any]) -> NonFiniteError:
    lines = [_summary(node, values[node.id]), *("from " + _summary(arg, values[arg.id]) for arg in node.args)]
    what = "the feed of" if node.op.name in ("input", "parameter") else "first at"
    step = "" if node.step is None else f", time step {node.step}"
    return NonFiniteError(f"a value is not finite: {what} {node.name}{step}", lines, node.op.pitfall)


def _summary(node: Node, value: Any) -> str:
    flat = np.ravel(np.asarray(value))
    if node.kind != "real" or not flat.size or flat.dtype == object:
        return node.describe()
    bad = int(np.sum(~np.isfinite(flat)))
    return f"{node.describe()}: values {np.min(flat):.4g} to {np.max(flat):.4g}, {bad} of {flat.size} not finite"
