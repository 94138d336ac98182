"""Saving and loading graphs as JSON: versioned, one node a line, and checked as a whole on loading.

Nothing in a file is ever executed: operations are looked up in the table, and each node must be
what its row infers from its operands.
"""

from __future__ import annotations

import json
import math
import os
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import FileFormatError, TinygraphError, expect, nearest
from .files import write_atomically
from .graph.constants import DTYPES, Array, as_constant, exact
from .graph.node import KINDS, Kind, Node, Provenance
from .graph.op import NO_ATTRS
from .graph.steps import Steps
from .graph.tape import Graph
from .graph.validator import validate
from .ops import OPS

FORMAT = "tinygraph graph"
VERSION = 1


def save(graph: Graph, path: str | os.PathLike[str]) -> Path:
    """Write the tape to a JSON file, atomically. The same tape gives the same bytes. Raises `OSError`."""
    expect(graph, Graph, "a graph is saved", "save net.graph or node.graph")
    lines = ",\n".join(json.dumps(_node_record(node), sort_keys=True, separators=(",", ":")) for node in graph)
    text = f'{{"format":"{FORMAT}","version":{VERSION},"nodes":[\n{lines}\n]}}\n'
    return write_atomically(path, text.encode())


def load(path: str | os.PathLike[str]) -> Graph:
    """Read a tape that `save` wrote. Find its nodes by label: `graph["h", 3]`.

    Raises `FileFormatError` for a damaged or foreign file, one of a newer version, or one with
    unknown operations, cycles or shapes that do not follow; `OSError` if it cannot be read.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is not JSON", [str(error)], "was it written by tinygraph.save?") from None
    try:
        return _read(document)
    except FileFormatError as error:
        raise error.within(str(path)) from None
    except RecursionError:
        raise FileFormatError(f"{path}: nested too deeply") from None


def _node_record(node: Node) -> dict[str, Any]:
    default = Provenance()._asdict()
    where = {key: value for key, value in node.where._asdict().items() if value is not default[key]}
    record: dict[str, Any] = {"op": node.op.name, "shape": list(node.shape), "batched": node.batched, "kind": node.kind}
    if node.args:
        record["args"] = [arg.id for arg in node.args]
    if node.attrs:
        record["attrs"] = {key: _encode(value) for key, value in node.attrs.items()}
    return record | where


def _encode(value: Any) -> Any:
    if isinstance(value, Fraction):
        return {"ratio": [value.numerator, value.denominator]}
    if isinstance(value, Array):
        return {"array": [_encode(v) for v in value.data.ravel().tolist()], "shape": list(value.data.shape)}
    if isinstance(value, tuple):
        return [_encode(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _decode(value: Any, kind: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(v, kind) for v in value)
    if isinstance(value, dict):
        if value.keys() == {"ratio"}:
            return Fraction(*(int(v) for v in value["ratio"]))
        if value.keys() == {"float"}:
            return float(value["float"])
        if value.keys() == {"array", "shape"}:
            data = np.array([_decode(v, kind) for v in value["array"]] or np.zeros(0, DTYPES[kind]))
            return as_constant(data.reshape(value["shape"]), kind)[0]
        raise FileFormatError(f"an attribute of unknown form: {list(value)}")
    return value


def _read(document: Any) -> Graph:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FileFormatError("this is no tinygraph graph", fix="was it written by tinygraph.save?")
    if document.get("version") != VERSION:
        raise FileFormatError(
            f"format version {document.get('version')!r:.40}, and this tinygraph reads {VERSION}",
            fix="update tinygraph",
        )
    records = document.get("nodes")
    if not isinstance(records, list):
        raise FileFormatError("the list of nodes is missing")
    graph = Graph()
    for place, record in enumerate(records):
        try:
            _append(graph, record)
        except FileFormatError as error:
            raise error.within(f"node {place}") from None
        except TinygraphError as error:
            raise FileFormatError(f"node {place}: {error.what}", error.where, error.fix) from None
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
            raise FileFormatError(f"node {place} is damaged: {type(error).__name__} {error}") from None
    validate(graph)
    _check_sequences(graph)
    return graph


def _append(graph: Graph, record: dict[str, Any]) -> None:
    """One node from its record. What is wrong raises; the caller says where."""
    op = OPS.get(record["op"])
    if op is None:
        raise FileFormatError(f"unknown operation {record['op']!r:.60}", fix=nearest(record["op"], OPS))
    places = record.get("args", [])
    if any(not isinstance(p, int) or not 0 <= p < len(graph) for p in places):
        raise FileFormatError(f"operands {places!r:.60} are not all earlier nodes")
    args = tuple(graph.nodes[p] for p in places)
    shape, batched, kind = _signature(record)
    attrs = {key: _decode(value, kind) for key, value in record.get("attrs", {}).items()}
    with graph.stamped(_provenance(record)):
        if op.leaf:
            if args or (batched and op.name != "input") or (kind != "real" and op.name == "parameter"):
                raise FileFormatError(f"{op.name} is not as leaves of its kind are")
            node = graph.append(op, args, _leaf_attrs(op.name, attrs, shape, kind), shape, batched, kind)
            _register(graph, node)
        else:
            finished = MappingProxyType(op.attrs(*args, **attrs)) if op.attrs else NO_ATTRS
            if dict(finished) != attrs or (op.arity is not None and op.arity != len(args)) or (not args and op.arity):
                raise FileFormatError(f"{op.name} has wrong attributes or operands")
            inferred = op.infer(args, finished)
            if inferred != (shape, batched, kind):
                raise FileFormatError(f"{op.name} gives {inferred}, not {(shape, batched, kind)}")
            start = len(graph)
            graph.append(op, args, finished, shape, batched, kind)
            if len(graph) == start:
                raise FileFormatError(f"{op.name} stands twice where equal ones are shared")
            graph.provenance[-1] = _provenance(record)


def _signature(record: dict[str, Any]) -> tuple[tuple[int, ...], bool, Any]:
    shape, batched, kind = tuple(record["shape"]), record["batched"], record["kind"]
    if any(type(n) is not int or n < 0 for n in shape) or type(batched) is not bool or kind not in KINDS:
        raise FileFormatError("a shape, a batch flag or a kind is damaged")
    return shape, batched, kind


def _provenance(record: dict[str, Any]) -> Provenance:
    where = Provenance(**{key: record[key] for key in Provenance._fields if key in record})
    texts = (where.scope, where.label, where.latex)
    if not all(isinstance(text, str) for text in texts) or not isinstance(where.backward, bool):
        raise FileFormatError("a label or a scope is damaged")
    if where.step is not None and type(where.step) is not int:
        raise FileFormatError("a time step is damaged")
    return where


def _leaf_attrs(op: str, attrs: dict[str, Any], shape: tuple[int, ...], kind: Kind) -> Any:
    expected = {"input": ({"name"}, {"name", "index"}), "parameter": ({"name", "initial"},), "constant": ({"value"},)}
    if set(attrs) not in expected[op]:
        raise FileFormatError(f"{op} has attributes {sorted(attrs)}")
    if op == "constant":
        value = attrs["value"]
        fits = value.data.shape == shape if isinstance(value, Array) else exact(value, kind) == value or value != value
        if not fits:
            raise FileFormatError("the value of a constant does not fit its shape")
    elif not isinstance(attrs["name"], str) or not isinstance(attrs.get("initial", ""), str):
        raise FileFormatError("a name is damaged")
    return MappingProxyType(attrs)


def _register(graph: Graph, node: Node) -> None:
    """Make the leaf's name lead to it."""
    if node.op.name == "constant":
        return
    name, index = node.attrs["name"], node.attrs.get("index")
    taken = name in graph.parameters or (name in graph.inputs and index is None)
    sequence = graph.inputs.get(name)
    if taken or (index is not None and sequence is not None and not isinstance(sequence, Steps)):
        raise FileFormatError(f"the name {name!r} is taken twice")
    if node.op.name == "parameter":
        graph.parameters[name] = node
    elif index is None:
        graph.inputs[name] = node
    else:
        if not isinstance(sequence, Steps):
            sequence = graph.inputs[name] = Steps(name)
        if type(index) is not int or index != len(sequence) + 1:
            raise FileFormatError(f"step {index!r} of sequence {name!r} is out of order")
        sequence[index] = node


def _check_sequences(graph: Graph) -> None:
    for name, entry in graph.inputs.items():
        if isinstance(entry, Steps):
            signatures = {(node.shape, node.batched, node.kind) for node in entry.values()}
            if len(signatures) > 1:
                raise FileFormatError(f"the steps of sequence {name!r} have different shapes")
