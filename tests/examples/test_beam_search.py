"""The example of beam search: the seed that it names is the one that its search finds, and greedy loses there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[2] / "examples" / "23_beam_search.py"


def load() -> Any:
    """The example as a module of its own."""
    specification = importlib.util.spec_from_file_location("beam_search_example", PATH)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_search_finds_the_seed_that_is_named():
    example = load()
    seed = example.search()
    assert seed == example.FIXED
    one, two, three = (example.answers(seed, width) for width in (1, 2, 3))
    assert one.log_probability < two.log_probability == three.log_probability
    assert example.spell(two.symbols) == example.everything(seed)[0][1]
