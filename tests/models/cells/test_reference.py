"""Every cell against plain NumPy, written from its equations for one example at one step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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


def affine(p: Values, k: str, x: Any, h: Any) -> Any:
    """W_k x + U_k h + b_k; without an index for an empty k."""
    W, U, b = (f"{name}_{k}" if k else name for name in "WUb")
    return p[W] @ x + p[U] @ h + p[b]


# Simple
def simple(f: Callable[[Any], Any]) -> Callable[..., Values]:
    return lambda p, x, h: {"h": f(affine(p, "", x, h))}


def elman_fused(p: Values, x: Any, h: Any) -> Values:
    W, U = p["W"][:, len(h) :], p["W"][:, : len(h)]
    return {"h": np.tanh(W @ x + U @ h + p["b"])}


def linear(p: Values, x: Any, h: Any) -> Values:
    return {"h": p["W"] @ x + p["U"] @ h}


def leaky(p: Values, x: Any, h: Any) -> Values:
    return {"h": (h + np.tanh(affine(p, "", x, h))) / 2}


def jordan(p: Values, x: Any, o: Any) -> Values:
    h = np.tanh(p["W"] @ x + p["R"] @ o + p["b"])
    return {"h": h, "o": p["V"] @ h + p["c"]}


# With a memory
def lstm(p: Values, x: Any, h: Any, c: Any) -> Values:
    i, f, o = (sigma(affine(p, k, x, h)) for k in "ifo")
    g = np.tanh(affine(p, "g", x, h))
    c = f * c + i * g
    return {"h": o * np.tanh(c), "c": c, "i": i, "f": f, "g": g, "o": o}


def lstm_coupled(p: Values, x: Any, h: Any, c: Any) -> Values:
    f, o = (sigma(affine(p, k, x, h)) for k in "fo")
    c = f * c + (1 - f) * np.tanh(affine(p, "g", x, h))
    return {"h": o * np.tanh(c), "c": c, "f": f, "o": o}


def lstm_peephole_full(p: Values, x: Any, h: Any, c: Any) -> Values:
    i, f = (sigma(affine(p, k, x, h) + p[f"V_{k}"] @ c) for k in "if")
    c = f * c + i * np.tanh(affine(p, "g", x, h))
    o = sigma(affine(p, "o", x, h) + p["V_o"] @ c)
    return {"h": o * np.tanh(c), "c": c, "i": i, "f": f, "o": o}


def search_space_odyssey(
    open_gates: str = "", coupled: bool = False, g: Callable[[Any], Any] = np.tanh, h: Callable[[Any], Any] = np.tanh
) -> Callable[..., Values]:
    """Greff et al. 2015, section 2, and one change: z is the block input, y the block output."""
    squash = h

    def step(p: Values, x: Any, h: Any, c: Any) -> Values:
        def gate(k: str, memory: Any) -> Any:
            return 1.0 if k in open_gates else sigma(affine(p, k, x, h) + p[f"p_{k}"] * memory)

        z = g(affine(p, "g", x, h))
        f = gate("f", c)
        i = 1 - f if coupled else gate("i", c)
        c = z * i + c * f
        y = squash(c) * gate("o", c)
        return {"h": y, "c": c, "g": z}

    return step


def lstm_full_gate_recurrence(p: Values, x: Any, h: Any, c: Any, i: Any, f: Any, o: Any) -> Values:
    """All gates of the step before, as one vector through the three R of each gate, side by side."""
    gates = np.concatenate([i, f, o])
    a = {k: affine(p, k, x, h) + np.hstack([p[f"R_{k}{j}"] for j in "ifo"]) @ gates for k in "ifo"}
    i, f = (sigma(a[k] + p[f"p_{k}"] * c) for k in "if")
    c = np.tanh(affine(p, "g", x, h)) * i + c * f
    o = sigma(a["o"] + p["p_o"] * c)
    return {"h": np.tanh(c) * o, "c": c, "i": i, "f": f, "o": o}


# With gates
def gru(p: Values, x: Any, h: Any) -> Values:
    r, z = (sigma(affine(p, k, x, h)) for k in "rz")
    candidate = np.tanh(affine(p, "", x, r * h))
    return {"h": z * h + (1 - z) * candidate, "r": r, "z": z, "c": candidate}


def gru_new(p: Values, x: Any, h: Any) -> Values:
    r, z = (sigma(affine(p, k, x, h)) for k in "rz")
    candidate = np.tanh(affine(p, "", x, r * h))
    return {"h": h + z * (candidate - h), "r": r, "z": z, "c": candidate}


def gru_reset_after(p: Values, x: Any, h: Any) -> Values:
    r, z = (sigma(affine(p, k, x, h)) for k in "rz")
    candidate = np.tanh(p["W"] @ x + p["b"] + r * (p["U"] @ h + p["b_U"]))
    return {"h": z * h + (1 - z) * candidate, "r": r, "z": z, "c": candidate}


def mgu(p: Values, x: Any, h: Any) -> Values:
    f = sigma(affine(p, "f", x, h))
    return {"h": h + f * (np.tanh(affine(p, "", x, f * h)) - h), "f": f}


# Found by a search
def mut1(p: Values, x: Any, h: Any) -> Values:
    z, r = sigma(p["W_z"] @ x + p["b_z"]), sigma(affine(p, "r", x, h))
    return {"h": np.tanh(p["U"] @ (r * h) + np.tanh(x) + p["b"]) * z + h * (1 - z), "z": z, "r": r}


def mut2(p: Values, x: Any, h: Any) -> Values:
    z, r = sigma(affine(p, "z", x, h)), sigma(x + p["U_r"] @ h + p["b_r"])
    return {"h": np.tanh(affine(p, "", x, r * h)) * z + h * (1 - z), "z": z, "r": r}


def mut3(p: Values, x: Any, h: Any) -> Values:
    z, r = sigma(affine(p, "z", x, np.tanh(h))), sigma(affine(p, "r", x, h))
    return {"h": np.tanh(affine(p, "", x, r * h)) * z + h * (1 - z), "z": z, "r": r}


def nas(p: Values, x: Any, h: Any, c: Any) -> Values:
    """Two layers of nodes over eight pairs, as the table of the released code."""
    a, b = ([p[f"{name}_{k}"] @ v for k in range(8)] for name, v in (("W", x), ("U", h)))
    relu = partial(np.maximum, 0)
    functions = [sigma, relu, sigma, relu, np.tanh, sigma, np.tanh, sigma]
    l1 = [f(a[k] * b[k] if k == 3 else a[k] + b[k]) for k, f in enumerate(functions)]
    l2 = [np.tanh(l1[0] * l1[1]), np.tanh(l1[2] + l1[3]), np.tanh(l1[4] * l1[5]), sigma(l1[6] + l1[7])]
    c = np.tanh(l2[0] + c) * l2[1]
    return {"h": np.tanh(c * np.tanh(l2[2] + l2[3])), "c": c}


# Over depth, with features, and in trees
def highway(p: Values, h: Any) -> Values:
    t = sigma(p["W_t"] @ h + p["b_t"])
    return {"h": h + t * (np.tanh(p["W"] @ h + p["b"]) - h), "t": t}


def recurrent_highway(p: Values, x: Any, h: Any) -> Values:
    t = sigma(affine(p, "t", x, h))
    return {"h": h + t * (np.tanh(affine(p, "", x, h)) - h), "t": t}


def captioner(p: Values, x: Any, h: Any, v: Any) -> Values:
    return {"h": np.tanh(affine(p, "", x, h) + p["W_v"] @ v)}


def captioner_first(p: Values, x: Any, first: Any, h: Any, v: Any) -> Values:
    return {"h": np.tanh(affine(p, "", x, h) + (p["W_v"] @ v if first else 0))}


def recursive(p: Values, l: Any, r: Any) -> Values:  # noqa: E741
    return {"l": np.tanh(p["W"] @ np.concatenate([l, r]) + p["b"])}


def rntn(p: Values, l: Any, r: Any) -> Values:  # noqa: E741
    s = np.concatenate([l, r])
    return {"l": np.tanh(np.einsum("i,kij,j->k", s, p["V"], s) + p["W"] @ s + p["b"])}


# The step of each cell: its arguments are parameters, then inputs, contexts and states by name. It
# returns the new states, and may return the gates that the cell names.
REFERENCES: dict[str, Callable[..., Values]] = {
    "elman": simple(np.tanh),
    "elman_sigmoid": simple(sigma),
    "elman_relu": simple(partial(np.maximum, 0)),
    "elman_linear": simple(lambda a: a),
    "elman_step": simple(lambda a: np.where(a > 0, 1.0, 0.0)),
    "elman_fused": elman_fused,
    "linear": linear,
    "leaky": leaky,
    "irnn": simple(partial(np.maximum, 0)),
    "jordan": jordan,
    "lstm": lstm,
    "lstm_peephole": search_space_odyssey(),
    "lstm_peephole_full": lstm_peephole_full,
    "lstm_coupled": lstm_coupled,
    "lstm_no_input_gate": search_space_odyssey("i"),
    "lstm_no_forget_gate": search_space_odyssey("f"),
    "lstm_no_output_gate": search_space_odyssey("o"),
    "lstm_no_input_activation": search_space_odyssey(g=lambda a: a),
    "lstm_no_output_activation": search_space_odyssey(h=lambda a: a),
    "lstm_peephole_coupled": search_space_odyssey(coupled=True),
    "lstm_full_gate_recurrence": lstm_full_gate_recurrence,
    "gru": gru,
    "gru_new": gru_new,
    "gru_reset_after": gru_reset_after,
    "mgu": mgu,
    "mut1": mut1,
    "mut2": mut2,
    "mut3": mut3,
    "nas": nas,
    "highway": highway,
    "recurrent_highway": recurrent_highway,
    "captioner": captioner,
    "captioner_first": captioner_first,
    "recursive": recursive,
    "rntn": rntn,
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
                value_at = found[key][t][b] if layer.series[key][t].batched else found[key][t]
                assert_close(value_at, value, 1e-13, what=f"{key}_{t}, example {b}")
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
