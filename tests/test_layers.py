"""The layers of the house, held by reading the imports: a module uses its own layer and those below, never one above.

Besides: no import inside a function but for the few with a reason, no cycle of modules, and no module that
shares its name with a function, so that `tinygraph.x` is one thing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"tinygraph": "tinygraph", "models": "tinygraph.models", "viz": "tinygraph.viz"}

# The first prefix that fits says where a module stands.
LAYERS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (0, ("errors", "shapes", "nest", "dims", "files", "tables", "collection")),
    (1, ("graph",)),
    (2, ("ops",)),
    (3, ("cells", "given", "unrolling", "differentiate", "initialisers", "saving")),
    (4, ("passes", "rolling")),
    (5, ("execute", "symbolic", "planning")),
    (6, ("flow", "verification", "theorems", "__init__")),
    (7, ("models", "viz")),
    (8, ("cli", "commands", "card", "demo", "progress", "__main__")),
)
APART = {"models": "viz", "viz": "models"}  # one layer, but neither knows the other

# What may be imported inside a function, and why it is not at the head of its file.
LATE = {
    ("tinygraph.graph.export", "networkx"): "takes 0.1 s to import, and few need it",
    ("tinygraph.execute.interpreter", "tinygraph.execute.symbolic_arrays"): "brings SymPy, 0.2 s",
    ("tinygraph.verification.comparisons", "tinygraph.symbolic.elementwise"): "brings SymPy, 0.2 s",
    ("tinygraph.execute.interpreter", "tinygraph.execute.interval_arrays"): "brings mpmath, 0.1 s",
    ("tinygraph.flow.enclosure", "tinygraph.execute.interval_arrays"): "brings mpmath, 0.1 s",
    ("tinygraph.flow.step_jacobians", "sympy"): "takes 0.2 s",
    ("tinygraph.theorems.cuts", "sympy"): "takes 0.2 s",
    ("tinygraph.theorems.induction", "networkx"): "takes 0.1 s",
    ("tinygraph.verification.step_claims", "tinygraph.verification.step_symbols"): "brings SymPy, 0.2 s",
    ("tinygraph.card", "latex2mathml.converter"): "takes 0.1 s, and only HTML needs it",
    ("tinygraph.planning.products", "scipy.linalg.blas"): "takes 0.1 s, and only short products need it",
    ("tinygraph.viz.dot_text", "graphviz"): "takes 0.03 s, and few need it",
    ("tinygraph.viz.output", "cairosvg"): "may not be installed",
    **{
        ("tinygraph.viz.sheet", name): "takes 0.3 s"
        for name in ("matplotlib", "matplotlib.figure", "matplotlib.colors", "matplotlib.ticker")
    },
}


@dataclass(frozen=True)
class Import:
    """One import of a module: of what, and where it stands."""

    target: str
    late: bool = False  # inside a function
    typing: bool = False  # for type checkers alone


def modules() -> dict[str, Path]:
    """All modules by their name when installed."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


MODULES = modules()
PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def imports(source: str, module: str, package: bool) -> Iterator[Import]:
    """All imports of a module's source, relative ones made absolute."""
    yield from _imports(ast.parse(source), module if package else module.rpartition(".")[0], False, False)


def _imports(tree: ast.AST, package: str, late: bool, typing: bool) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, late, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, (_package(package, node.level), node.module)))
            yield from (Import(_target(base, alias.name), late, typing) for alias in node.names)
        else:
            inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            yield from _imports(node, package, late or inside, typing or checking)


def _package(package: str, level: int) -> str:
    """The package that a relative import of this level starts from; nothing for an absolute one."""
    return ".".join(package.split(".")[: len(package.split(".")) - level + 1]) if level else ""


def _target(base: str, name: str) -> str:
    """`from a import b` means the module a.b if there is one, else a."""
    return f"{base}.{name}" if f"{base}.{name}" in MODULES else base


def room(module: str) -> str:
    """The second part of a module's name: its folder or file."""
    return module.removeprefix("tinygraph").removeprefix(".").split(".")[0] or "__init__"


def layer(module: str) -> int:
    """The layer on which a module stands. Fails for one that the table does not know."""
    found = [number for number, rooms in LAYERS if room(module) in rooms]
    if not found:
        raise AssertionError(f"{module} stands on no layer; give it a place in LAYERS, and in CONTRIBUTING.md")
    return found[0]


