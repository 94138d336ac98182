"""Long short-term memory, and its forms with fewer gates or with gates that see the memory."""

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


@cell
def lstm_coupled(
    x: Input["I"], h: State["H"], c: State["H"],
    W_f: Param["H I"], U_f: Param["H H", "orthogonal"], b_f: Param["H", "ones"],
    W_g: Param["H I"], U_g: Param["H H", "orthogonal"], b_g: Param["H"],
    W_o: Param["H I"], U_o: Param["H H", "orthogonal"], b_o: Param["H"],
):  # fmt: skip
    """Long short-term memory that takes in as much as it forgets: i = 1 - f.

    References: Greff, Srivastava, Koutnik, Steunebrink and Schmidhuber 2015, arXiv:1503.04069.
    """
    f = let("f", sigmoid(W_f @ x + U_f @ h + b_f))
    g = let("g", tanh(W_g @ x + U_g @ h + b_g))
    o = let("o", sigmoid(W_o @ x + U_o @ h + b_o))
    c = let("c", f * c + (1 - f) * g)
    return o * tanh(c), c


@cell
def lstm_peephole_full(
    x: Input["I"], h: State["H"], c: State["H"],
    W_i: Param["H I"], U_i: Param["H H", "orthogonal"], V_i: Param["H H"], b_i: Param["H"],
    W_f: Param["H I"], U_f: Param["H H", "orthogonal"], V_f: Param["H H"], b_f: Param["H", "ones"],
    W_g: Param["H I"], U_g: Param["H H", "orthogonal"], b_g: Param["H"],
    W_o: Param["H I"], U_o: Param["H H", "orthogonal"], V_o: Param["H H"], b_o: Param["H"],
):  # fmt: skip
    """Long short-term memory whose gates see all of the memory, through matrices V.

    References: Graves 2013, arXiv:1308.0850, whose peepholes are the diagonal case, `lstm_peephole`.
    """
    i = let("i", sigmoid(W_i @ x + U_i @ h + V_i @ c + b_i))
    f = let("f", sigmoid(W_f @ x + U_f @ h + V_f @ c + b_f))
    g = let("g", tanh(W_g @ x + U_g @ h + b_g))
    c = let("c", f * c + i * g)
    o = let("o", sigmoid(W_o @ x + U_o @ h + V_o @ c + b_o))
    return o * tanh(c), c
