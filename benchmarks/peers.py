"""The peers: each does a problem with another tool. A new one is one function and one entry in `PEERS`.

A function takes a problem and returns a `Runner`. Tools are imported by their own function alone, so that
whatever is not installed is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

import tinygraph as tg

from .works import Array, Arrays, Problem, feeds, gathered, roots


@dataclass(frozen=True)
class Runner:
    """`step()` does the work once and returns the loss; `gradients()` are those of the last step, by parameter."""

    step: Callable[[], float]
    gradients: Callable[[], Arrays]


def threads() -> int:
    """As set when the benchmark began."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))


def _kept(compute: Callable[[], tuple[Any, Any]], read: Callable[[Any], Arrays]) -> Runner:
    """A runner of what gives the loss and gradients of some kind, which `read` brings to our form."""
    last: list[Any] = []

    def step() -> float:
        last.clear()  # nobody keeps old gradients while new ones are computed
        loss, last[:] = compute()
        return float(loss)

    return Runner(step, lambda: read(last))


# Ourselves
def plan(given: Problem) -> Runner:
    compiled, values = tg.plan(roots(given.work)), feeds(given)

    def compute() -> tuple[Any, Any]:
        loss, gradients = compiled(values)
        return loss, [gradients]

    return _kept(compute, lambda last: gathered(given, last[0]))


# What the unrolled peers share
@dataclass(frozen=True)
class Tool:
    """The functions of a tool that unrolled nets are written with; `split(z, n)` cuts the last axis."""

    tanh: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]
    split: Callable[[Any, int], Sequence[Any]]


