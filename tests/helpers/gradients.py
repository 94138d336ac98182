"""The gradient checks of one case of the table.

A row applied to operands x0, x1, ... gives y, which is projected to a number, L = sum(p * y), with a
random p. The gradient of L, its Hessian-vector product and its forward-mode derivative are graphs;
the checks hold their values against differences of L and of the gradient, one random seed each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygraph as tg

from .cases import BATCH, Case, build, crosses_the_batch, draw
from .compare import assert_close, central, complex_step, inner

FIRST, SECOND, EXACT = 1e-6, 1e-5, 1e-10  # first differences, differences of gradients, where nothing cancels
SINGLE = 1e-12  # a batch against its examples one by one


class Projection:
    """A case applied to inputs, with the projection of its output and what its derivatives are made of."""

    def __init__(self, case: Case) -> None:
        self.case = case
        operands, self.output = build(case)
        graph = self.output.graph
        self.batched = {f"x{i}": flag for i, flag in enumerate(case.batched)} | {"p": self.output.batched}
        self.real = {f"x{i}": operands[i] for i in case.real}
        p = graph.input("p", self.output.shape, batched=self.output.batched)
        self.loss = tg.sum(p * self.output)
        self.gradients = tg.grad(self.loss, self.real)
        self.tangents = {
            name: graph.input(f"v_{name}", node.shape, batched=node.batched) for name, node in self.real.items()
        }

    def feeds(self, seed: int) -> dict[str, Any]:
        """Random operands and a random projection."""
        rng = np.random.default_rng([seed, 1])
        lead = (BATCH,) * self.output.batched
        values = {f"x{i}": value for i, value in enumerate(draw(self.case, rng))}
        return values | {"p": rng.standard_normal(lead + self.output.shape)}

    def directions(self, seed: int) -> dict[str, Any]:
        """A random direction for each real operand."""
        rng = np.random.default_rng([seed, 2])
        return {name: rng.standard_normal((BATCH,) * x.batched + x.shape) for name, x in self.real.items()}

    def with_tangents(self, seed: int) -> dict[str, Any]:
        """Feeds with the directions among them."""
        return self.feeds(seed) | {f"v_{name}": v for name, v in self.directions(seed).items()}

    def value(self, feeds: Any) -> Any:
        """The projection, summed over the batch as `grad` does."""
        return np.sum(tg.evaluate(self.loss, feeds))

    def complex_value(self, feeds: Any) -> Any:
        return np.sum(tg.evaluate(self.loss, feeds, dtype="complex128"))


def check_first_order(case: Case, seeds: range) -> None:
    """The gradient by each operand, along a direction, is the central difference and the complex step."""
    projection = Projection(case)
    for seed in seeds:
        feeds, directions = projection.feeds(seed), projection.directions(seed)
        gradients = tg.evaluate(projection.gradients, feeds)
        for name, v in directions.items():
            if gradients[name].shape != np.shape(feeds[name]):
                raise AssertionError(f"{case}: the gradient by {name} has shape {gradients[name].shape}")
            what = f"{case}, seed {seed}: gradient by {name}"
            found, terms = inner(gradients, {name: v})
            assert_close(found, central(projection.value, feeds, {name: v}), FIRST, terms, what)
            if case.op.domain.analytic:
                assert_close(found, complex_step(projection.complex_value, feeds, {name: v}), EXACT, terms, what)


def check_second_order(case: Case, seeds: range) -> None:
    """The Hessian-vector product is the derivative of the gradient along the vector."""
    projection = Projection(case)
    products = tg.hvp(projection.loss, projection.real, projection.tangents)
    for seed in seeds:
        feeds, directions = projection.with_tangents(seed), projection.directions(seed)
        found = tg.evaluate(products, feeds)
        for name, gradient in projection.gradients.items():
            what = f"{case}, seed {seed}: second derivative by {name}"

            def value(at: Any, dtype: str = "float64", gradient: Any = gradient) -> Any:
                return tg.evaluate(gradient, at, dtype=dtype)

            assert_close(found[name], central(value, feeds, directions), SECOND, what=what)
            if case.op.domain.analytic:
                exact = complex_step(lambda at, value=value: value(at, "complex128"), feeds, directions)
                assert_close(found[name], exact, EXACT, what=what)


def check_forward(case: Case, seeds: range) -> None:
    """Forward mode is the transpose of reverse mode: <p, J v> = <J^T p, v>."""
    projection = Projection(case)
    forward = tg.jvp(projection.output, projection.real, projection.tangents)
    for seed in seeds:
        feeds = projection.with_tangents(seed)
        along, gradients = tg.evaluate([forward, projection.gradients], feeds)
        left, left_terms = inner({"p": feeds["p"]}, {"p": along})
        right, right_terms = inner(gradients, projection.directions(seed))
        assert_close(left, right, 1e-12, max(left_terms, right_terms), f"{case}, seed {seed}: forward mode")


def check_single_examples(case: Case, seeds: range) -> None:
    """A batch gives what its examples give one by one; a shared operand's gradient is their sum."""
    if crosses_the_batch(case.op):
        raise AssertionError(f"{case.op.name} mixes the examples")
    projection = Projection(case)
    outputs = [projection.output, projection.gradients]
    if not projection.output.batched:
        return
    for seed in seeds:
        feeds = projection.feeds(seed)
        output, gradients = tg.evaluate(outputs, feeds)
        singles = [tg.evaluate(outputs, example(projection, feeds, b)) for b in range(BATCH)]
        assert_close(output, np.stack([y for y, _ in singles]), SINGLE, what=f"{case}, seed {seed}: value")
        for name, gradient in gradients.items():
            each = np.stack([g[name] for _, g in singles])
            expected = each if projection.batched[name] else np.sum(each, axis=0)
            assert_close(gradient, expected, SINGLE, what=f"{case}, seed {seed}: gradient by {name}")


def example(projection: Projection, feeds: dict[str, Any], b: int) -> dict[str, Any]:
    """The feeds of example b alone, without a batch axis."""
    return {name: value[b] if projection.batched[name] else value for name, value in feeds.items()}
