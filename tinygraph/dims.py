"""Symbolic sizes in the signature of a cell: `"H I"` is a shape, `"H 2*H+1"` too, and in `"I=H"` I must equal H."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import CellError, ShapeError
from .shapes import Shape

_TERM = re.compile(r"(?:(\d+)(?:\*(?=[A-Za-z_]))?)?([A-Za-z_]\w*)?")


@dataclass(frozen=True)
class Dim:
    """One size: a sum of whole multiples of named sizes, plus a number."""

    text: str
    terms: tuple[tuple[int, str], ...]  # (factor, name); the empty name is the number 1
    equal: str = ""  # another name for this size

    def size(self, sizes: Mapping[str, int]) -> int:
        return sum(factor * (sizes[name] if name else 1) for factor, name in self.terms)

    @property
    def name(self) -> str:
        """The name, if this is one named size alone; else the empty string."""
        return self.terms[0][1] if len(self.terms) == 1 and self.terms[0][0] == 1 else ""


@dataclass(frozen=True)
class Dims:
    """A shape of symbolic sizes, read from text such as `"H I"`."""

    text: str
    dims: tuple[Dim, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The named sizes, each once, in reading order."""
        return tuple(dict.fromkeys(name for dim in self.dims for _, name in dim.terms if name))

    @property
    def equal(self) -> dict[str, str]:
        """Other names for sizes, as `"I=H"` gives one: {"I": "H"}."""
        return {dim.equal: dim.name for dim in self.dims if dim.equal}

    def replaced(self, name: str, size: str) -> Dims:
        """The same shape with another size in place of a named one: in `"H I"`, `"I+A"` for I makes `"H I+A"`."""
        other = _parse_dim(size).terms
        words = []
        for dim in self.dims:
            parts = [(f * g, m) for f, n in dim.terms for g, m in (other if n == name else ((1, n),))]
            written = "+".join(str(f) if not n else n if f == 1 else f"{f}*{n}" for f, n in parts)
            words.append(f"{dim.equal}={written}" if dim.equal else written)
        return parse_dims(" ".join(words))

    def shape(self, sizes: Mapping[str, int]) -> Shape:
        return tuple(dim.size(sizes) for dim in self.dims)

    def infer(self, shape: Shape, sizes: dict[str, int], what: str) -> None:
        """Fill in the named sizes that `shape` determines. Raises `ShapeError` where they do not fit."""
        if len(shape) != len(self.dims):
            raise ShapeError(f"{what} has shape {shape}, but the cell declares {self.text!r}")
        for dim, size in zip(self.dims, shape, strict=True):
            if dim.name:
                sizes.setdefault(dim.name, size)
        known = all(name in sizes for name in self.names)
        if known and self.shape(sizes) != shape:
            named = ", ".join(f"{name}={sizes[name]}" for name in sorted(self.names))
            raise ShapeError(f"{what} has shape {shape}, but {self.text!r} with {named} is {self.shape(sizes)}")


def parse_dims(text: str) -> Dims:
    """Read `"H I"`: sizes apart by blanks, each a sum of terms such as H, 3 or 2*H. Raises `CellError`."""
    if not isinstance(text, str):
        raise CellError(f"a cell's shape is a string such as 'H I', not {text!r}")
    return Dims(text, tuple(_parse_dim(word) for word in text.split()))


def _parse_dim(word: str) -> Dim:
    equal, sign, size = word.rpartition("=")
    if sign:
        dim = _parse_dim(size)
        if not dim.name or not equal.isidentifier():
            raise CellError(f"{word!r} is not a size", fix="write I=H where the size I must equal the size H")
        return Dim(word, dim.terms, equal)
    terms = []
    for part in word.split("+"):
        match = _TERM.fullmatch(part)
        if not match or not part:
            raise CellError(f"{word!r} is not a size", fix="write sizes as H, 3, 2*H or H+I, apart by blanks")
        number, name = match.groups()
        terms.append((int(number) if number else 1, name or ""))
    return Dim(word, tuple(terms))
