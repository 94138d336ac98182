"""The simple recurrent network."""

from tinygraph.cells import Input, Param, State, cell
from tinygraph.ops.nonlinear import tanh


@cell
def elman(x: Input["I"], h: State["H"], W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"]):
    """Simple recurrent network: one tanh layer that sees its own last output.

    References: Elman 1990, doi:10.1207/s15516709cog1402_1.
    """
    return tanh(W @ x + U @ h + b)
