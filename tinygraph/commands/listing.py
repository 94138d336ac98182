"""What `tinygraph cells --json` says of a system: names and sizes, as data."""

from __future__ import annotations

import tinygraph as tg
from tinygraph import models

from ..card import parameter_count
from ..cells import Cell
from ..graph import Node, Steps
from ..shapes import size
from ..symbolic.steps import cell_text


def record(system: models.System) -> dict[str, object]:
    """A system as JSON data: shapes are named sizes, such as "H I", or of a net of several cells the numbers."""
    parts = _of_cell(system.cell) if system.cell is not None else _of_net(system.build())
    head = {"name": system.name, "group": system.group, "summary": system.summary}
    return {**head, **parts, "reference": system.reference}


def _of_cell(cell: Cell) -> dict[str, object]:
    return {
        "inputs": {name: role.dims.text for name, role in cell.inputs.items()},
        "states": {name: role.dims.text for name, role in cell.states.items()},
        "parameters": {name: role.dims.text for name, role in cell.parameters.items()},
        "parameter_count": parameter_count(cell),
        "equations": cell_text(cell).splitlines(),
    }


def _of_net(built: models.Built) -> dict[str, object]:
    graph = built.graph
    return {
        "inputs": {name: _shape(entry) for name, entry in graph.inputs.items()},
        "states": {
            f"{net.scope}/{name}" if net.scope else name: _shape(net.series[name])
            for net in built.nets
            for name in net.cell.states
        },
        "parameters": {name: _shape(node) for name, node in graph.parameters.items()},
        "parameter_count": str(sum(size(node.shape) for node in graph.parameters.values())),
        "equations": str(tg.roll([list(built.outputs), built.loss])).splitlines(),
    }


def _shape(entry: Node | Steps) -> str:
    node = entry if isinstance(entry, Node) else entry.last
    return " ".join(map(str, node.shape))
