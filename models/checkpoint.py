"""Checkpoints: one safetensors file whose header carries a JSON description.

Arrays and description stand in one file, so that a crash can never leave halves of two checkpoints;
`<name>.json` beside it is a copy for people and is never read. Nothing in a file is ever executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_bytes

from tinygraph.errors import FileFormatError, UsageError
from tinygraph.files import write_atomically

FORMAT = "tinygraph checkpoint"
VERSION = 1
KEY = "tinygraph"

# What may stand in a file, by safetensors' names.
_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "BOOL": "|b1"}

Arrays = dict[str, np.ndarray[Any, Any]]


def save_checkpoint(path: str | os.PathLike[str], arrays: Mapping[str, Any], description: Mapping[str, Any]) -> Path:
    """Write arrays and JSON data, atomically; what is on the disk is read back and compared first.

    Arrays may have any layout; float64, float32, int64 and boolean ones are kept as they are.
    Raises `UsageError` for other dtypes, `OSError` if writing fails: the checkpoint is then the old one, whole,
    or the new one if only its copy for people could not be written.
    """
    plain = {name: _plain(name, array) for name, array in arrays.items()}
    document = {**description, "format": FORMAT, "version": VERSION}
    data = to_bytes(plain, {KEY: json.dumps(document, sort_keys=True)})
    _same(_arrays(data), plain)
    target = write_atomically(path, data)
    copy = target.with_suffix(".json")
    if copy == target:
        copy = target.with_name(f"{target.name}.json")
    write_atomically(copy, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())
    return target


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, Any]]:
    """The arrays and the JSON data of a checkpoint.

    Raises `FileFormatError` for a damaged or foreign file or one of another version, `OSError`.
    """
    data = Path(path).read_bytes()
    try:
        return _arrays(data), _description(data)
    except FileFormatError as error:
        raise error.within(str(path)) from None


def _plain(name: str, array: Any) -> np.ndarray[Any, Any]:
    """C-contiguous, of the machine's byte order: safetensors writes the bytes of other layouts as they lie."""
    given = np.asarray(array)
    native = given.astype(given.dtype.newbyteorder("="), order="C")
    if native.dtype.newbyteorder("<").str not in _DTYPES.values() and native.dtype != bool:
        raise UsageError(f"{name!r} is {given.dtype}; a checkpoint holds float64, float32, int64 and booleans")
    return np.ascontiguousarray(native).reshape(given.shape)


def _arrays(data: bytes) -> Arrays:
    try:
        entries = deserialize(data)  # type: ignore[no-untyped-call]  # of the compiled module
    except (SafetensorError, ValueError, OverflowError, MemoryError) as error:
        raise FileFormatError("a damaged checkpoint", [str(error)], "use an earlier copy, or train again") from None
    arrays: Arrays = {}
    for name, entry in entries:
        dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            raise FileFormatError(f"a checkpoint of tinygraph holds no {entry['dtype']} array ({name!r:.40})")
        arrays[name] = (
            np.frombuffer(entry["data"], dtype).reshape(entry["shape"]).astype(np.dtype(dtype).newbyteorder("="))
        )
    return arrays


def _description(data: bytes) -> dict[str, Any]:
    """The JSON data in the header; `deserialize` has checked the header's length by now."""
    length = int.from_bytes(data[:8], "little")
    try:
        document = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][KEY])
        if document["format"] != FORMAT:
            raise KeyError("format")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileFormatError("this is no checkpoint of tinygraph") from None
    if document.get("version") != VERSION:
        raise FileFormatError(
            f"checkpoint version {document.get('version')!r:.40}, and this tinygraph reads {VERSION}",
            fix="update tinygraph",
        )
    return document  # type: ignore[no-any-return]  # checked by its format entry


def _same(read: Arrays, written: Arrays) -> None:
    for name, array in written.items():
        if read[name].shape != array.shape or read[name].tobytes() != array.tobytes():
            raise FileFormatError(f"array {name!r} did not survive writing; nothing was replaced")
