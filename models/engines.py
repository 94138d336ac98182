"""How a training loop computes: by a plan, or by the reference interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tinygraph.errors import UnknownNameError, nearest
from tinygraph.execute.interpreter import evaluate
from tinygraph.planning.compiled import DTYPES, plan

Engine = Callable[[Mapping[str, Any]], Any]  # from feeds to values

ENGINES: dict[str, Callable[[Any, str], Engine]] = {
    "plan": lambda outputs, precision: plan(outputs, dtype=precision),
    "interpreter": lambda outputs, precision: partial(evaluate, outputs, dtype=precision),
}


def check_engine(engine: Any, precision: Any) -> None:
    """Raises `UnknownNameError` for an engine or a precision that there is not."""
    if engine not in ENGINES:
        raise UnknownNameError(f"no engine {engine!r:.60}", fix=nearest(engine, ENGINES))
    if precision not in DTYPES:
        raise UnknownNameError(f"no precision {precision!r:.60}", fix=nearest(precision, DTYPES))


def runner(outputs: Any, engine: str, precision: str) -> Engine:
    """What computes `outputs` from feeds."""
    return ENGINES[engine](outputs, precision)
