"""Values of every row: against plain NumPy example by example, SymPy, complex numbers and float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.cases import BATCH, Case, build, cases, draw, general_kinds, index_range, rows, smooth_rows, wanted
from helpers.compare import assert_close
from helpers.gradients import Projection
from helpers.references import BATCH_REFERENCES, REFERENCES

import tinygraph as tg
from tinygraph.graph import Kind, Node

ROWS = rows()
ROWS_AND_KINDS = [(name, kind) for name in ROWS for kind in general_kinds(tg.OPS[name])]
# A new row may do without a reference: SymPy and complex arithmetic hold it anyway.
WITH_REFERENCE = [(name, kind) for name, kind in ROWS_AND_KINDS if name in REFERENCES or name in BATCH_REFERENCES]
INDEXED = [name for name in ROWS if "integer" in {wanted(tg.OPS[name], i) for i in range(tg.OPS[name].arity or 1)}]


def computed(case: Case, operands: list[Any], dtype: str = "float64") -> tuple[Node, Any]:
    """The output and its value, in a run that has a batch even where no operand is batched."""
    _, output = build(case)
    output.graph.input("other", ())
    feeds = {f"x{i}": value for i, value in enumerate(operands)} | {"other": np.zeros(BATCH)}
    return output, tg.evaluate(output, feeds, dtype=dtype)


def expected(case: Case, operands: list[Any]) -> Any:
    """The reference, one example at a time; the whole batch where the row is about the batch."""
    both = zip(operands, case.batched, strict=True)
    each = [value if batched else np.stack([value] * BATCH) for value, batched in both]
    if case.op.name in BATCH_REFERENCES:
        plain = not any(case.batched) and not case.op.batching([False])
        return operands[0] if plain else BATCH_REFERENCES[case.op.name](*each)
    reference = REFERENCES[case.op.name]
    singles = [np.asarray(reference(*(value[b] for value in each), **case.attrs)) for b in range(BATCH)]
    return np.stack(singles) if any(case.batched) else singles[0]


@pytest.mark.parametrize(("name", "kind"), WITH_REFERENCE)
def test_value(name, kind):
    """Integers and booleans must be equal, reals agree to rounding."""
    for case in cases(tg.OPS[name], kind):
        operands = draw(case, np.random.default_rng(0))
        output, value = computed(case, operands)
        assert np.shape(value) == (BATCH,) * output.batched + output.shape, case
        assert output.kind == "real" or np.array_equal(value, expected(case, operands)), case
        assert np.asarray(value).dtype.kind == {"real": "f", "integer": "i", "boolean": "b"}[output.kind], case
        assert_close(np.asarray(value, float), np.asarray(expected(case, operands), float), 1e-14, what=case)


def test_references_are_of_rows():
    """No reference outlives its row, so a renamed row cannot lose its reference unseen."""
    assert set(REFERENCES) | set(BATCH_REFERENCES) <= set(ROWS)
    assert not set(REFERENCES) & set(BATCH_REFERENCES)


@pytest.mark.parametrize(("name", "kind"), ROWS_AND_KINDS)
def test_sympy_and_float_runs_agree(name: str, kind: Kind):
    """The same row over SymPy's numbers, of which `run` shares no arithmetic with NumPy's."""
    for case in cases(tg.OPS[name], kind)[:24]:
        operands = draw(case, np.random.default_rng(0))
        output, value = computed(case, operands)
        symbolic = computed(case, operands, "sympy")[1]
        found = np.asarray(symbolic, float if output.kind == "real" else np.asarray(value).dtype)
        assert_close(np.asarray(found, float), np.asarray(value, float), 1e-13, what=case)


@pytest.mark.parametrize(("name", "kind"), ROWS_AND_KINDS)
def test_complex_and_float_runs_agree(name: str, kind: Kind):
    """On real numbers, a complex run gives the same values with imaginary part zero."""
    for case in cases(tg.OPS[name], kind):
        operands = draw(case, np.random.default_rng(0))
        _, value = computed(case, operands)
        _, found = computed(case, operands, "complex128")
        assert_close(np.asarray(found, complex), np.asarray(value, complex), 1e-14, what=case)


@pytest.mark.parametrize("name", smooth_rows())
def test_float32_runs_stay_float32(name):
    """Values and gradients of a float32 run are float32, and near those of float64."""
    for case in cases(tg.OPS[name]):
        projection = Projection(case)
        outputs, feeds = [projection.output, *projection.gradients.values()], projection.feeds(0)
        narrow, wide = tg.evaluate(outputs, feeds, dtype="float32"), tg.evaluate(outputs, feeds)
        for found, value in zip(narrow, wide, strict=True):
            assert found.dtype == np.float32, case
            assert_close(found, value, 1e-5, what=case)


@pytest.mark.parametrize("where", [-1, "size"])
@pytest.mark.parametrize("name", INDEXED)
def test_an_index_outside_its_range_is_an_error(name, where):
    """NumPy would wrap -1 around to the last row."""
    case = next(c for c in cases(tg.OPS[name]) if not any(c.batched))
    low, size = index_range(case)
    assert low == 0
    operands = draw(case, np.random.default_rng(0))
    operands[-1] = np.full_like(operands[-1], size if where == "size" else -1)
    with pytest.raises(tg.errors.ValueRangeError, match=name):
        computed(case, operands)
