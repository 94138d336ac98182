"""The lint of formulas: a claimed derivative is right, or here is where, by which numbers and by which mistake."""

from __future__ import annotations

from typing import Any

from ..cells import Cell
from ..errors import UsageError, expect
from ..graph.node import Node
from .expression_claims import lint_value
from .findings import Verdict
from .gradient_claims import feeds_by_name, lint_gradient
from .listings import Listing, lint_listing
from .step_claims import lint_step


def lint(
    of: Cell | Node,
    claim: Any,
    *,
    wrt: Any = None,
    block: tuple[str, str] | str | None = None,
    steps: int = 1,
    over: str = "nodes",
    n: int = 3,
    batch: int | None = None,
    feeds: Any = None,
    seed: int = 0,
) -> Verdict:
    """Judge a claimed formula: right, or wrong with a counter-example, the likeliest mistake and the right formula.

    The Jacobian of a cell's step, d(new state) / d(old state), other old states held:

        tg.lint(models.elman, lambda v, t: tg.diag(1 - v.h[t] ** 2) @ v.U)

    `claim` is a function of the step's values by name and of the step t of the new state, a SymPy matrix of
    `tg.symbols(cell)`, or a dict from block (new, old) to such claims. `over` says what the function is written
    with: "nodes" (compared exactly, in a finite field), "sympy" (exactly, as polynomials) or "numpy". `steps` is
    how many steps back the old state is; `n` is the size of each state.

    The gradient of a loss:

        tg.lint(loss, node, wrt=net.parameters["U"])
        tg.lint(loss, backward, wrt=net.parameters)

    `claim` is a node or a dict of nodes, a NumPy function of the forward values by name (`v.U`, `v.h[t]`, of one
    example, or of `batch` examples with the batch axis in front) which gives {name: gradient}, or a `Listing`
    of named lines, of which the lint names the one at fault. The values come of `feeds`, or are drawn by `seed`.

    The value of a node, without `wrt`: `claim` is another node of the tape that is claimed to be equal.

    Raises `UsageError`, `UnknownNameError`, `GraphError`.
    """
    if isinstance(of, Cell):
        return lint_step(of, claim, block, steps, over, n, seed)
    expect(of, Node, "the lint takes a cell, or the node of a loss or a value", "such as models.lstm")
    feeds = feeds_by_name(feeds)
    if isinstance(claim, Listing):
        return lint_listing(of, claim, feeds, seed)
    if wrt is not None:
        return lint_gradient(of, claim, wrt, feeds, batch, seed)
    if not isinstance(claim, Node):
        raise UsageError("a claimed gradient needs to know by what: wrt is missing", fix="wrt=net.parameters")
    return lint_value(of, claim, feeds, seed)
