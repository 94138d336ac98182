"""Text as symbols: files and the default corpus, and a vocabulary of characters or words."""

from __future__ import annotations

import os
import re
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygraph.errors import UnknownNameError, UsageError, ValueRangeError, nearest

# Read in place from the installed standard library; the content differs by Python version.
STANDARD_LIBRARY = (
    "argparse.py", "ast.py", "bisect.py", "calendar.py", "collections/__init__.py", "contextlib.py", "csv.py",
    "dataclasses.py", "difflib.py", "enum.py", "fractions.py", "functools.py", "heapq.py", "inspect.py",
    "json/decoder.py", "json/encoder.py", "logging/__init__.py", "pathlib.py", "random.py", "statistics.py",
    "string.py", "textwrap.py", "tokenize.py", "typing.py",
)  # fmt: skip

# How a text is cut into symbols. Joined again, the symbols are the text.
UNITS = {"characters": re.compile(r".", re.DOTALL), "words": re.compile(r"\w+|\s|[^\w\s]")}


def standard_library_text() -> str:
    """The sources of some modules of Python's standard library, one after another."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    found = [folder / name for name in STANDARD_LIBRARY if (folder / name).is_file()]
    if not found:
        raise UsageError(f"this Python has no library sources in {folder}", fix="give a text file of your own")
    return "\n".join(path.read_text(encoding="utf-8") for path in found)


def read_texts(paths: Sequence[str | os.PathLike[str]]) -> str:
    """The text of UTF-8 files, one after another. Raises `OSError`, `ValueRangeError` (empty or binary)."""
    return "\n".join(_read_text(Path(path)) for path in paths)


def _read_text(path: Path) -> str:
    data = path.read_bytes()
    if not data.strip():
        raise ValueRangeError(f"{path} is empty", fix="give a file with some text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueRangeError(f"{path} is not UTF-8 text: byte {error.start} is {data[error.start]:#04x}") from None
    if "\0" in text:
        raise ValueRangeError(f"{path} is a binary file: it holds zero bytes")
    return text


@dataclass(frozen=True)
class Vocabulary:
    """Symbols by number, in sorted order: characters, or words with the blanks and signs between them."""

    symbols: tuple[str, ...]
    unit: str = "characters"

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UnknownNameError(f"text is not cut into {self.unit!r}", fix=nearest(self.unit, UNITS))
        if len(set(self.symbols)) != len(self.symbols):
            raise UsageError("a vocabulary has each symbol once")

    @classmethod
    def of(cls, text: str, unit: str = "characters") -> Vocabulary:
        """The symbols of a text. Raises `UnknownNameError` for a unit that does not exist."""
        if unit not in UNITS:
            raise UnknownNameError(f"text is not cut into {unit!r}", fix=nearest(unit, UNITS))
        return cls(tuple(sorted(set(UNITS[unit].findall(text)))), unit)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> np.ndarray[Any, Any]:
        """Integers (number of symbols,). Raises `ValueRangeError` for a symbol that is not in the vocabulary."""
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        cut = UNITS[self.unit].findall(text)
        unknown = sorted(set(cut) - index.keys())
        if unknown:
            shown = ", ".join(repr(symbol) for symbol in unknown[:8])
            raise ValueRangeError(
                f"the vocabulary has no {shown}", fix=f"its {self.unit} are those of the training text"
            )
        return np.array([index[symbol] for symbol in cut], dtype=np.int64)

    def decode(self, numbers: Any) -> str:
        """The text of integers."""
        chosen = [int(i) for i in numbers]
        if any(not 0 <= i < len(self) for i in chosen):
            raise ValueRangeError(f"symbols are numbered 0..{len(self) - 1}, and {chosen[:8]} are to be decoded")
        return "".join(self.symbols[i] for i in chosen)
