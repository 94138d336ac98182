"""Gated recurrent units: which state the update gate keeps, where the reset gate stands, and whether there are two."""

from tinygraph.cells import Input, Param, State, cell, let
from tinygraph.ops.nonlinear import sigmoid, tanh


@cell
def gru(
    x: Input["I"], h: State["H"],
    W_r: Param["H I"], U_r: Param["H H", "orthogonal"], b_r: Param["H"],
    W_z: Param["H I"], U_z: Param["H H", "orthogonal"], b_z: Param["H"],
    W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"],
):  # fmt: skip
    """Gated recurrent unit; the update gate keeps the old state.

    References: Cho et al. 2014, arXiv:1406.1078.
    """
    r = let("r", sigmoid(W_r @ x + U_r @ h + b_r))
    z = let("z", sigmoid(W_z @ x + U_z @ h + b_z))
    c = let("c", tanh(W @ x + U @ (r * h) + b), latex=r"\tilde h")
    return z * h + (1 - z) * c


@cell
def gru_new(
    x: Input["I"], h: State["H"],
    W_r: Param["H I"], U_r: Param["H H", "orthogonal"], b_r: Param["H"],
    W_z: Param["H I"], U_z: Param["H H", "orthogonal"], b_z: Param["H"],
    W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"],
):  # fmt: skip
    """Gated recurrent unit; the update gate takes the new state. It is `gru` with 1 - z for z.

    References: Chung, Gulcehre, Cho and Bengio 2014, arXiv:1412.3555.
    """
    r = let("r", sigmoid(W_r @ x + U_r @ h + b_r))
    z = let("z", sigmoid(W_z @ x + U_z @ h + b_z))
    c = let("c", tanh(W @ x + U @ (r * h) + b), latex=r"\tilde h")
    return (1 - z) * h + z * c


@cell
def gru_reset_after(
    x: Input["I"], h: State["H"],
    W_r: Param["H I"], U_r: Param["H H", "orthogonal"], b_r: Param["H"],
    W_z: Param["H I"], U_z: Param["H H", "orthogonal"], b_z: Param["H"],
    W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"], b_U: Param["H"],
):  # fmt: skip
    """Gated recurrent unit that resets after the product with U, as cuDNN and PyTorch compute it.

    References: Cho et al. 2014, arXiv:1406.1078v1, as given in the documentation of torch.nn.GRU.
    """
    r = let("r", sigmoid(W_r @ x + U_r @ h + b_r))
    z = let("z", sigmoid(W_z @ x + U_z @ h + b_z))
    c = let("c", tanh(W @ x + b + r * (U @ h + b_U)), latex=r"\tilde h")
    return z * h + (1 - z) * c


@cell
def mgu(
    x: Input["I"], h: State["H"],
    W_f: Param["H I"], U_f: Param["H H", "orthogonal"], b_f: Param["H"],
    W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"],
):  # fmt: skip
    """Minimal gated unit: one gate resets and updates.

    References: Zhou, Wu, Zhang and Zhou 2016, arXiv:1603.09420.
    """
    f = let("f", sigmoid(W_f @ x + U_f @ h + b_f))
    c = let("c", tanh(W @ x + U @ (f * h) + b), latex=r"\tilde h")
    return (1 - f) * h + f * c
