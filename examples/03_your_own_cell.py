"""A cell of your own: written as equations, then unrolled, printed, drawn, differentiated and checked.

The cell keeps a running average of what it hears and speaks through a gate:

    m_t = (1 - a_t) m_{t-1} + a_t x_t,   a_t = sigma(w . [m_{t-1}; x_t] + b)

Run it: python examples/03_your_own_cell.py
"""

import argparse
from pathlib import Path

import numpy as np

import tinygraph as tg
from tinygraph import Input, Param, State, cell, let, viz


@cell
def listener(x: Input["H"], m: State["H"], w: Param["H+H"], b: Param[""]):
    """A running average with a gate of one number."""
    a = let("a", tg.sigmoid(tg.dot(w, tg.concatenate([m, x])) + b))
    return (1 - a) * m + a * x


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--short", action="store_true", help="accepted for all examples; this one is short")
    options.add_argument("--out", type=Path, default=Path("."), help="folder for the picture")
    folder = options.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)

    print("Its equations in LaTeX:\n")
    print(tg.latex(listener))

    net = tg.unroll(listener, steps=4, H=3)
    loss = tg.sum(net.m[4] ** 2, name="loss")
    grads = tg.grad(loss, net.parameters)
    print("\nThe gradient of w through all four steps, as a graph:\n")
    print(net.graph.text([grads["w"]]))

    rng = np.random.default_rng(0)
    feeds = net.initial(seed=0) | {"w": rng.standard_normal(6), "x": rng.standard_normal((4, 3))}
    ours = tg.evaluate(grads["w"], feeds)
    step = 1e-6 * np.eye(6)
    theirs = [(tg.evaluate(loss, feeds | {"w": feeds["w"] + e}) - tg.evaluate(loss, feeds)) / 1e-6 for e in step]
    print("\ngradient graph:   ", np.round(ours, 5))
    print("small differences:", np.round(theirs, 5))

    jacobian = tg.evaluate(tg.jacobian(net.m[4], net.m[1]), feeds)
    print("\nWhat of m_1 is left in m_4? d m_4 / d m_1 =\n", np.round(jacobian, 4))
    viz.draw(net, title="listener").save(folder / "listener.svg")
    print(f"\nIts picture: {folder / 'listener.svg'}")


if __name__ == "__main__":
    main()
