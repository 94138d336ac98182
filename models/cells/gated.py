"""Gated recurrent units; the two differ in where the reset gate stands."""

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
