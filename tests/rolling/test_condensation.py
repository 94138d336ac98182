"""Components and levels against networkx, on random graphs and on a long ring."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from tinygraph.rolling.condensation import components, is_cycle, levels


def random_sources(rng: np.random.Generator) -> dict[int, list[int]]:
    size = int(rng.integers(1, 20))
    count = int(rng.integers(0, 2 * size))
    sources: dict[int, list[int]] = {n: [] for n in range(size)}
    for a, b in rng.integers(0, size, (count, 2)):
        sources[int(a)].append(int(b))
    return sources


@pytest.mark.parametrize("seed", range(100))
def test_against_networkx(seed):
    sources = random_sources(np.random.default_rng(seed))
    graph = networkx.DiGraph([(b, a) for a, read in sources.items() for b in read])
    graph.add_nodes_from(sources)
    parts = components(sources)
    assert sorted(map(sorted, networkx.strongly_connected_components(graph))) == sorted(parts)
    whole = networkx.condensation(graph, parts)
    assert all(a < b for a, b in whole.edges)
    longest = [0] * len(parts)
    for n in networkx.topological_sort(whole):
        longest[n] = max((longest[p] + 1 for p in whole.predecessors(n)), default=0)
    assert levels(parts, sources) == longest
    for part in parts:
        subgraph = graph.subgraph(part)
        assert is_cycle(part, sources) == (subgraph.number_of_edges() > 0)


def test_a_long_ring():
    """Nothing recurses."""
    ring = {n: [(n + 1) % 30_000] for n in range(30_000)}
    assert [len(part) for part in components(ring)] == [30_000]
    chain = {n: [n + 1] if n < 29_999 else [] for n in range(30_000)}
    assert levels(components(chain), chain)[-1] == 29_999
