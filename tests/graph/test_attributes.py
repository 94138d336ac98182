"""Attributes are in one form: putting a node's own attributes through its row again changes nothing."""

from __future__ import annotations

import pytest
from helpers.cases import build, cases

import tinygraph as tg

WITH_ATTRIBUTES = [name for name, op in tg.OPS.items() if op.attrs]


@pytest.mark.parametrize("name", WITH_ATTRIBUTES)
def test_the_form_is_final(name):
    op = tg.OPS[name]
    for case in cases(op):
        _, node = build(case)
        assert op.attrs(*node.args, **node.attrs) == dict(node.attrs), case
        again = op(*node.args, **node.attrs)
        assert (again.attrs, again.shape) == (node.attrs, node.shape), case


@pytest.mark.parametrize("name", WITH_ATTRIBUTES)
def test_attributes_can_be_compared_and_hashed(name):
    for case in cases(tg.OPS[name]):
        _, node = build(case)
        hash(tuple(sorted(node.attrs.items())))


def test_every_spelling_of_an_attribute_is_one_form():
    x = tg.Graph().input("x", (2, 3, 4))
    assert len({tg.sum(x, axis=a).attrs["axis"] for a in (1, -2, [1], (-2,), [-2])}) == 1
    assert len({tg.reshape(x, s).attrs["shape"] for s in ((6, 4), [6, 4], (-1, 4), (6, -1))}) == 1
    assert len({tg.transpose(x, a).attrs["axes"] for a in (None, (2, 1, 0), [-1, 1, 0])}) == 1
    assert len({i.attrs["index"] for i in (x[0], x[0, ...], x[-2], x[0, :, :], x[0, 0:3])}) == 1
