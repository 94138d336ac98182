"""The numbered examples as modules, to test their pieces: `load_example("07_copy")`."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "examples"


@cache
def load_example(name: str) -> Any:
    """The example of that file name as a module of its own; nothing of it runs but its definitions."""
    specification = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
