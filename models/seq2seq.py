"""Sequence to sequence: an encoder reads one sequence of symbols, a decoder says another.

    m_1..m_S        = encoder(source)                     in either direction, or both
    s_0             = the encoder's last state            (of both directions: tanh(W [forward; backward] + b))
    scores_t, s_t   = decoder(y_{t-1}, s_{t-1}, m)        with attention to m_1..m_S, or without

Symbols are integers: 0..n-1, then the one that ends a sequence, n. The decoder first reads n+1, which stands
at the beginning and can never be said: there are n+1 scores.

References: Sutskever, Vinyals and Le 2014, arXiv:1409.3215; Cho et al. 2014, arXiv:1406.1078; Bahdanau, Cho and
Bengio 2015, arXiv:1409.0473; several decoders: Dong, Wu, He, Yu and Wang 2015, doi:10.3115/v1/P15-1166.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinygraph.cells import Cell
from tinygraph.differentiate import grad
from tinygraph.errors import UnknownNameError, UsageError, ValueRangeError, expect, nearest
from tinygraph.graph import Graph, Node, Steps
from tinygraph.initialisers import initialise
from tinygraph.ops.arithmetic import add
from tinygraph.ops.index import gather
from tinygraph.ops.structure import concatenate
from tinygraph.unrolling import Unrolled, unroll

from .attention import attend_first, attend_last, find_score, memory_of
from .decoding import Hypothesis, beam_search, greedy_each
from .directions import Bidirectional, bidirectional
from .heads import softmax_cross_entropy
from .language import find_cell, has_own_width, reads_symbols
from .layering import layered
from .speakers import Speaker, speaking
from .starting import read_before, states_from

Arrays = dict[str, np.ndarray[Any, Any]]
Encoder = Unrolled | Bidirectional


@dataclass(frozen=True)
class SequenceToSequence:
    """What the net is, apart from the values of its parameters.

    source         number of source symbols
    targets        number of target symbols: of one decoder, or by the name of each of several
    cell           of encoder and decoders, by name; `hidden` units in each of `layers`
    embedding      columns of the tables of symbols
    reverse        the source is read from its end
    bidirectional  it is read in both directions; each layer reads both directions of the one below
    attention      a score of `attention.SCORES`, or none
    attend         "first": the decoder looks, then steps (Bahdanau); "last": it steps, then looks (Luong)
    feeding        for "last": the next step reads what was said of the look
    shared         the decoders use the encoder's parameters
    """

    source: int
    targets: int | Mapping[str, int]
    cell: str = "gru"
    hidden: int = 32
    embedding: int = 16
    layers: int = 1
    reverse: bool = False
    bidirectional: bool = False
    attention: str = ""
    attend: str = "first"
    feeding: bool = False
    shared: bool = False

    def __post_init__(self) -> None:
        self._check_sizes()
        self._check_choices()
        cell = find_cell(self.cell)
        if not reads_symbols(cell):
            raise UsageError(f"cell {cell.name} needs more than a sequence of symbols", fix="take one such as gru")
        if not has_own_width(cell) and self.embedding != self.hidden:
            what = f"cell {cell.name} takes inputs of the size of its state, {self.hidden}"
            raise UsageError(what, fix=f"an embedding of {self.hidden} columns")
        self._speaking(free=False)  # refuses a cell that attention cannot be put around

    def _check_sizes(self) -> None:
        sizes = {name: getattr(self, name) for name in ("source", "hidden", "embedding", "layers")}
        targets = self.targets if isinstance(self.targets, Mapping) else {"targets": self.targets}
        if not targets or not all(isinstance(name, str) and name for name in targets):
            raise UsageError("targets are a number of symbols, or a dict from name to number with at least one name")
        for name, value in {**sizes, **targets}.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"{name} is a whole number of 1 or more, not {value!r:.60}")

    def _check_choices(self) -> None:
        for name in ("reverse", "bidirectional", "feeding", "shared"):
            expect(getattr(self, name), bool, f"{name} is true or false")
        if self.attend not in ("first", "last"):
            raise UsageError(f"a decoder attends first or last, not {self.attend!r:.60}", fix='attend="first"')
        if self.bidirectional and self.attention and find_score(self.attention).same_size:
            what = f"the score {self.attention!r} needs a memory as wide as the decoder; both directions are twice that"
            raise UsageError(what, fix='attention="general" or "additive"')
        if self.shared and (self.bidirectional or (self.attention and (self.attend == "first" or self.feeding))):
            what = "the decoder cannot share the encoder's parameters: it reads more, or one direction of two"
            raise UsageError(what, fix='no attention or attend="last" without feeding, and one direction')
        if self.bidirectional and self.reverse:
            raise UsageError("a source that is read in both directions is not reversed besides")

    @property
    def decoders(self) -> dict[str, int]:
        """The number of target symbols of each decoder; a single one has the empty name."""
        return dict(self.targets) if isinstance(self.targets, Mapping) else {"": self.targets}

    @cached_property
    def deep_cell(self) -> Cell:
        """All layers as one cell."""
        return layered(find_cell(self.cell), self.layers)

    @property
    def widths(self) -> dict[str, int]:
        """The size of what the cell reads, by its name."""
        ((_, role),) = self.deep_cell.inputs.items()
        return dict.fromkeys(role.dims.names, self.embedding)

    @cached_property
    def decoder_cell(self) -> Cell:
        """The cell that attends, where there is attention, and that steps from symbol to scores."""
        return self._speaking(free=False)

    @cached_property
    def free_cell(self) -> Cell:
        """The same with the input `own`, for training on the likeliest of what it says itself."""
        return self._speaking(free=True)

    @cached_property
    def drawing_cell(self) -> Cell:
        """The same with the inputs `own` and `noise`, for training on what is drawn of what it says itself."""
        return self._speaking(free=True, drawn=True)

    def _speaking(self, free: bool, drawn: bool = False) -> Cell:
        base = self.deep_cell
        if self.attention and self.attend == "first":
            base = attend_first(base, self.attention)
        elif self.attention:
            base = attend_last(base, self.attention, feeding=self.feeding)
        return speaking(base, free=free, drawn=drawn)

    def unroll(
        self, source_steps: int, target_steps: int, *, free: bool = False, drawn: bool = False
    ) -> EncoderDecoder:
        """The net over so many steps, on a tape of its own; `free`, and `drawn` too, for scheduled sampling."""
        return EncoderDecoder(self, source_steps, target_steps, free, drawn)

    def initial(self, seed: int = 0) -> Arrays:
        """Initial values of all parameters, by name."""
        return initialise(self.unroll(1, 1).graph.parameters, seed)

    def feeds(self, sources: Sequence[Any], **targets: Sequence[Any]) -> Arrays:
        """Pairs of sequences of symbols as a padded batch: the feeds of `unroll(S, T)` for the longest S and T.

        The targets are given as `targets=` for a single decoder, else by the decoders' names; the end symbol
        is put behind each, and all are padded to one length. Decoders that are left out are not fed.

        Raises `UsageError`, `ValueRangeError` for a symbol that does not exist, `UnknownNameError`.
        """
        _check_symbols("sources", sources, self.source, least=1)
        fed = dict(zip(("source", "source_mask"), _padded(sources, max(map(len, sources))), strict=True))
        ended = {}
        for given, sequences in targets.items():
            name = "" if given == "targets" and "" in self.decoders else given
            if name not in self.decoders:
                known = self.decoders if "" not in self.decoders else ["targets"]
                raise UnknownNameError(f"there is no decoder {given!r:.60}", fix=nearest(given, known))
            size = self.decoders[name]
            _check_symbols(given, sequences, size, least=0)
            if len(sequences) != len(sources):
                raise UsageError(f"{len(sources)} sources go with {len(sequences)} {given}", fix="one for each")
            ended[name] = [[*sequence, size] for sequence in sequences]
        longest = max((len(sequence) for sequences in ended.values() for sequence in sequences), default=0)
        for name, sequences in ended.items():
            fed[f"{_front(name)}y"], fed[f"{_front(name)}y_mask"] = _padded(sequences, longest)
        return fed


class EncoderDecoder:
    """The net unrolled on a tape: `encoder`, `decoders[name]`, `losses[name]`, `loss`, `gradients`.

    Fed are "source" (S, B) and "source_mask", and for each decoder "y" (T, B) and "y_mask", behind its name if
    there are several: "french/y". With `free` also "own" (T, B), boolean: where the decoder reads its own symbol; with
    `drawn` besides "noise" (T, B, V), of `gumbel_noise`, by which that symbol is drawn. `decoder` is the only or first.
    """

    def __init__(
        self,
        model: SequenceToSequence,
        source_steps: int,
        target_steps: int,
        free: bool = False,
        drawn: bool = False,
    ) -> None:
        if drawn and not free:
            raise UsageError("symbols are drawn where the decoder reads its own", fix="free=True, drawn=True")
        self.model = model
        self.graph = Graph()
        self.reader = Reader(model, self.graph, source_steps)
        self.encoder = self.reader.net
        self.decoders: dict[str, Unrolled] = {}
        self.losses: dict[str, Node] = {}
        for name, size in model.decoders.items():
            self._decode(name, size, target_steps, free, drawn)

    def _decode(self, name: str, size: int, steps: int, free: bool, drawn: bool) -> None:
        graph, front = self.graph, _front(name)
        y = graph.sequence(f"{front}y", steps, (), kind="integer")
        mask = graph.sequence(f"{front}y_mask", steps, (), kind="boolean")
        inputs = {"symbol": read_before(y, size + 1)}
        if free:
            own = graph.sequence(f"{front}own", steps, (), kind="boolean")
            never = graph.number(False, "boolean")
            inputs["own"] = Steps("own", [(1, never), *((t, own[t]) for t in range(2, steps + 1))])
        if drawn:
            inputs["noise"] = graph.sequence(f"{front}noise", steps, (size + 1,))
        free_cell = self.model.drawing_cell if drawn else self.model.free_cell
        cell = free_cell if free else self.model.decoder_cell
        net = unroll(
            cell,
            steps,
            graph=graph,
            inputs=inputs,
            contexts=self.reader.contexts,
            parameters=self.reader.shared,
            initial=self.reader.start(f"{front}decoder"),
            scope=f"{front}decoder",
            sizes=_sizes(cell, self.model.hidden, R=size + 2, V=size + 1, **self.model.widths),
        )
        self.decoders[name] = net
        self.losses[name] = softmax_cross_entropy(net.output, y, mask=mask)

    @property
    def decoder(self) -> Unrolled:
        """The only decoder, or the first."""
        return next(iter(self.decoders.values()))

    @property
    def scores(self) -> Steps:
        """What the decoder says at each step: scores (n + 1,) of the symbols and the end."""
        return self.decoder.output

    @cached_property
    def loss(self) -> Node:
        """Mean over the target symbols of the cross-entropy in nats; of several decoders the sum of theirs."""
        losses = list(self.losses.values())
        return losses[0] if len(losses) == 1 else add(losses, name="loss")

    @cached_property
    def gradients(self) -> dict[str, Node]:
        """The gradient of the loss by every parameter, by name."""
        return grad(self.loss, self.graph.parameters)  # type: ignore[no-any-return]  # structured as what it is given

    def initial(self, seed: int = 0) -> Arrays:
        """Initial values of all parameters, by name."""
        return initialise(self.graph.parameters, seed)


class Reader:
    """The encoder on a tape: what it read as states for a decoder to start from, and as memory to attend to."""

    def __init__(self, model: SequenceToSequence, graph: Graph, steps: int) -> None:
        self.model, self.graph = model, graph
        symbols = graph.sequence("source", steps, (), kind="integer")
        self.mask = graph.sequence("source_mask", steps, (), kind="boolean")
        table = graph.parameter("encoder/E", (model.source, model.embedding), initial="uniform")
        vectors = Steps("x")
        for t, symbol in symbols.items():
            with graph.at(step=t, scope="encoder"):
                vectors[t] = gather(table, symbol)
        self.net = self._both_ways(vectors) if model.bidirectional else self._one_way(vectors)

    def _one_way(self, vectors: Steps) -> Encoder:
        cell, steps, reverse = self.model.deep_cell, len(vectors), self.model.reverse
        inputs, sizes = {next(iter(cell.inputs)): vectors}, _sizes(cell, self.model.hidden)
        return unroll(cell, steps, inputs=inputs, mask=self.mask, reverse=reverse, scope="encoder", sizes=sizes)

    def _both_ways(self, vectors: Steps) -> Encoder:
        cell, below = find_cell(self.model.cell), vectors
        name, sizes = next(iter(cell.inputs)), _sizes(cell, self.model.hidden)
        for number in range(1, self.model.layers + 1):
            scope = "encoder" if self.model.layers == 1 else f"encoder/layer{number}"
            net = bidirectional(cell, len(vectors), inputs={name: below}, mask=self.mask, scope=scope, sizes=sizes)
            below = net.output
        return net

    @property
    def shared(self) -> Mapping[str, Node] | None:
        """The encoder's parameters, where the decoders use them too."""
        return self.net.parameters if self.model.shared else None

    @cached_property
    def contexts(self) -> dict[str, Node]:
        """The memory of attention, where there is attention."""
        return memory_of(self.net.output, self.mask) if self.model.attention else {}

    def start(self, scope: str) -> dict[str, Node]:
        """The states from which a decoder starts, by name."""
        if isinstance(self.net, Unrolled):
            return self.net.final
        cell = self.model.deep_cell
        with self.graph.at(step=0, scope=scope):
            both = concatenate([net.final[net.cell.output] for net in self.net.layers])
        return states_from(cell, both, dict.fromkeys(cell.sizes, self.model.hidden), scope)


