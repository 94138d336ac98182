"""The LSTM with peepholes, and with one part changed at a time: the eight variants of Greff et al. 2015.

A gate that is left out stays open, so that its factor is 1.
"""

from __future__ import annotations

from tinygraph.cells import Cell, Input, Param, State, cell, let
from tinygraph.graph import Node
from tinygraph.ops.nonlinear import sigmoid, tanh

from .memory import lstm


def gated(gate: Node | None, value: Node) -> Node:
    """What passes a gate; all of it where there is none."""
    return value if gate is None else gate * value


@cell
def lstm_peephole(
    x: Input["I"], h: State["H"], c: State["H"],
    W_i: Param["H I"], U_i: Param["H H", "orthogonal"], p_i: Param["H"], b_i: Param["H"],
    W_f: Param["H I"], U_f: Param["H H", "orthogonal"], p_f: Param["H"], b_f: Param["H", "ones"],
    W_g: Param["H I"], U_g: Param["H H", "orthogonal"], b_g: Param["H"],
    W_o: Param["H I"], U_o: Param["H H", "orthogonal"], p_o: Param["H"], b_o: Param["H"],
    *, gates="ifo", coupled=False, input_activation=tanh, output_activation=tanh,
):  # fmt: skip
    """Long short-term memory with peepholes: the gates of a unit see its memory.

    References: Gers and Schmidhuber 2000, doi:10.1109/IJCNN.2000.861302;
    Greff, Srivastava, Koutnik, Steunebrink and Schmidhuber 2015, arXiv:1503.04069.
    """
    f = let("f", sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)) if "f" in gates else None
    i = let("i", sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)) if "i" in gates else None
    g = let("g", input_activation(W_g @ x + U_g @ h + b_g))
    c = let("c", gated(f, c) + gated(1 - f if coupled else i, g))
    o = let("o", sigmoid(W_o @ x + U_o @ h + p_o * c + b_o)) if "o" in gates else None
    return gated(o, output_activation(c)), c


@cell
def lstm_full_gate_recurrence(
    x: Input["I"], h: State["H"], c: State["H"], i: State["H"], f: State["H"], o: State["H"],
    W_i: Param["H I"], U_i: Param["H H", "orthogonal"], p_i: Param["H"], b_i: Param["H"],
    W_f: Param["H I"], U_f: Param["H H", "orthogonal"], p_f: Param["H"], b_f: Param["H", "ones"],
    W_g: Param["H I"], U_g: Param["H H", "orthogonal"], b_g: Param["H"],
    W_o: Param["H I"], U_o: Param["H H", "orthogonal"], p_o: Param["H"], b_o: Param["H"],
    R_ii: Param["H H"], R_if: Param["H H"], R_io: Param["H H"],
    R_fi: Param["H H"], R_ff: Param["H H"], R_fo: Param["H H"],
    R_oi: Param["H H"], R_of: Param["H H"], R_oo: Param["H H"],
):  # fmt: skip
    """Long short-term memory with peepholes whose gates also see all gates of the step before.

    References: Greff, Srivastava, Koutnik, Steunebrink and Schmidhuber 2015, arXiv:1503.04069.
    """
    a_i = let("a_i", W_i @ x + U_i @ h + p_i * c + R_ii @ i + R_if @ f + R_io @ o + b_i)
    a_f = let("a_f", W_f @ x + U_f @ h + p_f * c + R_fi @ i + R_ff @ f + R_fo @ o + b_f)
    a_o = let("a_o", W_o @ x + U_o @ h + R_oi @ i + R_of @ f + R_oo @ o + b_o)
    i, f = let("i", sigmoid(a_i)), let("f", sigmoid(a_f))
    g = let("g", tanh(W_g @ x + U_g @ h + b_g))
    c = let("c", f * c + i * g)
    o = let("o", sigmoid(a_o + p_o * c))
    return o * tanh(c), c, i, f, o


# By the names of the paper.
GREFF: dict[str, Cell] = {
    "NIG": lstm_peephole.variant("lstm_no_input_gate", "LSTM that takes everything in: i = 1.", gates="fo"),
    "NFG": lstm_peephole.variant("lstm_no_forget_gate", "LSTM that forgets nothing: f = 1.", gates="io"),
    "NOG": lstm_peephole.variant("lstm_no_output_gate", "LSTM that shows everything: o = 1.", gates="if"),
    "NIAF": lstm_peephole.variant(
        "lstm_no_input_activation", "LSTM whose candidate is linear.", input_activation=lambda a: a
    ),
    "NOAF": lstm_peephole.variant(
        "lstm_no_output_activation", "LSTM that shows its memory as it is.", output_activation=lambda a: a
    ),
    "CIFG": lstm_peephole.variant(
        "lstm_peephole_coupled", "LSTM that takes in as much as it forgets: i = 1 - f.", gates="fo", coupled=True
    ),
    "NP": lstm,
    "FGR": lstm_full_gate_recurrence,
}