def step_of(tool: Tool, cell: str, layer: dict[str, Any], z: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """One step from z = x W + b: the new h and c."""
    if cell == "elman":
        return tool.tanh(z + h @ layer["U"]), c
    if cell == "lstm":
        i, f, g, o = tool.split(z + h @ layer["U"], 4)
        c = tool.sigmoid(f) * c + tool.sigmoid(i) * tool.tanh(g)
        return tool.sigmoid(o) * tool.tanh(c), c
    (zr, zz, zn), (ur, uz, un) = tool.split(z, 3), tool.split(h @ layer["U"], 3)
    update = tool.sigmoid(zz + uz)
    new = tool.tanh(zn + tool.sigmoid(zr + ur) * (un + layer["b_U"]))
    return update * h + (1 - update) * new, c


def unrolled(tool: Tool, given: Problem, values: Any, sequence: Sequence[Any], zeros: Any) -> list[Any]:
    """The scores of each step."""
    for layer in given.layers(values):
        h = c = zeros
        outputs = []
        for x in sequence:
            h, c = step_of(tool, given.work.cell, layer, x @ layer["W"] + layer["b"], h, c)
            outputs.append(h)
        sequence = outputs
    return [h @ values["V"] + values["c"] for h in sequence]


def _by_slices(z: Any, n: int) -> list[Any]:
    size = z.shape[-1] // n
    return [z[:, k * size : (k + 1) * size] for k in range(n)]


def _hot(given: Problem) -> Array:
    return np.eye(given.work.outputs, dtype=np.float32)[given.y]


def _zeros(given: Problem) -> Array:
    return np.zeros((given.work.batch, given.work.hidden), np.float32)


def _cross_entropy(xp: Any, scores: Sequence[Any], hot: Array) -> Any:
    """For tools that imitate NumPy; the scores of these works are small enough for a bare exponential."""
    terms = [xp.sum(xp.log(xp.sum(xp.exp(s), axis=1))) - xp.sum(s * one) for s, one in zip(scores, hot, strict=True)]
    return sum(terms[1:], terms[0]) / hot[..., 0].size


# Teaching engines
def autograd(given: Problem) -> Runner:
    import autograd.numpy as anp
    from autograd import value_and_grad

    tool = Tool(anp.tanh, lambda a: 1 / (1 + anp.exp(-a)), _by_slices)
    hot, zeros = _hot(given), _zeros(given)
    both = value_and_grad(lambda p: _cross_entropy(anp, unrolled(tool, given, p, list(given.x), zeros), hot))

    def compute() -> tuple[Any, Any]:
        loss, gradients = both(given.parameters)
        return loss, [gradients]

    return _kept(compute, lambda last: last[0])


def mygrad(given: Problem) -> Runner:
    import mygrad as mg

    tool = Tool(mg.tanh, lambda a: 1 / (1 + mg.exp(-a)), _by_slices)
    hot, zeros = _hot(given), _zeros(given)

    def compute() -> tuple[Any, Any]:
        p = {name: mg.tensor(value) for name, value in given.parameters.items()}
        x = [mg.tensor(one, constant=True) for one in given.x]
        loss = _cross_entropy(mg, unrolled(tool, given, p, x, zeros), hot)
        loss.backward()
        return loss.data, [p]

    return _kept(compute, lambda last: {name: one.grad for name, one in last[0].items()})


# PyTorch
def torch_eager(given: Problem) -> Runner:
    return _torch_unrolled(given, lambda function: function)


def torch_compile(given: Problem) -> Runner:
    import torch

    return _torch_unrolled(given, torch.compile)


def _torch_unrolled(given: Problem, wrap: Callable[[Any], Any]) -> Runner:
    import torch

    torch.set_num_threads(threads())
    p = {name: torch.tensor(value, requires_grad=True) for name, value in given.parameters.items()}
    x, y, zeros = torch.tensor(given.x), torch.tensor(given.y).reshape(-1), torch.tensor(_zeros(given))
    tool = Tool(torch.tanh, torch.sigmoid, lambda z, n: z.chunk(n, 1))

    def loss_of(p: Any) -> Any:
        return torch.nn.functional.cross_entropy(torch.cat(unrolled(tool, given, p, x.unbind(0), zeros)), y)

    wrapped = wrap(loss_of)

    def compute() -> tuple[Any, Any]:
        for one in p.values():
            one.grad = None
        loss = wrapped(p)
        loss.backward()
        return loss.detach(), []

    return _kept(compute, lambda _: {name: one.grad.numpy() for name, one in p.items()})


def torch_nn(given: Problem) -> Runner:
    import torch

    torch.set_num_threads(threads())
    work = given.work
    kind = {"elman": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[work.cell]
    net, readout = kind(work.inputs, work.hidden, work.layers), torch.nn.Linear(work.hidden, work.outputs)
    ours: dict[str, Any] = {"V": readout.weight, "c": readout.bias}
    for k in range(work.layers):
        names = {"W": "weight_ih", "U": "weight_hh", "b": "bias_ih", "b_U": "bias_hh"}
        ours |= {f"layer{k + 1}/{name}": getattr(net, f"{theirs}_l{k}") for name, theirs in names.items()}
    with torch.no_grad():
        for name, one in ours.items():
            value = given.parameters.get(name, np.zeros(1, np.float32))  # torch has a second bias in every cell
            one.zero_()[-len(value.T) :] = torch.tensor(value.T)
    x, y = torch.tensor(given.x), torch.tensor(given.y).reshape(-1)
    every = [*net.parameters(), *readout.parameters()]

    def compute() -> tuple[Any, Any]:
        for one in every:
            one.grad = None
        loss = torch.nn.functional.cross_entropy(readout(net(x)[0]).reshape(-1, work.outputs), y)
        loss.backward()
        return loss.detach(), []

    def read(_: Any) -> Arrays:
        return {name: ours[name].grad.numpy().T[..., -value.shape[-1] :] for name, value in given.parameters.items()}

    return _kept(compute, read)


# JAX
def jax_scan(given: Problem) -> Runner:
    import jax
    import jax.numpy as jnp

    tool = Tool(jnp.tanh, jax.nn.sigmoid, lambda z, n: jnp.split(z, n, 1))
    hot, zeros = jnp.array(_hot(given)), jnp.array(_zeros(given))

    def loss(p: Any, sequence: Any) -> Any:
        for layer in given.layers(p):

            def advance(state: Any, z: Any, layer: Any = layer) -> tuple[Any, Any]:
                state = step_of(tool, given.work.cell, layer, z, *state)
                return state, state[0]

            _, sequence = jax.lax.scan(advance, (zeros, zeros), sequence @ layer["W"] + layer["b"])
        return _jax_cross_entropy(sequence @ p["V"] + p["c"], hot)

    return _jitted(given, loss)


def jax_unrolled(given: Problem) -> Runner:
    import jax
    import jax.numpy as jnp

    tool = Tool(jnp.tanh, jax.nn.sigmoid, lambda z, n: jnp.split(z, n, 1))
    hot, zeros = jnp.array(_hot(given)), jnp.array(_zeros(given))

    def loss(p: Any, sequence: Any) -> Any:
        return _jax_cross_entropy(jnp.stack(unrolled(tool, given, p, list(sequence), zeros)), hot)

    return _jitted(given, loss)


def _jax_cross_entropy(scores: Any, hot: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jnp.mean(jnp.sum(jax.nn.log_softmax(scores) * hot, -1))


def _jitted(given: Problem, loss: Callable[[Any, Any], Any]) -> Runner:
    import jax
    import jax.numpy as jnp

    both = jax.jit(jax.value_and_grad(loss))
    p, x = {name: jnp.array(value) for name, value in given.parameters.items()}, jnp.array(given.x)

    def compute() -> tuple[Any, Any]:
        value, gradients = jax.block_until_ready(both(p, x))
        return value, [gradients]

    return _kept(compute, lambda last: {name: np.asarray(value) for name, value in last[0].items()})


# Plain NumPy, as one writes it by hand: all products in the loop over time
def numpy_by_hand(given: Problem) -> Runner:
    work, hot, count = given.work, _hot(given), given.y.size

    def compute() -> tuple[Any, Any]:
        p, sequence, tapes = given.parameters, list(given.x), []
        for layer in given.layers(p):
            outputs, tape = _FORWARD[work.cell](layer, sequence, _zeros(given))
            tapes.append((layer, sequence, tape))
            sequence = outputs
        g, loss = {name: np.zeros_like(value) for name, value in p.items()}, 0.0
        d = []
        for h, one in zip(sequence, hot, strict=True):
            scores = h @ p["V"] + p["c"]
            scores -= scores.max(1, keepdims=True)
            e = np.exp(scores)
            total = e.sum(1, keepdims=True)
            loss += float(np.log(total).sum() - (scores * one).sum())
            ds = (e / total - one) / count
            g["V"] += h.T @ ds
            g["c"] += ds.sum(0)
            d.append(ds @ p["V"].T)
        own = given.layers(g)
        for k in reversed(range(work.layers)):
            d = _BACKWARD[work.cell](*tapes[k], d, own[k], k > 0)
        return loss / count, [g]

    return _kept(compute, lambda last: last[0])


def _sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))  # type: ignore[no-any-return]


def _elman_forward(p: Arrays, sequence: list[Array], h: Array) -> tuple[list[Array], list[Any]]:
    outputs = []
    for x in sequence:
        h = np.tanh(x @ p["W"] + h @ p["U"] + p["b"])
        outputs.append(h)
    return outputs, outputs


def _elman_backward(
    p: Arrays, sequence: list[Array], hs: list[Array], d: list[Array], g: Arrays, below: bool
) -> list[Array]:
    dh, down = np.zeros_like(hs[0]), []
    for t in reversed(range(len(hs))):
        dz = (dh + d[t]) * (1 - hs[t] * hs[t])
        down.append(_into(p, g, sequence[t], dz, below))
        if t:
            g["U"] += hs[t - 1].T @ dz
        dh = dz @ p["U"].T
    return down[::-1]


def _into(p: Arrays, g: Arrays, x: Array, dz: Array, below: bool) -> Array:
    """What reaches the layer below, and the gradients of what stands between."""
    g["W"] += x.T @ dz
    g["b"] += dz.sum(0)
    return dz @ p["W"].T if below else dz


def _lstm_forward(p: Arrays, sequence: list[Array], h: Array) -> tuple[list[Array], list[Any]]:
    c, outputs, tape = h, [], []
    for x in sequence:
        i, f, g, o = np.split(x @ p["W"] + h @ p["U"] + p["b"], 4, axis=1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        before, c = c, f * c + i * g
        tape.append((h, before, i, f, g, o, np.tanh(c)))
        h = o * tape[-1][-1]
        outputs.append(h)
    return outputs, tape


def _lstm_backward(
    p: Arrays, sequence: list[Array], tape: list[Any], d: list[Array], grads: Arrays, below: bool
) -> list[Array]:
    dh, down = np.zeros_like(d[0]), []
    dc = dh
    for t in reversed(range(len(tape))):
        h, before, i, f, g, o, tc = tape[t]
        dh = dh + d[t]
        dc = dc + dh * o * (1 - tc * tc)
        dz = np.concatenate(
            [dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g * g), dh * tc * o * (1 - o)], 1
        )
        down.append(_into(p, grads, sequence[t], dz, below))
        grads["U"] += h.T @ dz
        dh, dc = dz @ p["U"].T, dc * f
    return down[::-1]


def _gru_forward(p: Arrays, sequence: list[Array], h: Array) -> tuple[list[Array], list[Any]]:
    outputs, tape = [], []
    for x in sequence:
        (zr, zz, zn), (ur, uz, un) = np.split(x @ p["W"] + p["b"], 3, axis=1), np.split(h @ p["U"], 3, axis=1)
        r, z, un = _sigmoid(zr + ur), _sigmoid(zz + uz), un + p["b_U"]
        n = np.tanh(zn + r * un)
        tape.append((h, r, z, n, un))
        h = z * h + (1 - z) * n
        outputs.append(h)
    return outputs, tape


def _gru_backward(
    p: Arrays, sequence: list[Array], tape: list[Any], d: list[Array], g: Arrays, below: bool
) -> list[Array]:
    dh, down = np.zeros_like(d[0]), []
    for t in reversed(range(len(tape))):
        h, r, z, n, un = tape[t]
        dh = dh + d[t]
        dn = dh * (1 - z) * (1 - n * n)
        dr, dz = dn * un * r * (1 - r), dh * (h - n) * z * (1 - z)
        late = np.concatenate([dr, dz, dn * r], 1)
        down.append(_into(p, g, sequence[t], np.concatenate([dr, dz, dn], 1), below))
        g["U"] += h.T @ late
        g["b_U"] += (dn * r).sum(0)
        dh = dh * z + late @ p["U"].T
    return down[::-1]


_FORWARD = {"elman": _elman_forward, "lstm": _lstm_forward, "gru": _gru_forward}
_BACKWARD: dict[str, Callable[..., list[Array]]] = {
    "elman": _elman_backward, "lstm": _lstm_backward, "gru": _gru_backward,
}  # fmt: skip

# By name; what it needs installed
PEERS: dict[str, tuple[Callable[[Problem], Runner], str]] = {
    "torch_nn": (torch_nn, "torch"),
    "torch_eager": (torch_eager, "torch"),
    "jax_scan": (jax_scan, "jax"),
    "autograd": (autograd, "autograd"),
    "mygrad": (mygrad, "mygrad"),
    "numpy_by_hand": (numpy_by_hand, "numpy"),
    "torch_compile": (torch_compile, "torch"),
    "jax_unrolled": (jax_unrolled, "jax"),
}
PATIENT = ("torch_compile", "jax_unrolled")  # compile the unrolled graph for half a minute to minutes: only if named


def installed() -> list[str]:
    """The peers that can run here at once."""
    return [name for name, (_, needs) in PEERS.items() if find_spec(needs) and name not in PATIENT]
