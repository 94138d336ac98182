"""Cells, what is built of them, and what trains them.

Every cell of the table `CELLS` is an attribute of this package too: `models.lstm`.
"""

from __future__ import annotations

from tinygraph.cells import Cell
from tinygraph.errors import nearest
from tinygraph.initialisers import INITIALISERS

from . import conversions, hand_set, word_features
from .attention import SCORES, attend_first, attend_last, memory_of
from .batches import Streams, contiguous_batches, grouped_by_length, pad, split
from .catalogue import SYSTEMS, System, find_system
from .cells import CELLS, GREFF
from .checkpoint import load_checkpoint, save_checkpoint
from .clip import CLIPPING, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from .clip_study import Clipped, ClippingEffects, clipping_effects
from .decoding import Hypothesis, beam_search, greedy, greedy_each, language_step, sampled, sampled_each
from .deepening import deep_output, deep_transition, residual, tanh_layer
from .directions import Bidirectional, bidirectional
from .glimpses import glimpsing
from .heads import cross_entropies, mean_over_time, mean_square, readout, readout_of, softmax_cross_entropy
from .image_encoder import ImageEncoder
from .language import LanguageModel, find_cell
from .large_vocabulary import SymbolTree, draw_negatives, hierarchical_softmax, negative_sampling
from .layering import layered
from .learner import Learner
from .mappings import Mapped, classifier, forecaster, generator, last_output, tagger
from .online import Online
from .optimise import OPTIMISERS, SGD, Adagrad, Adam, Momentum, RMSProp, make_optimiser
from .pixels import PixelModel, quantised
from .pre_update import PreUpdate, PreUpdates, pre_update_effect
from .record import keep
from .sampling import choose, sample
from .saved_run import CHECKPOINT, read_run
from .schedules import SCHEDULES
from .seq2seq import EncoderDecoder, SequenceToSequence, Translator
from .settings import TRUNCATIONS, Report, Settings
from .small_nets import Built
from .speakers import FORCING, Speaker, gumbel_noise, own_symbols, speaking
from .stacking import Stack, stack
from .starting import at_first, dummy_step, first_biases
from .text import Vocabulary, read_texts, standard_library_text
from .training import Run, resume_run, train
from .trees import Composed, compose
from .window import Window
from .without_memory import memoryless, neural_language_model, time_delay, windows

__all__ = [
    "CELLS",
    "CHECKPOINT",
    "CLIPPING",
    "FORCING",
    "GREFF",
    "INITIALISERS",
    "OPTIMISERS",
    "SCHEDULES",
    "SCORES",
    "SGD",
    "SYSTEMS",
    "TRUNCATIONS",
    "Adagrad",
    "Adam",
    "Bidirectional",
    "Built",
    "Clipped",
    "ClippingEffects",
    "Composed",
    "EncoderDecoder",
    "Hypothesis",
    "ImageEncoder",
    "LanguageModel",
    "Learner",
    "Mapped",
    "Momentum",
    "Online",
    "PixelModel",
    "PreUpdate",
    "PreUpdates",
    "RMSProp",
    "Report",
    "Run",
    "SequenceToSequence",
    "Settings",
    "Speaker",
    "Stack",
    "Streams",
    "SymbolTree",
    "System",
    "Translator",
    "Vocabulary",
    "Window",
    "at_first",
    "attend_first",
    "attend_last",
    "beam_search",
    "bidirectional",
    "choose",
    "classifier",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "clipping_effects",
    "compose",
    "contiguous_batches",
    "conversions",
    "cross_entropies",
    "deep_output",
    "deep_transition",
    "draw_negatives",
    "dummy_step",
    "find_cell",
    "find_system",
    "first_biases",
    "forecaster",
    "generator",
    "glimpsing",
    "global_norm",
    "greedy",
    "greedy_each",
    "grouped_by_length",
    "gumbel_noise",
    "hand_set",
    "hierarchical_softmax",
    "keep",
    "language_step",
    "last_output",
    "layered",
    "load_checkpoint",
    "make_optimiser",
    "mean_over_time",
    "mean_square",
    "memory_of",
    "memoryless",
    "negative_sampling",
    "neural_language_model",
    "own_symbols",
    "pad",
    "pre_update_effect",
    "quantised",
    "read_run",
    "read_texts",
    "readout",
    "readout_of",
    "residual",
    "resume_run",
    "sample",
    "sampled",
    "sampled_each",
    "save_checkpoint",
    "softmax_cross_entropy",
    "speaking",
    "split",
    "stack",
    "standard_library_text",
    "tagger",
    "tanh_layer",
    "time_delay",
    "train",
    "windows",
    "word_features",
]


def __getattr__(name: str) -> Cell:
    if name in CELLS:
        return CELLS[name]
    raise AttributeError(f"module 'tinygraph.models' has no attribute {name!r}; {nearest(name, [*__all__, *CELLS])}")


def __dir__() -> list[str]:
    return sorted([*__all__, *CELLS])
