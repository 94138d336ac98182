"""Cells: a recurrent network written once, as equations for one example at one time step.

The signature of a cell declares the role and shape of each argument; its body is the equations;
new states are returned in the order of the signature, and the first is the output unless said
otherwise. Everything else is derived from this text.

    @cell
    def elman(x: Input["I"], h: State["H"], W: Param["H I"], U: Param["H H"], b: Param["H"], *, activation=tanh):
        return activation(W @ x + U @ h + b)

What stands behind the star is an option with its default, and `elman.variant` is a cell with another choice.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Annotated, Any, Self, get_args, get_origin, overload

from .dims import Dims, parse_dims
from .errors import CellError, ShapeError, UnknownNameError, UsageError, expect, nearest
from .graph.node import Kind, Node
from .graph.tape import Graph, cone
from .initialisers import check_initialiser
from .shapes import Shape


@dataclass(frozen=True)
class Role:
    """What one argument of a cell is, with its per-example shape."""

    dims: Dims
    option: str = ""

    def __class_getitem__(cls, item: Any) -> Role:
        """`Input["I"]`, `Input["", "integer"]`, `Param["H", "ones"]`."""
        text, *options = item if isinstance(item, tuple) else (item,)
        if len(options) > 1:
            raise CellError(f"{cls.__name__} takes a shape and one option, not {item!r}")
        return cls.of(text, *options)

    @classmethod
    def of(cls, text: str, option: str = "") -> Self:
        """The role of a shape as text: `Param.of("H I")` is `Param["H I"]`, for type checkers too."""
        return cls(parse_dims(text), option)

    def __post_init__(self) -> None:
        if self.option:
            raise CellError(f"{type(self).__name__} takes no option {self.option!r}")


class Fed(Role):
    """A value from outside the cell; the option is its kind, such as `Input["", "integer"]` for a symbol."""

    def __post_init__(self) -> None:
        if self.option not in ("", "real", "integer", "boolean"):
            what = f"the option of {type(self).__name__} is a kind, not {self.option!r}"
            raise CellError(what, fix="'real', 'integer' or 'boolean'")

    @property
    def kind(self) -> Kind:
        return self.option or "real"  # type: ignore[return-value]  # checked above


class Input(Fed):
    """Given anew at each step."""


class Context(Fed):
    """Given once and the same at every step, such as the features of an image."""


class State(Role):
    """Carried from one step to the next."""


class Child(Role):
    """The state of a child at a node of a tree; the cell gives the state of the parent.

    Over time the first child is the state and the others are inputs: the tree that leans to the left.
    """

    kind: Kind = "real"


class Param(Role):
    """Trained, and shared by all steps; the option names its initialiser, such as `Param["H", "ones"]`."""

    def __post_init__(self) -> None:
        if self.option:
            check_initialiser(self.option)

    @property
    def initial(self) -> str:
        """The initialiser: the declared one, else zeros for vectors and Glorot's for matrices."""
        return self.option or ("glorot" if len(self.dims.dims) >= 2 else "zeros")


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell read from its equations. Calling it with nodes applies one step."""

    name: str
    function: Callable[..., Any]
    roles: Mapping[str, Role]
    output: str
    doc: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *nodes: Node, **named: Node) -> tuple[Node, ...]:
        """One step: nodes by position or name, in the order of the signature; the new states."""
        order = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in self.roles]
        try:
            given = inspect.Signature(order).bind(*nodes, **named).arguments
        except TypeError as error:
            raise UsageError(f"cell {self.name}: {error}", fix=f"its arguments are {', '.join(self.roles)}") from None
        for argument, node in given.items():
            expect(
                node, Node, f"cell {self.name} takes nodes; {argument!r} is to be one", "make it with graph.constant"
            )
        returned = self._equations(given)
        if len(returned) != len(self.states) or not all(isinstance(node, Node) for node in returned):
            raise CellError(
                f"cell {self.name} returned {len(returned)} values for the states {', '.join(self.states)}",
                fix="return one node per state, in the order of the signature",
            )
        return returned

    def _equations(self, given: Mapping[str, Node]) -> tuple[Node, ...]:
        """What the equations return; parameters that a variant leaves out are None."""
        graph = next(iter(given.values())).graph
        options = {name: _named_constant(graph, name, value) for name, value in self.options.items()}
        arguments = [name for name in inspect.signature(self.function).parameters if name not in options]
        result = self.function(*(given.get(name) for name in arguments), **options)
        return result if isinstance(result, tuple) else (result,)

    def variant(self, name: str, summary: str, **options: Any) -> Cell:
        """The same equations with other options: `elman.variant("elman_relu", "...", activation=relu)`.

        Parameters that the equations then do not use are left out; the references stay.
        Raises `UnknownNameError` for an option that the cell does not have.
        """
        for option in options:
            if option not in self.options:
                raise UnknownNameError(f"cell {self.name} has no option {option!r}", fix=nearest(option, self.options))
        doc = f"{summary}\n\nReferences: {self.reference}" if self.reference else summary
        made = replace(self, name=name, doc=doc, options={**self.options, **options})
        used = made._used()
        return replace(made, roles={n: r for n, r in self.roles.items() if n in used or not isinstance(r, Param)})

    def _used(self) -> set[str]:
        """The names of the arguments on which the new states depend."""
        graph, shapes = Graph(), self.shapes(dict.fromkeys(self.sizes, 2))
        kinds = {name: role.kind for name, role in (*self.inputs.items(), *self.contexts.items())}
        given = {name: graph.input(name, shapes[name], kind=kinds.get(name, "real")) for name in self.roles}
        return {node.name for node in cone(self(**given)) if node.op.leaf}

    def of_role(self, role: type[Role]) -> dict[str, Any]:
        """The arguments of one role, in the order of the signature."""
        return {name: r for name, r in self.roles.items() if isinstance(r, role)}

    @property
    def children(self) -> dict[str, Child]:
        return self.of_role(Child)

    @property
    def inputs(self) -> dict[str, Input | Child]:
        """What is given anew at each step: the inputs, and the children but for the first."""
        return {**self.of_role(Input), **dict(list(self.children.items())[1:])}

    @property
    def contexts(self) -> dict[str, Context]:
        return self.of_role(Context)

    @property
    def states(self) -> dict[str, State | Child]:
        """What is carried from step to step: the states, and the first child."""
        return {**self.of_role(State), **dict(list(self.children.items())[:1])}

    @property
    def parameters(self) -> dict[str, Param]:
        return self.of_role(Param)

    @property
    def sizes(self) -> list[str]:
        """The names of its sizes, in the order in which the signature shows them."""
        return list(dict.fromkeys(name for role in self.roles.values() for name in role.dims.names))

    @property
    def equal_sizes(self) -> dict[str, str]:
        """Sizes that must equal another one, as `Input["I=H"]` says: {"I": "H"}."""
        return {name: size for role in self.roles.values() for name, size in role.dims.equal.items()}

    def own_sizes(self, given: Mapping[str, int]) -> dict[str, int]:
        """The given sizes under the cell's own names. Raises `ShapeError` where two that must be equal differ."""
        found = {name: size for name, size in given.items() if name not in self.equal_sizes}
        for name, other in self.equal_sizes.items():
            if name in given and found.setdefault(other, given[name]) != given[name]:
                raise ShapeError(
                    f"cell {self.name} needs {name} = {other}, not {name}={given[name]} and {other}={found[other]}",
                    fix=f"bring the input to {found[other]} entries, such as by an embedding",
                )
        return found

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.split("\n")[0]

    @property
    def reference(self) -> str:
        """What stands after `References:` in the docstring, on one line."""
        _, _, after = self.doc.partition("References:")
        return " ".join(after.split())

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, Shape]:
        """The shape of each argument for given sizes."""
        return {name: role.dims.shape(sizes) for name, role in self.roles.items()}

    def __repr__(self) -> str:
        return f"<cell {self.name}({', '.join(self.roles)})>"


