"""Every system that there is, by name: what it is, where it comes from, and a small instance of it.

    SYSTEMS["gru"].build()              a net of three steps with its loss, ready to be drawn or differentiated
    SYSTEMS["stacked_2"].cell           None: it is a net of several cells, and its equations are those of the net

The cells are those of `CELLS`; all others are compositions, made by the functions of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tinygraph.cells import Cell
from tinygraph.errors import UnknownNameError, nearest
from tinygraph.unrolling import unroll

from . import hand_set
from . import small_nets as small
from .attention import attend_first, attend_last
from .cells import CELLS
from .deepening import deep_output, deep_transition, residual, tanh_layer
from .directions import bidirectional
from .glimpses import glimpsing
from .large_vocabulary import SymbolTree, hierarchical_softmax, negative_sampling
from .layering import layered
from .mappings import Mapped, classifier, forecaster, generator, tagger
from .speakers import speaking
from .stacking import stack
from .without_memory import memoryless, neural_language_model


@dataclass(frozen=True)
class System:
    """A system of the catalogue. `cell` is there where the whole of it is the equations of one cell."""

    name: str
    group: str
    summary: str
    reference: str
    make: Callable[[int], small.Built]
    cell: Cell | None = None

    def build(self, steps: int = small.STEPS) -> small.Built:
        """A small instance over `steps` steps; some have a length of their own. Raises what `unroll` raises."""
        return self.make(steps)


def find_system(name: str) -> System:
    """The system of that name. Raises `UnknownNameError` with the nearest one."""
    if name not in SYSTEMS:
        raise UnknownNameError(f"no cell or system {name!r:.60}", fix=nearest(name, SYSTEMS))
    return SYSTEMS[name]


# The table
def _cells() -> Iterator[System]:
    for cell in (*CELLS.values(), memoryless, tanh_layer):
        yield System(cell.name, "cells", cell.summary, cell.reference, partial(small.of_cell, cell), cell)


def _composed(group: str, name: str, cell: Cell, summary: str = "") -> System:
    """A cell made of cells."""
    return System(name, group, summary or cell.summary, cell.reference, partial(small.of_cell, cell), cell)


def _net(group: str, name: str, reference: str, summary: str, make: Callable[[int], small.Built]) -> System:
    return System(name, group, summary, reference, make)


def _compositions() -> Iterator[System]:
    elman, gru, lstm, highway, rhn = (CELLS[name] for name in ("elman", "gru", "lstm", "highway", "recurrent_highway"))
    one, net = partial(_composed, "compositions"), partial(_net, "compositions")
    schuster = "Schuster and Paliwal 1997, doi:10.1109/78.650093"
    graves = "Graves, Mohamed and Hinton 2013, arXiv:1303.5778"
    for count in (2, 3):
        make = partial(
            lambda steps, layers: small.read_out(stack(gru, steps, layers=layers, I=small.SIZE, H=small.SIZE)),
            layers=count,
        )
        yield net(f"stacked_{count}", graves, f"{count} layers, each over all steps of the one below.", make)
    yield one("layered_2", layered(lstm, 2))
    yield one("skips", layered(elman, 2, skips=True), "2 layers that all read the input, and are all the output.")
    yield one("deep_transition", deep_transition(elman, tanh_layer))
    yield one(
        "deep_transition_shortcut", deep_transition(elman, elman), "elman with 2 layers, and a way past the lower."
    )
    yield one("recurrent_highway_3", deep_transition(rhn, highway, highway), "Recurrent highway of depth 3.")
    yield one("deep_output", deep_output(gru))
    yield one("deep_transition_output", deep_output(deep_transition(elman, elman)), "Deep transition and deep output.")
    yield one("residual", residual(gru))
    yield net(
        "stacked_residual",
        "Wu et al. 2016, arXiv:1609.08144",
        "2 layers, each with a way past it.",
        lambda steps: small.read_out(stack(residual(gru), steps, layers=2, I=small.SIZE, H=small.SIZE)),
    )
    yield net("highway_layers", highway.reference, "Highway layers with parameters of their own.", small.highway_layers)
    yield net(
        "bidirectional",
        schuster,
        "A net from the left and one from the right, joined.",
        lambda steps: small.read_out(bidirectional(gru, steps, I=small.SIZE, H=small.SIZE)),
    )
    yield net("bidirectional_deep", graves, "2 layers, each in both directions.", small.deep_both_ways)
    yield net("jordan_forced", CELLS["jordan"].reference, "Output recurrence under a teacher.", small.forced_jordan)


def _beginnings() -> Iterator[System]:
    gru, net = CELLS["gru"], partial(_net, "initial states")
    for how, what in (("zeros", "The state begins at zero."), ("learned", "The first state is trained.")):
        make = partial(
            lambda steps, how: small.read_out(unroll(gru, steps, initial=how, I=small.SIZE, H=small.SIZE)), how=how
        )
        yield net(f"initial_{how}", gru.reference, what, make)
    fed = partial(lambda steps: small.read_out(unroll(gru, steps, initial="fed", I=small.SIZE, H=small.SIZE)))
    yield net("initial_fed", gru.reference, "The first state is given.", fed)
    yield net("initial_biases", gru.reference, "Biases of its own at the first step.", small.with_first_biases)
    yield net("initial_dummy", gru.reference, "A step before the first reads a trained vector.", small.after_dummy_step)


def _inputs() -> Iterator[System]:
    net, waibel = partial(_net, "inputs"), "Waibel et al. 1989, doi:10.1109/29.21701"
    lecun = "LeCun, Bottou, Bengio and Haffner 1998, doi:10.1109/5.726791"
    mikolov = "Mikolov, Karafiat, Burget, Cernocky and Khudanpur 2010, doi:10.21437/Interspeech.2010-343"
    bengio = "Bengio, Ducharme, Vincent and Jauvin 2003, JMLR 3"
    yield net(
        "dense_features",
        CELLS["elman"].reference,
        "Vectors of any numbers.",
        partial(small.of_cell, CELLS["elman"]),
    )
    yield net(
        "one_hot", mikolov, "A language model that reads one-hot vectors.", partial(small.language_model, embedding=0)
    )
    yield net(
        "embedding",
        bengio,
        "A language model that reads rows of a table.",
        partial(small.language_model, embedding=small.SIZE),
    )
    yield net(
        "word_features", CELLS["elman"].reference, "Features of words that are made by hand.", small.over_word_features
    )
    yield net("time_delay", waibel, "Layers that each see a window in time of the one below.", small.time_delay_net)
    for rank, axes in ((1, "1 axis"), (2, "2 axes"), (3, "3 axes")):
        make = partial(small.encoder_of_images, image=(1, *(5 for _ in range(rank))))
        yield net(f"convolution_{rank}d", lecun, f"Filters, ReLU and max-pooling over {axes}, twice.", make)
    make = partial(small.encoder_of_images, image=(1, 8, 8), banks=(16, 32), width=3)
    yield net("image_encoder", lecun, "Banks of 16 and 32 filters, then features, then a class.", make)


def _mappings() -> Iterator[System]:
    lstm, gru, captioner = CELLS["lstm"], CELLS["gru"], CELLS["captioner"]
    net, sizes = partial(_net, "mappings"), {"I": small.SIZE, "H": small.SIZE}

    def over(head: Callable[[Any], Mapped], mask: bool = False) -> Callable[[int], small.Built]:
        return lambda steps: small.of_mapping(head(unroll(lstm, steps, mask=mask, sizes=sizes)))

    def speaking_of(cell: Cell, steps: int) -> small.Built:
        return small.of_mapping(
            generator(cell, steps, features=small.SIZE, symbols=2, embedding=small.SIZE, H=small.SIZE)
        )

    deep = layered(memoryless, 2)
    yield net(
        "feed_forward",
        "Rumelhart, Hinton and Williams 1986, doi:10.1038/323533a0",
        "One to one: layers without memory over one step.",
        lambda steps: small.of_mapping(classifier(unroll(deep, 1, sizes=sizes), small.CLASSES)),
    )
    yield net(
        "tagger", lstm.reference, "Many to many: a class at each step.", over(partial(tagger, classes=small.CLASSES))
    )
    yield net(
        "tagger_masked",
        lstm.reference,
        "The same for sequences of different lengths in one batch.",
        over(partial(tagger, classes=small.CLASSES), mask=True),
    )
    yield net("classifier", lstm.reference, "Many to one: a class.", over(partial(classifier, classes=small.CLASSES)))
    yield net("forecaster", lstm.reference, "Many to one: the next value of a series.", over(forecaster))
    vinyals = "Vinyals, Toshev, Bengio and Erhan 2015, arXiv:1411.4555"
    yield net(
        "generator", vinyals, "One to many: symbols, starting from features.", lambda steps: speaking_of(gru, steps)
    )
    yield net(
        "caption",
        captioner.reference,
        "One to many: words of an image, whose encoder is frozen with its last layer off.",
        lambda steps: speaking_of(captioner, steps),
    )


def _output_layers() -> Iterator[System]:
    net, mikolov = partial(_net, "output layers"), "Mikolov, Sutskever, Chen, Corrado and Dean 2013, arXiv:1310.4546"
    tree = SymbolTree.huffman([4, 3, 2, 1])
    yield net(
        "softmax",
        "Bridle 1990, doi:10.1007/978-3-642-76153-9_28",
        "A score for every symbol.",
        partial(small.of_cell, CELLS["gru"]),
    )
    yield net(
        "hierarchical_softmax",
        "Morin and Bengio 2005, AISTATS; " + mikolov,
        "A decision at each node of a tree.",
        partial(small.with_large_output, loss=partial(hierarchical_softmax, tree=tree)),
    )
    yield net(
        "negative_sampling",
        mikolov,
        "The target told from symbols that are drawn.",
        partial(small.with_large_output, loss=partial(negative_sampling, symbols=small.CLASSES, negatives=2)),
    )


def _without_memory() -> Iterator[System]:
    net, bengio = partial(_net, "without memory"), "Bengio, Ducharme, Vincent and Jauvin 2003, JMLR 3"

    def model(steps: int, cell: Cell) -> small.Built:
        return small.of_mapping(
            neural_language_model(steps, symbols=small.CLASSES, context=2, embedding=2, hidden=small.SIZE, cell=cell)
        )

    yield net("neural_language_model", bengio, "The next word from those in a window.", partial(model, cell=memoryless))
    yield net(
        "recurrent_language_model",
        bengio + "; " + CELLS["elman"].reference,
        "The same with hidden-to-hidden edges.",
        partial(model, cell=CELLS["elman"]),
    )


def _seq2seq() -> Iterator[System]:
    net = partial(_net, "sequence to sequence")
    sutskever = "Sutskever, Vinyals and Le 2014, arXiv:1409.3215"
    bahdanau, luong = "Bahdanau, Cho and Bengio 2015, arXiv:1409.0473", "Luong, Pham and Manning 2015, arXiv:1508.04025"
    vaswani = "Vaswani et al. 2017, arXiv:1706.03762"
    scheduled = "Bengio, Vinyals, Jaitly and Shazeer 2015, arXiv:1506.03099"
    several = "Dong, Wu, He, Yu and Wang 2015, doi:10.3115/v1/P15-1166"
    rows: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("translator", sutskever, "An encoder reads, a decoder says.", {}),
        ("translator_shared", sutskever, "Both have the same parameters.", {"shared": True}),
        ("translator_reversed", sutskever, "The source is read from its end.", {"reverse": True}),
        ("translator_deep", sutskever, "Two layers.", {"layers": 2, "cell": "lstm"}),
        ("translator_both_ways", bahdanau, "The source is read in both directions.", {"bidirectional": True}),
        ("translator_both_ways_deep", bahdanau, "The same with 2 layers.", {"bidirectional": True, "layers": 2}),
        ("attention_additive", bahdanau, "The decoder looks, by a tanh layer.", {"attention": "additive"}),
        ("attention_dot", luong, "The decoder looks, by a product.", {"attention": "dot"}),
        ("attention_scaled_dot", vaswani, "The same, divided by a root.", {"attention": "scaled_dot"}),
        ("attention_general", luong, "The same, by a matrix.", {"attention": "general"}),
        ("attention_last", luong, "It steps, then looks.", {"attention": "general", "attend": "last"}),
        (
            "attention_feeding",
            luong,
            "And the next step reads what it said.",
            {"attention": "general", "attend": "last", "feeding": True},
        ),
        ("translator_several", several, "Decoders for two languages on one encoder.", {"targets": {"a": 2, "b": 3}}),
        ("scheduled_sampling", scheduled, "The decoder may read its own likeliest symbol.", {"free": True}),
        (
            "scheduled_sampling_drawn",
            scheduled,
            "The decoder may read a symbol drawn from what it says.",
            {"free": True, "drawn": True},
        ),
    )
    for name, reference, summary, choices in rows:
        yield net(name, reference, summary, partial(small.sequences, **choices))
    yield net(
        "translator_one_word",
        sutskever,
        "Classification: a sequence of one word.",
        lambda steps: small.sequences(1),
    )


def _trees() -> Iterator[System]:
    for name in ("recursive", "rntn"):
        cell = CELLS[name]
        yield _net(
            "trees",
            f"tree_{name}",
            cell.reference,
            "A label at every node of a tree.",
            partial(small.labelled_tree, cell=cell),
        )


def _hand_set_nets() -> Iterator[System]:
    net = partial(_net, "hand-set nets")
    rows: tuple[tuple[str, str, str, Callable[[int], hand_set.HandSet]], ...] = (
        ("running_sum", "linear", "The sum of the numbers so far.", hand_set.running_sum),
        ("larger_total", "linear", "Which of two inputs has the larger total.", hand_set.larger_total),
        ("parity", "jordan", "Whether the ones so far are odd, by thresholds.", hand_set.parity),
        ("parity_logistic", "jordan", "The same by logistic units.", partial(hand_set.parity, sharpness=20)),
    )
    for name, cell, summary, make in rows:
        yield net(name, CELLS[cell].reference, summary, partial(small.set_by_hand, make=make))


def _images() -> Iterator[System]:
    gregor = "Gregor, Danihelka, Graves, Jimenez Rezende and Wierstra 2015, arXiv:1502.04623"
    oord = "van den Oord, Kalchbrenner and Kavukcuoglu 2016, arXiv:1601.06759"
    net, looking = partial(_net, "images"), glimpsing(CELLS["gru"], 2)
    yield _composed("images", "glimpses", looking, "A cell that looks at an image through a grid of filters.")
    yield net(
        "glimpse_classifier",
        gregor,
        "The class of an image after some glimpses.",
        lambda steps: small.of_mapping(
            classifier(unroll(looking, steps, sizes=dict.fromkeys(looking.sizes, small.SIZE)), small.CLASSES)
        ),
    )
    yield net("pixels", oord, "Binary images, pixel by pixel.", partial(small.pixel_model, classes=0, levels=2))
    of_class = partial(small.pixel_model, classes=2, levels=3)
    yield net("pixels_of_class", oord, "Grey images of a class, pixel by pixel.", of_class)


def _around() -> Iterator[System]:
    gru, one = CELLS["gru"], partial(_composed, "cells around cells")
    yield one("attending_first", attend_first(gru), "Attention that looks, then steps.")
    yield one("attending_last", attend_last(gru), "Attention that steps, then looks.")
    yield one("speaking", speaking(gru), "A cell that reads and says symbols.")


GROUPS = (
    *(_cells, _compositions, _around, _beginnings, _inputs, _mappings, _output_layers, _without_memory),
    *(_seq2seq, _trees, _hand_set_nets, _images),
)
SYSTEMS: dict[str, System] = {system.name: system for group in GROUPS for system in group()}
