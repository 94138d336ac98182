"""Dead-node elimination."""

from __future__ import annotations

from typing import Any

from .rebuilding import Rewritten, rebuild


def eliminate_dead(roots: Any) -> Rewritten:
    """A tape -> only what the roots depend on (a sequence of inputs stays whole, as it is one feed)."""
    return rebuild(roots)
