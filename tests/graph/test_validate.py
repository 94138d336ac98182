"""The validator: it accepts what the interface makes, and names each kind of damage done by hand."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from graph.samples import each_net, every_row, trained

import tinygraph as tg
from tinygraph.errors import GraphError
from tinygraph.graph import Node, Provenance


class Tape:
    """A small tape: W @ x_t summed, with an input, a parameter, a sequence and a constant."""

    def __init__(self) -> None:
        self.g = g = tg.Graph()
        self.W, self.U = g.parameter("W", (2, 3)), g.parameter("U", (2, 3))
        self.x = g.sequence("x", 2, (3,))
        self.b = g.input("b", (2,))
        self.k = g.constant("k", [1.0, 2.0])
        self.y = g.relabel(self.W @ self.x[1] + self.b, "y")
        self.s = tg.sum(self.y, name="s")


def damage(node: Node, **fields) -> None:
    """Change a frozen node by force."""
    for name, value in fields.items():
        object.__setattr__(node, name, value)


def append(graph: tg.Graph, node: Node) -> None:
    graph.nodes.append(node)
    graph.provenance.append(Provenance())


def _drop_from(entries: dict, name: str) -> None:
    del entries[name]


def _swap(entries: dict, a: str, b: str) -> None:
    entries[a], entries[b] = entries[b], entries[a]


NO_ATTRS = MappingProxyType({})
OTHER = tg.Graph().input("other", (2,))
DAMAGE = {
    "shape": lambda t: damage(t.y, shape=(9,)),
    "shape of a scalar": lambda t: damage(t.s, shape=(1,)),
    "batch flag": lambda t: damage(t.y, batched=False),
    "kind": lambda t: damage(t.y, kind="integer"),
    "unknown kind": lambda t: damage(t.y, kind="colour"),
    "unknown kind of a leaf": lambda t: damage(t.b, kind="colour"),
    "id": lambda t: damage(t.y, id=0),
    "tape": lambda t: damage(t.y, graph=tg.Graph()),
    "a copy of a row": lambda t: damage(t.y, op=replace(tg.OPS["add"])),
    "a row that is not in the table": lambda t: damage(t.s, op=replace(tg.OPS["sum"], name="total")),
    "another row": lambda t: damage(t.s, op=tg.OPS["tanh"]),
    "a later operand": lambda t: damage(t.y, args=(t.s, t.b)),
    "itself as operand": lambda t: damage(t.y, args=(t.y, t.b)),
    "an operand of another tape": lambda t: damage(t.y, args=(OTHER, t.b)),
    "too few operands": lambda t: damage(t.s, args=()),
    "too many operands": lambda t: damage(t.s, args=(t.y, t.y)),
    "an operand of another shape": lambda t: damage(t.y, args=(t.x[1], t.b)),
    "an operand that is gone": lambda t: t.g.nodes.__setitem__(t.b.id, t.k),
    "other attributes": lambda t: damage(t.s, attrs=MappingProxyType({"axis": (-1,), "keepdims": True})),
    "missing attributes": lambda t: damage(t.s, attrs=NO_ATTRS),
    "unknown attributes": lambda t: damage(t.y, attrs=MappingProxyType({"colour": 1})),
    "attributes out of range": lambda t: damage(t.s, attrs=MappingProxyType({"axis": (-5,), "keepdims": False})),
    "a node twice": lambda t: append(t.g, t.s),
    "a node that skips a place": lambda t: append(t.g, replace(t.s, id=len(t.g) + 1)),
    "a wrong node at the end": lambda t: append(t.g, replace(t.s, id=len(t.g), shape=(2,))),
    "provenance missing": lambda t: t.g.provenance.pop(),
    "provenance too long": lambda t: t.g.provenance.append(Provenance()),
    "a parameter without its name": lambda t: _drop_from(t.g.parameters, "W"),
    "an input without its name": lambda t: _drop_from(t.g.inputs, "b"),
    "a sequence without its name": lambda t: _drop_from(t.g.inputs, "x"),
    "a step of a sequence missing": lambda t: _drop_from(t.g.inputs["x"], 2),
    "names swapped": lambda t: _swap(t.g.parameters, "W", "U"),
    "steps swapped": lambda t: _swap(t.g.inputs["x"], 1, 2),
    "a name that leads elsewhere": lambda t: t.g.parameters.__setitem__("V", t.W),
    "a name that leads to another tape": lambda t: t.g.inputs.__setitem__("other", OTHER),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named(kind):
    tape = Tape()
    tg.validate(tape.g)
    DAMAGE[kind](tape)
    with pytest.raises(GraphError):
        tg.validate(tape.g)


def test_the_first_wrong_node_is_described():
    tape = Tape()
    damage(tape.y, shape=(9,))
    damage(tape.s, kind="integer")
    with pytest.raises(GraphError, match=r"(?s)add gives .*\(2,\).*y = add, shape \(9,\)"):
        tg.validate(tape.g)


def test_every_row_of_the_table_validates():
    tg.validate(every_row().graph)


@each_net("name", "how")
def test_every_cell_with_its_gradient_validates(name, how):
    tg.validate(trained(name, how).graph)


def test_an_empty_tape_is_valid():
    tg.validate(tg.Graph())
