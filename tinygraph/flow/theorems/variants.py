"""Cells that only the statements need: those for which a statement about another cell is false."""

from __future__ import annotations

from typing import Annotated

from ...cells import Input, Param, State, cell, let
from ...graph.node import Node
from ...ops.nonlinear import sigmoid, tanh

X = Annotated[Node, Input["I"]]
Vector = Annotated[Node, State["H"]]
W = Annotated[Node, Param["H I"]]
U = Annotated[Node, Param["H H"]]
P = Annotated[Node, Param["H"]]


@cell
def peephole(
    x: X, h: Vector, c: Vector,
    W_i: W, U_i: U, p_i: P,
    W_f: W, U_f: U, p_f: P,
    W_g: W, U_g: U,
    W_o: W, U_o: U, p_o: P,
) -> tuple[Node, Node]:  # fmt: skip
    """Long short-term memory whose gates see the memory, entry by entry.

    References: Gers and Schmidhuber 2000, doi:10.1109/IJCNN.2000.861302.
    """
    i = let("i", sigmoid(W_i @ x + U_i @ h + p_i * c))
    f = let("f", sigmoid(W_f @ x + U_f @ h + p_f * c))
    g = let("g", tanh(W_g @ x + U_g @ h))
    c = let("c", f * c + i * g)
    return let("o", sigmoid(W_o @ x + U_o @ h + p_o * c)) * tanh(c), c


@cell
def coupled(x: X, h: Vector, c: Vector, W_f: W, U_f: U, W_g: W, U_g: U, W_o: W, U_o: U) -> tuple[Node, Node]:
    """Long short-term memory whose input gate is 1 - f.

    References: Greff et al. 2015, arXiv:1503.04069.
    """
    f = let("f", sigmoid(W_f @ x + U_f @ h))
    i = let("i", 1 - f)
    g = let("g", tanh(W_g @ x + U_g @ h))
    c = let("c", f * c + i * g)
    return let("o", sigmoid(W_o @ x + U_o @ h)) * tanh(c), c
