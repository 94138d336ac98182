"""Simple recurrent networks: one layer that sees its own last output."""

from fractions import Fraction

from tinygraph.cells import Input, Param, State, cell
from tinygraph.ops.nonlinear import relu, sigmoid, step, tanh
from tinygraph.ops.structure import concatenate


@cell
def elman(
    x: Input["I"], h: State["H"],
    W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"],
    *, activation=tanh,
):  # fmt: skip
    """Simple recurrent network: one tanh layer that sees its own last output.

    References: Elman 1990, doi:10.1207/s15516709cog1402_1.
    """
    return activation(W @ x + U @ h + b)


elman_sigmoid = elman.variant("elman_sigmoid", "Simple recurrent network of logistic units.", activation=sigmoid)
elman_relu = elman.variant("elman_relu", "Simple recurrent network of rectified units.", activation=relu)
elman_linear = elman.variant("elman_linear", "Simple recurrent network of linear units.", activation=lambda a: a)
elman_step = elman.variant(
    "elman_step", "Simple recurrent network of threshold units: 1 above 0, else 0, and 0 at 0.", activation=step
)


@cell
def elman_fused(x: Input["I"], h: State["H"], W: Param["H H+I"], b: Param["H"]):
    """Simple recurrent network with one matrix W = [U, W_x] for state and input together.

    References: Elman 1990, doi:10.1207/s15516709cog1402_1.
    """
    return tanh(W @ concatenate([h, x]) + b)


@cell
def irnn(x: Input["I"], h: State["H"], W: Param["H I", "normal"], U: Param["H H", "identity"], b: Param["H"]):
    """Rectified units that begin as a memory: U is the identity at first.

    References: Le, Jaitly and Hinton 2015, arXiv:1504.00941.
    """
    return relu(W @ x + U @ h + b)


@cell
def linear(x: Input["I"], h: State["H"], W: Param["H I"], U: Param["H H", "orthogonal"]):
    """Linear recurrence: h_t = U^t h_0 + the sum over s of U^(t-s) W x_s.

    References: Saxe, McClelland and Ganguli 2014, arXiv:1312.6120, on learning in linear nets.
    """
    return W @ x + U @ h


@cell
def leaky(
    x: Input["I"], h: State["H"],
    W: Param["H I"], U: Param["H H", "orthogonal"], b: Param["H"],
    *, a=Fraction(1, 2),
):  # fmt: skip
    """Leaky integrator units, which move the share a of the way at each step.

    References: Jaeger, Lukosevicius, Popovici and Siewert 2007, doi:10.1016/j.neunet.2007.04.016.
    """
    return (1 - a) * h + a * tanh(W @ x + U @ h + b)
