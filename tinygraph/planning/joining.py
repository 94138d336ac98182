"""Products that are drawn into sums: in a recurrence each call counts, as it is made at every step.

Several matrices times long vectors become one product of all, and a product of a short vector is added to the other
term as it is computed.

    before -> after:    e_t + U_i^T a_t + U_f^T b_t   ->   e_t + [a_t b_t] [U_i; U_f]
                        e_t, U h_{t-1}, their sum     ->   e_t + U h_{t-1}, as one item
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .classes import Classes, by_first, condensed
from .items import APPLY, JOINED, PLUS, SUM, Item

LONG = 128  # entries: products with shorter vectors are as fast one by one, and with longer ones as fast apart


def join_products(classes: Classes, kept: Iterable[int]) -> tuple[Classes, list[int]]:
    """Draw products into their sums; where each item went.

    The items `kept` stay; what is drawn into another went to -1.
    """
    items, of = classes.items, classes.of
    slots = _drawn_slots(classes, kept)
    drawn = {items[i].args[s] for number, found in slots.items() for i in classes.members[number] for s in found}
    new: list[Item] = []
    names: list[int] = []
    where = [-1] * len(items)
    for i, item in enumerate(items):
        if i in drawn:
            continue
        found = slots.get(of[i], [])
        if len(found) == 1:
            _add_to_term(items, item, found[0], where)
        elif found:
            apart = _side_by_side(items, item, found, where)
            rest = [s for s in range(len(item.args)) if s not in found]
            if rest:
                names.append(len(classes.members) + of[i])
                new.append(apart)
                item.args = (*[where[item.args[s]] for s in rest], len(new) - 1)
                item.attrs = (*[item.attrs[s] for s in rest], 1)
            else:
                item.op, item.args, item.attrs = apart.op, apart.args, apart.attrs
        else:
            item.args = tuple([where[arg] for arg in item.args])
        where[i] = len(new)
        names.append(of[i])
        new.append(item)
    return condensed(new, by_first(names), [item.args for item in new]), where


def _drawn_slots(classes: Classes, kept: Iterable[int]) -> dict[int, list[int]]:
    """By class, the slots of the products that are drawn in: several to be joined, or one to be added."""
    uses = Counter(arg for item in classes.items for arg in item.args) + Counter(kept)
    found: dict[int, list[int]] = {}
    for number, members in enumerate(classes.members):
        if classes.cyclic[classes.part_of[number]]:
            joinable, addend = _joinable(classes, members, uses), _addend(classes, members, uses)
            if len(joinable) > 1:
                found[number] = joinable
            elif addend is not None:
                found[number] = [addend]
    return found


def _add_to_term(items: Sequence[Item], item: Item, slot: int, where: Sequence[int]) -> None:
    """Make a sum of two terms one item, which adds the product in the slot to the other term."""
    product = items[item.args[slot]]
    args = (where[item.args[1 - slot]], *[where[arg] for arg in product.args])
    item.op, item.args, item.attrs = PLUS, args, product.attrs


def _side_by_side(items: Sequence[Item], item: Item, slots: Sequence[int], where: Sequence[int]) -> Item:
    """The products in these slots of a sum as one."""
    products = [items[item.args[s]] for s in slots]
    args = tuple([where[arg] for product in products for arg in product.args])
    attrs = tuple([product.attrs for product in products])
    return Item(JOINED, attrs, args, item.shape, item.batched, item.kind, item.node)


def _joinable(classes: Classes, members: Sequence[int], uses: Mapping[int, int]) -> list[int]:
    """The slots of a class of sums in which matrices are applied to long vectors, all of one length."""
    items = classes.items
    first = items[members[0]]
    found = [slot for slot in _products(classes, members, uses) if _length(items, first, slot) >= LONG]
    return [slot for slot in found if _length(items, first, slot) == _length(items, first, found[0])]


def _addend(classes: Classes, members: Sequence[int], uses: Mapping[int, int]) -> int | None:
    """The slot of the one product, with a short vector, in a class of sums of two terms."""
    items = classes.items
    first = items[members[0]]
    found = _products(classes, members, uses)
    if len(found) != 1 or first.attrs != (1, 1) or _length(items, first, found[0]) > LONG:
        return None
    both = {(items[arg].shape, items[arg].batched) for i in members for arg in items[i].args}
    return found[0] if both == {(first.shape, first.batched)} else None  # else one of the two is broadcast


def _products(classes: Classes, members: Sequence[int], uses: Mapping[int, int]) -> list[int]:
    """The slots in which a class of sums reads products of its own recurrence, matrices times vectors, alone."""
    items, of, part_of = classes.items, classes.of, classes.part_of
    first = items[members[0]]
    if first.op != SUM:
        return []
    found = []
    for slot, sign in enumerate(first.attrs):
        product, number = items[first.args[slot]], of[first.args[slot]]
        inside = sign == 1 and product.op == APPLY and product.batched and part_of[number] == part_of[of[members[0]]]
        if inside and all(of[items[i].args[slot]] == number and uses[items[i].args[slot]] == 1 for i in members):
            found.append(slot)
    return found


def _length(items: Sequence[Item], item: Item, slot: int) -> int:
    return items[items[item.args[slot]].args[1]].shape[0]
