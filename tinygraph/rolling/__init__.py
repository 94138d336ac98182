"""Re-rolling: any tape as the repeating steps that it was unrolled from."""

from .hoisting import hoist
from .reads import Read
from .rerolling import roll
from .rolled import NodeClass, Rolled

__all__ = ["NodeClass", "Read", "Rolled", "hoist", "roll"]