def upward(module: str, found: Iterator[Import]) -> list[str]:
    """The imports of a module that it must not have."""
    ours = [i.target for i in found if i.target.split(".")[0] == "tinygraph"]
    return [t for t in ours if layer(t) > layer(module) or APART.get(room(module)) == room(t)]


@cache
def source_of(module: str) -> str:
    return MODULES[module].read_text()


@cache
def imports_of(module: str) -> list[Import]:
    return list(imports(source_of(module), module, module in PACKAGES))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_layer_and_below(module):
    assert upward(module, imports_of(module)) == []


@pytest.mark.parametrize("module", [m for m in MODULES if layer(m) < 7])
def test_the_engine_knows_neither_models_nor_pictures(module):
    assert [i.target for i in imports_of(module) if room(i.target) in ("models", "viz", "cli", "demo")] == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_stand_at_the_head_of_the_file(module):
    late = {i.target for i in imports_of(module) if i.late}
    assert late - {target for known, target in LATE if known == module} == set()


def test_the_exceptions_are_in_use():
    found = {(module, i.target) for module in MODULES for i in imports_of(module) if i.late}
    assert set(LATE) <= found


def test_no_modules_import_each_other_in_a_circle():
    uses = {
        module: {i.target for i in imports_of(module) if not i.late and not i.typing and i.target in MODULES} - PACKAGES
        for module in MODULES
    }
    try:
        list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def names_of(source: str) -> set[str]:
    """The functions and classes that a module defines at its top."""
    return {n.name for n in ast.parse(source).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}


@pytest.mark.parametrize("module", [m for m in MODULES if m not in PACKAGES])
def test_module_and_function_never_share_a_name(module):
    """Or `package.x` would be the module or the function, by the order of imports."""
    assert module.rpartition(".")[2] not in names_of(source_of(module))


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_exports_nothing_under_the_name_of_a_module(package):
    tree = ast.parse(source_of(package))
    exported = {
        a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names if n.module
    }
    own = {m.rpartition(".")[2] for m in MODULES if m.rpartition(".")[0] == package}
    assert exported & own == set()


def test_private_names_stay_in_their_module():
    """No module imports an underscored name of another."""
    wrong = [
        f"{module}: {alias.name}"
        for module in MODULES
        for node in ast.walk(ast.parse(source_of(module)))
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert wrong == []


def test_no_pickle_anywhere():
    found = {
        (m, i.target)
        for m in MODULES
        for i in imports_of(m)
        if i.target.split(".")[0] in ("pickle", "marshal", "shelve", "dill")
    }
    calls = {
        (m, node.func.id)
        for m in MODULES
        for node in ast.walk(ast.parse(source_of(m)))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("eval", "exec", "compile")
    }
    assert found | calls == set()


# The checks can fail
@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tinygraph.graph.node", "from ..ops import OPS"),
        ("tinygraph.ops.linear", "from tinygraph.differentiate import grad"),
        ("tinygraph.differentiate", "import tinygraph"),
        ("tinygraph.unrolling", "from . import passes"),
        ("tinygraph.execute.interpreter", "from tinygraph import models"),
        ("tinygraph.saving", "def late():\n    from tinygraph.models.stacking import Stack"),
        ("tinygraph.cells", "if TYPE_CHECKING:\n    from .execute.feeds import Feeds"),
        ("tinygraph.models.heads", "from tinygraph.viz import draw"),
        ("tinygraph.viz.scene", "from ..models import CELLS"),
        ("tinygraph.models.stacking", "from tinygraph.cli import main"),
    ],
)
def test_an_upward_import_is_caught(module, source):
    assert len(upward(module, imports(source, module, False))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tinygraph.graph.node", "from ..errors import UsageError"),
        ("tinygraph.graph.node", "from .op import Op"),
        ("tinygraph.models.heads", "import tinygraph as tg\nimport numpy\nfrom .stack import Stack"),
        ("tinygraph.cli", "from tinygraph import models, viz"),
    ],
)
def test_a_downward_import_is_allowed(module, source):
    assert upward(module, imports(source, module, False)) == []


def test_a_module_without_a_layer_is_caught():
    with pytest.raises(AssertionError, match="no layer"):
        layer("tinygraph.attic")


def test_late_imports_are_seen():
    source = "import a\ndef f():\n    import b\n    def g():\n        from c import d\nclass K:\n    import e\n"
    found = {(i.target, i.late) for i in imports(source, "tinygraph.saving", False)}
    assert found == {("a", False), ("b", True), ("c", True), ("e", False)}
