"""Export to networkx: edges are the operands, with their places, and there is no cycle."""

from __future__ import annotations

import networkx
from graph.samples import each_net, trained

import tinygraph as tg
from tinygraph.graph import cone


@each_net("name", "how")
def test_edges_are_operands(name, how):
    graph = trained(name, how).graph
    exported = graph.to_networkx()
    edges = sorted((user, data["place"], operand) for operand, user, data in exported.edges(data=True))
    assert edges == sorted((n.id, place, arg.id) for n in graph for place, arg in enumerate(n.args))
    assert list(exported) == [node.id for node in graph]
    assert networkx.is_directed_acyclic_graph(exported)


def test_an_operand_used_twice_has_two_edges():
    graph = tg.Graph()
    x = graph.input("x")
    square = x * x
    exported = graph.to_networkx()
    assert sorted(data["place"] for data in exported.get_edge_data(x.id, square.id).values()) == [0, 1]


def test_the_cone_of_the_roots():
    sample = trained("elman", "plain")
    loss = sample.roots["loss"]
    exported = sample.graph.to_networkx([loss])
    assert set(exported) == {node.id for node in cone([loss])}
    assert set(exported) == networkx.ancestors(sample.graph.to_networkx(), loss.id) | {loss.id}


def test_nodes_carry_what_is_known_of_them():
    graph = tg.Graph()
    with graph.at(step=2, scope="encoder"):
        h = tg.tanh(graph.input("x", (3,)), name="h")
    assert graph.to_networkx().nodes[h.id] == {
        "name": "h_2", "op": "tanh", "shape": (3,), "batched": True, "kind": "real",
        "step": 2, "scope": "encoder", "label": "h", "backward": False,
    }  # fmt: skip
