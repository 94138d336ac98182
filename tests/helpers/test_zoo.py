"""The few cells that stand for the others have all that the others have."""

from __future__ import annotations

from helpers.zoo import FEW, FLAT, KINKED, SELECTING, sizes_of

import tinygraph as tg
from tinygraph.cells import Cell
from tinygraph.models import CELLS


def features(cell: Cell) -> set[object]:
    """Operations, roles, kinds of input, options and the number of states, as far as tests may depend on them."""
    net = tg.unroll(cell, 1, sizes=sizes_of(cell))
    operations = {node.op.name for node in net.graph}
    return operations | {type(role) for role in cell.roles.values()} | {role.kind for role in cell.inputs.values()}


def test_the_few_stand_for_all():
    covered = set().union(*(features(CELLS[name]) for name in FEW))
    missing = {name: features(cell) - covered for name, cell in CELLS.items()}
    assert {name: rest for name, rest in missing.items() if rest} == {}


def test_the_groups_are_as_named():
    operations = {name: features(cell) for name, cell in CELLS.items()}
    assert {name for name, found in operations.items() if found & {"relu", "step"}} == KINKED
    assert {name for name, found in operations.items() if "step" in found} == FLAT
    assert {name for name, found in operations.items() if found & {"concatenate", "slice"}} == SELECTING