class Translator:
    """A net with values that is asked: `read` gives the state before the first symbol, `step` goes on from it.

    >>> translator = Translator(model, values)
    >>> translator.translate([3, 1, 2], longest=20, width=5).symbols
    >>> state = translator.read([3, 1, 2])  # or with any of `decoding`
    >>> greedy(translator.step, state, start=translator.start, end=translator.end, longest=20)
    """

    def __init__(self, model: SequenceToSequence, values: Mapping[str, Any], target: str = "") -> None:
        """`target` names the decoder if there are several. Raises `UnknownNameError`, `FeedError`."""
        target = target or next(iter(model.decoders))
        if target not in model.decoders:
            raise UnknownNameError(f"there is no decoder {target!r:.60}", fix=nearest(target, model.decoders))
        self.model, self.target, self.values = model, target, values
        self._speakers: dict[int, Speaker] = {}
        self._speaker(1)

    @property
    def end(self) -> int:
        """The symbol that ends what is said."""
        return self.model.decoders[self.target]

    @property
    def start(self) -> int:
        """The symbol that the decoder reads first, and cannot say."""
        return self.end + 1

    def read(self, *sources: Sequence[int]) -> Arrays:
        """The state after each source has been read, (B, ...): what the decoder starts from and attends to."""
        fed = self.model.feeds(sources)
        return self._speaker(len(fed["source"])).begin(fed)

    def step(self, symbols: Any, state: Mapping[str, Any]) -> tuple[Any, Arrays]:
        """After the symbols (B,): scores (B, n + 1) of the next one and the end, and the new state."""
        return self._speaker(state["memory"].shape[1] if "memory" in state else 1).step(symbols, state)

    def translate(
        self, source: Sequence[int], *, longest: int, width: int = 1, length_penalty: float = 0.0
    ) -> Hypothesis:
        """The best that a beam search finds to say of a source; see `beam_search`."""
        found = beam_search(
            self.step,
            self.read(source),
            start=self.start,
            end=self.end,
            longest=longest,
            width=width,
            length_penalty=length_penalty,
        )
        return found[0]

    def translate_each(self, sources: Sequence[Sequence[int]], *, longest: int) -> list[Hypothesis]:
        """The likeliest symbol after the likeliest symbol for each source, all in step; see `greedy`."""
        return greedy_each(self.step, self.read(*sources), start=self.start, end=self.end, longest=longest)

    def _speaker(self, length: int) -> Speaker:
        """The decoder for a source of this length."""
        if length not in self._speakers:
            self._speakers[length] = Speaker(self.model.unroll(length, 1).decoders[self.target], self.values)
        return self._speakers[length]


