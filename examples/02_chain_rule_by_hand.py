"""The chain rule by hand: one net of single numbers, forward, then backward, every number written out.

    h_t = tanh(w x_t + u h_{t-1}),   loss = (h_2 - 1)^2

Two gates do most of the work. An adder copies the gradient to all that it adds; a multiplier swaps: each factor gets
the gradient times the other factor. And what is used twice, as w and u are here, gets the sum of what its uses get.
The same is done three times: by these gates alone, by `tg.walk`, and by small differences.

Reference: Rumelhart, Hinton and Williams 1986, doi:10.1038/323533a0.

The three differ by 2.4e-11 at most, for gradients of about 1: what rounding leaves of the differences.

Run it: python examples/02_chain_rule_by_hand.py [--short] [--out FOLDER] [--seed N]
"""

from math import tanh

import numpy as np
from story import Story

import tinygraph as tg
from tinygraph import viz


def by_gates(w: float, u: float, h_0: float, x_1: float, x_2: float) -> dict[str, float]:
    """The gradient of the loss by w and u, gate after gate from the last to the first."""
    h_1 = tanh(w * x_1 + u * h_0)
    h_2 = tanh(w * x_2 + u * h_1)

    dh_2 = 2 * (h_2 - 1)  # the square
    da_2 = dh_2 * (1 - h_2**2)  # tanh, by its own output; the adder copies da_2 to both products
    dw, du = da_2 * x_2, da_2 * h_1  # the multipliers swap
    dh_1 = da_2 * u
    da_1 = dh_1 * (1 - h_1**2)
    return {"w": dw + da_1 * x_1, "u": du + da_1 * h_0}  # second use: the sum


def build() -> tuple[tg.Node, dict[str, tg.Node]]:
    """The same net as a graph: its loss, and its two weights by name."""
    g = tg.Graph()
    w, u = g.parameter("w"), g.parameter("u")
    h = g.input("h_0")
    for t in (1, 2):
        with g.at(step=t):
            h = tg.tanh(w * g.input(f"x_{t}") + u * h, name="h")
    return tg.power(h - 1, 2, name="loss"), g.parameters


def by_differences(loss: tg.Node, values: dict[str, float], name: str, step: float = 1e-6) -> float:
    """How the loss changes with one number, by moving it a little both ways."""
    up, down = (tg.evaluate(loss, values | {name: values[name] + sign * step}) for sign in (1, -1))
    return float(up - down) / (2 * step)


def main() -> None:
    story = Story(__doc__)
    numbers = np.random.default_rng(story.seed).uniform(-1, 1, 5).round(2)
    values = dict(zip(("w", "u", "h_0", "x_1", "x_2"), numbers.tolist(), strict=True))
    loss, weights = build()

    print(tg.walk(loss, values))
    print("          by the gates      by the graph    by differences")
    gates, graph = by_gates(**values), tg.evaluate(tg.grad(loss, weights), values)
    errors = []
    for name in weights:
        differences = by_differences(loss, values, name)
        print(f"d{name} {gates[name]:17.9f} {graph[name]:17.9f} {differences:17.9f}")
        errors += [abs(gates[name] - graph[name]), abs(differences - graph[name])]
    largest = max(abs(float(gradient)) for gradient in graph.values())
    story.score("largest difference", max(errors), largest, trivial="of a gradient of 0", goal="< 1e-8", form=".1e")

    drawing = viz.draw(loss, detail="nodes", backward=True, feeds=values, badges=("value", "gradient"))
    story.picture(drawing, "chain-rule.svg")


if __name__ == "__main__":
    main()
