"""Cells that a search found: three mutations of the gated unit, and one built by a controller network."""

from tinygraph.cells import Input, Param, State, cell, let
from tinygraph.ops.nonlinear import relu, sigmoid, tanh


@cell
def mut1(
    x: Input["I=H"], h: State["H"],
    W_z: Param["H H"], b_z: Param["H"],
    W_r: Param["H H"], U_r: Param["H H", "orthogonal"], b_r: Param["H"],
    U: Param["H H", "orthogonal"], b: Param["H"],
):  # fmt: skip
    """First mutation: the update gate sees the input alone, and tanh of the input is added as it is, so I = H.

    References: Jozefowicz, Zaremba and Sutskever 2015, An empirical exploration of recurrent network
    architectures, doi:10.5555/3045118.3045367.
    """
    z = let("z", sigmoid(W_z @ x + b_z))
    r = let("r", sigmoid(W_r @ x + U_r @ h + b_r))
    return tanh(U @ (r * h) + tanh(x) + b) * z + h * (1 - z)


@cell
def mut2(
    x: Input["I=H"], h: State["H"],
    W_z: Param["H H"], U_z: Param["H H", "orthogonal"], b_z: Param["H"],
    U_r: Param["H H", "orthogonal"], b_r: Param["H"],
    W: Param["H H"], U: Param["H H", "orthogonal"], b: Param["H"],
):  # fmt: skip
    """Second mutation: the reset gate adds the input as it is, so I = H.

    References: Jozefowicz, Zaremba and Sutskever 2015, An empirical exploration of recurrent network
    architectures, doi:10.5555/3045118.3045367.
    """
    z = let("z", sigmoid(W_z @ x + U_z @ h + b_z))
    r = let("r", sigmoid(x + U_r @ h + b_r))
    return tanh(U @ (r * h) + W @ x + b) * z + h * (1 - z)


@cell
def mut3(
    x: Input["I"], h: State["H"],
    W_z: Param["H I"], U_z: Param["H H", "orthogonal"], b_z: Param["H"],
    W_r: Param["H I"], U_r: Param["H H", "orthogonal"], b_r: Param["H"],
    W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"],
):  # fmt: skip
    """Third mutation: the update gate sees tanh of the state.

    References: Jozefowicz, Zaremba and Sutskever 2015, An empirical exploration of recurrent network
    architectures, doi:10.5555/3045118.3045367.
    """
    z = let("z", sigmoid(W_z @ x + U_z @ tanh(h) + b_z))
    r = let("r", sigmoid(W_r @ x + U_r @ h + b_r))
    return tanh(U @ (r * h) + W @ x + b) * z + h * (1 - z)


@cell
def nas(
    x: Input["I"], h: State["H"], c: State["H"],
    W_0: Param["H I"], U_0: Param["H H", "orthogonal"], W_1: Param["H I"], U_1: Param["H H", "orthogonal"],
    W_2: Param["H I"], U_2: Param["H H", "orthogonal"], W_3: Param["H I"], U_3: Param["H H", "orthogonal"],
    W_4: Param["H I"], U_4: Param["H H", "orthogonal"], W_5: Param["H I"], U_5: Param["H H", "orthogonal"],
    W_6: Param["H I"], U_6: Param["H H", "orthogonal"], W_7: Param["H I"], U_7: Param["H H", "orthogonal"],
):  # fmt: skip
    """The cell that architecture search built: eight pairs of products joined as a binary tree, with a memory c.

    References: Zoph and Le 2017, arXiv:1611.01578, as the released code computes it.
    """
    p = let("p", tanh(sigmoid(W_0 @ x + U_0 @ h) * relu(W_1 @ x + U_1 @ h)))
    q = let("q", tanh(sigmoid(W_2 @ x + U_2 @ h) + relu((W_3 @ x) * (U_3 @ h))))
    r = let("r", tanh(tanh(W_4 @ x + U_4 @ h) * sigmoid(W_5 @ x + U_5 @ h)))
    s = let("s", sigmoid(tanh(W_6 @ x + U_6 @ h) + sigmoid(W_7 @ x + U_7 @ h)))
    c = let("c", tanh(p + c) * q)
    return tanh(c * tanh(r + s)), c
