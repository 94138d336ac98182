"""Networks whose only memory is their own last output."""

from tinygraph.cells import Input, Param, State, cell, let
from tinygraph.ops.nonlinear import tanh


@cell
def jordan(
    x: Input["I"], o: State["O"],
    W: Param["H I"], R: Param["H O"], b: Param["H"],
    V: Param["O H"], c: Param["O"],
    *, activation=tanh, output_activation=lambda a: a,
):  # fmt: skip
    """Output recurrence: the hidden layer reads the last output, and not itself.

    Trained with the target in place of that output, `unroll(jordan, ..., forced={"o": targets})`, its steps
    are apart; running free they are a chain.

    References: Jordan 1986, Serial order: a parallel distributed processing approach,
    doi:10.1016/S0166-4115(97)80111-2.
    """
    h = let("h", activation(W @ x + R @ o + b))
    return output_activation(V @ h + c)
