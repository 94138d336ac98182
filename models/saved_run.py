"""Saved runs: a checkpoint read and checked as a whole, before anything of its size is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinygraph.errors import FileFormatError, TinygraphError, UsageError
from tinygraph.shapes import Shape

from .checkpoint import load_checkpoint
from .language import Arrays, LanguageModel
from .settings import Progress, Settings

CHECKPOINT = "model.safetensors"


@dataclass(frozen=True)
class SavedRun:
    """A checkpoint, read and checked."""

    model: LanguageModel
    settings: Settings
    progress: Progress
    optimiser_updates: int
    random_state: Any
    text: str
    arrays: Arrays = field(repr=False)

    def group(self, group: str, shapes: Mapping[str, Shape]) -> Arrays:
        """The arrays of one group: value, memory or state. Raises `FileFormatError` unless they have `shapes`."""
        found = {name.partition(":")[2]: a for name, a in self.arrays.items() if name.startswith(f"{group}:")}
        if {name: (array.shape, array.dtype) for name, array in found.items()} != {
            name: (shape, np.dtype(np.float64)) for name, shape in shapes.items()
        }:
            raise FileFormatError(f"a damaged checkpoint: the arrays of group {group!r} are not those of its model")
        return found

    def values(self) -> Arrays:
        """The parameters, checked against the model before anything of its size is made."""
        parameters = self.model.unroll(1).graph.parameters
        return self.group("value", {name: node.shape for name, node in parameters.items()})


def read_run(folder: Path) -> SavedRun:
    """The checkpoint in `folder`. Raises `FileFormatError` if it is damaged, `OSError` if there is none."""
    path = folder / CHECKPOINT
    arrays, found = load_checkpoint(path)
    try:
        np.random.default_rng(0).bit_generator.state = found["random_state"]
        model, settings = LanguageModel.from_description(found["model"]), Settings(**found["settings"])
        updates, text = found["optimiser_updates"], found["text"]
        if type(updates) is not int or updates < 0 or not isinstance(text, str) or model.layers > len(arrays):
            raise UsageError("its counts are damaged")
        return SavedRun(model, settings, Progress(**found["progress"]), updates, found["random_state"], text, arrays)
    except (TinygraphError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileFormatError(f"{path}: a damaged checkpoint", [str(error)]) from None
