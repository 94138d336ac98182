"""Text as symbols and back, the corpus at hand, and streams that carry on where they stopped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygraph as tg
from tinygraph import models
from tinygraph.models.text import UNITS


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(text=st.text(max_size=60))
def test_what_is_encoded_is_decoded(unit, text):
    vocabulary = models.Vocabulary.of(text, unit)
    numbers = vocabulary.encode(text)
    assert vocabulary.decode(numbers) == text
    assert numbers.dtype == np.int64
    assert set(numbers.tolist()) == set(range(len(vocabulary))), "every symbol of the text, and no other"


def test_characters_are_in_sorted_order():
    vocabulary = models.Vocabulary.of("hello")
    assert len(vocabulary) == 4
    assert vocabulary.encode("hello").tolist() == [1, 0, 2, 2, 3]
    assert vocabulary.decode([1, 0, 2, 2, 3]) == "hello"
    assert vocabulary == models.Vocabulary.of("oellhleo")


def test_words_blanks_and_signs():
    vocabulary = models.Vocabulary.of("a cat, a hat", "words")
    assert vocabulary.encode("a cat, a hat").tolist() == [2, 0, 3, 1, 0, 2, 0, 4]


def test_the_standard_library_is_a_text():
    text = models.standard_library_text()
    assert len(text) > 300_000
    assert "def namedtuple(" in text
    assert text == models.standard_library_text()
    assert len(models.Vocabulary.of(text)) > 80


def test_streams_go_on_where_they_stopped():
    """Chunk after chunk, stream b reads symbols b * length, b * length + 1, ... without a gap."""
    symbols = np.arange(1000, 1047)
    chunks = list(models.contiguous_batches(symbols, steps=3, batch=4))
    read = np.concatenate([x for x, _ in chunks])
    targets = np.concatenate([y for _, y in chunks])
    length = (47 - 1) // 4
    assert read.shape == ((length // 3) * 3, 4)
    for b in range(4):
        start = 1000 + b * length
        assert read[:, b].tolist() == list(range(start, start + len(read)))
        assert targets[:, b].tolist() == list(range(start + 1, start + 1 + len(read)))


def test_carrying_the_state_through_chunks_is_one_long_net():
    """The loss of a text in chunks with the state carried is that of the text in one piece."""
    text = np.random.default_rng(0).integers(0, 3, 13)
    table = np.random.default_rng(1).standard_normal((3, 2))
    short = tg.unroll(models.elman, 3, I=2, H=4, initial="fed")
    whole = tg.unroll(models.elman, 12, I=2, H=4)
    values = short.initial(seed=0)
    state, last = np.zeros((1, 4)), None
    for x, _ in models.contiguous_batches(text, steps=3, batch=1):
        last = tg.evaluate(short.h[3], values | {"x": table[x], "h_0": state})
        state = last
    expected = tg.evaluate(whole.h[12], values | {"x": table[text[:12]]})
    np.testing.assert_allclose(last[0], expected, rtol=1e-14)
