"""Small nets, one of each sort, ready to be drawn, differentiated or verified: what the catalogue builds.

All sizes are 3, and there are 4 classes or symbols, so that an axis that meets another by accident shows in a batch
of 3. Each function takes a number of steps last; some nets have a length of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinygraph.cells import Cell
from tinygraph.graph import Graph, Node, Steps
from tinygraph.unrolling import Unrolled, unroll

from . import hand_set
from .cells import CELLS
from .directions import bidirectional
from .heads import cross_entropies, mean_over_time, mean_square, readout, softmax_cross_entropy
from .image_encoder import ImageEncoder
from .language import LanguageModel
from .mappings import Mapped
from .pixels import PixelModel
from .seq2seq import SequenceToSequence
from .starting import at_first, dummy_step, first_biases
from .text import Vocabulary
from .trees import compose
from .without_memory import time_delay
from .word_features import word_vectors

STEPS, SIZE, CLASSES = 3, 3, 4


@dataclass(frozen=True)
class Built:
    """A small instance: what it says, the loss that trains it, and the cells that it unrolls, for their states."""

    outputs: tuple[Node, ...]
    loss: Node
    nets: tuple[Unrolled, ...] = ()

    @property
    def graph(self) -> Graph:
        """The tape."""
        return self.loss.graph


def of_cell(cell: Cell, steps: int) -> Built:
    """The cell unrolled, with a readout of its output."""
    return read_out(unroll(cell, steps, sizes=dict.fromkeys(cell.sizes, SIZE)))


def read_out(net: Any) -> Built:
    scores = readout(net, CLASSES)
    return Built(tuple(scores.values()), softmax_cross_entropy(scores, mask=net.mask), net.layers)


def of_mapping(found: Mapped) -> Built:
    return Built(tuple(found.outputs.values()), found.loss, found.net.layers)


def squared(outputs: Steps, *nets: Unrolled) -> Built:
    return Built(tuple(outputs.values()), mean_square(outputs), nets)


def forced_jordan(steps: int) -> Built:
    graph = Graph()
    forced = {"o": graph.sequence("before", steps, (SIZE,))}
    return read_out(unroll(CELLS["jordan"], steps, graph=graph, forced=forced, sizes={"I": SIZE, "H": SIZE}))


def highway_layers(layers: int) -> Built:
    graph = Graph()
    h, nets = graph.input("x", (SIZE,)), list[Unrolled]()
    for number in range(1, layers + 1):
        nets.append(unroll(CELLS["highway"], 1, graph=graph, initial={"h": h}, scope=f"layer{number}"))
        h = nets[-1].output[1]
    return Built((h,), mean_square(Steps("h", [(1, h)])), tuple(nets))


def deep_both_ways(steps: int) -> Built:
    below = bidirectional(CELLS["gru"], steps, I=SIZE, H=SIZE, scope="layer1")
    above = bidirectional(CELLS["lstm"], steps, inputs={"x": below.output}, H=SIZE, scope="layer2")
    found = read_out(above)
    return Built(found.outputs, found.loss, (*below.layers, *above.layers))


def after_dummy_step(steps: int) -> Built:
    graph, sizes = Graph(), {"I": SIZE, "H": SIZE}
    parameters, states = dummy_step(graph, CELLS["gru"], sizes)
    return read_out(unroll(CELLS["gru"], steps, graph=graph, parameters=parameters, initial=states, sizes={"I": SIZE}))


def with_first_biases(steps: int) -> Built:
    graph = Graph()
    inputs = {"first": at_first(graph, steps)}
    return read_out(unroll(first_biases(CELLS["gru"]), steps, graph=graph, inputs=inputs, I=SIZE, H=SIZE))


def language_model(steps: int, embedding: int) -> Built:
    net = LanguageModel(Vocabulary.of("helo"), cell="elman", hidden=SIZE, embedding=embedding).unroll(steps)
    return Built(tuple(net.scores.values()), net.loss, net.net.layers)


def over_word_features(steps: int) -> Built:
    return read_out(unroll(CELLS["elman"], steps, inputs={"x": word_vectors(Graph(), steps)}, H=SIZE))


def time_delay_net(steps: int) -> Built:
    layers = time_delay(Graph().sequence("x", steps + 2, (SIZE,)), [(2, SIZE), (2, SIZE)])
    return squared(layers[-1].output, *layers)


def encoder_of_images(steps: int, image: tuple[int, ...], banks: tuple[int, ...] = (2, 3), width: int = 2) -> Built:
    found = ImageEncoder(image, features=SIZE, classes=CLASSES, banks=banks, width=width)
    return Built((found.scores,), found.loss)


def with_large_output(steps: int, loss: Callable[[Unrolled], Node]) -> Built:
    net = unroll(CELLS["gru"], steps, I=SIZE, H=SIZE)
    return Built(tuple(net.output.values()), loss(net), (net,))


def sequences(steps: int, targets: Any = CLASSES, free: bool = False, drawn: bool = False, **choices: Any) -> Built:
    small: dict[str, Any] = {"hidden": SIZE, "embedding": SIZE, "cell": "elman"}
    net = SequenceToSequence(source=CLASSES, targets=targets, **(small | choices)).unroll(
        steps, steps, free=free, drawn=drawn
    )
    scores = [node for decoder in net.decoders.values() for node in decoder.output.values()]
    return Built(tuple(scores), net.loss, (*net.encoder.layers, *net.decoders.values()))


def labelled_tree(steps: int, cell: Cell) -> Built:
    """((a, b), (c, (d, e))) with a class at every node."""
    graph = Graph()
    a, b, c, d, e = (graph.input(leaf, (SIZE,)) for leaf in "abcde")
    found = compose(cell, ((a, b), (c, (d, e))))
    V, bias = graph.parameter("V", (CLASSES, SIZE)), graph.parameter("c_label", (CLASSES,))
    labels = found.label(lambda phrase: V @ phrase + bias)
    scores = Steps("o", enumerate(labels, start=1))
    return Built(tuple(labels), mean_over_time(cross_entropies(scores)))


def set_by_hand(steps: int, make: Callable[[int], hand_set.HandSet]) -> Built:
    found = make(steps)
    return squared(found.output, found.net)


def pixel_model(steps: int, classes: int, levels: int) -> Built:
    model = PixelModel(2, 2, levels=levels, classes=classes, cell="gru", hidden=SIZE, embedding=SIZE)
    return of_mapping(model.unroll())
