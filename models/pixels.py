"""Images as sequences: a language model of pixels, read and written row by row from the top left.

    p(image) = product over t of p(pixel_t | pixel_1..pixel_{t-1})     of one class, or of all together

A pixel is one of a few levels of grey, two in a binary image. The number above the levels stands at the beginning
and cannot be written; there is no end, since all images have one size.

Reference: van den Oord, Kalchbrenner and Kavukcuoglu 2016, arXiv:1601.06759, with any cell and one channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.errors import UsageError, ValueRangeError
from tinygraph.graph import Graph, Node, Steps
from tinygraph.ops.index import one_hot
from tinygraph.unrolling import Unrolled, unroll

from .decoding import sampled_each
from .heads import softmax_cross_entropy
from .language import find_cell, reads_symbols
from .mappings import Mapped
from .speakers import Speaker, speaking
from .starting import read_before, states_from

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class PixelModel:
    """Images of `height` x `width` pixels of `levels` levels, of one of `classes` classes if that is above 0.

    The class sets the initial state, tanh(W one_hot(class) + b). `embedding` are the columns of the table of levels.
    Raises `UsageError`, `UnknownNameError`.
    """

    height: int
    width: int
    levels: int = 2
    classes: int = 0
    cell: str = "lstm"
    hidden: int = 64
    embedding: int = 8

    def __post_init__(self) -> None:
        least = {"height": 1, "width": 1, "levels": 2, "classes": 0, "hidden": 1, "embedding": 1}
        for name, smallest in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
                raise UsageError(f"{name} is a whole number of {smallest} or more, not {value!r:.60}")
        cell = find_cell(self.cell)
        if not reads_symbols(cell) or cell.equal_sizes or cell.children:
            raise UsageError(f"cell {self.cell} cannot read pixels", fix="take one such as lstm")

    @property
    def pixels(self) -> int:
        """Pixels in an image, and steps of the net."""
        return self.height * self.width

    def unroll(self) -> Mapped:
        """The net over one image, on a tape of its own: fed "y" (pixels, B), and "label" (B,) if there are classes.

        Its loss is the mean over pixels and images of -log p(pixel), in nats.
        """
        graph = Graph()
        y = graph.sequence("y", self.pixels, (), kind="integer")
        net = self._net(graph, y)
        return Mapped(net, net.output, softmax_cross_entropy(net.output, y))

    def _net(self, graph: Graph, y: Steps) -> Unrolled:
        cell = find_cell(self.cell)
        ((_, role),) = cell.inputs.items()
        sizes = dict.fromkeys(cell.sizes, self.hidden) | dict.fromkeys(role.dims.names, self.embedding)
        label = graph.input("label", (), kind="integer") if self.classes else None
        return unroll(
            speaking(cell),
            self.pixels,
            graph=graph,
            inputs={"symbol": read_before(y, self.levels)},
            initial="zeros" if label is None else states_from(cell, _vector(label, self.classes), sizes),
            sizes={**sizes, "R": self.levels + 1, "V": self.levels},
        )

    def feeds(self, images: Any, labels: Any = None) -> dict[str, Array]:
        """The feeds of `unroll()` for images (B, height, width) of levels and their classes (B,), integers.

        Raises `UsageError`, `ValueRangeError`.
        """
        fed = {"y": _checked("images", images, (self.height, self.width), self.levels).reshape(-1, self.pixels).T}
        if (labels is None) == bool(self.classes):
            raise UsageError(f"{'no' if labels is None else 'some'} labels are given for {self.classes} classes")
        if labels is not None:
            fed["label"] = _checked("labels", labels, (), self.classes)
            if len(fed["label"]) != fed["y"].shape[1]:
                raise UsageError(f"{fed['y'].shape[1]} images go with {len(fed['label'])} labels", fix="one for each")
        return fed

    def sample(self, values: Mapping[str, Any], label: int | None = None, **options: Any) -> Array:
        """An image (height, width), each pixel drawn after those before it; see `sample_each`."""
        image: Array = self.sample_each(values, None if label is None else [label], **options)[0]
        return image

    def sample_each(
        self,
        values: Mapping[str, Any],
        labels: Sequence[int] | Array | None = None,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        seed: int | np.random.Generator = 0,
    ) -> Array:
        """Images (B, height, width), one for each label, drawn all in step; for the options see `models.choose`."""
        given = None if labels is None else np.asarray(labels)
        count = 1 if given is None else len(given)
        fed = self.feeds(np.zeros((count, self.height, self.width), dtype=int), given)
        graph = Graph()
        speaker = Speaker(self._net(graph, graph.sequence("y", self.pixels, (), kind="integer")), values)
        state = speaker.begin({name: value for name, value in fed.items() if name == "label"})
        options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "seed": seed}
        written = sampled_each(speaker.step, state, start=self.levels, end=None, longest=self.pixels, **options)
        return np.array([one.symbols for one in written]).reshape(count, self.height, self.width)


def quantised(images: Any, levels: int) -> Array:
    """Intensities from 0 to 1 as levels 0..levels-1 of equal width: an array of integers of the same shape.

    Raises `ValueRangeError` for intensities outside, or that are no numbers; `UsageError` for fewer than two levels.
    """
    if isinstance(levels, bool) or not isinstance(levels, int) or levels < 2:
        raise UsageError(f"there are two levels or more, not {levels!r:.60}", fix="levels=2")
    try:
        values = np.asarray(images, dtype=float)
    except (TypeError, ValueError):
        raise ValueRangeError("intensities are numbers from 0 to 1, in an array") from None
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueRangeError("intensities are from 0 to 1", fix="divide by the largest that there can be")
    found: Array = np.minimum((values * levels).astype(int), levels - 1)
    return found


def _vector(label: Node, classes: int) -> Node:
    with label.graph.at(step=0):
        return one_hot(label, classes)


def _checked(what: str, given: Any, shape: tuple[int, ...], count: int) -> Array:
    """Integers (B, *shape) from 0 to below `count`."""
    wanted = f"{what} are integers of shape ({', '.join(['B', *map(str, shape)])})"
    try:
        values = np.asarray(given)
    except ValueError:
        raise UsageError(f"{wanted}, and not of different lengths") from None
    if values.ndim != 1 + len(shape) or values.shape[1:] != shape or not len(values) or values.dtype.kind not in "iu":
        raise UsageError(f"{wanted}, not {values.dtype} of shape {values.shape}")
    if values.min() < 0 or values.max() >= count:
        raise ValueRangeError(f"{what} are numbered 0..{count - 1}, and {values.min()}..{values.max()} are given")
    return values