def _front(name: str) -> str:
    return f"{name}/" if name else ""


def _sizes(cell: Cell, hidden: int, **others: int) -> dict[str, int]:
    """`hidden` for all sizes of a cell but the `others` and those that its input and contexts determine."""
    given = {name for role in (*cell.inputs.values(), *cell.contexts.values()) for name in role.dims.names}
    return {name: others.get(name, hidden) for name in cell.sizes if name in others or name not in given}


def _check_symbols(what: str, sequences: Sequence[Any], size: int, least: int) -> None:
    """Raises `UsageError` or `ValueRangeError` unless these are sequences of integers from 0 to below `size`."""
    if len(sequences) == 0:
        raise UsageError(f"there are no {what}", fix="give a list of sequences of integers")
    for sequence in sequences:
        symbols = np.asarray(sequence)
        if symbols.ndim != 1 or len(symbols) < least or (len(symbols) and symbols.dtype.kind not in "iu"):
            shown = f"{what} are sequences of integers with {least} or more each, not {sequence!r:.60}"
            raise UsageError(shown, fix="leave out the symbols of beginning and end; they are put there")
        if any(not 0 <= symbol < size for symbol in symbols):
            raise ValueRangeError(f"{what} are numbered 0..{size - 1}, and {sequence!r:.60} is given")


def _padded(sequences: Sequence[Any], longest: int) -> tuple[Any, Any]:
    """Sequences padded with zeros, and the mask: (longest, batch) each."""
    lengths = np.array([len(sequence) for sequence in sequences])
    mask = np.arange(longest)[:, None] < lengths
    values = np.zeros(mask.shape, dtype=np.int64)
    values.T[mask.T] = np.concatenate([np.asarray(sequence, dtype=np.int64) for sequence in sequences])
    return values, mask
