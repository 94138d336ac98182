"""A chain of a hundred thousand nodes is printed, saved, validated and freed: nothing recurses over a graph."""

from __future__ import annotations

import gc
import weakref

import pytest

import tinygraph as tg
from tinygraph.graph import cone

LENGTH = 10**5
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chain() -> tg.Graph:
    """h_t = tanh(h_{t-1}), labelled now and then."""
    graph = tg.Graph()
    h = graph.input("x", (1,))
    for t in range(1, LENGTH + 1):
        with graph.at(step=t):
            h = tg.tanh(h, name="h" if t % 10 == 0 else "")
    return graph


def test_it_is_printed(chain):
    last = chain.nodes[-1]
    assert last.describe().startswith(f"h_{LENGTH} = tanh")
    text = chain.text()
    assert text.count("tanh(") == LENGTH
    assert f"h_{LENGTH}" in text.splitlines()[-1]
    assert tg.latex(last).count(r"\tanh(") == LENGTH


def test_it_is_walked(chain):
    assert len(cone([chain.nodes[-1]])) == LENGTH + 1
    assert chain.to_networkx().number_of_edges() == LENGTH


def test_it_is_saved_loaded_and_validated(chain, tmp_path):
    loaded = tg.load(tg.save(chain, tmp_path / "chain.json"))  # loading validates
    assert len(loaded) == len(chain)
    assert loaded["h", LENGTH].id == LENGTH


def test_it_is_freed():
    graph = tg.Graph()
    h = graph.input("x")
    for _ in range(LENGTH):
        h = -h
    gone = weakref.ref(graph)
    del graph, h
    gc.collect()
    assert gone() is None