@overload
def cell(function: Callable[..., Any]) -> Cell: ...
@overload
def cell(*, name: str = "", output: str = "") -> Callable[[Callable[..., Any]], Cell]: ...
def cell(function: Callable[..., Any] | None = None, *, name: str = "", output: str = "") -> Any:
    """Make a `Cell` of a function whose annotations are roles.

    `output` names the state that is the output at each step; without it, the first state.
    A type checker reads annotations as types, so where that matters write
    `x: Annotated[Node, Input["I"]]`, which means the same.

    Raises `CellError` for a signature that cannot be read.
    """
    if function is None:
        return lambda f: _read(f, name, output)
    if not inspect.isfunction(function):
        raise CellError(f"a cell is made of a function, not of {function!r:.60}")
    return _read(function, name, output)


def _read(function: Callable[..., Any], name: str, output: str) -> Cell:
    name = name or function.__name__
    try:
        signature = inspect.signature(function, eval_str=True)
    except (NameError, SyntaxError, TypeError) as error:
        raise CellError(f"cell {name}: an annotation cannot be read: {error}", fix='write x: Input["I"]') from None
    arguments = signature.parameters.values()
    options = {a.name: a.default for a in arguments if a.kind is a.KEYWORD_ONLY and a.default is not a.empty}
    roles = {argument.name: _role(name, argument) for argument in arguments if argument.name not in options}
    result = Cell(name, function, roles, output, inspect.getdoc(function) or "", options)
    if not result.states:
        raise CellError(f"cell {name} has no state", fix='declare one, such as h: State["H"]')
    if output and output not in result.states:
        raise CellError(f"cell {name}: the output {output!r} is none of its states {', '.join(result.states)}")
    return replace(result, output=output or next(iter(result.states)))


def _named_constant(graph: Graph, name: str, value: Any) -> Any:
    """An option that is a number as a constant of that name; any other as it is."""
    number = isinstance(value, (int, float, Fraction)) and not isinstance(value, bool)
    return graph.number(value, name=name) if number else value


def _role(cell_name: str, argument: inspect.Parameter) -> Role:
    role = argument.annotation
    if get_origin(role) is Annotated:
        role = next((extra for extra in get_args(role)[1:] if isinstance(extra, Role)), None)
    if not isinstance(role, Role):
        raise CellError(
            f"cell {cell_name}: argument {argument.name!r} has no role",
            fix=f'annotate it, such as {argument.name}: Input["I"], State["H"], Param["H I"] or Context["F"]',
        )
    if argument.kind not in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD):
        raise CellError(
            f"cell {cell_name}: argument {argument.name!r} is not a plain argument",
            fix="put it before the star; behind it stand options, each with a default",
        )
    return role


def let(label: str, node: Node, *, latex: str = "") -> Node:
    """Name a value of the equations: `r = let("r", sigmoid(...))`. `latex` replaces the label in formulas.

    A label that is a state's name makes the new state there, so that later equations of the step use it.
    """
    if not isinstance(node, Node):
        raise UsageError(f"let({label!r}, ...) names a node, not {node!r:.60}")
    make = node.graph.new_state.get(label)
    return make(node, latex) if make else node.graph.relabel(node, label, latex)
