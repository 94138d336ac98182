"""Highways: a layer whose gate chooses between a transformed value and the value as it came."""

from tinygraph.cells import Input, Param, State, cell, let
from tinygraph.ops.nonlinear import sigmoid, tanh


@cell
def highway(
    h: State["H"],
    W_t: Param["H H"], b_t: Param["H", "minus_ones"],
    W: Param["H H"], b: Param["H"],
):  # fmt: skip
    """Highway layer, a step over depth; its gate is nearly shut at first, with a bias of -1.

    Layers with parameters of their own are unrolled one by one, each from the state of the one below.

    References: Srivastava, Greff and Schmidhuber 2015, arXiv:1505.00387.
    """
    t = let("t", sigmoid(W_t @ h + b_t))
    return t * tanh(W @ h + b) + (1 - t) * h


@cell
def recurrent_highway(
    x: Input["I"], h: State["H"],
    W_t: Param["H I"], U_t: Param["H H", "orthogonal"], b_t: Param["H", "minus_ones"],
    W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"],
):  # fmt: skip
    """Highway layer over time, with one layer at each step and coupled gates.

    References: Zilly, Srivastava, Koutnik and Schmidhuber 2017, arXiv:1607.03474.
    """
    t = let("t", sigmoid(W_t @ x + U_t @ h + b_t))
    return t * tanh(W @ x + U @ h + b) + (1 - t) * h
