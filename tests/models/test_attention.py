"""Attention around any cell: against plain NumPy from the papers' equations, gradients, padding, what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.samples import random_feeds
from helpers.compare import assert_close, central, complex_step, inner
from helpers.zoo import few

import tinygraph as tg
from tinygraph import models, viz
from tinygraph.errors import CellError, KindError, ShapeError, UnknownNameError, UsageError
from tinygraph.models.language import has_own_width, reads_symbols

STEPS, BATCH, POSITIONS = 3, 3, 4
SIZES = {"I": 2, "A": 5, "D": 3}  # every other size is 3, equal to the batch and the steps
SEEN = np.arange(POSITIONS) < np.array([[4], [1], [2]])
EXACT, FIRST = 1e-12, 1e-6

WAYS = {
    "first": models.attend_first,
    "last": lambda cell, score: models.attend_last(cell, score, feeding=False),
    "last, feeding": models.attend_last,
}
ABLE = [n for n, cell in models.CELLS.items() if reads_symbols(cell) and has_own_width(cell)]
each_way = pytest.mark.parametrize("way", WAYS)
each_score = pytest.mark.parametrize("score", models.SCORES)


def attending(way: str, score: str, cell: Any = models.gru, mask: bool = False) -> Any:
    made = WAYS[way](cell, score)
    sizes = {name: {**SIZES, "S": POSITIONS}.get(name, 3) for name in made.sizes}
    return tg.unroll(made, STEPS, mask=mask, sizes=sizes)


def feeds_of(net: Any, seed: int = 0) -> dict[str, Any]:
    return random_feeds(net.graph, seed) | {"seen": SEEN}


# The papers' equations for one example; p has the parameters
def sigma(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def gru(p: Any, x: Any, h: Any) -> Any:
    r = sigma(p["W_r"] @ x + p["U_r"] @ h + p["b_r"])
    z = sigma(p["W_z"] @ x + p["U_z"] @ h + p["b_z"])
    return z * h + (1 - z) * np.tanh(p["W"] @ x + p["U"] @ (r * h) + p["b"])


SCORES = {
    "additive": lambda p, s, m: p["v_a"] @ np.tanh(p["W_a"] @ s + p["U_a"] @ m),
    "dot": lambda p, s, m: s @ m,
    "scaled_dot": lambda p, s, m: s @ m / np.sqrt(len(s)),
    "general": lambda p, s, m: m @ p["W_a"] @ s,
}


def look(p: Any, score: str, s: Any, memory: Any) -> tuple[Any, Any]:
    """The weights over the memory, and its weighted sum."""
    e = np.exp([SCORES[score](p, s, m) for m in memory])
    weights = e / e.sum()
    return weights, sum(a * m for a, m in zip(weights, memory, strict=True))


def by_hand(way: str, score: str, p: Any, xs: Any, memory: Any) -> tuple[list[Any], list[Any]]:
    """Outputs and weights of each step: only the positions that are seen are given."""
    h = said = np.zeros(3)
    outputs, weights = [], []
    for x in xs:
        if way == "first":
            a, v = look(p, score, h, memory)
            h = said = gru(p, np.concatenate([x, v]), h)
        else:
            h = gru(p, np.concatenate([x, said]) if "feeding" in way else x, h)
            a, v = look(p, score, h, memory)
            said = np.tanh(p["W_c"] @ np.concatenate([v, h]))
        outputs.append(said)
        weights.append(a)
    return outputs, weights


@each_score
@each_way
def test_against_plain_numpy(way, score):
    """Each example of the batch by itself, with the positions that it sees and no others."""
    net = attending(way, score)
    feeds = feeds_of(net)
    outputs, alpha = tg.evaluate([net.output, net.alpha], feeds)
    for b, length in enumerate(SEEN.sum(axis=1)):
        expected, weights = by_hand(way, score, feeds, feeds["x"][:, b], feeds["memory"][b, :length])
        for t in range(STEPS):
            assert_close(outputs[t + 1][b], expected[t], EXACT, what=f"output {t + 1} of {b}")
            assert_close(alpha[t + 1][b, :length], weights[t], EXACT)
            assert np.all(alpha[t + 1][b, length:] == 0)
    tg.validate(net.graph)


@each_score
@each_way
def test_gradients_against_differences(way, score):
    """By all parameters, the memory and the inputs, along a random direction; positions not seen get exactly 0."""
    net = attending(way, score, models.lstm, mask=True)
    feeds, rng = feeds_of(net), np.random.default_rng(5)
    p = net.graph.sequence("p", STEPS, (3,))
    feeds["p"] = rng.standard_normal((STEPS, BATCH, 3))
    loss = tg.sum_batch(tg.add([tg.sum(p[t] * h) for t, h in net.output.items()]))
    wanted = {**net.graph.parameters, "memory": net.memory}
    gradients = tg.evaluate(tg.grad(loss, wanted), feeds)
    assert np.all(gradients["memory"][~SEEN] == 0)
    for name, gradient in gradients.items():
        v = {name: rng.standard_normal(gradient.shape)}
        found, terms = inner(gradients, v)
        exact = complex_step(lambda at: tg.evaluate(loss, at, dtype="complex128"), feeds, v)
        assert_close(found, exact, 1e-10, terms, name)
        assert_close(found, central(lambda at: tg.evaluate(loss, at), feeds, v), FIRST, terms, name)


@each_way
@pytest.mark.parametrize("name", few(ABLE))
def test_around_every_cell(name, way):
    """The cell inside is the cell of the table: its step over the wider input, here with all the rest fed."""
    cell = models.CELLS[name]
    net = attending(way, "general", cell)
    feeds = feeds_of(net)
    assert list(net.output) == [1, 2, 3]
    inner_cell = {n: net.parameters[n] for n in cell.parameters}
    (x,) = cell.inputs
    wide = net.series[f"{x}_wide"] if f"{x}_wide" in net.series else net.series[x]
    alone = tg.unroll(cell, STEPS, inputs={x: wide}, parameters=inner_cell, scope="alone", sizes=_others(cell, net))
    for state in cell.states:
        ours, theirs = tg.evaluate([list(net.series[state].values()), list(alone.series[state].values())], feeds)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def _others(cell: Any, net: Any) -> dict[str, int]:
    given = {name for role in cell.inputs.values() for name in role.dims.names}
    return {name: net.sizes[name] for name in cell.sizes if name not in given}


@pytest.mark.parametrize("name", [n for n in models.CELLS if n not in ABLE])
def test_cells_that_cannot_attend_say_so(name):
    with pytest.raises(UsageError, match="take"):
        models.attend_first(models.CELLS[name])


def test_gates_that_bear_the_names_of_states_outside():
    """An LSTM's gate o is not the state o of the cell around it."""
    inside = models.attend_last(models.lstm)
    net = tg.unroll(inside, 2, I=2, H=3, S=2, A=2)
    assert list(inside.states) == ["attended", "h", "c"]
    for state in inside.states:
        assert [net.series[state][t].label for t in (1, 2)] == [state, state]


