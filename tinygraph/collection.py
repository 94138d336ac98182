"""Work that makes very many objects that live on: to look them through for garbage takes a third of its time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Until the end of the block Python does not look for cycles of dead objects, if it did so before.

    What was made counts as old then, as a collector would have found: else all of it were looked through at once.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():  # else unfreezing would undo what somebody wanted
                gc.freeze()
                gc.unfreeze()
            gc.enable()
