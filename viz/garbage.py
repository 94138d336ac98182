"""Work that leaves no garbage before it is done, without the searches for it that Python makes now and then."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Make no search for cyclic garbage within: over the parts of a large picture it takes longer than drawing them."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
