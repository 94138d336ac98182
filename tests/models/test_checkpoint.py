"""Checkpoints: every array comes back as it was, and a crash or a full disk never costs the one that was there.

Run as a script, this file saves and is killed, again and again: see `kill_while_saving`.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as to_bytes

import tinygraph as tg
from tinygraph import files
from tinygraph.errors import FileFormatError, UsageError
from tinygraph.models import load_checkpoint, save_checkpoint

DTYPES = ["float64", "float32", "int64", "bool"]
DESCRIPTION = {"note": "é — ∂L/∂W", "numbers": [1, 2.5, None, True], "inner": {"deep": "x"}}


# Every layout
def numbers(dtype: str, shape: tuple[int, ...]) -> Any:
    """Random numbers, with those among them that are easily lost."""
    rng = np.random.default_rng(0)
    values = np.asarray(rng.standard_normal(shape) * 3).astype(dtype)
    special = {"f": [-0.0, np.inf, np.nan], "i": [2**63 - 1, -(2**63), 2**53 + 1], "b": []}[values.dtype.kind]
    values.ravel()[: len(special)] = np.array(special, dtype)[: values.size]
    return values


LAYOUTS: dict[str, Callable[[str], Any]] = {
    "C order": lambda dtype: numbers(dtype, (3, 4)),
    "Fortran order": lambda dtype: np.asfortranarray(numbers(dtype, (3, 4))),
    "a transposed view": lambda dtype: numbers(dtype, (2, 3, 4)).transpose(2, 0, 1),
    "every other column": lambda dtype: numbers(dtype, (3, 8))[:, ::2],
    "reversed": lambda dtype: numbers(dtype, (5, 2))[::-1, ::-1],
    "broadcast": lambda dtype: np.broadcast_to(numbers(dtype, (4,)), (3, 4)),
    "a slice that is not aligned": lambda dtype: numbers(dtype, (9,))[1:6],
    "a scalar": lambda dtype: numbers(dtype, ()),
    "a NumPy number": lambda dtype: numbers(dtype, (4,))[3],
    "empty": lambda dtype: numbers(dtype, (0,)),
    "empty in the middle": lambda dtype: numbers(dtype, (3, 0, 2)),
    "big-endian": lambda dtype: numbers(dtype, (3, 4)).astype(np.dtype(dtype).newbyteorder(">")),
    "big-endian and reversed": lambda dtype: numbers(dtype, (5,)).astype(np.dtype(dtype).newbyteorder(">"))[::-1],
    "read-only": lambda dtype: np.frombuffer(numbers(dtype, (6,)).tobytes(), dtype),
    "many axes": lambda dtype: numbers(dtype, (1, 2, 1, 3, 1, 2, 1)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_of_any_layout_survives(dtype, layout, tmp_path):
    """Shape, dtype and every bit; what is loaded is writable and of the machine's byte order."""
    given = LAYOUTS[layout](dtype)
    arrays = {"layer1/W": given, "other": np.arange(3.0)}
    save_checkpoint(tmp_path / "a.safetensors", arrays, DESCRIPTION)
    found, description = load_checkpoint(tmp_path / "a.safetensors")
    assert found.keys() == arrays.keys()
    array = found["layer1/W"]
    assert (array.shape, array.dtype) == (np.shape(given), np.dtype(dtype))
    assert array.dtype.isnative
    assert array.flags.writeable
    assert array.tobytes() == np.asarray(given).astype(np.dtype(dtype)).tobytes()  # tobytes reads in C order
    np.testing.assert_array_equal(found["other"], [0, 1, 2])
    assert {key: description[key] for key in DESCRIPTION} == DESCRIPTION


@pytest.mark.parametrize(
    "bad",
    [np.zeros(2, complex), np.array([1, "a", None], object), np.array(["ab"]), np.zeros(2, np.int32),
     np.zeros(2, np.float16), np.zeros(2, np.uint8), np.zeros(2, np.longdouble), np.zeros(2, "datetime64[s]"),
     np.zeros(2, [("a", float)])],
    ids=lambda bad: str(bad.dtype),
)  # fmt: skip
def test_other_arrays_are_refused_by_name(bad, tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"W": np.ones(2)}, {})
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"'memory/W' is (?s:.*)float64, float32, int64 and booleans"):
        save_checkpoint(path, {"fine": np.ones(2), "memory/W": bad}, {})
    assert path.read_bytes() == before


