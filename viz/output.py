"""Pictures as files, by their suffix: SVG as it is, PNG and PDF through a converter, other texts as they stand."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from tinygraph.errors import DrawingError
from tinygraph.files import write_atomically

CONVERTED = (".png", ".pdf")
ZOOM = 2  # pixels of a PNG for each unit of the picture
PATIENCE = 60  # seconds

Texts = Mapping[str, Callable[[], str]]


def save_picture(path: str | os.PathLike[str], svg: str, texts: Texts | None = None) -> Path:
    """Write a picture in the format of its suffix; `texts` has writers of further ones. Raises `DrawingError`."""
    target, texts = Path(path), texts or {}
    suffix = target.suffix.lower()
    if suffix == ".svg":
        return write_file(target, svg.encode("utf-8"))
    if suffix in CONVERTED:
        return write_file(target, convert(svg, suffix[1:]))
    if suffix in texts:
        return write_file(target, texts[suffix]().encode("utf-8"))
    known = [".svg", *CONVERTED, *texts]
    raise DrawingError(
        f"cannot save a picture as {str(path)!r:.200}",
        fix=f"use a name that ends in {', '.join(known[:-1])} or {known[-1]}",
    )


def write_file(target: Path, data: bytes) -> Path:
    """Write a file, whole or not at all. Raises `DrawingError`."""
    try:
        return write_atomically(target, data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DrawingError(
            f"cannot write the picture to {str(target)!r:.200}: {reason}",
            fix="save into a folder that exists and is writable",
        ) from error


def convert(svg: str, kind: str) -> bytes:
    """The picture as "png" or "pdf", by rsvg-convert or cairosvg. Raises `DrawingError` where neither is there."""
    program = shutil.which("rsvg-convert")
    if program:
        return _by_program([program, "--format", kind, "--zoom", str(ZOOM if kind == "png" else 1)], svg)
    if find_spec("cairosvg"):
        return _by_cairo(svg, kind)
    raise DrawingError(
        f"no converter from SVG to {kind.upper()} is installed",
        fix="apt install librsvg2-bin, brew install librsvg, or pip install cairosvg; or save as .svg",
    )


def _by_program(command: list[str], svg: str) -> bytes:
    try:
        done = subprocess.run(command, input=svg.encode("utf-8"), capture_output=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error).encode()
        raise DrawingError(
            f"{Path(command[0]).name} cannot convert the picture: {told.decode('utf-8', 'replace').strip()[:200]}",
            fix="save as .svg, or draw fewer steps",
        ) from error
    return done.stdout


def _by_cairo(svg: str, kind: str) -> bytes:
    import cairosvg

    write = {"png": cairosvg.svg2png, "pdf": cairosvg.svg2pdf}[kind]
    try:
        data: bytes = write(bytestring=svg.encode("utf-8"), scale=ZOOM if kind == "png" else 1)
    except Exception as error:  # cairo has errors of many families
        raise DrawingError(f"cairosvg cannot convert the picture: {error!s:.200}", fix="save as .svg") from error
    return data
