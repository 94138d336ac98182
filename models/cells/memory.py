"""Long short-term memory."""

from tinygraph.cells import Input, Param, State, cell, let
from tinygraph.ops.nonlinear import sigmoid, tanh


@cell
def lstm(
    x: Input["I"], h: State["H"], c: State["H"],
    W_i: Param["H I"], U_i: Param["H H", "orthogonal"], b_i: Param["H"],
    W_f: Param["H I"], U_f: Param["H H", "orthogonal"], b_f: Param["H", "ones"],
    W_g: Param["H I"], U_g: Param["H H", "orthogonal"], b_g: Param["H"],
    W_o: Param["H I"], U_o: Param["H H", "orthogonal"], b_o: Param["H"],
):  # fmt: skip
    """Long short-term memory with a forget gate, whose bias starts at 1.

    References: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735;
    Gers, Schmidhuber and Cummins 2000, doi:10.1162/089976600300015015.
    """
    i = let("i", sigmoid(W_i @ x + U_i @ h + b_i))
    f = let("f", sigmoid(W_f @ x + U_f @ h + b_f))
    g = let("g", tanh(W_g @ x + U_g @ h + b_g))
    o = let("o", sigmoid(W_o @ x + U_o @ h + b_o))
    c = let("c", f * c + i * g)
    return o * tanh(c), c
