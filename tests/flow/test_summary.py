"""The flow of a gradient: held against dense products of step Jacobians, and against the paths themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.errors import ShapeError, UsageError, ValueRangeError
from tinygraph.flow.gates import DIRECT, gate_classes, gate_sets
from tinygraph.flow.paths import OTHER, count_paths
from tinygraph.flow.summary import gradient_flow, is_recurrent
from tinygraph.symbolic.words import net_of_steps

STEPS = 6
CELLS = list(models.CELLS)


def products(flow: tg.GradientFlow, state: str) -> list[np.ndarray]:
    """d s_T / d s_{T-d} for d = 1..T, multiplied out."""
    where, product, found = flow.trajectory.blocks[state], np.eye(flow.trajectory.jacobians.shape[1]), []
    for jacobian in flow.trajectory.jacobians[::-1]:
        product = product @ jacobian
        found.append(product[where, where])
    return found


@pytest.fixture(scope="module", params=CELLS)
def flow(request: pytest.FixtureRequest) -> tg.GradientFlow:
    return gradient_flow(models.CELLS[request.param], STEPS, size=3, reach=3)


def test_norms_are_those_of_the_products(flow):
    for state, norms in flow.log_norms.items():
        dense = [np.linalg.norm(product, 2) for product in products(flow, state)]
        np.testing.assert_allclose(np.exp(norms), dense, rtol=1e-9, atol=1e-300)


def test_every_path_is_in_one_class(flow):
    cell = models.CELLS[flow.cell]
    for distance in (1, 2, 3):
        net = net_of_steps(cell, distance, dict.fromkeys(cell.sizes, 3))
        for state in cell.states:
            counted = sum(counts[distance - 1] for counts in flow.paths[state].values())
            assert counted == count_paths(net.series[state].last, net.series[state][0])


def test_the_parts_make_the_whole(flow):
    """The norm of a sum is at most the sum of norms, and at least the largest less the others."""
    for state, parts in flow.ledger.items():
        for d in range(3):
            whole = np.linalg.norm(products(flow, state)[d], 2)
            sizes = sorted(values[d] for values in parts.values())
            if sizes:
                assert whole <= sum(sizes) * (1 + 1e-9)
                assert whole >= (sizes[-1] - sum(sizes[:-1])) * (1 - 1e-9)
            else:
                assert whole == 0


def test_json_has_all_that_the_text_has(flow):
    told = json.loads(flow.to_json())
    assert told["cell"] == flow.cell
    assert [len(norms) for norms in told["log10_norms"].values()] == [STEPS] * len(flow.log_norms)
    assert len(told["exponents"]) == len(flow.spectrum.exponents)
    assert flow.cell in str(flow)
    assert "<table>" in flow._repr_html_()


def test_the_classes_of_known_cells():
    assert list(gate_classes(models.elman)) == [DIRECT]
    assert list(gate_classes(models.lstm)) == [DIRECT, "i", "f", "g", "o"]
    assert gate_sets(models.gru) == [frozenset(), frozenset("z"), frozenset("c"), frozenset("rc")]


def test_the_highway_of_an_lstm_is_the_product_of_its_forget_gates():
    flow = gradient_flow(models.lstm, STEPS, size=4)
    first = tg.unroll(models.lstm, 1, I=4, H=4).initial(0)
    path = flow.trajectory
    inputs = np.random.default_rng([0, 1]).normal(size=(STEPS, 4))
    gates = [
        1 / (1 + np.exp(-(first["W_f"] @ x + first["U_f"] @ h + first["b_f"])))
        for x, h in zip(inputs, path.states["h"][:-1], strict=True)
    ]
    products = [np.max(np.prod(gates[STEPS - d :], axis=0)) for d in range(1, STEPS)]
    np.testing.assert_allclose(flow.ledger["c"][DIRECT], products, rtol=1e-12)


def test_gain_multiplies_the_recurrent_matrices():
    assert [name for name in models.elman.parameters if is_recurrent(models.elman, name)] == ["U"]
    assert all(is_recurrent(models.lstm, name) == name.startswith("U") for name in models.lstm.parameters)
    small, large = (gradient_flow(models.elman, 1, gain=gain).trajectory.jacobians[0] for gain in (1.0, 2.5))
    np.testing.assert_allclose(large, 2.5 * small, rtol=1e-14)  # h_0 = 0, so h_1 is the same


def test_five_thousand_steps_leave_the_range_of_floats_unharmed():
    flow = gradient_flow(models.elman, 5000, size=6, gain=0.5)
    assert np.all(np.isfinite(flow.log_norms["h"]))
    assert flow.log_norms["h"][-1] < -3000
    assert "e-" in str(flow)


def test_a_gradient_that_is_exactly_zero():
    flow = gradient_flow(models.elman, 4, size=2, gain=0.0)
    assert np.all(flow.log_norms["h"] == -np.inf)
    assert json.loads(flow.to_json())["log10_norms"]["h"] == [None] * 4
    assert " 0" in str(flow)


def test_other_holds_what_takes_several_kinds_of_gates():
    assert gradient_flow(models.lstm, 3, size=2).paths["h"][OTHER] == (0, 12, 78)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (UsageError, lambda: gradient_flow("lstm")),
        (ValueRangeError, lambda: gradient_flow(models.gru, gain=float("nan"))),
        (ShapeError, lambda: gradient_flow(models.gru, 2.5)),
        (ShapeError, lambda: gradient_flow(models.gru, 0)),
        (UsageError, lambda: gradient_flow(models.gru, seed=-1)),
    ],
)
def test_bad_inputs(error, call):
    with pytest.raises(error):
        call()
