"""What the user's own Python file builds: `my_net.py:net` is what the file calls `net`.

The file is run as Python runs a program's module, with its folder on the path: it can do all that its writer can.
That is what is asked for; a file from a stranger is to be read first. Nothing but a name is taken from the command.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import DrawingError, TinygraphError, UnknownNameError, nearest

DEFAULT = "net"
MODULE = "tinygraph_own_file"  # so that a file called numpy.py hides nothing


def names_a_file(target: str) -> bool:
    """Whether a target is a Python file, `my_net.py` or `my_net.py:net`, rather than the name of a cell."""
    return target.rpartition(":")[0].endswith(".py") or target.endswith(".py")


def load_object(target: str) -> tuple[Any, ModuleType]:
    """What a file calls by a name, `net` without one, and the module; a function is called for it.

    Raises `DrawingError` for a file that is not there or fails, `UnknownNameError`.
    """
    path, name = (Path(target), DEFAULT) if target.endswith(".py") else _parted(target)
    if not path.is_file():
        raise DrawingError(f"{path}: No such file", fix="give the path of a Python file, or the name of a cell")
    module = _run(path)
    public = [known for known in vars(module) if not known.startswith("_")]
    if name not in public:
        raise UnknownNameError(f"{path} has no {name!r:.60}", fix=nearest(name, public))
    found = getattr(module, name)
    return (_guarded(path, found) if isfunction(found) else found), module


def _parted(target: str) -> tuple[Path, str]:
    path, _, name = target.rpartition(":")
    return Path(path), name


def _run(path: Path) -> ModuleType:
    spec = spec_from_file_location(MODULE, path.resolve())
    assert spec is not None  # a name that ends in .py has a loader
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[MODULE] = module
    sys.path.insert(0, str(path.resolve().parent))
    loader = spec.loader
    _guarded(path, lambda: loader.exec_module(module))
    return module


def _guarded(path: Path, call: Callable[[], Any]) -> Any:
    """The result of a call into the file; what goes wrong there is told with the file's own line."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if Path(frame.filename) == path.resolve()]
        line = error.lineno if isinstance(error, SyntaxError) else own[-1] if own else None
        told = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
        told = error.what if isinstance(error, TinygraphError) else told
        fix = error.fix if isinstance(error, TinygraphError) else ""
        raise DrawingError(f"{path}{'' if line is None else f', line {line}'}: {told}", fix=fix) from error
