"""Which of the usual mistakes turns the right gradients into the claimed ones.

First a number in front of all of them, then one mistaken rule of the reverse sweep, which must explain every name
at once; then each name by itself: the whole transposed or negated, or the uses at some time steps left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..differentiate import grad
from ..errors import TinygraphError
from ..execute.interpreter import evaluate
from ..flow.per_use import contributions
from ..graph.node import Node
from ..graph.tape import cone
from .findings import LESS_LIKELY, Mistake
from .rule_mistakes import MistakenRule, Site, mistaken_gradients, mistaken_rules, sites

TOLERANCE = 1e-8
LARGEST_NUMBER = 64  # of a numerator or denominator that a forgotten factor may have
UNKNOWN = Mistake("unknown", "no single usual mistake gives these numbers")

Arrays = Mapping[str, Any]
Mistakes = tuple[Mistake, ...]


def explain_gradients(
    loss: Node, targets: Mapping[str, Node], claimed: Arrays, right: Arrays, wrong: set[str], feeds: Mapping[Any, Any]
) -> dict[str, Mistakes]:
    """The likeliest mistakes for each wrong name."""
    found = {name: _shape(claimed[name], right[name]) for name in wrong}
    if any(found.values()):
        return {name: one or (UNKNOWN,) for name, one in found.items()}
    number = _ratio({name: claimed[name] for name in wrong}, right)
    if number is not None and number not in (0, -1) and wrong == set(claimed):
        every = "every gradient is" if len(wrong) > 1 else "the gradient is"
        mistake = Mistake("scale", f"{every} {number} times the right one{_meaning(number, loss, feeds)}")
        return dict.fromkeys(wrong, (mistake,))
    rule = mistaken_rule(loss, {name: targets[name] for name in claimed}, claimed, feeds)
    if rule:
        return dict.fromkeys(wrong, (rule,))
    return {name: _alone(loss, targets[name], claimed[name], right[name], feeds) for name in wrong}


def mistaken_rule(
    loss: Node,
    targets: Mapping[str, Node],
    claimed: Arrays,
    feeds: Mapping[Any, Any],
    among: Sequence[Site] | None = None,
) -> Mistake | None:
    """The first mistaken rule that gives just the claimed gradients, of all sites or of some."""
    found = sites([loss], list(targets.values())) if among is None else among
    rules = sorted(mistaken_rules(found, cone([loss])), key=lambda rule: rule.mistake.kind in LESS_LIKELY)
    return next((rule.mistake for rule in rules if _gives(rule, loss, targets, claimed, feeds)), None)


def _gives(
    rule: MistakenRule, loss: Node, targets: Mapping[str, Node], claimed: Arrays, feeds: Mapping[Any, Any]
) -> bool:
    try:
        values = evaluate(mistaken_gradients(rule, loss, list(targets.values())), feeds)
    except TinygraphError:  # shapes that do not fit: nobody can have written this
        return False
    return all(near(claimed[name], value) for name, value in zip(targets, values, strict=True))


def near(a: Any, b: Any) -> bool:
    """Whether two arrays of one shape are one, up to rounding."""
    if np.shape(a) != np.shape(b):
        return False
    return bool(np.abs(np.subtract(a, b)).max(initial=0) <= TOLERANCE * (1 + np.abs(b).max(initial=0)))


# One gradient by itself
def _alone(loss: Node, target: Node, claimed: Any, right: Any, feeds: Mapping[Any, Any]) -> Mistakes:
    for mistake, value in whole_gradient(right):
        if near(claimed, value):
            return (mistake,)
    number = _ratio({"": claimed}, {"": right})
    if number is not None:
        text = f"{number} times the right one{_meaning(number, loss, feeds)}"
        return (Mistake("scale", text),)
    for mistake, value in (*_some_terms(loss, target, feeds), *_some_uses(loss, target, feeds)):
        if near(claimed, value):
            return (mistake,)
    return (UNKNOWN,)


def whole_gradient(right: Any) -> Iterator[tuple[Mistake, Any]]:
    """A gradient as a whole gone wrong."""
    yield Mistake("missing term", "the gradient is zero"), np.zeros_like(right)
    yield Mistake("sign", "the whole gradient is negated"), -right
    if np.ndim(right) == 2 and right.shape[0] == right.shape[1]:
        yield Mistake("transpose", "the whole gradient is transposed"), right.T
        yield Mistake("transpose", "the whole gradient is transposed and negated"), -right.T


def _some_terms(loss: Node, target: Node, feeds: Mapping[Any, Any]) -> Iterator[tuple[Mistake, Any]]:
    """The gradient with some of the terms of the loss left out."""
    terms = loss
    while terms.op.name == "identity":
        (terms,) = terms.args
    if terms.op.name == "add" and all(term.shape == () for term in terms.args):
        values = evaluate([grad(term, target) for term in terms.args], feeds)
        yield from _left_out([term.name for term in terms.args], values, "the term {} of the loss is left out")


def _some_uses(loss: Node, target: Node, feeds: Mapping[Any, Any]) -> Iterator[tuple[Mistake, Any]]:
    """The gradient with the uses of some time steps left out."""
    if not target.op.leaf:
        return
    last = max((node.step or 1 for node in cone([loss])), default=1)
    parts = contributions({last: loss}, target)
    values = evaluate([parts[last, step] for step in parts.uses], feeds)
    yield from _left_out([f"of step {step}" for step in parts.uses], values, "the use {} is left out")


def _left_out(names: list[str], values: list[Any], text: str) -> Iterator[tuple[Mistake, Any]]:
    """A sum of contributions without one of them, or with a stretch of them alone."""
    everything, count = np.sum(values, axis=0), len(names)
    for place, name in enumerate(names):
        yield Mistake("missing term", text.format(name)), everything - values[place]
    for first in range(count):
        for end in range(first + 1, count + 1):
            rest = names[:first] + names[end:]
            if len(rest) > 1:
                yield Mistake("missing term", text.format(", ".join(rest))), np.sum(values[first:end], axis=0)


def _shape(claimed: Any, right: Any) -> Mistakes:
    if np.shape(claimed) == np.shape(right):
        return ()
    if np.ndim(claimed) == 2 and np.shape(claimed)[::-1] == np.shape(right):
        same = near(np.transpose(claimed), right)
        text = f"shape {np.shape(claimed)} in place of {np.shape(right)}"
        return (Mistake("transpose", f"{text}; the numbers are right" if same else text),)
    if np.shape(claimed)[1:] == np.shape(right) and near(np.sum(claimed, axis=0), right):
        return (Mistake("missing term", "the sum over the batch is left out"),)
    return (Mistake("shape", f"shape {np.shape(claimed)} in place of {np.shape(right)}"),)


def _ratio(claimed: Arrays, right: Arrays) -> Fraction | None:
    """The one small ratio between claimed and right gradients, if there is one."""
    a = np.concatenate([np.ravel(np.asarray(claimed[name], float)) for name in claimed])
    b = np.concatenate([np.ravel(np.asarray(right[name], float)) for name in claimed])
    if not b.any():
        return None
    place = int(np.argmax(np.abs(b)))
    number = Fraction(float(a[place] / b[place])).limit_denominator(LARGEST_NUMBER)
    plain = abs(number.numerator) <= LARGEST_NUMBER and near(a, float(number) * b)
    return number if plain and number != 1 else None


def _meaning(number: Fraction, loss: Node, feeds: Mapping[Any, Any]) -> str:
    """What a number may stand for: the number of time steps or of examples."""
    steps = max((node.step or 0 for node in cone([loss])), default=0)
    batches = [
        np.shape(feeds[name])[1 if not isinstance(target, Node) else 0]
        for name, target in loss.graph.inputs.items()
        if name in feeds
        for one in [target if isinstance(target, Node) else next(iter(target.values()))]
        if np.ndim(feeds[name]) == one.ndim + (2 if not isinstance(target, Node) else 1) and one.batched
    ]
    known = {"the number of time steps": steps, "the number of examples": batches[0] if batches else 0}
    for what, count in known.items():
        if count > 1 and number == count:
            return f", {what}"
        if count > 1 and number == Fraction(1, count):
            return f", one over {what}"
    return ""
