"""Networks that speak of something: they see features that stay the same while they write about them."""

from tinygraph.cells import Context, Input, Param, State, cell
from tinygraph.ops.choice import where
from tinygraph.ops.nonlinear import tanh


@cell
def captioner(
    x: Input["I"], h: State["H"], v: Context["F"],
    W: Param["H I"], U: Param["H H", "orthogonal"], W_v: Param["H F"], b: Param["H"],
):  # fmt: skip
    """Simple recurrent network that sees the features v of an image at every step.

    References: Mao, Xu, Yang, Wang and Yuille 2014, arXiv:1410.1090.
    """
    return tanh(W @ x + U @ h + W_v @ v + b)


@cell
def captioner_first(
    x: Input["I"], first: Input["", "boolean"], h: State["H"], v: Context["F"],
    W: Param["H I"], U: Param["H H", "orthogonal"], W_v: Param["H F"], b: Param["H"],
):  # fmt: skip
    """Simple recurrent network that sees the features v of an image where `first` is true, and then remembers.

    References: Karpathy and Fei-Fei 2015, arXiv:1412.2306.
    """
    return tanh(W @ x + U @ h + where(first, W_v @ v, 0) + b)
