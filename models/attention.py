"""Attention: a cell that looks at a memory, such as the states of an encoder, while it steps.

    e_j = score(query, memory_j)      how well position j fits
    alpha = softmax(e)                over the positions that are seen
    glimpse = sum_j alpha_j memory_j  what is read

`attend_first` looks with its old state and then steps; `attend_last` steps and then looks. Both make a cell of
any cell, with two contexts: `memory` (S, A), a row for each of S positions, and `seen` (S,), false at padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tinygraph.cells import Cell, Context, Param, Role, State, let
from tinygraph.errors import UnknownNameError, UsageError, nearest
from tinygraph.graph import Node, Steps
from tinygraph.ops.choice import where
from tinygraph.ops.linear import transpose
from tinygraph.ops.nonlinear import sqrt, tanh
from tinygraph.ops.normalise import softmax
from tinygraph.ops.structure import concatenate
from tinygraph.ops.structure import stack as stack_nodes

from .wrapping import derive, joined_roles, only_input, output_size, step_inside, with_wider_input

NEVER = -(10**9)  # the score of a position that is not seen: its weight is exactly 0


@dataclass(frozen=True)
class Score:
    """How well a query (Q,) fits each row of a memory (S, A): scores (S,), and the parameters that this takes."""

    doc: str
    apply: Callable[[Node, Node, Mapping[str, Node]], Node]
    parameters: Callable[[str], dict[str, Param]]  # from the name of the query's size
    same_size: bool = False  # whether the rows must have the size of the query


def _scaled(query: Node, memory: Node) -> Node:
    return memory @ query / sqrt(query.graph.number(query.shape[0]))


SCORES: dict[str, Score] = {
    "additive": Score(
        "v_a^T tanh(W_a s + U_a m_j). Bahdanau, Cho and Bengio 2015, arXiv:1409.0473, A.1.2.",
        lambda s, m, p: tanh(p["W_a"] @ s + m @ transpose(p["U_a"])) @ p["v_a"],
        lambda Q: {"W_a": Param.of(f"D {Q}"), "U_a": Param.of("D A"), "v_a": Param.of("D", "uniform")},
    ),
    "dot": Score(
        "m_j^T s. Luong, Pham and Manning 2015, arXiv:1508.04025, eq. 8.", lambda s, m, p: m @ s, lambda Q: {}, True
    ),
    "scaled_dot": Score(
        "m_j^T s / sqrt(Q). Vaswani et al. 2017, arXiv:1706.03762, eq. 1.",
        lambda s, m, p: _scaled(s, m),
        lambda Q: {},
        True,
    ),
    "general": Score(
        "m_j^T W_a s. Luong, Pham and Manning 2015, arXiv:1508.04025, eq. 8.",
        lambda s, m, p: m @ (p["W_a"] @ s),
        lambda Q: {"W_a": Param.of(f"A {Q}")},
    ),
}


def attend_first(base: Cell, score: str = "additive") -> Cell:
    """`base` with attention: it looks with its last output s_{t-1}, then steps over [x_t; glimpse_t].

    Adds the contexts `memory` and `seen`, and the parameters of the score. `net.alpha[t]` has the weights.
    Reference: Bahdanau, Cho and Bengio 2015, arXiv:1409.0473, without their maxout layer.

    Raises `UnknownNameError` for a score that does not exist, `UsageError` for a cell that cannot read more.
    """
    name, role = only_input(base, "attention")
    kind, query = find_score(score), _query(base)
    width = query if kind.same_size else "A"
    own = with_wider_input(base, width, "attention that looks first")
    roles = joined_roles("attention", {name: role}, base.states, _contexts(width), own, kind.parameters(query))

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        x = _wide(name, given[name], _look(kind, given[base.output], given))
        return step_inside(base, {name: x, **{n: given[n] for n in (*base.states, *base.parameters)}})

    doc = f"{base.name} that looks at a memory, then steps.\n\nReferences: {kind.doc}"
    return derive(f"{base.name}_attending_{score}", doc, roles, equations, output=base.output)


def attend_last(base: Cell, score: str = "general", *, feeding: bool = True) -> Cell:
    """`base` with attention: it steps, looks with its new output s_t, and says tanh(W_c [glimpse_t; s_t]).

    What it says is the state `attended`, its output. With `feeding` the next step reads it beside x_t.
    Adds the contexts `memory` and `seen`, W_c and the parameters of the score. `net.alpha[t]` has the weights.
    Reference: Luong, Pham and Manning 2015, arXiv:1508.04025, global attention, eq. 5; input feeding, 3.3.

    Raises `UnknownNameError` for a score that does not exist, `UsageError` for a cell that cannot read more.
    """
    name, role = only_input(base, "attention")
    kind, query = find_score(score), _query(base)
    width = query if kind.same_size else "A"
    own = with_wider_input(base, query, "input feeding") if feeding else base.parameters
    added = {"W_c": Param.of(f"{query} {width}+{query}"), **kind.parameters(query)}
    attended = {"attended": State.of(query)}
    roles = joined_roles("attention", {name: role}, attended, base.states, _contexts(width), own, added)

    def equations(given: Mapping[str, Node]) -> Sequence[Node]:
        x = _wide(name, given[name], given["attended"]) if feeding else given[name]
        new = step_inside(base, {name: x, **{n: given[n] for n in (*base.states, *base.parameters)}})
        s = new[list(base.states).index(base.output)]
        glimpse = _look(kind, s, given)
        said = let("attended", tanh(given["W_c"] @ concatenate([glimpse, s])))
        return [said, *new]

    doc = f"{base.name} that steps, then looks at a memory.\n\nReferences: {kind.doc}"
    return derive(f"{base.name}_attended_{score}", doc, roles, equations, output="attended")


def find_score(name: str) -> Score:
    """The score of that name. Raises `UnknownNameError` with the nearest one."""
    if name not in SCORES:
        raise UnknownNameError(f"no attention score {name!r:.60}", fix=nearest(name, SCORES))
    return SCORES[name]


def memory_of(output: Steps, mask: Steps | None = None) -> dict[str, Node]:
    """The outputs of a net as the contexts of attention: memory (S, A), and seen (S,), all true without a mask.

    An example needs at least one position that is seen.
    """
    times = sorted(output)
    graph = output.last.graph
    with graph.at(scope="memory"):
        memory = graph.relabel(stack_nodes([output[t] for t in times]), "memory")
        if mask is None:
            return {"memory": memory, "seen": graph.constant("seen", ones=(len(times),), kind="boolean")}
        return {"memory": memory, "seen": graph.relabel(stack_nodes([mask[t] for t in times]), "seen")}


def _contexts(width: str) -> dict[str, Role]:
    return {"memory": Context.of(f"S {width}"), "seen": Context.of("S", "boolean")}


def _query(base: Cell) -> str:
    """The name of the size of the output, with which the cell looks."""
    size = output_size(base, "attention")
    if {"S", "A", "D"} & set(base.sizes):
        raise UsageError(f"cell {base.name} has a size S, A or D, which attention needs", fix="rename it")
    return size


def _look(kind: Score, query: Node, given: Mapping[str, Node]) -> Node:
    """What is read of the memory."""
    scores = kind.apply(query, given["memory"], given)
    weights = let("alpha", softmax(where(given["seen"], scores, NEVER)), latex=r"\alpha")
    return let("glimpse", weights @ given["memory"])


def _wide(name: str, x: Node, extra: Node) -> Node:
    """The input with more behind it."""
    return let(f"{name}_wide", concatenate([x, extra]), latex=rf"\tilde {name}")
