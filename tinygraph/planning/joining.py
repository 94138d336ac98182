"""Products that are drawn into sums.

In a recurrence each call counts, as it is made at every step: several matrices times long vectors become one product
of all, and products of short vectors are added to the other terms as they are computed. Elsewhere products of long
stretches of time are added to one another as they are computed, so that none of them needs room.

    before -> after:    e_t + U_i^T a_t + U_f^T b_t         ->   e_t + [a_t b_t] [U_i; U_f]
                        e_t, U_i^T a_t, U_f^T b_t, a sum    ->   e_t + U_i^T a_t + U_f^T b_t, as one item
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .classes import Classes, by_first, condensed
from .items import APPLY, JOINED, PLUS, SUM, Item

Draw = Callable[[Sequence[Item], Item, Sequence[int], Sequence[int], int], list[Item]]
LONG = 128  # entries: products with shorter vectors are as fast one by one, and with longer ones as fast apart


def join_products(classes: Classes, kept: Iterable[int]) -> tuple[Classes, list[int]]:
    """Draw products into their sums; where each item went.

    The items `kept` stay; what is drawn into another went to -1.
    """
    items, of = classes.items, classes.of
    slots = _drawn_slots(classes, kept)
    drawn = {items[i].args[s] for number, (_, found) in slots.items() for i in classes.members[number] for s in found}
    new: list[Item] = []
    names: list[int] = []
    where = [-1] * len(items)
    for i, item in enumerate(items):
        if i in drawn:
            continue
        if of[i] in slots:
            draw, found = slots[of[i]]
            apart = draw(items, item, found, where, len(new))
            new += apart
            names += [len(classes.members) + of[i]] * len(apart)
        else:
            item.args = tuple([where[arg] for arg in item.args])
        where[i] = len(new)
        names.append(of[i])
        new.append(item)
    return condensed(new, by_first(names), [item.args for item in new]), where


def _drawn_slots(classes: Classes, kept: Iterable[int]) -> dict[int, tuple[Draw, list[int]]]:
    """By class, the slots of the products that are drawn in, and how."""
    uses = Counter(arg for item in classes.items for arg in item.args) + Counter(kept)
    found: dict[int, tuple[Draw, list[int]]] = {}
    for number, members in enumerate(classes.members):
        products = _products(classes, members, uses)
        if not products:
            continue
        joinable, addends = _joinable(classes, members, products), _addends(classes, members, products)
        inside = classes.cyclic[classes.part_of[number]]
        if len(joinable) > 1 and (inside or not addends):
            found[number] = _join, joinable
        elif addends:
            found[number] = _add, addends
    return found


def _join(items: Sequence[Item], item: Item, slots: Sequence[int], where: Sequence[int], number: int) -> list[Item]:
    """Make one of the products in these slots; it gets that number where the sum has other terms."""
    rest = [s for s in range(len(item.args)) if s not in slots]
    attrs, args = _pairs(items, item, slots, where)
    if not rest:
        item.op, item.attrs, item.args = JOINED, attrs, args
        return []
    item.args, item.attrs = (*[where[item.args[s]] for s in rest], number), (*[item.attrs[s] for s in rest], 1)
    return [Item(JOINED, attrs, args, item.shape, item.batched, item.kind, item.node)]


def _add(items: Sequence[Item], item: Item, slots: Sequence[int], where: Sequence[int], number: int) -> list[Item]:
    """Add the products in these slots to the other term; or to the sum of the others, which gets that number."""
    rest = [s for s in range(len(item.args)) if s not in slots]
    terms, signs = tuple([where[item.args[s]] for s in rest]), tuple([item.attrs[s] for s in rest])
    apart = [Item(SUM, signs, terms, item.shape, item.batched, item.kind, item.node)] if len(rest) > 1 else []
    attrs, args = _pairs(items, item, slots, where)
    item.op, item.attrs, item.args = PLUS, attrs, (number if apart else terms[0], *args)
    return apart


def _pairs(items: Sequence[Item], item: Item, slots: Sequence[int], where: Sequence[int]) -> tuple[Any, Any]:
    """Attributes and operands of the products in these slots, one after the other."""
    products = [items[item.args[s]] for s in slots]
    return tuple([one.attrs for one in products]), tuple([where[arg] for one in products for arg in one.args])


def _joinable(classes: Classes, members: Sequence[int], products: Sequence[int]) -> list[int]:
    """The slots of products with vectors of one length, long ones in a recurrence."""
    items, first = classes.items, classes.items[members[0]]
    inside = classes.cyclic[classes.part_of[classes.of[members[0]]]]
    found = [slot for slot in products if not inside or _length(items, first, slot) >= LONG]
    return [slot for slot in found if _length(items, first, slot) == _length(items, first, found[0])]


def _addends(classes: Classes, members: Sequence[int], products: Sequence[int]) -> list[int]:
    """The slots of products, with short vectors in a recurrence, if the sum has other terms to which to add them."""
    items, first = classes.items, classes.items[members[0]]
    inside = classes.cyclic[classes.part_of[classes.of[members[0]]]]
    found = [slot for slot in products if not inside or _length(items, first, slot) <= LONG]
    rest = [sign for slot, sign in enumerate(first.attrs) if slot not in found]
    if not rest or rest == [-1]:
        return []
    may_be_broadcast = rest == [1] and not inside and _lone(classes, items[first.args[found[0]]])
    slots = found if may_be_broadcast else range(len(first.args))
    both = {(items[items[i].args[slot]].shape, items[items[i].args[slot]].batched) for i in members for slot in slots}
    return found if both == {(first.shape, first.batched)} else []


def _lone(classes: Classes, product: Item) -> bool:
    """Whether no other matrices are applied to the vectors of a product: it is not one of those of several gates."""
    items, of = classes.items, classes.of
    firsts = [items[members[0]] for members in classes.members]
    return sum(one.op == APPLY and of[one.args[1]] == of[product.args[1]] for one in firsts) == 1


def _products(classes: Classes, members: Sequence[int], uses: Mapping[int, int]) -> list[int]:
    """The slots in which a class of sums reads matrices times vectors, for this sum alone.

    In a recurrence they are of the recurrence too, elsewhere of none.
    """
    items, of, part_of = classes.items, classes.of, classes.part_of
    first, part = items[members[0]], part_of[of[members[0]]]
    if first.op != SUM:
        return []
    found = []
    for slot, sign in enumerate(first.attrs):
        product, number = items[first.args[slot]], of[first.args[slot]]
        beside = part_of[number] == part if classes.cyclic[part] else not classes.cyclic[part_of[number]]
        drawn = beside and sign == 1 and product.op == APPLY and product.batched
        if drawn and all(of[items[i].args[slot]] == number and uses[items[i].args[slot]] == 1 for i in members):
            found.append(slot)
    return found


def _length(items: Sequence[Item], item: Item, slot: int) -> int:
    return items[items[item.args[slot]].args[1]].shape[0]
