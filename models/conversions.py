"""Parameters of one convention as those of another that computes the same function.

All are pure functions from a dict of arrays to a new one; the arrays given are not changed.

    gru         h' = z h + (1 - z) c         gru_new   h' = (1 - z) h + z c     flip_update_gate, either way
    torch.nn    rows of all gates stacked    ours      one matrix a gate        from_torch, to_torch
    two biases  W x + b_x + U h + b_h        one       W x + U h + b            in from_torch and to_torch
    separate    W x + U h                    fused     W [h; x]                 fuse, separate
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygraph.errors import ShapeError, UnknownNameError, nearest

Values = Mapping[str, Any]
Arrays = dict[str, np.ndarray[Any, Any]]

# The gates of torch's matrices from top to bottom, by our cells. The empty gate is the candidate, W, U and b.
TORCH_GATES: dict[str, tuple[str, ...]] = {
    "elman": ("",),
    "elman_relu": ("",),
    "lstm": ("i", "f", "g", "o"),
    "gru_reset_after": ("r", "z", ""),
}
_PARTS = {"W": "weight_ih", "U": "weight_hh", "b_x": "bias_ih", "b_h": "bias_hh"}


def flip_update_gate(values: Values) -> Arrays:
    """`gru` from `gru_new`, or the other way: 1 - sigma(a) = sigma(-a), so W_z, U_z and b_z change their sign.

    Shapes stay. Raises `UnknownNameError` if one of the three is missing.
    """
    flipped = ("W_z", "U_z", "b_z")
    _need(values, flipped)
    return {name: -np.asarray(value) if name in flipped else np.asarray(value) for name, value in values.items()}


def from_torch(cell: str, weights: Values, layer: int = 0) -> Arrays:
    """Our parameters from those of a layer of torch.nn.RNN, LSTM or GRU, by torch's names.

    `weights` holds weight_ih_l<k> (gates*H, I), weight_hh_l<k> (gates*H, H), and, unless made with
    bias=False, bias_ih_l<k> and bias_hh_l<k> (gates*H,). Our one bias is the sum of the two, but for the
    GRU's candidate, where the second stands inside the reset: it is b_U.
    Raises `UnknownNameError` for another cell or a missing name, and `ShapeError`.
    """
    gates = _gates(cell)
    names = {part: f"{name}_l{layer}" for part, name in _PARTS.items()}
    _need(weights, (names["W"], names["U"]))
    stacked = {part: np.asarray(weights[name]) for part, name in names.items() if name in weights}
    rows = stacked["W"].shape[0]
    for part in ("b_x", "b_h"):
        stacked.setdefault(part, np.zeros(rows, stacked["W"].dtype))
    for part, value in stacked.items():
        if value.shape[0] != rows or rows % len(gates):
            raise ShapeError(
                f"{names[part]} has shape {value.shape}",
                fix=f"{len(gates)} gates of H rows each are wanted for {cell}, in all of {', '.join(names.values())}",
            )
    apart = {part: np.split(value, len(gates)) for part, value in stacked.items()}
    found: Arrays = {}
    for at, gate in enumerate(gates):
        W, U, b_x, b_h = (apart[part][at] for part in _PARTS)
        inside = cell == "gru_reset_after" and not gate
        found |= {_of("W", gate): W, _of("U", gate): U, _of("b", gate): b_x if inside else b_x + b_h}
        found |= {"b_U": b_h} if inside else {}
    return {name: value.copy() for name, value in found.items()}


def to_torch(cell: str, values: Values, layer: int = 0) -> Arrays:
    """torch's parameters of a layer from ours: the inverse of `from_torch`.

    Our bias becomes bias_ih, and bias_hh is 0, but for b_U of the GRU. Raises `UnknownNameError`.
    """
    gates = _gates(cell)
    inside = ("b_U",) if cell == "gru_reset_after" else ()
    _need(values, [_of(part, gate) for gate in gates for part in "WUb"] + [*inside])
    stacked = {part: np.concatenate([np.asarray(values[_of(part, gate)]) for gate in gates]) for part in "WUb"}
    second = np.zeros_like(stacked["b"])
    if inside:
        second[-len(values["b_U"]) :] = values["b_U"]
    parts = {"W": stacked["W"], "U": stacked["U"], "b_x": stacked["b"], "b_h": second}
    return {f"{name}_l{layer}": parts[part] for part, name in _PARTS.items()}


def fuse(values: Values) -> Arrays:
    """Each pair W_k (H, I), U_k (H, H) as one matrix W_k = [U_k, W_k] (H, H+I), for W_k [h; x].

    `elman` becomes `elman_fused`. A W without its U, or a U without its W, stays.
    """
    pairs = [name for name in values if name.startswith("W") and _partner(name) in values]
    dropped = {_partner(name) for name in pairs}
    return {
        name: np.concatenate([values[_partner(name)], value], axis=1) if name in pairs else np.asarray(value)
        for name, value in values.items()
        if name not in dropped
    }


def separate(values: Values, hidden: int) -> Arrays:
    """Each matrix W_k (H, H+I) as the pair W_k (H, I) and U_k (H, H): the inverse of `fuse`.

    `hidden` is H. Raises `ShapeError` for a matrix with fewer than H columns.
    """
    found: Arrays = {}
    for name, given in values.items():
        value = np.asarray(given)
        if not name.startswith("W"):
            found[name] = value
            continue
        if value.ndim != 2 or value.shape[1] < hidden:
            raise ShapeError(
                f"{name} has shape {value.shape}", fix=f"a matrix of {hidden} columns for h, then those for x"
            )
        found[name], found[_partner(name)] = value[:, hidden:].copy(), value[:, :hidden].copy()
    return found


def _gates(cell: str) -> tuple[str, ...]:
    if cell not in TORCH_GATES:
        raise UnknownNameError(f"torch has no cell {cell!r:.60}", fix=nearest(cell, TORCH_GATES))
    return TORCH_GATES[cell]


def _of(part: str, gate: str) -> str:
    return f"{part}_{gate}" if gate else part


def _partner(name: str) -> str:
    return f"U{name[1:]}"


def _need(values: Values, names: Any) -> None:
    for name in names:
        if name not in values:
            raise UnknownNameError(f"no values for {name!r}", fix=nearest(name, values))