NAMES = ["", "W", "layer1/W", "a b", "é∂", '"', "\\", "\n", "x" * 300, "tinygraph", "__metadata__"]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:20]))
def test_any_name_survives_or_is_refused(name, tmp_path):
    path = tmp_path / "a.safetensors"
    try:
        save_checkpoint(path, {name: np.arange(3.0)}, DESCRIPTION)
    except (UsageError, FileFormatError):
        assert name == "__metadata__"
        assert not path.exists()
        return
    found, description = load_checkpoint(path)
    assert list(found) == [name]
    np.testing.assert_array_equal(found[name], [0, 1, 2])
    assert description["note"] == DESCRIPTION["note"]


def test_same_content_same_bytes(tmp_path):
    """Whatever the order in which it is given."""
    a, b = {"W": np.ones(3), "b": np.zeros((2, 2))}, {"x": 1, "y": 2}
    save_checkpoint(tmp_path / "one", a, b)
    save_checkpoint(tmp_path / "two", dict(reversed(a.items())), dict(reversed(b.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_copy_for_people_is_never_read(tmp_path):
    path = save_checkpoint(tmp_path / "model.safetensors", {"W": np.ones(2)}, DESCRIPTION)
    copy = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert {key: copy[key] for key in DESCRIPTION} == DESCRIPTION
    (tmp_path / "model.json").write_text("not JSON")
    assert load_checkpoint(path)[1]["note"] == DESCRIPTION["note"]
    (tmp_path / "model.json").unlink()
    assert load_checkpoint(path)[1]["note"] == DESCRIPTION["note"]


def test_a_checkpoint_named_json_is_not_overwritten_by_its_copy(tmp_path):
    """The copy for people has the suffix .json: a checkpoint of that name must be refused, or kept."""
    path = tmp_path / "model.json"
    try:
        save_checkpoint(path, {"W": np.ones(2)}, DESCRIPTION)
    except UsageError:
        return
    np.testing.assert_array_equal(load_checkpoint(path)[0]["W"], [1, 1])


@pytest.mark.parametrize("name", ["format", "version"])
def test_a_description_does_not_change_what_the_file_is(name, tmp_path):
    """A description with an entry of that name is refused, or the file can be read all the same."""
    try:
        save_checkpoint(tmp_path / "a", {"W": np.ones(2)}, {name: "mine"})
    except UsageError:
        return
    np.testing.assert_array_equal(load_checkpoint(tmp_path / "a")[0]["W"], [1, 1])


# Crashes
def write_generation(path: Path, k: int) -> None:
    """A checkpoint in which everything says k."""
    save_checkpoint(path, {"a": np.full(30_000, k), "b": np.full((300, 100), float(k)).T}, {"k": k})


def generation(path: Path) -> int:
    """What a checkpoint says; it must all say the same."""
    arrays, description = load_checkpoint(path)
    assert set(np.unique(arrays["a"])) == set(np.unique(arrays["b"])) == {description["k"]}
    return int(description["k"])


def kill_while_saving(folder: Path, times: int, write: Callable[[Path, int], None] = write_generation) -> int:
    """Save in a loop in a child process, kill it at a random moment, and load; `times` times.

    Returns how often the kill left a temporary file, which shows that it came in the middle of saving.
    """
    rng, path, last, hits = np.random.default_rng(0), folder / "model.safetensors", 0, 0
    write(path, last)
    for _ in range(times):
        child = os.fork()
        if child == 0:
            for k in range(last + 1, last + 10_000):
                write(path, k)
            os._exit(0)
        time.sleep(float(rng.uniform(0.001, 0.05)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = generation(path)
        assert found >= last, f"generation {found} after {last}"
        last = found
        for leftover in folder.glob(".*.tmp"):
            leftover.unlink()
            hits += 1
    return hits


def in_a_script(folder: Path, times: int, how: str) -> subprocess.CompletedProcess[str]:
    """`kill_while_saving` in a process without threads, so that it can fork."""
    command = [sys.executable, __file__, str(folder), str(times), how]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("times", [15, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_while_saving(times, tmp_path):
    """A whole checkpoint is there after every kill -9, and never an older one than before."""
    done = in_a_script(tmp_path, times, "atomically")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= times // 50  # enough of the kills came while a file was being written


def test_killing_would_show_a_file_written_in_place(tmp_path):
    """The same test on a writer that is not atomic fails."""
    done = in_a_script(tmp_path, 60, "in place")
    assert done.returncode != 0
    assert "FileFormatError" in done.stderr


# Full disks
def full(*args: Any, **named: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


WRITERS: dict[str, Callable[[Path, int], Any]] = {
    "checkpoint": write_generation,
    "graph": lambda path, k: tg.save(a_graph(k), path),
    "bytes": lambda path, k: files.write_atomically(path, bytes([k]) * 1000),
}


def a_graph(size: int) -> tg.Graph:
    graph = tg.Graph()
    graph.input("x", (size,))
    return graph


each_writer = pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)


@pytest.mark.parametrize("where", ["fsync", "replace", "chmod", "fdopen"])
@each_writer
def test_a_full_disk_leaves_the_old_file(writer, where, tmp_path, monkeypatch):
    """Wherever it is noticed: the error is an `OSError`, the old bytes are there, and nothing else is."""
    path = tmp_path / "model.safetensors"
    writer(path, 1)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    monkeypatch.setattr(files.os, where, full)
    with pytest.raises(OSError, match="No space left"):
        writer(path, 2)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    writer(path, 2)
    assert path.read_bytes() != before[path.name]


def test_a_disk_that_fills_up_before_the_copy_for_people(tmp_path, monkeypatch):
    """Either checkpoint may be there, but it is whole."""
    path = tmp_path / "model.safetensors"
    write_generation(path, 1)
    replace = os.replace
    monkeypatch.setattr(files.os, "replace", lambda a, b: full() if str(b).endswith(".json") else replace(a, b))
    with pytest.raises(OSError, match="No space left"):
        write_generation(path, 2)
    assert generation(path) in (1, 2)
    assert list(tmp_path.glob(".*.tmp")) == []


@each_writer
def test_what_cannot_be_read_back_replaces_nothing(writer, tmp_path, monkeypatch):
    """A disk that keeps something else than it was given is noticed."""
    path = tmp_path / "model.safetensors"
    writer(path, 1)
    before = path.read_bytes()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read(self)[:-1] + b"?")
    with pytest.raises(OSError, match="read back"):
        writer(path, 2)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.glob(".*.tmp")) == []


@each_writer
def test_a_limit_on_file_size_leaves_the_old_file(writer, tmp_path):
    """The kernel itself refuses to write further: in a child process, as the limit cannot be raised again."""
    path = tmp_path / "model.safetensors"
    writer(path, 1)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            writer(path, 2)
        except OSError as error:
            status = 0 if error.errno == errno.EFBIG else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_disk_that_is_really_full(tmp_path):
    """On a file system of 200 kB in memory, where the system lets us make one."""
    code = f"""
import errno, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_checkpoint import generation, write_generation
import tinygraph.models as models, numpy as np
path = Path("m/model.safetensors")
models.save_checkpoint(path, {{"a": np.full(9, 1), "b": np.full(9, 1.0)}}, {{"k": 1}})
try:
    write_generation(path, 2)
except OSError as error:
    assert error.errno == errno.ENOSPC, error
else:
    raise SystemExit("it fitted")
assert generation(path) == 1
assert sorted(p.name for p in Path("m").iterdir()) == ["model.json", "model.safetensors"]
"""
    mount = "mkdir m && mount -t tmpfs -o size=200k none m"
    command = ["unshare", "-rm", "sh", "-c"]
    try:
        tried = subprocess.run([*command, mount], cwd=tmp_path, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if tried.returncode:
        pytest.skip("no file system can be mounted here")
    script = f"mount -t tmpfs -o size=200k none m && exec {sys.executable} -c '{code.replace(chr(39), chr(34))}'"
    done = subprocess.run([*command, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / "folder").mkdir()
    for action in (lambda path: write_generation(path, 1), load_checkpoint):
        with pytest.raises(OSError, match="folder"):
            action(tmp_path / "folder")
    with pytest.raises(OSError, match="nowhere"):
        write_generation(tmp_path / "nowhere" / "model", 1)
    assert list(tmp_path.glob(".*.tmp")) == []


def test_permissions_follow_the_umask(tmp_path):
    """A temporary file is private; the checkpoint is not, unless the user wants it so."""
    before = os.umask(0o022)
    try:
        for mask, expected in ((0o022, 0o644), (0o077, 0o600)):
            os.umask(mask)
            write_generation(tmp_path / "model", 1)
            assert (tmp_path / "model").stat().st_mode & 0o777 == expected
    finally:
        os.umask(before)


# Foreign and damaged files; the random ones are in tests/test_robust_files.py
def with_header(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
    """A file with this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def described(document: Any, arrays: Any = None) -> bytes:
    """A sound safetensors file with this document as its description."""
    return to_bytes(arrays or {"W": np.ones(2)}, {"tinygraph": json.dumps(document)})


GOOD = {"format": "tinygraph checkpoint", "version": 1}
W = {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}
META = {"__metadata__": {"tinygraph": json.dumps(GOOD)}}
FOREIGN: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "damaged"),
    "seven bytes": (b"1234567", "damaged"),
    "text": (b"once upon a time there was a net\n" * 9, "damaged"),
    "JSON": (b'{"format": "tinygraph checkpoint", "version": 1}', "damaged"),
    "a zip file, as torch writes": (b"PK\x03\x04" + bytes(100), "damaged"),
    "a pickle": (b"\x80\x04\x95" + bytes(100), "damaged"),
    "a NumPy file": (b"\x93NUMPY\x01\x00" + bytes(120), "damaged"),
    "a length of 2^63": (with_header(META | {"W": W}, bytes(16), 2**63), "damaged"),
    "a length of 2^64 - 1": (with_header(META | {"W": W}, bytes(16), 2**64 - 1), "damaged"),
    "a length past the end": (with_header(META | {"W": W}, bytes(16), 10**6), "damaged"),
    "a header that is no JSON": (with_header(b"{" * 40), "damaged"),
    "a header of deep lists": (with_header(b'{"a":' + b"[" * 100_000), "damaged"),
    "a shape of 2^40": (with_header(META | {"W": W | {"shape": [2**40]}}, bytes(16)), "damaged"),
    "a shape past 64 bits": (with_header(META | {"W": W | {"shape": [2**40, 2**40]}}, bytes(16)), "damaged"),
    "a negative shape": (with_header(META | {"W": W | {"shape": [-2]}}, bytes(16)), "damaged"),
    "a huge number": (with_header(META | {"W": W | {"shape": [10**400]}}, bytes(16)), "damaged"),
    "offsets past the end": (with_header(META | {"W": W | {"data_offsets": [0, 2**40]}}, bytes(16)), "damaged"),
    "offsets in reverse": (with_header(META | {"W": W | {"data_offsets": [16, 0]}}, bytes(16)), "damaged"),
    "data cut off": (described(GOOD)[:-1], "damaged"),
    "data too long": (described(GOOD) + b"0", "damaged"),
    "an unknown dtype": (with_header(META | {"W": W | {"dtype": "F65"}}, bytes(16)), "damaged"),
    "halves": (with_header(META | {"W": W | {"dtype": "F16", "shape": [8]}}, bytes(16)), "F16"),
    "bytes": (with_header(META | {"W": W | {"dtype": "U8", "shape": [16]}}, bytes(16)), "U8"),
    "no description": (to_bytes({"W": np.ones(2)}), "no checkpoint of tinygraph"),
    "a description of another program": (to_bytes({"W": np.ones(2)}, {"format": "pt"}), "no checkpoint of tinygraph"),
    "a description that is no JSON": (to_bytes({"W": np.ones(2)}, {"tinygraph": "{"}), "no checkpoint of tinygraph"),
    "a description that is a list": (described([1]), "no checkpoint of tinygraph"),
    "a description that is a number": (described(1), "no checkpoint of tinygraph"),
    "a description that is nothing": (described(None), "no checkpoint of tinygraph"),
    "another format": (described(GOOD | {"format": "tinygraph graph"}), "no checkpoint of tinygraph"),
    **{f"version {v!r:.20}": (described(GOOD | {"version": v}), "version .* reads 1(?s:.*)update tinygraph")
       for v in (0, 2, 10**30, "1", None, [1], "x" * 10**5)},
    "no version": (described({"format": GOOD["format"]}), "version None"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), FOREIGN.values(), ids=FOREIGN)
def test_foreign_files_are_refused_clearly(data, message, tmp_path):
    """The error names the file and stays short."""
    path = tmp_path / "some.safetensors"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=message) as caught:
        load_checkpoint(path)
    assert "some.safetensors" in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 400


def test_the_helpers_above_make_sound_files(tmp_path):
    """So that the foreign files are foreign for the one reason that they name."""
    for data in (described(GOOD), with_header(META | {"W": W}, np.ones(2).tobytes())):
        (tmp_path / "a").write_bytes(data)
        np.testing.assert_array_equal(load_checkpoint(tmp_path / "a")[0]["W"], [1, 1])


def in_place(path: Path, k: int) -> None:
    """What `save_checkpoint` must not do."""
    arrays = {"a": np.full(30_000, k), "b": np.full((100, 300), float(k))}
    with path.open("wb") as file:
        for part in np.array_split(np.frombuffer(described(GOOD | {"k": k}, arrays), np.uint8), 20):
            file.write(part.tobytes())
            file.flush()


if __name__ == "__main__":
    folder, times, how = sys.argv[1:]
    print(kill_while_saving(Path(folder), int(times), in_place if how == "in place" else write_generation))
