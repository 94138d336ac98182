"""Every cell against plain NumPy, written from its equations for one example at one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.compare import assert_close
from helpers.networks import Network

import tinygraph as tg
from tinygraph.models import CELLS

Values = dict[str, Any]
STEPS, BATCH = 5, 3


def sigma(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def elman(p: Values, x: Any, h: Any) -> Values:
    return {"h": np.tanh(p["W"] @ x + p["U"] @ h + p["b"])}


def lstm(p: Values, x: Any, h: Any, c: Any) -> Values:
    i, f, o = (sigma(p[f"W_{k}"] @ x + p[f"U_{k}"] @ h + p[f"b_{k}"]) for k in "ifo")
    g = np.tanh(p["W_g"] @ x + p["U_g"] @ h + p["b_g"])
    c = f * c + i * g
    return {"h": o * np.tanh(c), "c": c, "i": i, "f": f, "g": g, "o": o}


def gru(p: Values, x: Any, h: Any) -> Values:
    r, z = (sigma(p[f"W_{k}"] @ x + p[f"U_{k}"] @ h + p[f"b_{k}"]) for k in "rz")
    candidate = np.tanh(p["W"] @ x + p["U"] @ (r * h) + p["b"])
    return {"h": z * h + (1 - z) * candidate, "r": r, "z": z, "c": candidate}


def gru_reset_after(p: Values, x: Any, h: Any) -> Values:
    r, z = (sigma(p[f"W_{k}"] @ x + p[f"U_{k}"] @ h + p[f"b_{k}"]) for k in "rz")
    candidate = np.tanh(p["W"] @ x + p["b"] + r * (p["U"] @ h + p["b_U"]))
    return {"h": z * h + (1 - z) * candidate, "r": r, "z": z, "c": candidate}


# The step of each cell: its arguments are parameters, then inputs, contexts and states by name. It
# returns the new states, and may return the gates that the cell names.
REFERENCES: dict[str, Callable[..., Values]] = {
    "elman": elman,
    "lstm": lstm,
    "gru": gru,
    "gru_reset_after": gru_reset_after,
}


def test_every_cell_has_a_reference():
    missing = set(CELLS) - set(REFERENCES)
    assert not missing, f"write the step of {sorted(missing)} in plain NumPy into REFERENCES"


@pytest.mark.parametrize("initial", ["zeros", "learned", "fed"])
@pytest.mark.parametrize("name", REFERENCES)
def test_against_numpy(name, initial):
    """States and named gates at every step, example by example."""
    cell = CELLS[name]
    net = Network(cell, STEPS, initial=initial)
    layer, feeds = net.layers[0], net.feeds(0, BATCH)
    found = tg.evaluate(layer.series, feeds)
    for b in range(BATCH):
        alone = net.example(feeds, b)
        parameters = {key: feeds[node.attrs["name"]] for key, node in layer.parameters.items()}
        state = {s: start(layer, s, alone) for s in cell.states}
        for t in range(1, STEPS + 1):
            given = {key: alone[key][t - 1] for key in cell.inputs} | {key: alone[key] for key in cell.contexts}
            new = REFERENCES[name](parameters, **given, **state)
            for key, value in new.items():
                assert_close(found[key][t][b], value, 1e-13, what=f"{key}_{t}, example {b}")
            state = {s: new[s] for s in cell.states}


def start(layer: tg.Unrolled, state: str, feeds: Values) -> Any:
    """The initial state: fed or learned under its name, else zeros."""
    return feeds.get(f"{state}_0", np.zeros(layer.series[state][0].shape))


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_documented(name):
    """A summary, a machine-readable reference, and the first state as output unless said otherwise."""
    cell = CELLS[name]
    assert cell.name == name
    assert cell.summary.endswith(".")
    assert "doi:" in cell.reference or "arXiv:" in cell.reference
    assert cell.output in cell.states


@pytest.mark.parametrize("name", CELLS)
def test_one_step_applied_by_hand_is_a_step_of_the_unrolled_net(name):
    """`cell(x, h, ...)` returns the new states."""
    cell = CELLS[name]
    net = Network(cell, 2, initial="fed")
    layer, feeds = net.layers[0], net.feeds(0, BATCH)
    arguments = {key: layer.series[key][1] for key in cell.inputs} | {s: layer.series[s][0] for s in cell.states}
    arguments |= layer.contexts | {key: layer.parameters[key] for key in cell.parameters}
    by_hand = cell(**arguments)
    found, expected = tg.evaluate([list(by_hand), [layer.series[s][1] for s in cell.states]], feeds)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
