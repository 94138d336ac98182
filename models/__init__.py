"""Cells, what is built of them, and what trains them.

Every cell of the table `CELLS` is an attribute of this package too: `models.lstm`.
"""

from __future__ import annotations

from tinygraph.cells import Cell
from tinygraph.errors import nearest
from tinygraph.initialisers import INITIALISERS

from . import conversions, hand_set
from .batches import Streams, contiguous_batches, grouped_by_length, pad, split
from .cells import CELLS, GREFF
from .checkpoint import load_checkpoint, save_checkpoint
from .clip import CLIPPING, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from .clip_study import Clipped, ClippingEffects, clipping_effects
from .directions import Bidirectional, bidirectional
from .heads import cross_entropies, mean_over_time, mean_square, readout, softmax_cross_entropy
from .language import LanguageModel, find_cell
from .online import Online
from .optimise import OPTIMISERS, SGD, Adagrad, Adam, Momentum, RMSProp, make_optimiser
from .pre_update import PreUpdate, PreUpdates, pre_update_effect
from .record import keep
from .sampling import choose, sample
from .saved_run import CHECKPOINT, read_run
from .schedules import SCHEDULES
from .settings import TRUNCATIONS, Report, Settings
from .stacking import Stack, stack
from .text import Vocabulary, read_texts, standard_library_text
from .training import Run, resume_run, train
from .trees import Composed, compose
from .window import Window

__all__ = [
    "CELLS",
    "CHECKPOINT",
    "CLIPPING",
    "GREFF",
    "INITIALISERS",
    "OPTIMISERS",
    "SCHEDULES",
    "SGD",
    "TRUNCATIONS",
    "Adagrad",
    "Adam",
    "Bidirectional",
    "Clipped",
    "ClippingEffects",
    "Composed",
    "LanguageModel",
    "Momentum",
    "Online",
    "PreUpdate",
    "PreUpdates",
    "RMSProp",
    "Report",
    "Run",
    "Settings",
    "Stack",
    "Streams",
    "Vocabulary",
    "Window",
    "bidirectional",
    "choose",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "clipping_effects",
    "compose",
    "contiguous_batches",
    "conversions",
    "cross_entropies",
    "find_cell",
    "global_norm",
    "grouped_by_length",
    "hand_set",
    "keep",
    "load_checkpoint",
    "make_optimiser",
    "mean_over_time",
    "mean_square",
    "pad",
    "pre_update_effect",
    "read_run",
    "read_texts",
    "readout",
    "resume_run",
    "sample",
    "save_checkpoint",
    "softmax_cross_entropy",
    "split",
    "stack",
    "standard_library_text",
    "train",
]


def __getattr__(name: str) -> Cell:
    if name in CELLS:
        return CELLS[name]
    raise AttributeError(f"module 'tinygraph.models' has no attribute {name!r}; {nearest(name, [*__all__, *CELLS])}")


def __dir__() -> list[str]:
    return sorted([*__all__, *CELLS])
