"""Normal form: what a graph computes, in as few and as uniform operations as exact arithmetic allows.

before -> after:
    a + b - c + ...           one sum of terms, however it was nested
    a * b * c * ...           one product of factors
    a * c + b * c             (a + b) * c
    sum_batch(outer(d, x))    one sum of outer products over terms and batch; likewise sums over the batch
    sigmoid(W x + b)          sigmoid of twice ((W/2) x + b/2), which is (1 + tanh(...)) / 2
    cross_entropy(s, y)       -log_softmax(s)[y], and softmax(s) beside it exp(log_softmax(s))
    an initial state          one for each example, so that the first step is like the others

Only values with one use are drawn into another; equal applications are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, compress
from typing import Any

import numpy as np

from ..graph.node import Node
from ..shapes import Shape
from .choosing import LAST
from .items import APPLY, CHOSEN, FIRST, HALF_SIGMOID, OUTERS, PRODUCT, SCALED, SPREAD, SUM, TOTALS, Item

HALF = Fraction(1, 2)


@dataclass(slots=True, frozen=True)
class _Term:
    """A product, with a sign; `node` has the value of the product."""

    sign: int
    factors: tuple[int, ...]
    node: Node


@dataclass(slots=True)
class _Terms:
    """A sum that is not an item yet."""

    terms: list[_Term]


@dataclass(slots=True)
class _Factors:
    factors: list[int]


@dataclass(slots=True)
class _Outers:
    """Pairs (d, x); `summed` over the batch, or one matrix for each example, the value of one of the `nodes` each."""

    pairs: list[tuple[int, int]]
    summed: bool
    nodes: list[Node]


@dataclass(slots=True)
class _Totals:
    terms: list[int]


def _together(lists: Sequence[list[Any]]) -> list[Any]:
    """All entries in the longest of the lists, which nothing else reads: a chain of additions costs what it adds."""
    longest = max(lists, key=len)
    for one in lists:
        if one is not longest:
            longest += one
    return longest


_Form = int | _Terms | _Factors | _Outers | _Totals


class NormalForm:
    """The items of `nodes`, the cone of `roots`; `place[node.id]` is a root's item, maybe with a batch axis more."""

    def __init__(self, nodes: Sequence[Node], roots: Sequence[Node]) -> None:
        self.items: list[Item] = []
        self._forms: dict[int, _Form] = {}
        self._known: dict[Hashable, int] = {}
        self._uses = Counter([arg.id for node in nodes for arg in node.args])
        self._uses.update(2 * [root.id for root in roots])
        self._states = _initial_states(nodes)
        for node in nodes:
            rule = _RULES.get(node.op.name)
            form = rule(self, node) if rule else None
            self._forms[node.id] = self._applied(node) if form is None else form
        self.place = {root.id: self._item(root) for root in roots}
        self._sweep()

    def _sweep(self) -> None:
        """Keep what the roots need: a product may have been halved, or drawn into a sum, after it was made."""
        needed = bytearray(len(self.items))
        for number in self.place.values():
            needed[number] = 1
        for number in range(len(self.items) - 1, -1, -1):
            if needed[number]:
                for arg in self.items[number].args:
                    needed[arg] = 1
        new = list(accumulate(needed, initial=0))  # how many before it are needed
        self.items = list(compress(self.items, needed))
        for item in self.items:
            item.args = tuple([new[arg] for arg in item.args])
        self.place = {node: new[number] for node, number in self.place.items()}

    # Making items
    def _add(
        self,
        op: str,
        attrs: Hashable,
        args: tuple[int, ...],
        node: Node,
        batched: bool | None = None,
        shape: Shape | None = None,
    ) -> int:
        """The item of an application, of the shape of `node` if no other is given; one that is there is used again."""
        shape = node.shape if shape is None else shape
        key = (op, attrs, args, node.id if not args else shape)
        known = self._known.get(key)
        if known is None:
            wide = True in [self.items[i].batched for i in args] if batched is None else batched
            known = self._known[key] = len(self.items)
            self.items.append(Item(op, attrs, args, shape, wide, node.kind, node))
        return known

    def _applied(self, node: Node) -> int:
        """A row of the table as it is, whose operands are as the tape says."""
        if node.op.leaf:
            return self._add(node.op.name, (), (), node, node.batched)
        attrs = tuple(sorted(node.attrs.items())) if node.attrs else ()
        args = tuple([self._item(arg) if node.op.elementwise else self._plain(arg) for arg in node.args])
        return self._add(node.op.name, attrs, args, node, None if node.op.elementwise else node.batched)

    def _item(self, node: Node) -> int:
        """The item of a node, which may have a batch axis that the node has not."""
        if node.id in self._states:
            return self._add(SPREAD, (), (self._leaf(node),), node, True)
        form = self._forms[node.id]
        if not isinstance(form, int):
            form = self._forms[node.id] = self._made(node, form)
        return form

    def _plain(self, node: Node) -> int:
        """The item of a node, batched just where the node is."""
        if node.id in self._states:
            return self._leaf(node)
        found = self._item(node)
        return self._add(FIRST, (), (found,), node, False) if self.items[found].batched and not node.batched else found

    def _leaf(self, node: Node) -> int:
        return self._add(node.op.name, (), (), node, node.batched)

    def _made(self, node: Node, form: _Terms | _Factors | _Outers | _Totals) -> int:
        match form:
            case _Terms(terms):
                return self._sum_of(terms, node)
            case _Factors(factors):
                return self._add(PRODUCT, (), tuple(factors), node)
            case _Totals(terms):
                return self._add(TOTALS, (), tuple(terms), node, False)
            case _Outers(pairs, summed, nodes):
                if summed:
                    return self._add(OUTERS, (), tuple([i for pair in pairs for i in pair]), node, False)
                made = [self._add("outer", (), pair, outer) for pair, outer in zip(pairs, nodes, strict=True)]
                return made[0] if len(made) == 1 else self._add(SUM, (1,) * len(made), tuple(made), node)

    def _sum_of(self, terms: Sequence[_Term], node: Node) -> int:
        """The item of a sum: common factors are taken out, positive terms come first."""
        factor = _common_factor(terms)
        if factor is not None:
            terms = self._taken_out(factor, terms, node)
        shape = np.broadcast_shapes(*[self.items[i].shape for term in terms for i in term.factors])
        if len(terms) == 1 and terms[0].sign == 1:
            return self._product_of(terms[0])
        if all(term.sign == -1 for term in terms) and len(terms) > 1:  # -(a + b): its terms can stand side by side
            whole = self._sum_of([replace(term, sign=1) for term in terms], node)
            return self._add(SUM, (-1,), (whole,), node, shape=shape)
        ordered = sorted(terms, key=lambda term: -term.sign)
        items = tuple([self._product_of(term) for term in ordered])
        return self._add(SUM, tuple([term.sign for term in ordered]), items, node, shape=shape)

    def _taken_out(self, factor: int, terms: Sequence[_Term], node: Node) -> list[_Term]:
        """a c + b c + d as (a + b) c + d, for the factor c."""
        having = [_without(term, factor) for term in terms if _has(term, factor)]
        sign = max(term.sign for term in having)  # -a c - b c as -(a + b) c
        rest = self._sum_of([replace(term, sign=sign * term.sign) for term in having], node)
        return [term for term in terms if not _has(term, factor)] + [_Term(sign, (rest, factor), node)]

    def _product_of(self, term: _Term) -> int:
        if len(term.factors) == 1:
            return term.factors[0]
        shape = np.broadcast_shapes(*[self.items[i].shape for i in term.factors])
        return self._add(PRODUCT, (), term.factors, term.node, shape=shape)

    def _drawn_in(self, node: Node, into: Node) -> _Form | None:
        """The form of an operand that nothing else uses, if it may become part of the user."""
        form = self._forms.get(node.id)
        alone = self._uses[node.id] == 1 and node.shape == into.shape and node.batched == into.batched
        return form if alone and not isinstance(form, int) else None

    # Rules for rows of the table
    def _sum(self, node: Node) -> _Form:
        signs = (-1,) if node.op.name == "neg" else (1, -1) if node.op.name == "sub" else (1,) * len(node.args)
        forms = [self._drawn_in(arg, node) for arg in node.args]
        outers = [form for form in forms if isinstance(form, _Outers)]
        if len(outers) == len(forms) and set(signs) == {1} and len({form.summed for form in outers}) == 1:
            pairs, nodes = _together([form.pairs for form in outers]), _together([form.nodes for form in outers])
            return _Outers(pairs, outers[0].summed, nodes)
        totals = [form for form in forms if isinstance(form, _Totals)]
        if len(totals) == len(forms) and set(signs) == {1}:
            return _Totals(_together([form.terms for form in totals]))
        terms: list[list[_Term]] = []
        for sign, arg, form in zip(signs, node.args, forms, strict=True):
            if isinstance(form, _Terms):
                terms.append(form.terms if sign == 1 else [replace(term, sign=-term.sign) for term in form.terms])
            else:
                factors = tuple(form.factors) if isinstance(form, _Factors) else (self._item(arg),)
                terms.append([_Term(sign, factors, arg)])
        return _Terms(_together(terms))

    def _product(self, node: Node) -> _Form:
        factors: list[int] = []
        for arg in node.args:
            form = self._drawn_in(arg, node)
            factors += form.factors if isinstance(form, _Factors) else [self._item(arg)]
        return _Factors(factors)

    def _power(self, node: Node) -> _Form | None:
        return _Factors([self._item(node.args[0])] * 2) if node.attrs["exponent"] == 2 else None

    def _matmul(self, node: Node) -> _Form | None:
        a, b = node.args
        if a.ndim == 2 and b.ndim == 1 and not a.batched:
            return self._add(APPLY, (False, 1), (self._plain(a), self._item(b)), node)
        if a.ndim == 1 and b.ndim == 2 and not b.batched:
            return self._add(APPLY, (True, 1), (self._plain(b), self._item(a)), node)
        return None

    def _outer(self, node: Node) -> _Form | None:
        a, b = node.args
        form = self._forms.get(a.id)
        if isinstance(form, _Totals) and b.id in self._states and self._uses[a.id] == 1:
            spread = self._item(b)
            return _Outers([(term, spread) for term in form.terms], True, [])
        pair = self._item(a), self._item(b)
        return _Outers([pair], False, [node]) if all(self.items[i].batched for i in pair) and node.batched else None

    def _sum_batch(self, node: Node) -> _Form | None:
        (x,) = node.args
        if not x.batched:
            return self._plain(x)
        form = self._forms[x.id]
        if self._uses[x.id] == 1 and isinstance(form, _Outers) and not form.summed:
            return _Outers(form.pairs, True, [])
        if self._uses[x.id] == 1 and isinstance(form, _Terms) and all(self._whole(t, node) for t in form.terms):
            return _Totals([self._product_of(term) for term in form.terms])
        return _Totals([self._item(x)])

    def _whole(self, term: _Term, node: Node) -> bool:
        item = self.items[self._product_of(term)]
        return term.sign == 1 and item.batched and item.shape == node.shape

    def _sigmoid(self, node: Node) -> _Form | None:
        (x,) = node.args
        form = self._forms.get(x.id)
        if not isinstance(form, _Terms) or self._uses[x.id] != 1 or x.shape != node.shape:
            return None
        halved = [self._halved(self._product_of(term)) for term in form.terms]
        terms = [replace(t, factors=(i,)) for t, i in zip(form.terms, halved, strict=True) if i is not None]
        if len(terms) < len(halved):
            return None
        return self._add(HALF_SIGMOID, (), (self._made(x, _Terms(terms)),), node)

    def _halved(self, number: int) -> int | None:
        """Half of a term, where that costs nothing at each step: a product with a parameter, or a parameter."""
        item = self.items[number]
        if item.op == APPLY and self._uses[item.node.id] == 1:
            transposed, scale = item.attrs
            return self._add(APPLY, (transposed, scale * HALF), item.args, item.node)
        return None if item.batched else self._add(SCALED, HALF, (number,), item.node)

    def _cross_entropy(self, node: Node) -> _Form:
        scores, target = node.args
        logarithm = self._add("log_softmax", LAST, (self._item(scores),), node, shape=scores.shape)
        entry = self._add(CHOSEN, (), (logarithm, self._item(target)), node)
        return _Terms([_Term(-1, (entry,), node)])

    def _softmax(self, node: Node) -> _Form | None:
        """Only where its logarithm is there."""
        logarithm = self._known.get(("log_softmax", LAST, (self._item(node.args[0]),), node.shape))
        last = tuple(node.attrs.items()) == LAST
        return self._add("exp", (), (logarithm,), node) if last and logarithm is not None else None

    def _alias(self, node: Node) -> _Form | None:
        """The value itself, which takes over the label."""
        (x,) = node.args
        if x.shape != node.shape or x.batched != node.batched:
            return None
        found = self._item(x)
        self.items[found].label = self.items[found].label or node.label
        return found

    def _spread(self, node: Node) -> _Form | None:
        (x,) = node.args
        return self._item(x) if x.batched else self._add(SPREAD, (), (self._plain(x),), node, True)


