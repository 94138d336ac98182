"""Passes, graph to graph: each a plain function, roots -> `Rewritten`, one a file.

`PASSES` lists those that keep all values; tests run over it, and the validator after each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .dead import eliminate_dead
from .rebuilding import Rewritten, rebuild
from .sharing import share
from .simplification import simplify

PASSES: dict[str, Callable[[Any], Rewritten]] = {p.__name__: p for p in (eliminate_dead, share, simplify)}

__all__ = ["PASSES", "Rewritten", "eliminate_dead", "rebuild", "share", "simplify"]
