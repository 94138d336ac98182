"""What cells around cells are made of: sizes put in place of sizes, and states made under other names."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph import models
from tinygraph.dims import parse_dims
from tinygraph.errors import UsageError
from tinygraph.models.wrapping import derive, step_inside


@pytest.mark.parametrize(
    ("text", "expected"),
    [("H I", "H I+A"), ("2*I H", "2*I+2*A H"), ("I+I+3", "I+A+I+A+3"), ("H H", "H H"), ("", ""), ("J=H I", "J=H I+A")],
)
def test_a_size_in_place_of_another(text, expected):
    replaced = parse_dims(text).replaced("I", "I+A")
    assert replaced.text == expected
    assert replaced.shape({"H": 2, "I": 3, "A": 5}) == parse_dims(expected).shape({"H": 2, "I": 3, "A": 5})


def test_states_are_made_once_and_under_their_outer_names():
    """An LSTM inside, whose c is made by `let` in its middle, with its states named p and q outside."""
    base = models.lstm
    inner = dict(zip(base.states, ("p", "q"), strict=True))
    roles = {inner.get(name, name): role for name, role in base.roles.items()}

    def equations(given):
        return step_inside(base, {name: given[inner.get(name, name)] for name in base.roles}, inner)

    outer = derive("renamed", "Another name.\n\nReferences: none.", roles, equations)
    assert (list(outer.states), outer.output, outer.reference) == (["p", "q"], "p", "none.")
    renamed, plain = (tg.unroll(cell, 3, mask=True, I=2, H=3) for cell in (outer, base))
    rng = np.random.default_rng(0)
    feeds = plain.initial(seed=0) | {"x": rng.standard_normal((3, 2)), "mask": np.array([True, True, False])}
    for state, name in inner.items():
        assert [node.label for node in renamed.series[name].values()] == [name] * 4
        ours, theirs = (
            tg.evaluate(list(net.series[n].values()), feeds) for net, n in ((renamed, name), (plain, state))
        )
        np.testing.assert_array_equal(ours, theirs)


def test_a_cell_inside_is_applied_outside_of_unrolling_too():
    """Called by hand, as in a tree, nothing makes states: they are labelled."""
    cell, g = models.layered(models.gru, 2), tg.Graph()
    shapes = cell.shapes({"I": 2, "H": 3})
    made = cell(**{name: g.input(name, shape) for name, shape in shapes.items()})
    assert [node.label for node in made] == ["h1", "h2"]


def test_flow_is_summarised_through_a_cell_that_attends():
    """Its context `seen` is boolean, and drawn as such."""
    flow = tg.gradient_flow(models.attend_first(models.elman, "dot"), steps=4)
    assert "h" in str(flow)


def test_a_state_is_not_a_vector():
    @tg.cell
    def square(x: tg.Input["I"], M: tg.State["H H"], W: tg.Param["H I"]):
        """A matrix as state."""
        return M + tg.outer(W @ x, W @ x)

    with pytest.raises(UsageError, match="an output that is a vector"):
        models.attend_first(square)
    with pytest.raises(UsageError, match="cannot read the one below"):
        models.layered(square, 2)
