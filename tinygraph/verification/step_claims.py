"""Claims about the Jacobian of a step, held against the forward derivative.

A claim made of nodes is compared in the finite field, one made of SymPy's symbols as polynomials, and a
NumPy function by its numbers. The likeliest mistake is then found among the matrix words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..cells import Cell
from ..errors import DifferentiationError, ShapeError, UnknownNameError, UsageError, nearest
from ..execute.arrays import NumpyArrays
from ..graph.letters import Diagonal, Matrix
from ..graph.node import Node
from ..shapes import size
from ..symbolic.field import FieldArrays, values
from ..symbolic.plain_words import PlainNames, plain_style
from ..symbolic.word_formulas import block_latex
from ..symbolic.words import Block
from .findings import Finding, Mistake, Verdict, counterexample
from .step_points import StepPoint
from .word_mistakes import TOLERANCE, explain

KINDS = ("nodes", "numpy", "sympy")
MANY = 6  # points at which functions are compared, and formulas with kinks
UNKNOWN = "no single usual mistake gives this formula"
MOST_SHOWN = 9  # entries of a value that a counter-example shows


def lint_step(cell: Cell, claims: Any, block: Any, steps: int, over: str, n: int, seed: int) -> Verdict:
    """The findings of claimed blocks; see `lint`."""
    if over not in KINDS:
        raise UsageError(f"a claim is made over {', '.join(KINDS)}, not over {over!r:.40}", fix=nearest(over, KINDS))
    wanted = _by_block(cell, claims, block)
    if any(not callable(claim) for claim in wanted.values()):
        n, over = _size_of_matrices(cell, wanted), "sympy"
    point = StepPoint(cell, steps, n)
    judge = _JUDGES[over]
    return Verdict(tuple(judge(point, one, claim, seed) for one, claim in wanted.items()))


def _by_block(cell: Cell, claims: Any, block: Any) -> dict[Block, Any]:
    """The claims by block; a single claim is that of the block asked for, or of the only one."""
    states = list(cell.states)
    if not isinstance(claims, Mapping):
        if block is None and len(states) > 1:
            known = ", ".join(states)
            raise UsageError(
                f"cell {cell.name} has the states {known}, and one claim is given",
                fix=f'block=("{states[0]}", "{states[0]}"), or a dict from block to claim',
            )
        claims = {block or (states[0], states[0]): claims}
    found = {}
    for key, claim in claims.items():
        pair = tuple(key) if isinstance(key, (tuple, list)) else (key, key)
        if len(pair) != 2 or any(state not in states for state in pair):
            raise UnknownNameError(f"the Jacobian of {cell.name} has no block {key!r:.60}", fix=nearest(key, states))
        found[pair] = claim
    return found


def _size_of_matrices(cell: Cell, claims: Mapping[Block, Any]) -> int:
    """n of claims that are matrices."""
    shapes: set[tuple[Any, ...]] = {getattr(claim, "shape", ()) for claim in claims.values()}
    if any(callable(claim) for claim in claims.values()) or len(shapes) != 1 or () in shapes:
        raise UsageError(
            "a claim is a function of the step's values and t, or a SymPy matrix, one kind for all blocks",
            fix="tg.lint(cell, lambda v, t: tg.diag(1 - v.h[t] ** 2) @ v.U)",
        )
    return int(shapes.pop()[0])


# A judge says whether a claim is right, and computes it at numbers
At = Callable[[Mapping[int, Any]], Any]


def _judge_nodes(point: StepPoint, block: Block, claim: Callable[..., Any], seed: int) -> Finding:
    rows, columns = point.shape(block)
    try:
        node = claim(point.named(lambda node: node), point.time)
    except ShapeError as error:
        return Finding(_title(point, block), False, (Mistake("shape", error.what),), corrected=_latex(point, block))
    if isinstance(node, (int, float)):
        node = point.net.graph.constant("", np.full((rows, columns), node))
    if not isinstance(node, Node) or node.graph is not point.net.graph:
        raise UsageError(
            f"a claim over nodes gives a node of the step, not {node!r:.60}",
            fix='over="numpy" for a function of arrays, over="sympy" for one of SymPy matrices',
        )
    if size(node.shape) != rows * columns or (node.ndim == 2 and node.shape != (rows, columns)):
        return _wrong_shape(point, block, node.shape)

    def claimed(fed: Mapping[int, Any]) -> Any:
        return np.reshape(point.run(NumpyArrays("float64"), fed, [node])[node.id], (rows, columns))

    same = all(_same_in_the_field(point, block, node, seed + k) for k in range(MANY if point.kinked else 1))
    return _finding(point, block, same, claimed, seed)


def _same_in_the_field(point: StepPoint, block: Block, node: Node, seed: int) -> bool:
    xp = FieldArrays(seed)
    drawn = point.draw(lambda node: xp.draw(node.shape), xp.rng)
    return values(point.run(xp, drawn, [node])[node.id]) == values(point.exact(xp, drawn, block))


def _judge_numpy(point: StepPoint, block: Block, claim: Callable[..., Any], seed: int) -> Finding:
    def claimed(fed: Mapping[int, Any]) -> Any:
        run = point.run(NumpyArrays("float64"), fed)
        value = np.asarray(claim(point.named(lambda node: run[node.id].copy()), point.time), float)
        return np.full(point.shape(block), float(value)) if value.ndim == 0 else value

    shape = np.shape(claimed(point.numbers(seed)))
    if shape != point.shape(block):
        return _wrong_shape(point, block, shape)
    return _finding(point, block, _telling(point, block, claimed, seed) is None, claimed, seed)


def _judge_sympy(point: StepPoint, block: Block, claim: Any, seed: int) -> Finding:
    from .step_symbols import StepSymbols  # brings SymPy, 0.2 s

    symbols = StepSymbols(point)
    matrix = claim(symbols.values, point.time) if callable(claim) else claim
    if tuple(getattr(matrix, "shape", ())) != point.shape(block):
        return _wrong_shape(point, block, getattr(matrix, "shape", ()))
    symbols.check(matrix)

    def claimed(fed: Mapping[int, Any]) -> Any:
        return symbols.numbers(matrix, point.run(NumpyArrays("float64"), fed))

    return _finding(point, block, symbols.agrees(matrix, block), claimed, seed)


_JUDGES: dict[str, Callable[[StepPoint, Block, Any, int], Finding]] = {
    "nodes": _judge_nodes,
    "numpy": _judge_numpy,
    "sympy": _judge_sympy,
}


# Findings
def _telling(point: StepPoint, block: Block, claimed: At, seed: int) -> dict[int, Any] | None:
    """Numbers at which the claim and the right block differ; None if none of many do."""
    for k in range(MANY):
        fed = point.numbers(seed + k)
        right = point.floats(fed, block)
        if not np.abs(claimed(fed) - right).max(initial=0) <= TOLERANCE * (1 + np.abs(right).max(initial=0)):
            return fed
    return None


def _finding(point: StepPoint, block: Block, same: bool, claimed: At, seed: int) -> Finding:
    title = _title(point, block)
    if same:
        return Finding(title, True, corrected=_latex(point, block))
    mistakes: tuple[Mistake, ...] = (Mistake("unknown", point.why_no_words or UNKNOWN),)
    try:
        fed = _telling(point, block, claimed, seed) or point.numbers(seed)
        run, value = point.run(NumpyArrays("float64"), fed), claimed(fed)
        seen = counterexample(value, point.floats(fed, block), _shown(point, block, run))
    except DifferentiationError:
        return Finding(title, False, mistakes, corrected=_latex(point, block))
    found = explain(point.words, block, value, run) if point.words else ()
    return Finding(title, False, found or mistakes, seen, _latex(point, block))


def _wrong_shape(point: StepPoint, block: Block, shape: Any) -> Finding:
    text = f"the claim has shape {tuple(shape)}, the Jacobian {point.shape(block)}"
    return Finding(_title(point, block), False, (Mistake("shape", text),), corrected=_latex(point, block))


def _title(point: StepPoint, block: Block) -> str:
    name = plain_style(point.time).name
    new, old = point.ends[block[0]], point.start[block[1]]
    return f"d {name(new, False, False)} / d {name(old, False, False)} of {point.cell.name}"


def _latex(point: StepPoint, block: Block) -> str:
    return block_latex(point.words, block) if point.words else ""


def _shown(point: StepPoint, block: Block, run: Mapping[int, Any]) -> dict[str, Any]:
    """The values of the letters of the right formula, where they are short."""
    if point.words is None:
        return {}
    names = PlainNames(point.words)
    found: dict[str, Any] = {}
    for word in point.words.compact[block]:
        for one in word:
            nodes = [atom.node for atom, _ in one.factors] if isinstance(one, Diagonal) else []
            nodes += [one.node] if isinstance(one, Matrix) else []
            for node in nodes:
                if run[node.id].size <= MOST_SHOWN:
                    found[names.of(node)] = run[node.id]
    return found
