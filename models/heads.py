"""Readouts and losses on top of a net, step by step."""

from __future__ import annotations

from collections.abc import Callable

from tinygraph.errors import ShapeError, UnknownNameError, UsageError, expect, nearest
from tinygraph.graph import Kind, Node, Steps
from tinygraph.ops.arithmetic import add
from tinygraph.ops.batch import mean_batch, sum_batch
from tinygraph.ops.choice import real, where
from tinygraph.ops.nonlinear import sigmoid, tanh
from tinygraph.ops.normalise import cross_entropy, softmax
from tinygraph.ops.reduce import mean
from tinygraph.shapes import Shape, as_size
from tinygraph.unrolling import Unrolled

from .directions import Bidirectional
from .stacking import Stack

Net = Unrolled | Stack | Bidirectional

ACTIVATIONS: dict[str, Callable[[Node], Node]] = {
    "linear": lambda node: node,
    "softmax": softmax,
    "sigmoid": sigmoid,
    "tanh": tanh,
}


def readout(net: Net, size: int, *, activation: str = "linear", name: str = "o") -> Steps:
    """o_t = V h_t + c of the net's output at each step, with an activation if one is named.

    Adds the parameters V (size, H) and c (size,) to the net, or uses those it has; where the cell has a V or c
    of its own they are `readout/V` and `readout/c`. For a softmax cross-entropy leave it linear: the loss
    takes scores. Raises `UnknownNameError`, `ShapeError`.
    """
    expect(net, (Unrolled, Stack, Bidirectional), "a readout stands on a net", "tg.unroll(...) or models.stack(...)")
    return Steps(name, ((t, readout_of(net, h, size, activation=activation, name=name)) for t, h in net.output.items()))


def readout_of(net: Net, h: Node, size: int, *, activation: str = "linear", name: str = "o") -> Node:
    """o = V h + c of one node, such as a net's last output, with the parameters of `readout`."""
    if activation not in ACTIVATIONS:
        raise UnknownNameError(f"no activation {activation!r}", fix=nearest(activation, ACTIVATIONS))
    V = net_parameter(net, "V", (as_size(size), *h.shape))
    c = net_parameter(net, "c", (as_size(size),))
    with net.graph.at(step=h.step, scope="readout"):
        return net.graph.relabel(ACTIVATIONS[activation](V @ h + c), name)


def softmax_cross_entropy(scores: Steps, targets: Steps | None = None, *, mask: Steps | None = None) -> Node:
    """The mean over steps and batch of -log softmax(scores_t)[target_t], in nats.

    Without `targets` the integer sequence "y" is made, to be fed. With a boolean `mask` only the steps
    where it is true count, in the sum and in the number that it is divided by. The loss of each step
    is labelled L.
    """
    return mean_over_time(cross_entropies(scores, targets), mask)


def cross_entropies(scores: Steps, targets: Steps | None = None) -> Steps:
    """The loss of each step of `softmax_cross_entropy`, before any mean."""
    return _each_step(scores, targets, (), "integer", cross_entropy)


def mean_square(outputs: Steps, targets: Steps | None = None, *, mask: Steps | None = None) -> Node:
    """The mean over steps, batch and entries of (output_t - target_t)^2; see `softmax_cross_entropy`."""
    losses = _each_step(outputs, targets, outputs.last.shape, "real", lambda o, y: mean((o - y) ** 2))
    return mean_over_time(losses, mask)


def mean_over_time(losses: Steps, mask: Steps | None = None) -> Node:
    """The mean of scalar losses over steps and batch, over the steps where `mask` is true if there is one."""
    graph = losses.last.graph
    if mask is not None:
        expect(
            mask, dict, "a mask is a dict from step to node", "give net.mask of a net that was unrolled with mask=True"
        )
    with graph.at(scope="loss"):
        if mask is None:
            total = _sum(losses) / len(losses)
            return graph.relabel(mean_batch(total) if total.batched else total, "loss")
        kept = Steps(losses.name, ((t, where(mask[t], loss, 0)) for t, loss in losses.items()))
        count = Steps("count", ((t, real(mask[t])) for t in losses))
        return graph.relabel(_over_batch(_sum(kept)) / _over_batch(_sum(count)), "loss")


def _sum(steps: Steps) -> Node:
    nodes = list(steps.values())
    return nodes[0] if len(nodes) == 1 else add(nodes)


def _over_batch(node: Node) -> Node:
    return sum_batch(node) if node.batched else node


def _each_step(
    outputs: Steps, targets: Steps | None, shape: Shape, kind: Kind, loss: Callable[[Node, Node], Node]
) -> Steps:
    for what, steps in (("outputs", outputs), ("targets", targets)):
        fix = "give net.output, models.readout(net, size), or graph.sequence(...)"
        expect(steps, (dict, type(None)), f"{what} are a dict from step to node", fix)
        for node in (steps or {}).values():
            expect(node, Node, f"{what} are a dict from step to node", "arrays are fed: leave targets out, feed 'y'")
    graph = outputs.last.graph
    if list(outputs) != list(range(1, len(outputs) + 1)):
        raise UsageError(f"a loss needs outputs of steps 1..T, not {list(outputs)[:5]}")
    if targets is None:
        targets = graph.sequence("y", len(outputs), shape, kind=kind, first=outputs[1].step or 1)
    if any(t not in targets for t in outputs):
        raise ShapeError(f"targets have steps {list(targets)[:5]}..., outputs have {len(outputs)}")
    losses = Steps("L")
    for t, output in outputs.items():
        with graph.at(step=output.step, scope="loss"):  # of a single answer, not 1
            losses[t] = graph.relabel(loss(output, targets[t]), "L")
    return losses


def net_parameter(net: Net, name: str, shape: tuple[int, ...]) -> Node:
    """The net's parameter of that name, made if it has none; a cell's own stays the cell's."""
    name = f"readout/{name}" if isinstance(net, Unrolled) and name in net.cell.parameters else name
    if name not in net.parameters:
        net.parameters[name] = net.graph.parameter(name, shape)
    node = net.parameters[name]
    if node.shape != shape:
        raise ShapeError(f"the net has a parameter {name!r} of another shape than {shape}", [node.describe()])
    return node