def test_permuting_the_memory_permutes_the_weights():
    """And changes nothing of what is said: attention knows no order."""
    net = attending("first", "additive")
    feeds = feeds_of(net) | {"seen": np.ones((BATCH, POSITIONS), bool)}
    order = np.array([2, 0, 3, 1])
    other = feeds | {"memory": feeds["memory"][:, order]}
    (h, a), (k, b) = (tg.evaluate([net.output[3], net.alpha[3]], one) for one in (feeds, other))
    assert_close(h, k, EXACT)
    assert_close(a[:, order], b, EXACT)


def test_what_is_not_seen_does_not_matter():
    """Even where the memory there is huge."""
    net = attending("last, feeding", "dot")
    feeds = feeds_of(net)
    other = {**feeds, "memory": np.where(SEEN[..., None], feeds["memory"], 1e4)}
    one, two = (tg.evaluate([net.output[3], net.alpha[3]], fed) for fed in (feeds, other))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])


def test_a_missing_mask_is_noticed():
    """The same without the mask of the memory is another value: the tests above can fail."""
    net = attending("first", "dot")
    feeds = feeds_of(net)
    assert not np.allclose(
        tg.evaluate(net.output[3], feeds), tg.evaluate(net.output[3], feeds | {"seen": np.ones_like(SEEN)})
    )


