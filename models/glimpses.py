"""Glimpses: a cell that looks at an image through a small grid of filters, which it moves and zooms itself.

    g~_X, g~_Y, log s^2, log d~, log gamma = W_look h_{t-1} + b_look
    centre   g_X = (X + 1) / 2 (g~_X + 1)                 likewise g_Y, in pixels that count from 1
    stride   d = D d~                                     D = (max(X, Y) - 1) / (N - 1)
    means    m_X[i] = g_X + (i - N/2 - 1/2) d             i = 1..N
    filters  F_X[i, a] = exp(-(a - m_X[i])^2 / (2 s^2)) / sum over a
    glimpse  gamma F_Y image F_X^T                        (N, N), row by row the input of the cell

Everything in it is smooth, so that the gradient tells where it should have looked.
Reference: Gregor, Danihelka, Graves, Jimenez Rezende and Wierstra 2015, arXiv:1502.04623, 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from tinygraph.cells import Cell, Context, Param, let
from tinygraph.errors import UsageError
from tinygraph.graph import Node
from tinygraph.ops.linear import transpose
from tinygraph.ops.nonlinear import exp
from tinygraph.ops.normalise import softmax
from tinygraph.ops.structure import reshape
from tinygraph.shapes import as_size

from .wrapping import derive, documented, joined_roles, only_input, output_size, step_inside


def glimpsing(base: Cell, grid: int) -> Cell:
    """`base` that reads a glimpse of `grid` x `grid` numbers at each step, where its last output tells it to look.

    The image is the context `image`, (Y, X): rows, then columns. There is no other input. Adds W_look (5, H), which
    starts at zero, and b_look (5,), with which it first looks at the whole image. `net.glimpse[t]` has the numbers,
    `net.F_X[t]` and `net.F_Y[t]` the filters.

    Raises `UsageError` for a grid of less than 2, or a cell that does not read one vector.
    """
    name, role = only_input(base, "a cell that glimpses")
    size, count = output_size(base, "a cell that glimpses"), as_size(grid, "grid of a glimpse")
    (own,) = role.dims.dims
    if count < 2:
        raise UsageError(f"a glimpse has a grid of 2 x 2 or more, not {count}", fix="glimpsing(models.lstm, 5)")
    if not own.name or base.equal_sizes or {"X", "Y", own.name} & set(base.states[base.output].dims.names):
        raise UsageError(f"cell {base.name} cannot read a vector of {count * count}", fix="take one such as models.gru")
    numbers = f"{count * count}"
    parameters = {n: replace(p, dims=p.dims.replaced(own.name, numbers)) for n, p in base.parameters.items()}
    look = {"W_look": Param.of(f"5 {size}", "zeros"), "b_look": Param.of("5")}
    roles = joined_roles("a cell that glimpses", {"image": Context.of("Y X")}, base.states, parameters, look)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        x = _glimpse(given["image"], let("look", given["W_look"] @ given[base.output] + given["b_look"]), count)
        return step_inside(base, {name: x, **{n: given[n] for n in (*base.states, *base.parameters)}})

    source = "Gregor, Danihelka, Graves, Jimenez Rezende and Wierstra 2015, arXiv:1502.04623"
    doc = documented(base, f"{base.name} that looks at an image.", "glimpses", source)
    return derive(f"{base.name}_glimpsing_{count}", doc, roles, equations, output=base.output)


def _glimpse(image: Node, look: Node, count: int) -> Node:
    """What is seen of an image (Y, X), as a vector of count * count."""
    graph, (rows, columns) = image.graph, image.shape
    variance, intensity = let("s2", exp(look[2]), latex="s^2"), let("gamma", exp(look[4]), latex=r"\gamma")
    between = graph.number(Fraction(max(rows, columns) - 1, count - 1), name="D")
    stride = let("d", between * exp(look[3]))
    F_X = let("F_X", _filters(columns, graph.number(columns, name="X"), look[0], stride, variance, count))
    F_Y = let("F_Y", _filters(rows, graph.number(rows, name="Y"), look[1], stride, variance, count))
    seen = intensity * (F_Y @ image @ transpose(F_X))
    return let("glimpse", reshape(seen, (count * count,)))


def _filters(length: int, named: Node, centre: Node, stride: Node, variance: Node, count: int) -> Node:
    """Gaussians (count, length) along one axis. A softmax divides them by their sums, which cannot vanish in it."""
    graph = centre.graph
    places = graph.constant("", np.arange(1, length + 1))
    offsets = graph.constant("", 2 * np.arange(1, count + 1) - count - 1)
    means = (named + 1) / 2 * (centre + 1) + offsets * (stride / 2)
    apart = places - reshape(means, (count, 1))
    return softmax(-(apart * apart) / (2 * variance))
