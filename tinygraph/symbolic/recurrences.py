r"""Backpropagation through time as a recursion, found in the gradient graph of an unrolled net.

The cotangent of each named value is one formula at each step. Formulas that are equal up to a shift in
time are one line, with the steps for which it holds; the terms of a weight's gradient that are equal up
to a shift are one sum over time, with its bounds. Nothing is known of any cell:

    dh[t] = V^T do[t] + U^T dz[t+1]   for t < T,     dh[T] = V^T do[T],     dU = sum over t of dz[t] h[t-1]^T

Names are the labels of the net. A sum that enters a nonlinearity has none, and its cotangent is what the
weights' gradients are made of, so it gets a letter (z, or z_i for that of a gate i).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from typing import Any

from ..differentiate import vjp
from ..errors import DifferentiationError, UsageError, expect
from ..graph.node import Node
from ..graph.tape import cone
from ..nest import leaves
from ..passes.rebuilding import Rewritten, rebuild
from ..passes.truncation import check_losses
from .expressions import Apply, Expression, Key, Moment, Number, Slope, Symbol, Total, apply, factors, moved, symbols
from .notation import state_label

LONGEST = 15  # symbols and operations; a longer formula without a label gets a letter
LETTERS = "zasquvkpmn"

Role = tuple[str, bool, int]  # scope, whether in time, place among the nodes of its step


@dataclass(frozen=True)
class Line:
    """`left` = `right` for each step from `first` to `last`, times being relative to t; or once, without these."""

    left: Symbol
    right: Expression
    first: Moment | None = None
    last: Moment | None = None


@dataclass(frozen=True)
class Recurrence:
    """The lines in the order of a backward pass, weights last; `definitions` say what unlabelled letters stand for.

    `steps` is the T of the net that it was found in, `own` the LaTeX that labels bring along, `shared` has
    the values that do not depend on the example.
    """

    lines: tuple[Line, ...]
    definitions: tuple[Line, ...]
    steps: int
    own: Mapping[Key, str]
    shared: frozenset[Key]


def find_recurrence(losses: Any, wrt: Any, *, letters: bool = True, primes: bool = False) -> Recurrence:
    """The recursion of the gradient of `losses` (a scalar, or scalars by step) by the nodes in `wrt`.

    With `letters` the sums that enter nonlinearities are named; with `primes` too, the derivative of such a
    nonlinearity is written as one, phi'(z). The tape is not touched.
    Raises `UsageError`, `DifferentiationError`.
    """
    if isinstance(losses, Node):
        losses = {1: losses}
    check_losses(losses)
    for node in leaves(wrt):
        expect(node, Node, "gradients are written by nodes", "such as net.parameters")
    copied = rebuild({"losses": list(losses.values()), "wrt": leaves(wrt)})
    return _Finder(copied, _roles(copied.map), letters, primes).found()


class _Finder:
    def __init__(self, copied: Rewritten, roles: Mapping[Node, Role], letters: bool, primes: bool) -> None:
        losses = copied.roots["losses"]
        self.targets: list[Node] = list(dict.fromkeys(copied.roots["wrt"]))
        self.forward = cone([*losses, *self.targets])
        self.path = _path(self.forward, self.targets)
        _one_example(self.path)
        wanted = list(dict.fromkeys([*self.path, *self.targets]))
        found = vjp(list(losses), wanted, [1] * len(losses))
        self.cotangent = dict(zip(wanted, found, strict=True))
        self.letters, self.primes = letters, primes
        self.alias = {node.args[0]: node for node in self.forward if _names_its_operand(node)}
        self.roles = roles
        self.steps = max((node.step for node in self.forward if node.step is not None), default=0)
        self.owner = self._owners()
        self.users: dict[Node, list[Node]] = {}
        for node in self.forward:
            for arg in node.args:
                self.users.setdefault(arg, []).append(node)
        own = set(self.forward)
        self.backward = [node for node in cone(found) if node not in own]
        self.named: dict[Role, str] = {}
        self.scopes: dict[str, set[str]] = {}
        for node in self.forward:
            self.scopes.setdefault(state_label(node), set()).add(node.scope)

    # Names
    def _owners(self) -> dict[Node, Node]:
        """The forward node after which each cotangent is called: a labelled one, else the last; leaves come last.

        One that labelled nodes of several steps have in common belongs to none of them, and is written out.
        """
        owner: dict[Node, Node] = {}
        steps: dict[Node, set[int | None]] = {}
        for node in (*(n for n in self.path if n.op.leaf), *(n for n in self.path if not n.op.leaf)):
            total = self.cotangent[node]
            other = owner.get(total)
            if other is None or node.label or other.op.leaf or not other.label:
                owner[total] = node
            if node.label and not node.op.leaf:
                steps.setdefault(total, set()).add(node.step)
        return {total: node for total, node in owner.items() if len(steps.get(total, ())) < 2}

    def _name_roles(self) -> None:
        """Letters for sums that enter a nonlinearity and are used again, and for what is long."""
        enters = _enters(self.forward, self.users, self.alias) if self.letters else {}
        uses = Counter(arg for node in self.backward for arg in node.args)
        sums = {
            self.roles[node]: enters[node]
            for total, node in self.owner.items()
            if uses[total] > 1 and node in enters and node in self.roles and not (node.label or node in self.alias)
        }
        letter, other = self._letters()
        alone = max(Counter(scope for scope, _, _ in sums).values(), default=0) == 1
        alike = Counter((role[0], label) for role, label in sums.items())
        for number, (role, label) in enumerate(sums.items(), start=1):
            below = label if alike[role[0], label] == 1 else number
            self._name(role, letter if alone else f"{letter}_{below}")
        long = self._long_roles()
        for number, role in enumerate(long, start=1):
            self._name(role, other if len(long) == 1 else f"{other}_{number}")

    def _name(self, role: Role, name: str) -> None:
        self.named[role] = name
        self.scopes.setdefault(name, set()).add(role[0])

    def _letters(self) -> list[str]:
        """Two letters that no label has."""
        taken = {name.rpartition("/")[2].partition("_")[0] for name in map(state_label, self.forward)}
        taken |= {node.where.latex[-1:] for node in self.forward}
        free = [letter for letter in LETTERS if letter not in taken]
        return [*free, "u1", "u2"][:2]

    def _long_roles(self) -> list[Role]:
        """The roles of unlabelled values whose formulas are long."""
        found: dict[Role, None] = {}
        weights: dict[Node, int] = {}
        for node in self.forward:
            known = node.op.leaf or node.label or node in self.alias or self.roles.get(node) in self.named
            weights[node] = 1 if known else 1 + sum(weights[arg] for arg in node.args)
            if weights[node] > LONGEST and node in self.roles:
                found.setdefault(self.roles[node])
                weights[node] = 1
        return list(found)

    def symbol(self, node: Node) -> Symbol | None:
        """The symbol of a forward node; None for what is written out."""
        node = self.alias.get(node, node)
        if not node.label:
            if self.roles.get(node) not in self.named:
                return None
            label = self.named[self.roles[node]]
        else:
            label = state_label(node)
        plain = "name" in node.attrs or len(self.scopes[label]) == 1
        name = label if plain or not node.scope else f"{node.scope}/{label}"
        time = None if node.op.name == "parameter" and label == node.label else node.step
        return Symbol(name, node.shape, time)

    # Formulas
    def value(self, node: Node, known: Mapping[Node, Expression]) -> Expression:
        """The formula of one node from those of its operands."""
        number = node.attrs.get("value") if node.op.leaf else None
        if isinstance(number, (int, float, Fraction)) and node.label in ("", str(number)):
            return Number(number, node.shape)
        if node.op.leaf:
            return self.symbol(node) or Symbol(f"k_{node.id}", node.shape)
        args = tuple(known[arg] for arg in node.args)
        if node.op.name == "sum_batch" and node.backward:
            return args[0]  # the sum over examples is that of the convention
        if node.op.name == "transpose" and node.ndim != 2:
            return Apply(node.op, args, node.shape, tuple(sorted(node.attrs.items())))
        return apply(node.op.name, args, node.shape, tuple(sorted(node.attrs.items())))

    def found(self) -> Recurrence:
        self._name_roles()
        known: dict[Node, Expression] = {}
        meant: dict[Node, Expression] = {}  # what a letter or label stands for
        for node in self.forward:
            meant[node] = self.value(node, known)
            known[node] = (None if isinstance(meant[node], Number) else self.symbol(node)) or meant[node]
        formulas: dict[Node, Expression] = {}
        for node in self.backward:
            formula = self.value(node, known)
            owner = self.owner.get(node)
            if self.primes and owner is not None and self.roles.get(owner) in self.named:
                formula = self._primed(formula, owner, known)
            symbol = self.symbol(owner) if owner is not None else None
            formulas[node] = formula
            plain = isinstance(formula, Symbol) or not symbols(formula)
            known[node] = formula if symbol is None or plain else replace(symbol, bar=True)
        return self._recurrence(known, formulas, meant)

    def _primed(self, formula: Expression, entering: Node, known: dict[Node, Expression]) -> Expression:
        """A product with the derivative of the one nonlinearity that a sum enters written phi'(z).

        What the derivative is in terms of values is the rule of the row, applied to ones.
        """
        users, symbol = self.users.get(entering, []), self.symbol(entering)
        if len(users) != 1 or symbol is None or not _is_nonlinear(users[0]):
            return formula
        (out,) = users
        rule = out.op.rule(0)
        if rule is None:
            return formula
        start = len(out.graph)
        slope = rule(out.graph.constant("", ones=out.shape), out, entering)
        for node in out.graph.nodes[start:]:
            for needed in (*node.args, node):
                if needed not in known:
                    known[needed] = self.value(needed, known)
        wanted, found = factors(known[slope]), factors(formula)
        for place in range(len(found) - len(wanted) + 1):
            if found[place : place + len(wanted)] == wanted:
                found[place : place + len(wanted)] = [Slope(out.op, symbol, out.shape)]
                return apply("mul", tuple(found), formula.shape)
        return formula

    def _recurrence(
        self, known: Mapping[Node, Expression], formulas: Mapping[Node, Expression], meant: Mapping[Node, Expression]
    ) -> Recurrence:
        def right(left: Symbol, node: Node) -> Expression:
            total = self.cotangent[node]
            return known[total] if known[total] != left else formulas.get(total, known[total])

        timed: dict[Symbol, dict[int, Expression]] = {}
        targets = set(self.targets)
        for node in reversed(self.path):
            symbol = self.symbol(node)
            if symbol is not None and node not in targets and node not in self.alias:
                left = replace(symbol, bar=True)
                found = right(left, node)
                if left != found and symbols(found):
                    _note(timed, left, found)
        ends: dict[Symbol, dict[int, Expression]] = {}
        for node in self.targets:
            left = replace(self.symbol(node) or Symbol(node.name, node.shape, node.step), bar=True)
            _note(ends, left, right(left, node))
        lines = [*self._lines(timed), *self._lines(ends)]
        return Recurrence(tuple(lines), tuple(self._definitions(lines, meant)), self.steps, self._own(), self._shared())

    def _lines(self, by_symbol: Mapping[Symbol, Mapping[int, Expression]]) -> Iterable[Line]:
        for symbol, rights in by_symbol.items():
            if symbol.time is None:
                yield Line(symbol, self._summed(rights[0]))
                continue
            for first, last in _runs(rights):
                yield Line(symbol, rights[first], self._moment(first, False), self._moment(last, True))

    def _summed(self, right: Expression) -> Expression:
        """Terms that are equal up to a shift in time as sums over time."""
        terms = right.args if isinstance(right, Apply) and right.op.name == "add" else (right,)
        steps: dict[tuple[Expression, int], dict[int, Expression]] = {}  # by term, and how often it stood there before
        seen: Counter[tuple[Expression, int]] = Counter()
        found: list[Expression] = []
        for term in terms:
            at = next((s.time for s in symbols(term) if s.bar and s.time is not None), None)
            if at is None:
                found.append(term)
                continue
            relative = moved(term, -at)
            steps.setdefault((relative, seen[relative, at]), {})[at] = relative
            seen[relative, at] += 1
        for (relative, _), by_step in steps.items():
            found += [self._total(relative, first, last) for first, last in _runs(by_step)]
        return apply("add", tuple(found), right.shape)

    def _total(self, body: Expression, first: int, last: int) -> Expression:
        """The sum over these steps; a sign stands in front of it."""
        if isinstance(body, Apply) and body.op.name == "neg":
            return apply("neg", (self._total(body.args[0], first, last),), body.shape)
        return Total(body, "t", self._moment(first, False), self._moment(last, True))

    def _moment(self, step: int, late: bool) -> Moment:
        """A step counted from the nearer end."""
        front, back = step - 1, self.steps - step
        from_end = back <= front if late else back < front
        return Moment(step - self.steps, True) if from_end else Moment(step)

    def _definitions(self, lines: Sequence[Line], meant: Mapping[Node, Expression]) -> Iterable[Line]:
        """Forward lines of the letters in use."""
        rights: dict[Symbol, dict[int, Expression]] = {}
        letters: dict[str, None] = {}
        for node in self.forward:
            symbol = self.symbol(node)
            if symbol is not None and not node.label and node not in self.alias and not node.op.leaf:
                letters.setdefault(symbol.name)
                _note(rights, symbol, meant[node])
        used = {s.name for line in lines for s in (line.left, *symbols(line.right))}
        for _ in letters:  # a letter may need others
            needed = [right for left, by in rights.items() if left.name in used for right in by.values()]
            used |= {symbol.name for right in needed for symbol in symbols(right)}
        return list(self._lines({left: by for left, by in rights.items() if left.name in used}))

    def _own(self) -> dict[Key, str]:
        """The LaTeX that labels bring along; a letter named after a label has it as its subscript."""
        found = {s.key: n.where.latex for n in self.forward if n.where.latex and (s := self.symbol(n)) is not None}
        for name in self.named.values():
            letter, _, label = name.partition("_")
            if (label, True) in found:
                found[name, True] = f"{letter}_{{{found[label, True]}}}"
        return found

    def _shared(self) -> frozenset[Key]:
        keys = [(node.batched, s.key) for node in self.forward if (s := self.symbol(node)) is not None]
        return frozenset(key for _, key in keys) - {key for batched, key in keys if batched}


def _note(found: dict[Symbol, dict[int, Expression]], left: Symbol, right: Expression) -> None:
    """Keep a formula relative to the step of its left side. Raises `UsageError` for a name given twice."""
    at = left.time or 0
    steps = found.setdefault(left if left.time is None else replace(left, time=0), {})
    if at in steps:
        where = f" at step {at}" if left.time is not None else ""
        raise UsageError(f"two values are called {left.name!r}{where}", fix="label them differently")
    steps[at] = moved(right, -at)


def _runs(rights: Mapping[int, Expression]) -> list[tuple[int, int]]:
    """First and last steps of runs over which the formula stays the same."""
    runs: list[tuple[int, int]] = []
    for step in sorted(rights):
        if runs and runs[-1][1] == step - 1 and rights[step] == rights[step - 1]:
            runs[-1] = runs[-1][0], step
        else:
            runs.append((step, step))
    return runs


def _path(forward: Sequence[Node], targets: Sequence[Node]) -> list[Node]:
    """The real nodes that depend on a target, in ascending order."""
    reached = set(targets)
    for node in forward:
        if node.kind == "real" and any(arg in reached for arg in node.args):
            reached.add(node)
    return [node for node in forward if node in reached]


def _one_example(path: Iterable[Node]) -> None:
    """Raise `DifferentiationError` where the examples of a batch meet before the loss."""
    crossed: set[Node] = set()
    for node in path:
        if any(arg in crossed for arg in node.args) or node.op.name in ("sum_batch", "mean_batch"):
            crossed.add(node)
            if node.shape != () or (node.batched and node.op.name not in ("sum_batch", "mean_batch")):
                raise DifferentiationError(
                    "formulas are those of one example, and here the examples of a batch meet",
                    [node.describe()],
                    "sum or average over the batch in the loss alone",
                )


def _roles(copies: Mapping[Node, Node]) -> dict[Node, Role]:
    """Copied nodes that play the same part at different steps of the whole tape have the same role."""
    places: dict[tuple[str, int | None], count[int]] = {}
    found: dict[Node, Role] = {}
    for node in next(iter(copies)).graph:
        if not (node.op.leaf or node.backward or node.op.intern):
            place = next(places.setdefault((node.scope, node.step), count()))
            if node in copies:
                found[copies[node]] = (node.scope, node.step is not None, place)
    return found


def _names_its_operand(node: Node) -> bool:
    """Whether the node is an identity that carries the label of a value without one, such as a new state."""
    return node.op.name == "identity" and bool(node.label) and not (node.args[0].label or node.args[0].op.leaf)


def _enters(
    forward: Sequence[Node], users: Mapping[Node, Sequence[Node]], alias: Mapping[Node, Node]
) -> dict[Node, str]:
    """What enters an elementwise nonlinearity, with the label of what comes out (or of what that enters)."""
    found: dict[Node, str] = {}
    for node in forward:
        if _is_nonlinear(node):
            out = node
            while not (out.label or out in alias) and len(users.get(out, [])) == 1:
                out = users[out][0]
            found.setdefault(node.args[0], state_label(alias.get(out, out)) or str(node.id))
    return found


def _is_nonlinear(node: Node) -> bool:
    return node.op.elementwise and len(node.args) == 1 and node.op.latex is not None and node.op.name not in _PLAIN


_PLAIN = ("identity", "neg", "real", "stop_gradient", "power")
