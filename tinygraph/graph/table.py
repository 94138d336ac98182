"""The registry of operations, by name: filled row by row in `tinygraph.ops`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .op import Op

OPS: dict[str, Op] = {}
