"""The graph: nodes, the tape they stand on, and what can be said of them without computing."""

from .node import Kind, Node, Provenance
from .op import Op
from .steps import Steps
from .table import OPS
from .tape import Graph, cone

__all__ = ["OPS", "Graph", "Kind", "Node", "Op", "Provenance", "Steps", "cone"]
