"""Formulas as they stand in lectures, notes and papers, some of them wrong: which, where, and by which mistake?

Each case is a formula in two forms, right and as it is sometimes printed. Both are given to `tg.lint`, which
knows neither: it derives the right one from the equations of the net and looks for the slip between the two.

Run it: python examples/04_the_formula_in_my_lecture.py [--short] [--out FOLDER]
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tinygraph as tg
from tinygraph import Input, Param, State, cell, let, models


@dataclass(frozen=True)
class Case:
    """A formula of a lecture: what is printed, and what the lint says of the right form and of the printed one."""

    title: str
    printed: str
    right: tg.Verdict
    wrong: tg.Verdict


# 1. A step Jacobian
@cell
def pascanu(u: Input["I"], x: State["H"], W_rec: Param["H H"], W_in: Param["H I"], b: Param["H"]):
    """The recurrent net as Pascanu et al. write it: the state is taken before its nonlinearity."""
    return W_rec @ tg.tanh(x) + W_in @ u + b


def transposed_product():
    """Over two steps; with column vectors the Jacobian has W_rec as it is, and the gradient its transpose."""

    def claim(transpose):
        def product(v, t):
            W = v.W_rec.T if transpose else v.W_rec
            slopes = [tg.diag(1 - tg.tanh(v.x[s]) ** 2) for s in (t - 1, t - 2)]
            return W @ slopes[0] @ W @ slopes[1]

        return product

    return Case(
        "Pascanu et al. 2013, arXiv:1211.5063, equation (5)",
        "d x_t / d x_k = product of W_rec^T diag(sigma'(x_{i-1}))",
        tg.lint(pascanu, claim(False), steps=2),
        tg.lint(pascanu, claim(True), steps=2),
    )


def only_the_forget_gate():
    """True for the direct path from c to c; but the gates read h, which depends on c too."""
    return Case(
        "The constant error carousel of an LSTM",
        "from c_t back to c_{t-2} there is only an elementwise product by f",
        tg.lint(models.lstm, lambda v, t: tg.diag(v.f[t]), block=("c", "c")),
        tg.lint(models.lstm, lambda v, t: tg.diag(v.f[t] * v.f[t - 1]), block=("c", "c"), steps=2),
    )


# 2. A backward pass, line by line
@cell
def char_rnn(x: Input["I"], h: State["H"], W: Param["H I"], U: Param["H H"], b: Param["H"]):
    """min-char-rnn (Karpathy 2015) with a name for each value that a line of its backward pass is about."""
    before = let("before", h)
    a = let("a", W @ x + U @ before + b)
    return tg.tanh(a)


def char_rnn_loss(steps=4, size=4):
    """The summed loss, with as many units as symbols: then products of the wrong matrix have shapes that pass."""
    net = tg.unroll(char_rnn, steps, I=size, H=size)
    y = net.graph.sequence("y", steps, kind="integer")
    return tg.add([tg.cross_entropy(o, y[t], name="L") for t, o in models.readout(net, size).items()], name="loss")


def softmax(o):
    return np.exp(o) / np.exp(o).sum()


def with_target(p, k, change):
    p[k] = change(p[k])
    return p


LINES = {
    "do": ("dy = p; dy[target] -= 1", lambda v, d, t: with_target(softmax(v.o[t]), v.y[t], lambda p: p - 1)),
    "dV": ("dWhy += dy h^T", lambda v, d, t: np.outer(d.do[t], v.h[t])),
    "dc": ("dby += dy", lambda v, d, t: d.do[t]),
    "dh": ("dh = Why^T dy + dhnext", lambda v, d, t: v.V.T @ d.do[t] + d.dbefore[t + 1]),
    "da": ("dhraw = (1 - h * h) * dh", lambda v, d, t: (1 - v.h[t] ** 2) * d.dh[t]),
    "db": ("dbh += dhraw", lambda v, d, t: d.da[t]),
    "dW": ("dWxh += dhraw x^T", lambda v, d, t: np.outer(d.da[t], v.x[t])),
    "dU": ("dWhh += dhraw h[t-1]^T", lambda v, d, t: np.outer(d.da[t], v.h[t - 1])),
    "dbefore": ("dhnext = Whh^T dhraw", lambda v, d, t: v.U.T @ d.da[t]),
}
WRONG_LINES = {
    "do": ("dy = p; dy[target] = 1", lambda v, d, t: with_target(softmax(v.o[t]), v.y[t], lambda p: 1)),
    "dh": ("dh = Why^T dy", lambda v, d, t: v.V.T @ d.do[t]),
    "da": ("dhraw = dh", lambda v, d, t: d.dh[t]),
    "dU": ("dWhh += dhraw h[t]^T", lambda v, d, t: np.outer(d.da[t], v.h[t])),
    "dbefore": ("dhnext = Why^T dhraw", lambda v, d, t: v.V.T @ d.da[t]),
}


def listing(wrong=None):
    """The lines of the loop, one of them replaced by its wrong form."""
    return tg.Listing([(name, *(WRONG_LINES if name == wrong else LINES)[name]) for name in LINES])


def char_rnn_line(wrong):
    """One wrong line in an otherwise right listing."""
    loss = char_rnn_loss()
    return Case(
        f"min-char-rnn, the line that computes {wrong}",
        WRONG_LINES[wrong][0],
        tg.lint(loss, listing()),
        tg.lint(loss, listing(wrong)),
    )


# 3. Gradients over a batch, in rows
@cell
def in_rows(x: Input["H"], h: State["H"], W: Param["H H"], U: Param["H H"]):
    """States as rows: H_t = tanh(X_t W + H_{t-1} U)."""
    return tg.tanh(x @ W + h @ U)


EXAMPLES = 5


def rows_loss(mean=False):
    """Squared states of three steps, summed over the examples or averaged."""
    net = tg.unroll(in_rows, 3, H=3)
    total = tg.add([tg.sum(h**2) for h in net.output.values()]) / 2
    return net, tg.mean_batch(total, name="loss") if mean else tg.sum_batch(total, name="loss")


def rows_backward(v, product=lambda rows, cotangents: rows.T @ cotangents, scale=1.0):
    """The vectorised backward pass: rows of X, H and of the cotangents R are examples."""
    d = {"W": np.zeros_like(v.W), "U": np.zeros_like(v.U)}
    later = 0.0
    for t in (3, 2, 1):
        R = (1 - v.h[t] ** 2) * (scale * v.h[t] + later)
        d["W"] += product(v.x[t], R)
        d["U"] += product(np.broadcast_to(v.h[t - 1], R.shape), R)
        later = R @ v.U.T
    return d


def mixed_conventions():
    """With a square matrix both products have the same shape."""
    net, loss = rows_loss()
    wrong = lambda v: rows_backward(v, lambda rows, cotangents: cotangents.T @ rows)  # noqa: E731
    return Case(
        "Backpropagation through time, vectorised over examples in rows",
        "dU = R^T H, as for columns, where the states are rows: H^T R",
        tg.lint(loss, rows_backward, wrt=net.parameters, batch=EXAMPLES),
        tg.lint(loss, wrong, wrt=net.parameters, batch=EXAMPLES),
    )


def averaged_twice():
    """With an averaged loss 1/N comes in once, at the top."""
    net, loss = rows_loss(mean=True)
    right = lambda v: rows_backward(v, scale=1 / EXAMPLES)  # noqa: E731
    wrong = lambda v: rows_backward(v, lambda H, R: H.T @ R / EXAMPLES, scale=1 / EXAMPLES)  # noqa: E731
    return Case(
        "The averaged loss",
        "dW = 1/N sum over the examples, with a loss that is an average already",
        tg.lint(loss, right, wrt=net.parameters, batch=EXAMPLES),
        tg.lint(loss, wrong, wrt=net.parameters, batch=EXAMPLES),
    )


def wrong_shape():
    """A weight has a row for each unit, and none for an example."""
    net = tg.unroll(models.elman, 1, I=2, H=3)
    loss = tg.sum_batch(tg.sum(net.h[1] ** 2) / 2, name="loss")

    def backward(v, per_example=False):
        R = (1 - v.h[1] ** 2) * v.h[1]
        return R.sum(1, keepdims=True) * v.x[1] if per_example else R.T @ v.x[1]

    return Case(
        "The shape of the input weights",
        "W has the shape (N, d), for N examples of d features",
        tg.lint(loss, backward, wrt=net.parameters["W"], batch=EXAMPLES),
        tg.lint(loss, lambda v: backward(v, True), wrt=net.parameters["W"], batch=EXAMPLES),
    )


# 4. Sums and expansions
def lstm_expansion():
    """The cell two steps back, with the gates between."""
    net = tg.unroll(models.lstm, 3, I=2, H=3)
    c, f, i, g = net.c, net.f, net.i, net.g
    new = f[3] * i[2] * g[2] + i[3] * g[3]
    return Case(
        "The cell of an LSTM, expanded over two steps",
        "c_t = f_t f_{t-1} c_{t-1} + f_t i_{t-1} g_{t-1} + i_t g_t",
        tg.lint(net.c[3], f[3] * f[2] * c[1] + new),
        tg.lint(net.c[3], f[3] * f[2] * c[2] + new),
    )


def bound_of_the_delays():
    """grad of all losses by h at t: the sum over delays d from 0 to T - t - 1, with t counted from 0."""
    T = 5
    net = tg.unroll(models.elman, T, I=2, H=3)
    loss = tg.add([tg.sum(net.h[t] ** 2 / 2, name=f"L_{t}") for t in net.output], name="loss")

    def claim(allowed):
        def by_hand(v):
            total, t = np.zeros(3), 1  # step 1 is t = 0
            for delay in range(T):
                if allowed(delay):
                    backward = np.eye(3)
                    for s in range(t + 1, t + delay + 1):
                        backward = backward @ v.U.T @ np.diag(1 - v.h[s] ** 2)
                    total = total + backward @ v.h[t + delay]
            return total

        return by_hand

    return Case(
        "Backpropagation through time as a sum over delays",
        "sum over delays d up to T - d - 1, in place of T - t - 1",
        tg.lint(loss, claim(lambda delay: delay <= T - 0 - 1), wrt=net.h[1]),
        tg.lint(loss, claim(lambda delay: delay <= T - delay - 1), wrt=net.h[1]),
    )


def layer_below():
    """The recurrence of a layer runs in the layer itself."""
    net = models.stack([models.elman, models.elman], steps=2, I=3, H=3)
    upper, below = net.layers[1], net.layers[0]
    W, U, b = (upper.parameters[name] for name in "WUb")
    return Case(
        "A net of several layers",
        "h_t^l = tanh(W h_t^{l-1} + U h_{t-1}^{l-1} + b)",
        tg.lint(upper.h[2], tg.tanh(W @ below.h[2] + U @ upper.h[1] + b)),
        tg.lint(upper.h[2], tg.tanh(W @ below.h[2] + U @ below.h[1] + b)),
    )


def clipping():
    """Scaling by threshold / (sum of squares) does not give a gradient of that norm."""
    graph = tg.Graph()
    g, threshold = graph.input("g", (4,)), graph.input("threshold")
    squares = tg.sum(g * g)
    clipped = g * (threshold / tg.sqrt(squares))
    printed = g * (threshold / squares)
    return Case(
        "Clipping by the norm",
        "norm = sum(grad * grad); grad *= threshold / norm",
        tg.lint(clipped, (g / tg.sqrt(squares)) * threshold),
        tg.lint(clipped, printed),
    )


# 5. A condition
@cell
def linear(h: State["H"], U: Param["H H"]):
    """A linear net without inputs."""
    return U @ h


def singular_value():
    """sigma_max < 1 is sufficient for vanishing; sigma_max > 1 is only necessary for exploding."""
    net = tg.unroll(linear, 2, H=2, initial="fed")
    jacobian = tg.jacobian(net.h[2], net.h[0])

    def judged(U, claim, holds):
        sigma = np.linalg.norm(U, 2)
        norm = np.linalg.norm(tg.evaluate(jacobian, {"U": U, "h_0": np.zeros(2)}), 2)
        if holds(norm):
            return tg.Verdict((tg.Finding(claim, True),))
        text = f"sigma_max = {sigma:g}, but the Jacobian of two steps has norm {norm:g}: not sufficient"
        return tg.Verdict((tg.Finding(claim, False, (tg.Mistake("condition", text),)),))

    return Case(
        "The largest singular value",
        "sigma_max(U) > 1: the gradient explodes",
        judged(np.array([[0, 0.9], [0.5, 0]]), "sigma_max < 1: the gradient vanishes", lambda norm: norm < 0.9),
        judged(np.array([[0.0, 10], [0, 0]]), "sigma_max > 1: the gradient explodes", lambda norm: norm > 1),
    )


def cases():
    """All of them, by name."""
    found = {f"line_{name}": (lambda name=name: char_rnn_line(name)) for name in WRONG_LINES}
    for case in (
        transposed_product, only_the_forget_gate, mixed_conventions, averaged_twice, wrong_shape, lstm_expansion,
        bound_of_the_delays, layer_below, clipping, singular_value,
    ):  # fmt: skip
        found[case.__name__] = case
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--short", action="store_true", help="accepted for all examples; this one is short")
    options.add_argument("--out", type=Path, default=Path("."), help="folder for the verdicts as JSON")
    folder = options.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    verdicts = {}
    for number, (name, make) in enumerate(cases().items(), 1):
        case = make()
        verdicts[name] = {"right": json.loads(case.right.to_json()), "wrong": json.loads(case.wrong.to_json())}
        print(f"{number}. {case.title}\n   printed: {case.printed}")
        print(f"   the right form: {'accepted' if case.right.ok else 'REJECTED'}")
        for finding in case.wrong.wrong[:1]:
            print("   the printed one: " + str(finding).replace("\n", "\n   "))
        print()
    log = folder / "formulas.json"
    log.write_text(json.dumps(verdicts, indent=1) + "\n", encoding="utf-8")
    print(f"All verdicts: {log}")


if __name__ == "__main__":
    main()
