"""The gradient by the steps that it comes from: what the uses of all parameters at step s add to it.

    g = sum over s of g_s,     g_s = sum over t of dL_t / d theta_s

with theta_s the parameters as step s uses them, see `contributions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..differentiate import vjp
from ..errors import UsageError
from ..execute.interpreter import evaluate
from ..graph.node import Node
from .per_use import Step, contributions

Array = np.ndarray[Any, Any]


def gradient_by_step(
    losses: Mapping[int, Node], parameters: Mapping[str, Node], feeds: Mapping[Any, Any]
) -> dict[Step, dict[str, Array]]:
    """g_s for each step s, by parameter name; None holds uses without a step. They add up to the whole gradient.

    `feeds` are by name. Raises what `contributions` and `evaluate` raise.
    """
    if not isinstance(parameters, Mapping) or not parameters:
        raise UsageError(f"parameters are a dict from name to node, not {parameters!r:.60}", fix="give net.parameters")
    found: dict[Step, dict[str, Array]] = {}
    for name, node in parameters.items():
        parts = contributions(losses, node)
        ends = list(parts.losses.values())
        for step, value in evaluate(vjp(ends, parts.uses, [1] * len(ends)), feeds).items():
            found.setdefault(step, {})[name] = value
    zeros = {name: np.zeros(node.shape) for name, node in parameters.items()}
    order = sorted(found, key=lambda step: (step is None, step or 0))
    return {step: zeros | found[step] for step in order}