def _common_factor(terms: Sequence[_Term]) -> int | None:
    """The factor that most products have, if it is more than one of them."""
    products = [set(term.factors) for term in terms if len(term.factors) > 1]
    if len(products) < 2:
        return None
    counted = Counter(factor for factors in products for factor in factors)
    factor, count = max(counted.items(), key=lambda entry: (entry[1], -entry[0]))
    return factor if count > 1 else None


def _has(term: _Term, factor: int) -> bool:
    return len(term.factors) > 1 and factor in term.factors


def _without(term: _Term, factor: int) -> _Term:
    at = term.factors.index(factor)
    return replace(term, factors=term.factors[:at] + term.factors[at + 1 :])


_RULES = {
    **dict.fromkeys(("add", "sub", "neg"), NormalForm._sum),
    **dict.fromkeys(("identity", "stop_gradient"), NormalForm._alias),
    "mul": NormalForm._product,
    "power": NormalForm._power,
    "matmul": NormalForm._matmul,
    "outer": NormalForm._outer,
    "sum_batch": NormalForm._sum_batch,
    "sigmoid": NormalForm._sigmoid,
    "cross_entropy": NormalForm._cross_entropy,
    "softmax": NormalForm._softmax,
    "spread": NormalForm._spread,
}


def _initial_states(nodes: Sequence[Node]) -> set[int]:
    """Vectors without a batch that stand where others have one: constants, and what matrices are applied to."""
    if not any(node.batched for node in nodes):
        return set()
    found = {node.id for node in nodes if node.op.name == "constant" and node.ndim == 1 and node.kind == "real"}
    for node in nodes:
        if node.op.name == "matmul":
            found.update(a.id for a in node.args if a.op.leaf and a.ndim == 1 and not a.batched)
    return found
