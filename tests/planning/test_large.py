"""Long nets: the cost of planning and of recomputation grows like the number of nodes, in time and in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest

import tinygraph as tg

BYTES_A_NODE = 4 * 2**30 / 10**6  # so that a million nodes stay under 4 GiB

MEASURE = """
import json, resource, sys, time
import numpy as np
import tinygraph as tg
from tinygraph import models

how, steps = sys.argv[1], int(sys.argv[2])
net = tg.unroll(models.lstm, steps, I=4, H=8)
loss = models.softmax_cross_entropy(models.readout(net, 5))
roots = [loss, tg.grad(loss, net.graph.parameters)]
feeds = net.initial(seed=0) | {"x": np.ones((steps, 1, 4)), "y": np.zeros((steps, 1), int)}
before = time.process_time()
if how == "plan":
    value = tg.plan(roots)(feeds)[0]
else:
    value = tg.evaluate(tg.recompute(roots).roots, feeds)[0]
seconds = time.process_time() - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([len(net.graph), seconds, peak, float(value)]))
"""


def measured(how: str, steps: int) -> tuple[int, float, int, float]:
    """Nodes, seconds of the processor, peak bytes of a fresh process, and the loss."""
    command = [sys.executable, "-c", MEASURE, how, str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    nodes, seconds, peak, value = json.loads(done.stdout)
    return nodes, seconds, peak, value


@pytest.mark.slow
@pytest.mark.parametrize("how", ["plan", "recompute"])
def test_cost_is_linear(how: str) -> None:
    """Five times the steps: far from 25 times the time; and less than 4 GiB for a million nodes."""
    nodes, seconds, peak, _ = measured(how, 100)
    more_nodes, more_seconds, more_peak, value = measured(how, 500)
    assert more_nodes > 4.9 * nodes > 30_000
    assert more_seconds < 12 * seconds
    assert more_peak - peak < BYTES_A_NODE * (more_nodes - nodes)
    assert value > 0


@pytest.mark.slow
def test_a_long_chain_of_additions_is_linear() -> None:
    """s + L_1 + L_2 + ..., each its own addition: one sum of many terms, that is not copied for each of them."""

    def seconds(terms: int) -> float:
        g = tg.Graph()
        x, total = g.input("x", (3,)), g.parameter("w", (3,))
        for k in range(terms):
            total = total + tg.sin(x * k) if k % 7 else total + x
        before = time.process_time()
        tg.plan(total)({"x": np.ones((2, 3)), "w": np.ones(3)})
        return time.process_time() - before

    seconds(100)
    assert seconds(10_000) < 12 * seconds(2_000)
