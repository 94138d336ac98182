"""Small readers of DOT and TikZ, written from their grammars, to see that what we write is read as it was meant."""

from __future__ import annotations

import re
from typing import NamedTuple
from unicodedata import normalize

_DOT = re.compile(
    r'\s+|//[^\n]*|"((?:[^"\\]|\\.)*)"|([A-Za-z_\x80-\U0010ffff][\w]*|-?(?:\.\d+|\d+(?:\.\d*)?))|(->|[{}\[\];=,])', re.S
)


class Statement(NamedTuple):
    """One node or edge of a DOT text: its ends and its attributes."""

    ends: tuple[str, ...]
    attributes: dict[str, str]


def read_dot(text: str) -> list[Statement]:
    """The statements of a digraph (https://graphviz.org/doc/info/lang.html). Fails for text that is none."""
    tokens, at = [], 0
    while at < len(text):
        match = _DOT.match(text, at)
        assert match, f"not DOT: {text[at : at + 40]!r}"
        at = match.end()
        quoted, word, sign = match.groups()
        if quoted is not None:
            tokens.append(("id", quoted.replace('\\"', '"')))
        elif word or sign:
            tokens.append(("id", word) if word else ("sign", sign))
    assert tokens[:3] == [("id", "digraph"), ("id", "tinygraph"), ("sign", "{")]
    assert tokens[-1] == ("sign", "}")
    found, rest = [], tokens[3:-1]
    while rest:
        ends = [rest.pop(0)]
        while rest and rest[0] == ("sign", "->"):
            rest.pop(0)
            ends.append(rest.pop(0))
        assert all(kind == "id" for kind, _ in ends), ends
        attributes = {}
        if rest and rest[0] == ("sign", "["):
            rest.pop(0)
            while rest[0] != ("sign", "]"):
                (k1, key), sign, (k2, value) = rest.pop(0), rest.pop(0), rest.pop(0)
                assert (k1, sign, k2) == ("id", ("sign", "="), "id")
                attributes[key] = value
            rest.pop(0)
        found.append(Statement(tuple(name for _, name in ends), attributes))
    return found


def unescaped(text: str) -> str:
    """An escString of DOT as it is shown; a backslash that would be a directive fails."""
    assert not re.search(r"(?<!\\)(?:\\\\)*\\(?!\\)", text), text
    return text.replace("\\\\", "\\")


# TeX
_WORDS = {
    "textbackslash": "\\", "textasciicircum": "^", "textasciitilde": "~", "textless": "<", "textgreater": ">",
    "textbar": "|", "textquotedbl": '"', "textquotesingle": "'", "textasciigrave": "`", "dots": "…",
}  # fmt: skip
_MATHS = {
    "-": "−", r"\cdot": "·", r"\odot": "⊙", r"\times": "×", r"\Sigma": "∑", r"\cdots": "⋯", r"\vdots": "⋮",
    r"\alpha": "α", r"\omega": "ω", r"\sigma": "σ", r"\tau": "τ", r"\mu": "μ", "'": "′", r"\Omega": "Ω",
}  # fmt: skip
_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", '"': "\u0308"}
_RAISED = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True)) | {"{-}": "⁻"}
_TEX = re.compile(
    r"\\glyph\{(?P<code>[0-9A-F]+)\}|\\ensuremath\{(?P<math>[^{}]*)\}|\\textsuperscript\{(?P<raised>\d|\{-\})\}"
    r"|\\(?P<word>[a-z]+)\{\}|\\(?P<accent>[`'^~=\"])\{(?P<letter>\w)\}|\\(?P<sign>[{}$&#%_])|\{(?P<hyphen>-)\}"
    r"|(?P<plain>[^\\{}$&#%_^~<>|\"'`-])"
)


def read_tex(text: str) -> str:
    """The text that LaTeX of text mode stands for. Fails for what TeX would take as anything but text."""
    assert text.isascii(), text
    found, at = [], 0
    while at < len(text):
        match = _TEX.match(text, at)
        assert match, f"not plain text: {text[at : at + 40]!r}"
        at = match.end()
        part = match.groupdict()
        if part["code"]:
            found.append(chr(int(part["code"], 16)))
        elif part["math"]:
            found.append(_MATHS[part["math"]])
        elif part["raised"]:
            found.append(_RAISED[part["raised"]])
        elif part["word"]:
            found.append(_WORDS[part["word"]])
        elif part["accent"]:
            found.append(normalize("NFC", part["letter"] + _ACCENTS[part["accent"]]))
        else:
            found.append(part["sign"] or part["hyphen"] or part["plain"])
    return "".join(found)
