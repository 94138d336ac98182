"""The package's face: light to import, and every operation a function of it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tinygraph as tg

HEAVY = ("sympy", "networkx", "matplotlib", "torch", "jax", "typer", "rich", "graphviz", "onnx", "scipy", "pandas")

IMPORT = """
import sys, time
start = time.perf_counter()
import tinygraph
seconds = time.perf_counter() - start
print(f"import tinygraph: {seconds:.3f} s")
print(*sys.modules)
"""


def loaded(source: str) -> set[str]:
    """The modules that a fresh process has loaded after `source`."""
    output = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True).stdout
    print(output.splitlines()[0])
    return {name.split(".")[0] for name in output.splitlines()[-1].split()}


def test_the_package_is_light():
    assert loaded(IMPORT) & set(HEAVY) == set()


def test_a_heavy_library_would_be_seen():
    assert "networkx" in loaded(IMPORT.replace("import tinygraph\n", "import tinygraph, networkx\n"))


def test_running_and_differentiating_stay_light():
    source = """
import sys
import tinygraph as tg
from tinygraph import models
net = tg.unroll(models.lstm, 2, I=2, H=2)
loss = tg.sum(net.h[2])
tg.evaluate(tg.grad(loss, net.parameters), net.initial() | {"x": [[0, 0], [0, 0]]})
str(net.graph), tg.latex(loss)
print(*sys.modules)
"""
    assert loaded(source) & set(HEAVY) == set()


@pytest.mark.parametrize("name", tg.OPS)
def test_every_operation_is_a_function_of_the_package(name):
    assert getattr(tg, name) is tg.OPS[name]
    assert name in dir(tg)


@pytest.mark.parametrize("name", tg.__all__)
def test_everything_announced_is_there(name):
    assert getattr(tg, name) is not None
    assert name in dir(tg)


def test_no_operation_hides_another_name():
    """An operation is found by `__getattr__`, which is asked only for names that are not there."""
    assert set(tg.OPS) & set(tg.__all__) == set()
    assert set(tg.OPS) & set(vars(tg)) == set()


@pytest.mark.parametrize(
    ("name", "hint"), [("nonsense", "choose from|did you mean"), ("tahn", "tanh"), ("unrol", "unroll")]
)
def test_an_unknown_name_is_answered_with_a_hint(name, hint):
    with pytest.raises(AttributeError, match=rf"(?s)tinygraph.*{name}.*({hint})"):
        getattr(tg, name)


def test_helpers_of_python_find_nothing_odd():
    """`hasattr`, `copy` and doctests ask for names with underscores."""
    assert not hasattr(tg, "__wrapped__")
    assert hasattr(tg, "__version__")
    with pytest.raises(ImportError):
        exec("from tinygraph import nonsense")


def test_what_is_loaded_late_is_what_type_checkers_see():
    """The table of late names says the same as the imports under TYPE_CHECKING, and each name is there."""
    tree = ast.parse(Path(tg.__file__).read_text(encoding="utf-8"))
    checked = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    seen = {alias.name: f".{n.module}" for n in checked.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    assert seen == tg._LATE
    assert set(seen) <= set(tg.__all__)
    for name, module in seen.items():
        assert getattr(tg, name) is getattr(importlib.import_module(module, "tinygraph"), name)
