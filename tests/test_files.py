"""Atomic writing: what a crash leaves behind, and what is cleared away."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tinygraph.files import write_atomically

HOUR = 3600


def test_the_file_has_the_bytes_and_the_rights_of_a_new_file(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "a", b"new")
    (tmp_path / "b").write_bytes(b"")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize(("age", "left"), [(2 * HOUR, False), (HOUR / 2, True)])
def test_leftovers_of_a_killed_process_are_removed_when_they_are_old(tmp_path: Path, age: float, left: bool) -> None:
    leftover = tmp_path / ".a.xyz.tmp"
    leftover.write_bytes(b"half")
    os.utime(leftover, (time.time() - age,) * 2)
    other = tmp_path / ".b.xyz.tmp"
    other.write_bytes(b"half")
    os.utime(other, (time.time() - 10 * HOUR,) * 2)
    write_atomically(tmp_path / "a", b"new")
    assert leftover.exists() == left
    assert other.exists()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomically(tmp_path / "a", b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert path.read_bytes() == b"old"
