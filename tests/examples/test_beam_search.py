"""The example of beam search: the seed that it names is the one that its search finds, and greedy loses there."""

from __future__ import annotations

from helpers.examples import load_example


def test_the_search_finds_the_seed_that_is_named():
    example = load_example("23_beam_search")
    seed = example.search()
    assert seed == example.FIXED
    one, two, three = (example.answers(seed, width) for width in (1, 2, 3))
    assert one.log_probability < two.log_probability == three.log_probability
    assert example.spell(two.symbols) == example.everything(seed)[0][1]
