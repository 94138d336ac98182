"""Recursive networks: the state of a node of a binary tree from those of its two children."""

from tinygraph.cells import Child, Param, cell, let
from tinygraph.ops.linear import bilinear
from tinygraph.ops.nonlinear import tanh
from tinygraph.ops.structure import concatenate


@cell
def recursive(l: Child["H"], r: Child["H"], W: Param["H 2*H"], b: Param["H"]):  # noqa: E741
    """Recursive network: one tanh layer over both children.

    References: Goller and Kuchler 1996, Learning task-dependent distributed representations by
    backpropagation through structure, doi:10.1109/ICNN.1996.548916.
    """
    return tanh(W @ concatenate([l, r]) + b)


@cell
def rntn(l: Child["H"], r: Child["H"], V: Param["H 2*H 2*H"], W: Param["H 2*H"], b: Param["H"]):  # noqa: E741
    """Recursive neural tensor network: the children also multiply, through a form for each unit.

    References: Socher et al. 2013, Recursive deep models for semantic compositionality over a sentiment
    treebank, doi:10.18653/v1/D13-1170.
    """
    s = let("s", concatenate([l, r]))
    return tanh(bilinear(s, V, s) + W @ s + b)