def test_memory_of_a_net():
    """The outputs as rows, and the mask as what is seen; without one, all is seen."""
    reader = tg.unroll(models.elman, 4, mask=True, I=2, H=3, scope="reader")
    contexts = models.memory_of(reader.output, reader.mask)
    feeds = random_feeds(reader.graph)
    memory, seen, outputs = tg.evaluate([contexts["memory"], contexts["seen"], list(reader.output.values())], feeds)
    np.testing.assert_array_equal(memory, np.stack(outputs, axis=1))
    np.testing.assert_array_equal(seen, feeds["reader/mask"].T)
    plain = models.memory_of(tg.unroll(models.elman, 4, I=2, H=3).output)
    assert tg.evaluate(plain["seen"]).tolist() == [True] * 4
    net = tg.unroll(models.attend_first(models.gru), 2, contexts=contexts, I=2, H=3, D=2, scope="writer")
    assert net.sizes == {"I": 2, "H": 3, "S": 4, "A": 3, "D": 2}
    assert viz.draw(net).nodes > 0


def test_steps_are_one_by_one_online():
    net = attending("last, feeding", "additive", models.lstm)
    feeds = random_feeds(net.graph, batch=None) | {"seen": SEEN[2]}
    online, state = models.Online(net, feeds), None
    for t in range(STEPS):
        output, state = online.step(feeds["x"][t], state)
        np.testing.assert_allclose(output, tg.evaluate(net.output[t + 1], feeds), rtol=1e-13)


@pytest.mark.slow
def test_a_cell_that_attends_is_verified():
    """Matrix words, the finite field, the adjoint and differences agree about it too."""
    report = tg.verify(models.attend_first(models.gru, "general"))
    assert report.ok, str(report)


def test_bad_inputs():
    with pytest.raises(UnknownNameError, match="'dot'"):
        models.attend_first(models.gru, "dott")
    with pytest.raises(UnknownNameError, match="score"):
        models.attend_last(models.gru, 3)
    with pytest.raises(UsageError, match=r"models\.gru"):
        models.attend_first("gru")

    @tg.cell
    def crowded(x: tg.Input["I"], h: tg.State["H"], W_a: tg.Param["H I"]):
        """Has a W_a of its own."""
        return tg.tanh(W_a @ x) + h

    with pytest.raises(CellError, match="two arguments 'W_a'"):
        models.attend_first(crowded, "general")

    @tg.cell
    def sized(x: tg.Input["I"], h: tg.State["S"], W: tg.Param["S I"]):
        """Has a size S of its own."""
        return tg.tanh(W @ x) + h

    with pytest.raises(UsageError, match="size S"):
        models.attend_first(sized)
    g = tg.Graph()
    contexts = {"memory": g.input("m", (4, 5)), "seen": g.input("s", (4,), kind="boolean")}
    with pytest.raises(ShapeError, match="memory"):
        tg.unroll(models.attend_first(models.gru, "dot"), 2, contexts=contexts, I=2, H=3)
    contexts["seen"] = g.input("r", (4,))
    with pytest.raises(KindError):
        tg.unroll(models.attend_first(models.gru), 2, contexts=contexts, I=2, H=3, D=2)
    with pytest.raises(CellError, match="kind"):
        tg.Context["S", "strange"]


def test_dot_attention_against_torch():
    """Luong's attention over a whole sequence at once is torch's scaled dot-product attention; in float64."""
    torch = pytest.importorskip("torch")
    net = attending("last", "scaled_dot", models.elman)
    feeds = feeds_of(net)
    loss = tg.sum_batch(tg.add([tg.sum(g * g) for g in net.glimpse.values()]))
    found, gradient = tg.evaluate([list(net.glimpse.values()), tg.grad(loss, net.memory)], feeds)
    states = np.stack(tg.evaluate([net.h[t] for t in (1, 2, 3)], feeds), axis=1)
    memory = torch.tensor(feeds["memory"], requires_grad=True)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        torch.tensor(states), memory, memory, attn_mask=torch.tensor(SEEN)[:, None, :]
    )
    (theirs**2).sum().backward()
    assert_close(np.stack(found, axis=1), theirs.detach().numpy(), 1e-10)
    assert_close(gradient, memory.grad.numpy(), 1e-10)
